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

struct progress {
	pthread_t thread;
	bool is_running;
	_Atomic(const char *) stage;
	atomic_uint n_stages;
	atomic_bool is_over;
	pthread_mutex_t lock;
	pthread_cond_t wake;
};

/* Never fails: without a terminal or a thread nothing is shown. */
void progress_start(struct progress *p);
/* The next stage, as people call it: "unpacking the kernel". */
void progress_stage(struct progress *p, const char *stage);
/* Takes the line away; to be called before anything else is printed. */
void progress_end(struct progress *p);

#endif
