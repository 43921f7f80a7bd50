/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The system calls that change the machine. Nobody else makes them. Each returns 0 or -errno and
 * says nothing: what an errno means depends on what was attempted, and explain.h knows. crash: the
 * kernel that is loaded for a panic is meant.
 */
#ifndef KEXEC_NG_SYS_H
#define KEXEC_NG_SYS_H

#include "plan.h"

/* kexec_file_load flags that <linux/kexec.h> of Debian 12 lacks are defined in sys.c, once. */
struct file_load {
	int kernel_fd;
	int initrd_fd;		/* -1: none */
	const char *cmdline;
	bool is_crash;
	bool debug;		/* KEXEC_FILE_DEBUG, dropped where the kernel does not know it */
	bool no_cma;
	bool force_dtb;
};

/* Loads the plan, as the kernel to boot next or for a panic, for this machine's architecture. */
must_check int sys_kexec_load(const struct plan *plan);
/* Where the addresses end that it has words for. */
#define SYS_ADDRESS_END	(sizeof(long) == 4 ? 4 * GIB : UINT64_MAX)
/* Also for a 32-bit process that was told something else (setarch). */
bool sys_is_32bit_kernel(void);
must_check int sys_kexec_unload(bool crash);
must_check int sys_kexec_file_load(const struct file_load *load);
must_check int sys_kexec_file_unload(bool crash);

/* The time stamp counter. */
uint64_t sys_tsc(void);
void sys_sync(void);
/* Takes every interface but the loopback down; as far as it gets. */
void sys_interfaces_down(void);
/* Jumps into what was loaded. 0: something was loaded to come back from, and that has happened. */
must_check int sys_reboot_kexec(void);
/* Becomes the machine's shutdown -r now: returns only on failure. */
must_check int sys_exec_shutdown(void);
/* Does this process have CAP_SYS_BOOT? */
bool sys_may_boot(void);
/* len random bytes; -EAGAIN early in a boot, when the kernel has none yet ... */
must_check int sys_random(void *buf, size_t len);
/* ... and the best that it has then, which is enough to draw a place from. */
void sys_random_early(void *buf, size_t len);

#endif
