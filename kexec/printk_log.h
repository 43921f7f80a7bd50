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

/* ---- for the files that read one form each ---- */

#define PRINTK_LAYOUT_MAX	1024	/* bytes of one of the kernel's structures; all have < 128 */

/* Each 0 or as printk_log_print(). */
must_check int printk_print_ring(const struct vmcore *core, const struct printk_sink *sink,
				 struct printk_count *count, struct diag *diag);
must_check int printk_print_records(const struct vmcore *core, const struct printk_sink *sink,
				    struct printk_count *count, struct diag *diag);
must_check int printk_print_plain(const struct vmcore *core, const struct printk_sink *sink,
				  struct printk_count *count, struct diag *diag);

/* One record, at most 64 KiB of text. */
must_check int printk_put_record(const struct printk_sink *sink, uint64_t ts_nsec, struct span text);

/* A line KEY=NUMBER of VMCOREINFO that must be there, for printk_need(). */
struct printk_key {
	const char *key;
	size_t at;		/* of an uint64_t in the structure that is filled */
};

/* Fills layout; id "printk/layout" names the line that is missing or absurd. */
must_check int printk_need(const struct vmcore *core, const struct printk_key *keys, size_t n_keys,
			   void *layout, struct diag *diag);
/* A failure to read what all depends on ("printk/unreadable"). */
int printk_fail_read(const struct vmcore *core, int error, const char *what, uint64_t vaddr,
		     struct diag *diag);
/* The failure when count->n_missing records are not there ("printk/incomplete"), or 0. */
int printk_fail_missing(const struct vmcore *core, const struct printk_count *count,
			struct diag *diag);

#endif
