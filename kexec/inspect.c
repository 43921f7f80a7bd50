// SPDX-License-Identifier: GPL-2.0-or-later
#include "inspect.h"

#include <string.h>

int inspection_init(struct inspection *in, struct arena *a, struct diag *diag)
{
	*in = (struct inspection){ .arena = a };
	in->top = arena_alloc(a, sizeof(*in->top));
	return in->top ? 0 : fail_nomem(diag);
}

static struct item *add(struct inspection *in, struct item *to, const char *key,
			enum item_kind kind)
{
	struct item *item = to ? arena_alloc(in->arena, sizeof(*item)) : NULL;

	if (!item) {
		in->is_short = true;
		return NULL;
	}
	item->key = key;
	item->kind = kind;
	if (to->last)
		to->last->next = item;
	else
		to->first = item;
	to->last = item;
	return item;
}

static void add_number(struct inspection *in, struct item *to, const char *key,
		       enum item_kind kind, uint64_t v)
{
	struct item *item = add(in, to, key, kind);

	if (item)
		item->number = v;
}

struct item *inspect_group(struct inspection *in, struct item *to, const char *key)
{
	return add(in, to, key, ITEM_GROUP);
}

struct item *inspect_list(struct inspection *in, struct item *to, const char *key)
{
	return add(in, to, key, ITEM_LIST);
}

void inspect_text(struct inspection *in, struct item *to, const char *key, const char *text)
{
	struct item *item = add(in, to, key, ITEM_TEXT);

	if (item)
		item->text = text;
}

void inspect_printf(struct inspection *in, struct item *to, const char *key, const char *fmt, ...)
{
	const char *text;
	va_list args;

	va_start(args, fmt);
	text = arena_vprintf(in->arena, fmt, args);
	va_end(args);
	in->is_short |= !text;
	inspect_text(in, to, key, text);
}

void inspect_number(struct inspection *in, struct item *to, const char *key, uint64_t v)
{
	add_number(in, to, key, ITEM_NUMBER, v);
}

void inspect_len(struct inspection *in, struct item *to, const char *key, uint64_t v)
{
	add_number(in, to, key, ITEM_LEN, v);
}

void inspect_addr(struct inspection *in, struct item *to, const char *key, uint64_t v)
{
	add_number(in, to, key, ITEM_ADDR, v);
}

void inspect_bool(struct inspection *in, struct item *to, const char *key, bool v)
{
	add_number(in, to, key, ITEM_BOOL, v);
}

void inspect_failure(struct inspection *in, struct item *to, const char *key,
		     const struct diag *why)
{
	struct item *group = inspect_group(in, to, key);

	inspect_text(in, group, "id", why->id ? why->id : "unknown");
	inspect_printf(in, group, "text", "%s", why->text);
	if (why->advice[0] != '\0')
		inspect_printf(in, group, "advice", "%s", why->advice);
	else
		inspect_text(in, group, "advice", NULL);
}

const struct item *inspect_find(const struct item *group, const char *key)
{
	const struct item *item = group ? group->first : NULL;

	while (item && (!item->key || strcmp(item->key, key) != 0))
		item = item->next;
	return item;
}

void inspect_part(struct inspection *in, const char *name, uint64_t off, uint64_t len)
{
	size_t i = in->n_parts;

	if (i == IMAGE_PARTS_MAX || len == 0)
		return;
	for (; i > 0 && in->parts[i - 1].off > off; i--)
		in->parts[i] = in->parts[i - 1];
	in->parts[i] = (struct image_part){ name, off, len };
	in->n_parts++;
}

struct way *inspect_way(struct inspection *in, const char *name)
{
	struct way *w;

	if (in->n_ways == WAYS_MAX)
		return NULL;
	w = &in->ways[in->n_ways++];
	*w = (struct way){ .name = name };
	return w;
}

void way_need(struct way *w, const struct need *need)
{
	if (w->n_needs < NEEDS_MAX)
		w->needs[w->n_needs++] = *need;
}

const char *need_map_text(enum need_map map)
{
	switch (map) {
	case MAP_PHYSICAL:
		return "physical";
	case MAP_IDENTITY:
		return "identity";
	case MAP_LATER:
		break;
	}
	return "later";
}

static void put_needs(struct inspection *in, struct item *to, const struct way *w)
{
	struct item *list = inspect_list(in, to, "needs");

	for (size_t i = 0; i < w->n_needs; i++) {
		const struct need *n = &w->needs[i];
		struct item *o = inspect_group(in, list, NULL);

		inspect_text(in, o, "name", n->name);
		inspect_len(in, o, "len", n->len);
		inspect_addr(in, o, "min", n->min);
		inspect_addr(in, o, "end", n->end);
		inspect_bool(in, o, "fixed", n->is_fixed);
		inspect_addr(in, o, "align", n->align);
		inspect_text(in, o, "mapping", need_map_text(n->map));
		inspect_bool(in, o, "written", n->is_written);
		inspect_text(in, o, "why", n->why);
	}
}

void inspect_put_ways(struct inspection *in)
{
	struct item *list = inspect_list(in, in->top, "entries");

	for (size_t i = 0; i < in->n_ways; i++) {
		const struct way *w = &in->ways[i];
		struct item *o = inspect_group(in, list, NULL);

		inspect_text(in, o, "name", w->name);
		inspect_bool(in, o, "there", !w->obstacle);
		inspect_text(in, o, "obstacle", w->obstacle);
		if (w->obstacle)
			continue;
		if (w->has_file_off)
			inspect_addr(in, o, "file_off", w->file_off);
		inspect_addr(in, o, "off", w->off);
		inspect_addr(in, o, "addr", w->addr);
		inspect_text(in, o, "mode", w->mode);
		inspect_text(in, o, "registers", w->registers);
		inspect_text(in, o, "page_tables", w->tables);
		put_needs(in, o, w);
	}
}

void inspect_put_parts(struct inspection *in)
{
	struct item *list = inspect_list(in, in->top, "parts");

	for (size_t i = 0; i < in->n_parts; i++) {
		struct item *o = inspect_group(in, list, NULL);

		inspect_text(in, o, "name", in->parts[i].name);
		inspect_addr(in, o, "off", in->parts[i].off);
		inspect_len(in, o, "len", in->parts[i].len);
	}
}
