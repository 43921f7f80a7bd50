/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads struct tsc_clock (last.h) off the machine that runs. What cannot be known is said, in a
 * source that is a reason then.
 */
#ifndef KEXEC_NG_TSC_H
#define KEXEC_NG_TSC_H

#include "last.h"
#include "span.h"

/* What the kernel's log says; of what it says twice the last counts. */
struct tsc_log {
	uint64_t khz;		/* 0: nothing */
	bool is_unstable;
	bool has_init;
	uint64_t init_us;
};
/* One record's text, at us of the kernel's clock. */
void tsc_scan_log(struct span text, uint64_t us, struct tsc_log *log);

/* What a page of perf says of the kernel's own conversion; *ret stays as it is if that is nothing. */
struct perf_event_mmap_page;
void tsc_use_page(const struct perf_event_mmap_page *page, struct tsc_clock *ret);

void tsc_read(struct tsc_clock *ret);

#endif
