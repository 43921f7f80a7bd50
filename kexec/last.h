/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the running kernel was started: what the note of its setup_data (boot_note.h) and its own clock
 * say about the jump. A function of values; tsc.h reads the clock.
 */
#ifndef KEXEC_NG_LAST_H
#define KEXEC_NG_LAST_H

#include "boot_note.h"
#include "diag.h"
#include "facts.h"

/* The TSC of the machine, and the running kernel's clock in its terms. */
struct tsc_clock {
	uint64_t khz;			/* 0: unknown */
	const char *khz_source;		/* for people */
	bool is_unstable;		/* the kernel says so, and does not keep time by it */
	bool has_start;
	uint64_t start;			/* the TSC when the kernel's clock was 0 */
	uint64_t start_error_us;	/* it may be off by as much */
	const char *start_source;	/* or why it is not known */
	bool has_init;
	uint64_t init_us;		/* when the kernel ran init, by that clock */
	const char *init_source;	/* or why it is not known */
};

enum last_kind {
	LAST_UNKNOWN,		/* boot_params cannot be read */
	LAST_FIRMWARE,		/* by a boot loader: no kexec */
	LAST_OTHER,		/* by kexec, but not by a load that leaves a note */
	LAST_NOTED,
};

enum last_step {
	LAST_BEFORE,		/* the load, to purgatory */
	LAST_VERIFY,		/* purgatory, until everything was verified */
	LAST_LEAVE,		/* ... until it jumped */
	LAST_EARLY,		/* the new kernel (and its stub), until its clock starts */
	LAST_KERNEL,		/* ... until it runs init */
	N_LAST_STEPS,
};

enum last_state {
	LAST_STEP_UNKNOWN,
	LAST_STEP_KNOWN,
	LAST_STEP_AT_MOST,	/* what was asked for is a part of it */
};

struct last_figure {
	enum last_state state;
	uint64_t us;
	uint64_t error_us;	/* known only to so many */
	const char *why;	/* why it is unknown, or what else is in it; NULL: nothing to say */
};

struct last {
	enum last_kind kind;
	uint8_t loader_type;	/* type_of_loader in the boot parameters; 0xd.: kexec */
	struct boot_note note;	/* of LAST_NOTED; texts are terminated and printable */
	struct tsc_clock clock;
	struct last_figure steps[N_LAST_STEPS];
};

/* The name that JSON has, and the line for people. */
const char *last_step_id(enum last_step step);
const char *last_step_text(enum last_step step);

/* A note as any loader may have left it: false if it is none. */
must_check bool last_read_note(struct span data, struct boot_note *ret);
void last_compute(const struct facts *facts, const struct tsc_clock *clock, struct last *ret);

#endif
