// SPDX-License-Identifier: GPL-2.0-or-later
/* From files to the list, and which of it the machine's boot loader would take. */
#include <stdlib.h>
#include <string.h>

#include "bls.h"
#include "entries.h"

struct build {
	const struct entry_input *in;
	struct entry_list list;
	struct diag *diag;
	struct boot_entries *out;
	const char *loader_conf_default;
	bool has_loader_conf;
};

static int compare_entries(const void *a, const void *b)
{
	return entry_compare(a, b);
}

/* ---- reading ---- */

static void read_file(struct build *b, const struct entry_file *file, size_t place)
{
	switch (file->kind) {
	case ENTRY_FILE_BLS:
		bls_read(file, place, &b->list);
		break;
	case ENTRY_FILE_UKI:
		bls_read_uki(file, place, &b->list);
		break;
	case ENTRY_FILE_LOADER_CONF:
		if (!b->has_loader_conf)
			b->loader_conf_default = bls_default(file->bytes, &b->list);
		b->has_loader_conf = true;
		break;
	default:
		break;
	}
}

static void read_specified(struct build *b)
{
	for (size_t i = 0; i < b->in->n_places; i++)
		for (size_t j = 0; j < b->in->places[i].n_files; j++)
			read_file(b, &b->in->places[i].files[j], i);
	if (b->list.n > 1)
		qsort(b->list.v, b->list.n, sizeof(*b->list.v), compare_entries);
}

/* ---- defaults ---- */

static bool is_specified(const struct boot_entry *e)
{
	return e->kind == ENTRY_BLS || e->kind == ENTRY_UKI;
}

/* The first in the order of the list that fits, as systemd-boot takes it. */
static size_t find_specified(const struct build *b, const char *pattern)
{
	for (size_t i = 0; i < b->list.n; i++) {
		const struct boot_entry *e = &b->list.v[i];

		if (is_specified(e) && e->id &&
		    (entry_has_id(e, pattern) || entry_glob(pattern, e->id)))
			return i;
	}
	return ENTRY_NONE;
}

static void settle_specified(struct build *b)
{
	const struct entry_input *in = b->in;
	const char *const wishes[] = { in->one_shot, in->efi_default, b->loader_conf_default };
	struct boot_entries *out = b->out;

	if (in->last_booted)
		out->saved_entry = find_specified(b, in->last_booted);
	for (size_t i = 0; i < array_len(wishes) && out->default_entry == ENTRY_NONE; i++) {
		const char *wish = wishes[i];

		if (wish && strcmp(wish, "@saved") == 0)
			wish = in->last_booted;
		if (wish)
			out->default_entry = find_specified(b, wish);
		out->is_one_shot = i == 0 && out->default_entry != ENTRY_NONE;
	}
	/* Entries that are out of tries are last in the order. */
	for (size_t i = 0; i < b->list.n && out->default_entry == ENTRY_NONE; i++)
		if (is_specified(&b->list.v[i]))
			out->default_entry = i;
}

static bool has_specified(const struct build *b)
{
	for (size_t i = 0; i < b->list.n; i++)
		if (is_specified(&b->list.v[i]))
			return true;
	return false;
}

static void settle_defaults(struct build *b)
{
	struct boot_entries *out = b->out;

	if (!has_specified(b))
		return;
	out->loader = b->in->loader_info && strncmp(b->in->loader_info, "systemd-boot", 12) == 0 ?
			      "systemd-boot" :
			      "bls";
	settle_specified(b);
}

int entries_build(const struct entry_input *in, struct arena *a, struct boot_entries *ret,
		  struct diag *diag)
{
	struct boot_entries out = { .default_entry = ENTRY_NONE, .saved_entry = ENTRY_NONE };
	struct build b = { .in = in, .list = { .arena = a }, .diag = diag, .out = &out };

	read_specified(&b);
	settle_defaults(&b);
	if (b.list.is_short)
		return fail_nomem(diag);
	if (b.list.is_full)
		warn(diag, "entries/too-many",
		     "there are more than %d boot entries: others are left out", ENTRIES_MAX);
	out.v = b.list.v;
	out.n = b.list.n;
	*ret = out;
	return 0;
}
