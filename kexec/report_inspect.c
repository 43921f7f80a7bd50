// SPDX-License-Identifier: GPL-2.0-or-later
#include "report_inspect.h"

#include <inttypes.h>
#include <string.h>

#include "report.h"

#define NOTHING		"-"
#define COLUMNS_MAX	16	/* of a table */
#define CELL_LEN	1024	/* longer texts are cut */
#define LABEL_WIDTH	20
#define INDENT		2
#define WIDE		64	/* what is wider is no column */
#define BAR_MIN		16
#define BAR_MAX		64

/* Text from outside: a terminal must not obey it. */
static void clean(char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text, next = (unsigned char)text[1];

		if (c == 0xc2 && next >= 0x80 && next <= 0x9f)
			*text++ = '?';	/* both bytes of U+0080 to U+009F */
		else if (c >= ' ' && c != 0x7f)
			continue;
		*text = '?';
	}
}

/* A value as a person reads it. */
static const char *show(const struct item *item, bool is_short, char ret[CELL_LEN])
{
	char size[SIZE_TEXT_LEN];

	switch (item->kind) {
	case ITEM_TEXT:
		snprintf(ret, CELL_LEN, "%s", item->text ? item->text : NOTHING);
		clean(ret);
		break;
	case ITEM_NUMBER:
		snprintf(ret, CELL_LEN, "%" PRIu64, item->number);
		break;
	case ITEM_LEN:
		report_size(item->number, size);
		if (is_short || item->number < KIB)
			snprintf(ret, CELL_LEN, "%s", size);
		else
			snprintf(ret, CELL_LEN, "%s (%" PRIu64 " bytes)", size, item->number);
		break;
	case ITEM_ADDR:
		snprintf(ret, CELL_LEN, "0x%" PRIx64, item->number);
		break;
	case ITEM_BOOL:
		snprintf(ret, CELL_LEN, "%s", item->number ? "yes" : "no");
		break;
	case ITEM_GROUP:
	case ITEM_LIST:
		ret[0] = '\0';
	}
	return ret;
}

static bool is_scalar(const struct item *item)
{
	return item->kind != ITEM_GROUP && item->kind != ITEM_LIST;
}

/* "unpacked_len" is "unpacked len" to a person. */
static void print_label(FILE *out, int indent, const char *key, int width)
{
	int n = 0;

	fprintf(out, "%*s", indent, "");
	for (; key && key[n] != '\0'; n++)
		fputc(key[n] == '_' ? ' ' : key[n], out);
	fprintf(out, "%*s", n < width ? width - n : 0, "");
}

/* ---- a list of groups of plain values, as a table ---- */

static bool is_table(const struct item *list)
{
	const struct item *first = list->first;

	for (const struct item *row = first; row; row = row->next) {
		const struct item *a = row->first, *b = first->first;

		if (row->kind != ITEM_GROUP)
			return false;
		for (; a && b; a = a->next, b = b->next)
			if (!is_scalar(a) || strcmp(a->key, b->key) != 0)
				return false;
		if (a || b)
			return false;
	}
	return first && first->first;
}

static void measure(const struct item *list, size_t widths[COLUMNS_MAX])
{
	char cell[CELL_LEN];

	for (const struct item *row = list->first; row; row = row->next) {
		size_t i = 0;

		for (const struct item *v = row->first; v && i < COLUMNS_MAX; v = v->next, i++) {
			widths[i] = max_size(widths[i], strlen(v->key));
			widths[i] = max_size(widths[i], strlen(show(v, true, cell)));
		}
	}
}

/* The words of a text from column at on, in lines that begin there too and end before columns. */
static void print_wrapped(FILE *out, const char *text, size_t at, unsigned int columns)
{
	size_t used = at;

	while (*text != '\0') {
		size_t len = strcspn(text, " ");

		if (used > at && used + 1 + len > columns) {
			fprintf(out, "\n%*s", (int)at, "");
			used = at;
		} else if (used > at) {
			fputc(' ', out);
			used++;
		}
		fprintf(out, "%.*s", (int)len, text);
		used += len;
		text += len + strspn(text + len, " ");
	}
	fputc('\n', out);
}

/* Where wide columns go: the only one into the space that the others leave, if it is enough; else each
 * below its row. 0: below. */
static size_t place_wide(const struct item *first, const size_t widths[COLUMNS_MAX], size_t indent,
			 unsigned int columns)
{
	size_t i = 0, at = indent, n_wide = 0;
	bool is_last = false;

	for (const struct item *v = first; v && i < COLUMNS_MAX; v = v->next, i++) {
		is_last = widths[i] > WIDE;
		n_wide += is_last;
		at += is_last ? 0 : widths[i] + 2;
	}
	return n_wide == 1 && is_last && at + BAR_MIN <= columns ? at : 0;
}

static void print_row(FILE *out, const struct item *row, const size_t widths[COLUMNS_MAX],
		      size_t indent, size_t wide_at, unsigned int columns)
{
	size_t i = 0, pad = indent;
	char cell[CELL_LEN];

	for (const struct item *v = row->first; v && i < COLUMNS_MAX; v = v->next, i++) {
		if (widths[i] > WIDE)
			continue;
		fprintf(out, "%*s%s", (int)pad, "", show(v, true, cell));
		pad = widths[i] + 2 - strlen(cell);
	}
	if (!wide_at)
		fputc('\n', out);
	i = 0;
	for (const struct item *v = row->first; v && i < COLUMNS_MAX; v = v->next, i++) {
		if (widths[i] <= WIDE || (!wide_at && strcmp(show(v, true, cell), NOTHING) == 0))
			continue;
		fprintf(out, "%*s", (int)(wide_at ? pad : indent + 2 * INDENT), "");
		print_wrapped(out, show(v, true, cell), wide_at ? wide_at : indent + 2 * INDENT,
			      columns);
	}
}

static void print_table(FILE *out, const struct item *list, size_t indent, unsigned int columns)
{
	const struct item *first = list->first->first;
	size_t widths[COLUMNS_MAX] = { 0 };
	size_t i = 0, pad = indent, wide_at;

	measure(list, widths);
	wide_at = place_wide(first, widths, indent, columns);
	for (const struct item *v = first; v && i < COLUMNS_MAX; v = v->next, i++) {
		if (widths[i] > WIDE && !wide_at)
			continue;
		print_label(out, (int)pad, v->key, 0);
		pad = widths[i] + 2 - strlen(v->key);
	}
	fputc('\n', out);
	for (const struct item *row = list->first; row; row = row->next)
		print_row(out, row, widths, indent, wide_at, columns);
}

/* ---- everything else ---- */

static void print_values(FILE *out, const struct item *group, int indent, int depth,
			 unsigned int columns);

static void print_item(FILE *out, const struct item *item, int indent, int depth,
		       unsigned int columns)
{
	char cell[CELL_LEN];

	if (is_scalar(item)) {
		print_label(out, indent, item->key, LABEL_WIDTH);
		fprintf(out, "%s\n", show(item, false, cell));
		return;
	}
	if (!item->first && item->key) {
		print_label(out, indent, item->key, LABEL_WIDTH);
		fputs("none\n", out);
		return;
	}
	if (item->key) {
		print_label(out, indent, item->key, 0);
		fputc('\n', out);
	}
	if (item->kind == ITEM_LIST && is_table(item))
		print_table(out, item, (size_t)(indent + INDENT), columns);
	else
		print_values(out, item, indent + INDENT, depth + 1, columns);
}

static void print_values(FILE *out, const struct item *group, int indent, int depth,
			 unsigned int columns)
{
	for (const struct item *item = group->first; item; item = item->next) {
		if (depth == 0 && !is_scalar(item) && item->first)
			fputc('\n', out);
		print_item(out, item, indent, depth, columns);
		if (!item->key && item->next)
			fputc('\n', out);
	}
}

/* ---- drawings ---- */

static unsigned int bar_width(unsigned int columns, unsigned int taken)
{
	unsigned int width = columns > taken ? columns - taken : 0;

	return width < BAR_MIN ? BAR_MIN : width > BAR_MAX ? BAR_MAX : width;
}

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/* The whole file as one bar, each part with a letter; a part is never too short to be seen. */
static void draw_file(FILE *out, const struct inspection *in, unsigned int columns)
{
	const unsigned int width = bar_width(columns, 4);
	const uint64_t cell = in->file_len / width + 1;
	char size[SIZE_TEXT_LEN];
	size_t part = 0;

	if (in->n_parts == 0)
		return;
	fprintf(out, "\nthe file, one character is %s\n  |", report_size(cell, size));
	for (uint64_t at = 0; at < in->file_len; at += cell) {
		while (part + 1 < in->n_parts && in->parts[part + 1].off < at + cell)
			part++;
		fputc(letters[part % (sizeof(letters) - 1)], out);
	}
	fputs("|\n", out);
	for (size_t i = 0; i < in->n_parts; i++)
		fprintf(out, "  %c %-20s 0x%-9" PRIx64 " %10s\n",
			letters[i % (sizeof(letters) - 1)], in->parts[i].name, in->parts[i].off,
			report_size(in->parts[i].len, size));
}

static void draw_place(FILE *out, const struct need *n)
{
	char text[40];

	if (n->is_fixed)
		snprintf(text, sizeof(text), "at 0x%" PRIx64, n->min);
	else
		snprintf(text, sizeof(text), "0x%" PRIx64 "-0x%" PRIx64, n->min, n->end);
	fprintf(out, " %-25s", text);
}

static void draw_way(FILE *out, const struct way *w, unsigned int columns)
{
	const unsigned int width = bar_width(columns, 58);
	char size[SIZE_TEXT_LEN], cell_size[SIZE_TEXT_LEN];
	uint64_t most = 1, cell;

	for (size_t i = 0; i < w->n_needs; i++)
		most = max_u64(most, w->needs[i].len);
	cell = most / width + 1;
	fprintf(out, "\nmemory for the entry %s, one character is %s; # written, = only read\n",
		w->name, report_size(cell, cell_size));
	for (size_t i = 0; i < w->n_needs; i++) {
		const struct need *n = &w->needs[i];

		fprintf(out, "  %-16.16s", n->name);
		draw_place(out, n);
		fprintf(out, " %9s |", n->len ? report_size(n->len, size) : NOTHING);
		for (unsigned int c = 0; c < width; c++)
			fputc(c * cell >= n->len ? ' ' : n->is_written ? '#' : '=', out);
		fputs("|\n", out);
	}
}

void report_inspection(FILE *out, const struct inspection *in, unsigned int columns)
{
	print_values(out, in->top, 0, 0, columns);
	draw_file(out, in, columns);
	for (size_t i = 0; i < in->n_ways; i++)
		if (!in->ways[i].obstacle)
			draw_way(out, &in->ways[i], columns);
}
