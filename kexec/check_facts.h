/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What decides whether a load would work here, beside struct facts: plain data, read by host_check.h
 * only when somebody asks. Nothing here decides anything.
 */
#ifndef KEXEC_NG_CHECK_FACTS_H
#define KEXEC_NG_CHECK_FACTS_H

#include "base.h"

enum tri {
	TRI_UNKNOWN,
	TRI_NO,
	TRI_YES,
};

/* This process; of a captured tree there is none, unless it has a proc/self. */
struct process_facts {
	bool is_known;
	bool may_boot;		/* CAP_SYS_BOOT is effective */
	bool may_get_boot;	/* ... or in the bounding set */
	enum tri in_user_ns;	/* in another user namespace than the machine's */
	enum tri in_pid_ns;
	bool has_filter;	/* of system calls: seccomp */
	const char *container;	/* "docker", what it calls itself; NULL: none that shows */
};

/* Options of the running kernel's build. */
enum config_option {
	CONFIG_KEXEC,
	CONFIG_KEXEC_FILE,
	CONFIG_KEXEC_SIG,
	CONFIG_KEXEC_SIG_FORCE,
	CONFIG_CRASH_DUMP,
	CONFIG_PROC_VMCORE,
	CONFIG_RELOCATABLE,
	CONFIG_IMA_ARCH_POLICY,
	N_CONFIG_OPTIONS,
};

struct config_facts {
	const char *source;	/* the file; NULL: none could be read, and nothing is known */
	bool is_set[N_CONFIG_OPTIONS];
};

struct platform_facts {
	const char *vendor, *product, *board;	/* DMI; "" where it does not say */
	const char *cpu;			/* "model name" */
	bool is_guest;				/* there is a hypervisor */
	bool is_xen, is_xen_dom0;
};

struct check_facts {
	struct process_facts process;
	struct config_facts config;
	struct platform_facts platform;
	bool has_kexec;			/* the running kernel says what is loaded */
	enum tri secure_boot;		/* the firmware's switch */
	enum tri ima_appraises;		/* IMA's policy wants kernels appraised */
	bool is_ima_policy_gone;	/* one was loaded, and there is nothing to read of it */
	bool has_crash_size;
	uint64_t crash_size;		/* bytes reserved, as any user may read it */
};

#endif
