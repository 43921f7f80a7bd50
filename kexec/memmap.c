// SPDX-License-Identifier: GPL-2.0-or-later
#include "memmap.h"

#include <asm/bootparam.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "checked.h"

#define E820_COUNT_OFF	offsetof(struct boot_params, e820_entries)
#define E820_TABLE_OFF	offsetof(struct boot_params, e820_table)
#define E820_TABLE_LEN	(E820_MAX_ENTRIES_ZEROPAGE * E820_ENTRY_LEN)
#define E820_ENTRY_LEN	sizeof(struct boot_e820_entry)

/* Documentation/arch/x86/zero-page.rst */
_Static_assert(E820_COUNT_OFF == 0x1e8 && E820_TABLE_OFF == 0x2d0 && E820_ENTRY_LEN == 20 &&
	       E820_TABLE_LEN == 0xa00, "zero page");

#define E820_NONE		0	/* a gap to the kernel */
#define E820_RESERVED_KERN	128	/* up to 6.x; the kernel prints it as "System RAM" */

void memmap_init(struct memmap *m, struct arena *a)
{
	*m = (struct memmap){ .arena = a };
}

static int memmap_append(struct memmap *m, struct mem_entry entry)
{
	if (m->n == m->n_max) {
		size_t n_max = m->n_max ? m->n_max * 2 : 64;
		struct mem_entry *bigger = arena_alloc_array(m->arena, n_max, sizeof(*bigger));

		if (!bigger)
			return -ENOMEM;
		if (m->n > 0)
			memcpy(bigger, m->entries, m->n * sizeof(*bigger));
		m->entries = bigger;
		m->n_max = n_max;
	}
	m->entries[m->n++] = entry;
	return 0;
}

int memmap_add(struct memmap *m, struct range r, uint32_t type, struct diag *diag)
{
	struct mem_entry entry = {
		.range = r,
		.type = type == E820_RESERVED_KERN ? MEM_RAM : type,
	};

	if (type == E820_NONE || range_len(r) == 0)
		return 0;
	if (m->n >= MEMMAP_ENTRIES_MAX)
		return fail(diag, E2BIG, "memmap/too-many-entries",
			    "the memory map has more than %d entries", MEMMAP_ENTRIES_MAX);
	return memmap_append(m, entry) < 0 ? fail_nomem(diag) : 0;
}

/* ---- normal form ---------------------------------------------------------------------------- */

static int compare_starts(const void *va, const void *vb)
{
	const struct mem_entry *a = va, *b = vb;

	if (a->range.start != b->range.start)
		return a->range.start < b->range.start ? -1 : 1;
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	if (a->range.end != b->range.end)
		return a->range.end < b->range.end ? -1 : 1;
	return 0;
}

static int compare_addresses(const void *va, const void *vb)
{
	const phys_t *a = va, *b = vb;

	return *a == *b ? 0 : *a < *b ? -1 : 1;
}

static bool is_never_merged(uint32_t type)
{
	return type == MEM_PRAM || type == (uint32_t)MEM_SOFT_RESERVED;
}

/* The entries of a sorted map that hold one address, while that address moves upwards. */
struct sweep {
	const struct memmap *from;
	const struct mem_entry **open;
	size_t n_open;
	size_t next;
	const struct mem_entry *winner;
};

/* Moves to at; the winner stays as long as nothing beats it, so that its borders are kept. */
static void sweep_to(struct sweep *s, phys_t at)
{
	size_t kept = 0;

	if (s->winner && s->winner->range.end <= at)
		s->winner = NULL;
	for (size_t i = 0; i < s->n_open; i++)
		if (s->open[i]->range.end > at)
			s->open[kept++] = s->open[i];
	s->n_open = kept;
	while (s->next < s->from->n && s->from->entries[s->next].range.start <= at)
		s->open[s->n_open++] = &s->from->entries[s->next++];
	for (size_t i = 0; i < s->n_open; i++)
		if (!s->winner || s->open[i]->type > s->winner->type)
			s->winner = s->open[i];
}

static int append_merging(struct memmap *m, struct mem_entry entry, bool is_same_entry)
{
	struct mem_entry *last = m->n > 0 ? &m->entries[m->n - 1] : NULL;

	if (last && last->range.end == entry.range.start && last->type == entry.type &&
	    (is_same_entry || !is_never_merged(entry.type))) {
		last->range.end = entry.range.end;
		return 0;
	}
	return memmap_append(m, entry);
}

int memmap_normalize(struct memmap *m, struct diag *diag)
{
	size_t n_borders = 2 * m->n;
	phys_t *borders = arena_alloc_array(m->arena, n_borders, sizeof(*borders));
	struct sweep sweep = {
		.from = m,
		.open = arena_alloc_array(m->arena, m->n, sizeof(struct mem_entry *)),
	};
	struct memmap normal;

	if (!borders || !sweep.open)
		return fail_nomem(diag);
	memmap_init(&normal, m->arena);
	if (m->n > 0)
		qsort(m->entries, m->n, sizeof(*m->entries), compare_starts);
	for (size_t i = 0; i < m->n; i++) {
		borders[2 * i] = m->entries[i].range.start;
		borders[2 * i + 1] = m->entries[i].range.end;
	}
	qsort(borders, n_borders, sizeof(*borders), compare_addresses);

	for (size_t i = 0; i + 1 < n_borders; i++) {
		const struct mem_entry *before = sweep.winner;
		struct mem_entry part = { .range = { borders[i], borders[i + 1] } };

		if (part.range.start == part.range.end)
			continue;
		sweep_to(&sweep, part.range.start);
		if (!sweep.winner)
			continue;
		part.type = sweep.winner->type;
		if (append_merging(&normal, part, sweep.winner == before) < 0)
			return fail_nomem(diag);
	}
	*m = normal;
	return 0;
}

int memmap_ranges(const struct mem_entry *map, size_t n, uint32_t type, struct arena *a,
		  struct range_list *ret, struct diag *diag)
{
	struct range_list list;

	range_list_init(&list, a);
	for (size_t i = 0; i < n; i++)
		if (map[i].type == type && range_list_add(&list, map[i].range) < 0)
			return fail_nomem(diag);
	range_list_normalize(&list);
	*ret = list;
	return 0;
}

phys_t memmap_end(const struct mem_entry *map, size_t n)
{
	phys_t end = 0;

	for (size_t i = 0; i < n; i++)
		end = max_u64(end, map[i].range.end);
	return end;
}

/* ---- texts ---------------------------------------------------------------------------------- */

bool memmap_range(uint64_t first, uint64_t last, struct range *ret)
{
	uint64_t end;

	if (first > last || !checked_add(last, 1, &end))
		return false;
	*ret = (struct range){ .start = first, .end = end };
	return true;
}

static bool is_name(struct span name, const char *known)
{
	return name.len == strlen(known) &&
	       strncasecmp((const char *)name.data, known, name.len) == 0;
}

static bool name_starts_with(struct span name, const char *known)
{
	return name.len >= strlen(known) &&
	       strncasecmp((const char *)name.data, known, strlen(known)) == 0;
}

bool memmap_type(struct span name, uint32_t *ret)
{
	static const struct {
		const char *name;
		uint32_t type;
	} known[] = {
		{ "System RAM", MEM_RAM },
		{ "Reserved", MEM_RESERVED },
		{ "ACPI Tables", MEM_ACPI },
		{ "ACPI Non-volatile Storage", MEM_NVS },
		{ "Unusable memory", MEM_UNUSABLE },
		{ "Persistent Memory", MEM_PMEM },
		{ "Persistent Memory (legacy)", MEM_PRAM },
		{ "Soft Reserved", (uint32_t)MEM_SOFT_RESERVED },
		/* What the kernel prints for numbers it has no name for; its number is lost. */
		{ "Unknown E820 type", MEM_RESERVED },
	};

	for (size_t i = 0; i < array_len(known); i++) {
		if (is_name(name, known[i].name)) {
			*ret = known[i].type;
			return true;
		}
	}
	*ret = MEM_RESERVED;
	return false;
}

/* Takes the text before the first c from *rest, with c; all of it if there is none. */
static struct span take_until(struct span *rest, char c)
{
	const uint8_t *at = rest->len > 0 ? memchr(rest->data, c, rest->len) : NULL;
	size_t len = at ? (size_t)(at - rest->data) : rest->len;
	size_t taken = at ? len + 1 : len;
	struct span part = span_of(rest->data, len);

	*rest = span_of(rest->data ? rest->data + taken : NULL, rest->len - taken);
	return part;
}

static bool read_hex(struct span digits, uint64_t *ret)
{
	uint64_t v = 0;

	if (digits.len == 0 || digits.len > 16)
		return false;
	for (size_t i = 0; i < digits.len; i++) {
		uint8_t c = digits.data[i];

		if (c >= '0' && c <= '9')
			v = v << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (uint64_t)(c - 'a' + 10);
		else
			return false;
	}
	*ret = v;
	return true;
}

struct iomem_line {
	bool is_top;
	bool is_masked;
	struct range range;
	struct span name;
};

/* "%*s%0*llx-%0*llx : %s", two spaces per level (kernel/resource.c: r_show()). */
static bool read_iomem_line(struct span line, struct iomem_line *ret)
{
	struct iomem_line l = { 0 };
	size_t indent = 0;
	uint64_t first, last;

	while (indent < line.len && line.data[indent] == ' ')
		indent++;
	line = span_of(line.data + indent, line.len - indent);
	l.is_top = indent == 0;
	if (indent % 2 != 0 || !read_hex(take_until(&line, '-'), &first) ||
	    !read_hex(take_until(&line, ' '), &last) || !memmap_range(first, last, &l.range) ||
	    !span_starts_with(line, ": ", 2))
		return false;
	l.is_masked = last == 0;
	l.name = span_of(line.data + 2, line.len - 2);
	*ret = l;
	return l.name.len > 0;
}

static int add_range(struct range_list *list, struct range r, struct diag *diag)
{
	if (list->n >= MEMMAP_ENTRIES_MAX)
		return fail(diag, E2BIG, "memmap/too-many-ranges",
			    "/proc/iomem has more than %d ranges of one name",
			    MEMMAP_ENTRIES_MAX);
	return range_list_add(list, r) < 0 ? fail_nomem(diag) : 0;
}

static int add_iomem_line(struct iomem *iomem, const struct iomem_line *l, struct diag *diag)
{
	uint32_t type;
	int r;

	if (is_name(l->name, "Crash kernel"))
		return add_range(&iomem->crash_kernel, l->range, diag);
	if (name_starts_with(l->name, "System RAM ("))
		return add_range(&iomem->driver_managed, l->range, diag);
	if (!memmap_type(l->name, &type))
		return 0;
	if (type == MEM_RAM && !l->is_top)
		return add_range(&iomem->driver_managed, l->range, diag);
	if (type == MEM_RAM) {
		r = add_range(&iomem->ram, l->range, diag);
		if (r < 0)
			return r;
	}
	return memmap_add(&iomem->map, l->range, type, diag);
}

static int add_iomem_text(struct iomem *iomem, struct span text, struct diag *diag)
{
	size_t n_lines = 0, n_masked = 0, n_bad = 0, first_bad = 0;

	for (size_t at = 1; text.len > 0; at++) {
		struct span line = take_until(&text, '\n');
		struct iomem_line l;
		int r;

		if (!read_iomem_line(line, &l)) {
			first_bad = n_bad++ == 0 ? at : first_bad;
			continue;
		}
		n_lines++;
		if (l.is_masked) {
			n_masked++;
			continue;
		}
		r = add_iomem_line(iomem, &l, diag);
		if (r < 0)
			return r;
	}
	iomem->is_masked = n_lines > 0 && n_lines == n_masked;
	if (n_bad > 0)
		note(diag, "memmap/iomem-line",
		     "%zu lines of /proc/iomem are not \"START-END : NAME\", the first is line "
		     "%zu; they were left out", n_bad, first_bad);
	return 0;
}

int memmap_read_iomem(struct span text, struct arena *a, struct iomem *ret, struct diag *diag)
{
	struct iomem iomem = { 0 };
	int r;

	range_list_init(&iomem.ram, a);
	range_list_init(&iomem.crash_kernel, a);
	range_list_init(&iomem.driver_managed, a);
	memmap_init(&iomem.map, a);
	r = add_iomem_text(&iomem, text, diag);
	if (r < 0)
		return r;
	range_list_normalize(&iomem.ram);
	range_list_normalize(&iomem.crash_kernel);
	range_list_normalize(&iomem.driver_managed);
	r = memmap_normalize(&iomem.map, diag);
	if (r < 0)
		return r;
	*ret = iomem;
	return 0;
}

/* ---- e820 tables ---------------------------------------------------------------------------- */

static int add_e820(struct memmap *m, struct span table, struct diag *diag)
{
	size_t n_wrapped = 0;

	for (uint64_t off = 0; off + E820_ENTRY_LEN <= table.len; off += E820_ENTRY_LEN) {
		uint64_t start, len, end;
		uint32_t type;
		int r;

		if (!span_le64(table, off, &start) || !span_le64(table, off + 8, &len) ||
		    !span_le32(table, off + 16, &type))
			break;
		if (!checked_add(start, len, &end)) {
			n_wrapped++;
			continue;
		}
		r = memmap_add(m, (struct range){ start, end }, type, diag);
		if (r < 0)
			return r;
	}
	if (n_wrapped > 0)
		note(diag, "memmap/e820-wrap",
		     "%zu e820 entries end beyond 2^64; they were left out", n_wrapped);
	return 0;
}

int memmap_add_boot_params(struct memmap *m, struct span boot_params, struct diag *diag)
{
	struct span table;
	uint8_t count;

	if (!span_u8(boot_params, E820_COUNT_OFF, &count) ||
	    !span_sub(boot_params, E820_TABLE_OFF, E820_TABLE_LEN, &table))
		return fail(diag, EINVAL, "memmap/e820-truncated",
			    "boot_params has %zu bytes, its e820 table ends at byte %zu",
			    boot_params.len, E820_TABLE_OFF + E820_TABLE_LEN);
	if (count > E820_MAX_ENTRIES_ZEROPAGE) {
		note(diag, "memmap/e820-count",
		     "boot_params counts %u e820 entries, its table has %d", count,
		     E820_MAX_ENTRIES_ZEROPAGE);
		count = E820_MAX_ENTRIES_ZEROPAGE;
	}
	table.len = count * E820_ENTRY_LEN;
	return add_e820(m, table, diag);
}

int memmap_add_e820_ext(struct memmap *m, struct span payload, struct diag *diag)
{
	if (payload.len % E820_ENTRY_LEN != 0)
		note(diag, "memmap/e820-tail",
		     "an e820 extension has %zu bytes, not a multiple of %zu", payload.len,
		     E820_ENTRY_LEN);
	return add_e820(m, payload, diag);
}
