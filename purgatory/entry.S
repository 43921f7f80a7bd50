/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The head of the image, purgatory's first instructions, and the way back to a process.
 *
 * State in:	long mode at whatever address we are, identity mapped, and one of
 *		ring 0	as relocate_kernel leaves it (arch/x86/kernel/relocate_kernel_64.S): IF=0, the
 *			rest of a page as stack, a GDT of limit 0 (before Linux 7) or in that page;
 *		ring 3	an ordinary 64-bit process.
 *		A kernel that means to go on later has called us: its return address is on the stack.
 * Destroyed:	every register.
 * State out:	DF=0, our stack, handoff.ring set; in ring 0 also IF=0 and our GDT with CS = 0x10 and
 *		0x18 in every data segment; with handoff.come_back what of that kernel come_back.S puts
 *		back. purgatory_main() does not come back.
 */
#include "handoff.h"

#define STACK_LEN	4096

	.section .head, "a"
head:
	.quad PURGATORY_MAGIC
	.long purgatory_entry - head
	.long purgatory_entry32 - head
	.long handoff - head
	.long image_file_end - head
	.long image_end - head
	.long core_end - head
	.long report_start - head
	.long report_end - head

	.section .rodata
	.balign 8
gdt:
	.quad 0
	.quad 0x00af9b000000ffff	/* SEL_CODE64: flat, L */
	.quad 0x00af9b000000ffff	/* SEL_CODE: the same */
	.quad 0x00cf93000000ffff	/* SEL_DATA: flat, writable */
	.quad 0x00cf9b000000ffff	/* SEL_CODE32: flat, D */
gdt_end:

	.section .text.core, "ax"
	.code64
	.globl purgatory_entry
	.hidden purgatory_entry
purgatory_entry:
	cld
	mov	%rsp, %rdx
	lea	stack_end(%rip), %rsp
	mov	%cs, %eax
	and	$3, %eax
	mov	%eax, handoff+HANDOFF_RING(%rip)
	jnz	in_any_ring

	/* ---- privileged: ring 0 only ---- */
	cli
	cmpl	$COME_BACK_NEVER, handoff+HANDOFF_COME_BACK(%rip)
	je	1f
	mov	(%rdx), %rax
	mov	%rax, handoff+HANDOFF_HOST_RETURN(%rip)
	mov	%cr0, %rax
	mov	%rax, handoff+HANDOFF_HOST_CR0(%rip)
	mov	%cr3, %rax
	mov	%rax, handoff+HANDOFF_HOST_CR3(%rip)
	mov	%cr4, %rax
	mov	%rax, handoff+HANDOFF_HOST_CR4(%rip)
1:	lea	in_any_ring(%rip), %rdx
	jmp	load_segments
	/* ---- end ---- */

/*
 * State in:	ring 0, our stack, rdx = where to go on.
 * Destroyed:	rax.
 * State out:	our GDT, CS = 0x10, 0x18 in every data segment.
 */
	.globl load_segments
	.hidden load_segments
load_segments:
	/* ---- privileged: ring 0 only ---- */
	lea	gdt(%rip), %rax
	movw	$gdt_end - gdt - 1, -10(%rsp)
	mov	%rax, -8(%rsp)
	lgdt	-10(%rsp)
	mov	$SEL_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	%eax, %fs
	mov	%eax, %gs
	pushq	$SEL_CODE
	push	%rdx
	lretq
	/* ---- end ---- */

in_any_ring:
	call	purgatory_main
	ud2

	.section .text.last_words, "ax"
/*
 * State in:	ring 3.
 * State out:	rdi = handoff, at handoff.ring3_exit, on our stack.
 */
	.globl leave_to_process
	.hidden leave_to_process
leave_to_process:
	lea	stack_end(%rip), %rsp
	lea	handoff(%rip), %rdi
	jmp	*handoff+HANDOFF_RING3_EXIT(%rip)

	.bss
	.balign 16
	.skip	STACK_LEN
	.globl stack_end
	.hidden stack_end
stack_end:

	.section .note.GNU-stack, "", @progbits
