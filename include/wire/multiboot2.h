/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Multiboot2 Specification, version 2.0: tags in an image's header, and the tags that a loader
 * hands over. Each tag begins at a multiple of 8. All numbers are little endian.
 */
#ifndef KEXEC_NG_WIRE_MULTIBOOT2_H
#define KEXEC_NG_WIRE_MULTIBOOT2_H

#include "base.h"

#define MULTIBOOT2_HEADER_MAGIC	0xe85250d6
#define MULTIBOOT2_LOADER_MAGIC	0x36d76289	/* in eax; ebx has the address of the information */
#define MULTIBOOT2_SEARCH_LEN	32768	/* the header lies within so many bytes ... */
#define MULTIBOOT2_ALIGN	8	/* ... at a multiple of this */
#define MULTIBOOT2_ARCH_I386	0

struct multiboot2_header {
	uint32_t magic;
	uint32_t architecture;
	uint32_t len;		/* with all tags */
	uint32_t checksum;	/* the sum of the four is 0 */
};
_Static_assert(sizeof(struct multiboot2_header) == 16, "3.1.2, The magic fields");

/* Tags of the header. */
enum multiboot2_header_tag_type {
	MULTIBOOT2_HEADER_END = 0,
	MULTIBOOT2_HEADER_REQUEST = 1,
	MULTIBOOT2_HEADER_ADDRESS = 2,
	MULTIBOOT2_HEADER_ENTRY = 3,
	MULTIBOOT2_HEADER_CONSOLE = 4,
	MULTIBOOT2_HEADER_FRAMEBUFFER = 5,
	MULTIBOOT2_HEADER_MODULE_ALIGN = 6,
	MULTIBOOT2_HEADER_EFI_BOOT_SERVICES = 7,
	MULTIBOOT2_HEADER_ENTRY_EFI32 = 8,
	MULTIBOOT2_HEADER_ENTRY_EFI64 = 9,
	MULTIBOOT2_HEADER_RELOCATABLE = 10,
};

#define MULTIBOOT2_HEADER_OPTIONAL	(1U << 0)	/* a loader may ignore the tag */

struct multiboot2_header_tag {
	uint16_t type;
	uint16_t flags;
	uint32_t len;
};
_Static_assert(sizeof(struct multiboot2_header_tag) == 8, "3.1.3, General tag structure");

/* What follows the head of some tags. */
struct multiboot2_address {
	uint32_t header_addr;
	uint32_t load_addr;	/* MULTIBOOT2_FROM_START: the file from its first byte */
	uint32_t load_end_addr;	/* 0: to the end of the file */
	uint32_t bss_end_addr;	/* 0: no .bss */
};
#define MULTIBOOT2_FROM_START	0xffffffffU

struct multiboot2_relocatable {
	uint32_t min_addr;
	uint32_t max_addr;	/* of the last byte */
	uint32_t align;
	uint32_t preference;
};
#define MULTIBOOT2_PREFER_HIGHEST	2

/* Tags of the information. */
enum multiboot2_tag_type {
	MULTIBOOT2_TAG_END = 0,
	MULTIBOOT2_TAG_CMDLINE = 1,
	MULTIBOOT2_TAG_LOADER_NAME = 2,
	MULTIBOOT2_TAG_MODULE = 3,
	MULTIBOOT2_TAG_MEMORY = 4,
	MULTIBOOT2_TAG_MEMORY_MAP = 6,
	MULTIBOOT2_TAG_FRAMEBUFFER = 8,
	MULTIBOOT2_TAG_EFI64 = 12,
	MULTIBOOT2_TAG_RSDP_OLD = 14,
	MULTIBOOT2_TAG_RSDP_NEW = 15,
	MULTIBOOT2_TAG_EFI_MEMORY_MAP = 17,
	MULTIBOOT2_TAG_LOAD_BASE = 21,
};

struct multiboot2_tag {
	uint32_t type;
	uint32_t len;		/* without padding */
};

struct multiboot2_memory {
	uint64_t addr;
	uint64_t len;
	uint32_t type;		/* enum multiboot_memory_type */
	uint32_t reserved;
};
_Static_assert(sizeof(struct multiboot2_memory) == 24, "3.6.8, Memory map");

struct multiboot2_framebuffer {
	uint64_t addr;
	uint32_t pitch;
	uint32_t width;
	uint32_t height;
	uint8_t bpp;
	uint8_t type;		/* enum multiboot_framebuffer_type */
	uint16_t reserved;
	uint8_t colors[6];	/* with type RGB only: position and size of red, green, blue */
	uint8_t padding[2];
};
_Static_assert(offsetof(struct multiboot2_framebuffer, colors) == 24, "3.6.12, Framebuffer info");

#endif
