/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a relocatable kernel runs, and the fix-ups that follow: what its own stub does between
 * unpacking it and jumping into it.
 *
 * The relocation table follows the ELF file in the payload: 32-bit words, each the low half of the
 * virtual address of a place to fix, in ascending lists, each list after a zero word:
 *
 *	i386			0, R32...
 *	x86-64 up to 6.14	0, R64..., 0, INV32..., 0, R32...
 *	x86-64 from 6.15	0, R64..., 0, R32...
 *
 * Source: arch/x86/tools/relocs.c, arch/x86/boot/compressed/{misc,kaslr}.c.
 */
#ifndef KEXEC_NG_X86_RELOCATE_H
#define KEXEC_NG_X86_RELOCATE_H

#include "diag.h"
#include "elf.h"
#include "facts.h"
#include "image.h"

struct reloc_list {
	struct span words;
	size_t n;
};

struct reloc_table {
	struct reloc_list r64, inv32, r32;
	bool is_empty;		/* no table at all: built without RANDOMIZE_BASE */
};

/* ids "reloc/..."; the table must have the structure of one of the three layouts. */
must_check int reloc_parse(struct span table, const struct elf *elf, struct reloc_table *ret,
			   struct diag *diag);
/*
 * Adds delta to every place. image[0] is what was linked for the virtual address vaddr; places must
 * lie in the first image_len bytes. -EINVAL "reloc/outside"; the image is then undefined.
 */
must_check int reloc_apply(const struct reloc_table *t, uint8_t *image, size_t image_len,
			   uint64_t vaddr, uint64_t delta, struct diag *diag);

/*
 * By how much found was moved against image, told by the first place of the table; false if there is
 * none in it. Both are image_len bytes that begin at vaddr.
 */
must_check bool reloc_infer(const struct reloc_table *t, const uint8_t *image, const uint8_t *found,
			    size_t image_len, uint64_t vaddr, uint64_t *ret_delta);

/* What the stub's KASLR would respect of the command line and the machine. */
struct kaslr_limits {
	bool is_off;			/* nokaslr */
	bool is_physical_off;		/* more memmap= than the stub can keep off */
	phys_t end;			/* mem=, memmap=nn: no higher */
	struct range_list avoid;	/* memmap=nn#ss and such */
	uint64_t n_gib_pages;		/* hugepages=N of 1 GiB: so many of them stay whole */
};
must_check int kaslr_read_cmdline(const char *cmdline, struct arena *a, struct kaslr_limits *ret);

/* A uniform draw of 64 bits from the seed, independent for each label and round. */
uint64_t kaslr_draw(const uint8_t seed[SEED_LEN], const char *label, uint32_t round);

/*
 * One of all addresses, each as likely: multiples of align in [min, end - len] with len bytes of
 * ram behind them. False if there is none.
 */
bool kaslr_pick_physical(const struct range_list *ram, phys_t min, phys_t end, uint64_t len,
			 uint64_t align, uint64_t draw, phys_t *ret);
/* The number of them. */
uint64_t kaslr_count_physical(const struct range_list *ram, phys_t min, phys_t end, uint64_t len,
			      uint64_t align);
/* A multiple of align in [min, end - len]: the same, without RAM. min is aligned. */
uint64_t kaslr_pick_virtual(uint64_t min, uint64_t end, uint64_t len, uint64_t align, uint64_t draw);

#endif
