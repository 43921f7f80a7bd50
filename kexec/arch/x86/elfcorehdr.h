/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ELF headers that a capture kernel finds at elfcorehdr= and shows, with the dead kernel's
 * memory behind them, as /proc/vmcore:
 *
 *	PT_NOTE		for each CPU, where the dying kernel leaves its registers
 *	PT_NOTE		vmcoreinfo
 *	PT_LOAD		the kernel itself, by its virtual address
 *	PT_LOAD		each range of RAM, with its virtual address in the direct map
 *
 * ELF32 headers have no virtual addresses, and so no header for the kernel itself: those of a 64-bit
 * kernel do not fit.
 *
 * Offsets are physical addresses, of what the capture kernel then copies or maps.
 * Source: fs/proc/vmcore.c; kernel/crash_core.c, crash_prepare_elf64_headers().
 */
#ifndef KEXEC_NG_X86_ELFCOREHDR_H
#define KEXEC_NG_X86_ELFCOREHDR_H

#include "diag.h"
#include "facts.h"
#include "image.h"

#define ELFCOREHDR_PHDRS_MAX	0xfffe	/* 0xffff means "elsewhere", which vmcore.c does not know */

struct elfcorehdr {
	enum core_class core_class;
	const struct crash_facts *crash;
	struct range_list ram;	/* what is to be dumped; normal */
	/* Memory that was copied away by the time of the dump: RAM at from is found at to. */
	struct range moved_from;
	phys_t moved_to;
};

/* Bytes of the headers. -E2BIG "elfcorehdr/too-many-ranges"; -ERANGE "elfcorehdr/above-4gib" for
 * ELF32 and memory that has no place in it. */
must_check int elfcorehdr_len(const struct elfcorehdr *e, uint64_t *ret, struct diag *diag);
/* buf has as many zeroed bytes. */
void elfcorehdr_write(const struct elfcorehdr *e, uint8_t *buf);

#endif
