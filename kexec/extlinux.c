// SPDX-License-Identifier: GPL-2.0-or-later
#include "extlinux.h"

#include <string.h>
#include <strings.h>

#include "host_text.h"

struct reader {
	struct entry_list *l;
	const struct entry_file *file;
	size_t place;
	size_t line;
	size_t first, end; /* the entries of this file, in the list; end: of the current one + 1 */
	bool has_label;
	const char *append; /* for labels without one of their own */
	const char *default_label, *on_timeout, *menu_default;
	bool has_include;
};

static struct boot_entry *current(struct reader *r)
{
	return r->has_label ? &r->l->v[r->end - 1] : NULL;
}

static bool is_key(struct span key, const char *known)
{
	return key.len == strlen(known) && strncasecmp((const char *)key.data, known, key.len) == 0;
}

static bool ends_with(const char *s, const char *end)
{
	const size_t len = strlen(s), end_len = strlen(end);

	return len >= end_len && strcasecmp(s + len - end_len, end) == 0;
}

/* What is no kernel of Linux, though KERNEL names it. */
static void take_kernel(struct reader *r, struct boot_entry *e, const char *value, bool is_linux)
{
	static const char *const others[] = { ".c32", ".com", ".cbt", ".bin",
					      ".bs",  ".bss", ".0",   ".img" };

	e->kernel = value;
	for (size_t i = 0; value && i < array_len(others) && !is_linux; i++)
		if (ends_with(value, others[i]))
			fail_entry(r->l, e, "entries/no-linux",
				   "line %zu: what it starts is a program of SYSLINUX's: %.200s",
				   r->line, value);
}

/* "a,b,c" */
static void take_initrds(struct reader *r, struct boot_entry *e, struct span value)
{
	e->n_initrds = 0;
	while (value.len > 0) {
		const uint8_t *comma = memchr(value.data, ',', value.len);
		const size_t len = comma ? (size_t)(comma - value.data) : value.len;
		const size_t used = len + (comma ? 1 : 0);

		if (len > 0)
			entry_add_initrd(r->l, e, entry_text(r->l, e, span_of(value.data, len)));
		value = span_of(value.data + used, value.len - used);
	}
}

/* "^" is before the letter that chooses it. */
static const char *menu_text(struct reader *r, struct boot_entry *e, struct span value)
{
	const char *text = entry_text(r->l, e, value);
	char *copy = text ? arena_strndup(r->l->arena, text, strlen(text)) : NULL;
	size_t n = 0;

	r->l->is_short |= text && !copy;
	for (const char *c = copy; c && *c != '\0'; c++)
		if (*c != '^')
			copy[n++] = *c;
	if (copy)
		copy[n] = '\0';
	return copy;
}

static void add_label(struct reader *r, struct span name)
{
	struct boot_entry *e;

	r->has_label = false;
	e = entry_add(r->l);
	if (!e)
		return;
	r->end = r->l->n;
	r->has_label = true;
	e->kind = ENTRY_EXTLINUX;
	e->place = e->source = r->place;
	e->file = r->file->name;
	e->line = r->line;
	e->id = entry_text(r->l, e, name);
	e->options = r->append;
	if (name.len == 0 || name.len > ENTRY_NAME_MAX)
		fail_entry(r->l, e, "entries/name",
			   "line %zu: a label without a name, or with too long a "
			   "one",
			   r->line);
}

static void take_menu(struct reader *r, struct span value)
{
	struct boot_entry *e = current(r);
	struct span word;

	if (!e || !text_next_word(&value, &word))
		return;
	if (is_key(word, "label")) {
		e->title = menu_text(r, e, text_trim(value));
	} else if (is_key(word, "default")) {
		e->is_menu_default = true;
		r->menu_default = e->id;
	}
}

/* Lines that mean the same wherever they are. */
static bool take_global(struct reader *r, struct span key, struct span value)
{
	struct boot_entry scratch = { 0 };

	if (is_key(key, "default"))
		r->default_label = entry_text(r->l, &scratch, value);
	else if (is_key(key, "ontimeout"))
		r->on_timeout = entry_text(r->l, &scratch, value);
	else if (is_key(key, "include"))
		r->has_include = true;
	else if (is_key(key, "append") && !r->has_label)
		r->append = entry_text(r->l, &scratch, value);
	else
		return false;
	return true;
}

static void take_of_label(struct reader *r, struct boot_entry *e, struct span key,
			  struct span value)
{
	if (is_key(key, "linux") || is_key(key, "kernel"))
		take_kernel(r, e, entry_text(r->l, e, value), is_key(key, "linux"));
	else if (is_key(key, "initrd"))
		take_initrds(r, e, value);
	else if (is_key(key, "append"))
		e->options = text_is(value, "-") ? NULL : entry_text(r->l, e, value);
	else if (is_key(key, "fdt") || is_key(key, "devicetree") || is_key(key, "fdtdir"))
		e->devicetree = entry_text(r->l, e, value);
	else if (is_key(key, "boot") || is_key(key, "bss") || is_key(key, "pxe") ||
		 is_key(key, "fdimage") || is_key(key, "com32") || is_key(key, "config") ||
		 is_key(key, "localboot"))
		fail_entry(r->l, e, "entries/no-linux", "line %zu: %.*s is no start of a Linux",
			   r->line, (int)key.len, (const char *)key.data);
}

static void take_line(struct reader *r, struct span line)
{
	struct boot_entry *e;
	struct span rest = text_trim(line), key, value;

	if (rest.len == 0 || rest.data[0] == '#' || !text_next_word(&rest, &key))
		return;
	value = text_trim(rest);
	if (is_key(key, "label")) {
		add_label(r, value);
		return;
	}
	if (is_key(key, "menu")) {
		take_menu(r, value);
		return;
	}
	e = current(r);
	if (!take_global(r, key, value) && e)
		take_of_label(r, e, key, value);
}

/* "initrd=" among the words is SYSLINUX's own, and no word for the kernel. */
static void split_options(struct reader *r, struct boot_entry *e)
{
	struct span rest, word, value, found = { 0 };
	const char *text = "";

	if (!e->options || !strstr(e->options, "initrd="))
		return;
	rest = span_of(e->options, strlen(e->options));
	while (text && text_next_word(&rest, &word)) {
		if (text_starts_with(word, "initrd=", &value))
			found = value;
		else
			text = entry_printf(r->l, "%s%s%.*s", text, *text ? " " : "", (int)word.len,
					    (const char *)word.data);
	}
	if (found.len > 0) {
		if (e->n_initrds == 0)
			take_initrds(r, e, found);
		e->options = text;
	}
}

/* The entry of a label; DEFAULT may be a command line instead, "vmlinuz quiet", which is none. */
static bool is_label(const struct reader *r, const char *name)
{
	for (size_t i = r->first; name && i < r->l->n; i++)
		if (r->l->v[i].id && strcasecmp(r->l->v[i].id, name) == 0)
			return true;
	return false;
}

static void settle_default(struct reader *r, struct extlinux_result *ret)
{
	const char *const wishes[] = { r->on_timeout, r->menu_default, r->default_label };

	for (size_t i = 0; i < array_len(wishes) && !ret->default_label; i++)
		if (is_label(r, wishes[i]))
			ret->default_label = wishes[i];
	if (!ret->default_label)
		ret->default_why =
			r->has_include ?
				entry_printf(r->l, "%s includes other files, which are not read",
					     r->file->name) :
				entry_printf(r->l, "%s names none of its labels", r->file->name);
}

void extlinux_read(const struct entry_file *file, size_t place, struct entry_list *l,
		   struct extlinux_result *ret)
{
	struct reader r = { .l = l, .file = file, .place = place, .first = l->n };
	struct span rest = file->bytes, line;

	*ret = (struct extlinux_result){ 0 };
	if (rest.len > EXTLINUX_TEXT_MAX) {
		ret->default_why = "its file is longer than this reader takes";
		return;
	}
	while (text_next_line(&rest, &line)) {
		r.line++;
		take_line(&r, line);
	}
	for (size_t i = r.first; i < l->n; i++) {
		split_options(&r, &l->v[i]);
		entry_finish(l, &l->v[i]);
	}
	settle_default(&r, ret);
}
