/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text of a grub.cfg in pieces, and its variables: what a word becomes, or why nobody knows
 * here. Source: the manual of GNU GRUB 2, "Writing full configuration files directly".
 */
#ifndef KEXEC_NG_GRUB_SCRIPT_H
#define KEXEC_NG_GRUB_SCRIPT_H

#include "arena.h"
#include "span.h"

#define GRUB_VARIABLES_MAX 256
#define GRUB_VALUE_MAX	   (16 * 1024) /* bytes of one word */
#define GRUB_ARGUMENTS_MAX 16 /* of a function */

enum grub_token_kind {
	GRUB_WORD, /* as it is written, quotes and all */
	GRUB_SEPARATOR, /* the end of a line, or a ';' */
	GRUB_OPEN, /* '{' */
	GRUB_CLOSE,
	GRUB_BAD, /* what the language has not, or a quote without an end */
};

struct grub_token {
	enum grub_token_kind kind;
	struct span text;
	size_t line;
};

/* Appends the tokens of a text to those at list, which has room for max; how many there are,
 * whether they fit or not. list may be NULL. */
size_t grub_tokens(struct span text, struct grub_token *list, size_t max);
bool grub_token_is(const struct grub_token *t, const char *word);

struct grub_variable {
	const char *name;
	const char *value; /* NULL: it is not set */
	const char *unknown; /* not NULL: its value is not known, as this says */
	bool is_exported;
};

struct grub_variables {
	size_t n;
	const char *unknown; /* not NULL: nor are those that are not here */
	struct grub_variable v[GRUB_VARIABLES_MAX];
};

/* unknown and value as above. Without room all become unknown. */
void grub_set(struct grub_variables *vars, const char *name, const char *value,
	      const char *unknown);
void grub_export(struct grub_variables *vars, const char *name);
/* The value, "" for one that is not set; NULL: unknown, and why in *ret_unknown. */
const char *grub_get(const struct grub_variables *vars, const char *name, const char **ret_unknown);
/* From here on nothing is known. */
void grub_forget(struct grub_variables *vars, const char *why);
bool grub_is_name(const char *s, size_t len);

/* Where a word's values come from, and what they may take. */
struct grub_scope {
	struct arena *arena;
	const struct grub_variables *vars;
	const char *const *arguments; /* of the function that runs: $1 is the first */
	size_t n_arguments;
	const char *unknown_arguments; /* not NULL: which they are is not known */
	const char *status; /* $?; NULL: not known */
	size_t bytes_left; /* what all words together may still take */
	bool is_short; /* of memory */
};

struct grub_words {
	const char **v;
	size_t n, room;
	const char *unknown; /* not NULL: not all is known, as this says */
};

/* What a word means: none, one or, where an unquoted variable has blanks in it, several. With
 * is_one always one. */
void grub_expand(struct grub_scope *s, struct span word, bool is_one, struct grub_words *ret);

#endif
