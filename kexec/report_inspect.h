/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An inspection, printed. */
#ifndef KEXEC_NG_REPORT_INSPECT_H
#define KEXEC_NG_REPORT_INSPECT_H

#include <stdio.h>

#include "inspect.h"

/* The tree: values, and tables of lists; then drawings of the file and of the memory that entries need,
 * at most columns wide. Whatever the file holds, no control character gets out. */
void report_inspection(FILE *out, const struct inspection *in, unsigned int columns);
/* doc/json.md. -EOPNOTSUPP "json/not-built", -ENOMEM. */
must_check int report_inspection_json(FILE *out, const struct inspection *in, struct diag *diag);

#endif
