/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The real mode entry of a bzImage: its own 16-bit setup code runs, as after a boot loader, asks the
 * BIOS for memory, display and disks, makes the zero page from the answers and goes on to the stub.
 * Nothing of the running kernel's knowledge is handed on but command line, initrd and seed.
 *
 * One segment, "setup", below 1 MiB:
 *
 *	0x00000	boot sector and setup code, from the file
 *	0x08000	its heap, and from HANDOFF_REAL_STACK downwards its stack
 *	0x0f000	purgatory's trampoline
 *	0x10000	the command line, then the setup_data nodes: note, seed
 *
 * Source: Documentation/arch/x86/boot.rst, arch/x86/boot/{header.S,main.c,setup.ld}.
 */
#ifndef KEXEC_NG_X86_REAL_MODE_H
#define KEXEC_NG_X86_REAL_MODE_H

#include "arch/x86/bzimage.h"

#define REAL_MODE_SEGMENT	"setup"

/*
 * Adds the segment and sets plan->jump_mode, or says why the machine, the image or the options do not
 * allow it: ids "real-mode/...", "params/cmdline-too-long".
 */
must_check int real_mode_plan(const struct bzimage *image, const struct request *req,
			      const struct facts *facts, struct plan *plan, struct diag *diag);
/* Writes it; all segments have their addresses. Sets jump_entry, jump_arg, cmdline_addr and
 * boot_note. */
void real_mode_finish(const struct bzimage *image, const struct request *req,
		      const struct facts *facts, struct plan *plan);

#endif
