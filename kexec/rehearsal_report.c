// SPDX-License-Identifier: GPL-2.0-or-later
#include "rehearsal_report.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "json_out.h"

/* What a kernel printed is from outside: a terminal must not obey it. */
static void print_printed(FILE *out, const char *of, const char *where, const char *text, size_t len)
{
	bool is_line_start = true;

	fprintf(out, "\n%s, %s:\n", where, of);
	for (size_t i = 0; i < len; i++) {
		const unsigned char c = (unsigned char)text[i];

		if (c == '\r')
			continue;
		if (is_line_start && c != '\n')
			fputs("  | ", out);
		is_line_start = c == '\n';
		fputc(c == '\n' || (c >= ' ' && c < 0x7f) ? c : '?', out);
	}
	if (!is_line_start)
		fputc('\n', out);
}

static void print_console(FILE *out, const struct rehearsal_console *c)
{
	if (c->serial_len > 0)
		print_printed(out, c->of, "on the serial port", c->serial, c->serial_len);
	if (c->n_lost > 0)
		fprintf(out, "  (and %" PRIu64 " characters more)\n", c->n_lost);
	if (c->screen[0] != '\0')
		print_printed(out, c->of, "on the screen", c->screen, strlen(c->screen));
}

static void print_stage(FILE *out, const struct rehearsal_stage *s)
{
	fprintf(out, "%-10s %-8s %7.3f s  ", s->name, rehearsed_name(s->verdict), s->seconds);
	for (const char *c = s->text; *c != '\0'; c++)
		fputc(*c >= ' ' && *c < 0x7f ? *c : *c == '\n' ? ' ' : '?', out);
	if (s->id)
		fprintf(out, " [%s]", s->id);
	fputc('\n', out);
	if (s->advice)
		fprintf(out, "%-30stry: %s\n", "", s->advice);
}

static const char *verdict_text(enum rehearsed verdict, bool is_vm)
{
	switch (verdict) {
	case REHEARSED_GOOD:
		return is_vm ? "good: the kernel came up and started its init" :
			       "good: the kernel's own code was reached with everything in place";
	case REHEARSED_BAD:
		return "bad: this load would not reach a sound kernel";
	default:
		return "unknown: nothing wrong was found, but not everything could be looked at";
	}
}

static void print_stages(FILE *out, const struct report *plan, const struct rehearsal *r)
{
	if (r->n_shown == 0)
		fprintf(out, "rehearsal of %s, %s entry, %s; nothing was loaded\n\n",
			plan->plan->type_text ? plan->plan->type_text : plan->plan->type,
			plan->plan->entry_name, r->is_vm ? "in a virtual machine" : "on this CPU");
	for (size_t i = r->n_shown; i < r->n_stages; i++)
		print_stage(out, &r->stages[i]);
}

void rehearsal_watch(const struct rehearsal_watcher *w, struct rehearsal *r)
{
	static const char erase[] = "\r\033[K";

	if (r->n_shown < r->n_stages) {
		fputs(erase, stdout);
		print_stages(stdout, w->report, r);
		r->n_shown = r->n_stages;
	}
	if (r->awaited)
		fprintf(stdout, "%s%-10s ...      %7.0f s", erase, r->awaited, r->seconds);
	else
		fputs(erase, stdout);
	fflush(stdout);
}

void rehearsal_text(FILE *out, const struct report *plan, const struct rehearsal *r)
{
	print_stages(out, plan, r);
	for (size_t i = 0; i < r->n_consoles; i++)
		print_console(out, &r->consoles[i]);
	/* Without it the verdict would seem to be one of kexec_file_load. */
	if (diag_find_note(plan->diag, "load/plan-of-another-call"))
		fputc('\n', out);
	report_note(out, plan->diag, "load/plan-of-another-call");
	if (r->console_path)
		fprintf(out, "\nall that it said is in %s\n", r->console_path);
	fprintf(out, "\nverdict    %s (%.3f s", verdict_text(r->verdict, r->is_vm), r->seconds);
	if (!r->is_vm)
		fprintf(out, ", %" PRIu64 " traps", r->n_traps);
	fputs(")\n", out);
}

#ifdef HAVE_JSON_C

static void put_seconds(struct json_out *j, struct json_object *to, double seconds)
{
	char text[32];

	snprintf(text, sizeof(text), "%.6f", seconds);
	json_out_value(j, to, "seconds", json_object_new_double_s(seconds, text));
}

static void put_stages(struct json_out *j, struct json_object *to, const struct rehearsal *r)
{
	struct json_object *list = json_out_new(j, to, "stages", json_object_new_array());

	for (size_t i = 0; i < r->n_stages && !j->is_short; i++) {
		const struct rehearsal_stage *s = &r->stages[i];
		struct json_object *o = json_out_element(j, list);

		if (!o)
			return;
		json_out_text(j, o, "name", s->name);
		json_out_text(j, o, "verdict", rehearsed_name(s->verdict));
		json_out_text(j, o, "id", s->id);
		json_out_text(j, o, "text", s->text);
		json_out_text(j, o, "advice", s->advice);
		put_seconds(j, o, s->seconds);
	}
}

static void put_consoles(struct json_out *j, struct json_object *to, const struct report *plan,
			 const struct rehearsal *r)
{
	struct json_object *list = json_out_new(j, to, "consoles", json_object_new_array());

	for (size_t i = 0; i < r->n_consoles && !j->is_short; i++) {
		const struct rehearsal_console *c = &r->consoles[i];
		struct json_object *o = json_out_element(j, list);
		/* A NUL that was sent would end it. */
		const char *serial = arena_strndup(plan->plan->arena, c->serial,
						   strnlen(c->serial, c->serial_len));

		if (!o || !serial) {
			j->is_short = true;
			return;
		}
		json_out_text(j, o, "of", c->of);
		json_out_text(j, o, "serial", serial);
		json_out_number(j, o, "serial_lost", c->n_lost);
		json_out_text(j, o, "screen", c->screen);
	}
}

static void put_kernel(struct json_out *j, struct json_object *to, const struct rehearsal *r)
{
	struct json_object *o;

	if (!r->has_kernel) {
		json_out_null(j, to, "kernel");
		return;
	}
	o = json_out_new(j, to, "kernel", json_object_new_object());
	if (!o)
		return;
	json_out_addr(j, o, "base", r->kernel.base);
	json_out_addr(j, o, "vaddr_delta", r->kernel.delta);
	json_out_number(j, o, "relocations", r->kernel.n_relocations);
	json_out_number(j, o, "compared_len", r->kernel.n_compared);
}

int rehearsal_json(FILE *out, const struct report *plan, const struct rehearsal *r,
		   struct diag *diag)
{
	const char *text = NULL;
	struct json_object *o;
	struct json_out j;

	if (json_out_start(&j)) {
		json_out_text(&j, j.top, "type", plan->plan->type);
		json_out_text(&j, j.top, "entry_name", plan->plan->entry_name);
		o = json_out_new(&j, j.top, "rehearsal", json_object_new_object());
		if (o) {
			json_out_text(&j, o, "verdict", rehearsed_name(r->verdict));
			put_stages(&j, o, r);
			put_kernel(&j, o, r);
			put_consoles(&j, o, plan, r);
			json_out_text(&j, o, "where", r->is_vm ? "vm" : "sandbox");
			json_out_text(&j, o, "console_path", r->console_path);
			json_out_number(&j, o, "traps", r->n_traps);
			put_seconds(&j, o, r->seconds);
		}
		json_out_notes(&j, j.top, plan->diag);
		text = json_out_finish(&j);
	}
	if (text)
		fprintf(out, "%s\n", text);
	json_out_free(&j);
	return text ? 0 : fail_nomem(diag);
}

#else

int rehearsal_json(FILE *out, const struct report *plan, const struct rehearsal *r,
		   struct diag *diag)
{
	(void)out, (void)plan, (void)r;
	return report_json_check(diag);
}

#endif
