/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a virtual machine starts at its PVH entry for a rehearsal, a flat image that vm_image.c puts
 * anywhere below 4 GiB. It reports what memory the machine has, or puts it into the state in which a
 * running kernel jumps and jumps to the plan's entry.
 *
 * State in:	protected mode, paging off, flat segments, IF=0, ebx = struct pvh_start_info.
 * State out:	long mode, memory mapped to itself, CS = 0x10 and 0x18 in the others, every register
 *		zero but rsp; or paging off. As relocate_kernel leaves it (arch/x86/kernel of Linux).
 */
#include "arch/x86/vm_entry.h"
#include "registers.h"

	.section .rodata
	.balign 16
	.globl vm_entry_blob, vm_entry_blob_end
	.hidden vm_entry_blob, vm_entry_blob_end
vm_entry_blob:
	.skip	VM_ENTRY_HEAD_LEN		/* struct vm_entry_head */

	.code32
	cli
	cld
	.byte	0xbd				/* mov $self, %ebp */
	.long	0
	mov	VM_ENTRY_STACK(%ebp), %esp
	cmpl	$0, VM_ENTRY_JUMPS(%ebp)
	jne	copy

	mov	$VM_REPORT_PORT, %edx
	mov	%ebx, %esi
	mov	$56, %ecx			/* pvh_start_info */
	rep outsb
	mov	40(%ebx), %esi			/* memory_map, n_memory of 24 bytes */
	imul	$24, 48(%ebx), %ecx
	rep outsb
	mov	32(%ebx), %esi			/* rsdp */
	test	%esi, %esi
	jz	spin
	mov	$36, %ecx
	rep outsb
spin:	mov	$VM_SPINS, %ecx			/* for whoever measures */
1:	dec	%ecx
	jnz	1b
	mov	$VM_EXIT_PORT, %edx
	xor	%eax, %eax
	out	%eax, %dx
2:	hlt
	jmp	2b

copy:	mov	VM_ENTRY_COPY_FROM(%ebp), %esi	/* what the firmware would have overwritten */
	mov	VM_ENTRY_COPY_TO(%ebp), %edi
	mov	VM_ENTRY_COPY_LEN(%ebp), %ecx
	rep movsb
	cmpl	$VM_JUMPS_32, VM_ENTRY_JUMPS(%ebp)
	jne	tables
	mov	VM_ENTRY_ENTRY(%ebp), %edx
	pushl	$0
	xor	%ebx, %ebx
	xor	%ebp, %ebp
	jmp	*%edx

tables:	mov	VM_ENTRY_TABLES(%ebp), %ebx	/* zeroed, as memory of an ELF segment */
	lea	0x1003(%ebx), %eax
	mov	%eax, (%ebx)
	lea	0x2003(%ebx), %eax
	xor	%ecx, %ecx
3:	mov	%eax, 0x1000(%ebx, %ecx, 8)
	add	$0x1000, %eax
	inc	%ecx
	cmp	VM_ENTRY_N_GIB(%ebp), %ecx
	jb	3b
	shl	$9, %ecx			/* pages of 2 MiB */
4:	dec	%ecx
	mov	%ecx, %eax
	shl	$21, %eax
	or	$0x83, %eax
	mov	%eax, 0x2000(%ebx, %ecx, 8)
	mov	%ecx, %eax
	shr	$11, %eax
	mov	%eax, 0x2004(%ebx, %ecx, 8)
	test	%ecx, %ecx
	jnz	4b

	sub	$8, %esp
	lea	gdt - vm_entry_blob(%ebp), %eax
	movw	$gdt_end - gdt - 1, (%esp)
	mov	%eax, 2(%esp)
	lgdt	(%esp)
	add	$8, %esp
	mov	$0x20, %eax			/* PAE */
	mov	%eax, %cr4
	mov	%ebx, %cr3
	mov	$0xc0000080, %ecx		/* EFER: SCE, LME */
	rdmsr
	or	$0x101, %eax
	wrmsr
	mov	$0x80000033, %eax		/* PG, NE, ET, MP, PE */
	mov	%eax, %cr0
	pushl	$0x10
	lea	code64 - vm_entry_blob(%ebp), %eax
	push	%eax
	lret

	.code64
code64:	mov	$0x18, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	%eax, %fs
	mov	%eax, %gs
	mov	%ebp, %ebp			/* the upper half is undefined after the switch */
	mov	VM_ENTRY_STACK(%rbp), %esp
	pushq	$0				/* a return address of nobody */
	push	VM_ENTRY_ENTRY(%rbp)
	xor	%eax, %eax
	xor	%ebx, %ebx
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%ebp, %ebp
	zero_r8_to_r15
	ret

	.balign 8
gdt:	.quad	0
	.quad	0x00cf9b000000ffff
	.quad	0x00af9b000000ffff		/* 0x10: 64-bit code */
	.quad	0x00cf93000000ffff		/* 0x18: data */
gdt_end:
vm_entry_blob_end:

	.section .note.GNU-stack, "", @progbits
