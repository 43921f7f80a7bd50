/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --export: from the files that were named to the one that is written. */
#ifndef KEXEC_NG_EXPORT_RUN_H
#define KEXEC_NG_EXPORT_RUN_H

#include "options.h"

/* -errno and the reason in diag; then nothing is written, but for what may have gone to a pipe. */
must_check int export_run(const struct options *o, struct arena *a, struct diag *diag);

#endif
