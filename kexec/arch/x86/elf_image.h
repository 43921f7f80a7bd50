/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ELF executables that are no multiboot images, for 64 and for 32 bits: Linux kernels (vmlinux.h). */
#ifndef KEXEC_NG_X86_ELF_IMAGE_H
#define KEXEC_NG_X86_ELF_IMAGE_H

#include "image.h"

extern const struct image_type elf_x86_64_type;
extern const struct image_type elf_x86_type;

#endif
