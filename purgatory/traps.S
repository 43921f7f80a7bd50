/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the gates of traps.c lead. Ring 0 only, by construction: only there our IDT is loaded.
 *
 * An NMI needs no stack of its own: the stack pointer is good at any moment, and nothing keeps data
 * below it (-mno-red-zone). Every other exception is the end, so its frame is read and then the
 * stack is taken from its start; that also works when what trapped is the kernel we jumped to.
 */
#include "handoff.h"

#define N_VECTORS	32
#define TRAP_STUB_LEN	16

	.text
	.code64

/* State in: the frame of a 64-bit gate. State out: nothing changed but the count. */
	.globl nmi_stub
	.hidden nmi_stub
nmi_stub:
	incl	handoff+HANDOFF_N_NMIS(%rip)
	iretq

/* Vector n enters at trap_stubs + n * TRAP_STUB_LEN. 8, 10-14, 17, 21, 29 and 30 push an error code. */
	.balign TRAP_STUB_LEN
	.globl trap_stubs
	.hidden trap_stubs
trap_stubs:
	vector = 0
	.rept N_VECTORS
	.balign TRAP_STUB_LEN, 0xcc
	.if !((1 << vector) & 0x60227d00)
	pushq	$0
	.endif
	pushq	$vector
	jmp	trap_common
	vector = vector + 1
	.endr

trap_common:
	pop	%rdi
	pop	%rsi
	mov	(%rsp), %rdx
	mov	%cr2, %rcx
	cld
	lea	stack_end(%rip), %rsp
	call	trap_report
	ud2

/* State in: the frame of a 32-bit gate, paging off. It cannot count: there is no RIP to count by. */
	.code32
	.globl nmi_stub32
	.hidden nmi_stub32
nmi_stub32:
	iretl

	.section .note.GNU-stack, "", @progbits
