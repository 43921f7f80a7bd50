/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Does a capture kernel fit into the memory that is reserved for it? What it needs, item by item,
 * at the two moments when it needs most: while it unpacks its initrd, and while user space writes
 * the dump, when the packed initrd is gone.
 *
 * Some items are known (the plan's segments, the files of the initrd), the others are estimates for
 * 64-bit kernels of Debian's configuration. doc/kdump.md has them beside what real kernels took.
 */
#ifndef KEXEC_NG_BUDGET_H
#define KEXEC_NG_BUDGET_H

#include "facts.h"
#include "plan.h"

#define BUDGET_ITEMS_MAX	10

struct budget_item {
	const char *name;	/* "kernel", "initrd, unpacked" */
	uint64_t len;		/* bytes */
	bool is_at_boot;	/* counts while the initrd is unpacked */
	bool is_at_dump;	/* counts while the dump is written */
	bool is_estimate;
};

struct budget_input {
	const struct facts *facts;	/* of the machine: its reservations */
	bool is_initrd_known;	/* initramfs.h could read the initrd: */
	uint64_t n_files;	/* entries of its archives */
	uint64_t files_len;	/* bytes of their contents, in whole pages */
	const char *cmdline;	/* of the capture kernel: nr_cpus=, swiotlb=, root= count */
};

/* Made by x86_estimate_budget(). */
struct budget {
	struct budget_item items[BUDGET_ITEMS_MAX];
	size_t n_items;
	uint64_t reserved_len;
	uint64_t boot_len;	/* needed while the initrd is unpacked */
	uint64_t dump_len;	/* needed while the dump is written */
	uint64_t needed_len;	/* the larger of both */
	uint64_t recommended_len;	/* for crashkernel= */
	const struct budget_item *largest;	/* of those that count when most is needed */
	bool is_over;		/* needed_len > reserved_len */
};

#endif
