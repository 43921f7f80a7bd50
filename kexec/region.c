// SPDX-License-Identifier: GPL-2.0-or-later
#include "region.h"

#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include "checked.h"

static uint8_t *carve(struct region *r, size_t align, size_t len)
{
	uint64_t start, end;

	if (!checked_align_up(r->end, align, &start) || !checked_add(start, len, &end) ||
	    end > r->len)
		return NULL;
	r->end = (size_t)end;
	return r->base + start;
}

void *region_alloc(struct region *r, size_t len)
{
	return carve(r, _Alignof(max_align_t), max_size(len, 1));
}

static bool is_last(const struct region *r, const uint8_t *data, size_t len)
{
	return data + len == r->base + r->end;
}

uint8_t *region_grow(struct region *r, uint8_t *data, size_t old_len, size_t len)
{
	uint8_t *moved;

	if (data && is_last(r, data, old_len))
		return carve(r, 1, len - old_len) ? data : NULL;
	moved = carve(r, PAGE_LEN, len);
	if (moved && data) {
		memcpy(moved, data, old_len);
		region_release(r, data, 0, old_len);
	}
	return moved;
}

void region_release(struct region *r, uint8_t *data, size_t keep, size_t len)
{
	if (is_last(r, data, len))
		r->end -= len - keep;
	/* The kernel takes the pages of shared memory, and what comes again is zeros. */
	if (keep < len && madvise(data + keep, len - keep, MADV_REMOVE) < 0)
		memset(data + keep, 0, len - keep);
}
