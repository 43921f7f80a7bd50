/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How both kinds of rehearsal write down what they found, stage by stage. */
#ifndef KEXEC_NG_REHEARSAL_STAGE_H
#define KEXEC_NG_REHEARSAL_STAGE_H

#include <stdarg.h>

#include "rehearse.h"

double rehearsal_now(void);	/* seconds of a clock that nobody sets */

/* A new stage, which took the time since *start and begins the next. The last is written over when
 * there are too many. Its verdict becomes the rehearsal's if it is worse. */
struct rehearsal_stage *rehearsal_add_stage(struct rehearsal *out, double *start, const char *name,
					    enum rehearsed verdict);
/* The same of a failure, with its id, text and advice. -ENOMEM. */
int rehearsal_add_failure(struct rehearsal *out, double *start, struct arena *a, const char *name,
			  const struct diag *why, enum rehearsed verdict);
/* -ENOMEM. */
int rehearsal_set_text(struct rehearsal_stage *s, struct arena *a, const char *fmt, va_list args);

#endif
