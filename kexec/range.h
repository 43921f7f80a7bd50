/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arithmetic on sets of physical addresses. Ranges are half open: [start, end). An inclusive end,
 * as /proc and /sys print it, is converted where it is read, once.
 */
#ifndef KEXEC_NG_RANGE_H
#define KEXEC_NG_RANGE_H

#include "arena.h"

struct range {
	phys_t start;
	phys_t end;
};

/* A list is normal when it is sorted, without empty, overlapping or touching ranges. */
struct range_list {
	struct arena *arena;
	struct range *r;
	size_t n;
	size_t n_max;
};

static inline uint64_t range_len(struct range r)
{
	return r.end > r.start ? r.end - r.start : 0;
}

static inline bool range_contains(struct range outer, struct range inner)
{
	return inner.start >= outer.start && inner.end <= outer.end;
}

static inline bool range_overlaps(struct range a, struct range b)
{
	return a.start < b.end && b.start < a.end;
}

void range_list_init(struct range_list *l, struct arena *a);
/* Appends; the list may not be normal afterwards. Empty ranges are left out. -ENOMEM. */
must_check int range_list_add(struct range_list *l, struct range r);
/* Sorts and merges; cannot fail. */
void range_list_normalize(struct range_list *l);
/* The rest take normal lists and give normal lists. */
must_check int range_list_copy(const struct range_list *l, struct arena *a, struct range_list *ret);
must_check int range_list_subtract(struct range_list *l, struct range r);	/* -ENOMEM */
must_check int range_list_intersect(const struct range_list *a, const struct range_list *b,
				    struct arena *arena, struct range_list *ret); /* -ENOMEM */
/* Shrinks every range to whole units of align (a power of two). */
void range_list_align_inward(struct range_list *l, uint64_t align);
/* Is r inside one range of the list? */
bool range_list_contains(const struct range_list *l, struct range r);
uint64_t range_list_total(const struct range_list *l);

#endif
