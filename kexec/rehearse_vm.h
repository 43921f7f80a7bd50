/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of --rehearse=vm share: rehearse_vm.c is the course of it, rehearse_vm_load.c makes
 * the load that the virtual machine gets. */
#ifndef KEXEC_NG_REHEARSE_VM_H
#define KEXEC_NG_REHEARSE_VM_H

#include "arch/x86/vm_image.h"
#include "rehearse.h"

struct vm_machine {
	uint64_t len;		/* bytes of memory */
	bool is_smaller;	/* than this machine */
	bool is_kvm;
	const char *cpu;	/* for -cpu */
	const char *without;	/* features that this machine lacks, and so the virtual one; "": none */
	struct vm_map map;
};

/* How much memory it gets, before it is there. */
void vm_choose_memory(const struct load *l, struct vm_machine *m);
/* -ENOMEM. */
must_check int vm_choose_cpu(const struct load *l, struct vm_machine *m);

/* The same load planned for that machine. */
struct vm_load {
	struct load load;
	const char *words;	/* that were put in front of the command line; "" */
	size_t n_moved;		/* segments that are elsewhere than here */
	bool is_region_moved;	/* the reservation for a crash kernel */
	bool is_32;
};
/* Its load is the caller's to free, by load_free_fork(). */
must_check int vm_plan(const struct load *l, const struct vm_machine *m, struct vm_load *ret,
		       struct diag *diag);

#endif
