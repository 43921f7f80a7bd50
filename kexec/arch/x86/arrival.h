/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is what a rehearsal came to what the plan had in mind? Functions of the plan, the CPU and the memory
 * as they are at the end of a leg; all they have to say is a failure with an id "rehearse/...": -EINVAL
 * when something is wrong, -EOPNOTSUPP when it cannot be told.
 */
#ifndef KEXEC_NG_X86_ARRIVAL_H
#define KEXEC_NG_X86_ARRIVAL_H

#include "arch/x86/direct.h"
#include "arch/x86/vcpu.h"

/* At plan->jump_entry: registers, mode, and page tables that map every segment to itself. */
must_check int arrival_check_cpu(const struct plan *plan, const struct vcpu *v,
				 struct guest_ram ram, struct diag *diag);
/* There: every segment but purgatory has the bytes that were loaded, and zeros to the end of its last
 * page. Apart from that are purgatory's marks in plan->boot_note. */
must_check int arrival_check_segments(const struct plan *plan, struct guest_ram ram,
				      struct diag *diag);
/* When the stub is done: the same of all but the kernel; and of boot_params all that a stub has no
 * business with. */
must_check int arrival_check_kept(const struct plan *plan, struct guest_ram ram,
				  struct diag *diag);

/* The stub runs from a copy of itself: the code of it, if code at the address rip is a part of it. */
must_check bool arrival_find_copy(const struct bzimage *image, struct span code, phys_t rip,
				  struct range *ret);

/* At the kernel's own entry, which is said to be at rip: ret_base is where it begins. */
must_check int arrival_check_kernel(const struct plan *plan, const struct direct *direct,
				    const struct vcpu *v, const struct range_list *ram,
				    bool is_fixed, phys_t *ret_base, struct diag *diag);

struct arrival_match {
	uint64_t delta;		/* by which its virtual addresses were moved */
	uint64_t n_relocations;	/* that were done with it, all of them */
	uint64_t n_compared;	/* bytes, all that the kernel's file has */
};
/*
 * Is the kernel at base, byte for byte, what direct says? direct is a kernel moved by direct_delta.
 * How far it was moved here is inferred from one relocation (is_fixed: not at all), then all the others
 * have to agree.
 */
must_check int arrival_compare(const struct direct *direct, uint64_t direct_delta,
			       struct guest_ram ram, phys_t base, bool is_fixed, struct arena *a,
			       struct arrival_match *ret, struct diag *diag);

#endif
