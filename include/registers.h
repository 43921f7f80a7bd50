/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For assembly only: registers as the next kernel finds them. */
#ifndef KEXEC_NG_REGISTERS_H
#define KEXEC_NG_REGISTERS_H

/* Those that only 64-bit code has. Destroyed: flags. */
	.macro	zero_r8_to_r15
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	xor	%r12d, %r12d
	xor	%r13d, %r13d
	xor	%r14d, %r14d
	xor	%r15d, %r15d
	.endm

#endif
