/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the CPU says of itself (Intel SDM volume 2, CPUID); any ring may ask. */
#ifndef PURGATORY_CPUID_H
#define PURGATORY_CPUID_H

#include "base.h"

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

#define CPUID_1_ECX_SSSE3	(1U << 9)
#define CPUID_1_ECX_SSE41	(1U << 19)
#define CPUID_1_ECX_SSE42	(1U << 20)
#define CPUID_7_EBX_SHA		(1U << 29)
#define CPUID_7_ECX_LA57	(1U << 16)

/* Subleaf 0; all zero if the CPU does not know the leaf. */
static inline struct cpuid cpuid_read(uint32_t leaf)
{
	struct cpuid c = { .eax = 0 };

	__asm__ volatile("cpuid" : "+a"(c.eax), "=b"(c.ebx), "=c"(c.ecx), "=d"(c.edx) : "2"(0));
	if (c.eax < leaf)
		return (struct cpuid){ 0 };
	c.eax = leaf;
	__asm__ volatile("cpuid" : "+a"(c.eax), "=b"(c.ebx), "=c"(c.ecx), "=d"(c.edx) : "2"(0));
	return c;
}

#endif
