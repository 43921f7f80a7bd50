/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What vm_image.c writes in front of vm_entry.S, and what both agree on. */
#ifndef KEXEC_NG_VM_ENTRY_H
#define KEXEC_NG_VM_ENTRY_H

#define VM_ENTRY_HEAD_LEN	0x40
/* Of struct vm_entry_head. */
#define VM_ENTRY_ENTRY		0x00
#define VM_ENTRY_JUMPS		0x08
#define VM_ENTRY_STACK		0x0c
#define VM_ENTRY_TABLES		0x10
#define VM_ENTRY_N_GIB		0x14
#define VM_ENTRY_COPY_FROM	0x18
#define VM_ENTRY_COPY_TO	0x1c
#define VM_ENTRY_COPY_LEN	0x20
/* In the code: cli, cld, mov. */
#define VM_ENTRY_SELF		(VM_ENTRY_HEAD_LEN + 3)

/* jumps */
#define VM_JUMPS_NOT		0	/* it reports */
#define VM_JUMPS_64		1
#define VM_JUMPS_32		2

#define VM_REPORT_PORT		0xe9
#define VM_EXIT_PORT		0xf4
#define VM_SPINS		50000000

#ifndef __ASSEMBLER__

#include <stddef.h>

#include "base.h"

struct vm_entry_head {
	uint64_t entry;
	uint32_t jumps;
	uint32_t stack;		/* its end */
	uint32_t tables;	/* 2 + n_gib pages */
	uint32_t n_gib;		/* that are mapped, from 0 on; up to 512 */
	uint32_t copy_from, copy_to, copy_len;
	uint32_t pad[7];
};
_Static_assert(sizeof(struct vm_entry_head) == VM_ENTRY_HEAD_LEN, "vm_entry.S");
_Static_assert(offsetof(struct vm_entry_head, jumps) == VM_ENTRY_JUMPS, "vm_entry.S");
_Static_assert(offsetof(struct vm_entry_head, stack) == VM_ENTRY_STACK, "vm_entry.S");
_Static_assert(offsetof(struct vm_entry_head, tables) == VM_ENTRY_TABLES, "vm_entry.S");
_Static_assert(offsetof(struct vm_entry_head, n_gib) == VM_ENTRY_N_GIB, "vm_entry.S");
_Static_assert(offsetof(struct vm_entry_head, copy_from) == VM_ENTRY_COPY_FROM, "vm_entry.S");
_Static_assert(offsetof(struct vm_entry_head, copy_to) == VM_ENTRY_COPY_TO, "vm_entry.S");
_Static_assert(offsetof(struct vm_entry_head, copy_len) == VM_ENTRY_COPY_LEN, "vm_entry.S");

extern const uint8_t vm_entry_blob[], vm_entry_blob_end[];

#endif
#endif
