// SPDX-License-Identifier: GPL-2.0-or-later
#include "host_entries.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host_mounts.h"
#include "host_text.h"
#include "host_tree.h"

#define FILES_MAX	 1024 /* of one folder */
#define TEXT_MAX	 (1024 * 1024)
#define GRUB_NAMES_MAX	 256 /* of files in GRUB's folder */
#define UKI_MAX		 (4 * GIB)
#define GUID		 "-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
#define EFI_VARIABLE_MAX (4 + 2 * ENTRY_NAME_MAX + 2)

struct host_place {
	const char *dir; /* as a person knows it */
	struct host_tree folder; /* confined to dir */
	struct host_tree fs; /* to the root of the file system that it is in */
	bool is_all; /* both are one, and paths that begin with /boot may be within */
	const char *subtree; /* the part of that file system which its root is; NULL: unknown */
	struct stat stat;
	struct entry_file *files;
	size_t n_files;
	const char *uuid;
};

struct reader {
	struct arena *arena;
	struct diag *diag;
	struct host_tree base; /* "/" or the captured tree */
	struct host_mounts mounts;
	const char *host_root;
	struct host_place *places;
	size_t n_places;
	const char *looked_at;
	bool is_short;
};

/* ---- files of a place ---- */

static void add_file(struct reader *r, struct host_place *p, enum entry_file_kind kind,
		     const char *name, struct span bytes)
{
	if (p->n_files == FILES_MAX)
		return;
	if (!p->files)
		p->files = arena_alloc_array(r->arena, FILES_MAX, sizeof(*p->files));
	if (!p->files || !name) {
		r->is_short = true;
		return;
	}
	p->files[p->n_files++] = (struct entry_file){ kind, name, bytes };
}

static void warn_unreadable(struct reader *r, const struct host_place *p, const char *name,
			    int error)
{
	if (error == ENOENT || error == ENOTDIR)
		return;
	warn(r->diag, "entries/unreadable", "'%.200s/%.200s' is left out: %s", p->dir, name,
	     strerror(error));
}

static bool read_text(struct reader *r, struct host_place *p, enum entry_file_kind kind,
		      const char *name)
{
	struct span bytes;
	int error =
		name ? host_file_read(&p->folder, r->arena, TEXT_MAX, &bytes, "%s", name) : -ENOMEM;

	if (error < 0) {
		r->is_short |= error == -ENOMEM;
		if (name)
			warn_unreadable(r, p, name, -error);
		return false;
	}
	add_file(r, p, kind, name, bytes);
	return true;
}

/* Mapped until the list is made: only their small sections are looked at. */
static void map_uki(struct reader *r, struct host_place *p, const char *name)
{
	int fd = name ? host_open(&p->folder, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0) : -ENOMEM;
	struct stat st;
	void *map;

	if (fd < 0) {
		if (name)
			warn_unreadable(r, p, name, -fd);
		return;
	}
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
	    (uint64_t)st.st_size <= UKI_MAX) {
		map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (map != MAP_FAILED)
			add_file(r, p, ENTRY_FILE_UKI, name, span_of(map, (size_t)st.st_size));
		else
			warn_unreadable(r, p, name, errno);
	} else {
		add_file(r, p, ENTRY_FILE_UKI, name, span_of(NULL, 0));
	}
	close(fd);
}

static void unmap_ukis(struct reader *r)
{
	for (size_t i = 0; i < r->n_places; i++) {
		for (size_t j = 0; j < r->places[i].n_files; j++) {
			struct entry_file *f = &r->places[i].files[j];

			if (f->kind == ENTRY_FILE_UKI && f->bytes.len > 0)
				munmap((void *)(uintptr_t)f->bytes.data, f->bytes.len);
			f->bytes = span_of(NULL, 0);
		}
	}
}

static void read_folder(struct reader *r, struct host_place *p, const char *folder,
			const char *suffix, enum entry_file_kind kind)
{
	struct host_names names = { 0 };
	int error = host_list_names(&p->folder, r->arena, folder, suffix, FILES_MAX, &names);

	if (error < 0)
		warn_unreadable(r, p, folder, -error);
	for (size_t i = 0; i < names.n; i++) {
		const char *name = arena_printf(r->arena, "%s/%s", folder, names.v[i]);

		if (kind == ENTRY_FILE_UKI)
			map_uki(r, p, name);
		else
			read_text(r, p, kind, name);
	}
}

static void add_folder(struct reader *r, struct host_place *p, const char *folder)
{
	struct host_names names = { 0 };
	const char *text = "";
	int error = host_list_names(&p->folder, r->arena, folder, "", GRUB_NAMES_MAX, &names);

	if (error < 0) {
		warn_unreadable(r, p, folder, -error);
		return;
	}
	for (size_t i = 0; i < names.n && text; i++)
		text = arena_printf(r->arena, "%s%s\n", text, names.v[i]);
	if (text)
		add_file(r, p, ENTRY_FILE_GRUB_FOLDER, folder, span_of(text, strlen(text)));
	else
		r->is_short = true;
}

/* A grub.cfg and what belongs to it. */
static bool read_grub_in(struct reader *r, struct host_place *p, const char *folder)
{
	if (!read_text(r, p, ENTRY_FILE_GRUB_CFG, arena_printf(r->arena, "%s/grub.cfg", folder)))
		return false;
	read_text(r, p, ENTRY_FILE_GRUB_CUSTOM, arena_printf(r->arena, "%s/custom.cfg", folder));
	read_text(r, p, ENTRY_FILE_GRUBENV, arena_printf(r->arena, "%s/grubenv", folder));
	add_folder(r, p, folder);
	return true;
}

/* On an EFI partition most are there to find another one, which is not this reader's to follow. */
static bool has_menu(struct reader *r, const struct host_place *p, const char *folder)
{
	struct span text;
	int error = host_file_read(&p->folder, r->arena, TEXT_MAX, &text, "%s/grub.cfg", folder);

	if (error < 0)
		warn_unreadable(r, p, folder, -error);
	return error == 0 && (memmem(text.data, text.len, "blscfg", 6) ||
			      memmem(text.data, text.len, "menuentry", 9));
}

/* Fedora and SUSE say grub2; RHEL 8 has it on the EFI partition. */
static void read_grub(struct reader *r, struct host_place *p)
{
	struct host_names vendors = { 0 };
	int error;

	if (read_grub_in(r, p, "grub") || read_grub_in(r, p, "grub2"))
		return;
	error = host_list_names(&p->folder, r->arena, "EFI", "", GRUB_NAMES_MAX, &vendors);
	if (error < 0)
		warn_unreadable(r, p, "EFI", -error);
	for (size_t i = 0; i < vendors.n; i++) {
		const char *folder = arena_printf(r->arena, "EFI/%s", vendors.v[i]);

		if (folder && has_menu(r, p, folder) && read_grub_in(r, p, folder))
			return;
	}
}

static void read_extlinux(struct reader *r, struct host_place *p)
{
	static const char *const names[] = { "extlinux/extlinux.conf", "extlinux.conf",
					     "syslinux/syslinux.cfg", "syslinux.cfg" };

	for (size_t i = 0; i < array_len(names); i++)
		if (read_text(r, p, ENTRY_FILE_EXTLINUX, names[i]))
			return;
}

static void read_place(struct reader *r, struct host_place *p)
{
	read_grub(r, p);
	read_extlinux(r, p);
	read_text(r, p, ENTRY_FILE_LOADER_CONF, "loader/loader.conf");
	read_folder(r, p, "loader/entries", ".conf", ENTRY_FILE_BLS);
	read_folder(r, p, "EFI/Linux", ".efi", ENTRY_FILE_UKI);
}

/* ---- places ---- */

static bool is_known_place(const struct reader *r, const struct stat *st)
{
	for (size_t i = 0; i < r->n_places; i++)
		if (r->places[i].stat.st_dev == st->st_dev &&
		    r->places[i].stat.st_ino == st->st_ino)
			return true;
	return false;
}

static struct host_tree confined(const struct reader *r, int fd)
{
	/* Without openat2() texts are read as they are; files to load take another way. */
	return (struct host_tree){ .fd = fd, .is_machine = !r->mounts.can_confine };
}

/* fd is the folder's, and taken over. */
static void add_place(struct reader *r, const char *dir, int fd, const struct host_mount *mount,
		      bool is_given)
{
	struct host_place *p = &r->places[r->n_places];
	int fs = -1;

	if (r->n_places == ENTRY_PLACES_MAX)
		goto out;
	*p = (struct host_place){ .dir = dir, .folder = confined(r, fd) };
	if (fstat(fd, &p->stat) < 0) {
		warn_unreadable(r, p, ".", errno);
		goto out;
	}
	if (is_known_place(r, &p->stat))
		goto out;
	p->is_all = is_given || !mount;
	if (!p->is_all)
		fs = host_open(&r->base, mount->point[1] != '\0' ? mount->point + 1 : ".",
			       O_PATH | O_DIRECTORY, 0);
	if (fs < 0)
		fs = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (fs < 0) {
		warn_unreadable(r, p, ".", errno);
		goto out;
	}
	p->fs = confined(r, fs);
	p->subtree = mount ? mount->root : NULL;
	p->uuid = mount ? host_mount_uuid(&r->base, mount, r->arena) : NULL;
	read_place(r, p);
	/* One without entries may have what entries elsewhere name by its UUID. */
	if (p->n_files > 0 || p->uuid) {
		r->n_places++;
		return;
	}
	host_tree_close(&p->fs);
out:
	close(fd);
}

static void look_at(struct reader *r, const char *dir)
{
	struct host_tree base = { .fd = r->base.fd, .is_machine = r->base.is_machine };
	int fd = host_open(&base, dir + 1, O_RDONLY | O_DIRECTORY | O_NONBLOCK, 0);

	r->looked_at = arena_printf(r->arena, "%s%s%s", r->looked_at ? r->looked_at : "",
				    r->looked_at ? ", " : "", dir);
	if (fd >= 0)
		add_place(r, dir, fd, host_mounts_find(&r->mounts, dir), false);
	else if (fd != -ENOENT && fd != -ENOTDIR)
		warn(r->diag, "entries/unreadable", "'%.200s' is left out: %s", dir, strerror(-fd));
}

static int look_at_given(struct reader *r, const char *dir)
{
	char *absolute = realpath(dir, NULL);
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);

	r->looked_at = dir;
	if (fd < 0) {
		free(absolute);
		fail(r->diag, errno, "entries/boot-root", "--boot-root=%.500s: %s", dir,
		     strerror(errno));
		return fail_advise(r->diag, "name a folder such as /boot");
	}
	/* Of a captured tree nobody knows where it was mounted. */
	add_place(r, dir, fd,
		  absolute && r->base.is_machine ? host_mounts_find(&r->mounts, absolute) : NULL,
		  true);
	free(absolute);
	return 0;
}

static void look_everywhere(struct reader *r)
{
	static const char *const usual[] = { "/boot", "/efi", "/boot/efi" };

	for (size_t i = 0; i < array_len(usual); i++)
		look_at(r, usual[i]);
	for (size_t i = 0; i < r->mounts.n; i++) {
		const struct host_mount *m = &r->mounts.v[i];
		struct host_tree t = r->base;
		bool is_usual = false;

		for (size_t j = 0; j < array_len(usual); j++)
			is_usual |= strcmp(m->point, usual[j]) == 0;
		if (is_usual || strcmp(m->type, "vfat") != 0 || m->point[1] == '\0')
			continue;
		t.fd = host_open(&r->base, m->point + 1, O_PATH | O_DIRECTORY, 0);
		/* What cannot be opened is not left out in silence: it fails there, too. */
		if (t.fd < 0 || host_has_directory(&t, "EFI") || host_has_directory(&t, "loader"))
			look_at(r, m->point);
		if (t.fd >= 0)
			close(t.fd);
	}
}

/* ---- EFI variables ---- */

/* UTF-16 behind four bytes of attributes. NULL: not there, or not such a text. */
static const char *read_variable(const struct reader *r, const char *name)
{
	char text[ENTRY_NAME_MAX + 1];
	struct span s;
	uint16_t c;
	size_t n = 0;

	if (host_file_read(&r->base, r->arena, EFI_VARIABLE_MAX, &s,
			   "sys/firmware/efi/efivars/%s%s", name, GUID) < 0)
		return NULL;
	while (span_le16(s, 4 + 2 * n, &c) && c != 0) {
		if (n == ENTRY_NAME_MAX || c < ' ' || c > '~')
			return NULL;
		text[n++] = (char)c;
	}
	return n > 0 ? arena_strndup(r->arena, text, n) : NULL;
}

/* ---- paths of entries ---- */

/* One step: no link, and nothing of another file system. */
static int step(int fd, const char *name, dev_t dev)
{
	int next = openat(fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	int r = next < 0 ? -errno : 0;
	struct stat st;

	if (r == 0 && fstat(next, &st) < 0)
		r = -errno;
	else if (r == 0)
		r = S_ISLNK(st.st_mode) ? -ELOOP : st.st_dev != dev ? -EXDEV : 0;
	if (r < 0 && next >= 0)
		close(next);
	return r < 0 ? r : next;
}

/* The way of kernels before 5.6: step by step, and no step is a link or leads up. */
static int walk(int fd, const char *path)
{
	int at = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	struct stat st;

	if (at < 0 || fstat(at, &st) < 0)
		return -errno;
	while (at >= 0) {
		char name[NAME_MAX + 1] = "";
		size_t len;
		int next;

		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (len == 0)
			break;
		if (len <= NAME_MAX)
			memcpy(name, path, len);
		next = len > NAME_MAX	       ? -ENAMETOOLONG :
		       strcmp(name, "..") == 0 ? -EXDEV :
						 step(at, name, st.st_dev);
		close(at);
		at = next;
		path += len;
	}
	return at;
}

static int open_path(const struct host_tree *t, const char *path)
{
	int fd;

	if (t->is_machine)
		return walk(t->fd, path);
	fd = host_open(t, path, O_PATH, RESOLVE_NO_XDEV);
	return fd;
}

static int open_in_place(const struct host_place *p, const struct boot_entry *e, const char *path,
			 struct arena *a)
{
	const char *slash = strrchr(e->file, '/');
	const size_t subtree_len = p->subtree ? strlen(p->subtree) : 0;
	int fd;

	if (path[0] != '/') {
		if (e->kind != ENTRY_EXTLINUX)
			return -EINVAL;
		path = arena_printf(a, "/%.*s/%s", slash ? (int)(slash - e->file) : 0, e->file,
				    path);
		return path ? open_path(&p->folder, path) : -ENOMEM;
	}
	fd = open_path(e->kind == ENTRY_UKI ? &p->folder : &p->fs, path);
	/* GRUB sees all of a btrfs, and of it a part is mounted: "/@/boot/vmlinuz". */
	if (fd == -ENOENT && subtree_len > 1 && strncmp(path, p->subtree, subtree_len) == 0 &&
	    path[subtree_len] == '/') {
		path += subtree_len;
		fd = open_path(&p->fs, path);
	}
	if (fd == -ENOENT && p->is_all && strncmp(path, "/boot/", 6) == 0)
		fd = open_path(&p->fs, path + 5);
	return fd;
}

static int fail_path(const struct host_place *p, const char *path, int error, struct diag *diag)
{
	if (error == ENOENT || error == ENOTDIR)
		return fail(diag, ENOENT, "entries/no-file",
			    "'%.300s' is not on the file system of %.200s", path, p->dir);
	if (error == EXDEV)
		return fail(diag, EXDEV, "entries/path-escapes",
			    "'%.300s' leads out of the file system of %.200s", path, p->dir);
	if (error == EINVAL)
		return fail(diag, EINVAL, "entries/relative-path",
			    "'%.300s' is no path from the root of a file system", path);
	return fail(diag, error, "entries/unreachable", "'%.300s' in %.200s cannot be reached: %s",
		    path, p->dir, strerror(error));
}

/* The name by which the kernel knows what was found. */
static int real_name(int fd, struct arena *a, const char **ret)
{
	char link[64], name[PATH_MAX];
	struct stat found, named;
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, name, sizeof(name) - 1);
	if (len < 0)
		return -errno;
	name[len] = '\0';
	if (fstat(fd, &found) < 0 || stat(name, &named) < 0)
		return -errno;
	if (found.st_dev != named.st_dev || found.st_ino != named.st_ino)
		return -ESTALE;
	*ret = arena_strndup(a, name, (size_t)len);
	return *ret ? 0 : -ENOMEM;
}

int host_entries_resolve(const struct host_entries *h, const struct boot_entry *e, const char *path,
			 struct arena *a, const char **ret, struct diag *diag)
{
	const struct host_place *p = &h->places[e->place];
	int fd = open_in_place(p, e, path, a), r;
	struct stat st;

	if (fd < 0)
		return fail_path(p, path, -fd, diag);
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (!S_ISREG(st.st_mode))
		r = fail(diag, EINVAL, "entries/no-regular-file",
			 "'%.300s' in %.200s is no regular file", path, p->dir);
	else
		r = real_name(fd, a, ret);
	close(fd);
	return r < 0 && !diag->id ? fail_path(p, path, -r, diag) : r;
}

/* An entry whose files are not there cannot be used either. */
static void check_files(struct reader *r, struct host_entries *h)
{
	for (size_t i = 0; i < h->list.n; i++) {
		struct boot_entry *e = &h->list.v[i];
		const char *ignored;
		struct diag why;
		int error = 0;

		if (e->why_id)
			continue;
		diag_init(&why, NULL);
		error = host_entries_resolve(h, e, e->kernel, r->arena, &ignored, &why);
		for (size_t j = 0; j < e->n_initrds && error == 0; j++)
			error = host_entries_resolve(h, e, e->initrds[j], r->arena, &ignored, &why);
		if (error == 0)
			continue;
		e->why_id = why.id;
		e->why = arena_strndup(r->arena, why.text, strlen(why.text));
		r->is_short |= !e->why;
	}
}

/* ---- all together ---- */

static int build(struct reader *r, struct host_entries *h)
{
	struct entry_place *places = arena_alloc_array(r->arena, r->n_places, sizeof(*places));
	struct entry_input in = { .n_places = r->n_places };
	int error;

	if (!places || r->is_short)
		return fail_nomem(r->diag);
	for (size_t i = 0; i < r->n_places; i++) {
		const struct host_place *p = &r->places[i];

		places[i] = (struct entry_place){ p->dir, p->uuid, p->files, p->n_files };
	}
	in.places = places;
	in.platform = host_has_directory(&r->base, "sys/firmware/efi") ? "efi" : "pc";
	in.loader_info = read_variable(r, "LoaderInfo");
	in.one_shot = read_variable(r, "LoaderEntryOneShot");
	in.efi_default = read_variable(r, "LoaderEntryDefault");
	in.last_booted = read_variable(r, "LoaderEntryLastBooted");
	error = entries_build(&in, r->arena, &h->list, r->diag);
	if (error == 0)
		check_files(r, h);
	return error == 0 && r->is_short ? fail_nomem(r->diag) : error;
}

int host_entries_read(const char *root, const char *boot_root, struct arena *a,
		      struct host_entries *ret, struct diag *diag)
{
	struct reader r = { .arena = a, .diag = diag, .base = { .fd = -1 } };
	struct host_trouble trouble = { 0 };
	int error;

	r.places = arena_alloc_array(a, ENTRY_PLACES_MAX + 1, sizeof(*r.places));
	if (!r.places)
		return fail_nomem(diag);
	error = host_tree_open(root, &r.base);
	if (error < 0) {
		fail(diag, -error, "entries/root", "cannot look into '%.500s': %s",
		     *root ? root : "/", strerror(-error));
		return fail_advise(diag, "a folder that can be read; --host-root takes a kernel of "
					 "5.6 or later");
	}
	r.base.trouble = &trouble;
	r.is_short = !host_mounts_read(&r.base, a, &r.mounts);
	if (boot_root)
		error = look_at_given(&r, boot_root);
	else
		look_everywhere(&r);
	*ret = (struct host_entries){ .places = r.places,
				      .n_places = r.n_places,
				      .looked_at = r.looked_at };
	if (error == 0)
		error = build(&r, ret);
	unmap_ukis(&r);
	host_tree_close(&r.base);
	/* Of what the kernel says of file systems and firmware; folders have said theirs. */
	if (error == 0 && trouble.error != 0)
		warn(diag, "entries/unreadable", "'/%.400s' is left out: %s", trouble.path,
		     strerror(trouble.error));
	if (error < 0)
		host_entries_close(ret);
	return error;
}

void host_entries_close(struct host_entries *h)
{
	for (size_t i = 0; i < h->n_places; i++) {
		host_tree_close(&h->places[i].folder);
		host_tree_close(&h->places[i].fs);
	}
	h->n_places = 0;
}

const char *host_entries_folder(const struct host_entries *h, const struct boot_entry *e)
{
	return h->places[e->source].dir;
}
