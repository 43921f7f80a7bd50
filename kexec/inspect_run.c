// SPDX-License-Identifier: GPL-2.0-or-later
#include "inspect_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advice.h"
#include "arch/x86/x86.h"
#include "handback.h"
#include "load_stages.h"
#include "report.h"
#include "report_inspect.h"

static const struct {
	const char *name;
	enum enter enter;
} ways_in[] = {
	{ "auto", ENTER_AUTO }, { "direct", ENTER_DIRECT }, { "64", ENTER_64 },
	{ "32", ENTER_32 },	{ "16", ENTER_16 },	    { "pvh", ENTER_PVH },
};

static void put_verdict(struct inspection *in, struct item *list, const char *option,
			const char *name, const char *entered, const struct diag *why)
{
	struct item *o = inspect_group(in, list, NULL);

	inspect_text(in, o, "option", option);
	inspect_text(in, o, "enter", name);
	inspect_text(in, o, "verdict", why->id ? "refused" : "loads");
	inspect_text(in, o, "entry", why->id ? NULL : entered);
	inspect_text(in, o, "id", why->id);
	if (why->id)
		inspect_printf(in, o, "text", "%s", why->text);
	else
		inspect_text(in, o, "text", NULL);
	if (why->id)
		inspect_printf(in, o, "advice", "%s", advice_of(why));
	else
		inspect_text(in, o, "advice", NULL);
}

static void put_notes(struct inspection *in, struct item *list, const struct diag *diag)
{
	for (const struct diag_note *n = diag->notes; n; n = n->next) {
		struct item *o = inspect_group(in, list, NULL);

		inspect_text(in, o, "id", n->id);
		inspect_text(in, o, "text", n->text);
		inspect_bool(in, o, "warning", n->is_warning);
	}
}

/* What is no bzImage has an entry of its own, and some have PVH's. */
static bool is_asked(const struct inspection *in, enum enter enter)
{
	if (enter == ENTER_AUTO || strcmp(in->type, "bzImage") == 0)
		return true;
	for (size_t i = 0; i < in->n_ways && enter == ENTER_PVH; i++)
		if (strcmp(in->ways[i].name, "pvh") == 0)
			return !in->ways[i].obstacle;
	return false;
}

/* Of -l, by each entry; what does not depend on the entry is asked once. */
static void judge_load(struct load *l, struct inspection *in, struct item *list, struct diag *why)
{
	bool is_direct = false;

	for (size_t i = 0; i < array_len(ways_in); i++) {
		const char *entered = "direct";
		struct diag one;

		if (!is_asked(in, ways_in[i].enter))
			continue;
		diag_init(&one, l->arena);
		l->request.enter = ways_in[i].enter;
		/* Unpacking takes its time, and auto has done it. */
		if (ways_in[i].enter != ENTER_DIRECT || !is_direct) {
			if (load_plan(l, &one) == 0)
				entered = l->plan.entry_name;
			if (ways_in[i].enter == ENTER_AUTO && !one.id)
				is_direct = strcmp(entered, "direct") == 0;
		}
		put_verdict(in, list, "-l", ways_in[i].name, entered, &one);
		if (ways_in[i].enter == ENTER_AUTO)
			diag_take_notes(why, &one);
	}
}

/* Of -p, on this machine as it is: its reservation, and whether the kernel fits there. */
static void judge_crash(struct load *crash, int read_result, struct inspection *in, struct item *list,
			struct diag *why)
{
	const bool is_good = read_result == 0 && load_plan(crash, why) == 0;

	put_verdict(in, list, "-p", "auto", is_good ? crash->plan.entry_name : NULL, why);
}

struct inspecting {
	struct caged caged;	/* first: the others are found by it */
	struct load l, crash;	/* as for -l and -p: both are read before the work begins */
	int read_result, crash_result;
	struct diag why, crash_why;
	const char *text;	/* what is to be printed */
};

static int print(const struct options *o, const struct inspection *in, const char **ret,
		 struct diag *diag)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int r = 0;

	if (!out || in->is_short) {
		if (out)
			fclose(out);
		free(text);
		return fail_nomem(diag);
	}
	if (o->json)
		r = report_inspection_json(out, in, diag);
	else
		report_inspection(out, in, report_columns());
	if (fclose(out) != 0 && r == 0)
		r = fail_nomem(diag);
	*ret = text;
	return r;
}

static int inspect(struct caged *c, struct diag *diag)
{
	struct inspecting *run = (struct inspecting *)c;
	const struct options *o = run->l.options;
	struct inspect_memory *memory = NULL;
	struct inspection in;
	struct item *list;
	int r;

	/* What they do now they do where this is done. */
	run->l.is_caged = run->crash.is_caged = false;
	progress_stage(&run->l.progress, PROGRESS_INSPECTING);
	r = x86_inspect(run->l.kernel.bytes, o->kernel, o->profile, run->l.arena, &memory, &in,
			diag);
	if (r == 0) {
		list = inspect_list(&in, in.top, "verdicts");
		if (run->read_result == 0)
			judge_load(&run->l, &in, list, &run->why);
		else
			put_verdict(&in, list, "-l", "auto", NULL, &run->why);
		judge_crash(&run->crash, run->crash_result, &in, list, &run->crash_why);
		list = inspect_list(&in, in.top, "notes");
		put_notes(&in, list, diag);
		put_notes(&in, list, &run->why);
		r = print(o, &in, &run->text, diag);
	}
	if (r < 0)
		run->text = NULL;
	x86_inspect_free(memory);
	return r;
}

static void hand_text(struct parcel *p, struct caged *c)
{
	struct inspecting *run = (struct inspecting *)c;

	parcel_text(p, &run->text, TEXT_ANY);
}

/* Text that comes from where nothing is believed: it is no use if it moves a cursor. */
static void put_text(const char *text)
{
	for (; text && *text != '\0'; text++)
		putchar((unsigned char)*text < ' ' && *text != '\n' ? '?' : *text);
}

static int run_inspection(struct inspecting *run, struct diag *diag)
{
	struct load *l = &run->l;

	/* Fails where the machine cannot be read or the kernel not be opened; the file is mapped. */
	run->read_result = load_read(l, &run->why);
	if (l->kernel.bytes.len == 0)
		return diag_take_failure(diag, &run->why);
	run->crash_result = load_read(&run->crash, &run->crash_why);
	return load_run_anywhere(&run->caged, diag);
}

int inspect_run(const struct options *o, struct arena *a, struct diag *diag)
{
	struct options crash_options = *o;
	struct cage cage = { .memfd = -1 };
	struct inspecting run = {
		.caged = { .l = &run.l, .cage = &cage, .work = inspect, .hand = hand_text },
	};
	int r;

	if (o->json) {
		r = report_json_check(diag);
		if (r < 0)
			return r;
	}
	crash_options.load_crash = true;
	load_init(&run.l, o, a);
	load_init(&run.crash, &crash_options, a);
	progress_end(&run.crash.progress);	/* one line is enough */
	run.l.is_caged = run.crash.is_caged = !o->no_sandbox;
	file_catch_truncation();
	diag_init(&run.why, a);
	diag_init(&run.crash_why, a);
	r = run_inspection(&run, diag);
	progress_end(&run.l.progress);
	if (r == 0)
		put_text(run.text);
	cage_close(&cage);
	load_free(&run.crash);
	load_free(&run.l);
	return r;
}
