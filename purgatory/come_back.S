/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ways to and fro of a kernel that goes on after its jump (KEXEC_PRESERVE_CONTEXT).
 *
 * Linux calls what it jumps to (arch/x86/kernel/relocate_kernel_64.S) and goes on at the return
 * address, which is in the identity map. There it takes the word at (%rsp) for the address to jump to
 * the next time (6.1 reads it, 7 pops it). So the way back is no ret, which would
 * leave that word to chance, but a call: the word is purgatory_entry, or peer_entry. Everything else,
 * the stack too, the kernel loads again by itself; it needs long mode in the paging mode it had, CS =
 * 0x10 and SS = 0x18, which are the same in its own GDT, and 6.1 that GDT (traps.c).
 */
#include "handoff.h"
#include "registers.h"

#define LINUX_GDT_LEN	128	/* 16 entries: arch/x86/include/asm/segment.h */

	.text
	.code64

/*
 * Calls the program at handoff.entry as leave64() would enter it.
 *
 * State in:	any ring; what leave64() asks for.
 * State out:	as leave64(), but for rsp: our stack, with the return address on it. What comes back
 *		may have changed everything but the stack pointer and our memory.
 */
	.globl call_program
	.hidden call_program
call_program:
	load_registers_of_handoff
	call	*handoff+HANDOFF_ENTRY(%rip)

	cld
	cmpl	$0, handoff+HANDOFF_RING(%rip)
	jne	leave_to_process
	/* fall through */

/*
 * State in:	ring 0, long mode.
 * State out:	at handoff.host_return with our segments, CR0, CR3 and CR4 as they were when that kernel
 *		jumped here, its GDT, IF=0, DF=0, our stack, and purgatory_entry at (%rsp).
 */
return_to_host:
	/* ---- privileged: ring 0 only ---- */
	cli
	lea	stack_end(%rip), %rsp
	lea	1f(%rip), %rdx
	jmp	load_segments
1:	mov	handoff+HANDOFF_HOST_CR4(%rip), %rax
	mov	%rax, %cr4
	mov	handoff+HANDOFF_HOST_CR3(%rip), %rax
	mov	%rax, %cr3
	mov	handoff+HANDOFF_HOST_CR0(%rip), %rax
	mov	%rax, %cr0
	mov	handoff+HANDOFF_HOST_GDT(%rip), %rax
	call	load_gdtr
	lea	purgatory_entry(%rip), %rax
	push	%rax
	jmp	*handoff+HANDOFF_HOST_RETURN(%rip)

/*
 * State in:	rax = where a kernel has its GDT, in its own page tables, or 0.
 * State out:	no segment can be loaded until that kernel has its page tables again.
 */
load_gdtr:
	test	%rax, %rax
	jz	1f
	movw	$LINUX_GDT_LEN - 1, -10(%rsp)
	mov	%rax, -8(%rsp)
	lgdt	-10(%rsp)
1:	ret

/*
 * State in:	ring 0; purgatory_main() is done.
 * State out:	at handoff.peer, where another kernel waits, with our page tables, and peer_entry at
 *		(%rsp): there it comes out when it jumps the next time.
 */
	.globl jump_to_peer
	.hidden jump_to_peer
jump_to_peer:
	cld
	lea	stack_end(%rip), %rsp
	mov	handoff+HANDOFF_PEER_GDT(%rip), %rax
	call	load_gdtr
	lea	peer_entry(%rip), %rax
	push	%rax
	jmp	*handoff+HANDOFF_PEER(%rip)

/* State in: as purgatory_entry, called by that kernel. It waits at the return address from now on. */
peer_entry:
	cld
	mov	(%rsp), %rax
	mov	%rax, handoff+HANDOFF_PEER(%rip)
	jmp	return_to_host

/* State out: rax = 0, or CR2 (traps.c, traps_find_host_gdt()). */
	.globl probe_tss, probe_tss_hit, probe_tss_fault
	.hidden probe_tss, probe_tss_hit, probe_tss_fault
probe_tss:
	xor	%eax, %eax
	int3
	ret
probe_tss_hit:
	iretq
probe_tss_fault:
	mov	%cr2, %rax
	mov	32(%rsp), %rsp		/* as it was at the int3 */
	ret
	/* ---- end ---- */

	.section .note.GNU-stack, "", @progbits
