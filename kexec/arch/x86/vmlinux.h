/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A Linux kernel as an ELF file: vmlinux, as the build leaves it or as it was unpacked from a bzImage.
 * It has no setup header, so that a machine, an initrd and a command line are handed over as if it had
 * one (vmlinux_header()), and it is entered as an unpacked bzImage is: startup_64 in long mode,
 * startup_32 with paging off.
 *
 * It runs where it was linked; for a panic, where only the reservation is left, it is moved if it has
 * 64 bits. What was unpacked from a bzImage may end with its relocation table;
 * with that it runs anywhere, and KASLR is drawn.
 */
#ifndef KEXEC_NG_X86_VMLINUX_H
#define KEXEC_NG_X86_VMLINUX_H

#include "arch/x86/bzimage.h"
#include "elf.h"

/* The text "Linux version 6.1.0-..." up to its end of line, in the arena; NULL: it is no Linux.
 * Fails when memory is short. */
must_check int vmlinux_banner(const struct elf *elf, struct arena *a, const char **ret,
			      struct diag *diag);
/*
 * What the header of a bzImage around this kernel would say, as far as it can be known. *ret_payload is
 * the file without what follows the kernel, unless that is its relocation table.
 */
must_check int vmlinux_header(const struct elf *elf, const char *banner, struct arena *a,
			      struct bzimage *ret, struct span *ret_payload, struct diag *diag);

/* Plans a kernel that has a banner, or that is said to be one (--args-linux). */
must_check int vmlinux_plan(const struct elf *elf, const struct request *req,
			    const struct facts *facts, struct plan *plan, struct diag *diag);

#endif
