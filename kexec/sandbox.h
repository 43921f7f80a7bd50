/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process whose memory is a machine's RAM and nothing else: physical address P is its address P, as
 * far as the page tables that its code sets up say so. It executes a kernel's first code on this very
 * CPU; what a process may not execute, arch/x86/vcpu.h does in its place.
 *
 * It is traced, and no system call of the code in it is executed (PTRACE_SYSEMU); below that a
 * seccomp filter allows mmap and munmap, from the one page of ours in it, and kills for anything
 * else. It dies with us, and when its time is up. It needs no right but that to trace a child.
 */
#ifndef KEXEC_NG_SANDBOX_H
#define KEXEC_NG_SANDBOX_H

#include <sys/types.h>

#include "arch/x86/vcpu.h"
#include "diag.h"
#include "range.h"

#define SANDBOX_WINDOWS	8
#define SANDBOX_WHY_LEN	160
/* No process can map less (vm.mmap_min_addr and the security modules' own limit). */
#define SANDBOX_LOW_END	(64 * KIB)
/* What is not RAM ends below this address. */
#define SANDBOX_END	(64 * TIB)

enum sandbox_stop {
	SANDBOX_FETCH,		/* rip has left the windows */
	SANDBOX_HALTED,
	SANDBOX_RESET,		/* ports.reset_by did it */
	SANDBOX_TRIPLE_FAULT,	/* cpu.vector at cpu.fault_rip, and nothing handles it */
	SANDBOX_SYSTEM_CALL,
	SANDBOX_WILD,		/* at is a physical address without memory */
	SANDBOX_NOT_EMULATED,	/* why says what */
	SANDBOX_TIME,
	SANDBOX_MEMORY,		/* it touched more memory than it gets */
	SANDBOX_LOST,		/* why says what became of the process */
};

struct sandbox {
	struct guest_ram ram;	/* to be filled, read and changed by the caller, between runs too */
	struct vcpu cpu;
	struct ports ports;
	const struct range_list *memory;
	/* Physical; code outside these stops. */
	struct range windows[SANDBOX_WINDOWS];
	size_t n_windows;
	/* From this address on, a few instructions are looked at one by one: what would tell code that
	 * it is a process. 0: nowhere. */
	phys_t look_at;

	/* After a stop. */
	uint64_t at;
	char why[SANDBOX_WHY_LEN];
	uint64_t n_stops, n_maps;

	/* Its own. */
	pid_t pid;
	int memfd;
	unsigned int seconds;
	int64_t deadline;	/* nanoseconds of CLOCK_MONOTONIC */
	uint64_t memory_limit;
	uint64_t mapped_end;
	unsigned int n_looks;
	uint64_t last_rip, last_addr;
	void *registers;	/* struct user_regs_struct as the process had them at first */
};

/*
 * Guest memory that holds nothing yet; memory says where there is any, and must stay. seconds: how
 * long all its runs may take. memory_limit: bytes. Ids "rehearse/..." when this process or machine
 * cannot do it; then there is nothing to close.
 */
must_check int sandbox_open(struct sandbox *sb, const struct range_list *memory,
			    unsigned int seconds, uint64_t memory_limit, struct arena *a,
			    struct diag *diag);
/* The caller has been busy for so long: that is none of its time. */
void sandbox_wait(struct sandbox *sb, double seconds);
/* Goes on at cpu until something happens. */
enum sandbox_stop sandbox_run(struct sandbox *sb);
/* False if there are SANDBOX_WINDOWS already. */
must_check bool sandbox_add_window(struct sandbox *sb, struct range window);
void sandbox_drop_windows(struct sandbox *sb);
void sandbox_close(struct sandbox *sb);

#endif
