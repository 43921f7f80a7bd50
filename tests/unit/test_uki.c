// SPDX-License-Identifier: GPL-2.0-or-later
/* Sections, profiles and the text in them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib_pe.h"
#include "uki.h"
#include "unit.h"

static struct arena arena;
static struct diag diag;
static uint8_t *file;

static int clean(void **state)
{
	(void)state;
	free(file);
	file = NULL;
	arena_free(&arena);
	return 0;
}

static struct uki parse(const struct test_section *sections, size_t n)
{
	struct uki uki;
	size_t len;

	free(file);
	file = make_pe(PE_MACHINE_X86_64, sections, n, &len);
	diag_init(&diag, &arena);
	assert_int_equal(uki_parse(span_of(file, len), &arena, &uki, &diag), 0);
	return uki;
}

static const char *text(struct span s)
{
	return uki_text(s, &arena);
}

static const struct test_section three_profiles[] = {
	TEXT_SECTION(".text", "stub"),
	TEXT_SECTION(".linux", "kernel"),
	TEXT_SECTION(".cmdline", "quiet"),
	TEXT_SECTION(".initrd", "base"),
	TEXT_SECTION(".profile", "ID=regular\nTITLE=\"Regular boot\"\n"),
	TEXT_SECTION(".profile", "TITLE='Factory reset'\nID=factory-reset"),
	TEXT_SECTION(".cmdline", "quiet reset"),
	TEXT_SECTION(".ucode", "microcode"),
	TEXT_SECTION(".profile", ""),
	TEXT_SECTION(".linux", "other kernel"),
	TEXT_SECTION(".initrd", ""),
};

static void test_base_only(void **state)
{
	const struct test_section sections[] = {
		TEXT_SECTION(".linux", "kernel"), TEXT_SECTION(".cmdline", " a b\n"),
		TEXT_SECTION(".uname", "6.1.0\0junk"), TEXT_SECTION(".dtbauto", "1"),
		TEXT_SECTION(".dtbauto", "2"),
	};
	struct uki uki = parse(sections, array_len(sections));
	struct uki_sections s = uki_select(&uki, 0);

	(void)state;
	assert_int_equal(uki.machine, PE_MACHINE_X86_64);
	assert_int_equal(uki.n_profiles, 0);
	assert_string_equal(text(s.part[UKI_LINUX]), "kernel");
	assert_string_equal(text(s.part[UKI_CMDLINE]), "a b");
	assert_string_equal(text(s.part[UKI_UNAME]), "6.1.0");
	assert_int_equal(s.part[UKI_INITRD].len, 0);
	assert_string_equal(text(s.part[UKI_INITRD]), "");
	assert_null(diag.notes);
}

static void test_profiles(void **state)
{
	struct uki uki = parse(three_profiles, array_len(three_profiles));
	struct uki_sections s;

	(void)state;
	assert_int_equal(uki.n_profiles, 3);
	assert_string_equal(uki.profiles[0].id, "regular");
	assert_string_equal(uki.profiles[0].title, "Regular boot");
	assert_string_equal(uki.profiles[1].id, "factory-reset");
	assert_string_equal(uki.profiles[1].title, "Factory reset");
	assert_null(uki.profiles[2].id);
	assert_null(uki.profiles[2].title);
	s = uki_select(&uki, 0);
	assert_string_equal(text(s.part[UKI_CMDLINE]), "quiet");
	assert_int_equal(s.part[UKI_UCODE].len, 0);
	s = uki_select(&uki, 1);
	assert_string_equal(text(s.part[UKI_CMDLINE]), "quiet reset");
	assert_string_equal(text(s.part[UKI_LINUX]), "kernel");
	assert_string_equal(text(s.part[UKI_UCODE]), "microcode");
	s = uki_select(&uki, 2);
	assert_string_equal(text(s.part[UKI_CMDLINE]), "quiet");
	assert_string_equal(text(s.part[UKI_LINUX]), "other kernel");
	/* An empty section does not override, as it is none for systemd-stub. */
	assert_string_equal(text(s.part[UKI_INITRD]), "base");
}

static size_t find(const struct uki *uki, const char *name)
{
	size_t n = 99;

	diag_init(&diag, &arena);
	if (uki_find_profile(uki, name, &arena, &n, &diag) < 0)
		assert_string_equal(diag.id, "uki/no-such-profile");
	return n;
}

static void test_finding_a_profile(void **state)
{
	const struct test_section only[] = { TEXT_SECTION(".linux", "kernel") };
	struct uki uki = parse(three_profiles, array_len(three_profiles));

	(void)state;
	assert_int_equal(find(&uki, "0"), 0);
	assert_int_equal(find(&uki, "@2"), 2);
	assert_int_equal(find(&uki, "3"), 99);
	assert_non_null(strstr(diag.text, "@0 (regular), @1 (factory-reset), @2"));
	assert_int_equal(find(&uki, "factory-reset"), 1);
	assert_int_equal(find(&uki, "factory"), 99);
	assert_int_equal(find(&uki, ""), 99);
	assert_int_equal(find(&uki, "@"), 99);
	assert_int_equal(find(&uki, "-1"), 99);
	assert_int_equal(find(&uki, "18446744073709551616"), 99);
	uki = parse(only, 1);
	assert_int_equal(find(&uki, "0"), 0);
	assert_int_equal(find(&uki, "1"), 99);
	assert_non_null(strstr(diag.text, "implied @0"));
}

static void test_duplicates(void **state)
{
	const struct test_section sections[] = {
		TEXT_SECTION(".linux", "first"), TEXT_SECTION(".linux", "second"),
	};
	struct uki uki = parse(sections, 2);

	(void)state;
	assert_string_equal(text(uki.base.part[UKI_LINUX]), "first");
	assert_non_null(diag_find_note(&diag, "uki/duplicate-section"));
}

#define FIELD(t, key)	uki_field(span_of(t, sizeof(t) - 1), key, &arena)

static void test_fields(void **state)
{
	(void)state;
	assert_string_equal(FIELD("A=1\nB=2\n", "B"), "2");
	assert_string_equal(FIELD("B=1\nB=2", "B"), "2");
	assert_string_equal(FIELD("  B=2\r\n", "B"), "2");
	assert_string_equal(FIELD("B=\"say \\\"x\\\" \\\\ twice\"", "B"), "say \"x\" \\ twice");
	assert_string_equal(FIELD("B='a\\b'", "B"), "a\\b");
	assert_string_equal(FIELD("B=\"", "B"), "\"");
	assert_string_equal(FIELD("B=\"\\\"", "B"), "\\");
	assert_string_equal(FIELD("B=", "B"), "");
	assert_string_equal(FIELD("B=''", "B"), "");
	assert_null(FIELD("#B=1\nAB=1\nB\n", "B"));
	assert_null(FIELD("A=1\0B=1", "B"));
	assert_null(FIELD("", "B"));
	assert_null(FIELD("B", "B"));
}

static void test_broken_file(void **state)
{
	struct uki uki;

	(void)state;
	diag_init(&diag, &arena);
	assert_int_equal(uki_parse(span_of("MZ", 2), &arena, &uki, &diag), -ENOEXEC);
	assert_string_equal(diag.id, "pe/no-magic");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_base_only, clean),
		cmocka_unit_test_teardown(test_profiles, clean),
		cmocka_unit_test_teardown(test_finding_a_profile, clean),
		cmocka_unit_test_teardown(test_duplicates, clean),
		cmocka_unit_test_teardown(test_fields, clean),
		cmocka_unit_test_teardown(test_broken_file, clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
