/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Would a load work on this machine? A table of questions, each a function of the facts, without a
 * load, without rights. explain.h asks the same questions when a load has failed.
 */
#ifndef KEXEC_NG_CHECK_H
#define KEXEC_NG_CHECK_H

#include "check_facts.h"
#include "diag.h"
#include "facts.h"

/* What may be forbidden. */
#define CHECK_LOAD		(1U << 0)	/* kexec_load, for the next boot */
#define CHECK_FILE		(1U << 1)	/* kexec_file_load */
#define CHECK_CRASH_LOAD	(1U << 2)	/* the same for a panic */
#define CHECK_CRASH_FILE	(1U << 3)
#define CHECK_JUMP		(1U << 4)	/* -e */
#define CHECK_LOADS		(CHECK_LOAD | CHECK_FILE)
#define CHECK_CRASH_LOADS	(CHECK_CRASH_LOAD | CHECK_CRASH_FILE)
#define CHECK_ALL		(CHECK_LOADS | CHECK_CRASH_LOADS | CHECK_JUMP)

enum check_state {
	CHECK_OK,
	CHECK_WARNING,		/* it works, but ... */
	CHECK_NO,		/* what it forbids does not work */
	CHECK_UNKNOWN,
};

struct check_input {
	const struct facts *facts;
	const struct check_facts *more;
};

struct check_finding {
	enum check_state state;
	unsigned int forbids;	/* CHECK_ bits that fail for sure ... */
	unsigned int doubts;	/* ... and that may fail, nobody knows */
	const char *id;		/* of what is wrong; "check/ok" if nothing is */
	char text[DIAG_TEXT_LEN];
	char advice[DIAG_TEXT_LEN];	/* "" if there is none */
};

struct check {
	const char *name;	/* stable: "privileges" */
	int error;		/* the errno of a call that it forbids; 0: several */
	void (*run)(const struct check_input *in, struct check_finding *f);
};

extern const struct check check_table[];
#define N_CHECKS	20
extern const size_t n_check_table;

void check_run(const struct check *check, const struct check_input *in, struct check_finding *f);

/* What was asked about. */
enum check_target {
	CHECK_TARGET_LOAD,	/* -l: by whichever call */
	CHECK_TARGET_CRASH,	/* -p */
	CHECK_TARGET_FILE,	/* -s: kexec_file_load */
	N_CHECK_TARGETS,
};

struct check_report {
	struct check_finding findings[N_CHECKS];	/* as in check_table */
	/* CHECK_OK, CHECK_WARNING, CHECK_NO or CHECK_UNKNOWN for each. */
	enum check_state verdicts[N_CHECK_TARGETS];
	unsigned int forbidden;	/* by all of them together */
};

const char *check_target_option(enum check_target target);	/* "-l" */
unsigned int check_target_calls(enum check_target target);
void check_all(const struct check_input *in, struct check_report *ret);

#endif
