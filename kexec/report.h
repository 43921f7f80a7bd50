/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What people and programs get to read: help, a plan as text, as JSON and as a picture of memory,
 * notes and failures. Everything is a function of its arguments (report_columns() excepted) and
 * goes to the stream given; nothing is printed while a plan is made.
 */
#ifndef KEXEC_NG_REPORT_H
#define KEXEC_NG_REPORT_H

#include <stdio.h>

#include "budget.h"
#include "check.h"
#include "image.h"
#include "last.h"
#include "options.h"
#include "show.h"

/* A plan that is placed and finished, and what it was made from. */
struct report {
	const struct options *options;
	const struct request *request;
	const struct facts *facts;
	const struct plan *plan;
	const struct budget *budget;	/* NULL if it is not for a panic, or not known */
	const struct diag *diag;	/* its notes */
};

/* 80 columns, grouped, from option_table. */
void report_help(FILE *out);
/* For --dry-run and -d; the notes are part of it. */
void report_text(FILE *out, const struct report *r);
/*
 * A picture of physical memory and where the segments are in it, ASCII, to scale. Every line of
 * the picture has the same width, at most columns. -ENOMEM.
 */
must_check int report_map(FILE *out, const struct report *r, unsigned int columns,
			  struct diag *diag);
/* $COLUMNS if that is a sensible number, else 80. */
unsigned int report_columns(void);

/* 0, or what report_json() would say if this program was built without json-c. */
must_check int report_json_check(struct diag *diag);
/*
 * doc/json.md is the contract. Equal input gives equal bytes. -EOPNOTSUPP "json/not-built" when
 * kexec was built without json-c, -ENOMEM.
 */
must_check int report_json(FILE *out, const struct report *r, struct diag *diag);
/* The same for a load that failed: { "format": ..., "error": ..., "notes": ... }. */
must_check int report_json_failure(FILE *out, const struct diag *failure, struct diag *diag);

/*
 * "kexec: WHAT: TEXT [id]", WHAT being what could not be done ("cannot load vmlinuz") or NULL, and
 * "kexec: try: ADVICE", the failure's own or its kind's (advice.h). Control characters come out as '?'.
 */
void report_failure(FILE *out, const struct diag *failure, const char *what);
/* That on stderr, and with --json what report_json_failure() makes of it on stdout. */
void report_failure_of(const struct options *o, const struct diag *failure);
/* "kexec: note: TEXT [id]", or "warning" for "note", one line each. */
void report_notes(FILE *out, const struct diag *diag);
/* Those of them that are warnings. */
void report_warnings(FILE *out, const struct diag *diag);

/* The one with this id, if it is among them. */
void report_note(FILE *out, const struct diag *diag, const char *id);

/* Text from outside: a terminal must not obey it. */
void report_clean(FILE *out, const char *text);

/* --check: what was found, and what that means for what was asked; and the exit status: 0 all of it
 * would work, 1 something would not, 2 of something nobody knows. */
void report_check(FILE *out, const struct options *o, const struct check_report *r);
must_check int report_check_json(FILE *out, const struct options *o, const struct check_report *r,
				 struct diag *diag);
int report_check_status(const struct options *o, const struct check_report *r);
/* Prints what was made, and frees it; -ENOMEM. */
struct json_out;
must_check int report_json_finish(struct json_out *j, FILE *out, struct diag *diag);
/* --show: what is loaded; as JSON n of them, for each kind of load one at most. */
void report_show(FILE *out, const struct show_image *s);
must_check int report_show_json(FILE *out, const struct show_image *images, size_t n,
				struct diag *diag);
/* --last: how this kernel was started, for people and as JSON. */
void report_last(FILE *out, const struct last *l);
must_check int report_last_json(FILE *out, const struct last *l, struct diag *diag);

/* The budget, item by item; part of report_text(). */
void report_budget(FILE *out, const struct budget *b);

/* "58.6 MiB", "512 B": three digits that count, powers of 1024. For reports and messages. */
#define SIZE_TEXT_LEN	32
const char *report_size(uint64_t len, char ret[SIZE_TEXT_LEN]);
const char *report_map_source(enum map_source source);

#endif
