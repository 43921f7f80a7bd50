// SPDX-License-Identifier: GPL-2.0-or-later
#include "rehearsal_stage.h"

#include <errno.h>
#include <time.h>

#include "advice.h"

double rehearsal_now(void)
{
	struct timespec t = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct rehearsal_stage *rehearsal_add_stage(struct rehearsal *out, double *start, const char *name,
					    enum rehearsed verdict)
{
	struct rehearsal_stage *s = &out->stages[out->n_stages];
	const double now = rehearsal_now();

	if (out->n_stages + 1 < REHEARSAL_STAGES_MAX)
		out->n_stages++;
	*s = (struct rehearsal_stage){ .name = name, .verdict = verdict, .text = "" };
	s->seconds = now - *start;
	*start = now;
	if (verdict > out->verdict)
		out->verdict = verdict;
	return s;
}

int rehearsal_add_failure(struct rehearsal *out, double *start, struct arena *a, const char *name,
			  const struct diag *why, enum rehearsed verdict)
{
	struct rehearsal_stage *s = rehearsal_add_stage(out, start, name, verdict);

	s->id = why->id;
	s->text = arena_printf(a, "%s", why->text);
	s->advice = arena_printf(a, "%s", advice_of(why));
	return s->text && s->advice ? 0 : -ENOMEM;
}

int rehearsal_set_text(struct rehearsal_stage *s, struct arena *a, const char *fmt, va_list args)
{
	s->text = arena_vprintf(a, fmt, args);
	return s->text ? 0 : -ENOMEM;
}
