// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as the headers of /proc/kcore, and as ACPI's SRAT. */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "kcore.h"
#include "srat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	/* The class and type of a core, so that most inputs get past them. */
	static const Elf64_Ehdr valid = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, 1 },
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
	};
	uint8_t *copy = malloc(len);
	struct kcore k;

	if (!copy)
		return 0;
	memcpy(copy, data, len);
	if (len > 0 && data[len - 1] & 1)
		memcpy(copy, &valid, len < 24 ? len : 24);
	kcore_read(span_of(copy, len), &k);
	if (kcore_headers_len(span_of(copy, len)) == 0 &&
	    (k.has_page_offset || range_len(k.text) > 0))
		abort();
	if (k.text.end < k.text.start || (k.has_page_offset && k.page_offset % GIB != 0))
		abort();
	memcpy(copy, "SRAT", len < 4 ? len : 4);
	if (srat_read(span_of(copy, len)).memory_end != 0 && len < 48 + 40)
		abort();
	free(copy);
	return 0;
}
