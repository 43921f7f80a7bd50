/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stages of a load before it is handed over, for the files that do them:
 *
 *	load_read.c	reads the machine and the user's files
 *	load_unwrap.c	what follows from what the kernel's file turned out to hold
 *	load_stages.c	what reads foreign bytes: functions of the load alone
 *	load_caged.c	has those run in a cage
 */
#ifndef KEXEC_NG_LOAD_STAGES_H
#define KEXEC_NG_LOAD_STAGES_H

#include "load.h"
#include "parcel.h"

/* Part of load_read(), after the files are open: opens what the kernel is in; from what was in there
 * and what was asked for command line and initrd follow. */
must_check int load_unwrap(struct load *l, struct diag *diag);

/*
 * Unpacks the initrd now, while the old kernel still serves, so that the next one finds plain
 * archives. That moves and verifies more bytes in the dark time, which costs less than unpacking
 * there for every codec, unless each byte goes through SHA-256: doc/performance.md.
 */
void load_unpack_initrd(struct load *l, struct diag *diag);

/* Why kexec_file_load() goes first; NULL if it does not. */
const char *load_reason_for_file_call(const struct load *l);

/* What the stages said. The load goes on if outline has no failure, by kexec_load if settled has none
 * either. */
struct stages {
	struct diag outline;	/* of what both system calls want: probe, plan, what it weighs */
	struct diag settled;	/* of place, finish and check */
	bool is_by_file;	/* kexec_file_load() or nothing: they are not done */
};
/* Opens the kernel's containers and finds its format. */
must_check int load_open(struct load *l, struct diag *diag);
/* The stages from probe to check, here and now. */
void load_run_stages(struct load *l, struct stages *s);

/* The same two in a cage if l->is_caged, and what comes out of it is checked. Where there is no cage
 * that is a note, and l->is_caged is false from then on. */
must_check int load_open_caged(struct load *l, struct diag *diag);
void load_run_stages_caged(struct load *l, struct stages *s);

/*
 * Any work on a load's files. In the cage it has a copy of the load; what comes back of it is what
 * hand() packs, which also unpacks it (parcel.h). The cage is the caller's to close, when nothing in
 * its memory is needed any more.
 */
struct caged {
	struct load *l;
	struct cage *cage;
	int (*work)(struct caged *c, struct diag *diag);
	void (*hand)(struct parcel *p, struct caged *c);
	unsigned int seconds;	/* that it may take; 0: as its files' lengths allow */
	struct span *memory;	/* what spans may point into; load_run_caged() makes it */
	size_t n_memory;
	struct diag said;	/* by the work */
};
/* CAGE_NONE: nothing was done, and l->is_caged is false now; a note says why, if it was true.
 * CAGE_DONE: the work was; c->said has how it ended. */
enum cage_result load_run_caged(struct caged *c, struct diag *diag);
/* The same; where there is no cage the work is done here. What the work said, diag has. */
must_check int load_run_anywhere(struct caged *c, struct diag *diag);

#endif
