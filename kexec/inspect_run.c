// SPDX-License-Identifier: GPL-2.0-or-later
#include "inspect_run.h"

#include <string.h>

#include "advice.h"
#include "arch/x86/x86.h"
#include "load.h"
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

static void put_notes(struct inspection *in, const struct diag *diag)
{
	struct item *list = inspect_list(in, in->top, "notes");

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
static void judge_crash(const struct options *o, struct inspection *in, struct item *list,
			struct arena *a)
{
	struct options crash = *o;
	struct diag why;
	struct load l;

	crash.load_crash = true;
	diag_init(&why, a);
	load_init(&l, &crash, a);
	if (load_read(&l, &why) == 0 && load_plan(&l, &why) == 0)
		put_verdict(in, list, "-p", "auto", l.plan.entry_name, &why);
	else
		put_verdict(in, list, "-p", "auto", NULL, &why);
	load_free(&l);
}

static void judge(struct load *l, struct inspection *in, int read_result, struct diag *why)
{
	struct item *list = inspect_list(in, in->top, "verdicts");

	if (read_result < 0) {
		put_verdict(in, list, "-l", "auto", NULL, why);
	} else {
		judge_load(l, in, list, why);
		judge_crash(l->options, in, list, l->arena);
	}
	put_notes(in, why);
}

static int print(const struct options *o, const struct inspection *in, struct diag *diag)
{
	if (in->is_short)
		return fail_nomem(diag);
	if (o->json)
		return report_inspection_json(stdout, in, diag);
	report_inspection(stdout, in, report_columns());
	return 0;
}

int inspect_run(const struct options *o, struct arena *a, struct diag *diag)
{
	struct inspect_memory *memory = NULL;
	struct inspection in;
	struct diag why;
	struct load l;
	int r, read_result;

	if (o->json) {
		r = report_json_check(diag);
		if (r < 0)
			return r;
	}
	load_init(&l, o, a);
	file_catch_truncation();
	diag_init(&why, a);
	/* Fails where the machine cannot be read or the kernel not be opened; the file is mapped. */
	read_result = load_read(&l, &why);
	if (l.kernel.bytes.len == 0) {
		diag_take_failure(diag, &why);
		r = -diag->error;
	} else {
		progress_stage(&l.progress, PROGRESS_INSPECTING);
		r = x86_inspect(l.kernel.bytes, o->kernel, o->profile, a, &memory, &in, diag);
	}
	if (r == 0)
		judge(&l, &in, read_result, &why);
	progress_end(&l.progress);
	if (r == 0)
		r = print(o, &in, diag);
	x86_inspect_free(memory);
	load_free(&l);
	return r;
}
