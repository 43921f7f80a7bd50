/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A conservative reader of grub.cfg: evaluates what can be known without being GRUB, and refuses,
 * naming the line, every entry that depends on something else.
 *
 * Known are words, variables, grubenv, functions, `if` over strings, and `search --fs-uuid` where
 * it finds one of the places at hand. What is in a branch of an `if` that nobody can decide may be
 * so or not: variables set there are unknown, and entries there cannot be used. A command that is
 * not known may have changed every variable.
 *
 * Source: the manual of GNU GRUB 2; what grub-mkconfig of Debian writes.
 */
#ifndef KEXEC_NG_GRUB_CFG_H
#define KEXEC_NG_GRUB_CFG_H

#include "entries.h"
#include "grub_script.h"
#include "grubenv.h"

#define GRUB_CFG_MAX (1024 * 1024) /* bytes, with custom.cfg */

struct grub_input {
	const struct entry_file *cfg;
	const struct entry_file *custom; /* NULL: there is none beside it */
	const struct grubenv *env; /* NULL: there is none ... */
	bool is_env_broken; /* ... that can be read, though there is a file */
	const struct entry_file *folder; /* the names of the files beside it; NULL: unknown */
	const struct entry_place *places;
	size_t n_places;
	size_t place; /* where cfg is */
	const char *platform; /* NULL: unknown */
};

struct grub_result {
	struct grub_variables *vars; /* as they are at the end */
	const char *default_path; /* NULL: not known, as ... */
	const char *default_why; /* ... this says */
	bool has_blscfg; /* entries of the Boot Loader Specification are in the menu */
	size_t bytes_left; /* of grub_scope */
};

/* Adds the entries of a grub.cfg. */
void grub_cfg_read(const struct grub_input *in, struct entry_list *l, struct grub_result *ret);

/* What GRUB would make of a line of a type 1 entry: its words, with variables put in. Refuses the
 * entry where one is not known; vars may be NULL: none is. */
void grub_expand_line(const char *line, struct grub_result *grub, struct entry_list *l,
		      struct boot_entry *e, struct grub_words *ret);
/* The words as GRUB hands them to a kernel, from the one with index first on. */
const char *grub_join(const struct grub_words *words, size_t first, struct entry_list *l);

#endif
