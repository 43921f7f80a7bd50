// SPDX-License-Identifier: GPL-2.0-or-later
#include "report.h"

#include <errno.h>
#include <inttypes.h>

#include "handoff.h"
#include "json_out.h"

#define NAME_WIDTH	11

static const char *verdict_text(uint32_t verdict)
{
	switch (verdict) {
	case VERDICT_MATCH:
		return "everything was as it had been loaded";
	case VERDICT_UNCHECKED:
		return "nothing was to be verified";
	case VERDICT_NONE:
		return "purgatory did not run";
	default:
		return "of another version";
	}
}

static void print_ms(FILE *out, uint64_t us)
{
	fprintf(out, "%" PRIu64 ".%03" PRIu64 " ms", us / 1000, us % 1000);
}

static void print_step(FILE *out, enum last_step step, const struct last_figure *f)
{
	fprintf(out, "%-*s ", NAME_WIDTH, last_step_id(step));
	if (f->state == LAST_STEP_UNKNOWN) {
		fprintf(out, "unknown: %s\n", f->why);
		return;
	}
	fprintf(out, "%s%8" PRIu64 ".%03" PRIu64 " ms",
		f->state == LAST_STEP_AT_MOST ? "at most " : "        ", f->us / 1000, f->us % 1000);
	if (f->error_us > 0) {
		fputs(" +- ", out);
		print_ms(out, f->error_us);
	}
	fprintf(out, "  %s%s%s\n", last_step_text(step), f->why ? "; " : "", f->why ? f->why : "");
}

static void print_noted(FILE *out, const struct last *l)
{
	const struct tsc_clock *c = &l->clock;

	fprintf(out, "%-*s kexec, %s on %s%s\n", NAME_WIDTH, "started by", l->note.loader,
		l->note.release[0] ? l->note.release : "an unknown kernel",
		l->note.flags & BOOT_NOTE_CRASH ? ", for a panic" : "");
	fprintf(out, "%-*s %s", NAME_WIDTH, "verified", verdict_text(l->note.verdict));
	if (l->note.n_nmis > 0)
		fprintf(out, "; %" PRIu32 " NMIs meanwhile", l->note.n_nmis);
	fprintf(out, "\n%-*s ", NAME_WIDTH, "TSC");
	if (c->khz == 0)
		fputs("unknown rate", out);
	else
		fprintf(out, "%" PRIu64 ".%03" PRIu64 " MHz, from %s", c->khz / 1000, c->khz % 1000,
			c->khz_source);
	fprintf(out, "%s\n\n", c->is_unstable ? "; the kernel does not trust it" : "");
	for (int i = 0; i < N_LAST_STEPS; i++)
		print_step(out, (enum last_step)i, &l->steps[i]);
}

void report_last(FILE *out, const struct last *l)
{
	fprintf(out, "%s", l->kind == LAST_NOTED ? "" : "this kernel ");
	switch (l->kind) {
	case LAST_NOTED:
		print_noted(out, l);
		break;
	case LAST_OTHER:
		fprintf(out, "was started by kexec (loader type 0x%02x), but not by a load that leaves "
			"a note: kexec_file_load, kexec-tools or another image than Linux\n",
			l->loader_type);
		break;
	case LAST_FIRMWARE:
		fprintf(out, "was started by a boot loader (type 0x%02x), not by kexec\n",
			l->loader_type);
		break;
	case LAST_UNKNOWN:
		fputs("does not show how it was started: no /sys/kernel/boot_params\n", out);
		break;
	}
}

#ifdef HAVE_JSON_C

static const char *const kinds[] = {
	[LAST_UNKNOWN] = "unknown",
	[LAST_FIRMWARE] = "boot-loader",
	[LAST_OTHER] = "other-kexec",
	[LAST_NOTED] = "kexec-ng",
};

static const char *const states[] = {
	[LAST_STEP_UNKNOWN] = "unknown",
	[LAST_STEP_KNOWN] = "known",
	[LAST_STEP_AT_MOST] = "at-most",
};

static void put_tsc(struct json_out *j, struct json_object *to, const struct tsc_clock *c)
{
	struct json_object *o = json_out_new(j, to, "tsc", json_object_new_object());

	if (c->khz)
		json_out_number(j, o, "khz", c->khz);
	else
		json_out_null(j, o, "khz");
	json_out_text(j, o, "source", c->khz ? c->khz_source : NULL);
	json_out_bool(j, o, "stable", !c->is_unstable);
}

static void put_steps(struct json_out *j, struct json_object *to, const struct last *l)
{
	struct json_object *list = json_out_new(j, to, "steps", json_object_new_array());

	for (int i = 0; i < N_LAST_STEPS; i++) {
		const struct last_figure *f = &l->steps[i];
		struct json_object *o = json_out_element(j, list);

		json_out_text(j, o, "name", last_step_id((enum last_step)i));
		json_out_text(j, o, "state", states[f->state]);
		if (f->state == LAST_STEP_UNKNOWN)
			json_out_null(j, o, "us");
		else
			json_out_number(j, o, "us", f->us);
		json_out_number(j, o, "error_us", f->error_us);
		json_out_text(j, o, "text", last_step_text((enum last_step)i));
		json_out_text(j, o, "why", f->why);
	}
}

int report_last_json(FILE *out, const struct last *l, struct diag *diag)
{
	struct json_object *o;
	struct json_out j;

	json_out_start(&j);
	o = json_out_new(&j, j.top, "last", json_object_new_object());
	json_out_text(&j, o, "started_by", kinds[l->kind]);
	if (l->kind == LAST_UNKNOWN)
		json_out_null(&j, o, "loader_type");
	else
		json_out_number(&j, o, "loader_type", l->loader_type);
	if (l->kind == LAST_NOTED) {
		json_out_text(&j, o, "loader", l->note.loader);
		json_out_text(&j, o, "from_release", l->note.release);
		json_out_bool(&j, o, "for_panic", l->note.flags & BOOT_NOTE_CRASH);
		json_out_bool(&j, o, "verified", l->note.verdict == VERDICT_MATCH);
		json_out_number(&j, o, "nmis", l->note.n_nmis);
		put_tsc(&j, o, &l->clock);
		put_steps(&j, o, l);
	}
	return report_json_finish(&j, out, diag);
}

#else

int report_last_json(FILE *out, const struct last *l, struct diag *diag)
{
	(void)out, (void)l;
	return report_json_check(diag);
}

#endif
