// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch/x86/flat.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "checked.h"

#define NEAR		MIB	/* a gap up to this is filled with zeros rather than left out */
#define LEN_MAX		GIB	/* of all pieces together */

static int add_piece(struct flat *flat, phys_t start, phys_t end, struct diag *diag)
{
	if (flat->n == FLAT_PIECES_MAX)
		return fail(diag, E2BIG, "flat/too-many-pieces",
			    "the program lies in more than %d pieces of memory that are far from "
			    "each other",
			    FLAT_PIECES_MAX);
	flat->pieces[flat->n++] = (struct flat_piece){ .start = start, .mem_len = end - start };
	return 0;
}

/* Grows the last piece up to end, or begins a new one. Ranges come ascending. */
static int cover(struct flat *flat, phys_t start, uint64_t len, bool is_one_piece, struct diag *diag)
{
	struct flat_piece *last = flat->n > 0 ? &flat->pieces[flat->n - 1] : NULL;
	phys_t end;

	if (!checked_add(start, len, &end) || !checked_align_up(end, PAGE_LEN, &end))
		return fail(diag, EINVAL, "flat/wraps", "the program reaches beyond all memory");
	start = align_down(start, PAGE_LEN);
	if (!last || (!is_one_piece && start > last->start + last->mem_len + NEAR))
		return add_piece(flat, start, end, diag);
	last->mem_len = max_u64(last->mem_len, end - last->start);
	return 0;
}

static int allocate(struct flat *flat, struct arena *a, struct diag *diag)
{
	uint64_t total = 0;

	for (size_t i = 0; i < flat->n; i++)
		if (!checked_add(total, flat->pieces[i].mem_len, &total) || total > LEN_MAX)
			return fail(diag, EFBIG, "flat/too-large",
				    "the program takes more than %" PRIu64 " MiB of memory",
				    LEN_MAX / MIB);
	for (size_t i = 0; i < flat->n; i++) {
		struct flat_piece *p = &flat->pieces[i];

		p->bytes = arena_alloc(a, p->len);
		if (!p->bytes)
			return fail_nomem(diag);
	}
	return 0;
}

/* flat->n: none has the address. */
static size_t find_piece(const struct flat *flat, phys_t addr)
{
	size_t i = 0;

	while (i < flat->n && (addr < flat->pieces[i].start ||
			       addr - flat->pieces[i].start >= flat->pieces[i].mem_len))
		i++;
	return i;
}

/* So much of the piece comes from the file. */
static int need_bytes(struct flat *flat, phys_t start, uint64_t len, struct diag *diag)
{
	const size_t i = find_piece(flat, start);
	struct flat_piece *p = flat->pieces + i;

	if (i == flat->n || len > p->mem_len - (start - p->start))
		return fail(diag, EINVAL, "flat/outside", "a part of the program has no place");
	if (len > 0)
		p->len = (size_t)max_u64(p->len, start - p->start + len);
	return 0;
}

static int fill(struct flat *flat, struct span bytes, phys_t start, struct diag *diag)
{
	const size_t i = find_piece(flat, start);
	struct flat_piece *p = flat->pieces + i;

	if (bytes.len == 0)
		return 0;
	if (i == flat->n || start - p->start > p->len || bytes.len > p->len - (start - p->start))
		return fail(diag, EINVAL, "flat/overflow", "a part of the program has no room");
	memcpy(p->bytes + (start - p->start), bytes.data, bytes.len);
	return 0;
}

int flat_from_elf(const struct elf *elf, bool is_one_piece, struct arena *a, struct flat *ret,
		  struct diag *diag)
{
	struct flat flat = { 0 };
	int r = 0;

	for (size_t i = 0; i < elf->n_loads && r == 0; i++)
		r = cover(&flat, elf->loads[i].paddr, elf->loads[i].mem_len, is_one_piece, diag);
	for (size_t i = 0; i < elf->n_loads && r == 0; i++)
		r = need_bytes(&flat, elf->loads[i].paddr, elf->loads[i].file_len, diag);
	if (r == 0)
		r = allocate(&flat, a, diag);
	for (size_t i = 0; i < elf->n_loads && r == 0; i++) {
		struct span bytes;

		if (!span_sub(elf->file, elf->loads[i].off, elf->loads[i].file_len, &bytes))
			return fail(diag, EINVAL, "flat/load-outside",
				    "a PT_LOAD lies outside the file");
		r = fill(&flat, bytes, elf->loads[i].paddr, diag);
	}
	if (r == 0)
		*ret = flat;
	return r;
}

int flat_from_bytes(struct span bytes, phys_t start, uint64_t mem_len, struct arena *a,
		    struct flat *ret, struct diag *diag)
{
	struct flat flat = { 0 };
	int r = cover(&flat, start, max_u64(mem_len, bytes.len), true, diag);

	if (r == 0)
		r = need_bytes(&flat, start, bytes.len, diag);
	if (r == 0)
		r = allocate(&flat, a, diag);
	if (r == 0)
		r = fill(&flat, bytes, start, diag);
	if (r == 0)
		*ret = flat;
	return r;
}

static int add_segment(const struct flat_piece *p, size_t i, const struct flat_place *where,
		       struct plan *plan, struct diag *diag)
{
	char name[SEGMENT_NAME_LEN] = "kernel";
	struct segment_wish wish = {
		.name = name,
		.bytes = span_of(p->bytes, p->len),
		.reserve_len = p->mem_len,
		.align = where->align,
		.min = where->min,
		.end = where->end,
		.wants_lowest = where->wants_lowest,
		.is_digested = true,
	};
	struct segment *s;
	int r;

	if (i > 0)
		snprintf(name, sizeof(name), "kernel.%u", (unsigned int)(i + 1) % 100);
	r = plan_add(plan, &wish, &s, diag);
	if (r < 0)
		return r;
	s->own = p->bytes;
	s->mem_len = s->reserve_len;	/* nobody but us zeroes its .bss */
	return 0;
}

int flat_plan(const struct flat *flat, struct plan *plan, struct diag *diag)
{
	for (size_t i = 0; i < flat->n; i++) {
		const struct flat_piece *p = &flat->pieces[i];
		const struct flat_place where = { .min = p->start, .end = p->start + p->mem_len };
		int r = add_segment(p, i, &where, plan, diag);

		if (r < 0)
			return r;
	}
	return 0;
}

int flat_plan_moved(const struct flat *flat, const struct flat_place *where, struct plan *plan,
		    struct diag *diag)
{
	return add_segment(&flat->pieces[0], 0, where, plan, diag);
}

bool flat_contains(const struct flat *flat, phys_t addr)
{
	return find_piece(flat, addr) < flat->n;
}
