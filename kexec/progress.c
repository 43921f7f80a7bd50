// SPDX-License-Identifier: GPL-2.0-or-later
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS	500
#define INTERVAL_MS	100
#define BAR_LEN		(4 * PROGRESS_STAGES)
#define ONE_MORE	0x100u		/* of the stages that there were; the stage itself is below */

/* Whatever the state says. */
static const char *stage_text(unsigned int state)
{
	static const char *const texts[] = {
		[PROGRESS_READING] = "reading the files",
		[PROGRESS_UNWRAPPING] = "unwrapping the kernel",
		[PROGRESS_UNPACKING_INITRD] = "unpacking the initrd",
		[PROGRESS_PLANNING] = "planning, unpacking the kernel",
		[PROGRESS_WEIGHING] = "weighing it against the reservation",
		[PROGRESS_DIGESTS] = "computing digests",
		[PROGRESS_HANDING_OVER] = "handing it to the running kernel",
		[PROGRESS_INSPECTING] = "looking into the image",
		[PROGRESS_EXPORTING] = "making the file",
		[PROGRESS_REHEARSING] = "rehearsing",
	};
	const unsigned int stage = state % ONE_MORE;

	return texts[stage < N_PROGRESS ? stage : PROGRESS_READING];
}

static void draw(struct progress *p, unsigned int n_ticks)
{
	static const char spinner[] = "|/-\\";
	const unsigned int state = atomic_load(p->state);
	unsigned int n = (unsigned int)min_u64(state / ONE_MORE, PROGRESS_STAGES);
	unsigned int full = n * BAR_LEN / PROGRESS_STAGES;
	char bar[BAR_LEN + 1];

	for (unsigned int i = 0; i < BAR_LEN; i++)
		bar[i] = i < full ? '#' : '.';
	bar[BAR_LEN] = '\0';
	fprintf(stderr, "\r[%s] %c %s\033[K", bar, spinner[n_ticks % 4], stage_text(state));
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

void progress_none(struct progress *p)
{
	memset(p, 0, sizeof(*p));
	p->state = &p->own_state;
}

void progress_start(struct progress *p)
{
	pthread_condattr_t attributes;

	progress_none(p);
	if (!isatty(STDERR_FILENO))
		return;
	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&p->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	p->is_running = pthread_create(&p->thread, NULL, show, p) == 0;
}

void progress_stage(struct progress *p, enum progress_stage stage)
{
	const unsigned int n = atomic_load(p->state) / ONE_MORE + 1;

	atomic_store(p->state, n * ONE_MORE + stage);
}

void progress_share(struct progress *p, atomic_uint *state)
{
	atomic_uint *to = state ? state : &p->own_state;

	atomic_store(to, atomic_load(p->state));
	if (p->is_running)
		pthread_mutex_lock(&p->lock);
	p->state = to;
	if (p->is_running)
		pthread_mutex_unlock(&p->lock);
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
