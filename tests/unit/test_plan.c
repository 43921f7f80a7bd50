// SPDX-License-Identifier: GPL-2.0-or-later
/* Ranges, wishes to addresses, and the rules a plan must keep. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib_image.h"
#include "place.h"
#include "plan.h"
#include "unit.h"

static struct arena arena;
static struct diag diag;
static struct plan plan;
static struct facts facts;

static int fresh(void **state)
{
	(void)state;
	memset(&arena, 0, sizeof(arena));
	diag_init(&diag, &arena);
	plan_init(&plan, &arena);
	make_facts(&facts, &arena, 5 * GIB);
	return 0;
}

static int done(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static struct range_list list_of(const struct range *r, size_t n)
{
	struct range_list l;

	range_list_init(&l, &arena);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(range_list_add(&l, r[i]), 0);
	range_list_normalize(&l);
	return l;
}

static void test_ranges_merge_before_they_are_aligned(void **state)
{
	const struct range r[] = {
		{ 0xbbfca018, 0xbc007058 }, { 0x100000, 0xbbfca018 }, { 0xbc007058, 0xbd000000 },
		{ 0x1000, 0x1000 },
	};
	struct range_list l = list_of(r, array_len(r));

	(void)state;
	assert_int_equal(l.n, 1);
	range_list_align_inward(&l, PAGE_LEN);
	assert_int_equal(l.r[0].start, 0x100000);
	assert_int_equal(l.r[0].end, 0xbd000000);
}

static void test_ranges_at_the_end_of_the_address_space(void **state)
{
	const struct range r[] = { { UINT64_MAX - 10, UINT64_MAX } };
	struct range_list l = list_of(r, 1);

	(void)state;
	range_list_align_inward(&l, PAGE_LEN);
	assert_int_equal(l.n, 0);
}

/* Against a bitmap, with all the ways in which two small ranges can meet. */
static void test_subtract_and_intersect(void **state)
{
	(void)state;
	srandom(1);
	for (int round = 0; round < 2000; round++) {
		bool map_a[64] = { 0 }, map_b[64] = { 0 };
		struct range_list a, b, both, rest;

		range_list_init(&a, &arena);
		range_list_init(&b, &arena);
		for (int i = 0; i < 6; i++) {
			phys_t s = (phys_t)random() % 64, e = s + (phys_t)random() % (64 - s + 1);
			struct range_list *l = i % 2 ? &a : &b;

			assert_int_equal(range_list_add(l, (struct range){ s, e }), 0);
			for (phys_t p = s; p < e; p++)
				(i % 2 ? map_a : map_b)[p] = true;
		}
		range_list_normalize(&a);
		range_list_normalize(&b);
		assert_int_equal(range_list_intersect(&a, &b, &arena, &both), 0);
		assert_int_equal(range_list_copy(&a, &arena, &rest), 0);
		for (size_t i = 0; i < b.n; i++)
			assert_int_equal(range_list_subtract(&rest, b.r[i]), 0);
		for (phys_t p = 0; p < 64; p++) {
			struct range one = { p, p + 1 };

			assert_int_equal(range_list_contains(&both, one), map_a[p] && map_b[p]);
			assert_int_equal(range_list_contains(&rest, one), map_a[p] && !map_b[p]);
		}
		arena_free(&arena);
	}
}

static struct segment *add(const char *name, uint64_t len, uint64_t reserve, uint64_t align,
			   phys_t min, phys_t end)
{
	struct segment_wish wish = {
		.name = name, .reserve_len = reserve, .align = align, .min = min, .end = end,
	};
	struct segment *s = NULL;

	assert_int_equal(plan_add_own(&plan, &wish, (size_t)len, &s, &diag), 0);
	return s;
}

static void test_highest_hole_first(void **state)
{
	struct segment *kernel = add("kernel", 1000, 64 * MIB, 2 * MIB, 16 * MIB, 64 * TIB);
	struct segment *initrd = add("initrd", 5 * MIB + 1, 0, 0, MIB, 0);
	struct segment *low = add("params", 9000, 0, 0, MIB, 4 * GIB);

	(void)state;
	assert_int_equal(place(&plan, &facts, 0, UINT64_MAX, &diag), 0);
	assert_int_equal(kernel->addr, 6 * GIB - 64 * MIB);
	assert_int_equal(kernel->mem_len, PAGE_LEN);
	assert_int_equal(initrd->addr, 6 * GIB - 64 * MIB - 5 * MIB - PAGE_LEN);
	assert_true(low->addr + low->mem_len <= 3 * GIB);
	plan.entry = low->addr;
	assert_int_equal(plan_check(&plan, &facts, 0, UINT64_MAX, &diag), 0);
}

static void test_window_of_the_user(void **state)
{
	struct segment *kernel = add("kernel", 1000, 64 * MIB, 2 * MIB, 16 * MIB, 64 * TIB);

	(void)state;
	assert_int_equal(place(&plan, &facts, 0, GIB, &diag), 0);
	assert_int_equal(kernel->addr, GIB - 64 * MIB);
	assert_int_equal(place(&plan, &facts, GIB, GIB + 64 * MIB, &diag), 0);
	assert_int_equal(kernel->addr, GIB);
	assert_int_equal(place(&plan, &facts, GIB + 1, GIB + 64 * MIB + 1, &diag),
			 -EADDRNOTAVAIL);
	assert_string_equal(diag.id, "place/no-hole");
	assert_non_null(strstr(diag.text, "'kernel'"));
}

static void test_lowest(void **state)
{
	struct segment *kernel = add("kernel", 1000, 64 * MIB, 2 * MIB, 16 * MIB + 1, 64 * TIB);

	(void)state;
	kernel->wants_lowest = true;
	assert_int_equal(place(&plan, &facts, 0, UINT64_MAX, &diag), 0);
	assert_int_equal(kernel->addr, 18 * MIB);
	kernel->min = 3 * GIB - 64 * MIB;
	assert_int_equal(place(&plan, &facts, 0, UINT64_MAX, &diag), 0);
	assert_int_equal(kernel->addr, 4 * GIB);
}

static void test_no_hole(void **state)
{
	(void)state;
	add("initrd", 1, 4 * GIB, 0, MIB, 0);
	assert_int_equal(place(&plan, &facts, 0, UINT64_MAX, &diag), -EADDRNOTAVAIL);
	assert_string_equal(diag.id, "place/no-hole");
	assert_true(diag.advice[0] != '\0');
}

static void test_seventeen_segments(void **state)
{
	struct segment_wish wish = { .name = "one" };
	struct segment *s;

	(void)state;
	for (int i = 0; i < PLAN_SEGMENTS_MAX; i++)
		add("one", 1, 0, 0, MIB, 0);
	assert_int_equal(plan_add(&plan, &wish, &s, &diag), -E2BIG);
	assert_string_equal(diag.id, "plan/too-many-segments");
}

static void expect_refused(const char *id)
{
	diag_clear(&diag);
	assert_true(plan_check(&plan, &facts, 0, UINT64_MAX, &diag) < 0);
	assert_string_equal(diag.id, id);
}

static void test_rules(void **state)
{
	struct segment *a = add("a", 5000, 0, 0, MIB, 0), *b = add("b", 5000, 0, 0, MIB, 0);
	struct segment saved;

	(void)state;
	assert_int_equal(place(&plan, &facts, 0, UINT64_MAX, &diag), 0);
	plan.entry = a->addr + 4999;
	assert_int_equal(plan_check(&plan, &facts, 0, UINT64_MAX, &diag), 0);
	plan.entry = a->addr + 5000;
	expect_refused("plan/entry-outside");
	plan.entry = a->addr;
	saved = *b;
	b->addr = a->addr - PAGE_LEN;
	expect_refused("plan/overlap");
	b->addr = saved.addr + 1;
	expect_refused("plan/unaligned");
	b->addr = 64 * TIB - PAGE_LEN;
	expect_refused("plan/beyond-limit");
	b->addr = UINT64_MAX - PAGE_LEN + 1;
	expect_refused("plan/beyond-limit");
	b->addr = 0xfee00000;
	expect_refused("plan/not-ram");
	b->addr = 3 * GIB - 0x20000 - PAGE_LEN;	/* half in RAM, half in ACPI tables */
	expect_refused("plan/not-ram");
	b->addr = 0;
	expect_refused("plan/outside-window");
	*b = saved;
	b->is_placed = false;
	expect_refused("plan/unaligned");
	*b = saved;
	b->bytes.len = (size_t)b->mem_len + 1;
	expect_refused("plan/lengths-disagree");
	*b = saved;
	facts.ram_total = 4 * 2 * PAGE_LEN - 1;
	expect_refused("plan/over-half-of-ram");
	facts.ram_total = 4 * 2 * PAGE_LEN;
	diag_clear(&diag);
	assert_int_equal(plan_check(&plan, &facts, 0, UINT64_MAX, &diag), 0);
}

static void test_crash_kernel_and_holes_are_no_destination(void **state)
{
	struct segment *a;

	(void)state;
	assert_int_equal(range_list_subtract(&facts.ram, (struct range){ 5 * GIB, 6 * GIB }), 0);
	a = add("a", 1, 0, 0, MIB, 0);
	assert_int_equal(place(&plan, &facts, 0, UINT64_MAX, &diag), 0);
	assert_int_equal(a->addr, 5 * GIB - PAGE_LEN);
}

/* What must be below 1 MiB is found a place among what nothing else may have. */
static void test_low_memory(void **state)
{
	struct segment *setup, *kernel;

	(void)state;
	setup = add("setup", 0x11000, 0, 0, 0x10000, 0x9a000);
	kernel = add("kernel", 1, 0, 0, 0, 0);
	setup->wants_lowest = true;
	kernel->wants_lowest = true;
	assert_int_equal(place(&plan, &facts, 0, UINT64_MAX, &diag), 0);
	assert_int_equal(setup->addr, 0x10000);
	assert_int_equal(kernel->addr, MIB);
	plan.entry = kernel->addr;
	facts.ram_total = 0;
	assert_int_equal(plan_check(&plan, &facts, 0, UINT64_MAX, &diag), 0);
	kernel->addr = 0x30000;
	expect_refused("plan/not-ram");
	kernel->addr = MIB;
	setup->addr = 0x8f000;
	expect_refused("plan/outside-window");
	setup->addr = 0x10000;
	setup->end = 0xf0000;
	setup->addr = 0xa0000;
	expect_refused("plan/not-ram");
	setup->is_placed = false;
	diag_clear(&diag);
	assert_int_equal(place(&plan, &facts, 0x10001, UINT64_MAX, &diag), 0);
	assert_int_equal(setup->addr, 0x11000);
	facts.low_ram.n = 0;
	assert_int_equal(place(&plan, &facts, 0, UINT64_MAX, &diag), -EADDRNOTAVAIL);
	assert_string_equal(diag.id, "place/no-hole");
}

/* Memory that runs out at the n-th allocation gives an error, for every n. */
static void test_out_of_memory(void **state)
{
	(void)state;
	for (size_t n = 1; n < 20; n++) {
		struct segment_wish wish = { .name = "a" };
		struct segment *s;
		int r;

		arena_free(&arena);
		diag_init(&diag, &arena);
		make_facts(&facts, &arena, 5 * GIB);
		plan_init(&plan, &arena);
		arena.n_allocations = 0;
		arena.fail_at = n;
		r = plan_add_own(&plan, &wish, 5000, &s, &diag);
		if (r == 0)
			r = place(&plan, &facts, 0, UINT64_MAX, &diag);
		arena.fail_at = 0;
		if (r == 0)
			return;
		assert_int_equal(r, -ENOMEM);
		assert_string_equal(diag.id, "memory/exhausted");
	}
	assert_true(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ranges_merge_before_they_are_aligned, fresh,
						done),
		cmocka_unit_test_setup_teardown(test_ranges_at_the_end_of_the_address_space, fresh,
						done),
		cmocka_unit_test_setup_teardown(test_subtract_and_intersect, fresh, done),
		cmocka_unit_test_setup_teardown(test_highest_hole_first, fresh, done),
		cmocka_unit_test_setup_teardown(test_window_of_the_user, fresh, done),
		cmocka_unit_test_setup_teardown(test_lowest, fresh, done),
		cmocka_unit_test_setup_teardown(test_no_hole, fresh, done),
		cmocka_unit_test_setup_teardown(test_seventeen_segments, fresh, done),
		cmocka_unit_test_setup_teardown(test_rules, fresh, done),
		cmocka_unit_test_setup_teardown(test_low_memory, fresh, done),
		cmocka_unit_test_setup_teardown(test_crash_kernel_and_holes_are_no_destination,
						fresh, done),
		cmocka_unit_test_setup_teardown(test_out_of_memory, fresh, done),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
