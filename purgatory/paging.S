/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From 4- to 5-level paging or back. CR4.LA57 cannot change in long mode, so paging goes off and on
 * again in compatibility mode (Intel SDM volume 3, "Initializing IA-32e Mode"); EFER.LME stays set.
 *
 * State in:	called as paging_switch(uint32_t cr4, uint32_t cr3) in ring 0 and long mode, with the
 *		GDT of entry.S and the IDT of traps.c, IF=0. We, our stack and cr3 are below 4 GiB;
 *		cr3 is of the kind that cr4 asks for and maps what the old tables mapped of us.
 *		traps_prepare_unpaged(SEL_CODE32) has been called.
 * Destroyed:	rax, rcx, rdx, rsi, rdi, r8-r11. The upper half of every register is lost on the way,
 *		so what the caller keeps in them goes over the stack.
 * State out:	returns; long mode, CR4 = cr4, CR3 = cr3, GDT, IDT and segments as before.
 */
#include "handoff.h"

#define CR0_PG		(1 << 31)

	.text
	.code64
	.globl paging_switch
	.hidden paging_switch
paging_switch:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15

	/* ---- privileged: ring 0 only ---- */
	lea	idtr32(%rip), %ecx
	lea	idtr(%rip), %edx
	lea	in_64bit(%rip), %ebx
	pushq	$SEL_CODE32
	lea	in_compatibility(%rip), %rax
	push	%rax
	lretq

	.code32
in_compatibility:
	mov	%cr0, %eax
	and	$~CR0_PG, %eax
	/* An NMI between these two would find an IDT of the wrong kind: as short as it gets. */
	lidt	(%ecx)
	mov	%eax, %cr0
	jmp	paging_is_off
paging_is_off:
	mov	%edi, %cr4
	mov	%esi, %cr3
	or	$CR0_PG, %eax
	mov	%eax, %cr0
	/* The same here. */
	lidt	(%edx)
	pushl	$SEL_CODE
	push	%ebx
	lretl

	.code64
in_64bit:
	mov	%esp, %esp
	/* ---- end ---- */

	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

	.section .note.GNU-stack, "", @progbits
