/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --list, and loads of @ENTRY. */
#ifndef KEXEC_NG_ENTRIES_RUN_H
#define KEXEC_NG_ENTRIES_RUN_H

#include "options.h"

/* Prints what can be booted; returns the exit status: 0, 1 there is nothing, 255. */
must_check int entries_list(const struct options *o, struct arena *a, struct diag *diag);

/* Is the kernel that was named an entry? */
bool entries_is_one(const struct options *o);

/*
 * *ret becomes *o with what the entry says: kernel, initrds unless there were some, command line
 * unless there was one, profile. Ids "entries/...".
 */
must_check int entries_resolve(const struct options *o, struct arena *a, struct options *ret,
			       struct diag *diag);

#endif
