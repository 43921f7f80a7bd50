// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib_pe.h"

#include <stdlib.h>
#include <string.h>

#include "lib_image.h"
#include "wire/pe.h"

static size_t padded(size_t len)
{
	return (len + TEST_PE_FILE_ALIGN - 1) / TEST_PE_FILE_ALIGN * TEST_PE_FILE_ALIGN;
}

uint8_t *make_pe(uint16_t machine, const struct test_section *sections, size_t n, size_t *ret_len)
{
	size_t off = padded(TEST_PE_TABLE + n * sizeof(struct pe_section_header)), len = off;
	uint32_t addr = 0x1000;
	uint8_t *pe;

	for (size_t i = 0; i < n; i++)
		len += padded(sections[i].len);
	pe = calloc(1, len);
	if (!pe)
		abort();
	memcpy(pe, "MZ", 2);
	set32(pe, PE_DOS_LFANEW, TEST_PE_HEADER);
	memcpy(pe + TEST_PE_HEADER, "PE\0\0", 4);
	set16(pe, TEST_PE_COFF, machine);
	set16(pe, TEST_PE_COFF + 2, (uint16_t)n);
	set16(pe, TEST_PE_COFF + 16, TEST_PE_OPTIONAL_LEN);
	set16(pe, TEST_PE_OPTIONAL, PE_OPT_MAGIC_PE32_PLUS);
	set16(pe, TEST_PE_OPTIONAL + PE_OPT_SUBSYSTEM, PE_SUBSYSTEM_EFI_APPLICATION);
	set32(pe, TEST_PE_OPTIONAL + PE_OPT_N_DIRS_PE32_PLUS, 16);
	for (size_t i = 0; i < n; i++) {
		size_t header = TEST_PE_TABLE + i * sizeof(struct pe_section_header);

		memcpy(pe + header, sections[i].name, strnlen(sections[i].name, PE_SECTION_NAME_LEN));
		set32(pe, header + 8, (uint32_t)sections[i].len);
		set32(pe, header + 12, addr);
		set32(pe, header + 16, (uint32_t)padded(sections[i].len));
		set32(pe, header + 20, (uint32_t)off);
		if (sections[i].len > 0)
			memcpy(pe + off, sections[i].data, sections[i].len);
		off += padded(sections[i].len);
		addr += (uint32_t)padded(sections[i].len) + 0x1000;
	}
	*ret_len = len;
	return pe;
}
