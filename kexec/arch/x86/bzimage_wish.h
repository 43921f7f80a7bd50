/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a Linux kernel, what it is handed and its initrd may be, by the entry that is to be used:
 * stated once, for the plan and for whoever asks what an image needs. None of it depends on the
 * machine.
 * Source: Documentation/arch/x86/boot.rst; arch/x86/boot/compressed/head_{64,32}.S;
 * arch/x86/kernel/head_{64,32}.S.
 */
#ifndef KEXEC_NG_X86_BZIMAGE_WISH_H
#define KEXEC_NG_X86_BZIMAGE_WISH_H

#include "arch/x86/bzimage.h"
#include "arch/x86/direct.h"

#define BZIMAGE_LOWEST	MIB		/* nothing of ours goes below, unless it is for real mode */
#define BZIMAGE_END	(64 * TIB)	/* the stub of a 64-bit kernel must be below */

/* May kernel, parameters and initrd be above 4 GiB? */
bool bzimage_reaches_above_4gib(const struct bzimage *image, enum jump_mode mode);
/*
 * The kernel itself; direct is not NULL if that is entered without its stub. Without a stub that can
 * be moved, [min, end) is the one place for it, and empty where there is none.
 */
struct segment_wish bzimage_wish_kernel(const struct bzimage *image, const struct direct *direct,
					enum jump_mode mode);
struct segment_wish bzimage_wish_initrd(const struct bzimage *image, enum jump_mode mode);
/* What the stub reads before it has page tables of its own, and what it hands on. */
struct segment_wish bzimage_wish_params(const struct bzimage *image, enum jump_mode mode);

#endif
