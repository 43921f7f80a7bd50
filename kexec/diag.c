// SPDX-License-Identifier: GPL-2.0-or-later
#include "diag.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void diag_init(struct diag *d, struct arena *a)
{
	memset(d, 0, sizeof(*d));
	d->arena = a;
	d->notes_end = &d->notes;
}

void diag_clear(struct diag *d)
{
	d->error = 0;
	d->id = NULL;
	d->text[0] = '\0';
	d->advice[0] = '\0';
}

int fail(struct diag *d, int error, const char *id, const char *fmt, ...)
{
	va_list args;

	if (d->error != 0)
		return -d->error;
	d->error = error;
	d->id = id;
	va_start(args, fmt);
	vsnprintf(d->text, sizeof(d->text), fmt, args);
	va_end(args);
	return -error;
}

int fail_advise(struct diag *d, const char *fmt, ...)
{
	va_list args;

	if (d->advice[0] != '\0')
		return -d->error;
	va_start(args, fmt);
	vsnprintf(d->advice, sizeof(d->advice), fmt, args);
	va_end(args);
	return -d->error;
}

int fail_nomem(struct diag *d)
{
	fail(d, ENOMEM, "memory/exhausted", "this process got no more memory");
	return fail_advise(d, "free some memory, or raise the limit of this process (ulimit -v, "
			      "cgroup)");
}

static void add_note(struct diag *d, const char *id, bool is_warning, const char *fmt, va_list args)
{
	struct diag_note *n;

	if (!d->arena)
		return;
	n = arena_alloc(d->arena, sizeof(*n));
	if (!n)
		return;
	n->text = arena_vprintf(d->arena, fmt, args);
	if (!n->text)
		return;
	n->id = id;
	n->is_warning = is_warning;
	*d->notes_end = n;
	d->notes_end = &n->next;
}

void note(struct diag *d, const char *id, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add_note(d, id, false, fmt, args);
	va_end(args);
}

void warn(struct diag *d, const char *id, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add_note(d, id, true, fmt, args);
	va_end(args);
}

void diag_take_notes(struct diag *d, struct diag *from)
{
	if (!from->notes)
		return;
	*d->notes_end = from->notes;
	d->notes_end = from->notes_end;
	from->notes = NULL;
	from->notes_end = &from->notes;
}

int diag_take_failure(struct diag *d, const struct diag *from)
{
	fail(d, from->error, from->id, "%s", from->text);
	return from->advice[0] != '\0' ? fail_advise(d, "%s", from->advice) : -from->error;
}

const struct diag_note *diag_find_note(const struct diag *d, const char *id)
{
	for (const struct diag_note *n = d->notes; n; n = n->next)
		if (strcmp(n->id, id) == 0)
			return n;
	return NULL;
}
