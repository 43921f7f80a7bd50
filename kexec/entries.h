/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What boot loaders offer to boot, as data: entries, their order, and which of them a name means.
 *
 * entries_build() makes them from the bytes of files; nothing is opened here. All of it is foreign
 * text: an entry that cannot be used is there with the reason, so that a list can show it and
 * nothing is guessed. Sources: "The Boot Loader Specification" and "Version Format Specification",
 * UAPI group; the manual of GNU GRUB 2; the documentation of SYSLINUX.
 */
#ifndef KEXEC_NG_ENTRIES_H
#define KEXEC_NG_ENTRIES_H

#include "diag.h"
#include "span.h"

#define ENTRIES_MAX	  1024
#define ENTRY_INITRDS_MAX 32
#define ENTRY_LEVELS_MAX  8 /* menus within menus */
#define ENTRY_PLACES_MAX  16
#define ENTRY_NAME_MAX	  255 /* bytes of a name by which one may be chosen */

enum entry_kind {
	ENTRY_BLS, /* loader/entries/ *.conf */
	ENTRY_UKI, /* EFI/Linux/ *.efi */
	ENTRY_GRUB, /* menuentry of a grub.cfg */
	ENTRY_EXTLINUX, /* label of an extlinux.conf */
	N_ENTRY_KINDS,
};

/* How GRUB knows one menu item, in the menu that it is in. */
struct entry_level {
	bool has_index; /* false: whether all of those before it are there is not known */
	size_t index;
	const char *title;
	const char *id; /* NULL: none */
};

struct boot_entry {
	enum entry_kind kind;
	size_t place; /* index of the file system that its paths are in */
	size_t source; /* ... and of the one that file is in */
	const char *file; /* where it was read, from the folder of that place */
	size_t line; /* there; 0: it is all of it */
	const char *id;
	const char *title; /* NULL: none; and so on */
	const char *version;
	const char *machine_id;
	const char *sort_key;
	const char *architecture;
	bool has_counter; /* of boots: "+LEFT-DONE" in its file's name */
	uint32_t tries_left, tries_done;
	const struct entry_level *levels; /* GRUB's; the last one is the entry itself */
	size_t n_levels;

	const char *kernel; /* a path; of extlinux perhaps relative to file's folder */
	const char **initrds; /* paths likewise */
	size_t n_initrds;
	const char *options; /* the command line; NULL: the image may have its own */
	const char *profile; /* of a UKI; NULL: its first */
	const char *devicetree;
	bool is_menu_default; /* MENU DEFAULT of extlinux */

	const char *why_id; /* NULL: it can be used, as far as its text says; else ... */
	const char *why; /* ... why not */
};

/* Bytes of one file. */
enum entry_file_kind {
	ENTRY_FILE_BLS,
	ENTRY_FILE_UKI,
	ENTRY_FILE_LOADER_CONF,
	ENTRY_FILE_GRUB_CFG,
	ENTRY_FILE_GRUB_CUSTOM, /* custom.cfg beside it */
	ENTRY_FILE_GRUBENV,
	ENTRY_FILE_GRUB_FOLDER, /* the names of all files there, a newline behind each */
	ENTRY_FILE_EXTLINUX,
};

struct entry_file {
	enum entry_file_kind kind;
	const char *name; /* from the place's folder: "loader/entries/a.conf" */
	struct span bytes;
};

/* A folder with what a boot loader reads. */
struct entry_place {
	const char *dir;
	const char *uuid; /* of its file system, as GRUB and blkid write it; NULL: unknown */
	const struct entry_file *files;
	size_t n_files;
};

struct entry_input {
	const struct entry_place *places;
	size_t n_places; /* ENTRY_PLACES_MAX at most */
	const char *platform; /* "efi", "pc": what GRUB calls it; NULL: unknown */
	/* EFI variables of the Boot Loader Interface; NULL: not there, or not for us to read. */
	const char *loader_info;
	const char *one_shot; /* LoaderEntryOneShot, and so on */
	const char *efi_default;
	const char *last_booted;
};

#define ENTRY_NONE SIZE_MAX

struct boot_entries {
	struct boot_entry *v; /* BLS and UKI in the order of the specification, then others
			       * as their files have them */
	size_t n;
	const char *loader; /* whose default counts: "systemd-boot", "grub", "bls",
			     * "extlinux"; NULL: there is none */
	size_t default_entry; /* what it would boot next; ENTRY_NONE: not known, as ... */
	const char *default_why; /* ... this says */
	bool is_one_shot; /* that default counts for one boot */
	size_t saved_entry; /* or ENTRY_NONE */
	const char *saved_why;
};

/* Fails for want of memory only ("memory/short"); what is wrong with a file is a warning
 * (ids "entries/..."). */
must_check int entries_build(const struct entry_input *in, struct arena *a,
			     struct boot_entries *ret, struct diag *diag);

/*
 * The entry that name means, without "@": "" and "default", "saved"; an id, with or without .conf
 * or .efi; a title; GRUB's path ("1>2", "submenu>entry"); the beginning of one id or title; a glob.
 * In this order, and the first that fits any counts. "bls:", "uki:", "grub:" or "extlinux:" before
 * it restricts it to those. -ENOENT "entries/none-such", -EINVAL "entries/ambiguous" with the
 * candidates.
 */
must_check int entries_find(const struct boot_entries *list, const char *name, struct arena *a,
			    size_t *ret, struct diag *diag);

const char *entry_kind_name(enum entry_kind kind);

/* ---- for the readers ---- */

/* A list that grows. Once memory is short what the functions below return may be NULL, and is_short
 * says so: readers need not look in between. */
struct entry_list {
	struct arena *arena;
	struct boot_entry *v;
	size_t n, room;
	bool is_short; /* of memory */
	bool is_full; /* ENTRIES_MAX reached: others were left out */
};
/* NULL: short of memory, or full. The entry moves when another one is added. */
struct boot_entry *entry_add(struct entry_list *l);

/* The entry cannot be used; the first reason counts. */
printf_like(4, 5) void fail_entry(struct entry_list *l, struct boot_entry *e, const char *id,
				  const char *fmt, ...);
/* A copy of s for the entry, which is refused if there is a control character other than a tab in
 * it. */
const char *entry_text(struct entry_list *l, struct boot_entry *e, struct span s);
/* The same of a string; NULL of none. */
const char *entry_string(struct entry_list *l, struct boot_entry *e, const char *s);
printf_like(2, 3) const char *entry_printf(struct entry_list *l, const char *fmt, ...);
void entry_add_initrd(struct entry_list *l, struct boot_entry *e, const char *path);
/* Once an entry's lines have been read: one without a kernel cannot be used. */
void entry_finish(struct entry_list *l, struct boot_entry *e);

/* Negative, 0, positive: a is older, equal, newer than b. Version Format Specification. */
int entry_compare_versions(const char *a, const char *b);
/* In the order of the Boot Loader Specification: negative if a comes before b. */
int entry_compare(const struct boot_entry *a, const struct boot_entry *b);
/* '*', '?' and "[...]"; the time it takes is bounded by the product of the lengths. */
bool entry_glob(const char *pattern, const char *text);
/* The id, with or without .conf or .efi; upper and lower case are the same on EFI's file systems.
 */
bool entry_has_id(const struct boot_entry *e, const char *id);
/* GRUB's path to it, each menu by number, title or id. */
bool entry_has_path(const struct boot_entry *e, const char *path);

#endif
