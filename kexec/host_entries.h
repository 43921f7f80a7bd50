/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Boot entries of a machine: looks into the folders where boot loaders keep them, and finds the
 * files that an entry names.
 *
 * A path in an entry is foreign text. It is resolved within the file system that the entry is from,
 * by openat2(): neither ".." nor a symbolic link leads out of it. A running kernel before 5.6 has
 * no such call; then a path with a symbolic link or ".." in it is refused.
 */
#ifndef KEXEC_NG_HOST_ENTRIES_H
#define KEXEC_NG_HOST_ENTRIES_H

#include "entries.h"

struct host_place;

struct host_entries {
	struct boot_entries list;
	struct host_place *places; /* by boot_entry.place */
	size_t n_places;
	const char *looked_at; /* "/boot, /efi" */
};

/*
 * root: "" or a captured tree (--host-root). boot_root: the folder that is the boot file system,
 * NULL: /boot, /efi, /boot/efi and file systems of EFI that are mounted elsewhere. What cannot be
 * read is a warning; ids "entries/...".
 */
must_check int host_entries_read(const char *root, const char *boot_root, struct arena *a,
				 struct host_entries *ret, struct diag *diag);
void host_entries_close(struct host_entries *h);
/* The folder that e->file is in: "/boot". */
const char *host_entries_folder(const struct host_entries *h, const struct boot_entry *e);

/* What a path in the entry leads to: its name without symbolic links, in the arena.
 * -ENOENT "entries/no-file", -EXDEV "entries/path-escapes", "entries/unreachable". */
must_check int host_entries_resolve(const struct host_entries *h, const struct boot_entry *e,
				    const char *path, struct arena *a, const char **ret,
				    struct diag *diag);

#endif
