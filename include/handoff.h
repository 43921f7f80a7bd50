/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All that the loader tells purgatory, and all that purgatory leaves behind. C and assembly share
 * it: the offsets below are asserted. doc/handoff.md explains each field.
 *
 * The purgatory image is flat and position independent. It begins with struct purgatory_head, whose
 * numbers are offsets from its own first byte; the loader puts the image anywhere (4 KiB aligned),
 * fills the handoff inside it, and enters at head.entry_off.
 */
#ifndef KEXEC_NG_HANDOFF_H
#define KEXEC_NG_HANDOFF_H

#define HANDOFF_MAGIC		0x4f444e48474e584bULL	/* "KXNGHNDO" */
#define PURGATORY_MAGIC		0x52505547474e584bULL	/* "KXNGGUPR" */

/* handoff.leave */
#define LEAVE_64	0	/* long mode, rsi = arg, rdi = c_arg */
#define LEAVE_32	1	/* protected mode, paging off, esi = arg, 4(%esp) = c_arg */
#define LEAVE_16	2	/* real mode, segment registers = arg / 16, cs = entry / 16 */

/* handoff.flags */
#define HANDOFF_QUIET		(1 << 0)	/* print nothing on success */
#define HANDOFF_HALT		(1 << 1)	/* on failure halt instead of reset */
#define HANDOFF_SERIAL		(1 << 2)	/* talk on serial_port (8250, I/O ports) */
#define HANDOFF_VGA		(1 << 3)	/* talk on the text frame buffer at vga_text */
#define HANDOFF_RESET_VGA	(1 << 4)	/* first set a VGA to text mode; ring 0 only */

/* handoff.come_back: what becomes of the kernel that jumped to purgatory, and means to go on later */
#define COME_BACK_NEVER		0
#define COME_BACK_PROGRAM	1	/* entry is called; when it returns, that kernel goes on */
#define COME_BACK_KERNEL	2	/* the next kernel is told how, at come_back_text */
#define COME_BACK_PEER		3	/* entry is where another kernel waits in the same way */

/* Between the address to come back to and that kernel's GDT, in the next one's command line. */
#define COME_BACK_DIGITS	16
#define COME_BACK_GDT		" kexec_jump_back_gdt=0x"

/* Selectors of purgatory's own GDTs; 0x10 and 0x18 are what the boot protocol documents. */
#define SEL_CODE64		0x08	/* 64-bit code at all times */
#define SEL_CODE		0x10	/* 64-bit code; 32-bit code in the GDTs of leave*.S */
#define SEL_DATA		0x18
#define SEL_CODE32		0x20	/* 32-bit code, but not in those */
#define SEL_CODE16		0x20	/* only in that of leave16.S: 64 KiB from arg on */
#define SEL_DATA16		0x28

/*
 * LEAVE_16: arg is where the real mode kernel begins, and below 1 MiB. In its 64 KiB are the setup
 * code, its heap, its stack downwards from HANDOFF_REAL_STACK, and from HANDOFF_TRAMPOLINE on a page
 * that is purgatory's until the jump.
 */
#define HANDOFF_REAL_LEN	0x10000
#define HANDOFF_REAL_STACK	0xe000
#define HANDOFF_TRAMPOLINE	0xf000
#define HANDOFF_TRAMPOLINE_LEN	0x1000

/* Offsets into struct handoff that assembly uses. */
#define HANDOFF_ENTRY		0x28
#define HANDOFF_ARG		0x30
#define HANDOFF_RING3_EXIT	0x48
#define HANDOFF_RING3_CS32	0x50
#define HANDOFF_EAX		0x58
#define HANDOFF_EBX		0x5c
#define HANDOFF_C_ARG		0x60
#define HANDOFF_COME_BACK	0x2b8
#define HANDOFF_PEER_GDT	0x2c8
#define HANDOFF_RING		0x2d4
#define HANDOFF_N_NMIS		0x2e0
#define HANDOFF_HOST_RETURN	0x310
#define HANDOFF_HOST_CR0	0x318
#define HANDOFF_HOST_CR3	0x320
#define HANDOFF_HOST_CR4	0x328
#define HANDOFF_HOST_GDT	0x330
#define HANDOFF_PEER		0x338

#ifndef __ASSEMBLER__

#include "base.h"

#define HANDOFF_REGIONS_MAX	16
#define HANDOFF_NAME_LEN	12
#define HANDOFF_LOG_LEN		1024
#define HANDOFF_SELF		HANDOFF_REGIONS_MAX	/* bad_region: purgatory itself */

/* A region has a digest for each so many bytes: damage is found with its place, and the table of
 * digests stays below 1/2000 of what it is of. */
#define HANDOFF_CHUNK_LEN	(64 * KIB)

enum handoff_digest {
	HANDOFF_DIGEST_NONE = 0,	/* regions are not verified */
	HANDOFF_DIGEST_CRC32C = 1,	/* CRC32C_LEN bytes each */
	HANDOFF_DIGEST_SHA256 = 2,	/* SHA256_LEN bytes each */
};

/* The paging mode to leave in, with LEAVE_64. */
enum handoff_paging {
	HANDOFF_PAGING_KEEP = 0,
	HANDOFF_PAGING_4_LEVEL = 1,
	HANDOFF_PAGING_5_LEVEL = 2,	/* if the CPU can, else 4-level */
};

enum handoff_verdict {
	VERDICT_NONE = 0,	/* purgatory did not get to one */
	VERDICT_MATCH = 1,
	VERDICT_MISMATCH = 2,
	VERDICT_EXCEPTION = 3,
	VERDICT_BAD_HANDOFF = 4,
	VERDICT_UNCHECKED = 5,	/* HANDOFF_DIGEST_NONE */
	VERDICT_NO_BIOS = 6,	/* LEAVE_16, and nothing would answer the setup code */
};

struct handoff_region {
	phys_t start;
	uint64_t len;			/* bytes that the digests cover */
	uint32_t first_chunk;		/* index of its first digest in the table */
	char name[HANDOFF_NAME_LEN];	/* with its NUL */
};

struct handoff {
	uint64_t magic;
	uint32_t len;			/* sizeof(struct handoff): both sides agree or stop */
	uint32_t flags;
	phys_t self;			/* where the loader put the image */
	uint32_t n_regions;
	uint32_t tsc_khz;		/* for delays; 0: unknown, a high guess is used */
	uint32_t leave;			/* LEAVE_64, LEAVE_32, LEAVE_16 */
	uint32_t fail_delay_ms;		/* between the report of a failure and the reset */
	phys_t entry;			/* 0x28 */
	phys_t arg;			/* 0x30 */
	phys_t cr3_4level;		/* 0x38: identity map; used when CR4.LA57 is off ... */
	phys_t cr3_5level;		/* 0x40: ... and when it is on. 0: keep what is there */
	/* Ring 3 only. A failure ends here, with rdi = handoff and purgatory's stack. */
	uint64_t ring3_exit;		/* 0x48 */
	uint32_t ring3_cs32;		/* 0x50: a 32-bit code segment for LEAVE_32; 0: none */
	uint32_t paging;		/* enum handoff_paging */
	/* What formats that are no Linux want. */
	uint32_t eax;			/* 0x58 */
	uint32_t ebx;			/* 0x5c */
	uint64_t c_arg;			/* 0x60: the first argument of a C function */
	uint64_t vga_text;		/* 80x25 text frame buffer: 0xb8000, or a dummy one */
	uint16_t serial_port;
	uint16_t serial_divisor;	/* 0: leave the UART as it is */
	uint32_t digest;		/* enum handoff_digest */
	uint32_t chunk_len;		/* a multiple of 64 */
	uint32_t n_chunks;		/* digests in the table, at ... */
	phys_t digests;			/* ... this address */
	uint64_t self_len;		/* of purgatory's segment: image, digests, page tables */
	/* CRC32C of image_len bytes at self, and of what is between the image's memory and self_len. */
	uint32_t image_crc;
	uint32_t tables_crc;
	struct handoff_region regions[HANDOFF_REGIONS_MAX];
	/* Saved before the jump, after a panic: memory that the next kernel writes to. */
	phys_t copy_from, copy_to;
	uint64_t copy_len;		/* 0: nothing */
	phys_t boot_note;		/* struct boot_note that takes purgatory's marks; 0: none */
	uint32_t come_back;		/* 0x2b8: COME_BACK_* */
	uint32_t report_crc;		/* CRC32C of what of the image makes a report */
	uint64_t come_back_text;	/* COME_BACK_KERNEL: 16 hex digits, COME_BACK_GDT, 16 more */
	uint64_t peer_gdt;		/* 0x2c8: COME_BACK_PEER: as host_gdt, of that kernel */
	uint32_t crc;			/* CRC32C of all before it */

	/* Written by purgatory. */
	uint32_t ring;			/* 0x2d4: %cs & 3 at entry */
	uint32_t verdict;		/* enum handoff_verdict */
	uint32_t bad_region;		/* index or HANDOFF_SELF, after VERDICT_MISMATCH */
	uint32_t n_nmis;		/* 0x2e0 */
	uint32_t n_levels;		/* of paging, at the jump: 4 or 5; 0 in ring 3 */
	uint64_t bad_off;		/* of the first bad chunk in bad_region */
	uint32_t log_len;		/* all that was printed, in every ring, is also here */
	uint32_t vector;		/* after VERDICT_EXCEPTION */
	uint64_t rip, cr2, error_code;
	/* With come_back: of the kernel that jumped here last, and where the peer waits by now. */
	uint64_t host_return;		/* 0x310: its return address, physical */
	uint64_t host_cr0, host_cr3, host_cr4;
	uint64_t host_gdt;		/* 0x330: virtual, for it alone; 0: could not be found */
	uint64_t peer;			/* 0x338 */
	/* With come_back: jumps to purgatory so far; and all bits of that inverted, 0 before the first.
	 * Not what was verified is verified again, so this number must be right. */
	uint32_t n_runs, n_runs_inverted;
	char log[HANDOFF_LOG_LEN];
};

#define HANDOFF_AT(member, off) \
	_Static_assert(offsetof(struct handoff, member) == (off), "handoff.h: " #member)
HANDOFF_AT(entry, HANDOFF_ENTRY);
HANDOFF_AT(arg, HANDOFF_ARG);
HANDOFF_AT(ring3_exit, HANDOFF_RING3_EXIT);
HANDOFF_AT(ring3_cs32, HANDOFF_RING3_CS32);
HANDOFF_AT(eax, HANDOFF_EAX);
HANDOFF_AT(ebx, HANDOFF_EBX);
HANDOFF_AT(c_arg, HANDOFF_C_ARG);
HANDOFF_AT(come_back, HANDOFF_COME_BACK);
HANDOFF_AT(ring, HANDOFF_RING);
HANDOFF_AT(n_nmis, HANDOFF_N_NMIS);
HANDOFF_AT(peer_gdt, HANDOFF_PEER_GDT);
HANDOFF_AT(host_gdt, HANDOFF_HOST_GDT);
HANDOFF_AT(host_return, HANDOFF_HOST_RETURN);
HANDOFF_AT(host_cr0, HANDOFF_HOST_CR0);
HANDOFF_AT(host_cr3, HANDOFF_HOST_CR3);
HANDOFF_AT(host_cr4, HANDOFF_HOST_CR4);
HANDOFF_AT(peer, HANDOFF_PEER);
/* Or a loader of 32 bits, where numbers of 64 bits need less alignment, has another length. */
_Static_assert(sizeof(struct handoff) % 8 == 0, "handoff.h: padding at the end");

/* The first bytes of the purgatory image, written by purgatory.lds. */
struct purgatory_head {
	uint64_t magic;
	uint32_t entry_off;	/* for a 64-bit kernel to jump to ... */
	uint32_t entry32_off;	/* ... and for a 32-bit one */
	uint32_t handoff_off;
	uint32_t file_len;	/* bytes in the image */
	uint32_t mem_len;	/* with what must be zero after it: bss, stacks */
	uint32_t core_len;	/* from the first byte on: what runs before the image is verified */
	uint32_t report_off;	/* code and constants by which a report is made: the first byte ... */
	uint32_t report_end;	/* ... and the first one behind them */
};

#endif
#endif
