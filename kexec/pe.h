/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PE file, PE32 or PE32+, as what carries sections: read strictly, every section inside the file.
 * What the code in it would do, and its relocations, are no concern of a loader of Linux kernels.
 * Source: include/wire/pe.h.
 */
#ifndef KEXEC_NG_PE_H
#define KEXEC_NG_PE_H

#include "diag.h"
#include "span.h"
#include "wire/pe.h"

/* A unified kernel image has about 15, and five more for each profile. */
#define PE_SECTIONS_MAX	1024

struct pe_section {
	char name[PE_SECTION_NAME_LEN + 1];
	/* What the file has of it: SizeOfRawData without the padding behind VirtualSize. Empty when it
	 * has nothing there (.bss). Zeros that only memory would have behind it are not here. */
	struct span bytes;
};

struct pe {
	struct span file;
	uint16_t machine;		/* PE_MACHINE_... */
	bool is_pe32_plus;
	uint16_t subsystem;		/* PE_SUBSYSTEM_EFI_APPLICATION, or another */
	bool has_certificates;		/* it is signed; by whom, and whether rightly, is not read */
	struct pe_section *sections;	/* in the arena, in the order of the section table */
	size_t n_sections;
};

/* Does the file begin as one? Costs nothing; the rest is for pe_parse() to find. */
bool pe_is_one(struct span file);

/*
 * -ENOEXEC when it is none ("pe/no-magic"), -EINVAL when it is broken:
 * "pe/header-truncated", "pe/header-overlap"	where the headers should be
 * "pe/optional-header"				its kind or its length
 * "pe/no-sections", "pe/too-many-sections", "pe/table-outside"
 * "pe/section-outside"				bytes of a section lie behind the end of the file
 * "pe/certificates-outside"			and those of its signature
 */
must_check int pe_parse(struct span file, struct arena *a, struct pe *ret, struct diag *diag);

/* "x86-64", "i386", "arm64", or "0x1234" in the arena. */
const char *pe_machine_name(uint16_t machine, struct arena *a);

#endif
