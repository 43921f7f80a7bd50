/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --list, for people and as JSON (doc/json.md). */
#ifndef KEXEC_NG_REPORT_ENTRIES_H
#define KEXEC_NG_REPORT_ENTRIES_H

#include <stdio.h>

#include "host_entries.h"

void report_entries(FILE *out, const struct host_entries *h);
must_check int report_entries_json(FILE *out, const struct host_entries *h, struct diag *diag);

#endif
