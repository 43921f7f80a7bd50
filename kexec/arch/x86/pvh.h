/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PVH entry: a program entered at the address in its PHYS32_ENTRY note, in protected mode with
 * paging off, ebx = address of struct pvh_start_info. Linux has it with CONFIG_PVH, in its vmlinux.
 *
 * It runs where it was linked, unless a PHYS32_RELOC note says where else it can: Linux from 6.12 on.
 * Nothing moves its virtual addresses: there is no KASLR. What the structure has no place for is not
 * handed on: display, EFI, random seed, device tree, a fifth level of page tables.
 *
 * Linux reads the structure through page tables of its own, of the first GiB; and knows nothing of the
 * upper half of addresses of command line and initrd (arch/x86/platform/pvh/{head.S,enlighten.c}).
 */
#ifndef KEXEC_NG_X86_PVH_H
#define KEXEC_NG_X86_PVH_H

#include "arch/x86/flat.h"
#include "image.h"

struct pvh_notes {
	bool has_entry;
	uint32_t entry;
	bool is_relocatable;
	uint64_t align;		/* of its start; a power of two */
	phys_t min;
	phys_t end;		/* one past its last byte */
};

/* ids "pvh/...": -ENOEXEC when there is no such entry. */
must_check int pvh_read_notes(const struct elf *elf, struct pvh_notes *ret, struct diag *diag);

struct pvh_image {
	struct elf elf;
	const char *version;	/* for reports; NULL: unknown */
	uint32_t cmdline_max;	/* characters */
	phys_t initrd_end;
	bool is_linux;
};

/* Adds all segments but purgatory's, or says why not. */
must_check int pvh_plan(const struct pvh_image *image, const struct request *req,
			const struct facts *facts, struct plan *plan, struct diag *diag);
/* Was the plan made by pvh_plan()? Then this finishes it. */
bool pvh_is_planned(const struct plan *plan);
void pvh_finish(const struct request *req, struct plan *plan);

#endif
