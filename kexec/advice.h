/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What to do about a failure: its own advice, or where the place that failed had none, what helps
 * against its kind. doc/errors.md lists all ids.
 */
#ifndef KEXEC_NG_ADVICE_H
#define KEXEC_NG_ADVICE_H

#include "diag.h"

/* Never NULL and never empty for a diag that has a failure. */
const char *advice_of(const struct diag *failure);

#endif
