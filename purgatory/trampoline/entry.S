/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * State in:	PVH: protected mode, paging off, CR4 = 0, flat segments, IF=0, ebx = pvh_start_info;
 *		no stack, no GDT that one could count on.
 * Destroyed:	every register.
 * State out:	the kernel's entry: long mode, 4 levels, the first 4 GiB identity mapped, rsi = boot_params;
 *		or as in, with esi = boot_params.
 */
#include "trampoline.h"

#define CR0_PG		(1 << 31)
#define CR4_PAE		(1 << 5)
#define MSR_EFER	0xc0000080
#define EFER_LME	(1 << 8)

#define PAGE		4096
#define N_GIB		4
#define PRESENT		0x03		/* and writable */
#define LARGE		0x83		/* and 2 MiB long */
#define LARGE_LEN	0x200000
#define GIBS		PAGE
#define LARGES		(2 * PAGE)
#define SEL_CODE64	0x10

	.section .head, "ax"
	.globl trampoline_head
	.hidden trampoline_head
trampoline_head:
	.long	TRAMPOLINE_MAGIC
	.long	pvh_entry - trampoline_head
	.long	self - trampoline_head
	.long	0, 0, 0, 0

	.code32
pvh_entry:
	.byte	0xbd			/* mov $self, %ebp: where the image begins */
self:	.long	0
	cli
	cld
	mov	TRAMPOLINE_SCRATCH(%ebp), %edi
	lea	SCRATCH_STACK_END(%edi), %esp
	push	%ebx
	push	%ebp
	call	trampoline_prepare
	mov	TRAMPOLINE_BOOT_PARAMS(%ebp), %esi
	testl	$TRAMPOLINE_64, TRAMPOLINE_FLAGS(%ebp)
	jnz	long_mode
	mov	TRAMPOLINE_ENTRY(%ebp), %eax
	xor	%ebx, %ebx
	xor	%edi, %edi
	xor	%ebp, %ebp
	jmp	*%eax

long_mode:
	mov	TRAMPOLINE_SCRATCH(%ebp), %ebx
	mov	%ebx, %edi		/* whoever loaded us has zeroed it, or not */
	mov	$SCRATCH_TABLES_LEN / 4, %ecx
	xor	%eax, %eax
	rep stosl
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
	lea	gdt - trampoline_head(%ebp), %eax
	movw	$gdt_end - gdt - 1, (%esp)
	mov	%eax, 2(%esp)
	lgdt	(%esp)
	mov	$CR4_PAE, %eax
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
	lea	code64 - trampoline_head(%ebp), %eax
	push	%eax
	lret

	.code64
code64:
	mov	%esi, %esi		/* upper halves are undefined after the switch */
	mov	TRAMPOLINE_ENTRY(%rbp), %eax
	xor	%ebx, %ebx
	xor	%edi, %edi
	jmp	*%rax

	.balign 8
gdt:	.quad 0
	.quad 0
	.quad 0x00af9b000000ffff	/* SEL_CODE64: flat, L */
	.quad 0x00cf93000000ffff	/* flat, writable */
gdt_end:

	.section .note.GNU-stack, "", @progbits
