/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PE/COFF as it lies in a file: the headers and the few fields of them that matter here.
 * Source: "PE Format", Microsoft; "UEFI Specification", 2.1.1 and 32.5 (signatures).
 */
#ifndef KEXEC_NG_WIRE_PE_H
#define KEXEC_NG_WIRE_PE_H

#include "base.h"

/* The DOS header: "MZ", and where the PE signature is. */
#define PE_DOS_MAGIC		"MZ"
#define PE_DOS_LFANEW		0x3c	/* 32 bits */
#define PE_DOS_LEN		0x40
#define PE_SIGNATURE		"PE\0"	/* with the NUL of the string: four bytes */
#define PE_SIGNATURE_LEN	4

struct pe_coff_header {
	uint16_t machine;
	uint16_t n_sections;
	uint32_t time;
	uint32_t symbols_off;
	uint32_t n_symbols;
	uint16_t optional_len;
	uint16_t characteristics;
};
_Static_assert(sizeof(struct pe_coff_header) == 20, "PE Format, COFF File Header");

#define PE_MACHINE_I386		0x014c
#define PE_MACHINE_X86_64	0x8664
#define PE_MACHINE_ARM64	0xaa64

/* The optional header, which every image has. Offsets in it; those of PE32 and PE32+ differ behind
 * the subsystem, since some fields became wider. */
#define PE_OPT_MAGIC		0
#define PE_OPT_MAGIC_PE32	0x10b
#define PE_OPT_MAGIC_PE32_PLUS	0x20b
#define PE_OPT_ENTRY		16	/* AddressOfEntryPoint: in memory, 0: none */
#define PE_OPT_IMAGE_LEN	56	/* SizeOfImage */
#define PE_OPT_CHECKSUM		64
#define PE_OPT_SUBSYSTEM	68
#define PE_OPT_N_DIRS_PE32	92
#define PE_OPT_N_DIRS_PE32_PLUS	108
#define PE_OPT_DIRS_PE32	96	/* 8 bytes each */
#define PE_OPT_DIRS_PE32_PLUS	112
#define PE_DIR_LEN		8
#define PE_DIR_CERTIFICATES	4	/* its address is an offset in the file, unlike the others' */

#define PE_SUBSYSTEM_EFI_APPLICATION	10

#define PE_SECTION_NAME_LEN	8

struct pe_section_header {
	char name[PE_SECTION_NAME_LEN];	/* padded with NULs; no NUL if all are used */
	uint32_t mem_len;		/* VirtualSize */
	uint32_t mem_addr;		/* VirtualAddress */
	uint32_t file_len;		/* SizeOfRawData: a multiple of FileAlignment */
	uint32_t file_off;		/* PointerToRawData; 0: none in the file */
	uint32_t relocations_off;
	uint32_t lines_off;
	uint16_t n_relocations;
	uint16_t n_lines;
	uint32_t characteristics;
};
_Static_assert(sizeof(struct pe_section_header) == 40, "PE Format, Section Table");

#endif
