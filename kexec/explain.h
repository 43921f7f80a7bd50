/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the errno of a kexec system call means on this machine, and what can be done about it. */
#ifndef KEXEC_NG_EXPLAIN_H
#define KEXEC_NG_EXPLAIN_H

#include "check.h"
#include "diag.h"
#include "facts.h"
#include "kmsg.h"

enum attempt {
	ATTEMPT_KEXEC_LOAD,
	ATTEMPT_KEXEC_FILE_LOAD,
	ATTEMPT_PRESERVING_LOAD,	/* kexec_load, to come back */
	ATTEMPT_UNLOAD,
	/* The same of the kernel for a panic. */
	ATTEMPT_CRASH_KEXEC_LOAD,
	ATTEMPT_CRASH_KEXEC_FILE_LOAD,
	ATTEMPT_CRASH_UNLOAD,
	ATTEMPT_EXEC,		/* reboot(2) */
};

/* Records the failure (ids "kernel/...") and returns -error. What a question of --check answers is
 * said as there. */
int explain_failure(enum attempt attempt, int error, const struct check_input *in,
		    struct diag *diag);
/* The same on this machine, in this process. */
int explain_here(enum attempt attempt, int error, const struct facts *facts, struct diag *diag);
/* What the running kernel logs during a call: explain_listen() before it; explain_heard() after it has
 * failed makes warnings "kernel/log" of that, or a note "kernel/log-unread" where it may not be read;
 * explain_stop() ends it in either case. */
void explain_listen(struct kmsg *log);
void explain_heard(struct kmsg *log, struct diag *diag);
void explain_stop(struct kmsg *log);
/* Is a refusal of this attempt a decision of the machine's owner, which no other call may evade?
 * may_boot: this process has CAP_SYS_BOOT. */
bool explain_is_final(enum attempt attempt, int error, bool may_boot, const struct facts *facts);

#endif
