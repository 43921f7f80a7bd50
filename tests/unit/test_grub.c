// SPDX-License-Identifier: GPL-2.0-or-later
/* GRUB's files: the environment block, words and variables, conditions, menus. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grub_cfg.h"
#include "grub_test.h"
#include "unit.h"

static struct arena arena;
static struct diag diag;

static int clean(void **state)
{
	(void)state;
	arena_free(&arena);
	memset(&arena, 0, sizeof(arena));
	diag_init(&diag, &arena);
	return 0;
}

/* ---- grubenv ---- */

static struct grubenv env;

/* The text, filled up as GRUB does it. */
static int read_env(const char *text, size_t len)
{
	char *block = malloc(len);
	int r;

	memset(block, '#', len);
	memcpy(block, text, strlen(text));
	clean(NULL);
	r = grubenv_read(span_of(block, len), &arena, &env, &diag);
	free(block);
	if (r < 0)
		assert_string_equal(diag.id, "entries/grubenv");
	return r;
}

#define HEAD "# GRUB Environment Block\n"

static void test_grubenv(void **state)
{
	(void)state;
	assert_int_equal(
		read_env(HEAD "saved_entry=a>b\nempty=\nx=a=b\n# comment\ny=\\\\ \\\nz\n", 1024),
		0);
	assert_int_equal(env.n, 4);
	assert_string_equal(grubenv_find(&env, "saved_entry"), "a>b");
	assert_string_equal(grubenv_find(&env, "empty"), "");
	assert_string_equal(grubenv_find(&env, "x"), "a=b");
	assert_null(grubenv_find(&env, "saved"));
	assert_int_equal(read_env(HEAD, 1024), 0);
	assert_int_equal(env.n, 0);
	assert_int_equal(read_env(HEAD "a=1\na=2\n", 1024), 0);
	assert_string_equal(grubenv_find(&env, "a"), "2");
}

static void test_grubenv_is_strict(void **state)
{
	(void)state;
	assert_int_equal(read_env(HEAD, 1023), -EINVAL);
	assert_int_equal(read_env(HEAD, 1025), -EINVAL);
	assert_int_equal(read_env("# GRUB Environment block\n", 1024), -EINVAL);
	assert_int_equal(read_env(HEAD "a=b", 1024), -EINVAL);
	assert_int_equal(read_env(HEAD "=b\n", 1024), -EINVAL);
	assert_int_equal(read_env(HEAD "a b=c\n", 1024), -EINVAL);
	assert_int_equal(read_env(HEAD "word\n", 1024), -EINVAL);
	assert_int_equal(read_env(HEAD "a=\033[2J\n", 1024), -EINVAL);
	assert_int_equal(read_env(HEAD "\n", 1024), -EINVAL);
}

static void test_grubenv_has_a_limit(void **state)
{
	char text[1024] = HEAD;

	(void)state;
	for (int i = 0; i < GRUBENV_VARIABLES_MAX; i++)
		strcat(text, "a=\n");
	assert_int_equal(read_env(text, 1024), 0);
	strcat(text, "a=\n");
	assert_int_equal(read_env(text, 1024), -EINVAL);
}

/* ---- words ---- */

static struct grub_variables vars;

/* The words of a text, with '|' between them; "?" at the end: not all is known. */
static const char *words(const char *text)
{
	static char joined[1024];
	struct grub_scope scope = { .arena = &arena, .vars = &vars, .bytes_left = 100000 };
	const char *const arguments[] = { "one", "two words" };
	struct grub_token list[32];
	struct grub_words w = { 0 };
	size_t n;

	scope.arguments = arguments;
	scope.n_arguments = array_len(arguments);
	n = grub_tokens(span_of(text, strlen(text)), list, array_len(list));
	assert_true(n <= array_len(list));
	for (size_t i = 0; i < n; i++) {
		if (list[i].kind != GRUB_WORD)
			return "no word";
		grub_expand(&scope, list[i].text, false, &w);
	}
	joined[0] = '\0';
	for (size_t i = 0; i < w.n; i++)
		strcat(strcat(joined, i > 0 ? "|" : ""), w.v[i]);
	return strcat(joined, w.unknown ? "?" : "");
}

static void test_words(void **state)
{
	(void)state;
	vars = (struct grub_variables){ 0 };
	grub_set(&vars, "a", "x y", NULL);
	grub_set(&vars, "b", "", NULL);
	grub_set(&vars, "u", NULL, "who knows");
	assert_string_equal(words(""), "");
	assert_string_equal(words("a  b # c"), "a|b");
	assert_string_equal(words("a#b"), "a#b");
	assert_string_equal(words("$a"), "x|y");
	assert_string_equal(words("p${a}q"), "px|yq");
	assert_string_equal(words("\"p$a\"q"), "px yq");
	assert_string_equal(words("'$a'"), "$a");
	assert_string_equal(words("$b \"$b\" $nosuch c"), "|c");
	assert_string_equal(words("\\$a a\\ b \"\\$a \\x\""), "$a|a b|$a \\x");
	assert_string_equal(words("a\\\nb \"c\\\nd\""), "ab|cd");
	assert_string_equal(words("$1 \"$2\" $3."), "one|two words|.");
	assert_string_equal(words("$ a$"), "$|a$");
	assert_string_equal(words("c$u"), "c?");
	assert_string_equal(words("$? $@ ${a-b}"), "?");
	assert_string_equal(words("a;b"), "no word");
	assert_string_equal(words("a|b"), "no word");
	assert_string_equal(words("'a"), "no word");
	assert_string_equal(words("\"a"), "no word");
	assert_string_equal(words("${a"), "no word");
	grub_forget(&vars, "gone");
	assert_string_equal(words("$a$nosuch"), "?");
	grub_set(&vars, "a", "new", NULL);
	assert_string_equal(words("$a"), "new");
}

static void test_variables_have_a_limit(void **state)
{
	const char *why = NULL;

	(void)state;
	vars = (struct grub_variables){ 0 };
	for (int i = 0; i < GRUB_VARIABLES_MAX; i++)
		grub_set(&vars, arena_printf(&arena, "v%d", i), "x", NULL);
	assert_string_equal(grub_get(&vars, "v0", &why), "x");
	grub_set(&vars, "another", "x", NULL);
	assert_null(grub_get(&vars, "v0", &why));
	assert_non_null(why);
}

/* ---- conditions ---- */

static enum grub_truth no_file(const void *files, const char *path)
{
	(void)files;
	return strcmp(path, "there") == 0 ? GRUB_YES :
	       strcmp(path, "gone") == 0  ? GRUB_NO :
					    GRUB_UNKNOWN;
}

static enum grub_truth test(const char *text)
{
	char *copy = strdup(text), *rest = copy, *word;
	const char *v[32];
	enum grub_truth t;
	size_t n = 0;

	while ((word = strsep(&rest, "|")))
		v[n++] = word;
	t = grub_test(v, *text ? n : 0, no_file, NULL);
	free(copy);
	return t;
}

static void test_conditions(void **state)
{
	static const char *const yes[] = { "a",		 "a|=|a",    "a|==|a",	     "a|!=|b",
					   "-z|",	 "-n|a",     "!|-z|a",	     "1|-lt|2",
					   "2|-ge|2",	 "-1|-lt|0", "a|-a|b",	     "|-o|b",
					   "|-a|b|-o|c", "-f|there", "-f|else|-o|a", "!|!|a",
					   "-n" };
	static const char *const no[] = { "",	     "|",	    "a|=|b",   "-z|a",
					  "-n|",     "!|a",	    "2|-lt|1", "a|-a|",
					  "-e|gone", "-s|else|-a|", "3|-eq|4" };
	static const char *const unknown[] = {
		"-f|else", "-d|there", "a|-lt|1",	    "a|<|b",	    "(|a|)",
		"a|b",	   "a|-nt|b",  "1|-eq|99999999999", "-f|else|-a|a", "!|-f|else"
	};

	(void)state;
	for (size_t i = 0; i < array_len(yes); i++)
		if (test(yes[i]) != GRUB_YES)
			print_error("not true: %s\n", yes[i]), assert_true(false);
	for (size_t i = 0; i < array_len(no); i++)
		if (*no[i] != '|' && test(no[i]) != GRUB_NO)
			print_error("not false: %s\n", no[i]), assert_true(false);
	for (size_t i = 0; i < array_len(unknown); i++)
		if (test(unknown[i]) != GRUB_UNKNOWN)
			print_error("known: %s\n", unknown[i]), assert_true(false);
}

/* ---- menus ---- */

static const char menu[] = "set default='b>c'\nsearch --fs-uuid --set=root AB-12\n"
			   "menuentry 'A' --id a $x { linux /k root=x\n initrd /i /j\n }\n"
			   "submenu B --id b { menuentry C --id c { linux ($root)/k2 }\n menuentry "
			   "D { linux /k3; } }\n"
			   "if keystatus; then set x=1; fi\nmenuentry E { linux /k $x }\n";

static struct boot_entries list;

static int build(const char *cfg)
{
	const struct entry_file file = { ENTRY_FILE_GRUB_CFG, "grub/grub.cfg",
					 span_of(cfg, strlen(cfg)) };
	const struct entry_place places[] = {
		{ .dir = "/boot", .uuid = "ab-12", .files = &file, .n_files = 1 }
	};
	const struct entry_input in = { .places = places, .n_places = 1, .platform = "pc" };

	return entries_build(&in, &arena, &list, &diag);
}

static void test_menu(void **state)
{
	(void)state;
	assert_int_equal(build(menu), 0);
	assert_int_equal(list.n, 4);
	assert_string_equal(list.v[0].id, "a");
	assert_string_equal(list.v[0].options, "root=x");
	assert_int_equal(list.v[0].n_initrds, 2);
	assert_string_equal(list.v[1].kernel, "/k2");
	assert_int_equal(list.v[1].n_levels, 2);
	assert_string_equal(list.v[2].id, "D");
	assert_int_equal(list.default_entry, 1);
	assert_string_equal(list.v[3].why_id, "entries/grub-unknown");
	assert_true(entry_has_path(&list.v[1], "1>0"));
	assert_true(entry_has_path(&list.v[1], "B>c"));
	assert_true(entry_has_path(&list.v[1], "b>C"));
	assert_false(entry_has_path(&list.v[1], "1"));
	assert_false(entry_has_path(&list.v[1], "1>0>0"));
	assert_false(entry_has_path(&list.v[1], "c"));
	assert_false(entry_has_path(&list.v[1], ""));
	assert_false(entry_has_path(&list.v[1], "1>"));
}

static void test_titles_with_arrows(void **state)
{
	(void)state;
	assert_int_equal(build("set default='a>>b'\nmenuentry 'a>b' { linux /k }\n"), 0);
	assert_int_equal(list.default_entry, 0);
	assert_true(entry_has_path(&list.v[0], "a>b"));
	assert_false(entry_has_path(&list.v[0], "a>>>b"));
}

static void test_no_memory(void **state)
{
	size_t n;

	(void)state;
	clean(NULL);
	assert_int_equal(build(menu), 0);
	n = arena.n_allocations;
	for (size_t i = 1; i <= n; i++) {
		arena_free(&arena);
		arena = (struct arena){ .fail_at = i };
		diag_init(&diag, NULL);
		assert_int_equal(build(menu), -ENOMEM);
	}
	arena.fail_at = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_grubenv, clean, clean),
		cmocka_unit_test_setup_teardown(test_grubenv_is_strict, clean, clean),
		cmocka_unit_test_setup_teardown(test_grubenv_has_a_limit, clean, clean),
		cmocka_unit_test_setup_teardown(test_words, clean, clean),
		cmocka_unit_test_setup_teardown(test_variables_have_a_limit, clean, clean),
		cmocka_unit_test_setup_teardown(test_conditions, clean, clean),
		cmocka_unit_test_setup_teardown(test_menu, clean, clean),
		cmocka_unit_test_setup_teardown(test_titles_with_arrows, clean, clean),
		cmocka_unit_test_setup_teardown(test_no_memory, clean, clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
