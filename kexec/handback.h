/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a process without rights hands back of a load (cage.h), value by value; the same functions
 * pack and unpack. What comes out of them may be used, whoever packed it: texts and arrays are copies
 * of the parcel's arena, spans lie where they may, numbers that choose are among the choices. No
 * pointer but those in spans is taken over. What a plan means is for plan_check() to judge.
 */
#ifndef KEXEC_NG_HANDBACK_H
#define KEXEC_NG_HANDBACK_H

#include "budget.h"
#include "image.h"
#include "parcel.h"

/* Failure and notes; unpacked into one that diag_init() made. */
void handback_diag(struct parcel *p, struct diag *d);
/* What a plan is loaded and reported by; not what belongs to its format, nor plan->crash. */
void handback_plan(struct parcel *p, struct plan *plan);
void handback_budget(struct parcel *p, struct budget *b);
/* NULL stays NULL. */
void handback_bundle(struct parcel *p, const struct bundle **bundle);

/* Does the plan ask for no more than the request does, beside what plan_check() knows? NULL, or what
 * is wrong. */
const char *handback_check(const struct plan *plan, const struct request *req);

#endif
