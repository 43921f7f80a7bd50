/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hardware_subarch of the boot protocol: what the machine is, in the kernel's eyes, and by which of its
 * entries a kernel for that is started. One table answers both: auto takes the first of a row's entries
 * that image and machine allow, and what is not in the row is refused with the row's reason.
 *
 * Source: Documentation/arch/x86/boot.rst; enum x86_hardware_subarch and its users: arch/x86/kernel/
 * {head32.c,head64.c,head_32.S,platform-quirks.c}.
 */
#ifndef KEXEC_NG_X86_SUBARCH_H
#define KEXEC_NG_X86_SUBARCH_H

#include "arch/x86/bzimage.h"

enum subarch_number {
	SUBARCH_PC = 0,
	SUBARCH_LGUEST = 1,
	SUBARCH_XEN = 2,
	SUBARCH_INTEL_MID = 3,
	SUBARCH_CE4100 = 4,
};

#define SUBARCH_ENTRIES_MAX	5

struct subarch {
	const char *name;
	/* For auto, in this order; ENTER_AUTO ends it. */
	enum enter entries[SUBARCH_ENTRIES_MAX + 1];
	/* Those that are taken when asked for. */
	enum enter also[SUBARCH_ENTRIES_MAX + 1];
	const char *why;	/* why there are no others; NULL: there are all */
};

/* What --subarch says, else what the running kernel was told if that is a board that is no PC: a
 * hypervisor's guest interface does not survive a kexec. */
uint32_t subarch_number(const struct request *req, const struct facts *facts);
/* Into a setup header; zero_page + HDR_HARDWARE_SUBARCH is its place in it. */
void subarch_write(const struct bzimage *image, const struct request *req,
		   const struct facts *facts, uint8_t *zero_page);
/* Never NULL; a number that no name is known for has a row too. */
const struct subarch *subarch_find(uint32_t number);
/* The name, or the number in words. */
const char *subarch_text(uint32_t number, struct arena *a);

/*
 * The entries to try for req->enter, one after the other, up to ENTER_AUTO. Refuses what this kernel or
 * the table does not allow: ids "subarch/...".
 */
must_check int subarch_entries(const struct bzimage *image, const struct request *req,
			       const struct facts *facts, struct arena *a, const enum enter **ret,
			       struct diag *diag);

#endif
