// SPDX-License-Identifier: GPL-2.0-or-later
/* A machine on which everything works, then one thing is different. */
#include <string.h>

#include "check.h"
#include "unit.h"

static struct facts facts;
static struct check_facts more;
static struct check_report report;
static struct range region = { 1 * GIB, 1 * GIB + 256 * MIB };

static int fresh(void **state)
{
	(void)state;
	memset(&facts, 0, sizeof(facts));
	memset(&more, 0, sizeof(more));
	facts.release = "6.1.0";
	facts.policy.lockdown = LOCKDOWN_NONE;
	facts.crash_kernel = (struct range_list){ .r = &region, .n = 1 };
	facts.is_ram_from_iomem = true;
	facts.ram_available = 8 * GIB;
	facts.display = DISPLAY_FIRMWARE;
	facts.console.serial_port = 0x3f8;
	more.process = (struct process_facts){ .is_known = true, .may_boot = true,
					       .may_get_boot = true, .in_user_ns = TRI_NO,
					       .in_pid_ns = TRI_NO };
	more.config.source = "/proc/config.gz";
	for (int i = 0; i < N_CONFIG_OPTIONS; i++)
		more.config.is_set[i] = i != CONFIG_KEXEC_SIG_FORCE;
	more.has_kexec = true;
	more.secure_boot = TRI_NO;
	more.ima_appraises = TRI_NO;
	more.platform.vendor = "QEMU";
	more.platform.product = more.platform.board = more.platform.cpu = "";
	return 0;
}

static void check(void)
{
	const struct check_input in = { .facts = &facts, .more = &more };

	check_all(&in, &report);
	for (size_t i = 0; i < N_CHECKS; i++) {
		const struct check_finding *f = &report.findings[i];

		assert_non_null(f->id);
		assert_true(f->text[0] != '\0');
		/* What is in the way is said with something to do. */
		if (f->state == CHECK_NO)
			assert_true(f->advice[0] != '\0' && f->forbids != 0);
		if (f->state == CHECK_OK)
			assert_true((f->forbids | f->doubts) == 0 &&
				    strcmp(f->id, "check/ok") == 0);
	}
}

static void verdicts_are(enum check_state load, enum check_state crash, enum check_state file)
{
	check();
	assert_int_equal(report.verdicts[CHECK_TARGET_LOAD], load);
	assert_int_equal(report.verdicts[CHECK_TARGET_CRASH], crash);
	assert_int_equal(report.verdicts[CHECK_TARGET_FILE], file);
}

static void finding_is(const char *name, enum check_state state, const char *id)
{
	check();
	for (size_t i = 0; i < N_CHECKS; i++) {
		if (strcmp(check_table[i].name, name) != 0)
			continue;
		assert_int_equal(report.findings[i].state, state);
		assert_string_equal(report.findings[i].id, id);
		return;
	}
	assert_true(false);
}

static void test_all_is_well(void **state)
{
	(void)state;
	verdicts_are(CHECK_OK, CHECK_OK, CHECK_OK);
	for (size_t i = 0; i < N_CHECKS; i++)
		assert_int_equal(report.findings[i].state, CHECK_OK);
}

static void test_who_asks(void **state)
{
	(void)state;
	more.process.may_boot = false;
	finding_is("privileges", CHECK_NO, "kernel/no-capability");
	verdicts_are(CHECK_NO, CHECK_NO, CHECK_NO);
	more.process.may_boot = true;
	more.process.in_user_ns = TRI_YES;
	finding_is("privileges", CHECK_NO, "kernel/user-namespace");
	more.process.in_user_ns = TRI_NO;
	more.process.has_filter = true;
	finding_is("seccomp", CHECK_UNKNOWN, "check/seccomp");
	verdicts_are(CHECK_UNKNOWN, CHECK_UNKNOWN, CHECK_UNKNOWN);
	more.process.has_filter = false;
	more.process.in_pid_ns = TRI_YES;
	finding_is("namespaces", CHECK_WARNING, "check/pid-namespace");
	verdicts_are(CHECK_OK, CHECK_OK, CHECK_OK);
	more.process.is_known = false;
	finding_is("privileges", CHECK_UNKNOWN, "check/no-process");
}

static void test_policy(void **state)
{
	(void)state;
	facts.policy.is_load_disabled = true;
	finding_is("sysctl", CHECK_NO, "kernel/load-disabled");
	verdicts_are(CHECK_NO, CHECK_NO, CHECK_NO);
	facts.policy.is_load_disabled = false;
	facts.policy.has_load_limit = facts.policy.has_panic_limit = true;
	facts.policy.load_limit = -1;
	finding_is("limits", CHECK_NO, "kernel/load-limit");
	verdicts_are(CHECK_OK, CHECK_NO, CHECK_OK);
	facts.policy.panic_limit = 2;
	finding_is("limits", CHECK_WARNING, "check/few-loads");
	facts.policy.panic_limit = -1;
	finding_is("limits", CHECK_OK, "check/ok");
	/* kexec_load is out; the file call is not. */
	facts.policy.lockdown = LOCKDOWN_CONFIDENTIALITY;
	more.secure_boot = TRI_YES;
	finding_is("lockdown", CHECK_WARNING, "kernel/lockdown");
	finding_is("secure-boot", CHECK_WARNING, "check/secure-boot");
	verdicts_are(CHECK_WARNING, CHECK_WARNING, CHECK_OK);
	/* ... unless the kernel has none: two findings together leave no way. */
	more.config.is_set[CONFIG_KEXEC_FILE] = false;
	verdicts_are(CHECK_NO, CHECK_NO, CHECK_NO);
}

static void test_ima(void **state)
{
	(void)state;
	more.ima_appraises = TRI_YES;
	finding_is("ima", CHECK_WARNING, "kernel/ima");
	verdicts_are(CHECK_WARNING, CHECK_WARNING, CHECK_OK);
	more.ima_appraises = TRI_UNKNOWN;
	finding_is("ima", CHECK_OK, "check/ok");
	more.is_ima_policy_gone = true;
	finding_is("ima", CHECK_UNKNOWN, "check/ima-unknown");
	verdicts_are(CHECK_UNKNOWN, CHECK_UNKNOWN, CHECK_UNKNOWN);
	more.secure_boot = TRI_YES;	/* CONFIG_IMA_ARCH_POLICY */
	finding_is("ima", CHECK_WARNING, "kernel/ima");
}

static void test_kernel(void **state)
{
	(void)state;
	more.config.is_set[CONFIG_KEXEC] = false;
	finding_is("system-calls", CHECK_WARNING, "kernel/no-syscall");
	verdicts_are(CHECK_WARNING, CHECK_WARNING, CHECK_OK);
	more.config.is_set[CONFIG_KEXEC_FILE] = false;
	finding_is("system-calls", CHECK_NO, "kernel/no-syscall");
	more.config.is_set[CONFIG_KEXEC] = true;
	finding_is("system-calls", CHECK_WARNING, "kernel/no-syscall");
	verdicts_are(CHECK_WARNING, CHECK_WARNING, CHECK_NO);
	more.config.is_set[CONFIG_CRASH_DUMP] = false;
	finding_is("dump", CHECK_NO, "kernel/no-crash-dump");
	fresh(NULL);
	more.config.is_set[CONFIG_KEXEC_SIG_FORCE] = true;
	finding_is("signatures", CHECK_WARNING, "check/signatures");
	/* A kernel that knows kexec has one of the calls; which, its build would tell. */
	more.config.source = NULL;
	finding_is("system-calls", CHECK_UNKNOWN, "check/config-unknown");
	verdicts_are(CHECK_OK, CHECK_OK, CHECK_UNKNOWN);
	more.has_kexec = false;
	finding_is("system-calls", CHECK_NO, "kernel/no-syscall");
}

static void test_reservation(void **state)
{
	(void)state;
	region.end = region.start + 64 * MIB;
	finding_is("reservation", CHECK_WARNING, "check/small-reservation");
	region = (struct range){ 8 * GIB, 8 * GIB + 256 * MIB };	/* nothing for DMA */
	finding_is("reservation", CHECK_WARNING, "check/small-reservation");
	region = (struct range){ 1 * GIB, 1 * GIB + 256 * MIB };
	finding_is("reservation", CHECK_OK, "check/ok");
	facts.crash_kernel.n = 0;
	finding_is("reservation", CHECK_NO, "check/no-reservation");
	verdicts_are(CHECK_OK, CHECK_NO, CHECK_OK);
	/* Any user sees the size in sysfs, only root the place. */
	facts.is_ram_from_iomem = false;
	finding_is("reservation", CHECK_UNKNOWN, "check/reservation-unknown");
	verdicts_are(CHECK_OK, CHECK_UNKNOWN, CHECK_OK);
	more.has_crash_size = true;
	finding_is("reservation", CHECK_NO, "check/no-reservation");
	more.crash_size = 512 * MIB;
	finding_is("reservation", CHECK_OK, "check/ok");
}

static void test_machine(void **state)
{
	(void)state;
	facts.ram_available = 100 * MIB;
	finding_is("memory", CHECK_WARNING, "check/little-memory");
	facts.ram_available = 0;
	finding_is("memory", CHECK_UNKNOWN, "check/memory-unknown");
	verdicts_are(CHECK_OK, CHECK_OK, CHECK_OK);
	more.platform.vendor = "Microsoft Corporation";
	more.platform.product = "Surface Book";
	finding_is("platform", CHECK_OK, "check/ok");
	more.platform.product = "Virtual Machine";
	finding_is("platform", CHECK_WARNING, "check/platform");
	more.platform.is_xen = true;
	finding_is("platform", CHECK_WARNING, "check/xen-guest");
	more.platform.is_xen_dom0 = true;
	finding_is("platform", CHECK_NO, "check/xen-dom0");
	facts.cpu.is_confidential_guest = true;
	finding_is("confidential", CHECK_WARNING, "check/confidential");
	facts.cpu.is_la57_on = true;
	finding_is("paging", CHECK_OK, "check/ok");
}

static void test_what_is_handed_on(void **state)
{
	(void)state;
	facts.display = DISPLAY_NATIVE;
	facts.display_driver = "i915";
	finding_is("display", CHECK_WARNING, "check/display");
	facts.display = DISPLAY_UNKNOWN;
	finding_is("display", CHECK_UNKNOWN, "check/display-unknown");
	facts.console.serial_port = 0;
	finding_is("console", CHECK_WARNING, "check/no-console");
	facts.efi.is_booted = true;
	finding_is("acpi", CHECK_UNKNOWN, "check/rsdp-unreadable");
	facts.efi.has_systab = true;
	finding_is("acpi", CHECK_WARNING, "check/no-rsdp");
	facts.rsdp = 0x7e000000;
	finding_is("acpi", CHECK_OK, "check/ok");
	finding_is("efi", CHECK_WARNING, "check/efi-dropped");
	more.process.may_boot = false;
	finding_is("efi", CHECK_UNKNOWN, "check/efi-unreadable");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_all_is_well, fresh),
		cmocka_unit_test_setup(test_who_asks, fresh),
		cmocka_unit_test_setup(test_policy, fresh),
		cmocka_unit_test_setup(test_ima, fresh),
		cmocka_unit_test_setup(test_kernel, fresh),
		cmocka_unit_test_setup(test_reservation, fresh),
		cmocka_unit_test_setup(test_machine, fresh),
		cmocka_unit_test_setup(test_what_is_handed_on, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
