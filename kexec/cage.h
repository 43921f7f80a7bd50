/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process for work on bytes that nobody trusts. It is a copy of this one, at the same addresses,
 * which has given up what a process can: capabilities, descriptors, and by a seccomp filter every
 * system call that is not for memory, threads or its own end. What it makes lies in one piece of
 * shared memory. When it has ended, that memory is sealed: the kernel then refuses every write to it,
 * and could not seal it if anybody were left who could.
 */
#ifndef KEXEC_NG_CAGE_H
#define KEXEC_NG_CAGE_H

#include <stdatomic.h>

#include "diag.h"
#include "region.h"
#include "span.h"

#define CAGE_WHY_LEN	160

struct cage {
	struct region region;	/* the work's; read only once it is sealed */
	struct cage_head *head;	/* at its beginning */
	int memfd;
	char why[CAGE_WHY_LEN];	/* why there is none */
};

/* Done in the cage: what it returns is handed back. */
typedef struct span cage_work(void *ctx, struct region *region);

enum cage_result {
	CAGE_DONE,
	CAGE_NONE,		/* there can be none here, and c->why says why; nothing was done */
	CAGE_FAILED,		/* diag says why */
};

/* Shared memory for the work, as much of it as this process may have addresses for. CAGE_DONE or
 * CAGE_NONE. */
enum cage_result cage_open(struct cage *c);
/* A number that the work may change at any time, and that means nothing but what it is; in shared
 * memory until cage_close(). */
atomic_uint *cage_signal(struct cage *c);
/*
 * Does the work, waits for its end, for seconds at most, and seals what it made. *ret is what it
 * returned, inside the region; every byte of it may be wrong. ids, none of them with -EINVAL, which
 * is what is said of files:
 * "sandbox/refused-call"	a system call that is not allowed
 * "sandbox/crashed"		another signal, or an end that is none
 * "sandbox/killed"		by SIGKILL: the kernel does that when memory is short
 * "sandbox/timeout"
 * "sandbox/not-sealed"
 * "sandbox/bad-result"		what it returned is elsewhere
 * "file/truncated"		a mapped file became shorter
 */
enum cage_result cage_run(struct cage *c, unsigned int seconds, cage_work *work, void *ctx,
			  struct span *ret, struct diag *diag);
/* What was handed back is in this memory. */
struct span cage_memory(const struct cage *c);
void cage_close(struct cage *c);

#endif
