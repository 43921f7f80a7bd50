// SPDX-License-Identifier: GPL-2.0-or-later
#include "questions.h"

#include <stdio.h>

#include "host.h"
#include "host_check.h"
#include "report.h"
#include "tsc.h"

#define STATUS_FAILED	255

static const char *root_of(const struct options *o)
{
	return o->host_root ? o->host_root : "";
}

/* What was to be printed may not have been possible. */
static int printed(int r, int status, struct diag *diag)
{
	if (r == 0)
		return status;
	report_failure(stderr, diag, NULL);
	return STATUS_FAILED;
}

/* There is no answer: with --json that is one, too. */
static int fail_answer(const struct options *o, struct diag *diag)
{
	report_failure_of(o, diag);
	return STATUS_FAILED;
}

/* Notes are about loads, and nobody asked for one. */
static int read_machine(const struct options *o, struct arena *a, struct facts *ret,
			struct diag *diag)
{
	struct diag why;
	int r;

	diag_init(&why, NULL);
	r = host_read(root_of(o), a, ret, &why);
	return r < 0 ? diag_take_failure(diag, &why) : 0;
}

static int answer_check(const struct options *o, const struct facts *facts, struct arena *a,
			struct diag *diag)
{
	struct check_facts more = { 0 };
	const struct check_input in = { .facts = facts, .more = &more };
	struct check_report report;
	int r = host_read_check(root_of(o), facts, a, &more, diag);

	if (r < 0)
		return fail_answer(o, diag);
	check_all(&in, &report);
	if (o->json)
		r = report_check_json(stdout, o, &report, diag);
	else
		report_check(stdout, o, &report);
	return printed(r, report_check_status(o, &report), diag);
}

/* 0 with figures, 1 by another kexec, 2 by none. */
static int answer_last(const struct options *o, const struct facts *facts, struct diag *diag)
{
	static const int statuses[] = {
		[LAST_NOTED] = 0,
		[LAST_OTHER] = 1,
		[LAST_FIRMWARE] = 2,
		[LAST_UNKNOWN] = STATUS_FAILED,
	};
	struct tsc_clock clock = { .start_source = "another machine's clock",
				   .init_source = "another machine's log" };
	struct last last;
	int r = 0;

	if (!o->host_root)
		tsc_read(&clock);
	last_compute(facts, &clock, &last);
	if (o->json)
		r = report_last_json(stdout, &last, diag);
	else
		report_last(stdout, &last);
	return printed(r, statuses[last.kind], diag);
}

/* 0 something of what was asked for is loaded, 1 nothing is, 255 nobody knows. */
static int answer_show(const struct options *o, struct arena *a, struct diag *diag)
{
	struct show_image images[2];
	bool is_loaded = false, is_unknown = false;
	size_t n = 0;
	int r = 0;

	if (o->show_load)
		r = show_read(root_of(o), false, a, &images[n++], diag);
	if (r == 0 && o->show_crash)
		r = show_read(root_of(o), true, a, &images[n++], diag);
	if (r < 0)
		return fail_answer(o, diag);
	for (size_t i = 0; i < n; i++) {
		is_unknown |= images[i].state == SHOW_UNKNOWN;
		is_loaded |= images[i].state != SHOW_UNKNOWN && images[i].state != SHOW_NOTHING;
		if (!o->json)
			report_show(stdout, &images[i]);
	}
	if (o->json)
		r = report_show_json(stdout, images, n, diag);
	return printed(r, is_loaded ? 0 : is_unknown ? STATUS_FAILED : 1, diag);
}

int questions_answer(const struct options *o, struct arena *a, struct diag *diag)
{
	struct facts facts = { 0 };
	/* Without json-c there is no object to say that in. */
	int r = o->json ? report_json_check(diag) : 0;

	if (r < 0)
		return printed(r, 0, diag);
	if (o->show)
		return answer_show(o, a, diag);
	if (read_machine(o, a, &facts, diag) < 0)
		return fail_answer(o, diag);
	if (o->check)
		return answer_check(o, &facts, a, diag);
	return answer_last(o, &facts, diag);
}
