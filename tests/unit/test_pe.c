// SPDX-License-Identifier: GPL-2.0-or-later
/* One valid PE file, then one broken field at a time: each defect has a name. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib_image.h"
#include "lib_pe.h"
#include "pe.h"
#include "unit.h"

#define SECTION(i)	(TEST_PE_TABLE + 40 * (i))
#define MEM_LEN		8
#define FILE_LEN	16
#define FILE_OFF	20
#define CERTIFICATES	(TEST_PE_OPTIONAL + 112 + 4 * 8)

static const struct test_section sections[] = {
	TEXT_SECTION(".text", "code"),
	TEXT_SECTION(".dtbauto", "all eight characters of the name are used"),
	{ ".bss", NULL, 0 },
	TEXT_SECTION(".last", "the last one ends the file"),
};
static struct arena arena;
static struct diag diag;
static uint8_t *file;
static size_t file_len;

static int fresh(void **state)
{
	(void)state;
	free(file);
	arena_free(&arena);
	file = make_pe(PE_MACHINE_X86_64, sections, array_len(sections), &file_len);
	return 0;
}

static int clean(void **state)
{
	(void)state;
	free(file);
	file = NULL;
	arena_free(&arena);
	return 0;
}

/* Parses an exact-size heap copy, so that a read beyond the end is seen by the sanitiser. */
static const char *parse_id(size_t len)
{
	static char id[64];
	uint8_t *copy = malloc(len ? len : 1);
	struct pe pe;

	memcpy(copy, file, len);
	diag_init(&diag, &arena);
	strcpy(id, "ok");
	if (pe_parse(span_of(copy, len), &arena, &pe, &diag) < 0) {
		assert_true(strlen(diag.text) > 10);
		strncpy(id, diag.id, sizeof(id) - 1);
	}
	free(copy);
	return id;
}

#define expect(name)	assert_string_equal(parse_id(file_len), "pe/" name)
#define expect_ok()	assert_string_equal(parse_id(file_len), "ok")

static struct pe parse(void)
{
	struct pe pe;

	diag_init(&diag, &arena);
	assert_int_equal(pe_parse(span_of(file, file_len), &arena, &pe, &diag), 0);
	return pe;
}

static void test_valid(void **state)
{
	struct pe pe = parse();

	(void)state;
	assert_int_equal(pe.machine, PE_MACHINE_X86_64);
	assert_true(pe.is_pe32_plus);
	assert_false(pe.has_certificates);
	assert_int_equal(pe.subsystem, PE_SUBSYSTEM_EFI_APPLICATION);
	assert_int_equal(pe.n_sections, array_len(sections));
	for (size_t i = 0; i < pe.n_sections; i++) {
		assert_string_equal(pe.sections[i].name, sections[i].name);
		assert_int_equal(pe.sections[i].bytes.len, sections[i].len);
		if (sections[i].len > 0)
			assert_memory_equal(pe.sections[i].bytes.data, sections[i].data,
					    sections[i].len);
	}
}

static void test_pe32(void **state)
{
	(void)state;
	set16(file, TEST_PE_OPTIONAL, PE_OPT_MAGIC_PE32);
	set32(file, TEST_PE_OPTIONAL + PE_OPT_N_DIRS_PE32, 5);
	set32(file, TEST_PE_OPTIONAL + PE_OPT_DIRS_PE32 + 32, 0x40);
	set32(file, TEST_PE_OPTIONAL + PE_OPT_DIRS_PE32 + 36, 8);
	assert_false(parse().is_pe32_plus);
	assert_true(parse().has_certificates);
}

static void test_no_pe_file(void **state)
{
	(void)state;
	assert_string_equal(parse_id(0), "pe/no-magic");
	assert_string_equal(parse_id(2), "pe/no-magic");
	assert_string_equal(parse_id(0x43), "pe/no-magic");
	assert_int_equal(diag.error, ENOEXEC);
	set8(file, 0, 'N');
	expect("no-magic");
	fresh(NULL);
	set8(file, TEST_PE_HEADER + 3, 1);
	expect("no-magic");
	fresh(NULL);
	set32(file, PE_DOS_LFANEW, 0xfffffffe);
	expect("no-magic");
	set32(file, PE_DOS_LFANEW, (uint32_t)file_len - 3);
	expect("no-magic");
}

static void test_every_truncation_is_refused(void **state)
{
	(void)state;
	/* What is behind the last section's bytes is padding, which a build may leave out. */
	for (size_t len = 0; len < file_len - 512 + sections[3].len; len++)
		assert_string_not_equal(parse_id(len), "ok");
	assert_string_equal(parse_id(file_len - 512 + sections[3].len), "ok");
	assert_string_equal(parse_id(TEST_PE_OPTIONAL - 1), "pe/header-truncated");
	assert_string_equal(parse_id(TEST_PE_TABLE - 1), "pe/header-truncated");
	assert_string_equal(parse_id(TEST_PE_TABLE + 159), "pe/table-outside");
	assert_string_equal(parse_id(file_len - 512 + sections[3].len - 1), "pe/section-outside");
}

static void test_headers(void **state)
{
	(void)state;
	set32(file, PE_DOS_LFANEW, 0x20);
	memcpy(file + 0x20, "PE\0\0", 4);
	expect("header-overlap");
	fresh(NULL);
	set16(file, TEST_PE_OPTIONAL, 0x10c);
	expect("optional-header");
	fresh(NULL);
	set16(file, TEST_PE_COFF + 16, 69);
	expect("optional-header");
	set16(file, TEST_PE_COFF + 16, 0);
	expect("optional-header");
	set16(file, TEST_PE_COFF + 16, 0xffff);
	expect("header-truncated");
	fresh(NULL);
	set16(file, TEST_PE_COFF + 2, 0);
	expect("no-sections");
	set16(file, TEST_PE_COFF + 2, PE_SECTIONS_MAX + 1);
	expect("too-many-sections");
	set16(file, TEST_PE_COFF + 2, PE_SECTIONS_MAX);
	expect("table-outside");
}

/* The shorter of the lengths in file and in memory is what there is. */
static void test_lengths(void **state)
{
	(void)state;
	set32(file, SECTION(0) + MEM_LEN, 0x100000);
	assert_int_equal(parse().sections[0].bytes.len, 512);
	set32(file, SECTION(0) + MEM_LEN, 3);
	assert_int_equal(parse().sections[0].bytes.len, 3);
	set32(file, SECTION(0) + MEM_LEN, 0);
	assert_int_equal(parse().sections[0].bytes.len, 0);
	set32(file, SECTION(0) + MEM_LEN, 4);
	set32(file, SECTION(0) + FILE_LEN, 0xffffffff);
	assert_int_equal(parse().sections[0].bytes.len, 4);
	set32(file, SECTION(0) + MEM_LEN, 0xffffffff);
	expect("section-outside");
	fresh(NULL);
	set32(file, SECTION(0) + FILE_OFF, (uint32_t)file_len - 3);
	expect("section-outside");
	set32(file, SECTION(0) + FILE_OFF, (uint32_t)file_len - 4);
	expect_ok();
	set32(file, SECTION(0) + FILE_OFF, 0xffffffff);
	expect("section-outside");
	set32(file, SECTION(0) + FILE_OFF, 0);	/* nothing in the file */
	assert_int_equal(parse().sections[0].bytes.len, 0);
}

static void test_certificates(void **state)
{
	(void)state;
	set32(file, CERTIFICATES, (uint32_t)file_len - 16);
	set32(file, CERTIFICATES + 4, 16);
	assert_true(parse().has_certificates);
	set32(file, CERTIFICATES + 4, 17);
	expect("certificates-outside");
	set32(file, CERTIFICATES, 0xffffffff);
	expect("certificates-outside");
	/* No such directory. */
	set32(file, TEST_PE_OPTIONAL + PE_OPT_N_DIRS_PE32_PLUS, 4);
	assert_false(parse().has_certificates);
	/* Announced, but the header ends before it. */
	set32(file, TEST_PE_OPTIONAL + PE_OPT_N_DIRS_PE32_PLUS, 0xffffffff);
	expect("certificates-outside");
}

static void test_out_of_memory(void **state)
{
	struct arena small = { .fail_at = 1 };
	struct pe pe;

	(void)state;
	diag_init(&diag, NULL);
	assert_int_equal(pe_parse(span_of(file, file_len), &small, &pe, &diag), -ENOMEM);
	arena_free(&small);
}

static void test_machine_names(void **state)
{
	(void)state;
	assert_string_equal(pe_machine_name(0x8664, &arena), "x86-64");
	assert_string_equal(pe_machine_name(0x14c, &arena), "i386");
	assert_string_equal(pe_machine_name(0xaa64, &arena), "arm64");
	assert_string_equal(pe_machine_name(0x5064, &arena), "0x5064");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_valid, fresh),
		cmocka_unit_test_setup(test_pe32, fresh),
		cmocka_unit_test_setup(test_no_pe_file, fresh),
		cmocka_unit_test_setup(test_every_truncation_is_refused, fresh),
		cmocka_unit_test_setup(test_headers, fresh),
		cmocka_unit_test_setup(test_lengths, fresh),
		cmocka_unit_test_setup(test_certificates, fresh),
		cmocka_unit_test_setup(test_out_of_memory, fresh),
		cmocka_unit_test_setup_teardown(test_machine_names, fresh, clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
