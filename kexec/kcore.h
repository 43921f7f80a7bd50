/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program headers of /proc/kcore: where the running kernel is, virtually and physically. A
 * reader of a dump translates addresses with that.
 * Source: fs/proc/kcore.c.
 */
#ifndef KEXEC_NG_KCORE_H
#define KEXEC_NG_KCORE_H

#include "range.h"
#include "span.h"

#define KCORE_HEAD_LEN	64	/* bytes that kcore_headers_len() wants */

struct kcore {
	bool has_page_offset;
	uint64_t page_offset;	/* virtual address of physical 0 in the direct map */
	struct range text;	/* physical; empty if it is not there */
	uint64_t text_vaddr;
};

/* Bytes up to the end of the program headers; 0 if the file is no 64-bit x86 core with any. */
size_t kcore_headers_len(struct span head);
/* What is not in these headers stays unset. */
void kcore_read(struct span headers, struct kcore *ret);

#endif
