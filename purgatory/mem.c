// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The functions that a compiler may call in freestanding code too (GCC manual, "Standards"). The
 * string instructions need no loop that the compiler could take for the function itself.
 */
#include "base.h"

#pragma GCC visibility push(hidden)
void *memcpy(void *dst, const void *src, size_t len);
void *memmove(void *dst, const void *src, size_t len);
void *memset(void *dst, int value, size_t len);
int memcmp(const void *a, const void *b, size_t len);
#pragma GCC visibility pop

void *memcpy(void *dst, const void *src, size_t len)
{
	void *to = dst;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(src), "+c"(len) : : "memory");
	return dst;
}

void *memmove(void *dst, const void *src, size_t len)
{
	char *to = (char *)dst + len;
	const char *from = (const char *)src + len;

	if ((uintptr_t)dst - (uintptr_t)src >= len)
		return memcpy(dst, src, len);
	while (len-- > 0)
		*(volatile char *)--to = *--from;
	return dst;
}

void *memset(void *dst, int value, size_t len)
{
	void *to = dst;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(len) : "a"(value) : "memory");
	return dst;
}

int memcmp(const void *a, const void *b, size_t len)
{
	const volatile unsigned char *x = a, *y = b;

	for (size_t i = 0; i < len; i++) {
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	}
	return 0;
}
