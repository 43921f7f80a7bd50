// SPDX-License-Identifier: GPL-2.0-or-later
#include "report_entries.h"

#include <inttypes.h>
#include <string.h>

#include "json_out.h"
#include "report.h"

static void put(FILE *out, const char *head, const char *text)
{
	if (!text || *text == '\0')
		return;
	fprintf(out, "    %-9s ", head);
	report_clean(out, text);
	fputc('\n', out);
}

static void put_source(FILE *out, const struct host_entries *h, const struct boot_entry *e)
{
	fprintf(out, "    %-9s ", "from");
	report_clean(out, host_entries_folder(h, e));
	fputc('/', out);
	report_clean(out, e->file);
	if (e->line > 0)
		fprintf(out, ":%zu", e->line);
	if (e->has_counter)
		fprintf(out, ", %" PRIu32 " boot%s left to succeed, %" PRIu32 " failed",
			e->tries_left, e->tries_left == 1 ? "" : "s", e->tries_done);
	fputc('\n', out);
}

static void put_entry(FILE *out, const struct host_entries *h, size_t i)
{
	const struct boot_entry *e = &h->list.v[i];

	fprintf(out, "%c%c %-9s ", i == h->list.default_entry ? '*' : ' ',
		i == h->list.saved_entry ? 's' : ' ', entry_kind_name(e->kind));
	report_clean(out, e->id ? e->id : "?");
	fputc('\n', out);
	put(out, "title", e->title);
	put(out, "version", e->version);
	put_source(out, h, e);
	put(out, "kernel", e->kernel);
	for (size_t j = 0; j < e->n_initrds; j++)
		put(out, "initrd", e->initrds[j]);
	put(out, "options", e->options);
	put(out, "profile", e->profile);
	if (!e->why_id)
		return;
	fprintf(out, "    %-9s ", "unusable");
	report_clean(out, e->why);
	fprintf(out, " [%s]\n", e->why_id);
}

void report_entries(FILE *out, const struct host_entries *h)
{
	const struct boot_entries *l = &h->list;

	for (size_t i = 0; i < l->n; i++)
		put_entry(out, h, i);
	fputs("\n* default", out);
	if (l->default_entry == ENTRY_NONE) {
		fputs(": not known", out);
		if (l->default_why) {
			fputs(", ", out);
			report_clean(out, l->default_why);
		}
	} else if (l->is_one_shot) {
		fputs(", for one boot", out);
	}
	fprintf(out, " (%s)\n", l->loader ? l->loader : "no boot loader");
	if (l->saved_entry != ENTRY_NONE)
		fputs("s saved\n", out);
}

#ifdef HAVE_JSON_C

static void put_levels(struct json_out *j, struct json_object *to, const struct boot_entry *e)
{
	struct json_object *list = json_out_new(j, to, "menu", json_object_new_array());

	for (size_t i = 0; i < e->n_levels; i++) {
		struct json_object *o = json_out_element(j, list);

		if (e->levels[i].has_index)
			json_out_number(j, o, "index", e->levels[i].index);
		else
			json_out_null(j, o, "index");
		json_out_text(j, o, "title", e->levels[i].title);
		json_out_text(j, o, "id", e->levels[i].id);
	}
}

static void put_json_entry(struct json_out *j, struct json_object *o, const struct host_entries *h,
			   size_t i)
{
	const struct boot_entry *e = &h->list.v[i];
	struct json_object *list;

	json_out_text(j, o, "kind", entry_kind_name(e->kind));
	json_out_text(j, o, "id", e->id);
	json_out_text(j, o, "title", e->title);
	json_out_text(j, o, "version", e->version);
	json_out_text(j, o, "machine_id", e->machine_id);
	json_out_text(j, o, "sort_key", e->sort_key);
	json_out_text(j, o, "architecture", e->architecture);
	json_out_text(j, o, "folder", host_entries_folder(h, e));
	json_out_text(j, o, "file", e->file);
	if (e->line > 0)
		json_out_number(j, o, "line", e->line);
	else
		json_out_null(j, o, "line");
	put_levels(j, o, e);
	json_out_text(j, o, "kernel", e->kernel);
	list = json_out_new(j, o, "initrds", json_object_new_array());
	for (size_t n = 0; n < e->n_initrds; n++)
		json_out_append(j, list, json_out_new_text(e->initrds[n]));
	json_out_text(j, o, "options", e->options);
	json_out_text(j, o, "profile", e->profile);
	json_out_text(j, o, "devicetree", e->devicetree);
	if (e->has_counter) {
		json_out_number(j, o, "tries_left", e->tries_left);
		json_out_number(j, o, "tries_done", e->tries_done);
	} else {
		json_out_null(j, o, "tries_left");
		json_out_null(j, o, "tries_done");
	}
	json_out_bool(j, o, "default", i == h->list.default_entry);
	json_out_bool(j, o, "saved", i == h->list.saved_entry);
	json_out_bool(j, o, "usable", !e->why_id);
	json_out_text(j, o, "why_id", e->why_id);
	json_out_text(j, o, "why", e->why);
}

int report_entries_json(FILE *out, const struct host_entries *h, struct diag *diag)
{
	struct json_object *o, *list;
	struct json_out j;

	json_out_start(&j);
	o = json_out_new(&j, j.top, "list", json_object_new_object());
	json_out_text(&j, o, "loader", h->list.loader);
	json_out_text(&j, o, "looked_at", h->looked_at);
	json_out_text(&j, o, "default_why",
		      h->list.default_entry == ENTRY_NONE ? h->list.default_why : NULL);
	json_out_bool(&j, o, "one_shot", h->list.is_one_shot);
	list = json_out_new(&j, o, "entries", json_object_new_array());
	for (size_t i = 0; i < h->list.n; i++)
		put_json_entry(&j, json_out_element(&j, list), h, i);
	json_out_notes(&j, j.top, diag);
	return report_json_finish(&j, out, diag);
}

#else

int report_entries_json(FILE *out, const struct host_entries *h, struct diag *diag)
{
	(void)out, (void)h;
	return report_json_check(diag);
}

#endif
