/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A grub.cfg that is being evaluated: what grub_cfg.c and grub_commands.c share. */
#ifndef KEXEC_NG_GRUB_EVAL_H
#define KEXEC_NG_GRUB_EVAL_H

#include "grub_cfg.h"
#include "grub_test.h"

#define GRUB_FUNCTIONS_MAX 64

/* How a place's file system is called here, where GRUB has "hd0,gpt2": this and its index. */
#define GRUB_DEVICE "kexec-place-"
/* GRUB's own folder in it: what $prefix is. */
#define GRUB_FOLDER "/boot/grub"

struct grub_function {
	const char *name;
	size_t from, to;
	bool is_sure; /* else whether it is this one is not known */
};

/* An entry or a submenu that was come across, to be evaluated once all variables are as they will
 * be. */
struct grub_item {
	bool is_submenu;
	size_t from, to; /* its body */
	size_t at; /* the command */
	const char *title;
	const char *id;
	const char *why; /* not NULL: it cannot be used, as ... */
	bool has_index;
	size_t index;
};

struct grub {
	const struct grub_input *in;
	struct entry_list *l;
	const struct grub_token *t;
	size_t n, n_cfg; /* tokens, and those that are of grub.cfg itself */
	struct grub_variables *vars;
	struct grub_scope scope;
	struct grub_function functions[GRUB_FUNCTIONS_MAX];
	size_t n_functions;
	struct grub_item *items;
	size_t n_items, items_room;
	size_t next_index; /* in the menu that is being made */
	bool has_lost_index;

	const char *maybe; /* not NULL: this may be run or not, as this says */
	const char *words_unknown; /* of the last command, or NULL */
	enum grub_truth status; /* of the last command */
	struct boot_entry *e; /* whose body this is, or NULL */
	size_t depth, steps;
	bool is_in_function, is_returning;
	bool has_blscfg;
};

/* "FILE line N: ...", of the token with index at. Never NULL. */
printf_like(3, 4) const char *grub_say(struct grub *g, size_t at, const char *fmt, ...);
/* Sets it, or, where this may be run or not, makes it unknown. */
void grub_assign(struct grub *g, const char *name, const char *value, const char *unknown);
/* Nobody knows what it did. */
void grub_forget_at(struct grub *g, size_t at, const char *command);
/* Runs a range of tokens. */
void grub_run(struct grub *g, size_t from, size_t to);

/* Runs a command that is known here; false: it is not. */
bool grub_command(struct grub *g, size_t at, const struct grub_words *w);

#endif
