/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Multiboot Specification, version 0.6.96: the header in an image, and what a loader hands over.
 * All numbers are little endian.
 */
#ifndef KEXEC_NG_WIRE_MULTIBOOT_H
#define KEXEC_NG_WIRE_MULTIBOOT_H

#include "base.h"

#define MULTIBOOT_HEADER_MAGIC	0x1badb002
#define MULTIBOOT_LOADER_MAGIC	0x2badb002	/* in eax; ebx has the address of the information */
#define MULTIBOOT_SEARCH_LEN	8192	/* the header lies within so many bytes ... */
#define MULTIBOOT_ALIGN		4	/* ... at a multiple of this */

/* Flags of the header. A loader must do what bits 0 to 15 ask, or refuse. */
#define MULTIBOOT_PAGE_ALIGN	(1U << 0)
#define MULTIBOOT_MEMORY_INFO	(1U << 1)
#define MULTIBOOT_VIDEO_MODE	(1U << 2)
#define MULTIBOOT_MUST_MASK	0xffffU
#define MULTIBOOT_ADDRESSES	(1U << 16)	/* the address fields say where to load, not ELF */

struct multiboot_header {
	uint32_t magic;
	uint32_t flags;
	uint32_t checksum;	/* the sum of the three is 0 */
	/* With MULTIBOOT_ADDRESSES only. */
	uint32_t header_addr;
	uint32_t load_addr;
	uint32_t load_end_addr;	/* 0: to the end of the file */
	uint32_t bss_end_addr;	/* 0: no .bss */
	uint32_t entry_addr;
};
_Static_assert(sizeof(struct multiboot_header) == 32, "3.1.1, The layout of Multiboot header");
#define MULTIBOOT_HEADER_LEN	12	/* of what is always there */

/* Flags of the information: which of its fields say something. */
#define MULTIBOOT_INFO_MEMORY		(1U << 0)
#define MULTIBOOT_INFO_CMDLINE		(1U << 2)
#define MULTIBOOT_INFO_MODULES		(1U << 3)
#define MULTIBOOT_INFO_MEMORY_MAP	(1U << 6)
#define MULTIBOOT_INFO_LOADER_NAME	(1U << 9)
#define MULTIBOOT_INFO_FRAMEBUFFER	(1U << 12)

struct multiboot_info {
	uint32_t flags;
	uint32_t mem_lower;	/* KiB from 0, at most 640 */
	uint32_t mem_upper;	/* KiB from 1 MiB up to the first hole */
	uint32_t boot_device;
	uint32_t cmdline;
	uint32_t n_modules;
	uint32_t modules;
	uint32_t syms[4];
	uint32_t memory_map_len;
	uint32_t memory_map;
	uint32_t drives_len;
	uint32_t drives;
	uint32_t config_table;
	uint32_t loader_name;
	uint32_t apm_table;
	uint32_t vbe_control;
	uint32_t vbe_mode_info;
	uint16_t vbe[4];
	uint64_t framebuffer_addr;
	uint32_t framebuffer_pitch;
	uint32_t framebuffer_width;
	uint32_t framebuffer_height;
	uint8_t framebuffer_bpp;
	uint8_t framebuffer_type;
	uint8_t framebuffer_colors[6];
} __attribute__((packed));
_Static_assert(sizeof(struct multiboot_info) == 116, "3.3, Boot information format");

struct multiboot_module {
	uint32_t start;
	uint32_t end;
	uint32_t string;
	uint32_t reserved;
};
_Static_assert(sizeof(struct multiboot_module) == 16, "3.3, mods_addr");

struct multiboot_memory {
	uint32_t size;		/* of what follows */
	uint64_t addr;
	uint64_t len;
	uint32_t type;
} __attribute__((packed));
_Static_assert(sizeof(struct multiboot_memory) == 24, "3.3, mmap_addr");

/* Both versions. */
enum multiboot_memory_type {
	MULTIBOOT_MEMORY_AVAILABLE = 1,
	MULTIBOOT_MEMORY_RESERVED = 2,
	MULTIBOOT_MEMORY_ACPI = 3,
	MULTIBOOT_MEMORY_NVS = 4,
	MULTIBOOT_MEMORY_BAD = 5,
};

enum multiboot_framebuffer_type {
	MULTIBOOT_FRAMEBUFFER_RGB = 1,
	MULTIBOOT_FRAMEBUFFER_TEXT = 2,
};

#endif
