/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Does a capture kernel fit into what is reserved for it? Said before a panic, not after it. */
#ifndef KEXEC_NG_WEIGH_H
#define KEXEC_NG_WEIGH_H

#include "budget.h"
#include "diag.h"

/*
 * The budget of a plan for a panic; initrd is the one that the capture kernel gets, and unpacked here
 * for a moment to see what is in it. Over budget is the warning "crash/over-budget", or with
 * is_strict the failure of that id (-ENOSPC).
 */
must_check int weigh(const struct plan *plan, const struct facts *facts, struct span initrd,
		     const char *cmdline, bool is_strict, struct budget *ret, struct diag *diag);

#endif
