/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Wishes to addresses. Each segment, in the order it was added, gets the highest address (the
 * lowest, if it wants that) that its wish, the window [mem_min, mem_end) and the segments placed
 * before it leave. A fixed one, which is not in ram, gets its own. One that must be below 1 MiB goes
 * into facts->low_ram, all others into facts->ram. Deterministic.
 */
#ifndef KEXEC_NG_PLACE_H
#define KEXEC_NG_PLACE_H

#include "plan.h"

/* -EADDRNOTAVAIL when there is no hole: the diagnostic names the segment, what it needs and the
 * largest hole there was. */
must_check int place(struct plan *plan, const struct facts *facts, phys_t mem_min, phys_t mem_end,
		     struct diag *diag);

#endif
