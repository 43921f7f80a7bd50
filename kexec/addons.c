// SPDX-License-Identifier: GPL-2.0-or-later
#include "addons.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool ends_with(const char *s, const char *end)
{
	size_t len = strlen(s), end_len = strlen(end);

	/* On an EFI partition names have no case. */
	return len > end_len && strcasecmp(s + len - end_len, end) == 0;
}

/* "+3" or "+3-1" at the end of s[0, len): its length, 0 if there is none. */
static size_t counter_len(const char *s, size_t len)
{
	size_t at = len;

	while (at > 0 && isdigit((unsigned char)s[at - 1]))
		at--;
	if (at > 0 && at < len && s[at - 1] == '-') {
		size_t tries_end = --at;

		while (at > 0 && isdigit((unsigned char)s[at - 1]))
			at--;
		if (at == tries_end)
			return 0;
	}
	return at > 0 && at < len && s[at - 1] == '+' ? len - at + 1 : 0;
}

static const char *folder_of(const char *image, struct arena *a)
{
	size_t len = strlen(image), counter;

	if (!ends_with(image, ".efi"))
		return arena_printf(a, "%s.extra.d", image);
	len -= strlen(".efi");
	counter = counter_len(image, len);
	return arena_printf(a, "%.*s%s.extra.d", (int)(len - counter), image, image + len);
}

static int compare_names(const void *va, const void *vb)
{
	const char *const *a = va, *const *b = vb;

	return strcmp(*a, *b);
}

struct listing {
	const char *folder;
	struct arena *arena;
	struct diag *diag;
	const char **names;	/* ADDONS_MAX at most */
	size_t n;
	size_t n_others;	/* what the stub would make an initrd of */
};

static int list_entry(struct listing *l, const char *name)
{
	if (name[0] == '.')
		return 0;
	if (ends_with(name, ".cred") || ends_with(name, ".raw")) {
		l->n_others++;
		return 0;
	}
	if (!ends_with(name, ".addon.efi"))
		return 0;
	if (l->n == ADDONS_MAX)
		return fail(l->diag, E2BIG, "addons/too-many", "'%.500s' has more than %d addons",
			    l->folder, ADDONS_MAX);
	l->names[l->n] = arena_printf(l->arena, "%s/%s", l->folder, name);
	return l->names[l->n++] ? 0 : fail_nomem(l->diag);
}

static int list_folder(struct listing *l)
{
	const struct dirent *entry;
	DIR *dir = opendir(l->folder);
	int r = 0;

	if (!dir && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (!dir) {
		warn(l->diag, "addons/unreadable", "addons in '%.500s' are left out: %s", l->folder,
		     strerror(errno));
		return 0;
	}
	l->names = arena_alloc_array(l->arena, ADDONS_MAX, sizeof(*l->names));
	if (!l->names)
		r = fail_nomem(l->diag);
	while (r == 0 && (errno = 0, (entry = readdir(dir)) != NULL))
		r = list_entry(l, entry->d_name);
	if (r == 0 && errno != 0)
		warn(l->diag, "addons/unreadable", "addons in '%.500s' may be left out: %s",
		     l->folder, strerror(errno));
	closedir(dir);
	if (r == 0 && l->n > 1)
		qsort(l->names, l->n, sizeof(*l->names), compare_names);
	if (r == 0 && l->n_others > 0)
		warn(l->diag, "addons/others-left-out",
		     "%zu file%s in '%.500s' (credentials, extensions) %s left out: only the image's "
		     "own stub hands them on",
		     l->n_others, l->n_others == 1 ? "" : "s", l->folder,
		     l->n_others == 1 ? "is" : "are");
	return r;
}

static int open_one(struct addon_files *f, const char *path, bool is_asked, struct diag *diag)
{
	int r = file_open(path, &f->files[f->n], diag);

	if (r < 0)
		return r;
	f->addons[f->n] = (struct addon){ path, f->files[f->n].bytes, is_asked };
	f->n++;
	return 0;
}

/* One that cannot be read is left out where nobody asked for it. */
static int open_found(struct addon_files *f, const char *path, struct diag *diag)
{
	struct diag why;
	int r;

	diag_init(&why, diag->arena);
	r = open_one(f, path, false, &why);
	if (r < 0)
		warn(diag, why.id, "%s: this addon is left out", why.text);
	return r == -ENOMEM ? fail_nomem(diag) : 0;
}

int addons_open(const char *image, bool is_to_look, const char *const *asked, size_t n_asked,
		struct arena *a, struct addon_files *ret, struct diag *diag)
{
	struct listing l = { .folder = folder_of(image, a), .arena = a, .diag = diag };
	struct addon_files f = { 0 };
	int r = 0;

	if (!l.folder)
		return fail_nomem(diag);
	if (is_to_look)
		r = list_folder(&l);
	if (r < 0)
		return r;
	f.files = arena_alloc_array(a, l.n + n_asked, sizeof(*f.files));
	f.addons = arena_alloc_array(a, l.n + n_asked, sizeof(*f.addons));
	if (!f.files || !f.addons)
		return fail_nomem(diag);
	for (size_t i = 0; i < l.n && r == 0; i++)
		r = open_found(&f, l.names[i], diag);
	for (size_t i = 0; i < n_asked && r == 0; i++)
		r = open_one(&f, asked[i], true, diag);
	if (r < 0) {
		addons_close(&f);
		return r;
	}
	*ret = f;
	return 0;
}

void addons_close(struct addon_files *f)
{
	for (size_t i = 0; i < f->n; i++)
		file_close(&f->files[i]);
	*f = (struct addon_files){ 0 };
}
