/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The trampoline of an exported kernel: its PVH entry. A flat image that runs wherever it is put,
 * below 4 GiB; whoever exports a kernel fills struct trampoline, which the image begins with, and
 * puts the scratch memory and boot_params beside it. Nothing in the image is written to when it runs.
 *
 * Entered by PVH (wire/pvh.h), it takes memory map and RSDP into boot_params, and where nothing of
 * that is embedded the first module as initrd and the command line; then it enters the kernel, in
 * long mode with the first 4 GiB identity mapped, or with paging off. What it cannot do it says on
 * COM1, and halts.
 */
#ifndef KEXEC_NG_TRAMPOLINE_H
#define KEXEC_NG_TRAMPOLINE_H

#define TRAMPOLINE_MAGIC	0x504d5254	/* "TRMP" */

/* trampoline.flags */
#define TRAMPOLINE_64		(1 << 0)	/* the kernel wants long mode */
#define TRAMPOLINE_HAS_INITRD	(1 << 1)
#define TRAMPOLINE_HAS_CMDLINE	(1 << 2)

/* Offsets that assembly uses. */
#define TRAMPOLINE_SCRATCH	0x0c
#define TRAMPOLINE_BOOT_PARAMS	0x10
#define TRAMPOLINE_ENTRY	0x14
#define TRAMPOLINE_FLAGS	0x18

/* Scratch memory: page tables (the top, one of GiBs, four of 2 MiB pages), then a page of stack, then
 * room for what boot_params cannot take of the memory map. */
#define SCRATCH_TABLES_LEN	(6 * 4096)
#define SCRATCH_STACK_END	(7 * 4096)
#define SCRATCH_E820		SCRATCH_STACK_END
#define SCRATCH_E820_MAX	256		/* entries of 20 bytes, after 16 of setup_data */
#define SCRATCH_LEN		(9 * 4096)

#ifndef __ASSEMBLER__

#include "base.h"

struct trampoline {
	uint32_t magic;
	uint32_t entry_off;	/* of the PVH entry */
	uint32_t self_off;	/* of 32 bits that must get the image's own address */
	/* To be filled. Physical addresses. */
	uint32_t scratch;	/* SCRATCH_LEN bytes, page aligned */
	uint32_t boot_params;
	uint32_t entry;		/* of the kernel */
	uint32_t flags;
};
_Static_assert(sizeof(struct trampoline) == 0x1c, "the image begins with it");
_Static_assert(offsetof(struct trampoline, scratch) == TRAMPOLINE_SCRATCH, "used by assembly");
_Static_assert(offsetof(struct trampoline, boot_params) == TRAMPOLINE_BOOT_PARAMS,
	       "used by assembly");
_Static_assert(offsetof(struct trampoline, entry) == TRAMPOLINE_ENTRY, "used by assembly");
_Static_assert(offsetof(struct trampoline, flags) == TRAMPOLINE_FLAGS, "used by assembly");
_Static_assert(SCRATCH_E820 + 16 + SCRATCH_E820_MAX * 20 <= SCRATCH_LEN, "room for the map");

#endif
#endif
