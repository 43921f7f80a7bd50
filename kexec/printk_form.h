/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The forms that a kernel's log has had, a file for each; what these share. See printk_log.h. */
#ifndef KEXEC_NG_PRINTK_FORM_H
#define KEXEC_NG_PRINTK_FORM_H

#include "printk_log.h"

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
