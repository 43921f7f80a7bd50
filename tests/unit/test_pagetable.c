// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/pagetable.h"
#include "unit.h"

#define AT		0x12345000	/* where the tables claim to be */
#define GUARD_LEN	64
#define GUARD		0xa5

#define PRESENT		0x001
#define LEAF		0x080
#define ADDRESS		0x000ffffffffff000ULL

/* Tables as built, with all that is needed to judge them. */
struct built {
	struct arena arena;
	struct diag diag;
	struct range_list ranges;	/* rounded */
	struct pagetable_roots roots;
	uint8_t *bytes;
	uint64_t len;
	uint64_t largest_page;
};

static struct range_list list_of(struct arena *a, const struct range *r, size_t n)
{
	struct range_list l;

	range_list_init(&l, a);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(range_list_add(&l, r[i]), 0);
	return l;
}

static void build(struct built *b, const struct range *r, size_t n, bool has_1gib_pages)
{
	memset(b, 0, sizeof(*b));
	diag_init(&b->diag, &b->arena);
	b->ranges = list_of(&b->arena, r, n);
	assert_true(pagetable_round(&b->ranges));
	b->len = pagetable_len(&b->ranges, has_1gib_pages);
	b->bytes = malloc(b->len + GUARD_LEN);
	memset(b->bytes, GUARD, b->len + GUARD_LEN);
	assert_int_equal(pagetable_build(&b->ranges, has_1gib_pages, b->bytes, b->len, AT, &b->roots,
					 &b->diag), 0);
	for (size_t i = 0; i < GUARD_LEN; i++)
		assert_int_equal(b->bytes[b->len + i], GUARD);
}

static void discard(struct built *b)
{
	free(b->bytes);
	arena_free(&b->arena);
}

static uint64_t entry_at(const struct built *b, phys_t table, uint64_t index)
{
	uint64_t entry;

	assert_true(table >= AT && table - AT <= b->len - PAGE_LEN);
	memcpy(&entry, b->bytes + (table - AT) + index * sizeof(entry), sizeof(entry));
	return entry;
}

/* What a CPU does: the physical address for a virtual one, or UINT64_MAX. */
static uint64_t translate(const struct built *b, unsigned int n_levels, uint64_t address)
{
	phys_t table = n_levels == 5 ? b->roots.level5 : b->roots.level4;

	for (unsigned int level = n_levels; level > 1; level--) {
		const unsigned int shift = 12 + 9 * (level - 1);
		const uint64_t entry = entry_at(b, table, address >> shift & 511);
		const uint64_t offset_mask = (1ULL << shift) - 1;

		if (!(entry & PRESENT))
			return UINT64_MAX;
		if (entry & LEAF)
			return (entry & ADDRESS & ~offset_mask) | (address & offset_mask);
		table = entry & ADDRESS;
	}
	assert_true(false);	/* a 4 KiB page: nobody makes them */
	return 0;
}

/* Adds up the leaves below a table; each must be identical and inside the ranges. */
static uint64_t add_leaves(struct built *b, phys_t table, unsigned int level, uint64_t address)
{
	const unsigned int shift = 12 + 9 * (level - 1);
	uint64_t total = 0;

	for (uint64_t i = 0; i < 512; i++) {
		const uint64_t entry = entry_at(b, table, i), at = address + (i << shift);

		if (!(entry & PRESENT)) {
			assert_int_equal(entry, 0);
		} else if (entry & LEAF) {
			assert_in_range(level, 2, 3);
			assert_int_equal(entry, at | 0xe3);
			assert_true(range_list_contains(&b->ranges,
							(struct range){ at, at + (1ULL << shift) }));
			b->largest_page = max_u64(b->largest_page, 1ULL << shift);
			total += 1ULL << shift;
		} else {
			assert_int_equal(entry & ~ADDRESS, 0x23);
			assert_true(level > 2);
			total += add_leaves(b, entry & ADDRESS, level - 1, at);
		}
	}
	return total;
}

/* Identity for every byte of the ranges, nothing else: leaves do not overlap, so their sum says it. */
static void check(struct built *b)
{
	const uint64_t total = range_list_total(&b->ranges);

	assert_int_equal(add_leaves(b, b->roots.level4, 4, 0), total);
	assert_int_equal(add_leaves(b, b->roots.level5, 5, 0), total);
	assert_int_equal(entry_at(b, b->roots.level5, 0) & ADDRESS, b->roots.level4);
}

static void assert_mapped(const struct built *b, phys_t address)
{
	assert_int_equal(translate(b, 4, address), address);
	assert_int_equal(translate(b, 5, address), address);
}

static void assert_unmapped(const struct built *b, phys_t address)
{
	assert_true(translate(b, 4, address) == UINT64_MAX);
	assert_true(translate(b, 5, address) == UINT64_MAX);
}

static void test_512_mib(void **state)
{
	static const struct range map[] = { { 0, 0x9fc00 }, { 0, 0x100000 }, { 0x100000, 0x1ffe0000 } };
	struct built b;

	(void)state;
	build(&b, map, array_len(map), false);
	check(&b);
	assert_int_equal(b.len, 4 * PAGE_LEN);
	assert_mapped(&b, 0);
	assert_mapped(&b, 0xb8000);
	assert_mapped(&b, 0x1ffdffff);
	assert_mapped(&b, 512 * MIB - 1);	/* by rounding */
	assert_unmapped(&b, 512 * MIB);
	discard(&b);
}

static void test_5_gib(void **state)
{
	static const struct range map[] = { { 0, 3 * GIB - 0x20000 }, { 4 * GIB, 6 * GIB } };
	struct built b;

	(void)state;
	for (int has_1gib_pages = 0; has_1gib_pages < 2; has_1gib_pages++) {
		build(&b, map, array_len(map), has_1gib_pages);
		check(&b);
		/* The last GiB below 3 GiB is whole only by rounding to 2 MiB: that is whole enough. */
		assert_int_equal(b.len, (has_1gib_pages ? 3 : 8) * PAGE_LEN);
		assert_int_equal(b.largest_page, has_1gib_pages ? GIB : 2 * MIB);
		assert_mapped(&b, 3 * GIB - 1);
		assert_unmapped(&b, 3 * GIB);
		assert_unmapped(&b, 4 * GIB - 1);
		assert_mapped(&b, 4 * GIB);
		assert_mapped(&b, 6 * GIB - 1);
		assert_unmapped(&b, 6 * GIB);
		discard(&b);
	}
}

static void test_3_tib(void **state)
{
	static const struct range map[] = { { 0, 2 * GIB }, { 4 * GIB, 3 * TIB + 2 * GIB + 4096 } };
	struct built b;

	(void)state;
	for (int has_1gib_pages = 0; has_1gib_pages < 2; has_1gib_pages++) {
		build(&b, map, array_len(map), has_1gib_pages);
		check(&b);
		assert_mapped(&b, 3 * TIB + 2 * GIB + 4095);
		assert_unmapped(&b, 3 * TIB + 2 * GIB + 2 * MIB);
		assert_unmapped(&b, 3 * GIB);
		/* PML5, PML4, 7 pointer tables; directories for all or for the last, partial GiB. */
		assert_int_equal(b.len, (has_1gib_pages ? 10 : 9 + 3 * 1024 + 1) * PAGE_LEN);
		discard(&b);
	}
}

/* A GiB that is not whole may not become one page, whatever the CPU can. */
static void test_partial_gib(void **state)
{
	static const struct range map[] = {
		{ 0, GIB - 2 * MIB },
		{ GIB + 2 * MIB, 2 * GIB },
		{ 2 * GIB, 2 * GIB + 512 * MIB },
		{ 2 * GIB + 514 * MIB, 3 * GIB },
	};
	struct built b;

	(void)state;
	build(&b, map, array_len(map), true);
	check(&b);
	assert_int_equal(b.largest_page, 2 * MIB);
	assert_unmapped(&b, GIB - 1);
	assert_unmapped(&b, GIB);
	assert_unmapped(&b, 2 * GIB + 513 * MIB);
	discard(&b);
}

static void test_last_addresses(void **state)
{
	static const struct range map[] = { { PAGETABLE_END - 1, PAGETABLE_END } };
	struct built b;

	(void)state;
	build(&b, map, array_len(map), true);
	check(&b);
	assert_mapped(&b, PAGETABLE_END - 1);
	discard(&b);
}

static void test_empty(void **state)
{
	struct built b;

	(void)state;
	build(&b, NULL, 0, true);
	check(&b);
	assert_int_equal(b.len, 2 * PAGE_LEN);
	assert_unmapped(&b, 0);
	discard(&b);
}

static void test_cut_is_told(void **state)
{
	static const struct range map[] = {
		{ 0, MIB },
		{ PAGETABLE_END - 4096, PAGETABLE_END + 4096 },
		{ PAGETABLE_END, PAGETABLE_END + GIB },
		{ UINT64_MAX - 4096, UINT64_MAX },
	};
	struct arena arena = { 0 };
	struct range_list l = list_of(&arena, map, array_len(map));

	(void)state;
	assert_false(pagetable_round(&l));
	assert_int_equal(l.n, 2);
	assert_int_equal(l.r[0].end, 2 * MIB);
	assert_int_equal(l.r[1].start, PAGETABLE_END - 2 * MIB);
	assert_int_equal(l.r[1].end, PAGETABLE_END);
	arena_free(&arena);
}

static void test_no_room(void **state)
{
	static const struct range map[] = { { 0, 5 * GIB } };
	struct built b;

	(void)state;
	build(&b, map, array_len(map), false);
	memset(b.bytes, GUARD, b.len);
	assert_int_equal(pagetable_build(&b.ranges, false, b.bytes, b.len - 1, AT, &b.roots, &b.diag),
			 -ENOSPC);
	assert_string_equal(b.diag.id, "pagetable/no-room");
	assert_int_equal(b.bytes[0], GUARD);
	diag_clear(&b.diag);
	assert_int_equal(pagetable_build(&b.ranges, false, b.bytes, b.len, AT + 8, &b.roots, &b.diag),
			 -EINVAL);
	assert_string_equal(b.diag.id, "pagetable/unaligned");
	discard(&b);
}

/* xorshift64: the same maps on every run. */
static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Random maps; then windows inside them must change nothing, as purgatory_plan() relies on. */
static void test_random_maps(void **state)
{
	uint64_t seed = 0x6b657865632d6e67;

	(void)state;
	for (int round = 0; round < 300; round++) {
		const bool has_1gib_pages = next_random(&seed) & 1;
		const size_t n = 1 + next_random(&seed) % 20;
		struct range map[20];
		struct built b;

		for (size_t i = 0; i < n; i++) {
			map[i].start = next_random(&seed) % (64 * GIB);
			map[i].end = map[i].start + 1 + next_random(&seed) % (4 * GIB);
		}
		build(&b, map, n, has_1gib_pages);
		check(&b);
		for (size_t i = 0; i < n; i++) {
			const phys_t start = map[i].start +
					     next_random(&seed) % range_len(map[i]);

			assert_mapped(&b, map[i].start);
			assert_mapped(&b, map[i].end - 1);
			assert_int_equal(
				range_list_add(&b.ranges, (struct range){ start, map[i].end }), 0);
		}
		assert_true(pagetable_round(&b.ranges));
		assert_int_equal(pagetable_len(&b.ranges, has_1gib_pages), b.len);
		discard(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_512_mib),	       cmocka_unit_test(test_5_gib),
		cmocka_unit_test(test_3_tib),	       cmocka_unit_test(test_partial_gib),
		cmocka_unit_test(test_last_addresses), cmocka_unit_test(test_empty),
		cmocka_unit_test(test_cut_is_told),    cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_random_maps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
