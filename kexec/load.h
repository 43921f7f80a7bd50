/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One load, from a kernel's path to a plan that may be handed over, and handing it over:
 *
 *	unwrap > probe > plan > place > finish > check > load
 *
 * All stages before the last are functions of values.
 */
#ifndef KEXEC_NG_LOAD_H
#define KEXEC_NG_LOAD_H

#include "addons.h"
#include "budget.h"
#include "cage.h"
#include "file_join.h"
#include "image.h"
#include "initramfs.h"
#include "options.h"
#include "probe.h"
#include "progress.h"
#include "record.h"
#include "xen.h"

/* Of a load's cages. */
enum load_cage {
	CAGE_OPEN,	/* the kernel, unwrapped */
	CAGE_PLAN,
	N_LOAD_CAGES,
};

struct load {
	struct arena *arena;	/* the caller's; everything but the files lives there */
	const struct options *options;
	struct facts facts;
	struct facts target;	/* as the next kernel is to see the machine: for -p another one */
	struct request request;
	const char *cmdline;	/* before anything was added to it for -p */
	const struct crash_plan *crash;	/* NULL without -p */
	bool has_budget;	/* of a load of a Linux kernel for a panic */
	struct budget budget;
	struct plan plan;
	const struct image_type *type;
	const struct image_type *format;	/* the same, after load_read(); NULL: none takes it */
	struct file kernel;
	struct file_sequence initrd;
	struct file_sequence modules;
	struct file dtb;
	struct addon_files addons;
	struct file_join joined;	/* the initrd, when the kernel came with one of its own */
	struct unwrapped unwrapped;	/* what the kernel's file turned out to hold */
	struct span packed_initrd;	/* as given, or as the container had it */
	bool is_initrd_done;	/* it was looked into whether the initrd is to be unpacked */
	struct initramfs unpacked;	/* what it became, if it was */
	struct progress progress;
	bool is_xen;		/* the hypervisor loads, not the running kernel */
	struct xen xen;
	bool is_kept;		/* --reload: what is loaded stays */
	struct record_turn turn;	/* from before the call until its record is there */
	/* Foreign bytes are read in processes of their own, where that can be: load_caged.c. */
	bool is_caged;
	bool must_be_caged;	/* they were: where they cannot be any more, nothing is read */
	struct cage cages[N_LOAD_CAGES];	/* what came out */
	struct span first_plan;	/* of a fork: where the plan that it is of may have put its initrd */
	enum call call;		/* the system call that took it; CALL_AUTO before */
};

void load_init(struct load *l, const struct options *o, struct arena *a);
void load_free(struct load *l);
/* The same load after load_plan(), to be changed and planned anew, once; the files stay l's, and it
 * shows no progress. Nothing but its plan is freed with it, and l has to outlive it. */
void load_fork(struct load *fork, const struct load *l);
void load_free_fork(struct load *fork);

/* Reads the machine and the user's files into l->facts and l->request, unwraps the kernel, and for -p
 * makes of both what the crash kernel is planned by. */
must_check int load_read(struct load *l, struct diag *diag);
/* probe to check: the pure part. */
must_check int load_plan(struct load *l, struct diag *diag);

/* load_plan() and the system call that the options and the machine's policy ask for. *ret_status is
 * the exit status after a failure. */
must_check int load_commit(struct load *l, int *ret_status, struct diag *diag);

/* Leaves a record of what was loaded (record.h): after load_commit(), before load_free(). A record that
 * cannot be written is a note. */
void load_record(struct load *l, struct diag *diag);

/* What -e then jumps back by, to a kernel that has preserved its context; after load_init() only. */
must_check int load_jump_back_helper(struct load *l, struct diag *diag);

/* Unloads by whichever call the options and the machine allow. */
must_check int load_unload(const struct options *o, struct arena *a, int *ret_status,
			   struct diag *diag);

#endif
