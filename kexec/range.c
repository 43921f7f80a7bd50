// SPDX-License-Identifier: GPL-2.0-or-later
#include "range.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "checked.h"

void range_list_init(struct range_list *l, struct arena *a)
{
	*l = (struct range_list){ .arena = a };
}

int range_list_add(struct range_list *l, struct range r)
{
	if (r.start >= r.end)
		return 0;
	if (l->n == l->n_max) {
		size_t n_max = l->n_max ? l->n_max * 2 : 16;
		struct range *bigger = arena_alloc_array(l->arena, n_max, sizeof(*bigger));

		if (!bigger)
			return -ENOMEM;
		if (l->n > 0)
			memcpy(bigger, l->r, l->n * sizeof(*bigger));
		l->r = bigger;
		l->n_max = n_max;
	}
	l->r[l->n++] = r;
	return 0;
}

static int compare_starts(const void *va, const void *vb)
{
	const struct range *a = va, *b = vb;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	if (a->end != b->end)
		return a->end < b->end ? -1 : 1;
	return 0;
}

void range_list_normalize(struct range_list *l)
{
	size_t kept = 0;

	if (l->n < 2)
		return;
	qsort(l->r, l->n, sizeof(*l->r), compare_starts);
	for (size_t i = 1; i < l->n; i++) {
		if (l->r[i].start <= l->r[kept].end)
			l->r[kept].end = max_u64(l->r[kept].end, l->r[i].end);
		else
			l->r[++kept] = l->r[i];
	}
	l->n = kept + 1;
}

int range_list_copy(const struct range_list *l, struct arena *a, struct range_list *ret)
{
	struct range_list copy;

	range_list_init(&copy, a);
	for (size_t i = 0; i < l->n; i++)
		if (range_list_add(&copy, l->r[i]) < 0)
			return -ENOMEM;
	*ret = copy;
	return 0;
}

int range_list_subtract(struct range_list *l, struct range r)
{
	struct range_list rest;

	range_list_init(&rest, l->arena);
	for (size_t i = 0; i < l->n; i++) {
		struct range left = l->r[i], right = l->r[i];

		if (!range_overlaps(l->r[i], r)) {
			right.end = right.start;
		} else {
			left.end = r.start;
			right.start = r.end;
		}
		if (range_list_add(&rest, left) < 0 || range_list_add(&rest, right) < 0)
			return -ENOMEM;
	}
	*l = rest;
	return 0;
}

int range_list_intersect(const struct range_list *a, const struct range_list *b,
			 struct arena *arena, struct range_list *ret)
{
	struct range_list both;
	size_t i = 0, k = 0;

	range_list_init(&both, arena);
	while (i < a->n && k < b->n) {
		struct range common = {
			.start = max_u64(a->r[i].start, b->r[k].start),
			.end = min_u64(a->r[i].end, b->r[k].end),
		};

		if (range_list_add(&both, common) < 0)
			return -ENOMEM;
		if (a->r[i].end < b->r[k].end)
			i++;
		else
			k++;
	}
	*ret = both;
	return 0;
}

void range_list_align_inward(struct range_list *l, uint64_t align)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++) {
		struct range r = { .end = align_down(l->r[i].end, align) };

		if (!checked_align_up(l->r[i].start, align, &r.start) || r.start >= r.end)
			continue;
		l->r[kept++] = r;
	}
	l->n = kept;
}

bool range_list_contains(const struct range_list *l, struct range r)
{
	for (size_t i = 0; i < l->n; i++)
		if (range_contains(l->r[i], r))
			return true;
	return false;
}

uint64_t range_list_total(const struct range_list *l)
{
	uint64_t total = 0;

	for (size_t i = 0; i < l->n; i++)
		total += range_len(l->r[i]);
	return total;
}
