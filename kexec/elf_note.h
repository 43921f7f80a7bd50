/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Notes of an ELF file, one after the other, read strictly.
 * Source: System V ABI, chapter 5, "Note Section". Linux aligns by 4 in both classes, and by 8 where
 * p_align says so.
 */
#ifndef KEXEC_NG_ELF_NOTE_H
#define KEXEC_NG_ELF_NOTE_H

#include "elf.h"

#define ELF_NOTE_OWNER_MAX	31	/* characters; the longest known has 8 */

struct elf_note {
	char owner[ELF_NOTE_OWNER_MAX + 1];
	uint32_t type;
	struct span desc;
	uint64_t off;		/* of desc in the notes */
};

/* The bytes of a PT_NOTE. "elf-note/outside" */
must_check int elf_note_bytes(const struct elf *elf, const struct elf_phdr *p, struct span *ret,
			      struct diag *diag);
/*
 * The note at *off of notes; *off goes on to the next one, and is notes.len after the last.
 * "elf-note/truncated", "elf-note/owner" (too long, or without its NUL), "elf-note/align".
 */
must_check int elf_note_next(struct span notes, uint64_t align, uint64_t *off, struct elf_note *ret,
			     struct diag *diag);

/* Notes of owner "Xen" (xen/include/public/elfnote.h). */
enum xen_note {
	XEN_NOTE_ENTRY = 1,
	XEN_NOTE_HYPERCALL_PAGE = 2,
	XEN_NOTE_PHYS32_ENTRY = 18,
	XEN_NOTE_PHYS32_RELOC = 19,
};

#endif
