/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Independent jobs on several processors. */
#ifndef KEXEC_NG_PARALLEL_H
#define KEXEC_NG_PARALLEL_H

#include "base.h"

#define PARALLEL_THREADS_MAX	64

/*
 * Calls job(ctx, i) once for each i below n_jobs, in any order, on up to n_threads threads of which
 * the caller is one; 0 means as many as this process has processors. Returns when all are done.
 *
 * Cannot fail: where threads are refused the caller does all the work itself. Gives the number of
 * threads that there were, which is at least 1. Jobs must not share a diag or an arena.
 */
int parallel_run(size_t n_jobs, unsigned int n_threads, void (*job)(void *ctx, size_t i),
		 void *ctx);

#endif
