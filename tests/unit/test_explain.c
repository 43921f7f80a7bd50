// SPDX-License-Identifier: GPL-2.0-or-later
/* What an errno means depends on what was tried, and on this machine. */
#include <errno.h>
#include <string.h>

#include "explain.h"
#include "unit.h"

static struct facts facts;
static struct check_facts more;
static struct diag diag;
static struct range region = { 1 * GIB, 1 * GIB + 128 * MIB };

static int fresh(void **state)
{
	(void)state;
	memset(&facts, 0, sizeof(facts));
	memset(&more, 0, sizeof(more));
	more.has_kexec = true;
	facts.release = "6.1.0";
	facts.crash_kernel = (struct range_list){ .r = &region, .n = 1 };
	return 0;
}

static void says(enum attempt attempt, int error, bool may_boot, const char *id)
{
	const struct check_input in = { .facts = &facts, .more = &more };

	more.process.is_known = true;
	more.process.may_boot = may_boot;
	diag_init(&diag, NULL);
	assert_int_equal(explain_failure(attempt, error, &in, &diag), -error);
	assert_string_equal(diag.id, id);
	assert_int_equal(diag.error, error);
}

static void test_load_for_a_panic(void **state)
{
	(void)state;
	says(ATTEMPT_CRASH_KEXEC_LOAD, ENOMEM, true, "kernel/crash-no-memory");
	assert_non_null(strstr(diag.text, "128 MiB"));
	assert_non_null(strstr(diag.advice, "crashkernel="));
	says(ATTEMPT_CRASH_KEXEC_FILE_LOAD, EADDRNOTAVAIL, true, "kernel/crash-no-hole");
	says(ATTEMPT_CRASH_KEXEC_LOAD, EADDRNOTAVAIL, true, "kernel/crash-region");
	says(ATTEMPT_CRASH_KEXEC_LOAD, EBUSY, true, "kernel/crash-busy");
	says(ATTEMPT_CRASH_KEXEC_FILE_LOAD, ENOEXEC, true, "kernel/file-format");
	says(ATTEMPT_CRASH_KEXEC_LOAD, ENOSYS, true, "kernel/no-syscall");
	facts.crash_kernel.n = 0;
	says(ATTEMPT_CRASH_KEXEC_LOAD, ENOMEM, true, "kernel/crash-no-memory");
}

static void test_load_for_the_next_boot(void **state)
{
	(void)state;
	says(ATTEMPT_KEXEC_LOAD, ENOMEM, true, "kernel/no-memory");
	says(ATTEMPT_KEXEC_FILE_LOAD, EADDRNOTAVAIL, true, "kernel/file-no-hole");
	says(ATTEMPT_KEXEC_LOAD, EBUSY, true, "kernel/busy");
	says(ATTEMPT_EXEC, EINVAL, true, "kernel/nothing-to-jump-into");
	says(ATTEMPT_KEXEC_LOAD, EPERM, false, "kernel/no-capability");
	says(ATTEMPT_KEXEC_LOAD, EINVAL, true, "kernel/invalid");
	says(ATTEMPT_PRESERVING_LOAD, EINVAL, true, "kernel/no-kexec-jump");
	assert_non_null(strstr(diag.text, "CONFIG_KEXEC_JUMP"));
	says(ATTEMPT_PRESERVING_LOAD, ENOMEM, true, "kernel/no-memory");
}

/* What --check would have said is what a failure says. */
static void test_same_words_as_check(void **state)
{
	(void)state;
	facts.policy.lockdown = LOCKDOWN_INTEGRITY;
	says(ATTEMPT_KEXEC_LOAD, EPERM, true, "kernel/lockdown");
	says(ATTEMPT_CRASH_KEXEC_FILE_LOAD, EPERM, true, "kernel/lockdown-signature");
	facts.policy.is_load_disabled = true;
	says(ATTEMPT_KEXEC_FILE_LOAD, EPERM, true, "kernel/load-disabled");
	facts.policy = (struct policy_facts){ 0 };
	more.process.in_user_ns = TRI_YES;
	says(ATTEMPT_KEXEC_LOAD, EPERM, true, "kernel/user-namespace");
	more.process.in_user_ns = TRI_NO;
	more.process.has_filter = true;
	says(ATTEMPT_KEXEC_LOAD, EPERM, true, "kernel/filtered");
	more.ima_appraises = TRI_YES;
	says(ATTEMPT_KEXEC_LOAD, EACCES, true, "kernel/ima");
	more.config.source = "/boot/config";
	says(ATTEMPT_KEXEC_LOAD, ENOSYS, true, "kernel/no-syscall");
	more.config.is_set[CONFIG_KEXEC_FILE] = true;
	says(ATTEMPT_KEXEC_LOAD, ENOSYS, true, "kernel/no-syscall");
}

static void test_signatures(void **state)
{
	static const int errors[] = { EKEYREJECTED, ENOKEY, ENOPKG, EBADMSG, ENODATA, EKEYEXPIRED,
				      EKEYREVOKED, ELIBBAD };

	(void)state;
	for (size_t i = 0; i < array_len(errors); i++) {
		says(ATTEMPT_KEXEC_FILE_LOAD, errors[i], true, "kernel/signature");
		assert_true(explain_is_final(ATTEMPT_KEXEC_FILE_LOAD, errors[i], true, &facts));
		assert_false(explain_is_final(ATTEMPT_KEXEC_LOAD, errors[i], true, &facts));
		/* "Accessing a corrupted shared library" */
		assert_null(strstr(diag.text, "library"));
	}
}

/* Which advice helps depends on what was refused: "use -s" is none to who did. */
static void test_advice(void **state)
{
	(void)state;
	says(ATTEMPT_KEXEC_LOAD, EACCES, true, "kernel/access");
	assert_non_null(strstr(diag.advice, "-s"));
	more.secure_boot = TRI_YES;
	says(ATTEMPT_KEXEC_LOAD, EACCES, true, "kernel/access");
	assert_non_null(strstr(diag.text, "Secure Boot"));
	more.secure_boot = TRI_NO;
	says(ATTEMPT_CRASH_UNLOAD, EACCES, true, "kernel/access");
	assert_non_null(strstr(diag.advice, "leave -c out"));
	says(ATTEMPT_KEXEC_FILE_LOAD, EACCES, true, "kernel/access");
	assert_non_null(strstr(diag.advice, "dmesg"));
	more.is_ima_policy_gone = true;
	says(ATTEMPT_KEXEC_FILE_LOAD, EACCES, true, "kernel/not-appraised");
	assert_non_null(strstr(diag.text, "most likely"));
	more.ima_appraises = TRI_YES;
	says(ATTEMPT_CRASH_KEXEC_FILE_LOAD, EACCES, true, "kernel/not-appraised");
	assert_null(strstr(diag.text, "most likely"));
	says(ATTEMPT_UNLOAD, EACCES, true, "kernel/ima");
	assert_non_null(strstr(diag.advice, "leave -c out"));
	facts.policy.lockdown = LOCKDOWN_CONFIDENTIALITY;
	says(ATTEMPT_UNLOAD, EPERM, true, "kernel/lockdown");
	assert_non_null(strstr(diag.advice, "leave -c out"));
	says(ATTEMPT_CRASH_KEXEC_LOAD, EPERM, true, "kernel/lockdown");
	assert_null(strstr(diag.advice, "leave -c out"));
	facts.policy.is_load_disabled = true;
	says(ATTEMPT_UNLOAD, EPERM, true, "kernel/load-disabled");
	assert_non_null(strstr(diag.advice, "reboot"));
}

/* Each kind of load has its own limit. */
static void test_limits(void **state)
{
	static const enum attempt for_boot[] = { ATTEMPT_KEXEC_LOAD, ATTEMPT_KEXEC_FILE_LOAD,
						 ATTEMPT_UNLOAD };
	static const enum attempt for_panic[] = { ATTEMPT_CRASH_KEXEC_LOAD,
						  ATTEMPT_CRASH_KEXEC_FILE_LOAD,
						  ATTEMPT_CRASH_UNLOAD };

	(void)state;
	facts.policy.has_load_limit = facts.policy.has_panic_limit = true;
	facts.policy.load_limit = -1;
	facts.policy.panic_limit = 0;
	for (size_t i = 0; i < array_len(for_panic); i++) {
		says(for_panic[i], EPERM, true, "kernel/load-limit");
		assert_non_null(strstr(diag.text, "kexec_load_limit_panic"));
		assert_true(explain_is_final(for_panic[i], EPERM, true, &facts));
		says(for_boot[i], EPERM, true, "kernel/not-permitted");
	}
	facts.policy.load_limit = 0;
	facts.policy.panic_limit = 5;
	for (size_t i = 0; i < array_len(for_boot); i++) {
		says(for_boot[i], EPERM, true, "kernel/load-limit");
		assert_non_null(strstr(diag.text, "kexec_load_limit_reboot"));
		says(for_panic[i], EPERM, true, "kernel/not-permitted");
	}
}

static void test_what_is_final(void **state)
{
	(void)state;
	assert_true(explain_is_final(ATTEMPT_CRASH_KEXEC_FILE_LOAD, EKEYREJECTED, true, &facts));
	assert_true(explain_is_final(ATTEMPT_CRASH_KEXEC_LOAD, EBUSY, true, &facts));
	assert_false(explain_is_final(ATTEMPT_CRASH_KEXEC_LOAD, EPERM, true, &facts));
	assert_false(explain_is_final(ATTEMPT_CRASH_KEXEC_FILE_LOAD, ENOSYS, true, &facts));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_load_for_a_panic, fresh),
		cmocka_unit_test_setup(test_load_for_the_next_boot, fresh),
		cmocka_unit_test_setup(test_same_words_as_check, fresh),
		cmocka_unit_test_setup(test_signatures, fresh),
		cmocka_unit_test_setup(test_advice, fresh),
		cmocka_unit_test_setup(test_limits, fresh),
		cmocka_unit_test_setup(test_what_is_final, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
