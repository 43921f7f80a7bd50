/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loads that the running kernel means to survive (KEXEC_PRESERVE_CONTEXT, of kernels with
 * CONFIG_KEXEC_JUMP). At the jump it suspends its devices, swaps the pages of all segments with what
 * is at their places, and calls the entry; back there it swaps again and goes on.
 *
 *	a program	gets the RAM in the window, [--mem-min, --mem-max]. It returns like a function,
 *			and the next jump calls it again, with its memory as it had left it
 *	a kernel	gets the RAM in the window too, as all the RAM there is, and on its command
 *			line kexec_jump_back_entry=, a word that kexec-tools made up
 *	the helper	is loaded by that kernel, to jump to where the word says; when the first kernel
 *			jumps again, this one goes on. Each of the two keeps the other
 *
 * What is not loaded of the window becomes segments without bytes, so that all of it is swapped.
 * Purgatory stands between the two sides with page tables of its own, as the running kernel's identity
 * map has the RAM of its own map only, which the first kernel is none of.
 *
 * Source: kernel/kexec_core.c, kernel_kexec(); arch/x86/kernel/relocate_kernel_64.S.
 */
#ifndef KEXEC_NG_X86_JUMP_BACK_H
#define KEXEC_NG_X86_JUMP_BACK_H

#include "image.h"
#include "plan.h"

#define PRESERVED_SEGMENT	"preserved"
#define JUMP_BACK_KEY		"kexec_jump_back_entry"

/*
 * From what was asked and the machine to what the pure stages are to see: ret_req with the command
 * line, ret_facts with the window as all the RAM. ids "jump/...": a 32-bit kernel runs, the format
 * cannot come back, the window has no RAM.
 */
must_check int jump_back_prepare(const struct image_type *type, const struct request *req,
				 const struct facts *facts, struct arena *a,
				 struct request *ret_req, struct facts *ret_facts,
				 struct diag *diag);
/* After the format's plan(): how it comes back. After its finish(): where it is told how. */
must_check int jump_back_plan(const struct request *req, const struct facts *facts,
			      struct plan *plan, struct diag *diag);
void jump_back_finish(struct plan *plan);
/* After all segments are complete: those that only keep the rest of the window. */
must_check int jump_back_fill(const struct facts *facts, struct plan *plan, struct diag *diag);

/* The plan of a helper, of which only purgatory is missing. */
must_check int jump_back_plan_helper(phys_t entry, uint64_t gdt, const struct facts *facts,
				     struct plan *plan, struct diag *diag);

#endif
