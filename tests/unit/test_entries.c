// SPDX-License-Identifier: GPL-2.0-or-later
/* Boot entries from the bytes of files: what is read, in which order, which one a name means. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bls.h"
#include "entries.h"
#include "unit.h"

static struct arena arena;
static struct diag diag;
static struct boot_entries list;
static struct entry_file files[64];
static struct entry_place place;
static struct entry_input input;

static int clean(void **state)
{
	(void)state;
	arena_free(&arena);
	memset(&arena, 0, sizeof(arena));
	memset(files, 0, sizeof(files));
	place = (struct entry_place){ .dir = "/boot", .files = files };
	input = (struct entry_input){ .places = &place, .n_places = 1 };
	return 0;
}

static void add(enum entry_file_kind kind, const char *name, const char *text)
{
	files[place.n_files++] = (struct entry_file){ kind, name, span_of(text, strlen(text)) };
}

static void add_bls(const char *name, const char *text)
{
	add(ENTRY_FILE_BLS, name, text);
}

static void build(void)
{
	diag_init(&diag, &arena);
	assert_int_equal(entries_build(&input, &arena, &list, &diag), 0);
}

/* One entry of these lines. */
static const struct boot_entry *one(const char *name, const char *text)
{
	clean(NULL);
	add_bls(name, text);
	build();
	assert_int_equal(list.n, 1);
	return &list.v[0];
}

static const char *find(const char *name)
{
	size_t index = 0;

	diag_init(&diag, &arena);
	return entries_find(&list, name, &arena, &index, &diag) == 0 ? list.v[index].id : diag.id;
}

/* ---- type 1 ---- */

static void test_keys(void **state)
{
	const struct boot_entry *e = one("loader/entries/a.conf",
		"# comment\n\ntitle  Some System \nversion\t6.1.0-1\nmachine-id 0123\nsort-key some\n"
		"linux /a/linux\ninitrd /a/one\n initrd /a/two\noptions root=/dev/x ro\n"
		"options quiet\r\ndevicetree /dt\narchitecture X64\nnonsense value\n");

	(void)state;
	assert_null(e->why_id);
	assert_string_equal(e->id, "a.conf");
	assert_string_equal(e->title, "Some System");
	assert_string_equal(e->version, "6.1.0-1");
	assert_string_equal(e->machine_id, "0123");
	assert_string_equal(e->sort_key, "some");
	assert_string_equal(e->kernel, "/a/linux");
	assert_int_equal(e->n_initrds, 2);
	assert_string_equal(e->initrds[0], "/a/one");
	assert_string_equal(e->initrds[1], "/a/two");
	assert_string_equal(e->options, "root=/dev/x ro quiet");
	assert_string_equal(e->devicetree, "/dt");
}

static void test_options_are_absent_or_empty(void **state)
{
	(void)state;
	assert_null(one("a.conf", "linux /k\n")->options);
	assert_string_equal(one("a.conf", "linux /k\noptions\n")->options, "");
	assert_string_equal(one("a.conf", "efi /k.efi")->kernel, "/k.efi");
	assert_string_equal(one("a.conf", "uki /k.efi\nprofile two")->profile, "two");
}

static void test_refused(void **state)
{
	(void)state;
	assert_string_equal(one("a.conf", "title A\n")->why_id, "entries/no-kernel");
	assert_string_equal(one("a.conf", "linux\n")->why_id, "entries/no-kernel");
	assert_string_equal(one("a.conf", "linux /k\narchitecture aa64\n")->why_id,
			    "entries/other-architecture");
	assert_string_equal(one("a.conf", "linux /k\noptions a\033[2Jb\n")->why_id,
			    "entries/control-character");
	assert_string_equal(one("a.conf", "uki-url http://x/y.efi\n")->why_id, "entries/url");
}

static void test_too_many_initrds(void **state)
{
	char text[2048] = "linux /k\n";

	(void)state;
	for (int i = 0; i < ENTRY_INITRDS_MAX; i++)
		strcat(text, "initrd /i\n");
	assert_null(one("a.conf", text)->why_id);
	strcat(text, "initrd /i\n");
	assert_string_equal(one("a.conf", text)->why_id, "entries/too-many-initrds");
}

static void test_counters(void **state)
{
	const struct boot_entry *e = one("loader/entries/a+3-1.conf", "linux /k\n");

	(void)state;
	assert_string_equal(e->id, "a.conf");
	assert_true(e->has_counter);
	assert_int_equal(e->tries_left, 3);
	assert_int_equal(e->tries_done, 1);
	e = one("a+0.conf", "linux /k\n");
	assert_string_equal(e->id, "a.conf");
	assert_true(e->has_counter && e->tries_left == 0 && e->tries_done == 0);
	/* No counters. */
	assert_string_equal(one("a+.conf", "linux /k")->id, "a+.conf");
	assert_string_equal(one("a+3-.conf", "linux /k")->id, "a+3-.conf");
	assert_string_equal(one("a+3-1-2.conf", "linux /k")->id, "a+3-1-2.conf");
	assert_string_equal(one("+3.conf", "linux /k")->id, "+3.conf");
	assert_string_equal(one("a+1234567890.conf", "linux /k")->id, "a+1234567890.conf");
	assert_false(one("a+b.conf", "linux /k")->has_counter);
}

/* ---- order ---- */

static void older(const char *a, const char *b)
{
	if (entry_compare_versions(a, b) >= 0 || entry_compare_versions(b, a) <= 0) {
		print_error("'%s' is not older than '%s'\n", a, b);
		assert_true(false);
	}
}

/* From the Version Format Specification. */
static void test_versions(void **state)
{
	static const char *const ascending[] = {
		"~1", "", "ab", "abb", "abc", "0001", "002", "12", "122", "122.9", "123~rc1", "123",
		"123-a", "123-a.1", "123-a1", "123-a1.1", "123-3", "123-3.1", "123^patch1", "123^1",
		"123.a-1", "123.1-1", "123a-1", "124",
	};

	(void)state;
	for (size_t i = 1; i < array_len(ascending); i++)
		older(ascending[i - 1], ascending[i]);
	assert_int_equal(entry_compare_versions("1.0", "1.0"), 0);
	assert_int_equal(entry_compare_versions("1_2", "1_2"), 0);
	assert_int_equal(entry_compare_versions("01", "1"), 0);
	older("99999999999999999999998", "99999999999999999999999");
	older("6.1.0-9-amd64", "6.1.0-10-amd64");
}

static const char *order(void)
{
	static char text[512];

	build();
	text[0] = '\0';
	for (size_t i = 0; i < list.n; i++)
		strcat(strcat(text, i > 0 ? " " : ""), list.v[i].id);
	return text;
}

static void test_order(void **state)
{
	(void)state;
	add_bls("z-1.conf", "linux /k\nsort-key b\nversion 1\n");
	add_bls("z-2.conf", "linux /k\nsort-key b\nversion 10\n");
	add_bls("z-3.conf", "linux /k\nsort-key b\nversion 9\n");
	add_bls("a-9.conf", "linux /k\n");
	add_bls("a-10.conf", "linux /k\n");
	add_bls("m-1.conf", "linux /k\nsort-key a\nmachine-id 2\nversion 5\n");
	add_bls("m-2.conf", "linux /k\nsort-key a\nmachine-id 1\nversion 4\n");
	add_bls("bad+0-3.conf", "linux /k\nsort-key A\nversion 99\n");
	assert_string_equal(order(), "m-2.conf m-1.conf z-2.conf z-3.conf z-1.conf a-10.conf a-9.conf "
				     "bad.conf");
	assert_int_equal(list.default_entry, 0);
}

/* ---- the default ---- */

static const char *default_with(const char *one_shot, const char *efi, const char *last,
				const char *conf)
{
	clean(NULL);
	add_bls("b.conf", "linux /k\n");
	add_bls("c.conf", "linux /k\n");
	add_bls("a.conf", "linux /k\n");
	if (conf)
		add(ENTRY_FILE_LOADER_CONF, "loader/loader.conf", conf);
	input.one_shot = one_shot;
	input.efi_default = efi;
	input.last_booted = last;
	build();
	return list.default_entry == ENTRY_NONE ? NULL : list.v[list.default_entry].id;
}

static void test_default(void **state)
{
	(void)state;
	assert_string_equal(default_with(NULL, NULL, NULL, NULL), "c.conf");
	assert_string_equal(default_with(NULL, NULL, NULL, "#default c\ndefault a.conf\n"), "a.conf");
	assert_string_equal(default_with(NULL, NULL, NULL, "default [ab]*\n"), "b.conf");
	assert_string_equal(default_with(NULL, NULL, NULL, "default nosuch\n"), "c.conf");
	assert_string_equal(default_with(NULL, NULL, "a.conf", "default @saved\n"), "a.conf");
	assert_int_equal(list.saved_entry, list.default_entry);
	assert_string_equal(default_with(NULL, NULL, NULL, "default @saved\n"), "c.conf");
	assert_int_equal(list.saved_entry, ENTRY_NONE);
	assert_string_equal(default_with(NULL, "B.conf", NULL, "default a.conf\n"), "b.conf");
	assert_false(list.is_one_shot);
	assert_string_equal(default_with("a.conf", "b.conf", NULL, "default c.conf\n"), "a.conf");
	assert_true(list.is_one_shot);
}

/* ---- names ---- */

static void test_find(void **state)
{
	(void)state;
	clean(NULL);
	add_bls("debian-6.1.conf", "title Debian\nlinux /k\n");
	add_bls("debian-6.12.conf", "title Debian new\nlinux /k\n");
	add_bls("fedora.conf", "title Fedora\nlinux /k\n");
	add_bls("twin-1.conf", "title Twin\nlinux /k\n");
	add_bls("twin-2.conf", "title Twin\nlinux /k\n");
	add(ENTRY_FILE_LOADER_CONF, "loader/loader.conf", "default fed*\n");
	build();
	assert_string_equal(find(""), "fedora.conf");
	assert_string_equal(find("default"), "fedora.conf");
	assert_string_equal(find("saved"), "entries/not-known");
	assert_string_equal(find("debian-6.1.conf"), "debian-6.1.conf");
	assert_string_equal(find("debian-6.1"), "debian-6.1.conf");	/* an id before a beginning */
	assert_string_equal(find("Debian"), "debian-6.1.conf");		/* so is a title */
	assert_string_equal(find("Debian n"), "debian-6.12.conf");
	assert_string_equal(find("debian-"), "entries/ambiguous");
	assert_non_null(strstr(diag.text, "bls:debian-6.12.conf (Debian new), "));
	assert_string_equal(find("Twin"), "entries/ambiguous");
	assert_string_equal(find("*2*"), "entries/ambiguous");
	assert_string_equal(find("f?d*"), "fedora.conf");
	assert_string_equal(find("bls:fedora"), "fedora.conf");
	assert_string_equal(find("uki:fedora"), "entries/none-such");
	assert_string_equal(find("nosuch"), "entries/none-such");
	assert_string_equal(find("bls:"), "entries/ambiguous");
}

static void test_nothing_to_find(void **state)
{
	(void)state;
	clean(NULL);
	build();
	assert_int_equal(list.n, 0);
	assert_null(list.loader);
	assert_string_equal(find(""), "entries/not-known");
	assert_string_equal(find("a"), "entries/none-such");
}

static void test_globs(void **state)
{
	char stars[512], text[4096];

	(void)state;
	assert_true(entry_glob("*", ""));
	assert_true(entry_glob("a*c?", "abbbcd"));
	assert_false(entry_glob("a*c?", "abbbc"));
	assert_true(entry_glob("[a-c]x[!y]", "bxz"));
	assert_false(entry_glob("[a-c]x[!y]", "bxy"));
	assert_true(entry_glob("a[", "a["));
	assert_true(entry_glob("[]]", "]"));
	assert_false(entry_glob("", "a"));
	/* What would take for ever by trying all ways. */
	for (size_t i = 0; i + 2 < sizeof(stars); i += 2)
		memcpy(stars + i, "*a", 3);
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 2] = 'b';
	text[sizeof(text) - 1] = '\0';
	assert_false(entry_glob(stars, text));
}

/* ---- limits ---- */

static void test_no_memory(void **state)
{
	size_t n;

	(void)state;
	clean(NULL);
	add_bls("a+3.conf", "title A\nlinux /k\ninitrd /i\noptions a\noptions b\n");
	add_bls("b.conf", "title B\nlinux /k\narchitecture vax\n");
	add(ENTRY_FILE_LOADER_CONF, "loader/loader.conf", "default a\n");
	build();
	n = arena.n_allocations;
	for (size_t i = 1; i <= n; i++) {
		arena_free(&arena);
		arena = (struct arena){ .fail_at = i };
		diag_init(&diag, NULL);
		assert_int_equal(entries_build(&input, &arena, &list, &diag), -ENOMEM);
	}
	arena.fail_at = 0;
}

static void test_too_many(void **state)
{
	static struct entry_file many[ENTRIES_MAX + 1];
	static char names[ENTRIES_MAX + 1][16];

	(void)state;
	clean(NULL);
	for (size_t i = 0; i < array_len(many); i++) {
		snprintf(names[i], sizeof(names[i]), "%zu.conf", i);
		many[i] = (struct entry_file){ ENTRY_FILE_BLS, names[i], span_of("linux /k", 8) };
	}
	place.files = many;
	place.n_files = array_len(many);
	build();
	assert_int_equal(list.n, ENTRIES_MAX);
	assert_non_null(diag_find_note(&diag, "entries/too-many"));
	place.files = files;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_keys, clean, clean),
		cmocka_unit_test_setup_teardown(test_options_are_absent_or_empty, clean, clean),
		cmocka_unit_test_setup_teardown(test_refused, clean, clean),
		cmocka_unit_test_setup_teardown(test_too_many_initrds, clean, clean),
		cmocka_unit_test_setup_teardown(test_counters, clean, clean),
		cmocka_unit_test_setup_teardown(test_versions, clean, clean),
		cmocka_unit_test_setup_teardown(test_order, clean, clean),
		cmocka_unit_test_setup_teardown(test_default, clean, clean),
		cmocka_unit_test_setup_teardown(test_find, clean, clean),
		cmocka_unit_test_setup_teardown(test_nothing_to_find, clean, clean),
		cmocka_unit_test_setup_teardown(test_globs, clean, clean),
		cmocka_unit_test_setup_teardown(test_no_memory, clean, clean),
		cmocka_unit_test_setup_teardown(test_too_many, clean, clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
