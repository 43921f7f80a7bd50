/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --check, --show and --last: reads, prints, changes nothing. */
#ifndef KEXEC_NG_QUESTIONS_H
#define KEXEC_NG_QUESTIONS_H

#include "options.h"

/* The exit status, as kexec(8) lists it for each. diag may have been used for a failure that has been
 * printed. */
must_check int questions_answer(const struct options *o, struct arena *a, struct diag *diag);

#endif
