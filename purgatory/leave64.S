/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way out in long mode: the 64-bit boot protocol (Documentation/arch/x86/boot.rst).
 *
 * State in:	any ring. In ring 0 entry.S has loaded CS = 0x10 and DS = ES = SS = 0x18 and
 *		cleared IF; they have not changed since.
 * State out:	at handoff.entry with rsi = handoff.arg, rdi = handoff.c_arg, rax = handoff.eax,
 *		rbx = handoff.ebx, rsp = the end of our stack, every other general register 0, DF=0.
 *		Our GDT, IDT and page tables stay in use.
 */
#include "handoff.h"
#include "registers.h"

	.text
	.code64
	.globl leave64
	.hidden leave64
leave64:
	load_registers_of_handoff
	jmp	*handoff+HANDOFF_ENTRY(%rip)

	.section .note.GNU-stack, "", @progbits
