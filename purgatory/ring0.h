/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The instructions that only ring 0 may execute. Each caller stands behind is_ring0(); the other
 * privileged instructions are in entry.S, traps.S, paging.S and leave32.S, behind the same test.
 */
#ifndef PURGATORY_RING0_H
#define PURGATORY_RING0_H

#include "base.h"

#define CR0_EM			(1UL << 2)
#define CR0_TS			(1UL << 3)
#define CR4_OSFXSR		(1UL << 9)
#define CR4_OSXMMEXCPT		(1UL << 10)
#define CR4_LA57		(1UL << 12)

/* The operand of lidt in 64-bit mode. */
struct table_register {
	uint16_t limit;		/* length - 1 */
	uint64_t base;
} __attribute__((packed));

static inline void outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline uint64_t read_cr0(void)
{
	uint64_t value;

	__asm__ volatile("mov %%cr0, %0" : "=r"(value));
	return value;
}

static inline void write_cr0(uint64_t value)
{
	__asm__ volatile("mov %0, %%cr0" : : "r"(value) : "memory");
}

static inline uint64_t read_cr4(void)
{
	uint64_t value;

	__asm__ volatile("mov %%cr4, %0" : "=r"(value));
	return value;
}

static inline void write_cr4(uint64_t value)
{
	__asm__ volatile("mov %0, %%cr4" : : "r"(value) : "memory");
}

static inline void write_cr3(uint64_t value)
{
	__asm__ volatile("mov %0, %%cr3" : : "r"(value) : "memory");
}

static inline void load_idt(const void *idt, size_t len)
{
	const struct table_register idtr = { .limit = (uint16_t)(len - 1), .base = (uintptr_t)idt };

	__asm__ volatile("lidt %0" : : "m"(idtr) : "memory");
}

/* The last resort of a failure that failed: no gate, and an exception. It resets, in silence. */
static inline _Noreturn void triple_fault(void)
{
	load_idt(NULL, 1);
	for (;;)
		__asm__ volatile("ud2");
}

/* An NMI ends a hlt, so callers loop. */
static inline void halt(void)
{
	__asm__ volatile("cli; hlt" : : : "memory");
}

/* No TSC is faster, so a wait of unknown rate is never shorter than what was asked for. */
#define TSC_KHZ_MAX		5000000

/* Not privileged unless CR4.TSD is set. */
static inline uint64_t read_tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

/* tsc_khz: 0 if it is unknown. */
static inline void wait_ms(uint32_t ms, uint32_t tsc_khz)
{
	const uint64_t khz = tsc_khz ? tsc_khz : TSC_KHZ_MAX, start = read_tsc();

	while (read_tsc() - start < khz * ms)
		__builtin_ia32_pause();
}

#endif
