// SPDX-License-Identifier: GPL-2.0-or-later
/* What was packed comes out again; whatever else was packed does not, and nothing of it is believed. */
#include "handback.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

static const uint8_t file[100], region[300];

struct all {
	struct diag diag;
	struct plan plan;
	struct budget budget;
	const struct bundle *bundle;
};

static const struct span memory[] = { { file, sizeof(file) }, { region, sizeof(region) } };

static void hand(struct parcel *p, struct all *all)
{
	handback_diag(p, &all->diag);
	handback_plan(p, &all->plan);
	handback_budget(p, &all->budget);
	handback_bundle(p, &all->bundle);
}

static void fill(struct all *all, struct arena *a)
{
	static const struct mem_entry e820[] = { { { 1, 2 }, MEM_RAM }, { { 5, 9 }, MEM_NVS } };
	static const struct bundle_profile profiles[] = { { "a", NULL }, { NULL, "b" } };
	static const char *const addons[] = { "x.efi", "y.efi" };
	static struct bundle_initrd initrds[] = { { ".initrd", NULL, { file + 10, 20 } } };
	static const struct bundle bundle = {
		.cmdline = "quiet", .initrds = initrds, .n_initrds = 1, .os = "os\x80",
		.is_signed = true,
		.profiles = profiles, .n_profiles = 2, .profile = 1, .addons = addons, .n_addons = 2,
	};
	struct plan *plan = &all->plan;

	memset(all, 0, sizeof(*all));
	diag_init(&all->diag, a);
	note(&all->diag, "load/one", "a note %d", 1);
	warn(&all->diag, "load/two", "a warning");
	fail(&all->diag, ENOENT, "file/open", "no such file");
	fail_advise(&all->diag, "make one");
	plan->type = "bzImage";
	plan->entry_name = "direct";
	plan->kernel_version = "6.1\x01";
	plan->n_segments = 2;
	plan->segments[0] = (struct segment){
		.name = "kernel", .bytes = { region + 1, 299 }, .mem_len = 4096, .reserve_len = 8192,
		.align = 4096, .end = UINT64_MAX, .addr = 1 << 20, .is_placed = true,
		.is_digested = true,
	};
	plan->segments[1] = (struct segment){ .name = "preserved", .align = 4096, .mem_len = 4096 };
	plan->entry = 1 << 20;
	plan->jump_mode = JUMP_16;
	plan->paging = PAGING_5_LEVEL;
	plan->e820 = e820;
	plan->n_e820 = 2;
	all->budget.items[0] = (struct budget_item){ "kernel", 5, true, false, true };
	all->budget.n_items = 1;
	all->budget.largest = &all->budget.items[0];
	all->bundle = &bundle;
}

/* Into out, which is long enough. */
static size_t pack(struct all *all, struct arena *a, uint8_t *out)
{
	struct parcel p = { .is_packing = true, .out = out, .arena = a, .memory = memory,
			    .n_memory = array_len(memory) };

	hand(&p, all);
	assert_null(p.wrong);
	return p.off;
}

static bool unpack(struct span in, struct arena *a, struct all *ret)
{
	struct parcel p = { .in = in, .arena = a, .memory = memory, .n_memory = array_len(memory) };

	memset(ret, 0, sizeof(*ret));
	diag_init(&ret->diag, a);
	hand(&p, ret);
	return parcel_is_done(&p);
}

static bool is_inside(struct span s)
{
	for (size_t i = 0; i < array_len(memory); i++)
		if (s.data >= memory[i].data && s.data + s.len <= memory[i].data + memory[i].len)
			return true;
	return s.len == 0;
}

static void is_usable(const struct all *all)
{
	assert_in_range(all->plan.n_segments, 0, PLAN_SEGMENTS_MAX);
	for (size_t i = 0; i < all->plan.n_segments; i++) {
		assert_true(is_inside(all->plan.segments[i].bytes));
		assert_null(all->plan.segments[i].own);
		assert_in_range(strlen(all->plan.segments[i].name), 0, SEGMENT_NAME_LEN - 1);
	}
	assert_in_range(all->plan.jump_mode, 0, JUMP_16);
	assert_in_range(all->plan.come_back, 0, BACK_TO_PEER);
	for (const struct diag_note *n = all->diag.notes; n; n = n->next)
		assert_true(strchr(n->id, '/') && strlen(n->text) < 10000);
	if (all->bundle)
		for (size_t i = 0; i < all->bundle->n_initrds; i++)
			assert_true(is_inside(all->bundle->initrds[i].bytes));
	assert_true(!all->budget.largest ||
		    all->budget.largest < all->budget.items + all->budget.n_items);
}

static void test_comes_out_again(void **state)
{
	static uint8_t out[8192], again[8192];
	struct arena a = { 0 };
	struct all all, got;
	size_t len;

	(void)state;
	fill(&all, &a);
	len = pack(&all, &a, out);
	assert_true(unpack(span_of(out, len), &a, &got));
	is_usable(&got);
	assert_string_equal(got.diag.id, "file/open");
	assert_string_equal(got.diag.advice, "make one");
	assert_string_equal(diag_find_note(&got.diag, "load/one")->text, "a note 1");
	assert_true(diag_find_note(&got.diag, "load/two")->is_warning);
	assert_ptr_equal(got.plan.segments[0].bytes.data, region + 1);
	assert_int_equal(got.plan.segments[0].bytes.len, 299);
	assert_ptr_not_equal(got.plan.type, all.plan.type);
	assert_string_equal(got.plan.kernel_version, "6.1\x01");
	assert_int_equal(got.plan.e820[1].range.end, 9);
	assert_ptr_equal(got.budget.largest, &got.budget.items[0]);
	assert_int_equal(got.bundle->profile, 1);
	assert_null(got.bundle->profiles[0].title);
	/* The rest is the same, too. */
	assert_int_equal(pack(&got, &a, again), len);
	assert_memory_equal(out, again, len);
	/* Notes go on behind those that came. */
	note(&got.diag, "load/three", "a third");
	assert_non_null(diag_find_note(&got.diag, "load/three"));
	arena_free(&a);
}

/* One that ends too early, or has more. */
static void test_any_length(void **state)
{
	static uint8_t out[8192];
	struct arena a = { 0 };
	struct all all, got;
	size_t len;

	(void)state;
	fill(&all, &a);
	len = pack(&all, &a, out);
	for (size_t n = 0; n < len; n++) {
		uint8_t *exact = malloc(n + 1);	/* for the sanitizer */

		memcpy(exact, out, n);
		assert_false(unpack(span_of(exact, n), &a, &got));
		is_usable(&got);
		free(exact);
	}
	assert_false(unpack(span_of(out, len + 1), &a, &got));
	arena_free(&a);
}

static void test_any_byte(void **state)
{
	static const uint8_t values[] = { 0, 1, 0x20, 0x2f, 0x7f, 0x80, 0xff };
	static uint8_t out[8192];
	struct arena a = { 0 };
	struct all all, got;
	size_t len, n_refused = 0;

	(void)state;
	fill(&all, &a);
	len = pack(&all, &a, out);
	for (size_t i = 0; i < len; i++) {
		const uint8_t was = out[i];

		for (size_t k = 0; k < array_len(values); k++) {
			out[i] = values[k];
			n_refused += !unpack(span_of(out, len), &a, &got);
			is_usable(&got);
		}
		out[i] = was;
		arena_free(&a);
		fill(&all, &a);
	}
	assert_in_range(n_refused, len, 7 * len - 1);
	arena_free(&a);
}

static void test_every_allocation_fails(void **state)
{
	static uint8_t out[8192];
	struct arena a = { 0 }, short_of;
	struct all all, got;
	size_t len, n = 0;
	bool is_done;

	(void)state;
	fill(&all, &a);
	len = pack(&all, &a, out);
	do {
		short_of = (struct arena){ .fail_at = ++n };
		is_done = unpack(span_of(out, len), &short_of, &got);
		is_usable(&got);
		arena_free(&short_of);
	} while (!is_done);
	assert_in_range(n, 15, 60);
	arena_free(&a);
}

/* ---- spans ---- */

static bool takes(uint64_t start, uint64_t len)
{
	uint64_t words[2] = { start, len };
	struct parcel p = { .in = span_of(words, sizeof(words)), .memory = memory,
			    .n_memory = array_len(memory) };
	struct span s = { 0 };

	parcel_span(&p, &s);
	if (!parcel_is_done(&p))
		assert_true(!s.data && s.len == 0);
	return parcel_is_done(&p);
}

static void test_spans(void **state)
{
	const uint64_t base = (uintptr_t)region;

	(void)state;
	assert_true(takes(base, 300));
	assert_true(takes(base + 299, 1));
	assert_true(takes(0, 0));
	assert_true(takes(1234, 0));
	assert_false(takes(base - 1, 2));
	assert_false(takes(base, 301));
	assert_false(takes(base + 300, 1));
	assert_false(takes(base + 10, UINT64_MAX - 5));
	assert_false(takes(base + 10, -(base + 10)));
	assert_false(takes(0, UINT64_MAX));
	assert_false(takes((uintptr_t)&base, 8));
}

/* What a plan points to that nobody knows of is packed as a copy. */
static void test_copied_span(void **state)
{
	uint8_t out[16];
	const uint8_t own[3] = "own";
	struct span s = span_of(own, 3);
	struct arena a = { 0 };
	struct parcel p = { .is_packing = true, .out = out, .arena = &a };
	uint64_t start;

	(void)state;
	parcel_span(&p, &s);
	memcpy(&start, out, sizeof(start));
	assert_true(start != (uintptr_t)own);
	assert_memory_equal((void *)(uintptr_t)start, "own", 3);
	arena_free(&a);
}

/* ---- what a plan may ask for ---- */

static void test_check(void **state)
{
	struct request req = { 0 };
	struct arena a = { 0 };
	struct all all;

	(void)state;
	fill(&all, &a);
	assert_null(handback_check(&all.plan, &req));
	all.plan.come_back = BACK_FROM_KERNEL;
	assert_non_null(handback_check(&all.plan, &req));
	req.preserves_context = true;
	assert_null(handback_check(&all.plan, &req));
	all.plan.come_back = BACK_TO_PEER;
	assert_non_null(handback_check(&all.plan, &req));
	all.plan.come_back = BACK_NEVER;
	assert_non_null(handback_check(&all.plan, &req));
	req.preserves_context = false;
	req.has_entry = true;
	assert_non_null(handback_check(&all.plan, &req));
	req.entry = all.plan.entry;
	assert_null(handback_check(&all.plan, &req));
	all.plan.segments[1].align = 0x3000;
	assert_non_null(handback_check(&all.plan, &req));
	all.plan.segments[1].align = 0;
	assert_non_null(handback_check(&all.plan, &req));
	all.plan.segments[1].align = 4096;
	all.plan.segments[1].name[0] = '\0';
	assert_non_null(handback_check(&all.plan, &req));
	all.plan.n_segments = 1;
	all.plan.type = NULL;
	assert_non_null(handback_check(&all.plan, &req));
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_comes_out_again),
		cmocka_unit_test(test_any_length),
		cmocka_unit_test(test_any_byte),
		cmocka_unit_test(test_every_allocation_fails),
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_copied_span),
		cmocka_unit_test(test_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
