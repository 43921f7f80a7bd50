// SPDX-License-Identifier: GPL-2.0-or-later
#include "explain.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "host_check.h"

#define LOG_LINES_MAX	8
#define LOG_LINE_MAX	300
#define UNLOAD_BY_FILE	"leave -c out: kexec_file_load may unload where kexec_load may not"

static const char *attempt_name(enum attempt attempt)
{
	switch (attempt) {
	case ATTEMPT_KEXEC_LOAD:
	case ATTEMPT_PRESERVING_LOAD:
	case ATTEMPT_CRASH_KEXEC_LOAD:
		return "kexec_load";
	case ATTEMPT_KEXEC_FILE_LOAD:
	case ATTEMPT_CRASH_KEXEC_FILE_LOAD:
		return "kexec_file_load";
	case ATTEMPT_UNLOAD:
	case ATTEMPT_CRASH_UNLOAD:
		return "unloading";
	case ATTEMPT_EXEC:
		return "reboot";
	}
	return "?";
}

static bool is_for_crash(enum attempt attempt)
{
	return attempt == ATTEMPT_CRASH_KEXEC_LOAD || attempt == ATTEMPT_CRASH_KEXEC_FILE_LOAD ||
	       attempt == ATTEMPT_CRASH_UNLOAD;
}

static bool is_file_load(enum attempt attempt)
{
	return attempt == ATTEMPT_KEXEC_FILE_LOAD || attempt == ATTEMPT_CRASH_KEXEC_FILE_LOAD;
}

/* kernel.kexec_load_limit_*: it counts down to 0, unloads included. */
static bool is_limit_used_up(enum attempt attempt, const struct policy_facts *policy)
{
	if (is_for_crash(attempt))
		return policy->has_panic_limit && policy->panic_limit == 0;
	return policy->has_load_limit && policy->load_limit == 0;
}

static bool is_unload(enum attempt attempt)
{
	return attempt == ATTEMPT_UNLOAD || attempt == ATTEMPT_CRASH_UNLOAD;
}

static bool is_signature_error(int error)
{
	return error == EKEYREJECTED || error == ENOKEY || error == ENOPKG || error == EBADMSG ||
	       error == ENODATA || error == EKEYEXPIRED || error == EKEYREVOKED ||
	       error == ELIBBAD;
}

/* crypto/asymmetric_keys/verify_pefile.c; strerror() has these words for something else. */
static const char *signature_text(int error)
{
	switch (error) {
	case ENODATA:
		return "the image has none";
	case ELIBBAD:
		return "the image has no PE header, or a damaged one, so none could be found";
	case ENOKEY:
		return "the running kernel has no key that made it";
	default:
		return strerror(error);
	}
}

static unsigned int calls_of(enum attempt attempt)
{
	switch (attempt) {
	case ATTEMPT_KEXEC_LOAD:
	case ATTEMPT_PRESERVING_LOAD:
		return CHECK_LOAD;
	case ATTEMPT_KEXEC_FILE_LOAD:
		return CHECK_FILE;
	case ATTEMPT_CRASH_KEXEC_LOAD:
		return CHECK_CRASH_LOAD;
	case ATTEMPT_CRASH_KEXEC_FILE_LOAD:
		return CHECK_CRASH_FILE;
	case ATTEMPT_UNLOAD:
		return CHECK_LOADS;
	case ATTEMPT_CRASH_UNLOAD:
		return CHECK_CRASH_LOADS;
	case ATTEMPT_EXEC:
		return CHECK_JUMP;
	}
	return 0;
}

/* Does one of the questions of --check have the answer? */
static bool explain_by_checks(enum attempt attempt, int error, const struct check_input *in,
			      struct diag *diag)
{
	for (size_t i = 0; i < n_check_table; i++) {
		struct check_finding f;

		if (check_table[i].error != error)
			continue;
		check_run(&check_table[i], in, &f);
		if (!(f.forbids & calls_of(attempt)))
			continue;
		fail(diag, error, f.id, "%s was refused: %s", attempt_name(attempt), f.text);
		/* It is about files, which unloading has none of. */
		if (is_unload(attempt) && f.forbids == (CHECK_LOAD | CHECK_CRASH_LOAD))
			fail_advise(diag, UNLOAD_BY_FILE);
		else if (f.advice[0] != '\0')
			fail_advise(diag, "%s", f.advice);
		return true;
	}
	return false;
}

static int explain_eperm(enum attempt attempt, const struct check_input *in, struct diag *diag)
{
	const char *name = attempt_name(attempt);

	if (facts_locked_down(in->facts) && is_file_load(attempt)) {
		fail(diag, EPERM, "kernel/lockdown-signature",
		     "kexec_file_load was refused: the running kernel is locked down and trusts no "
		     "key that signed this image");
		return fail_advise(
			diag, "load a kernel signed by a key of the firmware (db, MOK) or of the "
			      "running kernel, as the distribution's are under its Secure Boot");
	}
	if (in->more->process.has_filter) {
		fail(diag, EPERM, "kernel/filtered",
		     "%s was refused, most likely by the filter of system calls (seccomp) of this "
		     "process", name);
		return fail_advise(diag, "run it outside of the container or service that set it");
	}
	fail(diag, EPERM, "kernel/not-permitted", "%s was refused: operation not permitted", name);
	return fail_advise(diag, "a security module may forbid it: look for a denial in the kernel "
				 "log (dmesg)");
}

static int explain_eacces(enum attempt attempt, const struct check_facts *more, struct diag *diag)
{
	const char *name = attempt_name(attempt);

	if (is_file_load(attempt) && (more->ima_appraises == TRI_YES || more->is_ima_policy_gone)) {
		fail(diag, EACCES, "kernel/not-appraised",
		     "kexec_file_load was refused%s: IMA appraises kernels, and the kernel or the "
		     "initrd has no signature, or no hash, that it takes",
		     more->ima_appraises == TRI_YES ? "" : ", most likely by IMA's policy");
		return fail_advise(
			diag, "the kernel log has the reason (dmesg, cause=); sign the file with a "
			      "key of the running kernel's (evmctl ima_sign); what is joined or "
			      "unpacked on the way has no signature");
	}
	if (is_file_load(attempt)) {
		fail(diag, EACCES, "kernel/access",
		     "kexec_file_load was refused by a security module");
		return fail_advise(diag, "look for a denial in the kernel log (dmesg), or in that of "
					 "the audit system");
	}
	/* arch_ima_get_secureboot() in ima_load_data(), without a policy. */
	fail(diag, EACCES, "kernel/access", "%s was refused by a security module (%s)", name,
	     more->secure_boot == TRI_YES ? "Secure Boot is on: files with a signature only" :
					    "an IMA policy asks for a file to appraise");
	return fail_advise(diag, is_unload(attempt) ? UNLOAD_BY_FILE :
						      "use -s, which hands the kernel the file itself");
}

static int explain_file_load(int error, struct diag *diag)
{
	if (is_signature_error(error)) {
		fail(diag, error, "kernel/signature",
		     "kexec_file_load refused the kernel's signature: %s", signature_text(error));
		return fail_advise(diag, "load a kernel signed by a key that this machine trusts (db, "
					 "MOK); of several signatures in an image the first counts "
					 "(sbattach --remove)");
	}
	if (error == ENOEXEC) {
		fail(diag, error, "kernel/file-format",
		     "kexec_file_load does not know this image: it takes 64-bit bzImages only");
		return fail_advise(diag, "use -c, which loads it with kexec_load");
	}
	if (error == EADDRNOTAVAIL) {
		fail(diag, error, "kernel/file-no-hole",
		     "kexec_file_load found no free memory of the size and alignment it needs");
		return fail_advise(diag, "use -c, or a smaller initrd");
	}
	return 0;
}

/* What only a load into the reservation meets. */
static int explain_crash(enum attempt attempt, int error, const struct facts *facts,
			 struct diag *diag)
{
	const char *name = attempt_name(attempt);
	struct range region = { 0 };

	if (facts->crash_kernel.n > 0)
		region = facts->crash_kernel.r[facts->crash_kernel.n - 1];
	if (error == ENOMEM) {
		fail(diag, error, "kernel/crash-no-memory",
		     "%s: the running kernel found no room for its own pages in the crash region "
		     "(%" PRIu64 " MiB), or got no memory",
		     name, range_len(region) / MIB);
		return fail_advise(diag, "boot the running kernel with a larger crashkernel=, or use "
					 "a smaller initrd");
	}
	if (error == EADDRNOTAVAIL && is_file_load(attempt)) {
		fail(diag, error, "kernel/crash-no-hole",
		     "%s found no room in the crash region (%" PRIu64 " MiB)", name,
		     range_len(region) / MIB);
		return fail_advise(diag, "boot the running kernel with a larger crashkernel=, or use "
					 "a smaller initrd");
	}
	if (error == EADDRNOTAVAIL) {
		fail(diag, error, "kernel/crash-region",
		     "%s: the running kernel does not take %#" PRIx64 "-%#" PRIx64
		     " for its crash region, as /proc/iomem shows it",
		     name, region.start, region.end);
		return fail_advise(diag, "did somebody write to /sys/kernel/kexec_crash_size "
					 "meanwhile? then load again");
	}
	if (error == EBUSY) {
		fail(diag, error, "kernel/crash-busy",
		     "%s: another kexec operation is still going on, or hotplug of CPUs or memory",
		     name);
		return fail_advise(diag, "wait for it and try again");
	}
	return 0;
}

static int explain_common(enum attempt attempt, int error, const struct facts *facts,
			  struct diag *diag)
{
	const char *name = attempt_name(attempt);

	switch (error) {
	case ENOSYS:
		fail(diag, error, "kernel/no-syscall", "the running kernel (%s) has no %s%s",
		     facts->release, name, sizeof(long) == 4 ? " for 32-bit programs" : "");
		return fail_advise(diag, "use the other call (-c or -s), or a kernel built with "
					 "CONFIG_KEXEC");
	case EBUSY:
		fail(diag, error, "kernel/busy", "%s: another kexec operation is still going on",
		     name);
		return fail_advise(diag, "wait for it and try again");
	case ENOMEM:
		fail(diag, error, "kernel/no-memory",
		     "%s: the running kernel got no memory to keep the new one in", name);
		return fail_advise(diag, "free memory (drop caches, stop services), or use a "
					 "smaller initrd");
	case EFAULT:
		fail(diag, error, "kernel/fault",
		     "%s: a file could not be read any more while the kernel copied it", name);
		return fail_advise(diag, "was it shortened meanwhile, or does its disk fail? then "
					 "load again");
	case EINVAL:
		fail(diag, error, "kernel/invalid",
		     "%s: the running kernel says that the load is invalid", name);
		return fail_advise(diag,
				   "its log (dmesg) may say more, --dry-run shows the plan; older "
				   "kernels do not know --no-cma and --force-dtb");
	default:
		return fail(diag, error, "kernel/other", "%s failed: %s", name, strerror(error));
	}
}

int explain_failure(enum attempt attempt, int error, const struct check_input *in,
		    struct diag *diag)
{
	const struct facts *facts = in->facts;

	if (explain_by_checks(attempt, error, in, diag))
		return -error;
	if (error == EPERM)
		return explain_eperm(attempt, in, diag);
	if (error == EACCES)
		return explain_eacces(attempt, in->more, diag);
	if (is_for_crash(attempt) && explain_crash(attempt, error, facts, diag) < 0)
		return -error;
	if (is_file_load(attempt) && explain_file_load(error, diag) < 0)
		return -error;
	if (attempt == ATTEMPT_EXEC && error == EINVAL) {
		fail(diag, error, "kernel/nothing-to-jump-into",
		     "reboot refused the jump: nothing is loaded, or this is a container");
		return fail_advise(diag, "load a kernel first, and jump from the machine's own PID "
					 "namespace");
	}
	if (attempt == ATTEMPT_PRESERVING_LOAD && error == EINVAL) {
		fail(diag, error, "kernel/no-kexec-jump",
		     "the running kernel (%s) refused a load to come back from: it was built without "
		     "CONFIG_KEXEC_JUMP", facts->release);
		return fail_advise(diag, "run a kernel that has it; no distribution's is known to");
	}
	return explain_common(attempt, error, facts, diag);
}

void explain_listen(struct kmsg *log)
{
	log->error = -kmsg_open(log, false);
}

void explain_heard(struct kmsg *log, struct diag *diag)
{
	struct kmsg_record record;

	if (log->fd < 0)
		note(diag, "kernel/log-unread", "the kernel log cannot be read for more (%s)",
		     strerror(log->error));
	for (int n = 0; n < LOG_LINES_MAX && kmsg_next(log, &record);)
		if (record.is_kernel) {
			warn(diag, "kernel/log", "the kernel logged meanwhile: %.*s",
			     (int)min_u64(record.text.len, LOG_LINE_MAX), record.text.data);
			n++;
		}
}

void explain_stop(struct kmsg *log)
{
	kmsg_close(log);
}

int explain_here(enum attempt attempt, int error, const struct facts *facts, struct diag *diag)
{
	struct check_facts more = { 0 };
	const struct check_input in = { .facts = facts, .more = &more };
	struct arena a = { 0 };
	struct diag ignored;

	diag_init(&ignored, NULL);
	if (host_read_check("", facts, &a, &more, &ignored) < 0)
		more = (struct check_facts){ 0 };
	explain_failure(attempt, error, &in, diag);
	arena_free(&a);
	return -error;
}

bool explain_is_final(enum attempt attempt, int error, bool may_boot, const struct facts *facts)
{
	const struct policy_facts *policy = &facts->policy;

	if (error == EBUSY)
		return true;
	if (!may_boot || policy->is_load_disabled || is_limit_used_up(attempt, policy))
		return true;
	if (is_file_load(attempt))
		return error == EPERM || error == EACCES || is_signature_error(error);
	/* Where policy forbids kexec_load, kexec_file_load is what policy provides. */
	return false;
}
