/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plan is carried out, in a sandbox instead of on the machine: the segments are put where the
 * running kernel would put them, purgatory runs and jumps, and the image's own stub unpacks the kernel
 * and enters it. What comes out is compared with what this program makes of the same image.
 *
 * doc/rehearsal.md says what that proves, and what it does not.
 */
#ifndef KEXEC_NG_REHEARSE_H
#define KEXEC_NG_REHEARSE_H

#include "load.h"

struct report;

#define REHEARSAL_STAGES_MAX	16
#define REHEARSAL_SCREEN_LEN	(25 * 81 + 1)

enum rehearsed {
	REHEARSED_GOOD,
	REHEARSED_UNKNOWN,	/* it could not be found out */
	REHEARSED_BAD,
};

struct rehearsal_stage {
	/* "plan", "purgatory", "entry", "segments", "handed", "program", "stub", "kept", "kernel";
	 * "sandbox" if there can be none. In a virtual machine "plan", "machine", "placed",
	 * "purgatory", "kernel", "init", "vmcore". */
	const char *name;
	enum rehearsed verdict;
	const char *id;		/* NULL if it is good */
	const char *text;
	const char *advice;	/* NULL: none */
	double seconds;
};

/* What was printed in one run. */
struct rehearsal_console {
	const char *of;		/* "as loaded", "by its stub" */
	const char *serial;	/* any bytes, serial_len of them */
	size_t serial_len;
	uint64_t n_lost;
	const char *screen;	/* rows, each with a newline; "" if it is empty */
};

/* What the stub made. */
struct rehearsal_kernel {
	phys_t base;
	uint64_t delta;
	uint64_t n_relocations;
	uint64_t n_compared;
};

struct rehearsal {
	enum rehearsed verdict;		/* the worst of its stages' */
	struct rehearsal_stage stages[REHEARSAL_STAGES_MAX];
	size_t n_stages;
	size_t n_shown;			/* of them, on a terminal, while it went on */
	const char *awaited;		/* the stage that is under way; NULL: none */
	struct rehearsal_console consoles[2];
	size_t n_consoles;
	bool has_kernel;
	struct rehearsal_kernel kernel;
	uint64_t n_traps, n_maps;
	double seconds;
	bool is_vm;
	const char *console_path;	/* all that a virtual machine said; NULL: nothing */
};

/* l has a finished plan, which took plan_seconds; what is made here is in l->arena. -ENOMEM, nothing
 * else: what goes wrong is a verdict. */
must_check int rehearse(struct load *l, double plan_seconds, struct rehearsal *ret,
			struct diag *diag);
/* Somebody looks on. */
struct rehearsal_watcher {
	/* When a stage has begun or is over, and each second meanwhile. */
	void (*see)(const struct rehearsal_watcher *w, struct rehearsal *r);
	const struct report *report;
};
/* The same in a virtual machine, on to the kernel's init. watcher: NULL for none. */
must_check int rehearse_vm(struct load *l, double plan_seconds,
			   const struct rehearsal_watcher *watcher, struct rehearsal *ret,
			   struct diag *diag);
const char *rehearsed_name(enum rehearsed verdict);	/* "good" */

#endif
