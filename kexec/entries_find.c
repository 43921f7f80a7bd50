// SPDX-License-Identifier: GPL-2.0-or-later
/* Which entry a name means: what is ambiguous is refused, with what it could mean. */
#include <errno.h>
#include <string.h>

#include "entries.h"

#define CANDIDATES_MAX 6 /* named in a message */

struct search {
	const struct boot_entries *list;
	const char *name;
	bool is_of_kind[N_ENTRY_KINDS];
};

typedef bool (*match_t)(const struct boot_entry *e, const char *name);

static bool has_title(const struct boot_entry *e, const char *name)
{
	return e->title && strcmp(e->title, name) == 0;
}

static bool begins(const struct boot_entry *e, const char *name)
{
	const size_t len = strlen(name);

	return (e->id && strncmp(e->id, name, len) == 0) ||
	       (e->title && strncmp(e->title, name, len) == 0);
}

static bool globs(const struct boot_entry *e, const char *name)
{
	return strpbrk(name, "*?[") &&
	       ((e->id && entry_glob(name, e->id)) || (e->title && entry_glob(name, e->title)));
}

/* In the order in which they count. */
static const match_t matches[] = { entry_has_id, has_title, entry_has_path, begins, globs };

static bool is_match(const struct search *s, const struct boot_entry *e, match_t match)
{
	return s->is_of_kind[e->kind] && match(e, s->name);
}

/* "KIND:ID (TITLE), ..." of those that match; of all with NULL. */
static const char *name_candidates(const struct search *s, match_t match, struct arena *a)
{
	const char *text = "";
	size_t n = 0;

	for (size_t i = 0; i < s->list->n && text; i++) {
		const struct boot_entry *e = &s->list->v[i];

		if (!s->is_of_kind[e->kind] || (match && !match(e, s->name)))
			continue;
		if (++n > CANDIDATES_MAX) {
			text = arena_printf(a, "%s, ...", text);
			break;
		}
		text = arena_printf(a, "%s%s%s:%.60s", text, *text ? ", " : "",
				    entry_kind_name(e->kind), e->id ? e->id : "?");
		if (text && e->title)
			text = arena_printf(a, "%s (%.40s)", text, e->title);
	}
	return text ? text : "...";
}

static int fail_ambiguous(const struct search *s, size_t n, match_t match, struct arena *a,
			  struct diag *diag)
{
	fail(diag, EINVAL, "entries/ambiguous", "'%.80s' could be %zu entries: %s", s->name, n,
	     name_candidates(s, match, a));
	return fail_advise(diag,
			   "a whole id; if two have the same one, another way to name it: its "
			   "title, bls:ID, grub:ID, or --boot-root");
}

static int fail_none(const struct search *s, struct arena *a, struct diag *diag)
{
	fail(diag, ENOENT, "entries/none-such", "no boot entry is '%.80s'; there %s %s", s->name,
	     s->list->n > 0 ? "are" : "is", s->list->n > 0 ? name_candidates(s, NULL, a) : "none");
	return fail_advise(diag, "kexec --list shows the entries; a file of such a name is "
				 "./@NAME");
}

static int find_known(const struct boot_entries *list, const char *what, size_t index,
		      const char *why, size_t *ret, struct diag *diag)
{
	if (index != ENTRY_NONE) {
		*ret = index;
		return 0;
	}
	fail(diag, ENOENT, "entries/not-known", "which entry is the %s one is not known: %s", what,
	     why	 ? why :
	     list->n > 0 ? "nothing says so" :
			   "there are no boot entries");
	return fail_advise(diag, "kexec --list, and then one of them by name: kexec -l @NAME");
}

int entries_find(const struct boot_entries *list, const char *name, struct arena *a, size_t *ret,
		 struct diag *diag)
{
	struct search s = { .list = list, .name = name };
	bool is_restricted = false;

	if (*name == '\0' || strcmp(name, "default") == 0)
		return find_known(list, "default", list->default_entry, list->default_why, ret,
				  diag);
	if (strcmp(name, "saved") == 0)
		return find_known(list, "saved", list->saved_entry, list->saved_why, ret, diag);
	for (int kind = 0; kind < N_ENTRY_KINDS; kind++) {
		const char *prefix = entry_kind_name((enum entry_kind)kind);
		const size_t len = strlen(prefix);

		if (strncmp(name, prefix, len) != 0 || name[len] != ':')
			continue;
		s.name = name + len + 1;
		s.is_of_kind[kind] = is_restricted = true;
	}
	for (int kind = 0; kind < N_ENTRY_KINDS && !is_restricted; kind++)
		s.is_of_kind[kind] = true;
	for (size_t m = 0; m < array_len(matches); m++) {
		size_t n = 0, found = 0;

		for (size_t i = 0; i < list->n; i++) {
			if (!is_match(&s, &list->v[i], matches[m]))
				continue;
			found = i;
			n++;
		}
		if (n > 1)
			return fail_ambiguous(&s, n, matches[m], a, diag);
		if (n == 1) {
			*ret = found;
			return 0;
		}
	}
	return fail_none(&s, a, diag);
}
