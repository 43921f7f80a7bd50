/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of purgatory know of each other. Everything is hidden: a symbol that could be
 * somebody else's would be reached through a GOT, and nobody fills one here.
 */
#ifndef PURGATORY_H
#define PURGATORY_H

#include "handoff.h"

#pragma GCC visibility push(hidden)

extern struct handoff handoff;
/* The image in memory, from its head to the end of its stack (purgatory.lds). */
extern const uint8_t image_start[], image_end[];

static inline bool is_ring0(void)
{
	return handoff.ring == 0;
}

/* entry.S calls it, on our stack. */
_Noreturn void purgatory_main(void);

/* traps.c: from here on an NMI is counted and any other exception is reported. Ring 0 only. */
void traps_start(void);
/* Prepares for leave32(): NMIs stay harmless on the way and, without paging, after it. */
void traps_prepare_32bit(void);
/* traps.S calls it, on a fresh stack. */
_Noreturn void trap_report(uint32_t vector, uint64_t error_code, uint64_t rip, uint64_t cr2);

/* failure.c: everything about the failure has been said. Resets or halts the machine, after saying
 * which; in ring 3 control goes back to the process. */
_Noreturn void failure_end(enum handoff_verdict verdict);
/* The last resort of a failure that failed: a triple fault, in silence. Ring 0 only. */
_Noreturn void failure_reset_at_once(void);

/* Assembly: the ways out. */
_Noreturn void leave64(void);
_Noreturn void leave32(void);
_Noreturn void leave_to_process(void);

/* Assembly: data that traps.c needs. */
#define N_VECTORS	32
#define TRAP_STUB_LEN	16
extern const uint8_t trap_stubs[N_VECTORS * TRAP_STUB_LEN], nmi_stub[], nmi_stub32[];

#pragma GCC visibility pop

#endif
