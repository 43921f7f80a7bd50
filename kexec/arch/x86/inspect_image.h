/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an image holds and needs, by format. inspect_image() opens what the kernel is wrapped in and
 * fills an inspection (kexec/inspect.h); the others are its parts.
 *
 * What is broken is told in the tree, as { "id", "text" }, and the rest goes on as far as it can be
 * read. Only what is no image at all is a failure.
 */
#ifndef KEXEC_NG_X86_INSPECT_IMAGE_H
#define KEXEC_NG_X86_INSPECT_IMAGE_H

#include "arch/x86/bzimage.h"
#include "arch/x86/direct.h"
#include "inspect.h"
#include "unpack.h"

#define INSPECT_LAYERS_MAX	4	/* as UNWRAP_DEPTH_MAX of probe.h */

/* What the file is wrapped in unpacks into memory, which lives as long as the inspection. */
struct inspect_memory {
	struct unpack_buffer layers[INSPECT_LAYERS_MAX];
};

/*
 * profile: of a unified kernel image, NULL: its first. -ENOEXEC "inspect/no-image", or what a container
 * says that cannot be opened.
 */
must_check int inspect_image(struct span file, const char *path, const char *profile,
			     struct arena *a, struct inspect_memory *memory,
			     struct inspection *ret, struct diag *diag);
void inspect_memory_free(struct inspect_memory *memory);

/* ---- formats ---- */

void inspect_bzimage(struct inspection *in, struct span file);
/* No bzImage around it: a vmlinux, or another program. */
void inspect_elf_file(struct inspection *in, struct span file);
void inspect_multiboot(struct inspection *in, struct span file, bool is_2);

/* ---- parts ---- */

/* Every field of the setup header that the file's protocol has. */
void inspect_setup_header(struct inspection *in, struct span file);
/* The PE file, if it is one, as "pe", with the sections of a unified kernel image. */
void inspect_pe(struct inspection *in, struct item *to, struct span file, bool is_uki);

/* What was found in an ELF file and matters to its entries. */
struct elf_findings {
	bool has_pvh;
	phys_t pvh_entry;
	bool has_pvh_range;	/* else it must be where it was linked */
	uint64_t pvh_align;
	phys_t pvh_min, pvh_last;
	bool has_relocs;
};
/* Program headers, notes and relocation lists of payload as "elf" in to. False if it is no ELF file. */
bool inspect_elf(struct inspection *in, struct item *to, struct span payload, struct elf *ret_elf,
		 struct elf_findings *ret);

/* ---- entries, and the memory they need ---- */

/* direct is NULL when the payload could not be read, why_not says why. */
void inspect_ways(struct inspection *in, const struct bzimage *image, const struct direct *direct,
		  const char *why_not);
/* Of the kernel itself: "direct". */
void inspect_way_direct(struct inspection *in, const struct bzimage *image,
			const struct direct *direct, const char *why_not);
void inspect_way_pvh(struct inspection *in, const struct elf *elf, const struct elf_findings *f);

#endif
