// SPDX-License-Identifier: GPL-2.0-or-later
#include "parallel.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

struct work {
	void (*job)(void *ctx, size_t i);
	void *ctx;
	size_t n_jobs;
	atomic_size_t next;
};

static void *work_on(void *arg)
{
	struct work *w = arg;
	size_t i;

	while ((i = atomic_fetch_add(&w->next, 1)) < w->n_jobs)
		w->job(w->ctx, i);
	return NULL;
}

static unsigned int count_processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	return (unsigned int)CPU_COUNT(&set);
}

int parallel_run(size_t n_jobs, unsigned int n_threads, void (*job)(void *ctx, size_t i), void *ctx)
{
	struct work w = { .job = job, .ctx = ctx, .n_jobs = n_jobs };
	pthread_t helpers[PARALLEL_THREADS_MAX - 1];
	size_t n = 0, want;
	sigset_t all, before;

	if (n_threads == 0)
		n_threads = count_processors();
	want = min_size(min_size(n_threads, PARALLEL_THREADS_MAX), n_jobs);
	/* Helpers inherit the mask: signals that mean the process stay with the caller. */
	sigfillset(&all);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGSEGV);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	while (n + 1 < want && pthread_create(&helpers[n], NULL, work_on, &w) == 0)
		n++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	work_on(&w);
	for (size_t i = 0; i < n; i++)
		pthread_join(helpers[i], NULL);
	return (int)n + 1;
}
