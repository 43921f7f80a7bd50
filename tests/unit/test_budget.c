// SPDX-License-Identifier: GPL-2.0-or-later
/* What a capture kernel is reckoned to need. */
#include <string.h>

#include "arch/x86/x86.h"
#include "unit.h"

static struct arena arena;
static struct diag diag;
static struct plan plan;
static struct facts facts;
static struct budget_input in;
static struct budget budget;

static void add(const char *name, uint64_t reserve_len)
{
	const struct segment_wish wish = { .name = name, .reserve_len = reserve_len };
	struct segment *s;

	assert_int_equal(plan_add_own(&plan, &wish, 1, &s, &diag), 0);
}

static void reserve(phys_t start, phys_t end)
{
	range_list_init(&facts.crash_kernel, &arena);
	assert_int_equal(range_list_add(&facts.crash_kernel, (struct range){ start, end }), 0);
}

static int fresh(void **state)
{
	(void)state;
	memset(&arena, 0, sizeof(arena));
	diag_init(&diag, &arena);
	plan_init(&plan, &arena);
	add("kernel", 46 * MIB);
	add("params", 8 * KIB);
	add("purgatory", 48 * KIB);
	memset(&facts, 0, sizeof(facts));
	reserve(512 * MIB, 768 * MIB);
	in = (struct budget_input){ .facts = &facts, .cmdline = "" };
	return 0;
}

static int done(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static uint64_t len_of(const char *name)
{
	x86_estimate_budget(&plan, &in, &budget);
	for (size_t i = 0; i < budget.n_items; i++)
		if (strcmp(budget.items[i].name, name) == 0)
			return budget.items[i].len;
	return 0;
}

static void test_no_initrd(void **state)
{
	(void)state;
	assert_int_equal(len_of("kernel"), 46 * MIB);
	assert_int_equal(len_of("initrd"), 0);
	assert_int_equal(len_of("initrd, unpacked"), 0);
	assert_int_equal(len_of("parameters, purgatory"), 56 * KIB);
	assert_int_equal(len_of("swiotlb"), 0);
	/* The region is two sections; RAM below 640 KiB is in one of its own. */
	assert_int_equal(len_of("page structures"), 6 * MIB);
	assert_int_equal(budget.reserved_len, 256 * MIB);
	assert_int_equal(budget.needed_len, budget.dump_len);
	assert_true(budget.boot_len < budget.dump_len);
	assert_false(budget.is_over);
	assert_true(is_aligned(budget.recommended_len, 16 * MIB));
	assert_true(budget.recommended_len >= budget.needed_len);
}

/* The packed initrd is gone before user space needs its memory; what came out of it is not. */
static void test_moments(void **state)
{
	uint64_t boot_len, dump_len;

	x86_estimate_budget(&plan, &in, &budget);
	boot_len = budget.boot_len;
	dump_len = budget.dump_len;
	add("initrd", 100 * MIB);
	in.is_initrd_known = true;
	in.n_files = 1024;
	in.files_len = 10 * MIB;
	x86_estimate_budget(&plan, &in, &budget);
	assert_int_equal(budget.boot_len, boot_len + 111 * MIB);
	assert_int_equal(budget.dump_len, dump_len + 11 * MIB);
	assert_int_equal(budget.needed_len, budget.boot_len);
	assert_string_equal(budget.largest->name, "initrd");
	(void)state;
}

/* A kernel unpacks into a tmpfs of half the memory that it manages, unless it is told of a root. */
static void test_rootfs(void **state)
{
	static const struct {
		const char *cmdline;
		bool is_limited;
	} cases[] = {
		{ "", true },
		{ "nr_cpus=1", true },
		{ "root=/dev/sda1", false },
		{ "quiet root=UUID=1 nr_cpus=1", false },
		{ "root=/dev/sda1 root=", true },
		{ "nfsroot=x", true },
		{ "rootfstype=ramfs", false },
		{ "rootfstype=ext4 quiet tmpfs", false },
		{ "rootfstype=ext4,tmpfs", true },
		{ "rootfstype=tmpfs root=/dev/sda1", false },
		{ "initramfs_options=size=90%", false },
	};
	uint64_t without;

	(void)state;
	add("initrd", 30 * MIB);
	in.is_initrd_known = true;
	in.files_len = 20 * MIB;
	assert_int_equal(len_of("left free by rootfs"), 0);
	in.files_len = 90 * MIB;
	in.cmdline = "root=x";
	x86_estimate_budget(&plan, &in, &budget);
	without = budget.boot_len;
	for (size_t i = 0; i < array_len(cases); i++) {
		in.cmdline = cases[i].cmdline;
		assert_int_equal(len_of("left free by rootfs") > 0, cases[i].is_limited);
	}
	/* Half of what is neither kernel nor initrd nor taken before it is counted. */
	in.cmdline = "";
	assert_int_equal(len_of("left free by rootfs"), 90 * MIB - len_of("kernel at work"));
	assert_int_equal(budget.boot_len, without - len_of("kernel at work") + 90 * MIB);
}

static void test_unknown_initrd(void **state)
{
	const uint8_t byte = 0;
	const struct segment_wish wish = { .name = "initrd", .bytes = span_of(&byte, 1) };
	struct segment *s;

	(void)state;
	assert_int_equal(plan_add(&plan, &wish, &s, &diag), 0);
	s->bytes.len = 30 * MIB;
	assert_int_equal(len_of("initrd, unpacked"), 90 * MIB);
}

static void test_cpus(void **state)
{
	static const struct {
		const char *cmdline;
		uint64_t n_cpus, n_counted;
	} cases[] = {
		{ "", 0, 1 },
		{ "", 64, 64 },
		{ "nr_cpus=1", 64, 1 },
		{ "quiet nr_cpus=4 nr_cpus=2", 64, 2 },
		{ "nr_cpus=8", 4, 4 },
		{ "xnr_cpus=1", 64, 64 },
		{ "nr_cpus=", 64, 64 },
		{ "nr_cpus=x", 64, 64 },
		{ "maxcpus=1", 64, 64 },	/* limits who starts, not who is possible */
		{ "nr_cpus=99999999999999999999", 64, 64 },
	};
	uint64_t one;

	(void)state;
	one = len_of("per-CPU areas");
	for (size_t i = 0; i < array_len(cases); i++) {
		facts.crash.n_notes = cases[i].n_cpus;
		in.cmdline = cases[i].cmdline;
		assert_int_equal(len_of("per-CPU areas"), cases[i].n_counted * one);
	}
	/* Some may be plugged in: the capture kernel is ready for them, too. */
	in.cmdline = "maxcpus=1";
	facts.crash.n_notes = 2;
	facts.crash.n_possible = 64;
	assert_int_equal(len_of("per-CPU areas"), 64 * one);
}

static void test_swiotlb(void **state)
{
	static const struct {
		const char *cmdline;
		bool is_high;
		uint64_t len;
	} cases[] = {
		{ "", false, 0 },
		{ "", true, 64 * MIB },
		{ "swiotlb=16384", true, 32 * MIB },
		{ "swiotlb=16384,force", true, 32 * MIB },
		{ "swiotlb=16384", false, 0 },
		{ "swiotlb=force", false, 64 * MIB },
		{ "swiotlb=0", true, 64 * MIB },
		{ "swiotlb=0xffffffffffff", true, GIB },
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		reserve((cases[i].is_high ? 5 : 3) * GIB, (cases[i].is_high ? 6 : 4) * GIB);
		in.cmdline = cases[i].cmdline;
		assert_int_equal(len_of("swiotlb"), cases[i].len);
	}
	/* Memory that is not the capture kernel's counts too, if the firmware tells of it. */
	reserve(3 * GIB, 4 * GIB);
	in.cmdline = "";
	facts.crash.memory.memory_end = 4 * GIB;
	assert_int_equal(len_of("swiotlb"), 0);
	facts.crash.memory.memory_end = 4 * GIB + 1;
	assert_int_equal(len_of("swiotlb"), 64 * MIB);
}

static void test_several_reservations(void **state)
{
	const struct range low = { 2 * GIB, 2 * GIB + 256 * MIB }, cma = { 3 * GIB, 3 * GIB + MIB };

	(void)state;
	reserve(5 * GIB + 16 * MIB, 5 * GIB + 272 * MIB);
	assert_int_equal(range_list_add(&facts.crash_kernel, low), 0);
	range_list_init(&facts.crash.cma, &arena);
	assert_int_equal(range_list_add(&facts.crash.cma, cma), 0);
	assert_int_equal(len_of("page structures"), (1 + 2 + 3 + 1) * 2 * MIB);
	assert_int_equal(budget.reserved_len, 513 * MIB);
}

static void test_over(void **state)
{
	(void)state;
	x86_estimate_budget(&plan, &in, &budget);
	reserve(512 * MIB, 512 * MIB + budget.needed_len);
	x86_estimate_budget(&plan, &in, &budget);
	assert_false(budget.is_over);
	reserve(512 * MIB, 512 * MIB + budget.needed_len - PAGE_LEN);
	x86_estimate_budget(&plan, &in, &budget);
	assert_true(budget.is_over);
	assert_non_null(budget.largest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define UNIT(test)	cmocka_unit_test_setup_teardown(test, fresh, done)
		UNIT(test_no_initrd),
		UNIT(test_moments),
		UNIT(test_rootfs),
		UNIT(test_unknown_initrd),
		UNIT(test_cpus),
		UNIT(test_swiotlb),
		UNIT(test_several_reservations),
		UNIT(test_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
