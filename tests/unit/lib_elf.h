/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes ELF executables of 32 and of 64 bits, for tests to break one thing in. */
#ifndef KEXEC_NG_LIB_ELF_H
#define KEXEC_NG_LIB_ELF_H

#include "base.h"
#include "lib_payload.h"

struct test_load {
	phys_t paddr;
	uint64_t vaddr;
	size_t file_len;	/* bytes that count up from seed */
	size_t mem_len;
	uint8_t seed;
};

#define TEST_ELF_LOADS_OFF	0x1000	/* the bytes of the first load; those of others follow */

/* Program headers only; nothing follows the bytes of the last load. */
void make_elf_file(bool is_64, uint64_t entry, const struct test_load *loads, size_t n,
		   struct bytes *b);
/* One more program header, the n-th, for notes that are in the file from off on. */
void elf_add_notes(bool is_64, size_t n, size_t off, size_t len, struct bytes *b);
/* One note at *at, which moves behind it. */
void put_elf_note(uint8_t **at, const char *owner, uint32_t type, const void *desc, size_t len);
/* The byte at off of a load. */
uint8_t elf_byte(const struct test_load *load, size_t off);

#endif
