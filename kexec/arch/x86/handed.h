/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a program that is entered in 32-bit mode finds, read as that program would read it: by PVH,
 * Multiboot or Multiboot2. Nothing of the code that made it is used, so that both would have to be
 * wrong in the same way. Failures are as those of arrival.h.
 */
#ifndef KEXEC_NG_X86_HANDED_H
#define KEXEC_NG_X86_HANDED_H

#include "arch/x86/vcpu.h"
#include "elf.h"
#include "image.h"

/* Is the plan one whose entry these functions know? */
bool handed_is_known(const struct plan *plan);

/* At plan->jump_entry: the segment registers' descriptors, the flags, the magic number, the structure
 * and all that it points to. ret: what was found, in words. */
must_check int handed_check(const struct plan *plan, const struct request *req,
			    const struct facts *facts, const struct vcpu *v, struct guest_ram ram,
			    const char **ret, struct diag *diag);

/* Each PT_LOAD is in memory as the file has it, all of it moved as far as the segment "kernel" was, and
 * what the file does not have is zero. ret_len: bytes of the file that were compared. */
must_check int handed_check_program(const struct plan *plan, const struct elf *elf,
				    struct guest_ram ram, uint64_t *ret_len, struct diag *diag);

#endif
