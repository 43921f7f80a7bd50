// SPDX-License-Identifier: GPL-2.0-or-later
/* From files to the list, and which of it the machine's boot loader would take. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bls.h"
#include "entries.h"
#include "extlinux.h"
#include "grub_cfg.h"

struct build {
	const struct entry_input *in;
	struct entry_list list;
	struct diag *diag;
	struct boot_entries *out;
	const char *loader_conf_default;
	bool has_loader_conf;
	struct grubenv env;
	bool has_env, is_env_broken, has_grub, has_extlinux;
	struct grub_result grub;
	struct extlinux_result extlinux;
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

static const struct entry_file *find_file(const struct entry_place *p, enum entry_file_kind kind)
{
	for (size_t i = 0; i < p->n_files; i++)
		if (p->files[i].kind == kind)
			return &p->files[i];
	return NULL;
}

static void read_env(struct build *b, const struct entry_place *p)
{
	const struct entry_file *file = find_file(p, ENTRY_FILE_GRUBENV);
	struct diag why;

	if (!file)
		return;
	diag_init(&why, NULL);
	b->has_env = grubenv_read(file->bytes, b->list.arena, &b->env, &why) == 0;
	if (why.error == ENOMEM)
		b->list.is_short = true;
	b->is_env_broken = !b->has_env;
	if (!b->has_env && why.error != ENOMEM)
		warn(b->diag, why.id, "%.200s/%s: %s", p->dir, file->name, why.text);
}

/* The first grub.cfg is the one whose default counts; a machine has one. */
static void read_grub(struct build *b)
{
	for (size_t i = 0; i < b->in->n_places && !b->has_grub; i++) {
		const struct entry_place *p = &b->in->places[i];
		struct grub_input in = {
			.cfg = find_file(p, ENTRY_FILE_GRUB_CFG),
			.custom = find_file(p, ENTRY_FILE_GRUB_CUSTOM),
			.folder = find_file(p, ENTRY_FILE_GRUB_FOLDER),
			.places = b->in->places,
			.n_places = b->in->n_places,
			.place = i,
			.platform = b->in->platform,
		};

		if (!in.cfg)
			continue;
		read_env(b, p);
		in.env = b->has_env ? &b->env : NULL;
		in.is_env_broken = b->is_env_broken;
		grub_cfg_read(&in, &b->list, &b->grub);
		b->has_grub = true;
	}
}

/* Where GRUB shows entries of the specification (blscfg), their lines are its script. */
static void expand_entry(struct build *b, struct boot_entry *e)
{
	const char **initrds = e->initrds;
	const size_t n_initrds = e->n_initrds;
	struct grub_words w;

	if (e->options && strpbrk(e->options, "$\\'\"")) {
		grub_expand_line(e->options, &b->grub, &b->list, e, &w);
		e->options = entry_string(&b->list, e, grub_join(&w, 0, &b->list));
	}
	if (e->kernel && strchr(e->kernel, '$')) {
		grub_expand_line(e->kernel, &b->grub, &b->list, e, &w);
		e->kernel = w.n > 0 ? entry_string(&b->list, e, w.v[0]) : NULL;
	}
	e->initrds = NULL;
	e->n_initrds = 0;
	for (size_t i = 0; i < n_initrds; i++) {
		grub_expand_line(initrds[i], &b->grub, &b->list, e, &w);
		for (size_t j = 0; j < w.n; j++)
			entry_add_initrd(&b->list, e, entry_string(&b->list, e, w.v[j]));
	}
	entry_finish(&b->list, e);
}

static bool is_systemd_boot(const struct build *b)
{
	return b->in->loader_info && strncmp(b->in->loader_info, "systemd-boot", 12) == 0;
}

/* Elsewhere a '$' is a '$', but whether this is elsewhere only systemd-boot says. */
static void check_dollars(struct build *b, struct boot_entry *e)
{
	bool has_dollar = strchr(e->options ? e->options : "", '$') ||
			  strchr(e->kernel ? e->kernel : "", '$');

	for (size_t i = 0; i < e->n_initrds; i++)
		has_dollar |= strchr(e->initrds[i], '$') != NULL;
	if (has_dollar)
		fail_entry(&b->list, e, "entries/grub-unknown",
			   "it has a variable of GRUB's in it, and there is no grub.cfg with "
			   "blscfg: "
			   "%.200s",
			   e->options ? e->options : "");
}

static void expand_specified(struct build *b)
{
	for (size_t i = 0; i < b->list.n; i++) {
		struct boot_entry *e = &b->list.v[i];

		if (e->kind != ENTRY_BLS)
			continue;
		if (b->grub.has_blscfg)
			expand_entry(b, e);
		else if (!is_systemd_boot(b))
			check_dollars(b, e);
	}
}

static void read_extlinux(struct build *b)
{
	for (size_t i = 0; i < b->in->n_places && !b->has_extlinux; i++) {
		const struct entry_file *file = find_file(&b->in->places[i], ENTRY_FILE_EXTLINUX);

		if (!file)
			continue;
		extlinux_read(file, i, &b->list, &b->extlinux);
		b->has_extlinux = true;
	}
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

/* By GRUB's path; where blscfg is in the menu, an id or title of such an entry is one as well. */
static size_t find_grub(const struct build *b, const char *path)
{
	for (size_t i = 0; i < b->list.n; i++)
		if (b->list.v[i].kind == ENTRY_GRUB && entry_has_path(&b->list.v[i], path))
			return i;
	for (size_t i = 0; i < b->list.n && b->grub.has_blscfg; i++) {
		const struct boot_entry *e = &b->list.v[i];

		if (e->kind == ENTRY_BLS &&
		    (entry_has_id(e, path) || (e->title && strcmp(e->title, path) == 0)))
			return i;
	}
	return ENTRY_NONE;
}

static void settle_grub(struct build *b)
{
	const char *saved = b->has_env ? grubenv_find(&b->env, "saved_entry") : NULL;
	const char *next = b->has_env ? grubenv_find(&b->env, "next_entry") : NULL;
	const char *path = b->grub.default_path;
	struct boot_entries *out = b->out;

	out->loader = "grub";
	out->default_why = b->grub.default_why;
	if (path) {
		out->default_entry = find_grub(b, path);
		out->default_why =
			entry_printf(&b->list,
				     "GRUB's default is '%.80s', and no entry is that for "
				     "certain",
				     path);
		out->is_one_shot =
			next && strcmp(next, path) == 0 && out->default_entry != ENTRY_NONE;
	}
	if (saved && *saved != '\0') {
		out->saved_entry = find_grub(b, saved);
		out->saved_why = entry_printf(
			&b->list, "GRUB has saved '%.80s', and no entry is that for certain",
			saved);
	}
}

static void settle_extlinux(struct build *b)
{
	struct boot_entries *out = b->out;

	out->loader = "extlinux";
	out->default_why = b->extlinux.default_why;
	for (size_t i = 0; i < b->list.n && b->extlinux.default_label; i++) {
		const struct boot_entry *e = &b->list.v[i];

		if (e->kind != ENTRY_EXTLINUX || !e->id ||
		    strcasecmp(e->id, b->extlinux.default_label) != 0)
			continue;
		out->default_entry = i;
		return;
	}
}

static void settle_defaults(struct build *b)
{
	if (b->has_grub && !(is_systemd_boot(b) && has_specified(b))) {
		settle_grub(b);
	} else if (has_specified(b)) {
		b->out->loader = is_systemd_boot(b) ? "systemd-boot" : "bls";
		settle_specified(b);
	} else if (b->has_extlinux) {
		settle_extlinux(b);
	}
}

int entries_build(const struct entry_input *in, struct arena *a, struct boot_entries *ret,
		  struct diag *diag)
{
	struct boot_entries out = { .default_entry = ENTRY_NONE, .saved_entry = ENTRY_NONE };
	struct build b = { .in = in, .list = { .arena = a }, .diag = diag, .out = &out };

	read_specified(&b);
	read_grub(&b);
	expand_specified(&b);
	read_extlinux(&b);
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
