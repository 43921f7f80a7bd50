/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why a thing failed, said once, by the place that discovered it. Ids such as
 * "bzimage/setup-truncated" are stable and unique in the source: tests and JSON use them, people
 * read the text, which says what was expected, what was found and, in the advice, what to do.
 *
 * Notes are what a person should know about a load that goes on.
 */
#ifndef KEXEC_NG_DIAG_H
#define KEXEC_NG_DIAG_H

#include "arena.h"

#define DIAG_TEXT_LEN	768	/* longer texts are cut */

struct diag_note {
	struct diag_note *next;
	const char *id;
	const char *text;
	bool is_warning; /* shown even when nobody asked: something the user may miss is lost */
};

struct diag {
	struct arena *arena;		/* for notes; may be NULL: then notes are dropped */
	int error;			/* 0, or the positive errno of the failure */
	const char *id;			/* NULL while nothing failed */
	char text[DIAG_TEXT_LEN];
	char advice[DIAG_TEXT_LEN];	/* "" if there is none */
	struct diag_note *notes;	/* oldest first */
	struct diag_note **notes_end;
};

void diag_init(struct diag *d, struct arena *a);
/* Forgets the failure, keeps the notes. */
void diag_clear(struct diag *d);

/* Records the failure and returns -error, so that callers can write return fail(...). The first
 * failure of a diag is kept: a caller that fails because its callee failed adds nothing. */
printf_like(4, 5) int fail(struct diag *d, int error, const char *id, const char *fmt, ...);
/* fail(), with an action line after it: what the person can do. */
printf_like(2, 3) int fail_advise(struct diag *d, const char *fmt, ...);
/* The one for arena_alloc() returning NULL. */
int fail_nomem(struct diag *d);
printf_like(3, 4) void note(struct diag *d, const char *id, const char *fmt, ...);
printf_like(3, 4) void warn(struct diag *d, const char *id, const char *fmt, ...);
/* Moves the notes of another diag, with the same arena, to the end of d's. */
void diag_take_notes(struct diag *d, struct diag *from);
/* Makes the failure of another diag d's own and returns it, as fail() does. */
int diag_take_failure(struct diag *d, const struct diag *from);
/* The note with this id, or NULL. */
const struct diag_note *diag_find_note(const struct diag *d, const char *id);

#endif
