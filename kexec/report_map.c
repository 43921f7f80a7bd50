// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A line of the picture is a run of equal cells, a cell a power of two of bytes, chosen so that all
 * lines that have RAM or a segment in them are few. Lines that have neither are drawn as one.
 */
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LINES_MAX	16
#define CELLS_MAX	128
#define COLUMNS_MIN	40	/* 16 cells at least */
#define BAR_MIN		8
#define BAR_MAX		32

/* What a cell is when no segment is in it. */
#define CELL_RAM	'.'
#define CELL_OTHER_RAM	':'
#define CELL_RESERVED	'-'
#define CELL_HOLE	' '
#define CELL_SEVERAL	'+'

struct picture {
	const struct report *r;
	struct arena arena;
	struct range_list drawn;	/* RAM and segments: what must be seen */
	struct range_list any_ram;	/* all of RAM, also what no segment may have */
	struct range_list reserved;
	char letters[PLAN_SEGMENTS_MAX];
	size_t order[PLAN_SEGMENTS_MAX];	/* of segments, by address */
	unsigned int columns;
	int digits;			/* of an address */
	size_t n_cells;			/* in a line */
	uint64_t cell_len;
};

unsigned int report_columns(void)
{
	const char *text = getenv("COLUMNS");
	unsigned long columns = text ? strtoul(text, NULL, 10) : 0;

	return columns >= COLUMNS_MIN && columns <= 1000 ? (unsigned int)columns : 80;
}

static struct range bytes_of(const struct segment *s)
{
	return (struct range){ s->addr, s->addr + s->mem_len };
}

static struct range window_of(const struct segment *s)
{
	return (struct range){ s->addr, s->addr + s->reserve_len };
}

static uint64_t overlap_len(const struct range_list *l, struct range r)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < l->n && l->r[i].start < r.end; i++)
		if (range_overlaps(l->r[i], r))
			sum += min_u64(l->r[i].end, r.end) - max_u64(l->r[i].start, r.start);
	return sum;
}

static int add_all(struct range_list *l, const struct range *r, size_t n)
{
	int result = 0;

	for (size_t i = 0; i < n && result == 0; i++)
		result = range_list_add(l, r[i]);
	return result;
}

/* Fills the three lists. -ENOMEM. */
static int collect(struct picture *p)
{
	const struct facts *facts = p->r->facts;
	const struct plan *plan = p->r->plan;
	int r = add_all(&p->any_ram, facts->ram.r, facts->ram.n);

	if (r == 0)
		r = add_all(&p->any_ram, facts->crash_kernel.r, facts->crash_kernel.n);
	for (size_t i = 0; i < facts->n_map && r == 0; i++)
		r = range_list_add(facts->map[i].type == MEM_RAM ? &p->any_ram : &p->reserved,
				   facts->map[i].range);
	if (r == 0)
		r = add_all(&p->drawn, p->any_ram.r, p->any_ram.n);
	for (size_t i = 0; i < plan->n_segments && r == 0; i++)
		r = range_list_add(&p->drawn, window_of(&plan->segments[i]));
	range_list_normalize(&p->any_ram);
	range_list_normalize(&p->reserved);
	range_list_normalize(&p->drawn);
	return r;
}

/* Lines with something in them, if a line is line_len long. */
static uint64_t count_lines(const struct range_list *l, uint64_t line_len)
{
	uint64_t n = 0, next = 0;	/* first line that is not counted yet */

	for (size_t i = 0; i < l->n; i++) {
		uint64_t first = max_u64(l->r[i].start / line_len, next);
		uint64_t last = (l->r[i].end - 1) / line_len;

		if (last < first)
			continue;
		n += last - first + 1;
		next = last + 1;
	}
	return n;
}

static void choose_scale(struct picture *p)
{
	phys_t end = p->drawn.n ? p->drawn.r[p->drawn.n - 1].end : 1;

	p->digits = 8;
	while (p->digits < 16 && (end - 1) >> (4 * p->digits) != 0)
		p->digits++;
	/* "0123456789 |....|" */
	p->n_cells = CELLS_MAX;
	while (p->n_cells + (size_t)p->digits + 3 > p->columns)
		p->n_cells /= 2;
	p->cell_len = PAGE_LEN;
	while (p->cell_len < 1ULL << 56 &&
	       count_lines(&p->drawn, p->cell_len * p->n_cells) > LINES_MAX)
		p->cell_len *= 2;
}

/* The first letter of its name that no earlier segment has, else any that is left. */
static char choose_letter(const struct picture *p, size_t i)
{
	static const char spare[] = "XYZWVQJHGFDCBA0123456789";
	const char *name = p->r->plan->segments[i].name;

	for (; *name != '\0'; name++) {
		char letter = (char)(*name >= 'a' && *name <= 'z' ? *name - 'a' + 'A' : *name);

		if (letter >= 'A' && letter <= 'Z' && !memchr(p->letters, letter, i))
			return letter;
	}
	for (const char *c = spare; *c != '\0'; c++)
		if (!memchr(p->letters, *c, i))
			return *c;
	return '?';
}

static void order_segments(struct picture *p)
{
	const struct segment *segments = p->r->plan->segments;

	for (size_t i = 0; i < p->r->plan->n_segments; i++) {
		size_t at = i;

		p->letters[i] = choose_letter(p, i);
		for (; at > 0 && segments[p->order[at - 1]].addr > segments[i].addr; at--)
			p->order[at] = p->order[at - 1];
		p->order[at] = i;
	}
}

static char to_lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* The segment in this cell, bytes before window before none (0). */
static char segment_in(const struct picture *p, struct range cell)
{
	const struct plan *plan = p->r->plan;
	char mark = 0, window = 0;

	for (size_t i = 0; i < plan->n_segments; i++) {
		if (range_overlaps(bytes_of(&plan->segments[i]), cell))
			mark = mark ? CELL_SEVERAL : p->letters[i];
		else if (range_overlaps(window_of(&plan->segments[i]), cell))
			window = to_lower(p->letters[i]);
	}
	return mark ? mark : window;
}

/* What most of a cell is. */
static char memory_in(const struct picture *p, struct range cell)
{
	uint64_t ram = overlap_len(&p->r->facts->ram, cell);
	uint64_t other_ram = overlap_len(&p->any_ram, cell) - ram;
	uint64_t reserved = overlap_len(&p->reserved, cell);
	uint64_t used = ram + other_ram + reserved;
	uint64_t hole = used < range_len(cell) ? range_len(cell) - used : 0;

	if (ram > 0 && ram >= other_ram && ram >= reserved && ram >= hole)
		return CELL_RAM;
	if (other_ram > 0 && other_ram >= reserved && other_ram >= hole)
		return CELL_OTHER_RAM;
	return reserved > 0 && reserved >= hole ? CELL_RESERVED : CELL_HOLE;
}

static void draw_line(FILE *out, const struct picture *p, phys_t line_start, uint64_t cell_len)
{
	fprintf(out, "%0*" PRIx64 " |", p->digits, line_start);
	for (size_t i = 0; i < p->n_cells; i++) {
		phys_t start = line_start + i * cell_len;
		struct range cell = { start, start + cell_len };
		char c = segment_in(p, cell);

		fputc(c ? c : memory_in(p, cell), out);
	}
	fputs("|\n", out);
}

/* Several lines in which there is nothing to see. */
static void draw_gap(FILE *out, const struct picture *p, uint64_t n_lines)
{
	const char *without = p->n_cells < 32 ? "" : " without RAM";
	char size[SIZE_TEXT_LEN], text[SIZE_TEXT_LEN + 16];
	int len = snprintf(text, sizeof(text), " %s%s ",
			   report_size(n_lines * p->n_cells * p->cell_len, size), without);
	int left = ((int)p->n_cells - len) / 2;

	fprintf(out, "%*s |", p->digits, "");
	for (int i = 0; i < left; i++)
		fputc('~', out);
	fputs(text, out);
	for (int i = left + len; i < (int)p->n_cells; i++)
		fputc('~', out);
	fputs("|\n", out);
}

static void draw_lines(FILE *out, const struct picture *p)
{
	uint64_t line_len = p->cell_len * p->n_cells;
	uint64_t next = 0;	/* first line that is not drawn yet */

	for (size_t i = 0; i < p->drawn.n; i++) {
		uint64_t first = max_u64(p->drawn.r[i].start / line_len, next);
		uint64_t last = (p->drawn.r[i].end - 1) / line_len;

		if (last < first)
			continue;
		if (first - next == 1)
			draw_line(out, p, next * line_len, p->cell_len);
		else if (first > next)
			draw_gap(out, p, first - next);
		for (next = first; next <= last; next++)
			draw_line(out, p, next * line_len, p->cell_len);
	}
}

/* Each cell of a length that several segments share, as a line of its own. */
static void draw_shared_cells(FILE *out, const struct picture *p, uint64_t shared_len,
			      uint64_t cell_len)
{
	char size[SIZE_TEXT_LEN];
	phys_t next = 0;	/* shared cells below are drawn */
	bool is_first = true;

	for (size_t i = 0; i < p->r->plan->n_segments; i++) {
		const struct segment *s = &p->r->plan->segments[p->order[i]];
		phys_t start = align_down(s->addr, shared_len);

		/* Of two segments in a cell the upper one begins there. */
		if (start < next ||
		    segment_in(p, (struct range){ start, start + shared_len }) != CELL_SEVERAL)
			continue;
		if (is_first)
			fprintf(out, "each + of the above, one character is %s\n",
				report_size(cell_len, size));
		is_first = false;
		draw_line(out, p, start, cell_len);
		next = start + shared_len;
	}
}

static void draw_enlarged(FILE *out, const struct picture *p)
{
	uint64_t shared_len = p->cell_len;

	while (shared_len > PAGE_LEN) {
		uint64_t cell_len = max_u64(shared_len / p->n_cells, PAGE_LEN);

		draw_shared_cells(out, p, shared_len, cell_len);
		shared_len = cell_len;
	}
}

/* All segments at one scale, so that also those smaller than a cell can be compared. */
static void draw_bar(FILE *out, const struct segment *s, char letter, uint64_t scale_len,
		     unsigned int width)
{
	unsigned int bytes, all;

	for (bytes = 0; bytes < width && scale_len / width * bytes < s->mem_len; bytes++)
		;
	for (all = bytes; all < width && scale_len / width * all < s->reserve_len; all++)
		;
	fputs(" |", out);
	for (unsigned int i = 0; i < width; i++)
		fputc(i < bytes ? letter : i < all ? to_lower(letter) : ' ', out);
	fputc('|', out);
}

static void draw_segments(FILE *out, const struct picture *p)
{
	const struct plan *plan = p->r->plan;
	unsigned int taken = 2 + SEGMENT_NAME_LEN + 2 * (unsigned int)p->digits + 3 + 11 + 3;
	unsigned int bar = p->columns > taken ? p->columns - taken : 0;
	uint64_t scale_len = 1;

	for (size_t i = 0; i < plan->n_segments; i++)
		scale_len = max_u64(scale_len, plan->segments[i].reserve_len);
	for (size_t i = 0; i < plan->n_segments; i++) {
		size_t which = p->order[i];
		const struct segment *s = &plan->segments[which];
		char size[SIZE_TEXT_LEN];

		fprintf(out, "%c %-*s%0*" PRIx64 "-%0*" PRIx64 " %10s", p->letters[which],
			SEGMENT_NAME_LEN, s->name, p->digits, s->addr, p->digits,
			bytes_of(s).end - 1, report_size(s->mem_len, size));
		if (bar >= BAR_MIN)
			draw_bar(out, s, p->letters[which], scale_len,
				 bar < BAR_MAX ? bar : BAR_MAX);
		fputc('\n', out);
	}
}

static void draw_head(FILE *out, const struct picture *p)
{
	char ram[SIZE_TEXT_LEN], cell[SIZE_TEXT_LEN], line[SIZE_TEXT_LEN];

	fprintf(out, "physical memory: %s of RAM for segments\n"
		     "one character is %s, one line %s\n",
		report_size(range_list_total(&p->r->facts->ram), ram),
		report_size(p->cell_len, cell), report_size(p->cell_len * p->n_cells, line));
}

static void draw_key(FILE *out, const struct picture *p)
{
	bool has_window = false;

	for (size_t i = 0; i < p->r->plan->n_segments; i++)
		has_window |= p->r->plan->segments[i].reserve_len > p->r->plan->segments[i].mem_len;
	fputs("\n. RAM   : RAM kept for others   - reserved   + several segments\n", out);
	if (has_window)
		fputs("lower case: kept free after a segment for its use\n", out);
}

int report_map(FILE *out, const struct report *r, unsigned int columns, struct diag *diag)
{
	struct picture p = { .r = r, .columns = columns < COLUMNS_MIN ? COLUMNS_MIN : columns };
	int result;

	range_list_init(&p.drawn, &p.arena);
	range_list_init(&p.any_ram, &p.arena);
	range_list_init(&p.reserved, &p.arena);
	result = collect(&p);
	if (result == 0) {
		choose_scale(&p);
		order_segments(&p);
		draw_head(out, &p);
		draw_lines(out, &p);
		draw_enlarged(out, &p);
		draw_key(out, &p);
		draw_segments(out, &p);
	}
	arena_free(&p.arena);
	return result < 0 ? fail_nomem(diag) : 0;
}
