// SPDX-License-Identifier: GPL-2.0-or-later
/* The list itself: entries, texts in them, what orders them. */
#include "entries.h"

#include <string.h>
#include <strings.h>

const char *entry_kind_name(enum entry_kind kind)
{
	static const char *const names[N_ENTRY_KINDS] = {
		[ENTRY_BLS] = "bls",
		[ENTRY_UKI] = "uki",
		[ENTRY_GRUB] = "grub",
		[ENTRY_EXTLINUX] = "extlinux",
	};

	return names[kind];
}

/* ---- readers add to it ---- */

static bool make_room(struct entry_list *l)
{
	size_t more = l->room ? l->room * 2 : 16;
	struct boot_entry *bigger = arena_alloc_array(l->arena, more, sizeof(*bigger));

	if (!bigger)
		return false;
	if (l->n > 0)
		memcpy(bigger, l->v, l->n * sizeof(*bigger));
	l->v = bigger;
	l->room = more;
	return true;
}

struct boot_entry *entry_add(struct entry_list *l)
{
	if (l->n == ENTRIES_MAX) {
		l->is_full = true;
		return NULL;
	}
	if (l->n == l->room && !make_room(l)) {
		l->is_short = true;
		return NULL;
	}
	return &l->v[l->n++];
}

void fail_entry(struct entry_list *l, struct boot_entry *e, const char *id, const char *fmt, ...)
{
	va_list args;

	if (e->why_id)
		return;
	va_start(args, fmt);
	e->why = arena_vprintf(l->arena, fmt, args);
	va_end(args);
	e->why_id = id;
	if (!e->why) {
		e->why = "";
		l->is_short = true;
	}
}

const char *entry_printf(struct entry_list *l, const char *fmt, ...)
{
	const char *text;
	va_list args;

	va_start(args, fmt);
	text = arena_vprintf(l->arena, fmt, args);
	va_end(args);
	l->is_short |= !text;
	return text;
}

const char *entry_text(struct entry_list *l, struct boot_entry *e, struct span s)
{
	size_t len = 0;
	char *copy;

	while (len < s.len && s.data[len] != 0x7f && (s.data[len] >= ' ' || s.data[len] == '\t'))
		len++;
	if (len < s.len)
		fail_entry(l, e, "entries/control-character",
			   "there is a control character (0x%02x) in it", s.data[len]);
	copy = arena_strndup(l->arena, len > 0 ? (const char *)s.data : "", len);
	l->is_short |= !copy;
	return copy;
}

const char *entry_string(struct entry_list *l, struct boot_entry *e, const char *s)
{
	return s ? entry_text(l, e, span_of(s, strlen(s))) : NULL;
}

void entry_add_initrd(struct entry_list *l, struct boot_entry *e, const char *path)
{
	if (!path)
		return;
	if (!e->initrds)
		e->initrds = arena_alloc_array(l->arena, ENTRY_INITRDS_MAX, sizeof(*e->initrds));
	if (!e->initrds)
		l->is_short = true;
	else if (e->n_initrds == ENTRY_INITRDS_MAX)
		fail_entry(l, e, "entries/too-many-initrds", "it has more than %d initrds",
			   ENTRY_INITRDS_MAX);
	else
		e->initrds[e->n_initrds++] = path;
}

void entry_finish(struct entry_list *l, struct boot_entry *e)
{
	if (!e->kernel || e->kernel[0] == '\0')
		fail_entry(l, e, "entries/no-kernel", "it names no kernel");
}

/* ---- versions ---- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static size_t count(const char *s, bool (*is_of_kind)(char c))
{
	size_t n = 0;

	while (is_of_kind(s[n]))
		n++;
	return n;
}

static int sign(int a, int b)
{
	return (a > b) - (a < b);
}

/* What separates nothing and counts for nothing. */
static const char *skip_others(const char *s)
{
	while (*s != '\0' && !is_digit(*s) && !is_letter(*s) && !strchr("~-^.", *s))
		s++;
	return s;
}

/* Numbers of any length; one that is missing is older than any. */
static int compare_numbers(const char *a, size_t a_len, const char *b, size_t b_len)
{
	if (a_len == 0 || b_len == 0)
		return sign(a_len > 0, b_len > 0);
	for (; a_len > 1 && *a == '0'; a_len--)
		a++;
	for (; b_len > 1 && *b == '0'; b_len--)
		b++;
	if (a_len != b_len)
		return a_len < b_len ? -1 : 1;
	return memcmp(a, b, a_len);
}

static int compare_words(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return order != 0 ? order : sign(a_len > b_len, a_len < b_len);
}

/* A separator that one of both has: 0 if both or none have it, which *ret_both tells apart. */
static int compare_separator(const char *a, const char *b, char c, bool *ret_both)
{
	*ret_both = *a == c && *b == c;
	return sign(*a != c, *b != c);
}

int entry_compare_versions(const char *a, const char *b)
{
	for (;;) {
		size_t a_len, b_len;
		bool both = false;
		int order = 0;

		a = skip_others(a);
		b = skip_others(b);
		/* In the order in which they count: a '~' is older than the end, which is older
		 * than everything else. */
		order = compare_separator(a, b, '~', &both);
		if (order == 0 && !both && (*a == '\0' || *b == '\0'))
			return sign(*a != '\0', *b != '\0');
		for (const char *c = "-^."; *c != '\0' && order == 0 && !both; c++)
			order = compare_separator(a, b, *c, &both);
		if (order != 0)
			return order;
		if (both) {
			a++;
			b++;
			continue;
		}
		if (is_digit(*a) || is_digit(*b)) {
			a_len = count(a, is_digit);
			b_len = count(b, is_digit);
			order = compare_numbers(a, a_len, b, b_len);
		} else {
			a_len = count(a, is_letter);
			b_len = count(b, is_letter);
			order = compare_words(a, a_len, b, b_len);
		}
		if (order != 0)
			return order;
		a += a_len;
		b += b_len;
	}
}

static int compare_texts(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

/* Out of tries goes last; then by sort-key, machine and the newest version first; else, and at
 * last, by name, the newest first. */
int entry_compare(const struct boot_entry *a, const struct boot_entry *b)
{
	const bool a_bad = a->has_counter && a->tries_left == 0;
	const bool b_bad = b->has_counter && b->tries_left == 0;
	int order = sign(a_bad, b_bad);

	if (order == 0)
		order = sign(!a->sort_key, !b->sort_key);
	if (order == 0 && a->sort_key) {
		order = compare_texts(a->sort_key, b->sort_key);
		if (order == 0)
			order = compare_texts(a->machine_id, b->machine_id);
		if (order == 0)
			order = -entry_compare_versions(a->version ? a->version : "",
							b->version ? b->version : "");
	}
	if (order == 0)
		order = -entry_compare_versions(a->id ? a->id : "", b->id ? b->id : "");
	return order != 0 ? order : compare_texts(a->id, b->id);
}

/* ---- names ---- */

/* One "[...]": where it ends, NULL if it does not, and whether c is in it. */
static const char *match_set(const char *set, char c, bool *ret)
{
	const char *p = set + 1;
	const bool is_inverted = *p == '!' || *p == '^';
	bool is_in = false;

	p += is_inverted;
	do {
		if (*p == '\0')
			return NULL;
		if (p[1] == '-' && p[2] != '\0' && p[2] != ']') {
			is_in |= c >= p[0] && c <= p[2];
			p += 3;
		} else {
			is_in |= *p == c;
			p++;
		}
	} while (*p != ']');
	*ret = is_in != is_inverted;
	return p + 1;
}

bool entry_glob(const char *pattern, const char *text)
{
	const char *star = NULL, *from = NULL;

	while (*text != '\0') {
		const char *next = NULL;
		bool is_in = false;

		if (*pattern == '*') {
			star = pattern++;
			from = text;
			continue;
		}
		if (*pattern == '[')
			next = match_set(pattern, *text, &is_in);
		if (!next && *pattern != '\0') {
			next = pattern + 1;
			is_in = *pattern == '?' || *pattern == *text;
		}
		if (next && is_in) {
			pattern = next;
			text++;
		} else if (star) {
			/* The last star takes one more: those before need not be tried again. */
			pattern = star + 1;
			text = ++from;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

static size_t stem_len(const char *id)
{
	const size_t len = strlen(id);

	if (len > 5 && strcasecmp(id + len - 5, ".conf") == 0)
		return len - 5;
	return len > 4 && strcasecmp(id + len - 4, ".efi") == 0 ? len - 4 : len;
}

bool entry_has_id(const struct boot_entry *e, const char *id)
{
	const bool is_file = e->kind == ENTRY_BLS || e->kind == ENTRY_UKI;
	size_t len;

	if (!e->id)
		return false;
	if (!is_file)
		return strcmp(e->id, id) == 0;
	len = stem_len(id);
	return strcasecmp(e->id, id) == 0 ||
	       (stem_len(e->id) == len && strncasecmp(e->id, id, len) == 0);
}

/* text at the beginning of path, where a '>' may be doubled: what follows it there, or NULL. */
static const char *after_text(const char *path, const char *text)
{
	if (!text || *text == '\0')
		return NULL;
	for (; *text != '\0'; text++, path++) {
		if (*path != *text)
			return NULL;
		if (*text == '>' && path[1] == '>' && text[1] != '>')
			path++;
	}
	return path;
}

static const char *after_index(const char *path, const struct entry_level *level)
{
	size_t number = 0;
	const size_t n = strspn(path, "0123456789");

	if (n == 0 || n > 6 || !level->has_index)
		return NULL;
	for (size_t i = 0; i < n; i++)
		number = 10 * number + (size_t)(path[i] - '0');
	return number == level->index ? path + n : NULL;
}

static bool has_path_from(const struct boot_entry *e, size_t depth, const char *path)
{
	const struct entry_level *level = &e->levels[depth];
	const char *const rests[] = { after_index(path, level), after_text(path, level->id),
				      after_text(path, level->title) };

	for (size_t i = 0; i < array_len(rests); i++) {
		if (!rests[i])
			continue;
		if (*rests[i] == '\0' && depth + 1 == e->n_levels)
			return true;
		if (*rests[i] == '>' && depth + 1 < e->n_levels &&
		    has_path_from(e, depth + 1, rests[i] + 1))
			return true;
	}
	return false;
}

bool entry_has_path(const struct boot_entry *e, const char *path)
{
	return e->n_levels > 0 && has_path_from(e, 0, path);
}
