/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that lives as long as one load. Everything that the pure stages build is allocated here
 * and freed in one go; nothing in between is freed by hand.
 */
#ifndef KEXEC_NG_ARENA_H
#define KEXEC_NG_ARENA_H

#include <stdarg.h>

#include "base.h"
#include "region.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks;
	size_t n_allocations;	/* so far; tests count with it */
	size_t fail_at; /* this allocation (1 is the first) and all later ones fail; 0: none */
	bool fails_once;	/* later ones do not */
	struct region *region;	/* where new memory comes from; NULL: from the C library */
};

/* Zeroed, aligned for any type; NULL when there is no memory. A len of 0 gives a valid pointer. */
must_check void *arena_alloc(struct arena *a, size_t len);
/* n elements of len bytes; NULL also when the product overflows. */
must_check void *arena_alloc_array(struct arena *a, size_t n, size_t len);
/* A copy with len bytes plus a terminating NUL. */
must_check char *arena_strndup(struct arena *a, const char *s, size_t len);
must_check printf_like(2, 3) char *arena_printf(struct arena *a, const char *fmt, ...);
must_check char *arena_vprintf(struct arena *a, const char *fmt, va_list args);
/* Frees everything that is of no region; the arena can be used again. */
void arena_free(struct arena *a);

#endif
