/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way out in real mode: the 16-bit boot protocol (Documentation/arch/x86/boot.rst, "Running the
 * kernel").
 *
 * State in:	ring 0, long mode, 4- or 5-level paging. We are below 4 GiB, handoff.entry and
 *		handoff.arg below 1 MiB (main.c has checked). traps_prepare_32bit() and then
 *		real_mode_prepare() have been called.
 * State out:	real mode at handoff.entry, as CS = entry / 16 and IP = 0; DS = ES = FS = GS = SS =
 *		arg / 16, SP = HANDOFF_REAL_STACK, every other general register 0, IF=0, DF=0; paging
 *		off, EFER.LME, CR3 and CR4 clear; the interrupt vectors of the BIOS at 0.
 *
 * The order is that of Intel SDM volume 3, "Switching Out of IA-32e Mode Operation" and "Switching
 * Back to Real-Address Mode". The 16-bit protected mode segments begin where the real mode ones will
 * (handoff.arg), so offsets stay what they are when CR0.PE goes off.
 */
#include "handoff.h"

#define CR0_PE		(1 << 0)
#define CR0_PG		(1 << 31)
#define MSR_EFER	0xc0000080
#define EFER_LME	(1 << 8)
#define IVT_LIMIT	0x3ff

	.text
	.code64
	.globl leave16
	.hidden leave16
leave16:
	/* ---- privileged: ring 0 only, all of it ---- */
	cld
	lea	stack_end(%rip), %rsp
	mov	handoff+HANDOFF_ARG(%rip), %ebx
	lea	idtr32(%rip), %rdi
	/* An NMI returns to the selector that it found: it must be 64-bit code in both GDTs. */
	pushq	$SEL_CODE64
	lea	in_code64(%rip), %rax
	push	%rax
	lretq
in_code64:
	lgdt	gdtr16(%rip)
	pushq	$SEL_CODE
	lea	in_32bit(%rip), %rax
	push	%rax
	lretq

	.code32
in_32bit:
	mov	$SEL_DATA, %eax
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
	shr	$4, %ebx
	pushl	$SEL_CODE16
	pushl	$HANDOFF_TRAMPOLINE + to_16bit - trampoline
	lretl

/*
 * State in:	a copy of this is at arg + HANDOFF_TRAMPOLINE, with its pointers filled; to_16bit in
 *		SEL_CODE16, bx = arg / 16.
 */
	.section .rodata
	.code16
	.balign	8
	.globl trampoline, trampoline_end
	.hidden trampoline, trampoline_end
trampoline:
to_real:
	.word	HANDOFF_TRAMPOLINE + in_real_mode - trampoline, 0
to_kernel:
	.word	0, 0
idtr16:
	.word	IVT_LIMIT
	.long	0

to_16bit:
	mov	$SEL_DATA16, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%ax, %fs
	mov	%ax, %gs
	/* Nothing interrupts between these two. */
	mov	%ax, %ss
	mov	$HANDOFF_REAL_STACK, %esp
	mov	%cr0, %eax
	and	$~CR0_PE, %eax
	/* Like above: an NMI between these two would be the end, one after them is the BIOS's. */
	lidtl	HANDOFF_TRAMPOLINE + idtr16 - trampoline
	mov	%eax, %cr0
	ljmpw	*HANDOFF_TRAMPOLINE + to_real - trampoline

in_real_mode:
	mov	%bx, %ds
	mov	%bx, %es
	mov	%bx, %fs
	mov	%bx, %gs
	mov	%bx, %ss
	mov	$HANDOFF_REAL_STACK, %esp
	xor	%eax, %eax
	xor	%ebx, %ebx
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%ebp, %ebp
	ljmpw	*HANDOFF_TRAMPOLINE + to_kernel - trampoline
trampoline_end:
	.if	trampoline_end - trampoline > HANDOFF_TRAMPOLINE_LEN
	.error	"the trampoline is longer than its page"
	.endif

	.section .note.GNU-stack, "", @progbits
