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

/* In purgatory, those of the 64-bit boot protocol; rsp is the end of its stack. Destroyed: flags, and
 * DF is 0. */
	.macro	load_registers_of_handoff
	cld
	lea	stack_end(%rip), %rsp
	mov	handoff+HANDOFF_ARG(%rip), %rsi
	mov	handoff+HANDOFF_C_ARG(%rip), %rdi
	mov	handoff+HANDOFF_EAX(%rip), %eax
	mov	handoff+HANDOFF_EBX(%rip), %ebx
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%ebp, %ebp
	zero_r8_to_r15
	.endm

#endif
