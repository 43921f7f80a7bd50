/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one kernel lets the next one know about the jump between them: the data of a setup_data node
 * of type SETUP_NONE, which every kernel keeps, none looks at, and all since 3.14 show in
 * /sys/kernel/boot_params/setup_data. The loader writes it, purgatory puts its marks in after it has
 * verified the segment that it is in, kexec --last reads it.
 *
 * It may grow at its end. All numbers are little endian, marks are values of the TSC.
 */
#ifndef KEXEC_NG_BOOT_NOTE_H
#define KEXEC_NG_BOOT_NOTE_H

#include "base.h"

#define BOOT_NOTE_MAGIC		0x45544f4e474e584bULL	/* "KXNGNOTE" */
#define BOOT_NOTE_RELEASE_LEN	64
#define BOOT_NOTE_LOADER_LEN	24

/* boot_note.flags */
#define BOOT_NOTE_CRASH		(1U << 0)	/* loaded for a panic */

struct boot_note {
	uint64_t magic;
	uint32_t len;		/* sizeof(struct boot_note) */
	uint32_t flags;
	/* By the loader. */
	uint64_t loaded;	/* shortly before the load; 0: not recorded */
	char loader[BOOT_NOTE_LOADER_LEN];	/* "kexec-ng 0.1", with its NUL */
	char release[BOOT_NOTE_RELEASE_LEN];	/* of the kernel that loaded it, with its NUL */
	/* By purgatory; all 0: it did not run. */
	uint64_t entered;	/* its first C code */
	uint64_t verified;	/* after the segments were compared with their digests */
	uint64_t left;		/* before the jump, after all that it printed */
	uint32_t verdict;	/* enum handoff_verdict */
	uint32_t n_nmis;
};

_Static_assert(sizeof(struct boot_note) == 144, "boot_note.h: no padding");

#endif
