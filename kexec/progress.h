/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a load that takes longer than half a second is busy with, on a terminal: one line on stderr
 * that comes, moves and goes. Nothing is printed where stderr is no terminal, or before that time.
 */
#ifndef KEXEC_NG_PROGRESS_H
#define KEXEC_NG_PROGRESS_H

#include <pthread.h>
#include <stdatomic.h>

#include "base.h"

#define PROGRESS_STAGES 6	/* of one load; the bar moves on by one for each */

/* The next stage, as progress.c calls it. */
enum progress_stage {
	PROGRESS_READING,
	PROGRESS_UNWRAPPING,
	PROGRESS_UNPACKING_INITRD,
	PROGRESS_PLANNING,
	PROGRESS_WEIGHING,
	PROGRESS_DIGESTS,
	PROGRESS_HANDING_OVER,
	PROGRESS_INSPECTING,
	PROGRESS_EXPORTING,
	PROGRESS_REHEARSING,
	N_PROGRESS,
};

struct progress {
	pthread_t thread;
	bool is_running;
	atomic_uint *state;	/* the stage, and how many there were */
	atomic_uint own_state;
	atomic_bool is_over;
	pthread_mutex_t lock;
	pthread_cond_t wake;
};

/* Never fails: without a terminal or a thread nothing is shown. */
void progress_start(struct progress *p);
/* One that is never shown. */
void progress_none(struct progress *p);
void progress_stage(struct progress *p, enum progress_stage stage);
/* Keeps the stage there, from where another process may move it on; NULL: here again. */
void progress_share(struct progress *p, atomic_uint *state);
/* Takes the line away; to be called before anything else is printed. */
void progress_end(struct progress *p);

#endif
