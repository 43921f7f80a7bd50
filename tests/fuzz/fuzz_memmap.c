// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as /proc/iomem, as a type name, as a boot_params and as an e820 extension. */
#include <stdlib.h>
#include <string.h>

#include "memmap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool is_true)
{
	if (!is_true)
		abort();
}

static void require_normal_list(const struct range_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		require(l->r[i].start < l->r[i].end);
		require(i == 0 || l->r[i - 1].end < l->r[i].start);
	}
}

static bool is_never_merged(uint32_t type)
{
	return type == MEM_PRAM || type == (uint32_t)MEM_SOFT_RESERVED;
}

static void require_normal_map(const struct memmap *m)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct mem_entry *e = &m->entries[i];

		require(e->range.start < e->range.end);
		require(e->type != 0 && e->type != 128);
		if (i == 0)
			continue;
		require(e[-1].range.end <= e->range.start);
		require(e[-1].range.end < e->range.start || e[-1].type != e->type ||
			is_never_merged(e->type));
	}
}

/* The highest type of any entry that holds the address; 0: none. Slow and obviously right. */
static uint32_t type_at(const struct memmap *m, phys_t at)
{
	uint32_t type = 0;

	for (size_t i = 0; i < m->n; i++)
		if (m->entries[i].range.start <= at && at < m->entries[i].range.end &&
		    m->entries[i].type > type)
			type = m->entries[i].type;
	return type;
}

/* Normal form changes nothing that an address can tell. */
static void check_map(struct memmap *m, struct arena *a, struct diag *diag)
{
	struct memmap before = *m;

	before.entries = arena_alloc_array(a, m->n, sizeof(*m->entries));
	require(before.entries != NULL);
	if (m->n > 0)
		memcpy(before.entries, m->entries, m->n * sizeof(*m->entries));
	require(memmap_normalize(m, diag) == 0);
	require_normal_map(m);
	for (size_t i = 0; i < before.n && i < 64; i++) {
		struct range r = before.entries[i].range;

		require(type_at(&before, r.start) == type_at(m, r.start));
		require(type_at(&before, r.end) == type_at(m, r.end));
		require(type_at(&before, r.end - 1) == type_at(m, r.end - 1));
	}
}

static void try_iomem(struct span bytes, struct arena *a, struct diag *diag)
{
	struct iomem iomem;
	struct range_list ram;

	if (memmap_read_iomem(bytes, a, &iomem, diag) < 0)
		return;
	require_normal_list(&iomem.ram);
	require_normal_list(&iomem.crash_kernel);
	require_normal_list(&iomem.driver_managed);
	require_normal_map(&iomem.map);
	require(!iomem.is_masked || iomem.map.n == 0);
	require(memmap_ranges(iomem.map.entries, iomem.map.n, MEM_RAM, a, &ram, diag) == 0);
	require_normal_list(&ram);
	for (size_t i = 0; i < ram.n; i++)
		require(range_list_contains(&iomem.ram, ram.r[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct arena a = { 0 };
	struct span bytes = span_of(data, len);
	struct memmap m;
	struct diag diag;
	uint32_t type;

	diag_init(&diag, &a);
	try_iomem(bytes, &a, &diag);
	require(memmap_type(bytes, &type) || type == MEM_RESERVED);
	diag_clear(&diag);
	memmap_init(&m, &a);
	if (memmap_add_boot_params(&m, bytes, &diag) == 0)
		check_map(&m, &a, &diag);
	diag_clear(&diag);
	memmap_init(&m, &a);
	if (memmap_add_e820_ext(&m, bytes, &diag) == 0)
		check_map(&m, &a, &diag);
	arena_free(&a);
	return 0;
}
