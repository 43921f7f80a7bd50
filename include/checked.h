/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arithmetic on numbers that came from outside: each returns false instead of wrapping, and leaves
 * *ret alone then.
 */
#ifndef KEXEC_NG_CHECKED_H
#define KEXEC_NG_CHECKED_H

#include "base.h"

static inline must_check bool checked_add(uint64_t a, uint64_t b, uint64_t *ret)
{
	uint64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return false;
	*ret = sum;
	return true;
}

static inline must_check bool checked_mul(uint64_t a, uint64_t b, uint64_t *ret)
{
	uint64_t product;

	if (__builtin_mul_overflow(a, b, &product))
		return false;
	*ret = product;
	return true;
}

/* align must be a power of two. */
static inline must_check bool checked_align_up(uint64_t v, uint64_t align, uint64_t *ret)
{
	uint64_t sum;

	if (!checked_add(v, align - 1, &sum))
		return false;
	*ret = align_down(sum, align);
	return true;
}

#endif
