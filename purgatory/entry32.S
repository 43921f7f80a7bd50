/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Purgatory's first instructions when a 32-bit kernel jumps: into long mode, with page tables made
 * here (those of the loader are not verified yet), then the same way as everybody.
 *
 * State in:	as relocate_kernel leaves it (arch/x86/kernel/relocate_kernel_32.S): protected mode,
 *		paging off, CR4 = 0, flat segments, IF=0, the rest of a page as stack, an empty IDT.
 *		We are below 4 GiB, and the CPU has long mode: the loader has checked both.
 * Destroyed:	every register.
 * State out:	at purgatory_entry: long mode, 4-level paging, the first 4 GiB identity mapped.
 */
#include "handoff.h"

#define CR0_PG		(1 << 31)
#define CR4_PAE		(1 << 5)
#define MSR_EFER	0xc0000080
#define EFER_LME	(1 << 8)

#define PAGE		4096
#define N_GIB		4
#define PRESENT		0x03		/* and writable */
#define LARGE		0x83		/* and 2 MiB long */
#define LARGE_LEN	0x200000

/* Tables: the root, one of GiBs, N_GIB of 2 MiB pages each. */
#define GIBS		PAGE
#define LARGES		(2 * PAGE)

	.section .rodata
	.balign 8
gdt64:
	.quad 0
	.quad 0x00af9b000000ffff	/* SEL_CODE64: flat, L */
	.quad 0x00af9b000000ffff	/* SEL_CODE: the same */
	.quad 0x00cf93000000ffff	/* SEL_DATA: flat, writable */
gdt64_end:

	.text
	.code32
	.globl purgatory_entry32
	.hidden purgatory_entry32
purgatory_entry32:
	cld
	call	here
here:	pop	%ebp
	lea	stack_end - here(%ebp), %esp

	lea	tables - here(%ebp), %ebx
	lea	GIBS + PRESENT(%ebx), %eax
	mov	%eax, (%ebx)
	lea	LARGES + PRESENT(%ebx), %eax
	xor	%ecx, %ecx
gib:	mov	%eax, GIBS(%ebx, %ecx, 8)
	add	$PAGE, %eax
	inc	%ecx
	cmp	$N_GIB, %ecx
	jb	gib

	mov	$LARGE, %eax
	xor	%ecx, %ecx
large:	mov	%eax, LARGES(%ebx, %ecx, 8)
	add	$LARGE_LEN, %eax
	inc	%ecx
	cmp	$N_GIB * 512, %ecx
	jb	large

	sub	$8, %esp
	lea	gdt64 - here(%ebp), %eax
	movw	$gdt64_end - gdt64 - 1, (%esp)
	mov	%eax, 2(%esp)
	lgdt	(%esp)

	mov	%cr4, %eax
	or	$CR4_PAE, %eax
	mov	%eax, %cr4
	mov	%ebx, %cr3
	mov	$MSR_EFER, %ecx
	rdmsr
	or	$EFER_LME, %eax
	wrmsr
	mov	%cr0, %eax
	or	$CR0_PG, %eax
	mov	%eax, %cr0

	push	$SEL_CODE64
	lea	purgatory_entry - here(%ebp), %eax
	push	%eax
	lret

	.bss
	.balign PAGE
tables:
	.skip	LARGES + N_GIB * PAGE

	.section .note.GNU-stack, "", @progbits
