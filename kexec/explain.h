/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the errno of a kexec system call means on this machine, and what can be done about it. */
#ifndef KEXEC_NG_EXPLAIN_H
#define KEXEC_NG_EXPLAIN_H

#include "diag.h"
#include "facts.h"

enum attempt {
	ATTEMPT_KEXEC_LOAD,
	ATTEMPT_KEXEC_FILE_LOAD,
	ATTEMPT_UNLOAD,
	/* The same of the kernel for a panic. */
	ATTEMPT_CRASH_KEXEC_LOAD,
	ATTEMPT_CRASH_KEXEC_FILE_LOAD,
	ATTEMPT_CRASH_UNLOAD,
	ATTEMPT_EXEC,		/* reboot(2) */
};

/* Records the failure (ids "kernel/...") and returns -error. may_boot: this process has
 * CAP_SYS_BOOT. */
int explain_failure(enum attempt attempt, int error, bool may_boot, const struct facts *facts,
		    struct diag *diag);
/* Is a refusal of this attempt a decision of the machine's owner, which no other call may evade? */
bool explain_is_final(enum attempt attempt, int error, bool may_boot, const struct facts *facts);

#endif
