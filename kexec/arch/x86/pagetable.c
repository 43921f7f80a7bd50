// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch/x86/pagetable.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define PAGE_2MIB	(2 * MIB)
#define SPAN_512GIB	(512 * GIB)	/* what one page directory pointer table maps */
#define N_ENTRIES	512

/* Intel SDM volume 3, section 4.5. Accessed and dirty are set so that the CPU never writes here. */
#define ENTRY_TABLE	0x023		/* present, writable, accessed */
#define ENTRY_PAGE	0x0e3		/* the same, dirty, page size */

/*
 * Tables are handed out one after the other: the PML5, the PML4, then pointer tables and directories
 * as the ranges, in ascending order, first need them. Without a buffer they are only counted.
 */
struct builder {
	bool has_1gib_pages;
	uint8_t *buf;
	phys_t at;
	size_t n_tables;
	size_t pointer_table;	/* the current one ... */
	phys_t pointer_end;	/* ... maps up to here; 0: there is none yet */
	size_t directory;
	phys_t directory_end;
};

#define PML5	0
#define PML4	1

static void set_entry(struct builder *b, size_t table, uint64_t index, uint64_t value)
{
	if (b->buf)
		memcpy(b->buf + table * PAGE_LEN + (index % N_ENTRIES) * sizeof(value), &value,
		       sizeof(value));
}

/* A new table, hung into entry index of parent. */
static size_t add_table(struct builder *b, size_t parent, uint64_t index)
{
	set_entry(b, parent, index, (b->at + b->n_tables * PAGE_LEN) | ENTRY_TABLE);
	return b->n_tables++;
}

/* Maps [start, end), which lies in one GiB. */
static void map_in_gib(struct builder *b, phys_t start, phys_t end)
{
	if (start >= b->pointer_end) {
		b->pointer_table = add_table(b, PML4, start / SPAN_512GIB);
		b->pointer_end = align_down(start, SPAN_512GIB) + SPAN_512GIB;
	}
	if (b->has_1gib_pages && end - start == GIB) {
		set_entry(b, b->pointer_table, start / GIB, start | ENTRY_PAGE);
		return;
	}
	if (start >= b->directory_end) {
		b->directory = add_table(b, b->pointer_table, start / GIB);
		b->directory_end = align_down(start, GIB) + GIB;
	}
	if (!b->buf)
		return;
	for (phys_t page = start; page < end; page += PAGE_2MIB)
		set_entry(b, b->directory, page / PAGE_2MIB, page | ENTRY_PAGE);
}

static void map_all(struct builder *b, const struct range_list *ranges)
{
	b->n_tables = 2;
	set_entry(b, PML5, 0, (b->at + PML4 * PAGE_LEN) | ENTRY_TABLE);
	for (size_t i = 0; i < ranges->n; i++) {
		const struct range r = ranges->r[i];
		phys_t end;

		for (phys_t start = r.start; start < r.end; start = end) {
			end = min_u64(align_down(start, GIB) + GIB, r.end);
			map_in_gib(b, start, end);
		}
	}
}

bool pagetable_round(struct range_list *ranges)
{
	bool is_whole = true;
	size_t kept = 0;

	for (size_t i = 0; i < ranges->n; i++) {
		struct range r = ranges->r[i];

		if (r.end > PAGETABLE_END) {
			is_whole = false;
			r.end = PAGETABLE_END;
		}
		if (r.start >= r.end)
			continue;
		ranges->r[kept++] = (struct range){
			.start = align_down(r.start, PAGE_2MIB),
			.end = align_down(r.end + PAGE_2MIB - 1, PAGE_2MIB),
		};
	}
	ranges->n = kept;
	range_list_normalize(ranges);
	return is_whole;
}

uint64_t pagetable_len(const struct range_list *ranges, bool has_1gib_pages)
{
	struct builder counter = { .has_1gib_pages = has_1gib_pages };

	map_all(&counter, ranges);
	return counter.n_tables * PAGE_LEN;
}

int pagetable_build(const struct range_list *ranges, bool has_1gib_pages, uint8_t *buf, size_t len,
		    phys_t at, struct pagetable_roots *ret, struct diag *diag)
{
	struct builder b = { .has_1gib_pages = has_1gib_pages, .buf = buf, .at = at };
	const uint64_t needed = pagetable_len(ranges, has_1gib_pages);

	if (needed > len)
		return fail(diag, ENOSPC, "pagetable/no-room",
			    "identity page tables take %" PRIu64 " bytes, there is room for %zu",
			    needed, len);
	if (!is_aligned(at, PAGE_LEN))
		return fail(diag, EINVAL, "pagetable/unaligned",
			    "page tables must start at a multiple of 4 KiB, not at %#" PRIx64, at);
	memset(buf, 0, (size_t)needed);
	map_all(&b, ranges);
	*ret = (struct pagetable_roots){
		.level4 = at + PML4 * PAGE_LEN,
		.level5 = at + PML5 * PAGE_LEN,
	};
	return 0;
}
