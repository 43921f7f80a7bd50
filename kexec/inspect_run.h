/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --inspect: what the file holds, then what this machine (or the one of --host-root) would make of it:
 * the real stages up to the check, once for each entry.
 */
#ifndef KEXEC_NG_INSPECT_RUN_H
#define KEXEC_NG_INSPECT_RUN_H

#include "options.h"

/* Prints the report to stdout. -errno and the reason in diag if the file is no image. */
must_check int inspect_run(const struct options *o, struct arena *a, struct diag *diag);

#endif
