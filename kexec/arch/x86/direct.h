/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The work of a bzImage's stub, done at load time while the old kernel still serves: unpack the
 * payload, choose where it runs, apply its relocations. What remains for the dark time is a jump
 * into the kernel proper.
 */
#ifndef KEXEC_NG_X86_DIRECT_H
#define KEXEC_NG_X86_DIRECT_H

#include "arch/x86/bzimage.h"
#include "arch/x86/relocate.h"

struct direct {
	bool is_64;
	uint8_t *image;		/* as linked: image[0] belongs to link_start */
	size_t image_len;	/* without the zeros of .bss and what follows it */
	/* What its file has bytes for, as offsets in the image; beyond image_len these are zeros. */
	struct range loads[ELF_LOADS_MAX];
	size_t n_loads;
	uint64_t window_len;	/* what the running kernel will use from its base on */
	uint64_t alignment;	/* of its base */
	phys_t link_start;
	uint64_t link_vaddr;
	uint64_t entry_off;
	struct reloc_table relocs;

	phys_t base;		/* chosen; 0: wherever place() puts it */
	uint64_t vaddr_delta;	/* x86-64: chosen virtual shift */
	bool is_randomized;	/* KASLR_FLAG */
};

/*
 * Why this load cannot go the direct way, as a person reads it; NULL if nothing is known that forbids
 * it. Cheap: looks at the header, the machine and the command line only. a: for the text.
 */
const char *direct_obstacle(const struct bzimage *image, const struct request *req,
			    const struct facts *facts, struct arena *a);
/* What of it the image alone decides. */
const char *direct_image_obstacle(const struct bzimage *image, struct arena *a);
/* The payload unpacked, whatever it is: an ELF file, and what follows it. */
must_check int direct_payload(const struct bzimage *image, struct arena *a, struct span *ret,
			      struct diag *diag);
/* direct_unpack() of a payload that is unpacked already: an ELF file and its relocation table. */
must_check int direct_read(const struct bzimage *image, struct span payload, struct arena *a,
			   struct direct *ret, struct diag *diag);
/* Unpacks and checks; ids "direct/...", "unpack/...", "elf/...", "reloc/...". */
must_check int direct_unpack(const struct bzimage *image, struct arena *a, struct direct *ret,
			     struct diag *diag);
/*
 * Draws physical and virtual base as the stub's KASLR would, or chooses none with nokaslr.
 * -EADDRNOTAVAIL "direct/no-room" when no RAM fits.
 */
must_check int direct_choose_base(const struct bzimage *image, const struct request *req,
				  const struct facts *facts, struct arena *a, struct direct *d,
				  struct diag *diag);
/* Is word one of the blank separated words of the command line, as the stub looks for it? */
bool cmdline_has_word(const char *cmdline, const char *word);
/* Applies the relocations for a kernel at base. */
must_check int direct_relocate(struct direct *d, phys_t base, struct diag *diag);

#endif
