/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ACPI's System Resource Affinity Table: memory that is there or may be plugged in, by node. A kernel
 * takes the highest address in it for what devices may have to reach, whatever RAM it is given.
 *
 * Source: ACPI 6.5, 5.2.16; drivers/acpi/numa/srat.c, acpi_parse_memory_affinity().
 */
#ifndef KEXEC_NG_SRAT_H
#define KEXEC_NG_SRAT_H

#include "range.h"
#include "span.h"

#define SRAT_LEN_MAX	MIB

struct srat {
	phys_t memory_end;	/* of the highest memory that the table names; 0: it names none */
	bool is_pluggable;	/* some of that may come and go */
};

/* Of what is no such table it has nothing. */
struct srat srat_read(struct span table);

#endif
