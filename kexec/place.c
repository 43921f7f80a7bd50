// SPDX-License-Identifier: GPL-2.0-or-later
#include "place.h"

#include <errno.h>
#include <inttypes.h>

#include "checked.h"

/* The highest aligned address in [hole.start, hole.end) with room for len; false if there is none.
 */
static bool highest_fit(struct range hole, uint64_t len, uint64_t align, phys_t *ret)
{
	phys_t addr;

	if (range_len(hole) < len)
		return false;
	addr = align_down(hole.end - len, align);
	if (addr < hole.start)
		return false;
	*ret = addr;
	return true;
}

static bool lowest_fit(struct range hole, uint64_t len, uint64_t align, phys_t *ret)
{
	phys_t addr;

	if (!checked_align_up(hole.start, align, &addr) || addr >= hole.end ||
	    hole.end - addr < len)
		return false;
	*ret = addr;
	return true;
}

static int advise_for_crash(const struct plan *plan, struct diag *diag)
{
	uint64_t len = plan->crash->elfcorehdr_len + plan->crash->control_len;

	for (size_t i = 0; i < plan->n_segments; i++)
		len += plan->segments[i].reserve_len;
	return fail_advise(diag,
			   "the crash region has %" PRIu64 " MiB, what is to be loaded takes %" PRIu64
			   " MiB and has to run there: boot the running kernel with a larger "
			   "crashkernel=, or use a smaller initrd",
			   range_len(plan->crash->region) / MIB, len / MIB + 1);
}

static int explain(const struct plan *plan, const struct segment *s,
		   const struct range_list *free_ram, struct range allowed, uint64_t largest,
		   struct diag *diag)
{
	fail(diag, EADDRNOTAVAIL, "place/no-hole",
	     "no room for segment '%s': it needs %" PRIu64 " KiB in one piece, aligned to %" PRIu64
	     " KiB, between %#" PRIx64 " and %#" PRIx64 "; the largest free piece there is %" PRIu64
	     " KiB (%zu pieces of RAM are free in all)",
	     s->name, s->reserve_len / KIB, s->align / KIB, max_u64(s->min, allowed.start),
	     min_u64(s->end, allowed.end), largest / KIB, free_ram->n);
	if (plan->crash)
		return advise_for_crash(plan, diag);
	return fail_advise(diag,
			   "use a smaller image or initrd, widen --mem-min/--mem-max, or give the "
			   "machine more memory");
}

static int place_one(const struct plan *plan, struct segment *s, struct range_list *free_ram,
		     struct range allowed, struct diag *diag)
{
	uint64_t largest = 0;

	if (s->is_fixed) {
		s->addr = s->min;
		s->is_placed = true;
		return 0;
	}
	for (size_t n = 0; n < free_ram->n; n++) {
		size_t i = s->wants_lowest ? n : free_ram->n - 1 - n;
		struct range hole = {
			.start = max_u64(max_u64(free_ram->r[i].start, s->min), allowed.start),
			.end = min_u64(min_u64(free_ram->r[i].end, s->end), allowed.end),
		};

		largest = max_u64(largest, range_len(hole));
		if (s->wants_lowest ? !lowest_fit(hole, s->reserve_len, s->align, &s->addr) :
				      !highest_fit(hole, s->reserve_len, s->align, &s->addr))
			continue;
		s->is_placed = true;
		if (range_list_subtract(free_ram,
					(struct range){ s->addr, s->addr + s->reserve_len }) < 0)
			return fail_nomem(diag);
		return 0;
	}
	return explain(plan, s, free_ram, allowed, largest, diag);
}

int place(struct plan *plan, const struct facts *facts, phys_t mem_min, phys_t mem_end,
	  struct diag *diag)
{
	struct range allowed = { mem_min, mem_end };
	struct range_list free_ram, free_low;

	if (range_list_copy(&facts->ram, plan->arena, &free_ram) < 0 ||
	    range_list_copy(&facts->low_ram, plan->arena, &free_low) < 0)
		return fail_nomem(diag);
	for (size_t i = 0; i < plan->n_segments; i++) {
		struct segment *s = &plan->segments[i];
		struct range_list *free_here = segment_is_low(s) ? &free_low : &free_ram;
		int r = place_one(plan, s, free_here, allowed, diag);

		if (r < 0)
			return r;
	}
	return 0;
}
