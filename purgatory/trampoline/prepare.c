// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From hvm_start_info into boot_params, in 32-bit mode without paging.
 * Source: Documentation/arch/x86/zero-page.rst, include/wire/pvh.h.
 */
#include "trampoline.h"
#include "wire/pvh.h"

#define COM1		0x3f8
#define COM1_STATUS	(COM1 + 5)
#define COM1_READY	0x20
#define PATIENCE	100000

/* Offsets in the zero page. */
#define ACPI_RSDP_ADDR		0x070
#define EXT_RAMDISK_IMAGE	0x0c0
#define EXT_RAMDISK_SIZE	0x0c4
#define E820_ENTRIES		0x1e8
#define RAMDISK_IMAGE		0x218
#define RAMDISK_SIZE		0x21c
#define CMD_LINE_PTR		0x228
#define EXT_CMD_LINE_PTR	0x0c8
#define SETUP_DATA		0x250
#define E820_TABLE		0x2d0
#define E820_TABLE_MAX		128
#define E820_ENTRY_LEN		20
#define SETUP_E820_EXT		1
#define NODE_HEAD_LEN		16	/* next, type, len */

void trampoline_prepare(const struct trampoline *t, const struct pvh_start_info *info);

static void out8(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static uint8_t in8(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static void __attribute__((noreturn)) die(const char *text)
{
	for (; *text; text++) {
		for (int i = 0; i < PATIENCE && !(in8(COM1_STATUS) & COM1_READY); i++)
			;
		out8(COM1, (uint8_t)*text);
	}
	for (;;)
		__asm__ volatile("cli; hlt");
}

/* 32 bits at a time: fields of the zero page are aligned to no more. */
static void put32(uint8_t *p, uint32_t v)
{
	__builtin_memcpy(p, &v, sizeof(v));
}

static void put64(uint8_t *p, uint64_t v)
{
	put32(p, (uint32_t)v);
	put32(p + 4, (uint32_t)(v >> 32));
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	__builtin_memcpy(&v, p, sizeof(v));
	return v;
}

static void *below_4gib(uint64_t addr)
{
	if (addr >> 32)
		die("trampoline: hvm_start_info points above 4 GiB\r\n");
	return (void *)(uintptr_t)addr;
}

static void put_e820(uint8_t *p, uint64_t addr, uint64_t len, uint32_t type)
{
	put64(p, addr);
	put64(p + 8, len);
	put32(p + 16, type);
}

/* What the table in the zero page has no room for goes on in a node of setup_data. */
static void put_map(uint8_t *zp, uint8_t *node, const struct pvh_memory *map, uint32_t n)
{
	uint8_t *ext = node + NODE_HEAD_LEN;

	/* Kernels before 6.2 or so take a table of one entry for none at all. */
	if (n == 1) {
		const uint64_t half = (map[0].len / 2) & ~UINT64_C(0xfff);

		put_e820(zp + E820_TABLE, map[0].addr, half, map[0].type);
		put_e820(zp + E820_TABLE + E820_ENTRY_LEN, map[0].addr + half, map[0].len - half,
			 map[0].type);
		zp[E820_ENTRIES] = 2;
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		put_e820(i < E820_TABLE_MAX ? zp + E820_TABLE + i * E820_ENTRY_LEN :
					      ext + (i - E820_TABLE_MAX) * E820_ENTRY_LEN,
			 map[i].addr, map[i].len, map[i].type);
	zp[E820_ENTRIES] = (uint8_t)(n < E820_TABLE_MAX ? n : E820_TABLE_MAX);
	if (n <= E820_TABLE_MAX)
		return;
	put64(node, get64(zp + SETUP_DATA));
	put32(node + 8, SETUP_E820_EXT);
	put32(node + 12, (n - E820_TABLE_MAX) * E820_ENTRY_LEN);
	put64(zp + SETUP_DATA, (uintptr_t)node);
}

void trampoline_prepare(const struct trampoline *t, const struct pvh_start_info *info)
{
	uint8_t *zp = (uint8_t *)(uintptr_t)t->boot_params;

	if (info->magic != PVH_START_MAGIC)
		die("trampoline: ebx does not point to hvm_start_info\r\n");
	if (info->version < 1 || info->n_memory == 0)
		die("trampoline: hvm_start_info has no memory map (version 1)\r\n");
	if (info->n_memory > E820_TABLE_MAX + SCRATCH_E820_MAX)
		die("trampoline: the memory map has more than 384 ranges\r\n");
	put_map(zp, (uint8_t *)(uintptr_t)t->scratch + SCRATCH_E820, below_4gib(info->memory_map),
		info->n_memory);
	put64(zp + ACPI_RSDP_ADDR, info->rsdp);
	if (!(t->flags & TRAMPOLINE_HAS_INITRD) && info->n_modules > 0) {
		const struct pvh_module *m = below_4gib(info->modules);

		put32(zp + RAMDISK_IMAGE, (uint32_t)m->addr);
		put32(zp + RAMDISK_SIZE, (uint32_t)m->len);
		put32(zp + EXT_RAMDISK_IMAGE, (uint32_t)(m->addr >> 32));
		put32(zp + EXT_RAMDISK_SIZE, (uint32_t)(m->len >> 32));
	}
	if (!(t->flags & TRAMPOLINE_HAS_CMDLINE) && info->cmdline != 0) {
		put32(zp + CMD_LINE_PTR, (uint32_t)info->cmdline);
		put32(zp + EXT_CMD_LINE_PTR, (uint32_t)(info->cmdline >> 32));
	}
}
