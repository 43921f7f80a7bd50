/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SHA-256 by the SHA instructions (Intel SDM volume 2, SHA256RNDS2), of one message, or of two at
 * once: a round waits for the one before it, so a second message costs almost no time.
 *
 * State in:	called as C functions: sha256.h. The CPU has SHA, SSSE3 and SSE4.1; xmm registers can be
 *		used, which in ring 0 somebody has seen to (CR4.OSFXSR, CR0.EM, CR0.TS).
 * Destroyed:	rax, rdx, rsi, rcx, flags. xmm0 to xmm13 are zero afterwards: what was in memory does
 *		not stay in registers.
 * State out:	the states at rdi.
 *
 * A state is kept as the instruction wants it, ABEF and CDGH from the high word to the low one. The
 * four registers of words hold W(t-16) to W(t-1), and which is the oldest goes round with the groups
 * of four rounds.
 */
#ifdef __x86_64__
	.section .rodata
	.balign 16
byte_order:
	.quad 0x0405060700010203, 0x0c0d0e0f08090a0b

	.text
	.code64

/* Four rounds, number 4 * g on, of the message at \from; w0 is the oldest of its words. */
	.macro	four_rounds g, from, abef, cdgh, w0, w1, w2, w3
	.if \g < 4
	movdqu	16 * \g(\from), \w0
	pshufb	byte_order(%rip), \w0
	.else
	sha256msg1 \w1, \w0
	movdqa	\w3, %xmm13
	palignr	$4, \w2, %xmm13
	paddd	%xmm13, \w0
	sha256msg2 \w3, \w0
	.endif
	movdqa	sha256_k + 16 * \g(%rip), %xmm0
	paddd	\w0, %xmm0
	sha256rnds2 \abef, \cdgh
	pshufd	$0x0e, %xmm0, %xmm0
	sha256rnds2 \cdgh, \abef
	.endm

	.macro	both g, lanes, w0, w1, w2, w3, x0, x1, x2, x3
	four_rounds \g, %rsi, %xmm1, %xmm2, \w0, \w1, \w2, \w3
	.if \lanes == 2
	four_rounds \g, %rax, %xmm7, %xmm8, \x0, \x1, \x2, \x3
	.endif
	.endm

/* H0 to H7 at \at to \abef and \cdgh, and back; both ways are the same shuffle. */
	.macro	load_state at, abef, cdgh
	movdqu	\at(%rdi), %xmm13
	movdqu	\at+16(%rdi), \cdgh
	pshufd	$0xb1, %xmm13, %xmm13
	pshufd	$0x1b, \cdgh, \cdgh
	movdqa	%xmm13, \abef
	palignr	$8, \cdgh, \abef
	pblendw	$0xf0, %xmm13, \cdgh
	.endm

	.macro	store_state at, abef, cdgh
	pshufd	$0x1b, \abef, \abef
	pshufd	$0xb1, \cdgh, \cdgh
	movdqa	\abef, %xmm13
	pblendw	$0xf0, \cdgh, %xmm13
	palignr	$8, \abef, \cdgh
	movdqu	%xmm13, \at(%rdi)
	movdqu	\cdgh, \at+16(%rdi)
	.endm

	.macro	keep at, abef, cdgh
	movdqu	\abef, \at(%rsp)
	movdqu	\cdgh, \at+16(%rsp)
	.endm

	.macro	add_kept at, abef, cdgh
	movdqu	\at(%rsp), %xmm13
	paddd	%xmm13, \abef
	movdqu	\at+16(%rsp), %xmm13
	paddd	%xmm13, \cdgh
	.endm

/* n_blocks in rcx, more than none. */
	.macro	blocks lanes
	sub	$64, %rsp
	load_state 0, %xmm1, %xmm2
	.if \lanes == 2
	load_state 32, %xmm7, %xmm8
	.endif
next_block\@:
	keep	0, %xmm1, %xmm2
	.if \lanes == 2
	keep	32, %xmm7, %xmm8
	.endif
	.irp	g, 0, 4, 8, 12
	both	"(\g+0)", \lanes, %xmm3, %xmm4, %xmm5, %xmm6, %xmm9, %xmm10, %xmm11, %xmm12
	both	"(\g+1)", \lanes, %xmm4, %xmm5, %xmm6, %xmm3, %xmm10, %xmm11, %xmm12, %xmm9
	both	"(\g+2)", \lanes, %xmm5, %xmm6, %xmm3, %xmm4, %xmm11, %xmm12, %xmm9, %xmm10
	both	"(\g+3)", \lanes, %xmm6, %xmm3, %xmm4, %xmm5, %xmm12, %xmm9, %xmm10, %xmm11
	.endr
	add_kept 0, %xmm1, %xmm2
	add	$64, %rsi
	.if \lanes == 2
	add_kept 32, %xmm7, %xmm8
	add	$64, %rax
	.endif
	dec	%rcx
	jnz	next_block\@
	store_state 0, %xmm1, %xmm2
	.if \lanes == 2
	store_state 32, %xmm7, %xmm8
	.endif
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13
	pxor	%xmm\n, %xmm\n
	.endr
	movdqu	%xmm0, (%rsp)
	movdqu	%xmm0, 16(%rsp)
	movdqu	%xmm0, 32(%rsp)
	movdqu	%xmm0, 48(%rsp)
	add	$64, %rsp
	ret
	.endm

	.globl	sha256_ni_blocks, sha256_ni_blocks_two
	.hidden	sha256_ni_blocks, sha256_ni_blocks_two, sha256_k
sha256_ni_blocks:
	mov	%rdx, %rcx
	blocks	1

sha256_ni_blocks_two:
	lea	(%rsi, %rdx), %rax
	blocks	2

#endif
	.section .note.GNU-stack, "", @progbits
