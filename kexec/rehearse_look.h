/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a rehearsal can only tell with the kernel's file open before it: where in the image its stub
 * is, what the kernel is that it unpacks, what a program's headers say. The file is read as everywhere,
 * in a process of its own without rights (cage.h), which has the rehearsed machine's memory too; if
 * the load has none, here.
 *
 * Failures are as those of arrival.h; and what becomes of such a process, "sandbox/...", with neither
 * of their errors.
 */
#ifndef KEXEC_NG_REHEARSE_LOOK_H
#define KEXEC_NG_REHEARSE_LOOK_H

#include "arch/x86/arrival.h"
#include "load.h"

struct look {
	struct load *l;			/* whose kernel it is, and what the plan was */
	const struct vcpu *cpu;		/* as it is now */
	struct guest_ram ram;
};

/* arrival_find_copy(): is the code at the physical address at part of the stub's copy of itself? */
must_check int look_for_copy(const struct look *look, phys_t at, bool *ret_is_one,
			     struct range *ret, struct diag *diag);

/* handed_check_program(), of what was loaded. *ret_is_known: false where the multiboot header, and no
 * ELF header, says where bytes go. */
must_check int look_at_program(const struct look *look, bool *ret_is_known, uint64_t *ret_len,
			       struct diag *diag);

/*
 * arrival_check_kernel() and arrival_compare(), of the kernel that is entered now. loaded: the plan
 * that loads it unpacked and moved already, NULL if there is none: then it is compared with what the
 * image holds. ram: all that the machine has.
 */
must_check int look_at_kernel(const struct look *look, struct plan *loaded,
			      const struct range_list *ram, phys_t *ret_base,
			      struct arrival_match *ret, struct diag *diag);

#endif
