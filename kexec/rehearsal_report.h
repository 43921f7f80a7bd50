/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What people and programs get to read of a rehearsal. */
#ifndef KEXEC_NG_REHEARSAL_REPORT_H
#define KEXEC_NG_REHEARSAL_REPORT_H

#include "rehearse.h"
#include "report.h"

/* On a terminal, while it goes on: the lines of rehearsal_text() as far as they are known, and what is
 * waited for in a line that goes away again. */
void rehearsal_watch(const struct rehearsal_watcher *w, struct rehearsal *r);
/* A line for each stage with its verdict and time, what was printed, the verdict; what of this is on a
 * terminal already is left out. */
void rehearsal_text(FILE *out, const struct report *plan, const struct rehearsal *r);
/* doc/json.md is the contract; -EOPNOTSUPP "json/not-built", -ENOMEM. */
must_check int rehearsal_json(FILE *out, const struct report *plan, const struct rehearsal *r,
			      struct diag *diag);

#endif
