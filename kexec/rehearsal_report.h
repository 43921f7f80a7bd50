/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What people and programs get to read of a rehearsal. */
#ifndef KEXEC_NG_REHEARSAL_REPORT_H
#define KEXEC_NG_REHEARSAL_REPORT_H

#include "rehearse.h"
#include "report.h"

/* A line for each stage with its verdict and time, what was printed, the verdict. */
void rehearsal_text(FILE *out, const struct report *plan, const struct rehearsal *r);
/* doc/json.md is the contract; -EOPNOTSUPP "json/not-built", -ENOMEM. */
must_check int rehearsal_json(FILE *out, const struct report *plan, const struct rehearsal *r,
			      struct diag *diag);

#endif
