// SPDX-License-Identifier: GPL-2.0-or-later
/* What a hypervisor is asked for: it is played by functions of ours. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"
#include "xen.h"

static struct arena arena;
static struct diag diag;
static struct xen x;
static struct plan plan;

/* What it was called with, and what it says. */
static struct {
	struct xen_segment segments[XEN_KEXEC_SEGMENTS_MAX];
	uint8_t copies[XEN_KEXEC_SEGMENTS_MAX][8];
	uint32_t n_segments;
	uint64_t entry;
	int type, arch, result;
	size_t n_buffers, n_arrays;
} seen;

static struct xen_buffer_array *array_create(struct xen_interface *i, unsigned int n)
{
	(void)i;
	seen.n_arrays++;
	return (struct xen_buffer_array *)calloc(n + 1, sizeof(void *));
}

static void *array_alloc(struct xen_interface *i, struct xen_buffer_array *array, unsigned int n,
			 struct xen_buffer *buffer, size_t len)
{
	void **place = (void **)array;

	(void)i;
	seen.n_buffers++;
	buffer->bytes = malloc(len);
	while (*place)
		place++;
	*place = buffer->bytes;
	assert_true(n < XEN_KEXEC_SEGMENTS_MAX);
	return buffer->bytes;
}

static void array_destroy(struct xen_interface *i, struct xen_buffer_array *array)
{
	(void)i;
	for (void **place = (void **)array; *place; place++)
		free(*place);
	free(array);
	seen.n_arrays--;
}

static int load(struct xen_interface *i, uint8_t type, uint16_t arch, uint64_t entry, uint32_t n,
		struct xen_segment *segments)
{
	(void)i;
	seen.type = type;
	seen.arch = arch;
	seen.entry = entry;
	seen.n_segments = n;
	for (uint32_t k = 0; k < n; k++) {
		seen.segments[k] = segments[k];
		if (segments[k].bytes)
			memcpy(seen.copies[k], (const void *)(uintptr_t)segments[k].bytes,
			       min_u64(segments[k].len, 8));
	}
	errno = seen.result;
	return seen.result ? -1 : 0;
}

static int status(struct xen_interface *i, int type)
{
	(void)i;
	seen.type = type;
	errno = EPERM;
	return seen.result;
}

static int map(struct xen_interface *i, struct xen_map_entry *entries, uint32_t n_max)
{
	static const struct xen_map_entry machine[] = {
		{ 0, 0x9fc00, MEM_RAM },
		{ 0x9fc00, 0x400, MEM_RESERVED },
		{ MIB, 2 * GIB - MIB - 0x800, MEM_RAM },
		{ 2 * GIB - 0x800, 0x800, MEM_ACPI },
		{ 4 * GIB, GIB, MEM_RAM },
	};

	(void)i;
	assert_true(n_max >= array_len(machine));
	if (seen.result)
		return seen.result;
	memcpy(entries, machine, sizeof(machine));
	return array_len(machine);
}

static int start(void **state)
{
	(void)state;
	memset(&arena, 0, sizeof(arena));
	memset(&seen, 0, sizeof(seen));
	diag_init(&diag, &arena);
	plan_init(&plan, &arena);
	x = (struct xen){ .call = {
		.get_machine_memory_map = map,
		.buffer_array_create = array_create,
		.buffer_array_alloc = array_alloc,
		.buffer_array_destroy = array_destroy,
		.kexec_load = load,
		.kexec_status = status,
	} };
	return 0;
}

static int end(void **state)
{
	(void)state;
	assert_int_equal(seen.n_arrays, 0);
	arena_free(&arena);
	return 0;
}

static void add(const char *text, phys_t addr, uint64_t mem_len)
{
	plan.segments[plan.n_segments++] = (struct segment){
		.bytes = span_of(text, strlen(text)),
		.addr = addr,
		.mem_len = mem_len,
	};
}

static void expect(uint32_t i, const char *text, phys_t addr, uint64_t mem_len)
{
	const struct xen_segment *s = &seen.segments[i];

	assert_int_equal(s->addr, addr);
	assert_int_equal(s->mem_len, mem_len);
	assert_int_equal(s->len, strlen(text));
	assert_int_equal(s->bytes == 0, *text == '\0');
	assert_memory_equal(seen.copies[i], text, strlen(text));
}

/* Ascending, and the first MiB is mapped. */
static void test_load(void **state)
{
	(void)state;
	add("kernel", 32 * MIB, 2 * MIB);
	add("params", 16 * MIB, PAGE_LEN);
	plan.entry = 0x1234;
	assert_int_equal(xen_load(&x, &plan, &arena, &diag), 0);
	assert_int_equal(seen.n_segments, 3);
	expect(0, "", 0, MIB);
	expect(1, "params", 16 * MIB, PAGE_LEN);
	expect(2, "kernel", 32 * MIB, 2 * MIB);
	assert_int_equal(seen.entry, 0x1234);
	assert_int_equal(seen.type, 0);
	assert_int_equal(seen.arch, 62);
}

static void test_load_low(void **state)
{
	(void)state;
	add("setup", 64 * KIB, 64 * KIB);
	add("high", MIB - PAGE_LEN, 2 * PAGE_LEN);
	assert_int_equal(xen_load(&x, &plan, &arena, &diag), 0);
	assert_int_equal(seen.n_segments, 4);
	expect(0, "", 0, 64 * KIB);
	expect(1, "setup", 64 * KIB, 64 * KIB);
	expect(2, "", 128 * KIB, MIB - PAGE_LEN - 128 * KIB);
	expect(3, "high", MIB - PAGE_LEN, 2 * PAGE_LEN);
}

static void test_load_too_many(void **state)
{
	(void)state;
	for (size_t i = 0; i < PLAN_SEGMENTS_MAX; i++)
		add("x", 16 * MIB + i * MIB, PAGE_LEN);
	assert_int_equal(xen_load(&x, &plan, &arena, &diag), -E2BIG);
	assert_string_equal(diag.id, "xen/too-many-segments");
	diag_clear(&diag);
	plan.n_segments--;
	assert_int_equal(xen_load(&x, &plan, &arena, &diag), 0);
	assert_int_equal(seen.n_segments, XEN_KEXEC_SEGMENTS_MAX);
}

static void test_load_refused(void **state)
{
	(void)state;
	add("kernel", 32 * MIB, 2 * MIB);
	seen.result = ENOMEM;
	assert_int_equal(xen_load(&x, &plan, &arena, &diag), -ENOMEM);
	assert_string_equal(diag.id, "xen/refused");
}

static void test_status(void **state)
{
	bool is_loaded = false;

	(void)state;
	seen.result = 1;
	assert_int_equal(xen_is_loaded(&x, true, &is_loaded, &diag), 0);
	assert_true(is_loaded);
	assert_int_equal(seen.type, 1);
	seen.result = 0;
	assert_int_equal(xen_is_loaded(&x, false, &is_loaded, &diag), 0);
	assert_false(is_loaded);
	assert_int_equal(seen.type, 0);
	seen.result = -1;
	assert_int_equal(xen_is_loaded(&x, false, &is_loaded, &diag), -EPERM);
	assert_string_equal(diag.id, "xen/refused");
}

/* The machine's memory takes the place of dom0's. */
static void test_map(void **state)
{
	struct facts f = { .ram_total = 5 };

	(void)state;
	assert_int_equal(xen_read_map(&x, &arena, &f, &diag), 0);
	assert_int_equal(f.n_map, 5);
	assert_int_equal(f.ram.n, 2);
	assert_int_equal(f.ram.r[0].start, MIB);
	assert_int_equal(f.ram.r[0].end, 2 * GIB - PAGE_LEN);
	assert_int_equal(f.ram.r[1].end, 5 * GIB);
	assert_int_equal(f.low_ram.n, 1);
	assert_int_equal(f.low_ram.r[0].start, PAGE_LEN);
	assert_int_equal(f.low_ram.r[0].end, 0x9f000);
	assert_int_equal(f.ram_total, 0x9fc00 + 2 * GIB - MIB - 0x800 + GIB);

	seen.result = -1;
	f.ram_total = 5;
	assert_int_equal(xen_read_map(&x, &arena, &f, &diag), -EIO);
	assert_string_equal(diag.id, "xen/no-map");
	assert_int_equal(f.ram_total, 5);
}

#define with_xen(test) cmocka_unit_test_setup_teardown(test, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_xen(test_load),
		with_xen(test_load_low),
		with_xen(test_load_too_many),
		with_xen(test_load_refused),
		with_xen(test_status),
		with_xen(test_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
