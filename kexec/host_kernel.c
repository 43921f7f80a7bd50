// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The running kernel: what it was told, how much memory it has, what it forbids; and its CPU.
 */
#include <asm/bootparam.h>
#include <errno.h>
#include <string.h>

#include "checked.h"
#include "host_parts.h"
#include "host_text.h"
#include "sys.h"

/* COMMAND_LINE_SIZE is 2048 on x86; a boot configuration can add up to 32 KiB. */
#define CMDLINE_LEN_MAX		(64 * KIB)
/* /proc/meminfo has some 60 lines. */
#define MEMINFO_LEN_MAX		(64 * KIB)
/* The first processor's part of /proc/cpuinfo has about 2 KiB. */
#define CPUINFO_LEN_MAX		(64 * KIB)

#ifndef SETUP_IMA
#define SETUP_IMA		8
#endif
#ifndef SETUP_KEXEC_KHO
#define SETUP_KEXEC_KHO		10
#endif

static int read_cmdline(const struct host_tree *t, struct arena *a, struct facts *f,
			struct diag *diag)
{
	struct span text;
	int r;

	r = host_file_read(t, a, CMDLINE_LEN_MAX, &text, "proc/cmdline");
	if (r == -ENOMEM)
		return r;
	if (r == -EFBIG || (r == 0 && text.len > 0 && memchr(text.data, '\0', text.len))) {
		note(diag, "host/cmdline",
		     "/proc/cmdline is not a text of at most %zu bytes; it is not used",
		     (size_t)CMDLINE_LEN_MAX);
		return 0;
	}
	if (r < 0)
		return 0;
	if (text.len > 0 && text.data[text.len - 1] == '\n')
		text.len--;
	f->cmdline = arena_strndup(a, (const char *)text.data, text.len);
	f->has_cmdline = f->cmdline;
	return f->cmdline ? 0 : -ENOMEM;
}

static int read_release(const struct host_tree *t, struct arena *a, struct facts *f)
{
	struct host_attr attr;

	if (host_attr_read(t, &attr, "proc/sys/kernel/osrelease") < 0 || !text_is_name(attr.text))
		return 0;
	f->release = arena_strndup(a, (const char *)attr.text.data, attr.text.len);
	return f->release ? 0 : -ENOMEM;
}

/* Since 6.1 /proc says it. */
static void read_arch(const struct host_tree *t, struct facts *f)
{
	struct host_attr attr;

	if (host_attr_read(t, &attr, "proc/sys/kernel/arch") == 0)
		f->is_32bit_kernel = !text_is(attr.text, "x86_64");
	else if (t->is_machine)
		f->is_32bit_kernel = sys_is_32bit_kernel();
}

/* The bytes in "MemTotal:       16384000 kB"; false if the line is not that. */
static bool read_kib(struct span line, const char *key, uint64_t *ret)
{
	struct span value, number;
	uint64_t kib;

	return text_value_of(line, key, &value) && text_next_word(&value, &number) &&
	       text_is(text_trim(value), "kB") && text_number(number, &kib) &&
	       checked_mul(kib, KIB, ret);
}

static int read_meminfo(const struct host_tree *t, struct arena *a, struct facts *f)
{
	struct span text, line;
	uint64_t unaccepted;
	int r;

	r = host_file_read_start(t, a, MEMINFO_LEN_MAX, &text, "proc/meminfo");
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	while (text_next_line(&text, &line)) {
		if (read_kib(line, "MemTotal", &f->ram_total) ||
		    read_kib(line, "MemAvailable", &f->ram_available))
			continue;
		if (read_kib(line, "Unaccepted", &unaccepted) && unaccepted > 0)
			f->has_unaccepted_memory = true;
	}
	return 0;
}

int host_read_kernel(const struct host_tree *t, struct arena *a, struct facts *f,
		     struct diag *diag)
{
	int r;

	r = read_cmdline(t, a, f, diag);
	if (r == 0)
		r = read_release(t, a, f);
	read_arch(t, f);
	if (r == 0)
		r = read_meminfo(t, a, f);
	return r;
}

/* ---- cpu ------------------------------------------------------------------------------------ */

/* "2000.152" MHz in kHz; 0 when it is anything else. */
static uint32_t khz_of_mhz(struct span mhz)
{
	struct span whole = mhz, part;
	uint64_t khz, thousandths;

	for (whole.len = 0; whole.len < mhz.len && mhz.data[whole.len] != '.'; whole.len++)
		;
	if (!span_sub(mhz, whole.len, 4, &part) || part.data[0] != '.' ||
	    !span_sub(part, 1, 3, &part) || !text_number(part, &thousandths) ||
	    !text_number(whole, &khz) || !checked_mul(khz, 1000, &khz) ||
	    !checked_add(khz, thousandths, &khz) || khz > UINT32_MAX)
		return 0;
	return (uint32_t)khz;
}

/* A host of SEV guests shows the sev flags too, but not that it runs under a hypervisor itself. */
static bool is_confidential_guest(struct span flags)
{
	if (text_has_word(flags, "tdx_guest"))
		return true;
	return text_has_word(flags, "hypervisor") &&
	       (text_has_word(flags, "sev") || text_has_word(flags, "sev_es") ||
		text_has_word(flags, "sev_snp"));
}

static bool read_cpuinfo(struct span text, struct cpu_facts *cpu)
{
	struct span line, value;
	bool has_flags = false;

	/* An empty line ends the first processor. */
	while (text_next_line(&text, &line) && text_trim(line).len > 0) {
		if (text_value_of(line, "flags", &value)) {
			has_flags = true;
			cpu->has_long_mode = text_has_word(value, "lm");
			cpu->has_1gib_pages = text_has_word(value, "pdpe1gb");
			cpu->is_la57_on = text_has_word(value, "la57");
			cpu->is_confidential_guest = is_confidential_guest(value);
		} else if (text_value_of(line, "cpu MHz", &value)) {
			cpu->tsc_khz = khz_of_mhz(value);
		}
	}
	return has_flags;
}

int host_read_cpu(const struct host_tree *t, struct arena *a, struct facts *f, struct diag *diag)
{
	struct span text = { 0 };
	uint64_t khz;
	int r;

	r = host_file_read_start(t, a, CPUINFO_LEN_MAX, &text, "proc/cpuinfo");
	if (r == -ENOMEM)
		return r;
	if (r < 0 || !read_cpuinfo(text, &f->cpu)) {
		note(diag, "host/cpu-unknown", "/proc/cpuinfo does not tell the flags of the CPU");
#ifdef __x86_64__
		/* This very code runs in long mode. */
		f->cpu.has_long_mode = t->is_machine;
#endif
	}
	if (host_number_read(t, &khz, "sys/devices/system/cpu/cpu0/tsc_freq_khz") == 0 &&
	    khz > 0 && khz <= UINT32_MAX)
		f->cpu.tsc_khz = (uint32_t)khz;
	return 0;
}

/* ---- policy --------------------------------------------------------------------------------- */

/* "none [integrity] confidentiality": the one in brackets is in force. */
static enum lockdown read_lockdown(const struct host_tree *t)
{
	struct host_attr attr;

	if (host_attr_read(t, &attr, "sys/kernel/security/lockdown") < 0)
		return LOCKDOWN_UNKNOWN;
	if (text_has_word(attr.text, "[none]"))
		return LOCKDOWN_NONE;
	if (text_has_word(attr.text, "[integrity]"))
		return LOCKDOWN_INTEGRITY;
	if (text_has_word(attr.text, "[confidentiality]"))
		return LOCKDOWN_CONFIDENTIALITY;
	return LOCKDOWN_UNKNOWN;
}

static bool read_limit(const struct host_tree *t, const char *path, int64_t *ret)
{
	struct host_attr attr;
	struct span digits;
	uint64_t v;

	if (host_attr_read(t, &attr, "%s", path) < 0)
		return false;
	if (text_starts_with(attr.text, "-", &digits) && text_number(digits, &v)) {
		*ret = -1;
		return true;
	}
	if (!text_number(attr.text, &v) || v > INT64_MAX)
		return false;
	*ret = (int64_t)v;
	return true;
}

static void read_load_limits(const struct host_tree *t, struct policy_facts *policy)
{
	policy->has_load_limit = read_limit(t, "proc/sys/kernel/kexec_load_limit_reboot",
					    &policy->load_limit);
	policy->has_panic_limit = read_limit(t, "proc/sys/kernel/kexec_load_limit_panic",
					     &policy->panic_limit);
}

static bool has_setup_node(const struct facts *f, uint32_t type)
{
	for (size_t i = 0; i < f->n_setup; i++)
		if (f->setup[i].type == type)
			return true;
	return false;
}

/* kho= as kstrtobool() reads it; the last one counts. A bare kho is taken for a yes. */
static bool is_kho_requested(const char *cmdline)
{
	struct span rest = span_of(cmdline, strlen(cmdline)), word, value;
	bool is_on = false;

	while (text_next_parameter(&rest, &word)) {
		if (text_is(word, "kho"))
			is_on = true;
		else if (text_starts_with(word, "kho=", &value))
			is_on = value.len > 0 &&
				(strchr("yYtT1", value.data[0]) != NULL ||
				 (value.len > 1 && (value.data[0] | 0x20) == 'o' &&
				  (value.data[1] | 0x20) == 'n'));
	}
	return is_on;
}

int host_read_policy(const struct host_tree *t, struct arena *a, struct facts *f,
		     struct diag *diag)
{
	uint64_t v;

	(void)a;
	(void)diag;
	f->policy.lockdown = read_lockdown(t);
	f->policy.is_load_disabled =
		host_number_read(t, &v, "proc/sys/kernel/kexec_load_disabled") == 0 && v != 0;
	read_load_limits(t, &f->policy);
	f->policy.is_kho_active =
		is_kho_requested(f->cmdline) || has_setup_node(f, SETUP_KEXEC_KHO) ||
		(host_number_read(t, &v, "sys/kernel/debug/kho/out/finalize") == 0 && v == 1);
	/* One measurement is the boot aggregate, which every kernel with IMA makes. */
	if (host_number_read(t, &v, "sys/kernel/security/ima/runtime_measurements_count") < 0)
		v = 0;
	f->policy.is_ima_active = v > 1 || has_setup_node(f, SETUP_IMA);
	return 0;
}
