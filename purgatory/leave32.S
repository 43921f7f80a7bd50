/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way out in protected mode: the 32-bit boot protocol (Documentation/arch/x86/boot.rst).
 *
 * State in:	any ring, long mode, 4- or 5-level paging. We, handoff.entry and handoff.arg are
 *		below 4 GiB (main.c has checked). In ring 0 traps_prepare_32bit() has been called.
 * State out:	at handoff.entry with esi = handoff.arg, eax = handoff.eax, ebx = handoff.ebx, at
 *		the end of our stack the frame of a C function: return address 0, handoff.c_arg;
 *		every other general register 0, DF=0, and
 *		ring 0	CS = 0x10, DS = ES = FS = GS = SS = 0x18 in a GDT of ours, all flat; IF=0;
 *			paging off, EFER.LME, CR3 and CR4 (PAE, LA57, ...) clear; an IDT in which
 *			only NMI has a gate;
 *		ring 3	CS = handoff.ring3_cs32, DS = ES = SS as SS was; FS and GS as they were.
 *
 * The order is that of Intel SDM volume 3, "Switching Out of IA-32e Mode Operation": LA57 and PAE
 * may only change while paging is off, and paging goes off in compatibility mode.
 */
#include "handoff.h"
#include "registers.h"

#define CR0_PG		(1 << 31)
#define MSR_EFER	0xc0000080
#define EFER_LME	(1 << 8)

	.section .rodata
	.balign 8
gdt32:
	.quad 0
	.quad 0x00af9b000000ffff	/* SEL_CODE64: for the gate of NMI, until paging is off */
	.quad 0x00cf9b000000ffff	/* SEL_CODE: flat, D */
	.quad 0x00cf93000000ffff	/* SEL_DATA: flat, writable */
gdt32_end:

	.text
	.code64
	.globl leave32
	.hidden leave32
leave32:
	cld
	lea	stack_end(%rip), %rsp
	mov	handoff+HANDOFF_C_ARG(%rip), %rax
	shl	$32, %rax
	push	%rax			/* for 32-bit code two words: 0, c_arg */
	push	handoff+HANDOFF_EAX(%rip)	/* and two: eax, ebx */
	mov	handoff+HANDOFF_ARG(%rip), %esi
	mov	handoff+HANDOFF_ENTRY(%rip), %ebx
	mov	handoff+HANDOFF_RING3_CS32(%rip), %eax
	mov	handoff+HANDOFF_RING(%rip), %ebp
	zero_r8_to_r15
	test	%ebp, %ebp
	jnz	to_32bit

	/* ---- privileged: ring 0 only ---- */
	/* An NMI returns to the selector that it found: it must be 64-bit code in both GDTs. */
	pushq	$SEL_CODE64
	lea	in_code64(%rip), %rax
	push	%rax
	lretq
in_code64:
	sub	$16, %rsp
	lea	gdt32(%rip), %rax
	movw	$gdt32_end - gdt32 - 1, 6(%rsp)
	mov	%rax, 8(%rsp)
	lgdt	6(%rsp)
	add	$16, %rsp
	lea	idtr32(%rip), %rdi
	mov	$SEL_CODE, %eax
	/* ---- end ---- */

to_32bit:
	push	%rax
	lea	in_32bit(%rip), %rax
	push	%rax
	lretq

	.code32
in_32bit:
	test	%ebp, %ebp
	jnz	in_process

	/* ---- privileged: ring 0 only ---- */
	mov	$SEL_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %fs
	mov	%eax, %gs
	mov	%eax, %ss
	mov	%cr0, %eax
	and	$~CR0_PG, %eax
	/* An NMI between these two would find an IDT of the wrong kind: as short as it gets. */
	lidt	(%edi)
	mov	%eax, %cr0
	jmp	unpaged
unpaged:
	mov	$MSR_EFER, %ecx
	rdmsr
	and	$~EFER_LME, %eax
	wrmsr
	xor	%eax, %eax
	mov	%eax, %cr4
	mov	%eax, %cr3
	jmp	jump
	/* ---- end ---- */

in_process:
	/* Linux leaves DS and ES null in a 64-bit process, which 32-bit code cannot use. */
	mov	%ss, %eax
	mov	%eax, %ds
	mov	%eax, %es

jump:
	mov	%ebx, %edx
	pop	%eax
	pop	%ebx
	push	%edx
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%edi, %edi
	xor	%ebp, %ebp
	ret

	.section .note.GNU-stack, "", @progbits
