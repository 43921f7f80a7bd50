/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PVH entry: which ELF notes an image has it by, and what a loader hands over. All numbers are
 * little endian.
 * Source: docs/misc/pvh.pandoc, public/elfnote.h and public/arch-x86/hvm/start_info.h of Xen.
 */
#ifndef KEXEC_NG_WIRE_PVH_H
#define KEXEC_NG_WIRE_PVH_H

#include "base.h"

/* What a PHYS32_RELOC note says, up to three numbers of 4 bytes, and what one that it leaves out is: */
#define PVH_RELOC_ALIGN		(2 * MIB)	/* its start is a multiple of this, ... */
#define PVH_RELOC_MIN		0		/* its lowest start, ... */
#define PVH_RELOC_MAX		UINT64_C(0xffffffff) /* its last byte; what is not said is this */

#define PVH_START_MAGIC		0x336ec578
#define PVH_START_VERSION	1

/* ebx has its address. */
struct pvh_start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t n_modules;
	uint64_t modules;	/* address of an array of struct pvh_module; the first: Linux' initrd */
	uint64_t cmdline;
	uint64_t rsdp;
	uint64_t memory_map;	/* address of an array of struct pvh_memory */
	uint32_t n_memory;
	uint32_t reserved;
};
_Static_assert(sizeof(struct pvh_start_info) == 56, "struct hvm_start_info, version 1");

struct pvh_module {
	uint64_t addr;
	uint64_t len;
	uint64_t cmdline;
	uint64_t reserved;
};
_Static_assert(sizeof(struct pvh_module) == 32, "struct hvm_modlist_entry");

struct pvh_memory {
	uint64_t addr;
	uint64_t len;
	uint32_t type;		/* as in e820 */
	uint32_t reserved;
};
_Static_assert(sizeof(struct pvh_memory) == 24, "struct hvm_memmap_table_entry");

#endif
