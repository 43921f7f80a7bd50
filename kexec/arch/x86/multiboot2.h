/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Multiboot, version 2. Source: the Multiboot2 Specification 2.0.
 *
 * After a kexec the firmware's boot services are gone, so the entries for EFI count for nothing, as the
 * specification has it, and an image that cannot do without boot services is refused.
 */
#ifndef KEXEC_NG_X86_MULTIBOOT2_H
#define KEXEC_NG_X86_MULTIBOOT2_H

#include "image.h"
#include "wire/multiboot2.h"

struct multiboot2_image {
	size_t off;		/* of the header in the file */
	bool has_entry;
	phys_t entry;
	/* Which bytes of the file go where; without it, ELF says so. */
	bool has_addresses;
	struct span bytes;
	phys_t load_addr;
	uint64_t mem_len;
	bool is_relocatable;
	struct multiboot2_relocatable where;
	bool wants_efi64;	/* asks for the tag with the EFI system table */
};

/* -ENOEXEC "multiboot2/no-magic": there is no header. Others: it is broken, or asks for what cannot
 * be. */
must_check int multiboot2_parse(struct span file, struct multiboot2_image *ret, struct diag *diag);

extern const struct image_type multiboot2_type;

#endif
