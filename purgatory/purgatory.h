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
/* The image in memory, from its head to the end of its stack, and the code and constants in it by which
 * a report is made (purgatory.lds). */
extern const uint8_t image_start[], image_file_end[], image_end[];
extern const uint8_t report_start[], report_end[];

static inline bool is_ring0(void)
{
	return handoff.ring == 0;
}

/* What runs before the image has been verified is together in its beginning (core.c). */
#define CORE	__attribute__((section(".text.core"), noinline))

/* core.c: entry.S calls it, on our stack. */
_Noreturn void purgatory_main(void);
/* main.c: handoff and image are verified; entered is when. */
_Noreturn void purgatory_go_on(uint64_t entered);
/* main.c: the handoff is of another version. */
_Noreturn void refuse_handoff(void);

/* traps.c: from here on an NMI is counted and any other exception is reported. Ring 0 only. */
void traps_start(void);
/* Prepares for leave32(): NMIs stay harmless on the way and, without paging, after it. */
void traps_prepare_32bit(void);
/* Prepares for paging_switch(), in the same sense: code32 is 32-bit code in the GDT in use. */
void traps_prepare_unpaged(uint16_t code32);
/* The virtual address of the GDT of the Linux that jumped here, 0 if it cannot be found. In ring 0,
 * after traps_start(), with the page tables of that kernel's jump or our own. */
uint64_t traps_find_host_gdt(void);
/* traps.S calls it, on a fresh stack. */
_Noreturn void trap_report(uint32_t vector, uint64_t error_code, uint64_t rip, uint64_t cr2);

/* failure.c: everything about the failure has been said. Resets or halts the machine, after saying
 * which; in ring 3 control goes back to the process. */
_Noreturn void failure_end(enum handoff_verdict verdict);
/* last_words.c: purgatory is damaged, and so is what would say it. Resets or halts the machine, after a
 * line on the consoles; in ring 3 control goes back to the process. */
_Noreturn void end_without_report(void);

/* vga.c: text mode, as the BIOS sets it; nothing where there is no VGA. Ring 0 only. */
void vga_set_text_mode(void);

/* verify.c. Each comes back only if all is intact, else a report and failure_end(). In this order;
 * before it main.c looks whether what the handoff says can be. */
void verify_self(void);		/* handoff and image once more, and the tables behind the image */
void verify_regions(void);	/* sets handoff.verdict */
/* Did verify_self() run to its end since this was last asked? */
bool take_proof_of_self(void);

/* real_mode.c: does something answer a BIOS call? If not, says so and ends. Ring 0 only. */
void real_mode_check_bios(void);
/* Puts low memory, interrupt controllers and timer into the state that leave16() and a BIOS expect.
 * Ring 0 only, after traps_prepare_unpaged(SEL_CODE). */
void real_mode_prepare(void);

/* Assembly: turns paging off and on again, with CR4 = cr4 and CR3 = cr3. Ring 0, everything that is
 * used on the way below 4 GiB. */
void paging_switch(uint32_t cr4, uint32_t cr3);

/* Assembly: the ways out. */
_Noreturn void leave64(void);
_Noreturn void leave32(void);
_Noreturn void leave16(void);
_Noreturn void leave_to_process(void);
/* come_back.S, for COME_BACK_PROGRAM and COME_BACK_PEER. */
_Noreturn void call_program(void);
_Noreturn void jump_to_peer(void);
/* Interrupts through gate 3, which names IST 1. 0, or CR2 after the page fault that this has made of
 * it. The gates of both must lead to these. */
uint64_t probe_tss(void);
extern const uint8_t probe_tss_hit[], probe_tss_fault[];

/* Assembly: what runs in 16-bit segments, at HANDOFF_TRAMPOLINE, and the far pointers that it jumps
 * by: offset, then segment. */
extern const uint8_t trampoline[], trampoline_end[];
#define TRAMPOLINE_TO_REAL	0	/* to itself, in real mode */
#define TRAMPOLINE_TO_KERNEL	4

/* Assembly: data that traps.c needs. */
#define N_VECTORS	32
#define TRAP_STUB_LEN	16
extern const uint8_t trap_stubs[N_VECTORS * TRAP_STUB_LEN], nmi_stub[], nmi_stub32[];

#pragma GCC visibility pop

#endif
