// SPDX-License-Identifier: GPL-2.0-or-later
#include "check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "arch/x86/boot_params.h"

#define CRASH_SIZE_LEAST	(96 * MIB)	/* only a kernel with next to nothing does with less */
#define MEMORY_LEAST		(192 * MIB)	/* kernel and initrd of a distribution, twice */
#define LOADS_LEFT_FEW		4

/* ---- what a finding says --------------------------------------------------------------------- */

printf_like(4, 5)
static void found(struct check_finding *f, enum check_state state, const char *id, const char *fmt,
		  ...)
{
	va_list args;

	f->state = state;
	f->id = id;
	va_start(args, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, args);
	va_end(args);
}

printf_like(2, 3) static void advise(struct check_finding *f, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(f->advice, sizeof(f->advice), fmt, args);
	va_end(args);
}

static void fine(struct check_finding *f, const char *text)
{
	found(f, CHECK_OK, "check/ok", "%s", text);
}

/* ---- who asks -------------------------------------------------------------------------------- */

static void check_privileges(const struct check_input *in, struct check_finding *f)
{
	const struct process_facts *p = &in->more->process;

	if (!p->is_known) {
		found(f, CHECK_UNKNOWN, "check/no-process", "there is no process here to ask about");
		return;
	}
	if (!p->may_boot) {
		found(f, CHECK_NO, "kernel/no-capability",
		      "this process has no CAP_SYS_BOOT%s%s",
		      p->may_get_boot ? "" : ", and no way to get it",
		      p->container ? ", in a container" : "");
		advise(f, p->may_get_boot ?
				  "run it as root, outside of containers that drop the capability" :
				  "run it as root outside of this container, or of the service that "
				  "drops the capability");
		f->forbids = CHECK_ALL;
		return;
	}
	if (p->in_user_ns == TRI_YES) {
		found(f, CHECK_NO, "kernel/user-namespace",
		      "CAP_SYS_BOOT of this process is good in its own user namespace only");
		advise(f, "run it as root of the machine, outside of the container");
		f->forbids = CHECK_ALL;
		return;
	}
	fine(f, "this process has CAP_SYS_BOOT");
}

static void check_seccomp(const struct check_input *in, struct check_finding *f)
{
	const struct process_facts *p = &in->more->process;

	if (!p->has_filter) {
		fine(f, p->is_known ? "no filter of system calls" : "no process to ask about");
		return;
	}
	found(f, CHECK_UNKNOWN, "check/seccomp",
	      "a filter (seccomp) is in force for this process: it may refuse the calls, and only a "
	      "call would show");
	advise(f, "run it outside of the container or service that set it (systemd: "
		  "SystemCallFilter=, @reboot)");
	f->doubts = CHECK_ALL;
}

static void check_namespaces(const struct check_input *in, struct check_finding *f)
{
	const struct process_facts *p = &in->more->process;

	if (p->in_pid_ns != TRI_YES) {
		fine(f, "this is not the PID namespace of a container");
		return;
	}
	found(f, CHECK_WARNING, "check/pid-namespace",
	      "this is a PID namespace of its own%s%s%s: what is loaded here cannot be jumped into "
	      "from here",
	      p->container ? " (" : "", p->container ? p->container : "",
	      p->container ? ")" : "");
	advise(f, "run kexec -e in the PID namespace of the machine");
	f->forbids = CHECK_JUMP;
}

/* ---- what the machine's owner allows --------------------------------------------------------- */

static void check_sysctl(const struct check_input *in, struct check_finding *f)
{
	if (!in->facts->policy.is_load_disabled) {
		fine(f, "kernel.kexec_load_disabled is 0, or not known here");
		return;
	}
	found(f, CHECK_NO, "kernel/load-disabled",
	      "kernel.kexec_load_disabled is 1, which lasts until the next reboot");
	advise(f, "reboot, and find what sets it (grep -r kexec_load_disabled /etc/sysctl*)");
	f->forbids = CHECK_LOADS | CHECK_CRASH_LOADS;
}

static void check_limits(const struct check_input *in, struct check_finding *f)
{
	const struct policy_facts *p = &in->facts->policy;
	const bool no_load = p->has_load_limit && p->load_limit == 0;
	const bool no_panic = p->has_panic_limit && p->panic_limit == 0;

	if (no_load || no_panic) {
		found(f, CHECK_NO, "kernel/load-limit", "kernel.kexec_load_limit_%s%s used up",
		      no_load ? "reboot" : "panic", no_load && no_panic ? " and _panic are" : " is");
		advise(f, "reboot, and raise that limit");
		f->forbids = (no_load ? CHECK_LOADS : 0) | (no_panic ? CHECK_CRASH_LOADS : 0);
	} else if ((p->has_load_limit && p->load_limit > 0 && p->load_limit < LOADS_LEFT_FEW) ||
		   (p->has_panic_limit && p->panic_limit > 0 && p->panic_limit < LOADS_LEFT_FEW)) {
		found(f, CHECK_WARNING, "check/few-loads",
		      "kernel.kexec_load_limit_reboot and _panic leave few loads (%" PRId64
		      " and %" PRId64 "); unloading and failed loads count", p->load_limit,
		      p->panic_limit);
	} else {
		fine(f, "no limit of loads is near");
	}
}

static void check_lockdown(const struct check_input *in, struct check_finding *f)
{
	const enum lockdown lockdown = in->facts->policy.lockdown;

	if (facts_locked_down(in->facts)) {
		found(f, CHECK_WARNING, "kernel/lockdown", "the running kernel is locked down (%s)",
		      lockdown == LOCKDOWN_INTEGRITY ? "integrity" : "confidentiality");
		advise(f, "load a signed kernel with -s, or boot without Secure Boot lockdown");
		f->forbids = CHECK_LOAD | CHECK_CRASH_LOAD;
	} else if (lockdown == LOCKDOWN_UNKNOWN) {
		found(f, CHECK_UNKNOWN, "check/lockdown-unknown",
		      "no /sys/kernel/security/lockdown: this kernel has no lockdown, or securityfs "
		      "is not mounted");
	} else {
		fine(f, "the running kernel is not locked down");
	}
}

static void check_secure_boot(const struct check_input *in, struct check_finding *f)
{
	switch (in->more->secure_boot) {
	case TRI_NO:
		fine(f, "Secure Boot is off, or there is no EFI");
		break;
	case TRI_UNKNOWN:
		found(f, CHECK_UNKNOWN, "check/secure-boot-unknown",
		      "whether Secure Boot is on is not to be seen");
		break;
	case TRI_YES:
		if (facts_locked_down(in->facts))
			found(f, CHECK_WARNING, "check/secure-boot",
			      "Secure Boot is on and the kernel locked down: only signed kernels");
		else
			fine(f, "Secure Boot is on, but the kernel is not locked down for it");
	}
}

/* security/integrity/ima/ima_main.c, ima_load_data(): what is not a file cannot be appraised. */
static void check_ima(const struct check_input *in, struct check_finding *f)
{
	const struct check_facts *m = in->more;
	const bool by_arch = m->secure_boot == TRI_YES && m->config.source &&
			     m->config.is_set[CONFIG_IMA_ARCH_POLICY] &&
			     m->config.is_set[CONFIG_KEXEC_SIG];

	if (m->ima_appraises == TRI_YES || by_arch) {
		found(f, CHECK_WARNING, "kernel/ima",
		      "IMA appraises kernels%s: kexec_load has no file to appraise",
		      by_arch ? ", because of Secure Boot" : "");
		advise(f, "use -s, which hands the kernel the file itself, with a signed kernel");
		f->forbids = CHECK_LOAD | CHECK_CRASH_LOAD;
	} else if (m->is_ima_policy_gone) {
		found(f, CHECK_UNKNOWN, "check/ima-unknown",
		      "a policy was written for IMA, and cannot be read: it may want kernels "
		      "appraised");
		advise(f, "only a load would show");
		f->doubts = CHECK_LOADS | CHECK_CRASH_LOADS;
	} else if (in->facts->policy.is_ima_active) {
		fine(f, "IMA measures; -l uses kexec_file_load, which hands its list on");
	} else if (m->ima_appraises == TRI_UNKNOWN) {
		fine(f, "IMA is there; its policy cannot be read, and nothing shows that it is used");
	} else {
		fine(f, "IMA does not ask for anything");
	}
}

/* ---- what the kernel can --------------------------------------------------------------------- */

static void check_calls(const struct check_input *in, struct check_finding *f)
{
	const struct config_facts *c = &in->more->config;

	if (c->source && !c->is_set[CONFIG_KEXEC] && !c->is_set[CONFIG_KEXEC_FILE]) {
		found(f, CHECK_NO, "kernel/no-syscall",
		      "the running kernel (%s) was built without CONFIG_KEXEC and CONFIG_KEXEC_FILE",
		      in->facts->release);
		advise(f, "boot a kernel that has them, as distributions build it");
		f->forbids = CHECK_ALL;
	} else if (!c->source && !in->more->has_kexec) {
		found(f, CHECK_NO, "kernel/no-syscall",
		      "the running kernel (%s) knows no kexec: there is no "
		      "/sys/kernel/kexec_loaded", in->facts->release);
		advise(f, "boot a kernel that has CONFIG_KEXEC; in a container, mount /sys");
		f->forbids = CHECK_ALL;
	} else if (!c->source) {
		found(f, CHECK_UNKNOWN, "check/config-unknown",
		      "neither /proc/config.gz nor /boot/config-%s can be read: which of the two "
		      "system calls this kernel has is not known", in->facts->release);
		f->doubts = CHECK_FILE | CHECK_CRASH_FILE;
	} else if (!c->is_set[CONFIG_KEXEC]) {
		found(f, CHECK_WARNING, "kernel/no-syscall",
		      "the running kernel was built without CONFIG_KEXEC: kexec_file_load only");
		advise(f, "-l and -p use it by themselves; purgatory is the kernel's own then");
		f->forbids = CHECK_LOAD | CHECK_CRASH_LOAD;
	} else if (!c->is_set[CONFIG_KEXEC_FILE]) {
		found(f, CHECK_WARNING, "kernel/no-syscall",
		      "the running kernel was built without CONFIG_KEXEC_FILE: no -s");
		f->forbids = CHECK_FILE | CHECK_CRASH_FILE;
	} else {
		fine(f, "kexec_load and kexec_file_load are there");
	}
}

static void check_signatures(const struct check_input *in, struct check_finding *f)
{
	const struct config_facts *c = &in->more->config;

	if (!c->source)
		found(f, CHECK_UNKNOWN, "check/config-unread",
		      "whether kexec_file_load wants signatures is not known");
	else if (c->is_set[CONFIG_KEXEC_SIG_FORCE])
		found(f, CHECK_WARNING, "check/signatures",
		      "-s takes signed kernels only (CONFIG_KEXEC_SIG_FORCE)");
	else if (c->is_set[CONFIG_KEXEC_SIG])
		fine(f, "-s verifies signatures where policy asks for it");
	else
		fine(f, "-s does not look at signatures (no CONFIG_KEXEC_SIG)");
}

static void check_dump(const struct check_input *in, struct check_finding *f)
{
	const struct config_facts *c = &in->more->config;

	if (!c->source) {
		if (in->facts->crash_kernel.n > 0 || in->more->crash_size > 0)
			fine(f, "the running kernel has reserved memory for a crash kernel");
		else
			found(f, CHECK_UNKNOWN, "check/dump-unknown",
			      "whether the running kernel was built for crash kernels is not known");
	} else if (!c->is_set[CONFIG_CRASH_DUMP]) {
		found(f, CHECK_NO, "kernel/no-crash-dump",
		      "the running kernel was built without CONFIG_CRASH_DUMP");
		advise(f, "boot a kernel that has it, as distributions build it");
		f->forbids = CHECK_CRASH_LOADS;
	} else if (!c->is_set[CONFIG_PROC_VMCORE] || !c->is_set[CONFIG_RELOCATABLE]) {
		found(f, CHECK_WARNING, "check/not-a-capture-kernel",
		      "the running kernel is no capture kernel itself: built without CONFIG_%s",
		      c->is_set[CONFIG_RELOCATABLE] ? "PROC_VMCORE" : "RELOCATABLE");
		advise(f, "load another kernel with -p");
	} else {
		fine(f, "the running kernel can be captured, and capture");
	}
}

/* The one that segments go to, as any user may see its size; root its place, too. */
static void check_reservation(const struct check_input *in, struct check_finding *f)
{
	const struct range_list *known = &in->facts->crash_kernel;
	struct range region = { 0 };
	uint64_t len = in->more->crash_size;
	char place[80] = "";

	if (known->n > 0) {
		region = known->r[known->n - 1];
		len = range_len(region);
		snprintf(place, sizeof(place), " at %#" PRIx64 "%s", region.start,
			 region.start >= 4 * GIB && known->n < 2 ?
				 ", with nothing below 4 GiB for DMA" : "");
	}
	if (len == 0 && !in->more->has_crash_size && !in->facts->is_ram_from_iomem) {
		found(f, CHECK_UNKNOWN, "check/reservation-unknown",
		      "neither /sys/kernel/kexec_crash_size nor /proc/iomem shows whether memory is "
		      "reserved for a crash kernel");
		f->doubts = CHECK_CRASH_LOADS;
	} else if (len == 0) {
		found(f, CHECK_NO, "check/no-reservation",
		      "no memory is reserved for a crash kernel");
		advise(f, "boot the running kernel with crashkernel=256M or more, then kexec -p "
			  "--dry-run KERNEL says how much that one needs");
		f->forbids = CHECK_CRASH_LOADS;
	} else if (len < CRASH_SIZE_LEAST || strstr(place, "nothing below")) {
		found(f, CHECK_WARNING, "check/small-reservation",
		      "%" PRIu64 " MiB are reserved for a crash kernel%s", len / MIB, place);
		advise(f, "kexec -p --dry-run KERNEL --initrd=... reckons whether that one fits");
	} else {
		found(f, CHECK_OK, "check/ok", "%" PRIu64 " MiB are reserved for a crash kernel%s",
		      len / MIB, place);
	}
}

static void check_memory(const struct check_input *in, struct check_finding *f)
{
	const uint64_t available = in->facts->ram_available;

	if (available == 0) {
		found(f, CHECK_UNKNOWN, "check/memory-unknown",
		      "how much memory is available is not known");
	} else if (available < MEMORY_LEAST) {
		found(f, CHECK_WARNING, "check/little-memory",
		      "%" PRIu64 " MiB are available; kernel and initrd are in memory twice until the "
		      "jump", available / MIB);
		advise(f, "free memory, or --initrd-unpack=no and a small initrd");
	} else {
		found(f, CHECK_OK, "check/ok", "%" PRIu64 " MiB are available", available / MIB);
	}
}

/* ---- the machine ----------------------------------------------------------------------------- */

/* Where others were left with a machine that did not come back. A text matches what begins so; all
 * of a row must match. */
static const struct {
	const char *vendor, *product, *cpu;
	const char *name, *what;
} known_bad[] = {
	/* systemd issue 20072, nix-community nixos-images 128 */
	{ "Microsoft Corporation", "Virtual Machine", "", "Hyper-V, Azure",
	  "CPUs that do not come up again and a display driver that waits were reported" },
	/* siderolabs talos 8838 */
	{ "Google", "Google Compute Engine", "", "Google Compute Engine",
	  "machines that did not come back were reported" },
	/* Red Hat bug 1758323: a network card that still writes */
	{ "Amazon EC2", "t3", "", "AWS Nitro",
	  "initrds damaged by a network card (ena) that was left running were reported, with "
	  "kernels before 5.6" },
	/* siderolabs talos 4677 */
	{ "VMware, Inc.", "VMware20,1", "", "VMware",
	  "black screens under VMware Fusion were reported" },
	/* coreos fedora-coreos-tracker 2071, nix-community nixos-anywhere 289 */
	{ "", "", "Intel(R) Celeron(R) N5", "Jasper Lake",
	  "black screens without a word were reported" },
	{ "", "", "Intel(R) Pentium(R) Silver N6", "Jasper Lake",
	  "black screens without a word were reported" },
};

static bool begins(const char *text, const char *with)
{
	return strncmp(text ? text : "", with, strlen(with)) == 0;
}

static void check_platform(const struct check_input *in, struct check_finding *f)
{
	const struct platform_facts *p = &in->more->platform;

	if (p->is_xen_dom0) {
		found(f, CHECK_NO, "check/xen-dom0",
		      "this is the control domain of a running Xen, which has its own way to kexec");
		advise(f, "kexec-tools, which knows Xen's");
		f->forbids = CHECK_ALL;
		return;
	}
	if (p->is_xen) {
		found(f, CHECK_WARNING, "check/xen-guest",
		      "this is a guest of Xen: what it shares with its host is not handed over");
		return;
	}
	for (size_t i = 0; i < array_len(known_bad); i++) {
		if (!begins(p->vendor, known_bad[i].vendor) ||
		    !begins(p->product, known_bad[i].product) || !begins(p->cpu, known_bad[i].cpu))
			continue;
		found(f, CHECK_WARNING, "check/platform", "%s: %s", known_bad[i].name,
		      known_bad[i].what);
		advise(f, "try it on one that can be reset from outside first");
		return;
	}
	fine(f, p->vendor && p->vendor[0] ? "no trouble is known with it" :
					    "it does not say what it is");
}

static void check_paging(const struct check_input *in, struct check_finding *f)
{
	if (in->facts->cpu.is_la57_on)
		found(f, CHECK_OK, "check/ok",
		      "5-level; kernels that do not know it are entered with paging off or in 4-level "
		      "mode");
	else
		fine(f, "4-level");
}

static void check_confidential(const struct check_input *in, struct check_finding *f)
{
	if (in->facts->cpu.is_confidential_guest) {
		found(f, CHECK_WARNING, "check/confidential",
		      "this is a confidential guest (SEV, TDX): only the kernel itself can make the "
		      "page tables, and this was never tested");
		advise(f, "-l uses kexec_file_load by itself");
	} else if (in->facts->has_unaccepted_memory) {
		found(f, CHECK_WARNING, "check/unaccepted-memory",
		      "there is memory that this guest has not accepted yet");
	} else {
		fine(f, "this is no confidential guest");
	}
}

/* ---- what is handed on ----------------------------------------------------------------------- */

static void check_display(const struct check_input *in, struct check_finding *f)
{
	const struct facts *facts = in->facts;
	const char *driver = facts->display_driver;

	if (facts->display == DISPLAY_NATIVE) {
		found(f, CHECK_WARNING, "check/display",
		      "%s drives the display and has reprogrammed it: the screen shows nothing until "
		      "the next kernel's own driver is there", driver ? driver : "a native driver");
		advise(f, "use a serial console, or boot this kernel with nomodeset");
	} else if (facts->display == DISPLAY_UNKNOWN) {
		found(f, CHECK_UNKNOWN, "check/display-unknown",
		      "who drives the display is not known; it is handed on as it was at boot");
	} else {
		found(f, CHECK_OK, "check/ok", "it is as the firmware set it up%s%s%s: handed on",
		      driver ? " (" : "", driver ? driver : "", driver ? ")" : "");
	}
}

static void check_console(const struct check_input *in, struct check_finding *f)
{
	const struct console_facts *c = &in->facts->console;

	if (c->serial_port != 0 || c->has_vga_text) {
		found(f, CHECK_OK, "check/ok", "purgatory talks on %s%s",
		      c->serial_port ? "the serial console" : "the screen",
		      c->serial_port && c->has_vga_text ? " and the screen" : "");
	} else {
		found(f, CHECK_WARNING, "check/no-console",
		      "purgatory has no console to talk on%s%s: a failure between the kernels would be "
		      "a reset without a word", c->serial_skipped ? ", " : "",
		      c->serial_skipped ? c->serial_skipped : "");
		advise(f, "--console-serial --serial=PORT, if there is a serial port");
	}
}

static void check_acpi(const struct check_input *in, struct check_finding *f)
{
	const struct facts *facts = in->facts;

	if (facts->rsdp != 0)
		found(f, CHECK_OK, "check/ok", "the root pointer is known, from %s: handed on",
		      facts->rsdp_source == RSDP_EFI ? "EFI" : "the boot parameters");
	else if (!facts->efi.is_booted)
		fine(f, "the next kernel searches the root pointer below 1 MiB, as this one did");
	else if (!facts->efi.has_systab)
		found(f, CHECK_UNKNOWN, "check/rsdp-unreadable",
		      "the root pointer is in /sys/firmware/efi/systab, which root may read");
	else {
		found(f, CHECK_WARNING, "check/no-rsdp",
		      "this machine has EFI and does not tell the ACPI root pointer: the next kernel "
		      "may find no ACPI");
		advise(f, "--append=acpi_rsdp=ADDRESS (dmesg | grep RSDP)");
	}
}

static void check_efi(const struct check_input *in, struct check_finding *f)
{
	const struct efi_facts *efi = &in->facts->efi;
	const char *obstacle = params_efi_obstacle(in->facts);

	if (!efi->is_booted)
		fine(f, "not booted by EFI");
	else if (!obstacle)
		found(f, CHECK_OK, "check/ok", "runtime services are handed on (%zu ranges)",
		      efi->n_map);
	else if (!in->more->process.may_boot)
		found(f, CHECK_UNKNOWN, "check/efi-unreadable", "for root to see: %s", obstacle);
	else
		found(f, CHECK_WARNING, "check/efi-dropped",
		      "runtime services (boot entries, variables) end with this kernel: %s", obstacle);
}

/* ---- the table ------------------------------------------------------------------------------- */

const struct check check_table[] = {
	{ "privileges", EPERM, check_privileges },
	{ "seccomp", 0, check_seccomp },
	{ "namespaces", 0, check_namespaces },
	{ "sysctl", EPERM, check_sysctl },
	{ "limits", EPERM, check_limits },
	{ "lockdown", EPERM, check_lockdown },
	{ "secure-boot", 0, check_secure_boot },
	{ "ima", EACCES, check_ima },
	{ "system-calls", ENOSYS, check_calls },
	{ "signatures", 0, check_signatures },
	{ "dump", 0, check_dump },
	{ "reservation", 0, check_reservation },
	{ "memory", 0, check_memory },
	{ "platform", 0, check_platform },
	{ "paging", 0, check_paging },
	{ "confidential", 0, check_confidential },
	{ "display", 0, check_display },
	{ "console", 0, check_console },
	{ "acpi", 0, check_acpi },
	{ "efi", 0, check_efi },
};
const size_t n_check_table = array_len(check_table);
_Static_assert(array_len(check_table) == N_CHECKS, "N_CHECKS");

void check_run(const struct check *check, const struct check_input *in, struct check_finding *f)
{
	memset(f, 0, sizeof(*f));
	check->run(in, f);
}

static const struct {
	const char *option;
	unsigned int calls;
} targets[N_CHECK_TARGETS] = {
	[CHECK_TARGET_LOAD] = { "-l", CHECK_LOADS },
	[CHECK_TARGET_CRASH] = { "-p", CHECK_CRASH_LOADS },
	[CHECK_TARGET_FILE] = { "-s", CHECK_FILE },
};

const char *check_target_option(enum check_target target)
{
	return targets[target].option;
}

unsigned int check_target_calls(enum check_target target)
{
	return targets[target].calls;
}

/* One of its calls is enough. */
static enum check_state judge(unsigned int calls, unsigned int forbidden, unsigned int doubted)
{
	if ((calls & ~forbidden) == 0)
		return CHECK_NO;
	if ((calls & ~forbidden & ~doubted) == 0)
		return CHECK_UNKNOWN;
	return calls & forbidden ? CHECK_WARNING : CHECK_OK;
}

void check_all(const struct check_input *in, struct check_report *ret)
{
	unsigned int forbidden = 0, doubted = 0;

	for (size_t i = 0; i < N_CHECKS; i++) {
		check_run(&check_table[i], in, &ret->findings[i]);
		forbidden |= ret->findings[i].forbids;
		doubted |= ret->findings[i].doubts;
	}
	ret->forbidden = forbidden;
	for (int i = 0; i < N_CHECK_TARGETS; i++)
		ret->verdicts[i] = judge(targets[i].calls, forbidden, doubted);
}
