/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A load for a panic, as any other load: the machine that the capture kernel is to see takes the
 * place of the real one, and after that no format knows the difference.
 *
 *	destinations	the reservation ("Crash kernel"; of two the higher one), less the elfcorehdr
 *	map		the first MiB, the reservations and the CMA ranges for it as RAM; all that is
 *			no RAM, as it was; nothing else
 *	command line	with elfcorehdr=; acpi_rsdp= and acpi_no_memhotplug where they are needed
 *
 * Kernels before 5.5 have memory of their own below 640 KiB, where the capture kernel starts its
 * CPUs: purgatory saves that into a "backup" first, and the dump has it from there.
 *
 * The elfcorehdr and the backup have their place before anything else has, the end of the region,
 * and are no RAM in that map: the capture kernel and its KASLR keep off them.
 *
 * Source: arch/x86/kernel/crash.c, crash_setup_memmap_entries().
 */
#ifndef KEXEC_NG_X86_CRASH_H
#define KEXEC_NG_X86_CRASH_H

#include "image.h"
#include "plan.h"

#define ELFCOREHDR_SEGMENT	"elfcorehdr"
#define BACKUP_SEGMENT		"backup"

/*
 * From what was asked and the machine to what the pure stages are to see: ret_req with the command
 * line, ret_facts with ram, map and withheld. ids "crash/...": without a reservation, with one that
 * is too small, on a machine that shows no addresses.
 */
must_check int crash_prepare(const struct request *req, const struct facts *facts, struct arena *a,
			     struct request *ret_req, struct facts *ret_facts,
			     const struct crash_plan **ret, struct diag *diag);
/* Adds the segments of backup and elfcorehdr, this one last of all: the running kernel looks for it
 * from behind. */
must_check int crash_plan(const struct crash_plan *crash, struct plan *plan, struct diag *diag);

#endif
