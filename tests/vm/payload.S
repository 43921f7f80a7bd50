/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program that a kernel jumps to and comes back from: it says on COM1 how often it was called, and
 * leaves nothing of the CPU's state as it was that a program may change.
 */
#define COM1		0x3f8
#define COM1_STATUS	(COM1 + 5)
#define CAN_WRITE	0x20

	.text
	.globl _start
_start:
	incb	digit(%rip)
	lea	text(%rip), %rsi
	cld
1:	mov	$COM1_STATUS, %dx
2:	in	%dx, %al
	test	$CAN_WRITE, %al
	jz	2b
	lodsb
	mov	$COM1, %dx
	out	%al, %dx
	cmp	$'\n', %al
	jne	1b

	/* Descriptors that lead nowhere, no segments, another page table, rubbish everywhere else. */
	lgdt	nowhere(%rip)
	lidt	nowhere(%rip)
	xor	%eax, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %fs
	mov	%eax, %gs
	mov	%cr4, %rax
	or	$0x600, %rax		/* OSFXSR, OSXMMEXCPT */
	mov	%rax, %cr4
	mov	%cr0, %rax
	or	$0x10000, %rax		/* WP */
	mov	%rax, %cr0
	mov	$-1, %rax
	movq	%rax, %xmm0
	mov	%rax, %rbx
	mov	%rax, %rcx
	mov	%rax, %rdx
	mov	%rax, %rsi
	mov	%rax, %rdi
	mov	%rax, %rbp
	mov	%rax, %r8
	mov	%rax, %r9
	mov	%rax, %r10
	mov	%rax, %r11
	mov	%rax, %r12
	mov	%rax, %r13
	mov	%rax, %r14
	mov	%rax, %r15
	std
	ret

	.data
text:	.ascii	"NG-PAYLOAD call "
digit:	.ascii	"0\r\n"
nowhere:
	.word	0
	.quad	0

	.section .note.GNU-stack, "", @progbits
