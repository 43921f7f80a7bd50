/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One piece of zeroed memory that everything is carved from which another process is to see: what an
 * arena gives out, and buffers of whole pages that grow. A page takes no memory before something is
 * written to it.
 */
#ifndef KEXEC_NG_REGION_H
#define KEXEC_NG_REGION_H

#include "base.h"

struct region {
	uint8_t *base;		/* page aligned */
	size_t len;
	size_t end;		/* of what is carved */
};

/* Zeroed, aligned for any type; NULL when it is full. */
must_check void *region_alloc(struct region *r, size_t len);
/*
 * len zeroed bytes of whole pages, of which the first are the old_len bytes at data, unless that is
 * NULL. In place if nothing was carved behind them, else they move, and the old ones are given back.
 * Both are multiples of pages, and len the larger. NULL when it is full.
 */
must_check uint8_t *region_grow(struct region *r, uint8_t *data, size_t old_len, size_t len);
/* Gives data[keep, len) back: whole pages, which are zeros if they are carved again. */
void region_release(struct region *r, uint8_t *data, size_t keep, size_t len);

#endif
