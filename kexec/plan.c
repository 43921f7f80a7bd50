// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "checked.h"

/*
 * The kernel refuses destinations from here on (KEXEC_DESTINATION_MEMORY_LIMIT, 64 TiB with 4-level
 * page tables, which every x86-64 kernel accepts).
 */
#define DESTINATION_END		(64 * TIB)

void plan_init(struct plan *plan, struct arena *a)
{
	memset(plan, 0, sizeof(*plan));
	plan->arena = a;
}

int plan_add(struct plan *plan, const struct segment_wish *wish, struct segment **ret,
	     struct diag *diag)
{
	struct segment *s;
	uint64_t mem_len, reserve_len;

	if (plan->n_segments == PLAN_SEGMENTS_MAX)
		return fail(diag, E2BIG, "plan/too-many-segments",
			    "segment '%s' would be number %d, the kernel takes %d", wish->name,
			    PLAN_SEGMENTS_MAX + 1, PLAN_SEGMENTS_MAX);
	if (!checked_align_up(wish->bytes.len, PAGE_LEN, &mem_len) ||
	    !checked_align_up(wish->reserve_len, PAGE_LEN, &reserve_len))
		return fail(diag, EINVAL, "plan/length-wraps",
			    "segment '%s' is larger than any memory", wish->name);
	s = &plan->segments[plan->n_segments++];
	*s = (struct segment){
		.bytes = wish->bytes,
		.mem_len = mem_len,
		.reserve_len = max_u64(mem_len, reserve_len),
		.align = max_u64(wish->align, PAGE_LEN),
		.min = wish->min,
		.end = wish->end ? wish->end : UINT64_MAX,
		.wants_lowest = wish->wants_lowest,
		.is_fixed = wish->is_fixed,
		.is_digested = wish->is_digested,
	};
	strncpy(s->name, wish->name, sizeof(s->name) - 1);
	*ret = s;
	return 0;
}

int plan_add_own(struct plan *plan, const struct segment_wish *wish, size_t len,
		 struct segment **ret, struct diag *diag)
{
	struct segment_wish with_bytes = *wish;
	struct segment *s;
	uint8_t *own = arena_alloc(plan->arena, len);
	int r;

	if (!own)
		return fail_nomem(diag);
	with_bytes.bytes = span_of(own, len);
	r = plan_add(plan, &with_bytes, &s, diag);
	if (r < 0)
		return r;
	s->own = own;
	*ret = s;
	return 0;
}

struct segment *plan_find(struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->n_segments; i++)
		if (strcmp(plan->segments[i].name, name) == 0)
			return &plan->segments[i];
	return NULL;
}

uint64_t plan_mem_len(const struct plan *plan)
{
	uint64_t total = 0;

	for (size_t i = 0; i < plan->n_segments; i++)
		if (!checked_add(total, plan->segments[i].mem_len, &total))
			return UINT64_MAX;
	return total;
}

static struct range window_of(const struct segment *s)
{
	return (struct range){ s->addr, s->addr + s->reserve_len };
}

static int check_segment(const struct segment *s, const struct facts *facts, struct range allowed,
			 struct diag *diag)
{
	uint64_t end;

	if (!s->is_placed || !is_aligned(s->addr, PAGE_LEN) || !is_aligned(s->mem_len, PAGE_LEN) ||
	    !is_aligned(s->addr, s->align))
		return fail(diag, EADDRNOTAVAIL, "plan/unaligned",
			    "segment '%s' at %#" PRIx64 " (%#" PRIx64
			    " bytes) must be aligned to %#" PRIx64,
			    s->name, s->addr, s->mem_len, s->align);
	if (!checked_add(s->addr, s->reserve_len, &end) || end > DESTINATION_END)
		return fail(diag, EADDRNOTAVAIL, "plan/beyond-limit",
			    "segment '%s' at %#" PRIx64
			    " ends beyond the kernel's limit of %#" PRIx64,
			    s->name, s->addr, DESTINATION_END);
	if (s->bytes.len > s->mem_len || s->mem_len > s->reserve_len)
		return fail(diag, EINVAL, "plan/lengths-disagree",
			    "segment '%s' has %zu bytes in %#" PRIx64 " in a window of %#" PRIx64,
			    s->name, s->bytes.len, s->mem_len, s->reserve_len);
	if (s->addr < s->min || end > s->end || !range_contains(allowed, window_of(s)))
		return fail(diag, EADDRNOTAVAIL, "plan/outside-window",
			    "segment '%s' at %#" PRIx64 "-%#" PRIx64 " lies outside its limits",
			    s->name, s->addr, end);
	if (!range_list_contains(s->is_fixed ? &facts->withheld :
				 segment_is_low(s) ? &facts->low_ram : &facts->ram, window_of(s)))
		return fail(diag, EADDRNOTAVAIL, "plan/not-ram",
			    "segment '%s' at %#" PRIx64 "-%#" PRIx64
			    " is not all usable System RAM",
			    s->name, s->addr, end);
	return 0;
}

static int check_overlaps(const struct plan *plan, struct diag *diag)
{
	for (size_t i = 0; i < plan->n_segments; i++)
		for (size_t k = i + 1; k < plan->n_segments; k++)
			if (range_overlaps(window_of(&plan->segments[i]),
					   window_of(&plan->segments[k])))
				return fail(diag, EINVAL, "plan/overlap",
					    "segments '%s' and '%s' overlap",
					    plan->segments[i].name, plan->segments[k].name);
	return 0;
}

/* kernel/kexec_core.c, sanity_check_segment_list(): neither a segment nor the sum above half of
 * RAM. */
static int check_half_of_ram(const struct plan *plan, const struct facts *facts, struct diag *diag)
{
	uint64_t total = plan_mem_len(plan);

	if (facts->ram_total == 0 || total <= align_down(facts->ram_total / 2, PAGE_LEN))
		return 0;
	fail(diag, EINVAL, "plan/over-half-of-ram",
	     "kernel, initrd and their parameters take %" PRIu64
	     " KiB; the running kernel allows half of its %" PRIu64 " KiB",
	     total / KIB, facts->ram_total / KIB);
	return fail_advise(diag, "use a smaller initrd, or a machine with more memory");
}

/* Pages of the region that no segment was declared for. The kernel takes its own from these. */
static uint64_t free_len(const struct plan *plan)
{
	uint64_t left = range_len(plan->crash->region);

	for (size_t i = 0; i < plan->n_segments; i++)
		left -= min_u64(left, plan->segments[i].mem_len);
	return left;
}

/*
 * kernel/kexec_core.c, sanity_check_segment_list() and kimage_alloc_crash_control_pages();
 * kernel/crash_core.c, crash_handle_hotplug_event().
 */
static int check_crash(const struct plan *plan, struct diag *diag)
{
	const struct crash_plan *crash = plan->crash;

	for (size_t i = 0; i < plan->n_segments; i++) {
		const struct segment *s = &plan->segments[i];

		if (!range_contains(crash->region, window_of(s)))
			return fail(diag, EADDRNOTAVAIL, "plan/outside-region",
				    "segment '%s' at %#" PRIx64 "-%#" PRIx64
				    " is not in the crash region %#" PRIx64 "-%#" PRIx64,
				    s->name, s->addr, s->addr + s->reserve_len, crash->region.start,
				    crash->region.end);
		if (s->addr != crash->elfcorehdr && span_starts_with(s->bytes, "\177ELF", 4))
			return fail(diag, EINVAL, "plan/two-elf",
				    "segment '%s' begins like an ELF file: the running kernel would "
				    "take it for the headers of the dump",
				    s->name);
	}
	if (free_len(plan) >= crash->control_len)
		return 0;
	fail(diag, ENOMEM, "plan/no-control-pages",
	     "the segments leave %" PRIu64 " KiB of the crash region; the running kernel wants up to "
	     "%" PRIu64 " KiB of it for its own page tables",
	     free_len(plan) / KIB, crash->control_len / KIB);
	return fail_advise(diag, "reserve more: crashkernel=... on the running kernel's command line");
}

static int check_entry(const struct plan *plan, struct diag *diag)
{
	for (size_t i = 0; i < plan->n_segments; i++) {
		const struct segment *s = &plan->segments[i];

		if (plan->entry >= s->addr && plan->entry - s->addr < s->bytes.len)
			return 0;
	}
	return fail(diag, EINVAL, "plan/entry-outside", "the entry %#" PRIx64 " is in no segment",
		    plan->entry);
}

int plan_check(const struct plan *plan, const struct facts *facts, phys_t mem_min, phys_t mem_end,
	       struct diag *diag)
{
	struct range allowed = { mem_min, mem_end };
	int r;

	for (size_t i = 0; i < plan->n_segments; i++) {
		r = check_segment(&plan->segments[i], facts, allowed, diag);
		if (r < 0)
			return r;
	}
	r = check_overlaps(plan, diag);
	if (r < 0)
		return r;
	r = check_half_of_ram(plan, facts, diag);
	if (r == 0 && plan->crash)
		r = check_crash(plan, diag);
	if (r < 0)
		return r;
	return check_entry(plan, diag);
}
