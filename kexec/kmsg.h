/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The running kernel's log, as /dev/kmsg gives it: a record for each read.
 * Source: Documentation/ABI/testing/dev-kmsg.
 */
#ifndef KEXEC_NG_KMSG_H
#define KEXEC_NG_KMSG_H

#include "base.h"
#include "span.h"

#define KMSG_RECORD_LEN	8192	/* the kernel gives no longer one */

struct kmsg_record {
	uint32_t level;		/* of syslog: 3 error, 4 warning, ... */
	bool is_kernel;		/* false: a program wrote it there */
	uint64_t us;		/* the kernel's clock */
	struct span text;	/* one line, escapes as the kernel wrote them */
};

/* False if it is no record. */
must_check bool kmsg_parse(struct span record, struct kmsg_record *ret);

struct kmsg {
	int fd;			/* -1: not open ... */
	int error;		/* ... which is for the caller to keep */
	char buf[KMSG_RECORD_LEN];
};

/* From its start, or what will come from now on. -errno when it may not be read; kmsg_next() then
 * finds nothing. */
must_check int kmsg_open(struct kmsg *k, bool from_start);
/* The next record that is there already; the text lives until the next call. */
must_check bool kmsg_next(struct kmsg *k, struct kmsg_record *ret);
void kmsg_close(struct kmsg *k);

#endif
