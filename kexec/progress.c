// SPDX-License-Identifier: GPL-2.0-or-later
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS	500
#define INTERVAL_MS	100
#define BAR_LEN		(4 * PROGRESS_STAGES)

static void draw(struct progress *p, unsigned int n_ticks)
{
	static const char spinner[] = "|/-\\";
	unsigned int n = (unsigned int)min_u64(atomic_load(&p->n_stages), PROGRESS_STAGES);
	unsigned int full = n * BAR_LEN / PROGRESS_STAGES;
	char bar[BAR_LEN + 1];

	for (unsigned int i = 0; i < BAR_LEN; i++)
		bar[i] = i < full ? '#' : '.';
	bar[BAR_LEN] = '\0';
	fprintf(stderr, "\r[%s] %c %s\033[K", bar, spinner[n_ticks % 4], atomic_load(&p->stage));
}

static struct timespec after(unsigned int ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += (long)ms * 1000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

static void *show(void *arg)
{
	struct progress *p = arg;
	unsigned int n_ticks = 0;

	pthread_mutex_lock(&p->lock);
	while (!atomic_load(&p->is_over)) {
		struct timespec until = after(n_ticks == 0 ? PATIENCE_MS : INTERVAL_MS);

		/* Woken early: over, or for no reason, and then drawing early does no harm. */
		pthread_cond_timedwait(&p->wake, &p->lock, &until);
		if (!atomic_load(&p->is_over))
			draw(p, n_ticks++);
	}
	pthread_mutex_unlock(&p->lock);
	if (n_ticks > 0)
		fputs("\r\033[K", stderr);
	return NULL;
}

void progress_start(struct progress *p)
{
	pthread_condattr_t attributes;

	memset(p, 0, sizeof(*p));
	atomic_init(&p->stage, "reading the files");
	if (!isatty(STDERR_FILENO))
		return;
	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&p->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	p->is_running = pthread_create(&p->thread, NULL, show, p) == 0;
}

void progress_stage(struct progress *p, const char *stage)
{
	atomic_store(&p->stage, stage);
	atomic_fetch_add(&p->n_stages, 1);
}

void progress_end(struct progress *p)
{
	if (!p->is_running)
		return;
	pthread_mutex_lock(&p->lock);
	atomic_store(&p->is_over, true);
	pthread_cond_signal(&p->wake);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	p->is_running = false;
}
