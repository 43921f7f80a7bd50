/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What options_table.c and options.c share: a command line that is being read. The rows of the table
 * write what they took into it; options.c walks argv and settles what it all means together.
 */
#ifndef KEXEC_NG_OPTIONS_PARSE_H
#define KEXEC_NG_OPTIONS_PARSE_H

#include "options.h"

/* What a message repeats of a word of the command line; no longer word is ever a valid one. */
#define ECHO	"%.80s"

#define N_ROWS_MAX	96	/* of option_table */

struct parse {
	struct arena *arena;		/* no flag is at offset 0: there that means none */
	struct diag *diag;
	struct options out;
	int argc;
	char *const *argv;
	int next;			/* index of the word to look at next */

	bool asked_load, asked_exec, asked_unload, asked_panic, asked_status;
	bool asked_entry_32bit, asked_real_mode;
	bool asked_enter;
	bool is_done;			/* help and the like: nothing after it counts, as ever */
	const struct option_row *not_yet;	/* first of each kind that was given, or NULL */
	const struct option_row *load_only;
	const struct option_row *file_only;
	const struct option_row *crash_only;
	bool is_given[N_ROWS_MAX];
	size_t n_ignored;		/* words after the kernel */
	const char **initrds;
	const char **addons;
	const char **modules;
	const char **module_paths;
};

/* --no-cma and --force-dtb. */
int option_take_file_only(struct parse *p, const struct option_row *row, const char *value);

#endif
