/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Multiboot, version 1. Source: the Multiboot Specification 0.6.96. */
#ifndef KEXEC_NG_X86_MULTIBOOT_H
#define KEXEC_NG_X86_MULTIBOOT_H

#include "image.h"

struct multiboot_image {
	size_t off;		/* of the header in the file */
	uint32_t flags;
	/* With MULTIBOOT_ADDRESSES: which bytes of the file go where. */
	bool has_addresses;
	struct span bytes;
	phys_t load_addr;
	uint64_t mem_len;
	phys_t entry;
};

/* -ENOEXEC "multiboot/no-magic": there is no header. Others: it is broken, or asks for what cannot
 * be. */
must_check int multiboot_parse(struct span file, struct multiboot_image *ret, struct diag *diag);

extern const struct image_type multiboot_type;

#endif
