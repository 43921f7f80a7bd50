/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program laid out in memory as it is linked: one piece or several, each whole pages, with its .bss
 * as zeros. For images whose loader zeroes what they do not bring (multiboot, ELF), unlike Linux.
 */
#ifndef KEXEC_NG_X86_FLAT_H
#define KEXEC_NG_X86_FLAT_H

#include "elf.h"
#include "plan.h"

/* Segments that a program may take of the plan's 16. What lies near each other is one piece. */
#define FLAT_PIECES_MAX	8

struct flat_piece {
	phys_t start;		/* a multiple of a page */
	uint64_t mem_len;	/* whole pages */
	uint8_t *bytes;
	size_t len;
};

struct flat {
	struct flat_piece pieces[FLAT_PIECES_MAX];
	size_t n;
};

/* The PT_LOADs, by physical address. is_one_piece: with what is between them, so that it can be moved.
 * ids "flat/..." */
must_check int flat_from_elf(const struct elf *elf, bool is_one_piece, struct arena *a,
			     struct flat *ret, struct diag *diag);
/* bytes at start, then zeros up to start + mem_len. */
must_check int flat_from_bytes(struct span bytes, phys_t start, uint64_t mem_len, struct arena *a,
			       struct flat *ret, struct diag *diag);

/* Adds segments "kernel", "kernel.2", ... that can only be where they are linked. */
must_check int flat_plan(const struct flat *flat, struct plan *plan, struct diag *diag);
/* The only piece, as a segment "kernel" anywhere in [min, end). */
struct flat_place {
	phys_t min;
	phys_t end;
	uint64_t align;
	bool wants_lowest;
};
must_check int flat_plan_moved(const struct flat *flat, const struct flat_place *where,
			       struct plan *plan, struct diag *diag);
/* Is the address, as linked, inside a piece? */
bool flat_contains(const struct flat *flat, phys_t addr);

#endif
