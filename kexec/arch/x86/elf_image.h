/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ELF executables that are no multiboot images, of 64 and of 32 bits, by what they are handed: Linux
 * kernels (vmlinux.h); programs that take ELF boot notes, as first argument of a C function; programs
 * that take nothing. The last two are loaded as linked, with .bss zeroed, and entered in long mode with
 * an identity map or in protected mode without paging.
 *
 * Boot notes: a header (signature, length, IP checksum, number of records) and ELF notes without names.
 * Source: "ELF boot" proposal as in Etherboot and kexec-tools, include/boot/elf_boot.h there.
 */
#ifndef KEXEC_NG_X86_ELF_IMAGE_H
#define KEXEC_NG_X86_ELF_IMAGE_H

#include "image.h"

#define ELF_BOOT_MAGIC		0x0e1fb007
#define ELF_BOOT_HEADER_LEN	12

enum elf_boot_note {
	ELF_BOOT_LOADER_NAME = 2,
	ELF_BOOT_LOADER_VERSION = 3,
	ELF_BOOT_CMDLINE = 4,
};

extern const struct image_type elf_x86_64_type;
extern const struct image_type elf_x86_type;

#endif
