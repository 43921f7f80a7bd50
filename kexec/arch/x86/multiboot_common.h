/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What both versions of Multiboot share: a program below 4 GiB, entered in 32-bit protected mode with a
 * magic number in eax and the address of an information structure in ebx; modules; what the machine is
 * like. The structure is built twice by the same code: without a buffer, to know how long it gets, and
 * once more when addresses are known.
 */
#ifndef KEXEC_NG_X86_MULTIBOOT_COMMON_H
#define KEXEC_NG_X86_MULTIBOOT_COMMON_H

#include "arch/x86/flat.h"
#include "image.h"

#define MULTIBOOT_LOADER_NAME	"kexec-ng"

struct multiboot_out {
	uint8_t *buf;	/* NULL: only measure */
	size_t len;
};

void multiboot_put(struct multiboot_out *out, const void *data, size_t len);
void multiboot_align(struct multiboot_out *out, size_t align);

struct multiboot_plan {
	struct flat flat;
	phys_t entry;		/* as linked */
	phys_t link_start;	/* of the first piece */
	const char *cmdline;	/* with the image's name as its first word */
};

struct multiboot_addresses {
	phys_t info;		/* 0 while only measured */
	phys_t modules;
	phys_t load_base;
};

/* What neither version can do is refused: entries, initrds, a panic kernel. */
must_check int multiboot_check_request(const struct request *req, struct diag *diag);
/* "PATH ARGUMENTS"; -ENOMEM. */
must_check int multiboot_compose(const struct request *req, struct arena *a, const char **ret,
				 struct diag *diag);
/* Adds modules and information (info_len bytes) below 4 GiB, after the program; sets how it is left. */
must_check int multiboot_plan_data(const struct request *req, const struct facts *facts,
				   size_t info_len, uint32_t eax, struct plan *plan,
				   struct diag *diag);
/* Every segment has its address: registers, entry, and those of the structure. */
struct multiboot_addresses multiboot_settle(const struct multiboot_plan *own, struct plan *plan);

/* The i-th module, relative to the first. */
struct range multiboot_module(const struct request *req, size_t i);

uint32_t multiboot_memory_type(uint32_t e820_type);
/* KiB from 0 and from 1 MiB up to the first hole. */
void multiboot_memory_sizes(const struct facts *facts, uint32_t *ret_lower, uint32_t *ret_upper);

struct multiboot_screen {
	uint64_t addr;
	uint32_t pitch, width, height;
	uint8_t bpp;
	uint8_t type;		/* enum multiboot_framebuffer_type */
	uint8_t colors[6];
};
/* The display as the next program will find it; false: it will show nothing. */
bool multiboot_screen(const struct request *req, const struct facts *facts,
		      struct multiboot_screen *ret);

/* Where e_entry is in physical memory: programs give it as a virtual address or as a physical one. */
phys_t multiboot_elf_entry(const struct elf *elf);

#endif
