/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes PE files with sections, for tests to break one thing in. */
#ifndef KEXEC_NG_LIB_PE_H
#define KEXEC_NG_LIB_PE_H

#include "span.h"

#define TEST_PE_HEADER		0x40	/* "PE\0\0" */
#define TEST_PE_COFF		(TEST_PE_HEADER + 4)
#define TEST_PE_OPTIONAL	(TEST_PE_COFF + 20)
#define TEST_PE_OPTIONAL_LEN	240
#define TEST_PE_TABLE		(TEST_PE_OPTIONAL + TEST_PE_OPTIONAL_LEN)
#define TEST_PE_FILE_ALIGN	512

struct test_section {
	const char *name;
	const void *data;
	size_t len;
};

/* One whose contents are a string, without its NUL. */
#define TEXT_SECTION(name, text) { (name), (text), sizeof(text) - 1 }

/* A PE32+ EFI application for this machine; malloc'd, exactly ret_len bytes. */
uint8_t *make_pe(uint16_t machine, const struct test_section *sections, size_t n, size_t *ret_len);

#endif
