/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel as an ELF file: program headers read strictly, 32 and 64 bits alike.
 * Source: System V ABI, chapter 4 and 5; i386 and x86-64 supplements.
 */
#ifndef KEXEC_NG_ELF_H
#define KEXEC_NG_ELF_H

#include "diag.h"
#include "span.h"

#define ELF_LOADS_MAX	64	/* PT_LOADs; a kernel has two to five */

struct elf_load {
	uint64_t off;		/* in the file */
	uint64_t file_len;
	uint64_t mem_len;	/* >= file_len; the rest is zero */
	phys_t paddr;
	uint64_t vaddr;
};

struct elf {
	struct span file;
	bool is_64;
	bool has_interpreter;	/* PT_INTERP: a program that wants a running system */
	uint64_t entry;
	struct elf_load loads[ELF_LOADS_MAX];	/* by paddr, disjoint, none empty */
	size_t n_loads;
	phys_t start;		/* lowest paddr */
	phys_t end;		/* one past the highest paddr + mem_len */
	uint64_t len;		/* of the ELF file itself: what follows belongs to somebody else */
	uint64_t phdrs_off;
	size_t n_phdrs;
	/* First byte of .bss as a physical address; 0 when there is no such section. */
	phys_t bss_start;
};

/* A program header of either class. */
struct elf_phdr {
	uint32_t type;
	uint32_t flags;
	uint64_t off;
	uint64_t vaddr;
	phys_t paddr;
	uint64_t file_len;
	uint64_t mem_len;
	uint64_t align;
};

/* Of a file that begins like an ELF file, however broken: does it say that it is a 64-bit one? */
bool elf_is_64(struct span file);
/* ids "elf/...": -ENOEXEC when it is none for x86, -EINVAL when it is broken. */
must_check int elf_parse(struct span file, struct elf *ret, struct diag *diag);
/* Program header i as it is, whatever its type; false: there is none. */
must_check bool elf_phdr(const struct elf *elf, size_t i, struct elf_phdr *ret);

#endif
