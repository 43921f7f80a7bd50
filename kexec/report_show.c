// SPDX-License-Identifier: GPL-2.0-or-later
#include "report.h"

#include <inttypes.h>
#include <time.h>

#include "json_out.h"

#define NAME_WIDTH	11

static const char *const file_words[] = {
	[RECORD_FILE_UNKNOWN] = "unknown",
	[RECORD_FILE_SAME] = "same",
	[RECORD_FILE_CHANGED] = "changed",
	[RECORD_FILE_GONE] = "gone",
};

static void line(FILE *out, const char *name, const char *text)
{
	fprintf(out, "%-*s ", NAME_WIDTH, name);
	report_clean(out, text);
	fputc('\n', out);
}

/* "2026-11-27T11:40:02Z" */
static const char *time_text(uint64_t seconds, char ret[static 40])
{
	const time_t t = (time_t)seconds;
	struct tm tm;

	if ((uint64_t)t != seconds || !gmtime_r(&t, &tm) ||
	    strftime(ret, 40, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		return "at an unknown time";
	return ret;
}

static void print_who(FILE *out, const struct record *r)
{
	char when[40];

	fprintf(out, "%-*s %s by uid %" PRIu64, NAME_WIDTH, "loaded", time_text(r->time, when), r->uid);
	if (r->has_login)
		fprintf(out, ", logged in as uid %" PRIu64, r->login_uid);
	if (r->sudo_user) {
		fputs(", by sudo from ", out);
		report_clean(out, r->sudo_user);
	}
	fprintf(out, ", process %" PRIu64, r->pid);
	if (r->parent) {
		fputs(" of ", out);
		report_clean(out, r->parent);
	}
	fprintf(out, "\n%-*s ", NAME_WIDTH, "how");
	report_clean(out, r->loader);
	fputs(" by ", out);
	report_clean(out, r->call);
	fputc('\n', out);
}

static void print_record(FILE *out, const struct show_image *s)
{
	const struct record *r = &s->record;
	char size[SIZE_TEXT_LEN];

	print_who(out, r);
	fprintf(out, "%-*s ", NAME_WIDTH, "image");
	report_clean(out, r->type);
	if (r->kernel_version) {
		fputs(", ", out);
		report_clean(out, r->kernel_version);
	}
	fputc('\n', out);
	line(out, "cmdline", r->cmdline);
	for (size_t i = 0; i < r->n_files; i++) {
		static const char *const says[] = {
			[RECORD_FILE_UNKNOWN] = "",
			[RECORD_FILE_SAME] = ", not changed since",
			[RECORD_FILE_CHANGED] = ", CHANGED since: what is loaded is older",
			[RECORD_FILE_GONE] = ", gone since",
		};

		fprintf(out, "%-*s ", NAME_WIDTH, i == 0 ? "files" : "");
		report_clean(out, r->files[i].role);
		fputc(' ', out);
		report_clean(out, r->files[i].path);
		fprintf(out, ", %s%s\n", report_size(r->files[i].len, size), says[s->files[i]]);
	}
	for (size_t i = 0; i < r->n_segments; i++) {
		const struct record_segment *g = &r->segments[i];

		fprintf(out, "%-*s ", NAME_WIDTH, i == 0 ? "segments" : "");
		report_clean(out, g->name);
		fprintf(out, " at 0x%" PRIx64 ", %s\n", g->addr, report_size(g->mem_len, size));
	}
	if (r->n_segments == 0)
		line(out, "segments", "the running kernel placed them, and does not tell where");
}

static const char *state_text(const struct show_image *s)
{
	switch (s->state) {
	case SHOW_UNKNOWN:
		return "the running kernel does not say whether one is loaded";
	case SHOW_NOTHING:
		return "nothing is loaded";
	case SHOW_RECORDED:
		return "loaded";
	case SHOW_MAYBE:
		if (s->is_interrupted)
			return "loaded, but perhaps not this: a later load was interrupted, or is "
			       "under way";
		return "loaded, but perhaps not this: by kernel.kexec_load_limit_ other calls may "
		       "have been made since";
	case SHOW_FOREIGN:
		return s->is_stale ? "loaded, by somebody else: the record is of another load" :
				     "loaded, by a program that leaves no record";
	case SHOW_UNREADABLE:
		break;
	}
	return "loaded";
}

void report_show(FILE *out, const struct show_image *s)
{
	line(out, s->is_crash ? "for a panic" : "next boot", state_text(s));
	if (s->state == SHOW_NOTHING && s->is_stale)
		line(out, "", "the record of a load is left from what was unloaded by somebody else");
	if (s->state == SHOW_UNREADABLE)
		line(out, "", s->why.text);
	if (s->state == SHOW_RECORDED || s->state == SHOW_MAYBE)
		print_record(out, s);
}

#ifdef HAVE_JSON_C

static void put_record(struct json_out *j, struct json_object *to, const struct show_image *s)
{
	const struct record *r = &s->record;
	struct json_object *list;
	char when[40];

	json_out_text(j, to, "time", time_text(r->time, when));
	json_out_number(j, to, "uid", r->uid);
	if (r->has_login)
		json_out_number(j, to, "login_uid", r->login_uid);
	else
		json_out_null(j, to, "login_uid");
	json_out_text(j, to, "sudo_user", r->sudo_user);
	json_out_number(j, to, "pid", r->pid);
	json_out_text(j, to, "parent", r->parent);
	json_out_text(j, to, "loader", r->loader);
	json_out_text(j, to, "call", r->call);
	json_out_text(j, to, "type_text", r->type);
	json_out_text(j, to, "kernel_version", r->kernel_version);
	json_out_text(j, to, "cmdline", r->cmdline);
	list = json_out_new(j, to, "files", json_object_new_array());
	for (size_t i = 0; i < r->n_files; i++) {
		struct json_object *o = json_out_element(j, list);

		json_out_text(j, o, "role", r->files[i].role);
		json_out_text(j, o, "path", r->files[i].path);
		json_out_number(j, o, "len", r->files[i].len);
		json_out_text(j, o, "now", file_words[s->files[i]]);
	}
	list = json_out_new(j, to, "segments", json_object_new_array());
	for (size_t i = 0; i < r->n_segments; i++) {
		struct json_object *o = json_out_element(j, list);

		json_out_text(j, o, "name", r->segments[i].name);
		json_out_addr(j, o, "addr", r->segments[i].addr);
		json_out_number(j, o, "len", r->segments[i].len);
		json_out_number(j, o, "mem_len", r->segments[i].mem_len);
	}
}

int report_show_json(FILE *out, const struct show_image *images, size_t n, struct diag *diag)
{
	static const char *const states[] = {
		[SHOW_UNKNOWN] = "unknown",	[SHOW_NOTHING] = "nothing",
		[SHOW_RECORDED] = "recorded",	[SHOW_MAYBE] = "maybe-other",
		[SHOW_FOREIGN] = "foreign",	[SHOW_UNREADABLE] = "unreadable",
	};
	struct json_object *show;
	struct json_out j;

	json_out_start(&j);
	show = json_out_new(&j, j.top, "show", json_object_new_object());
	for (size_t i = 0; i < n; i++) {
		const struct show_image *s = &images[i];
		struct json_object *o = json_out_new(&j, show, s->is_crash ? "panic" : "boot",
						     json_object_new_object());

		json_out_text(&j, o, "state", states[s->state]);
		json_out_bool(&j, o, "stale_record", s->is_stale);
		if (s->state == SHOW_UNREADABLE)
			json_out_text(&j, o, "why", s->why.text);
		if (s->state == SHOW_RECORDED || s->state == SHOW_MAYBE)
			put_record(&j, json_out_new(&j, o, "record", json_object_new_object()), s);
	}
	return report_json_finish(&j, out, diag);
}

#else

int report_show_json(FILE *out, const struct show_image *images, size_t n, struct diag *diag)
{
	(void)out, (void)images, (void)n, (void)file_words;
	return report_json_check(diag);
}

#endif
