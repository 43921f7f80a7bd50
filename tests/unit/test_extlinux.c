// SPDX-License-Identifier: GPL-2.0-or-later
/* Labels of extlinux.conf. */
#include <errno.h>
#include <string.h>

#include "extlinux.h"
#include "unit.h"

static struct arena arena;
static struct entry_list list;
static struct extlinux_result result;

static int clean(void **state)
{
	(void)state;
	arena_free(&arena);
	memset(&arena, 0, sizeof(arena));
	return 0;
}

static const struct boot_entry *read_text(const char *text)
{
	const struct entry_file file = { ENTRY_FILE_EXTLINUX, "extlinux/extlinux.conf",
					 span_of(text, strlen(text)) };

	arena_free(&arena);
	list = (struct entry_list){ .arena = &arena };
	extlinux_read(&file, 2, &list, &result);
	return list.v;
}

static void test_labels(void **state)
{
	const struct boot_entry *e =
		read_text("LABEL one\r\n\tMenu Label a ^b\n KERNEL /k\nInitrd /i,,/j\n"
			  "APPEND x  y\nlabel Two words\nlinux k.img\n");

	(void)state;
	assert_int_equal(list.n, 2);
	assert_string_equal(e[0].id, "one");
	assert_string_equal(e[0].title, "a b");
	assert_string_equal(e[0].kernel, "/k");
	assert_int_equal(e[0].n_initrds, 2);
	assert_string_equal(e[0].initrds[1], "/j");
	assert_string_equal(e[0].options, "x  y");
	assert_int_equal(e[0].place, 2);
	assert_int_equal(e[0].line, 1);
	assert_string_equal(e[1].id, "Two words");
	assert_null(e[1].why_id);
	assert_null(e[1].options);
	assert_null(result.default_label);
	assert_non_null(result.default_why);
}

static void test_options(void **state)
{
	const struct boot_entry *e =
		read_text("append all\nlabel a\nlinux /k\nlabel b\nlinux /k\nappend -\n"
			  "label c\nlinux /k\nappend a initrd=/i,/j b\n"
			  "label d\nlinux /k\ninitrd /x\nappend initrd=/y b\n");

	(void)state;
	assert_string_equal(e[0].options, "all");
	assert_null(e[1].options);
	assert_string_equal(e[2].options, "a b");
	assert_int_equal(e[2].n_initrds, 2);
	assert_string_equal(e[3].options, "b");
	assert_int_equal(e[3].n_initrds, 1);
	assert_string_equal(e[3].initrds[0], "/x");
}

static void test_no_linux(void **state)
{
	static const char *const lines[] = { "kernel menu.c32", "kernel mem.bin", "com32 x",
					     "localboot 0",	"boot x",	  "config y" };

	(void)state;
	for (size_t i = 0; i < array_len(lines); i++) {
		char text[64] = "label a\nlinux /k\n";

		assert_null(read_text(text)[0].why_id);
		assert_string_equal(read_text(strcat(strcat(text, lines[i]), "\n"))[0].why_id,
				    "entries/no-linux");
	}
	assert_string_equal(read_text("label a\n")[0].why_id, "entries/no-kernel");
	read_text("kernel /k\nmenu label x\n");
	assert_int_equal(list.n, 0);
}

static void test_default(void **state)
{
	(void)state;
	read_text("default b\nlabel a\nlinux /k\nlabel b\nlinux /k\n");
	assert_string_equal(result.default_label, "b");
	read_text("default b\nlabel a\nlinux /k\nmenu default\nlabel b\nlinux /k\n");
	assert_string_equal(result.default_label, "a");
	read_text("ontimeout B\nlabel a\nlinux /k\nmenu default\nlabel b\nlinux /k\n");
	assert_string_equal(result.default_label, "B");
	read_text("default c\nlabel a\nlinux /k\n");
	assert_null(result.default_label);
}

static void test_no_memory(void **state)
{
	static const char text[] =
		"append x\ndefault a\nlabel a\nlinux /k\nmenu label ^x\nappend initrd=/i y\n"
		"label b\nfdt /d\n";
	size_t n;

	(void)state;
	read_text(text);
	assert_false(list.is_short);
	n = arena.n_allocations;
	for (size_t i = 1; i <= n; i++) {
		arena_free(&arena);
		arena = (struct arena){ .fail_at = i };
		read_text(text);
		assert_true(list.is_short);
	}
	arena.fail_at = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_labels, clean, clean),
		cmocka_unit_test_setup_teardown(test_options, clean, clean),
		cmocka_unit_test_setup_teardown(test_no_linux, clean, clean),
		cmocka_unit_test_setup_teardown(test_default, clean, clean),
		cmocka_unit_test_setup_teardown(test_no_memory, clean, clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
