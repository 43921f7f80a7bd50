// SPDX-License-Identifier: GPL-2.0-or-later
#include "arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checked.h"

struct arena_chunk {
	struct arena_chunk *next;
	max_align_t data[];
};

void *arena_alloc(struct arena *a, size_t len)
{
	struct arena_chunk *chunk;
	uint64_t total;

	a->n_allocations++;
	if (a->fail_at != 0 && a->n_allocations >= a->fail_at &&
	    !(a->fails_once && a->n_allocations > a->fail_at))
		return NULL;
	if (a->region)
		return region_alloc(a->region, len);
	if (!checked_add(sizeof(*chunk), len, &total) || total > SIZE_MAX)
		return NULL;
	chunk = calloc(1, (size_t)total);
	if (!chunk)
		return NULL;
	chunk->next = a->chunks;
	a->chunks = chunk;
	return chunk->data;
}

void *arena_alloc_array(struct arena *a, size_t n, size_t len)
{
	uint64_t total;

	if (!checked_mul(n, len, &total) || total > SIZE_MAX)
		return NULL;
	return arena_alloc(a, (size_t)total);
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *copy;

	if (len == SIZE_MAX)
		return NULL;
	copy = arena_alloc(a, len + 1);
	if (copy && len > 0)
		memcpy(copy, s, len);
	return copy;
}

char *arena_vprintf(struct arena *a, const char *fmt, va_list args)
{
	va_list again;
	char *text;
	int len;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (len < 0)
		return NULL;
	text = arena_alloc(a, (size_t)len + 1);
	if (text)
		vsnprintf(text, (size_t)len + 1, fmt, args);
	return text;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	text = arena_vprintf(a, fmt, args);
	va_end(args);
	return text;
}

void arena_free(struct arena *a)
{
	struct arena_chunk *chunk = a->chunks;

	while (chunk) {
		struct arena_chunk *next = chunk->next;

		free(chunk);
		chunk = next;
	}
	a->chunks = NULL;
}
