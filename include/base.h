/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The handful of words that every part of kexec-ng speaks. Freestanding: purgatory includes it too.
 */
#ifndef KEXEC_NG_BASE_H
#define KEXEC_NG_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A physical address in the machine that is about to boot; a C pointer is always ours. */
typedef uint64_t phys_t;

#define PAGE_LEN	UINT64_C(4096)
#define KIB		UINT64_C(1024)
#define MIB		(1024 * KIB)
#define GIB		(1024 * MIB)
#define TIB		(1024 * GIB)

#define must_check		__attribute__((warn_unused_result))
#define printf_like(f, a)	__attribute__((format(printf, f, a)))
#define array_len(a)		(sizeof(a) / sizeof((a)[0]))

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

static inline size_t max_size(size_t a, size_t b)
{
	return a > b ? a : b;
}

static inline bool is_power_of_two(uint64_t v)
{
	return v != 0 && (v & (v - 1)) == 0;
}

/* align must be a power of two. */
static inline uint64_t align_down(uint64_t v, uint64_t align)
{
	return v & ~(align - 1);
}

static inline bool is_aligned(uint64_t v, uint64_t align)
{
	return (v & (align - 1)) == 0;
}

#endif
