/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log of a dead kernel, out of its core. All that the kernel ever had is read: the lockless
 * ring (5.10 on), the records of 3.5 to 5.9, and the plain characters before.
 *
 * It comes out as vmcore-dmesg of kexec-tools prints it: "[%5u.%06u] TEXT\n" for each record, a
 * record of several lines as it is, bytes that are neither printable nor white space as \xNN. The
 * oldest form is text already, and comes out unchanged. Level, caller and device are not printed.
 *
 * Source: kernel/printk/printk.c and printk_ringbuffer.h of Linux 3.4, 3.5, 5.9, 5.10 and 6.18.
 */
#ifndef KEXEC_NG_PRINTK_LOG_H
#define KEXEC_NG_PRINTK_LOG_H

#include "vmcore.h"

/* Where the text goes: 0, or a negative errno that ends it. */
struct printk_sink {
	int (*put)(void *context, const void *bytes, size_t len);
	void *context;
};

struct printk_count {
	uint64_t n_printed;	/* records; of the oldest form, bytes */
	uint64_t n_missing;	/* records that the kernel wrote and the core does not have */
};

/*
 * Prints as much of the log as the core has. 0 when that is all of it; else a negative errno, and
 * the diag (ids "printk/...") says what is missing or wrong. count is what was done in any case.
 */
must_check int printk_log_print(const struct vmcore *core, const struct printk_sink *sink,
				struct printk_count *count, struct diag *diag);

#endif
