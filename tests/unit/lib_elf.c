// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib_elf.h"

#include <elf.h>
#include <string.h>

uint8_t elf_byte(const struct test_load *load, size_t off)
{
	return (uint8_t)(load->seed + off % 251);
}

static void add_header_64(uint64_t entry, size_t n, struct bytes *b)
{
	Elf64_Ehdr h = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_entry = entry,
		.e_phoff = sizeof(h),
		.e_ehsize = sizeof(h),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = (uint16_t)n,
	};

	bytes_add(b, &h, sizeof(h));
}

static void add_header_32(uint64_t entry, size_t n, struct bytes *b)
{
	Elf32_Ehdr h = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_386,
		.e_version = EV_CURRENT,
		.e_entry = (uint32_t)entry,
		.e_phoff = sizeof(h),
		.e_ehsize = sizeof(h),
		.e_phentsize = sizeof(Elf32_Phdr),
		.e_phnum = (uint16_t)n,
	};

	bytes_add(b, &h, sizeof(h));
}

static void add_load(bool is_64, const struct test_load *l, size_t off, struct bytes *b)
{
	Elf64_Phdr p64 = { PT_LOAD, PF_R, off, l->vaddr, l->paddr, l->file_len, l->mem_len, 1 };
	Elf32_Phdr p32 = { PT_LOAD,
			   (uint32_t)off,
			   (uint32_t)l->vaddr,
			   (uint32_t)l->paddr,
			   (uint32_t)l->file_len,
			   (uint32_t)l->mem_len,
			   PF_R,
			   1 };

	if (is_64)
		bytes_add(b, &p64, sizeof(p64));
	else
		bytes_add(b, &p32, sizeof(p32));
}

void make_elf_file(bool is_64, uint64_t entry, const struct test_load *loads, size_t n,
		   struct bytes *b)
{
	size_t off = TEST_ELF_LOADS_OFF;

	if (is_64)
		add_header_64(entry, n, b);
	else
		add_header_32(entry, n, b);
	for (size_t i = 0; i < n; i++) {
		add_load(is_64, &loads[i], off, b);
		off += loads[i].file_len;
	}
	bytes_add_zeros(b, TEST_ELF_LOADS_OFF - b->len);
	for (size_t i = 0; i < n; i++) {
		bytes_add_zeros(b, loads[i].file_len);
		for (size_t k = 0; k < loads[i].file_len; k++)
			b->data[b->len - loads[i].file_len + k] = elf_byte(&loads[i], k);
	}
}

void elf_add_notes(bool is_64, size_t n, size_t off, size_t len, struct bytes *b)
{
	const Elf64_Phdr p64 = { PT_NOTE, PF_R, off, 0, 0, len, len, 4 };
	const Elf32_Phdr p32 = { PT_NOTE, (uint32_t)off, 0, 0, (uint32_t)len, (uint32_t)len, PF_R, 4 };
	const uint16_t phnum = (uint16_t)(n + 1);

	if (is_64) {
		memcpy(b->data + sizeof(Elf64_Ehdr) + n * sizeof(p64), &p64, sizeof(p64));
		memcpy(b->data + offsetof(Elf64_Ehdr, e_phnum), &phnum, sizeof(phnum));
	} else {
		memcpy(b->data + sizeof(Elf32_Ehdr) + n * sizeof(p32), &p32, sizeof(p32));
		memcpy(b->data + offsetof(Elf32_Ehdr, e_phnum), &phnum, sizeof(phnum));
	}
}

void put_elf_note(uint8_t **at, const char *owner, uint32_t type, const void *desc, size_t len)
{
	const uint32_t head[3] = { (uint32_t)strlen(owner) + 1, (uint32_t)len, type };

	memcpy(*at, head, sizeof(head));
	*at += sizeof(head);
	memcpy(*at, owner, head[0]);
	*at += (head[0] + 3) & ~3U;
	memcpy(*at, desc, len);
	*at += (len + 3) & ~(size_t)3;
}
