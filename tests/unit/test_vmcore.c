// SPDX-License-Identifier: GPL-2.0-or-later
/* Cores and logs made by code: all forms, then one thing broken at a time. */
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib_core.h"
#include "unit.h"

#define SECOND	UINT64_C(1000000000)

static struct arena arena;
static struct diag diag;
static struct core c;
static struct vmcore vmcore;
static struct printk_count count;
static char printed[1 << 17];
static size_t printed_len, print_limit;

static int fresh(void **state)
{
	(void)state;
	memset(&arena, 0, sizeof(arena));
	memset(&count, 0, sizeof(count));
	printed_len = 0;
	print_limit = sizeof(printed) - 1;
	diag_init(&diag, &arena);
	core_init(&c, &arena, true);
	return 0;
}

static int done(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static int read_core(void *context, uint64_t off, void *dst, size_t len)
{
	const struct core *core = context;

	assert_true(off <= core->len && len <= core->len - off);
	memcpy(dst, core->bytes + off, len);
	return 0;
}

static int print(void *context, const void *bytes, size_t len)
{
	(void)context;
	if (len > print_limit - printed_len)
		return -ENOSPC;
	memcpy(printed + printed_len, bytes, len);
	printed_len += len;
	printed[printed_len] = '\0';
	return 0;
}

static int open_core(void)
{
	const struct vmcore_source source = { read_core, &c, c.len };

	return vmcore_open(&source, &arena, &vmcore, &diag);
}

static int print_log(void)
{
	const struct printk_sink sink = { .put = print };
	int r = open_core();

	printed[0] = '\0';
	return r < 0 ? r : printk_log_print(&vmcore, &sink, &count, &diag);
}

static void assert_log(const char *expected)
{
	assert_int_equal(print_log(), 0);
	assert_string_equal(printed, expected);
	assert_int_equal(count.n_missing, 0);
}

static void assert_refused(int error, const char *id)
{
	assert_int_equal(print_log(), -error);
	assert_non_null(diag.id);
	assert_string_equal(diag.id, id);
}

/* ---------------------------------------------------------------------------- what is well formed */

static void add_three(void)
{
	core_ring_add(&c, 0, "Linux version 9.9.9");
	core_ring_add(&c, 12345 * SECOND + 678901234, "two\nlines\tand \x1b[31mred\xc3\xa9\x7f");
	core_ring_add(&c, 100000 * SECOND + 999, "");
	core_finish(&c);
}

static const char three[] = "[    0.000000] Linux version 9.9.9\n"
			    "[12345.678901] two\nlines\tand \\x1b[31mred\\xc3\\xa9\\x7f\n"
			    "[100000.000000] \n";

static void test_ring(void **state)
{
	(void)state;
	core_ring_init(&c, 3, 10);
	add_three();
	assert_log(three);
	assert_int_equal(count.n_printed, 3);
}

static void test_ring_of_32_bits(void **state)
{
	(void)state;
	core_init(&c, &arena, false);
	core_ring_init(&c, 3, 10);
	add_three();
	assert_log(three);
}

/* A 32-bit kernel's core of class 64: its longs have 4 bytes all the same. */
static void test_ring_of_32_bits_in_elf64(void **state)
{
	struct core narrow, wide;
	Elf64_Ehdr e;
	Elf64_Phdr load;

	(void)state;
	core_init(&c, &arena, false);
	core_ring_init(&c, 3, 10);
	add_three();
	narrow = c;
	core_init(&wide, &arena, true);
	wide.info = narrow.info;
	memcpy(core_at(&wide, 0), core_at(&narrow, 0), CORE_MEMORY_LEN);
	core_finish(&wide);
	memcpy(&e, wide.bytes, sizeof(e));
	e.e_machine = EM_386;
	memcpy(wide.bytes, &e, sizeof(e));
	memcpy(&load, core_load_header(&wide), sizeof(load));
	load.p_vaddr = CORE_VADDR_32;
	memcpy(core_load_header(&wide), &load, sizeof(load));
	c = wide;
	assert_log(three);
}

static void test_ring_that_is_empty(void **state)
{
	(void)state;
	core_ring_init(&c, 3, 10);
	core_finish(&c);
	assert_log("");
}

/* Blocks of 24 bytes (8 of id, 16 of text) in 128: the sixth does not fit before the end. */
static void test_ring_wraps_text(void **state)
{
	char text[40], expected[200] = "";

	(void)state;
	core_ring_init(&c, 2, 7);
	for (int i = 0; i < 7; i++) {
		snprintf(text, sizeof(text), "record %d .......", i);
		core_ring_add(&c, 0, text);
		if (i >= 3)
			snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected),
				 "[    0.000000] %s\n", text);
	}
	core_finish(&c);
	assert_log(expected);
}

/* Blocks of 32 bytes in 128: the fourth ends where the ring does. 6.18 leaves it there. */
static void check_exact_fit(bool fits_exactly)
{
	char text[40], expected[400] = "";

	core_ring_init(&c, 2, 7);
	c.fits_exactly = fits_exactly;
	for (int i = 0; i < 8; i++) {
		snprintf(text, sizeof(text), "%d ......................", i);
		core_ring_add(&c, 0, text);
		/* Without, three have room and the fourth is at the beginning. */
		if (i >= (fits_exactly ? 4 : 6))
			snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected),
				 "[    0.000000] %s\n", text);
	}
	if (!fits_exactly)
		core_put_long(&c, core_ring_tail_off(), c.head - 1);
	core_finish(&c);
	assert_log(expected);
}

static void test_ring_with_text_up_to_its_end(void **state)
{
	(void)state;
	check_exact_fit(true);
}

static void test_ring_with_text_moved_to_its_beginning(void **state)
{
	(void)state;
	check_exact_fit(false);
}

static void test_ring_leaves_out_what_was_not_written(void **state)
{
	(void)state;
	core_ring_init(&c, 3, 10);
	core_ring_add(&c, 0, "one");
	core_ring_add(&c, 0, "two");
	core_ring_add(&c, 0, "three");
	core_ring_add(&c, 0, "four");
	/* reserved; committed and not finalized; of another time around */
	core_put_long(&c, core_ring_desc_off(&c, c.head - 3), c.head - 3);
	core_put_long(&c, core_ring_desc_off(&c, c.head - 2), (c.head - 2) | UINT64_C(1) << 62);
	core_put_long(&c, core_ring_desc_off(&c, c.head - 1),
		      (c.head - 1 - 8) | UINT64_C(2) << 62);
	core_finish(&c);
	assert_log("[    0.000000] two\n[    0.000000] four\n");
}

static void add_many_records(int n)
{
	char text[40];

	for (int i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "record number %d%s", i, i % 3 ? "" : "\nand more");
		core_records_add(&c, (uint64_t)i * SECOND, text);
	}
	core_finish(&c);
}

static void check_many_records(int first, int n)
{
	size_t at = 0;

	assert_int_equal(print_log(), 0);
	for (int i = first; i < n; i++)
		at += (size_t)snprintf(NULL, 0, "[%5d.000000] record number %d%s\n", i, i,
				       i % 3 ? "" : "\nand more");
	assert_int_equal(printed_len, at);
	assert_int_equal(count.n_printed, n - first);
	assert_null(strstr(printed, "SUBSYSTEM"));
}

static void test_records(void **state)
{
	(void)state;
	core_records_init(&c, "printk_log", 4096);
	core_records_add(&c, 0, "Linux version 3.16.0");
	core_records_add(&c, 5 * SECOND + 1000, "two\nlines \x01");
	core_finish(&c);
	assert_log("[    0.000000] Linux version 3.16.0\n[    5.000001] two\nlines \\x01\n");
}

static void test_records_of_the_first_name(void **state)
{
	(void)state;
	core_init(&c, &arena, false);
	core_records_init(&c, "log", 4096);
	core_records_add(&c, 0, "Linux version 3.5.0");
	core_finish(&c);
	assert_log("[    0.000000] Linux version 3.5.0\n");
}

static void test_records_wrap(void **state)
{
	(void)state;
	core_records_init(&c, "printk_log", 1024);
	add_many_records(100);
	assert_true(c.first > c.next);
	assert_int_equal(print_log(), 0);
	assert_true(count.n_printed >= 10);
	printed_len = 0;
	check_many_records(100 - (int)count.n_printed, 100);
	assert_non_null(strstr(printed, "[   99.000000] record number 99\nand more\n"));
}

static void test_plain_characters(void **state)
{
	(void)state;
	core_plain_init(&c, 4096);
	core_plain_add(&c, "<5>Linux version 2.6.32\n<6>[    0.0] next\x01\n");
	core_finish(&c);
	assert_log("<5>Linux version 2.6.32\n<6>[    0.0] next\x01\n");
}

static void test_plain_characters_wrap(void **state)
{
	(void)state;
	core_plain_init(&c, 16);
	core_plain_add(&c, "0123456789abcdefghijklmnopqrstuvwxyz");
	core_finish(&c);
	assert_log("klmnopqrstuvwxyz");
}

/* ------------------------------------------------------------------------------------- addresses */

static void test_kernel_image_without_virtual_addresses(void **state)
{
	Elf64_Phdr load;

	(void)state;
	core_ring_init(&c, 3, 10);
	/* phys_base is what the image was moved by; here back, so it is negative */
	core_tell(&c, "NUMBER(phys_base)=%d", -0x800000);
	add_three();
	memcpy(&load, core_load_header(&c), sizeof(load));
	load.p_vaddr = 0;
	load.p_paddr = CORE_VADDR_64 - UINT64_C(0xffffffff80000000) - 0x800000;
	memcpy(core_load_header(&c), &load, sizeof(load));
	assert_log(three);
}

static void test_lowmem_without_virtual_addresses(void **state)
{
	Elf32_Phdr load;

	(void)state;
	core_init(&c, &arena, false);
	core_ring_init(&c, 3, 10);
	add_three();
	memcpy(&load, core_load_header(&c), sizeof(load));
	load.p_vaddr = 0;
	memcpy(core_load_header(&c), &load, sizeof(load));
	assert_log(three);
}

static void test_no_segment_has_the_address(void **state)
{
	Elf64_Phdr load;

	(void)state;
	core_ring_init(&c, 3, 10);
	add_three();
	memcpy(&load, core_load_header(&c), sizeof(load));
	load.p_vaddr = 0;
	memcpy(core_load_header(&c), &load, sizeof(load));
	assert_refused(ENXIO, "printk/unreadable");
}

/* Two segments that are neighbours in memory, and not in the file. */
static void test_a_read_across_segments(void **state)
{
	const uint64_t cut = 0x8010;	/* in the ring's text */
	Elf64_Phdr loads[2];
	Elf64_Ehdr e;
	uint8_t *moved;

	(void)state;
	core_ring_init(&c, 3, 10);
	add_three();
	memcpy(&e, c.bytes, sizeof(e));
	memcpy(&loads[0], core_load_header(&c), sizeof(loads[0]));
	moved = arena_alloc(&arena, c.len + CORE_MEMORY_LEN);
	memcpy(moved, c.bytes, c.len);
	memcpy(moved + c.len, core_at(&c, cut), CORE_MEMORY_LEN - cut);
	memset(moved + CORE_MEMORY_OFF + cut, 0xee, CORE_MEMORY_LEN - cut);
	loads[1] = loads[0];
	loads[0].p_filesz = loads[0].p_memsz = cut;
	loads[1].p_offset = c.len;
	loads[1].p_vaddr += cut;
	loads[1].p_paddr += cut;
	loads[1].p_filesz = loads[1].p_memsz = CORE_MEMORY_LEN - cut;
	e.e_phnum = 3;
	memcpy(moved, &e, sizeof(e));
	memcpy(moved + sizeof(e) + sizeof(loads[0]), loads, sizeof(loads));
	c.bytes = moved;
	c.len += CORE_MEMORY_LEN - cut;
	assert_log(three);
}

/* ------------------------------------------------------------------------------ what is cut short */

static void test_cut_in_the_text(void **state)
{
	(void)state;
	core_ring_init(&c, 3, 10);
	add_three();
	/* the second record's text begins 32 bytes into the ring */
	c.len = CORE_MEMORY_OFF + 0x8000 + 40;
	assert_refused(ENODATA, "printk/incomplete");
	assert_string_equal(printed, "[    0.000000] Linux version 9.9.9\n[100000.000000] \n");
	assert_int_equal(count.n_missing, 1);
	assert_int_equal(count.n_printed, 2);
	assert_non_null(strstr(diag.advice, "cut short"));
}

static void test_cut_before_the_ring(void **state)
{
	(void)state;
	core_ring_init(&c, 3, 10);
	add_three();
	c.len = CORE_MEMORY_OFF + 0x80;
	assert_refused(ENODATA, "printk/unreadable");
}

static void test_cut_behind_the_log(void **state)
{
	(void)state;
	core_ring_init(&c, 3, 10);
	add_three();
	c.len = CORE_MEMORY_OFF + 0x9000;
	assert_log(three);
	assert_true(vmcore.full_len > c.len);
}

static void test_cut_among_the_records(void **state)
{
	(void)state;
	core_records_init(&c, "printk_log", 4096);
	add_many_records(20);
	c.len = CORE_MEMORY_OFF + CORE_RECORDS_OFF + 500;
	assert_refused(ENODATA, "printk/unreadable");
	assert_true(count.n_printed > 5 && count.n_printed < 20);
}

/* Wherever the file ends: an error, no crash, and what is printed is the log's beginning or less. */
static void test_cut_anywhere(void **state)
{
	size_t full_len;

	(void)state;
	core_ring_init(&c, 3, 10);
	add_three();
	full_len = c.len;
	for (size_t len = 0; len < full_len; len += len < CORE_MEMORY_OFF ? 7 : 57) {
		c.len = len;
		diag_clear(&diag);
		printed_len = 0;
		if (print_log() == 0)
			assert_string_equal(printed, three);
		else
			assert_non_null(diag.id);
	}
}

static void test_memory_that_was_left_out(void **state)
{
	Elf64_Phdr load;

	(void)state;
	core_ring_init(&c, 3, 10);
	add_three();
	memcpy(&load, core_load_header(&c), sizeof(load));
	load.p_filesz = 0x8010;
	memcpy(core_load_header(&c), &load, sizeof(load));
	assert_refused(ENODATA, "printk/incomplete");
	assert_string_equal(diag.advice, "");
}

/* -------------------------------------------------------------------------------- what is no core */

static void refuse_bytes(const char *bytes, int error, const char *id)
{
	c.len = strlen(bytes);
	memcpy(c.bytes, bytes, c.len);
	diag_clear(&diag);
	assert_refused(error, id);
}

static void test_other_formats(void **state)
{
	(void)state;
	refuse_bytes("KDUMP   ................................", ENOEXEC, "vmcore/compressed");
	assert_non_null(strstr(diag.advice, "makedumpfile --dump-dmesg"));
	refuse_bytes("DISKDUMP................................", ENOEXEC, "vmcore/compressed");
	refuse_bytes("makedumpfile............................", ENOEXEC, "vmcore/flattened");
	assert_non_null(strstr(diag.advice, "makedumpfile -R"));
	refuse_bytes("#!/bin/sh", ENOEXEC, "vmcore/no-elf");
	refuse_bytes("", ENOEXEC, "vmcore/no-elf");
	refuse_bytes("\177ELF", EINVAL, "vmcore/header-truncated");
	refuse_bytes("\177ELF\3\1\1...........................", ENOEXEC, "vmcore/class");
	refuse_bytes("\177ELF\2\2\1...........................", ENOEXEC, "vmcore/byte-order");
	refuse_bytes("\177ELF\2\1\1...........................", ENODATA, "vmcore/header-truncated");
}

static Elf64_Ehdr *header(void)
{
	core_ring_init(&c, 3, 10);
	add_three();
	return (Elf64_Ehdr *)(void *)c.bytes;
}

static void test_type(void **state)
{
	(void)state;
	header()->e_type = ET_EXEC;
	assert_refused(ENOEXEC, "vmcore/type");
}

static void test_byte_order(void **state)
{
	(void)state;
	header()->e_ident[EI_DATA] = ELFDATA2MSB;
	assert_refused(ENOEXEC, "vmcore/byte-order");
}

static void test_program_header_length(void **state)
{
	(void)state;
	header()->e_phentsize = 1;
	assert_refused(EINVAL, "vmcore/program-headers");
}

static void test_program_headers_outside(void **state)
{
	(void)state;
	header()->e_phoff = c.len - 60;
	assert_refused(ENODATA, "vmcore/program-headers-outside");
	diag_clear(&diag);
	((Elf64_Ehdr *)(void *)c.bytes)->e_phoff = UINT64_MAX - 8;
	assert_refused(ENODATA, "vmcore/program-headers-outside");
}

static void test_segment_that_wraps(void **state)
{
	(void)state;
	header();
	((Elf64_Phdr *)(void *)core_load_header(&c))->p_filesz = UINT64_MAX - 4;
	assert_refused(EINVAL, "vmcore/segment-wraps");
}

static void test_no_vmcoreinfo(void **state)
{
	(void)state;
	header();
	core_note_header(&c)[sizeof(Elf64_Nhdr)] = 'X';
	assert_refused(EINVAL, "vmcore/no-vmcoreinfo");
}

static void test_vmcoreinfo_that_is_too_long(void **state)
{
	(void)state;
	header();
	((Elf64_Nhdr *)(void *)core_note_header(&c))->n_descsz = UINT32_MAX;
	assert_refused(EINVAL, "vmcore/vmcoreinfo-length");
}

/* Notes of no length at all, as many as a hostile header says. */
static void test_notes_without_end(void **state)
{
	(void)state;
	header();
	memset(core_note_header(&c), 0, sizeof(Elf64_Nhdr));
	((Elf64_Phdr *)(void *)(c.bytes + sizeof(Elf64_Ehdr)))->p_filesz = UINT64_MAX / 2;
	assert_refused(EINVAL, "vmcore/no-vmcoreinfo");
}

static void test_without_memory(void **state)
{
	(void)state;
	header();
	arena.fail_at = arena.n_allocations + 1;
	assert_refused(ENOMEM, "memory/exhausted");
	diag_clear(&diag);
	arena.fail_at = arena.n_allocations + 2;
	assert_refused(ENOMEM, "memory/exhausted");
}

/* --------------------------------------------------------------------------- logs that are broken */

static void test_no_log(void **state)
{
	(void)state;
	core_finish(&c);
	assert_refused(EINVAL, "printk/no-log");
}

static void test_layout(void **state)
{
	char *key;

	(void)state;
	core_ring_init(&c, 3, 10);
	key = strstr(c.info, "OFFSET(printk_info.text_len)");
	key[0] = 'X';
	add_three();
	assert_refused(EINVAL, "printk/layout");
	assert_non_null(strstr(diag.text, "OFFSET(printk_info.text_len)"));
}

/* In turn each number of VMCOREINFO is another: refused or read wrong, never out of bounds. */
static void test_layout_that_lies(void **state)
{
	static const char *const lies[] = { "=0\n", "=1\n", "=1024\n", "=1025\n", "=-1\n",
					    "=99999999999999999999\n", "=x\n", "=\n" };
	char *info;

	(void)state;
	core_ring_init(&c, 3, 10);
	info = c.info;
	for (size_t i = 0; i < array_len(lies); i++) {
		for (char *line = info; line; line = strchr(line, '\n')) {
			char *value;

			line += *line == '\n';
			value = strchr(line, '=');
			if (!value)
				break;
			core_init(&c, &arena, true);
			core_ring_init(&c, 3, 10);
			c.info = arena_printf(&arena, "%.*s%s%s", (int)(value - info), info,
					      lies[i], strchr(value, '\n') + 1);
			add_three();
			diag_clear(&diag);
			printed_len = 0;
			if (print_log() < 0)
				assert_non_null(diag.id);
		}
	}
}

static void test_ring_sizes(void **state)
{
	(void)state;
	core_ring_init(&c, 3, 10);
	add_three();
	core_put_u32(&c, core_ring_count_bits_off(), 64);
	assert_refused(EINVAL, "printk/ring-size");
	diag_clear(&diag);
	core_put_u32(&c, core_ring_count_bits_off(), 31);
	assert_refused(EINVAL, "printk/ring-size");
}

static void test_ring_ids(void **state)
{
	(void)state;
	core_ring_init(&c, 3, 10);
	add_three();
	core_put_long(&c, core_ring_tail_off(), c.head + 1);
	assert_refused(EINVAL, "printk/ring-ids");
}

static void test_ring_positions(void **state)
{
	(void)state;
	core_ring_init(&c, 3, 10);
	add_three();
	/* next right behind begin: not even room for the id; then the other way around */
	core_put_long(&c, core_ring_desc_off(&c, c.head - 2) + 8, 64);
	core_put_long(&c, core_ring_desc_off(&c, c.head - 2) + 16, 68);
	core_put_long(&c, core_ring_desc_off(&c, c.head - 1) + 8, 64);
	core_put_long(&c, core_ring_desc_off(&c, c.head - 1) + 16, 64);
	assert_int_equal(print_log(), 0);
	assert_string_equal(printed, "[    0.000000] \n[12345.678901] \n[100000.000000] \n");
}

static void test_records_that_loop(void **state)
{
	(void)state;
	core_records_init(&c, "printk_log", 1024);
	add_many_records(3);
	/* the end is inside a record: never met */
	core_put_u32(&c, 0x38, 20);
	assert_refused(EINVAL, "printk/record-damaged");
	assert_true(count.n_printed >= 3);
}

static void test_record_of_no_length(void **state)
{
	(void)state;
	core_records_init(&c, "printk_log", 1024);
	add_many_records(3);
	memset(core_at(&c, CORE_RECORDS_OFF + 8), 0, 2);
	assert_refused(EINVAL, "printk/record-damaged");
	assert_int_equal(count.n_printed, 0);
}

static void test_record_beyond_the_buffer(void **state)
{
	(void)state;
	core_records_init(&c, "printk_log", 1024);
	add_many_records(3);
	memset(core_at(&c, CORE_RECORDS_OFF + 8), 0xff, 2);
	assert_refused(EINVAL, "printk/record-damaged");
}

static void test_record_with_more_text_than_it_has(void **state)
{
	(void)state;
	core_records_init(&c, "printk_log", 1024);
	core_records_add(&c, 0, "text");
	core_finish(&c);
	memset(core_at(&c, CORE_RECORDS_OFF + 10), 0xff, 2);
	assert_int_equal(print_log(), 0);
	assert_true(printed_len < 100);
}

static void test_buffer_length(void **state)
{
	(void)state;
	core_plain_init(&c, 1024);
	core_plain_add(&c, "text\n");
	core_finish(&c);
	core_put_u32(&c, 0x28, 0);
	assert_refused(EINVAL, "printk/buffer-length");
	diag_clear(&diag);
	core_put_u32(&c, 0x28, UINT32_MAX);
	assert_refused(EINVAL, "printk/buffer-length");
}

static void test_output_that_fails(void **state)
{
	(void)state;
	core_ring_init(&c, 3, 10);
	add_three();
	print_limit = 40;
	assert_refused(ENOSPC, "printk/output");
	assert_int_equal(count.n_printed, 1);
}

static void test_a_text_longer_than_a_line(void **state)
{
	char text[5001];

	(void)state;
	core_ring_init(&c, 3, 13);
	memset(text, 0x01, sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	core_ring_add(&c, 0, text);
	core_finish(&c);
	assert_int_equal(print_log(), 0);
	assert_int_equal(printed_len, 15 + 4 * 5000 + 1);
}

#define test(f) cmocka_unit_test_setup_teardown(f, fresh, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_ring),
		test(test_ring_of_32_bits),
		test(test_ring_of_32_bits_in_elf64),
		test(test_ring_that_is_empty),
		test(test_ring_wraps_text),
		test(test_ring_with_text_up_to_its_end),
		test(test_ring_with_text_moved_to_its_beginning),
		test(test_ring_leaves_out_what_was_not_written),
		test(test_records),
		test(test_records_of_the_first_name),
		test(test_records_wrap),
		test(test_plain_characters),
		test(test_plain_characters_wrap),
		test(test_kernel_image_without_virtual_addresses),
		test(test_lowmem_without_virtual_addresses),
		test(test_no_segment_has_the_address),
		test(test_a_read_across_segments),
		test(test_cut_in_the_text),
		test(test_cut_before_the_ring),
		test(test_cut_behind_the_log),
		test(test_cut_among_the_records),
		test(test_cut_anywhere),
		test(test_memory_that_was_left_out),
		test(test_other_formats),
		test(test_type),
		test(test_byte_order),
		test(test_program_header_length),
		test(test_program_headers_outside),
		test(test_segment_that_wraps),
		test(test_no_vmcoreinfo),
		test(test_vmcoreinfo_that_is_too_long),
		test(test_notes_without_end),
		test(test_without_memory),
		test(test_no_log),
		test(test_layout),
		test(test_layout_that_lies),
		test(test_ring_sizes),
		test(test_ring_ids),
		test(test_ring_positions),
		test(test_records_that_loop),
		test(test_record_of_no_length),
		test(test_record_beyond_the_buffer),
		test(test_record_with_more_text_than_it_has),
		test(test_buffer_length),
		test(test_output_that_fails),
		test(test_a_text_longer_than_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
