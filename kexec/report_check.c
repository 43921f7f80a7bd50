// SPDX-License-Identifier: GPL-2.0-or-later
#include "report.h"

#include <errno.h>
#include <string.h>

#include "json_out.h"

static const char *const words[] = {
	[CHECK_OK] = "ok",
	[CHECK_WARNING] = "warning",
	[CHECK_NO] = "no",
	[CHECK_UNKNOWN] = "unknown",
};

/* Is it about anything that was asked? What forbids and doubts nothing is about all of it. */
static bool is_about(const struct check_finding *f, unsigned int calls)
{
	const unsigned int touched = f->forbids | f->doubts;

	return touched == 0 || (touched & (calls | CHECK_JUMP)) != 0;
}

static unsigned int asked_calls(const struct options *o)
{
	return (o->check_load ? check_target_calls(CHECK_TARGET_LOAD) : 0) |
	       (o->check_crash ? check_target_calls(CHECK_TARGET_CRASH) : 0) |
	       (o->check_file ? check_target_calls(CHECK_TARGET_FILE) : 0);
}

static bool is_asked(const struct options *o, enum check_target target)
{
	switch (target) {
	case CHECK_TARGET_LOAD:
		return o->check_load;
	case CHECK_TARGET_CRASH:
		return o->check_crash;
	case CHECK_TARGET_FILE:
		return o->check_file;
	case N_CHECK_TARGETS:
		break;
	}
	return false;
}

int report_check_status(const struct options *o, const struct check_report *r)
{
	bool is_unknown = false;

	for (int i = 0; i < N_CHECK_TARGETS; i++) {
		if (!is_asked(o, (enum check_target)i))
			continue;
		if (r->verdicts[i] == CHECK_NO)
			return 1;
		is_unknown |= r->verdicts[i] == CHECK_UNKNOWN;
	}
	return is_unknown ? 2 : 0;
}

static const char *verdict_text(enum check_target target, enum check_state verdict,
				unsigned int forbidden)
{
	switch (verdict) {
	case CHECK_OK:
		return "would work";
	case CHECK_WARNING:
		if (forbidden & (CHECK_LOAD | CHECK_CRASH_LOAD) & check_target_calls(target))
			return "would work, by kexec_file_load only";
		return "would work, by kexec_load only";
	case CHECK_NO:
		return "would not work";
	case CHECK_UNKNOWN:
		break;
	}
	return "not known: only trying would tell";
}

void report_check(FILE *out, const struct options *o, const struct check_report *r)
{
	const unsigned int calls = asked_calls(o);

	for (size_t i = 0; i < N_CHECKS; i++) {
		const struct check_finding *f = &r->findings[i];

		if (!is_about(f, calls))
			continue;
		fprintf(out, "%-8s %-12s ", words[f->state], check_table[i].name);
		report_clean(out, f->text);
		if (f->state == CHECK_OK) {
			fputc('\n', out);
			continue;
		}
		fprintf(out, " [%s]\n", f->id);
		if (f->advice[0] != '\0') {
			fprintf(out, "%-8s %-12s try: ", "", "");
			report_clean(out, f->advice);
			fputc('\n', out);
		}
	}
	fputc('\n', out);
	for (int i = 0; i < N_CHECK_TARGETS; i++) {
		const enum check_target target = (enum check_target)i;

		if (is_asked(o, target))
			fprintf(out, "%-8s %s %s\n", words[r->verdicts[i]],
				check_target_option(target),
				verdict_text(target, r->verdicts[i], r->forbidden));
	}
}

#ifdef HAVE_JSON_C

static void put_calls(struct json_out *j, struct json_object *to, const char *key,
		      unsigned int calls)
{
	static const struct {
		unsigned int bit;
		const char *name;
	} names[] = {
		{ CHECK_LOAD, "kexec_load" },
		{ CHECK_FILE, "kexec_file_load" },
		{ CHECK_CRASH_LOAD, "crash-kexec_load" },
		{ CHECK_CRASH_FILE, "crash-kexec_file_load" },
		{ CHECK_JUMP, "jump" },
	};
	struct json_object *list = json_out_new(j, to, key, json_object_new_array());

	for (size_t i = 0; i < array_len(names); i++)
		if (calls & names[i].bit)
			json_out_append(j, list, json_object_new_string(names[i].name));
}

int report_check_json(FILE *out, const struct options *o, const struct check_report *r,
		      struct diag *diag)
{
	struct json_object *check, *list, *verdicts;
	struct json_out j;

	json_out_start(&j);
	check = json_out_new(&j, j.top, "check", json_object_new_object());
	verdicts = json_out_new(&j, check, "verdicts", json_object_new_object());
	for (int i = 0; i < N_CHECK_TARGETS; i++)
		if (is_asked(o, (enum check_target)i))
			json_out_text(&j, verdicts, check_target_option((enum check_target)i),
				      words[r->verdicts[i]]);
	list = json_out_new(&j, check, "items", json_object_new_array());
	for (size_t i = 0; i < N_CHECKS; i++) {
		const struct check_finding *f = &r->findings[i];
		struct json_object *e = NULL;

		if (!is_about(f, asked_calls(o)))
			continue;
		e = json_out_element(&j, list);
		json_out_text(&j, e, "name", check_table[i].name);
		json_out_text(&j, e, "state", words[f->state]);
		json_out_text(&j, e, "id", f->id);
		json_out_text(&j, e, "text", f->text);
		json_out_text(&j, e, "advice", f->advice[0] != '\0' ? f->advice : NULL);
		put_calls(&j, e, "forbids", f->forbids);
		put_calls(&j, e, "doubts", f->doubts);
	}
	return report_json_finish(&j, out, diag);
}

#else

int report_check_json(FILE *out, const struct options *o, const struct check_report *r,
		      struct diag *diag)
{
	(void)out, (void)o, (void)r;
	return report_json_check(diag);
}

#endif
