// SPDX-License-Identifier: GPL-2.0-or-later
/* Texts and tables that describe memory: valid ones, and ones that break a single thing. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib_image.h"
#include "memmap.h"
#include "unit.h"

static struct arena arena;
static struct diag diag;
static struct iomem iomem;

static int fresh(void **state)
{
	(void)state;
	memset(&arena, 0, sizeof(arena));
	memset(&iomem, 0, sizeof(iomem));
	diag_init(&diag, &arena);
	return 0;
}

static int done(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static void read_text(const char *text)
{
	assert_int_equal(memmap_read_iomem(span_of(text, strlen(text)), &arena, &iomem, &diag), 0);
}

static void assert_range(const struct range_list *l, size_t i, phys_t start, phys_t end)
{
	assert_true(i < l->n);
	assert_int_equal(l->r[i].start, start);
	assert_int_equal(l->r[i].end, end);
}

static void assert_entry(const struct memmap *m, size_t i, phys_t start, phys_t end, uint32_t type)
{
	assert_true(i < m->n);
	assert_int_equal(m->entries[i].range.start, start);
	assert_int_equal(m->entries[i].range.end, end);
	assert_int_equal(m->entries[i].type, type);
}

static bool has_note(const char *id)
{
	return diag_find_note(&diag, id) != NULL;
}

/* ---- iomem ---------------------------------------------------------------------------------- */

static const char bios_iomem[] =
	"00000000-00000fff : Reserved\n"
	"00001000-0009fbff : System RAM\n"
	"0009fc00-000fffff : Reserved\n"
	"  000f0000-000fffff : System ROM\n"
	"00100000-bffdffff : System RAM\n"
	"  01000000-02209987 : Kernel code\n"
	"  ab000000-baffffff : Crash kernel\n"
	"bffe0000-bfffffff : ACPI Tables\n"
	"fd000000-fdffffff : PCI Bus 0000:00\n"
	"  fd100000-fd1fffff : reserved\n"
	"100000000-63fffffff : System RAM\n"
	"  620000000-63effffff : Crash kernel\n";

static void test_iomem_of_a_bios_machine(void **state)
{
	(void)state;
	read_text(bios_iomem);
	assert_false(iomem.is_masked);
	assert_int_equal(iomem.ram.n, 3);
	assert_range(&iomem.ram, 0, 0x1000, 0x9fc00);
	assert_range(&iomem.ram, 1, 0x100000, 0xbffe0000);
	assert_range(&iomem.ram, 2, 0x100000000, 0x640000000);
	assert_int_equal(iomem.crash_kernel.n, 2);
	assert_range(&iomem.crash_kernel, 0, 0xab000000, 0xbb000000);
	assert_range(&iomem.crash_kernel, 1, 0x620000000, 0x63f000000);
	assert_int_equal(iomem.map.n, 7);
	assert_entry(&iomem.map, 0, 0, 0x1000, MEM_RESERVED);
	assert_entry(&iomem.map, 3, 0x100000, 0xbffe0000, MEM_RAM);
	assert_entry(&iomem.map, 4, 0xbffe0000, 0xc0000000, MEM_ACPI);
	assert_entry(&iomem.map, 5, 0xfd100000, 0xfd200000, MEM_RESERVED);
	assert_null(diag.notes);
}

static void test_iomem_merges_ram_split_within_a_page(void **state)
{
	(void)state;
	read_text("00100000-bbfca017 : System RAM\n"
		  "bbfca018-bc007057 : System RAM\n"
		  "bc007058-bc7fffff : System RAM\n");
	assert_int_equal(iomem.ram.n, 1);
	assert_range(&iomem.ram, 0, 0x100000, 0xbc800000);
	assert_int_equal(iomem.map.n, 1);
}

static void test_iomem_names_every_type(void **state)
{
	static const uint32_t types[] = {
		MEM_RESERVED, MEM_ACPI, MEM_NVS, MEM_UNUSABLE, MEM_PMEM, MEM_PRAM,
		(uint32_t)MEM_SOFT_RESERVED, MEM_RESERVED,
	};

	(void)state;
	read_text("1000-1fff : RESERVED\n"
		  "3000-3fff : ACPI Tables\n"
		  "5000-5fff : ACPI Non-volatile Storage\n"
		  "7000-7fff : Unusable memory\n"
		  "9000-9fff : Persistent Memory\n"
		  "b000-bfff : Persistent Memory (legacy)\n"
		  "d000-dfff : Soft Reserved\n"
		  "f000-ffff : Unknown E820 type\n"
		  "20000-20fff : RAM buffer\n"
		  "30000-30fff : System RAMs\n");
	assert_int_equal(iomem.map.n, array_len(types));
	for (size_t i = 0; i < array_len(types); i++)
		assert_int_equal(iomem.map.entries[i].type, types[i]);
	assert_int_equal(iomem.ram.n, 0);
}

static void test_iomem_leaves_driver_managed_memory_out(void **state)
{
	(void)state;
	read_text("00100000-3fffffff : System RAM\n"
		  "140000000-17fffffff : Soft Reserved\n"
		  "  140000000-17fffffff : dax0.0\n"
		  "    140000000-17fffffff : System RAM (kmem)\n"
		  "190000000-1bfffffff : virtio0\n"
		  "  190000000-19fffffff : System RAM (virtio_mem)\n"
		  "200000000-20fffffff : Persistent Memory\n"
		  "  200000000-20fffffff : System RAM\n");
	assert_int_equal(iomem.ram.n, 1);
	assert_int_equal(iomem.driver_managed.n, 3);
	assert_range(&iomem.driver_managed, 1, 0x190000000, 0x1a0000000);
	assert_range(&iomem.driver_managed, 2, 0x200000000, 0x210000000);
	assert_int_equal(iomem.map.n, 3);
}

static void test_iomem_that_is_masked(void **state)
{
	(void)state;
	read_text("00000000-00000000 : Reserved\n"
		  "00000000-00000000 : System RAM\n"
		  "  00000000-00000000 : Kernel code\n");
	assert_true(iomem.is_masked);
	assert_int_equal(iomem.ram.n, 0);
	assert_int_equal(iomem.map.n, 0);
}

static void test_iomem_that_is_empty_says_nothing(void **state)
{
	(void)state;
	read_text("");
	assert_false(iomem.is_masked);
	assert_int_equal(iomem.ram.n, 0);
	assert_int_equal(memmap_read_iomem(span_of(NULL, 0), &arena, &iomem, &diag), 0);
}

static void test_iomem_leaves_hostile_lines_out(void **state)
{
	static const char *const lines[] = {
		"", "-", " : ", "garbage", "00001000", "00001000-", "00001000-00001fff",
		"00001000-00001fff :", "00001000-00001fff : ", "00001000-00001fff: System RAM",
		"00001000 - 00001fff : System RAM", "00002000-00001fff : System RAM",
		"0000000000000001000-1fff : System RAM", "0x1000-0x1fff : System RAM",
		"00000000-ffffffffffffffff : System RAM", "\t00001000-00001fff : System RAM",
		" 00001000-00001fff : System RAM", "-1-1fff : System RAM",
		"0000g000-00001fff : System RAM", "+1000-1fff : System RAM",
	};

	for (size_t i = 0; i < array_len(lines); i++) {
		char text[256];

		fresh(state);
		snprintf(text, sizeof(text), "100000-1fffff : System RAM\n%s\n"
			 "300000-3fffff : System RAM\n", lines[i]);
		read_text(text);
		assert_int_equal(iomem.ram.n, 2);
		assert_true(has_note("memmap/iomem-line"));
		done(state);
	}
}

static void test_iomem_of_any_length_is_read_within_bounds(void **state)
{
	for (size_t len = 0; len <= strlen(bios_iomem); len++) {
		/* Of exactly that size, so that the sanitizer sees a byte too far. */
		char *text = malloc(len + (len == 0));

		fresh(state);
		assert_non_null(text);
		memcpy(text, bios_iomem, len);
		assert_int_equal(memmap_read_iomem(span_of(text, len), &arena, &iomem, &diag), 0);
		assert_true(iomem.ram.n <= 3);
		free(text);
		done(state);
	}
}

static void test_iomem_with_binary_names(void **state)
{
	static const char text[] = "1000-1fff : System RAM\0\n2000-2fff : \xff\xfe\n"
				   "3000-3fff : System RAM";

	(void)state;
	assert_int_equal(memmap_read_iomem(span_of(text, sizeof(text) - 1), &arena, &iomem, &diag),
			 0);
	assert_int_equal(iomem.ram.n, 1);
	assert_range(&iomem.ram, 0, 0x3000, 0x4000);
}

static void test_iomem_has_a_limit(void **state)
{
	static const char *const names[] = { "Crash kernel", "System RAM (kmem)", "System RAM",
					     "Reserved" };

	for (size_t i = 0; i < array_len(names); i++) {
		size_t len = (MEMMAP_ENTRIES_MAX + 1) * 48, at = 0;
		char *text = malloc(len);

		fresh(state);
		assert_non_null(text);
		for (unsigned int k = 1; k <= MEMMAP_ENTRIES_MAX + 1; k++)
			at += (size_t)snprintf(text + at, len - at, "%x000-%xfff : %s\n", 2 * k,
					       2 * k, names[i]);
		assert_int_equal(memmap_read_iomem(span_of(text, at), &arena, &iomem, &diag),
				 -E2BIG);
		assert_string_equal(diag.id, i < 3 ? "memmap/too-many-ranges"
						   : "memmap/too-many-entries");
		free(text);
		done(state);
	}
}

static void test_iomem_without_memory_fails_cleanly(void **state)
{
	for (size_t at = 1;; at++) {
		int r;

		fresh(state);
		arena.fail_at = at;
		r = memmap_read_iomem(span_of(bios_iomem, strlen(bios_iomem)), &arena, &iomem,
				      &diag);
		done(state);
		if (r == 0)
			break;
		assert_int_equal(r, -ENOMEM);
		assert_int_equal(iomem.ram.n, 0);
	}
}

/* ---- maps ----------------------------------------------------------------------------------- */

static struct memmap map_of(const struct mem_entry *entries, size_t n)
{
	struct memmap m;

	memmap_init(&m, &arena);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(memmap_add(&m, entries[i].range, entries[i].type, &diag), 0);
	assert_int_equal(memmap_normalize(&m, &diag), 0);
	return m;
}

#define MAP_OF(...) map_of((const struct mem_entry[]){ __VA_ARGS__ }, \
			   array_len(((const struct mem_entry[]){ __VA_ARGS__ })))

static void test_map_that_is_empty(void **state)
{
	struct memmap m;

	(void)state;
	memmap_init(&m, &arena);
	assert_int_equal(memmap_normalize(&m, &diag), 0);
	assert_int_equal(m.n, 0);
}

static void test_map_is_sorted_and_merged(void **state)
{
	struct memmap m = MAP_OF({ { 0x3000, 0x4000 }, MEM_RAM }, { { 0x1000, 0x2000 }, MEM_RAM },
				 { { 0x2000, 0x3000 }, MEM_RAM }, { { 0x4000, 0x5000 }, MEM_ACPI },
				 { { 0x6000, 0x7000 }, MEM_RAM });

	(void)state;
	assert_int_equal(m.n, 3);
	assert_entry(&m, 0, 0x1000, 0x4000, MEM_RAM);
	assert_entry(&m, 1, 0x4000, 0x5000, MEM_ACPI);
	assert_entry(&m, 2, 0x6000, 0x7000, MEM_RAM);
}

static void test_map_gives_an_overlap_to_the_higher_type(void **state)
{
	struct memmap m = MAP_OF({ { 0x1000, 0x9000 }, MEM_RAM },
				 { { 0x2000, 0x4000 }, MEM_RESERVED },
				 { { 0x3000, 0x6000 }, MEM_NVS },
				 { { 0x8000, 0xa000 }, MEM_RESERVED });

	(void)state;
	assert_int_equal(m.n, 5);
	assert_entry(&m, 0, 0x1000, 0x2000, MEM_RAM);
	assert_entry(&m, 1, 0x2000, 0x3000, MEM_RESERVED);
	assert_entry(&m, 2, 0x3000, 0x6000, MEM_NVS);
	assert_entry(&m, 3, 0x6000, 0x8000, MEM_RAM);
	assert_entry(&m, 4, 0x8000, 0xa000, MEM_RESERVED);
}

static void test_map_keeps_the_borders_of_special_memory(void **state)
{
	const uint32_t soft = (uint32_t)MEM_SOFT_RESERVED;
	struct memmap m = MAP_OF({ { 0x1000, 0x2000 }, soft }, { { 0x2000, 0x3000 }, soft },
				 { { 0x5000, 0x9000 }, soft }, { { 0x6000, 0x7000 }, MEM_RAM },
				 { { 0xa000, 0xb000 }, MEM_PRAM },
				 { { 0xb000, 0xc000 }, MEM_PRAM });

	(void)state;
	assert_int_equal(m.n, 5);
	assert_entry(&m, 1, 0x2000, 0x3000, soft);
	/* A border of an entry that loses is none of its own. */
	assert_entry(&m, 2, 0x5000, 0x9000, soft);
	assert_entry(&m, 4, 0xb000, 0xc000, MEM_PRAM);
}

static void test_map_leaves_out_what_the_kernel_would(void **state)
{
	struct memmap m = MAP_OF({ { 0x1000, 0x1000 }, MEM_RAM }, { { 0x3000, 0x2000 }, MEM_RAM },
				 { { 0x4000, 0x5000 }, 0 }, { { 0x6000, 0x7000 }, 128 },
				 { { 0x8000, 0x9000 }, 77 });

	(void)state;
	assert_int_equal(m.n, 2);
	assert_entry(&m, 0, 0x6000, 0x7000, MEM_RAM);
	assert_entry(&m, 1, 0x8000, 0x9000, 77);
}

static void test_map_has_a_limit(void **state)
{
	struct memmap m;
	int r = 0;

	(void)state;
	memmap_init(&m, &arena);
	for (phys_t i = 0; i < MEMMAP_ENTRIES_MAX; i++)
		assert_int_equal(memmap_add(&m, (struct range){ 2 * i, 2 * i + 1 }, 1, &diag), 0);
	r = memmap_add(&m, (struct range){ 0, 1 }, 1, &diag);
	assert_int_equal(r, -E2BIG);
	assert_string_equal(diag.id, "memmap/too-many-entries");
	assert_int_equal(memmap_normalize(&m, &diag), 0);
	assert_int_equal(m.n, MEMMAP_ENTRIES_MAX);
}

static void test_map_gives_the_ranges_of_a_type(void **state)
{
	struct memmap m = MAP_OF({ { 0x1000, 0x2000 }, MEM_RAM }, { { 0x2000, 0x3000 }, MEM_NVS },
				 { { 0x3000, 0x4000 }, MEM_RAM });
	struct range_list ram;

	(void)state;
	assert_int_equal(memmap_ranges(m.entries, m.n, MEM_RAM, &arena, &ram, &diag), 0);
	assert_int_equal(ram.n, 2);
	assert_range(&ram, 1, 0x3000, 0x4000);
}

static void test_inclusive_ends(void **state)
{
	struct range r = { 7, 7 };

	(void)state;
	assert_true(memmap_range(0, UINT64_MAX - 1, &r));
	assert_int_equal(r.end, UINT64_MAX);
	assert_true(memmap_range(5, 5, &r));
	assert_int_equal(range_len(r), 1);
	assert_false(memmap_range(6, 5, &r));
	assert_false(memmap_range(0, UINT64_MAX, &r));
	assert_int_equal(r.start, 5);
}

static void test_type_names(void **state)
{
	uint32_t type;

	(void)state;
	assert_true(memmap_type(span_of("system ram", 10), &type));
	assert_int_equal(type, MEM_RAM);
	assert_true(memmap_type(span_of("Persistent Memory (legacy)", 26), &type));
	assert_int_equal(type, MEM_PRAM);
	assert_false(memmap_type(span_of("System RAM ", 11), &type));
	assert_int_equal(type, MEM_RESERVED);
	assert_false(memmap_type(span_of("System RA", 9), &type));
	assert_false(memmap_type(span_of(NULL, 0), &type));
	assert_int_equal(type, MEM_RESERVED);
}

/* ---- e820 ----------------------------------------------------------------------------------- */

static void set_e820(uint8_t *at, uint64_t start, uint64_t len, uint32_t type)
{
	set64(at, 0, start);
	set64(at, 8, len);
	set32(at, 16, type);
}

static void make_e820(uint8_t bp[BOOT_PARAMS_LEN], uint8_t count)
{
	memset(bp, 0, BOOT_PARAMS_LEN);
	bp[0x1e8] = count;
	for (uint64_t i = 0; i < 128; i++)
		set_e820(bp + 0x2d0 + i * 20, i * 0x2000, 0x1000, MEM_RAM);
}

static struct memmap read_boot_params(const uint8_t *bp)
{
	struct memmap m;

	memmap_init(&m, &arena);
	assert_int_equal(memmap_add_boot_params(&m, span_of(bp, BOOT_PARAMS_LEN), &diag), 0);
	assert_int_equal(memmap_normalize(&m, &diag), 0);
	return m;
}

static void test_e820_table(void **state)
{
	uint8_t bp[BOOT_PARAMS_LEN];
	struct memmap m;

	(void)state;
	make_e820(bp, 3);
	m = read_boot_params(bp);
	assert_int_equal(m.n, 3);
	assert_entry(&m, 2, 0x4000, 0x5000, MEM_RAM);
	make_e820(bp, 0);
	assert_int_equal(read_boot_params(bp).n, 0);
	make_e820(bp, 128);
	assert_int_equal(read_boot_params(bp).n, 128);
	assert_null(diag.notes);
}

static void test_e820_count_beyond_the_table(void **state)
{
	uint8_t bp[BOOT_PARAMS_LEN];

	(void)state;
	make_e820(bp, 129);
	assert_int_equal(read_boot_params(bp).n, 128);
	assert_true(has_note("memmap/e820-count"));
}

static void test_e820_entries_that_wrap(void **state)
{
	uint8_t bp[BOOT_PARAMS_LEN];
	struct memmap m;

	(void)state;
	make_e820(bp, 3);
	set_e820(bp + 0x2d0, 0x1000, UINT64_MAX, MEM_RAM);
	set_e820(bp + 0x2d0 + 20, 0, UINT64_MAX, MEM_RAM);
	m = read_boot_params(bp);
	assert_int_equal(m.n, 1);
	assert_entry(&m, 0, 0, UINT64_MAX, MEM_RAM);
	assert_true(has_note("memmap/e820-wrap"));
}

static void test_e820_of_a_short_boot_params(void **state)
{
	uint8_t bp[BOOT_PARAMS_LEN];
	struct memmap m;
	int r;

	(void)state;
	make_e820(bp, 3);
	memmap_init(&m, &arena);
	r = memmap_add_boot_params(&m, span_of(bp, 0x2d0 + 128 * 20 - 1), &diag);
	assert_int_equal(r, -EINVAL);
	assert_string_equal(diag.id, "memmap/e820-truncated");
	assert_int_equal(m.n, 0);
}

static void test_e820_extension(void **state)
{
	uint8_t ext[50] = { 0 };
	struct memmap m;

	(void)state;
	memmap_init(&m, &arena);
	set_e820(ext, 0x1000, 0x1000, MEM_RAM);
	set_e820(ext + 20, 0x5000, 0x1000, MEM_ACPI);
	assert_int_equal(memmap_add_e820_ext(&m, span_of(ext, 40), &diag), 0);
	assert_int_equal(m.n, 2);
	assert_null(diag.notes);
	assert_int_equal(memmap_add_e820_ext(&m, span_of(ext, 50), &diag), 0);
	assert_int_equal(m.n, 4);
	assert_true(has_note("memmap/e820-tail"));
	assert_int_equal(memmap_add_e820_ext(&m, span_of(NULL, 0), &diag), 0);
}

#define test(f) cmocka_unit_test_setup_teardown(f, fresh, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_iomem_of_a_bios_machine),
		test(test_iomem_merges_ram_split_within_a_page),
		test(test_iomem_names_every_type),
		test(test_iomem_leaves_driver_managed_memory_out),
		test(test_iomem_that_is_masked),
		test(test_iomem_that_is_empty_says_nothing),
		test(test_iomem_leaves_hostile_lines_out),
		test(test_iomem_of_any_length_is_read_within_bounds),
		test(test_iomem_with_binary_names),
		test(test_iomem_has_a_limit),
		test(test_iomem_without_memory_fails_cleanly),
		test(test_map_that_is_empty),
		test(test_map_is_sorted_and_merged),
		test(test_map_gives_an_overlap_to_the_higher_type),
		test(test_map_keeps_the_borders_of_special_memory),
		test(test_map_leaves_out_what_the_kernel_would),
		test(test_map_has_a_limit),
		test(test_map_gives_the_ranges_of_a_type),
		test(test_inclusive_ends),
		test(test_type_names),
		test(test_e820_table),
		test(test_e820_count_beyond_the_table),
		test(test_e820_entries_that_wrap),
		test(test_e820_of_a_short_boot_params),
		test(test_e820_extension),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
