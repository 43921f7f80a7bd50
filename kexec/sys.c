// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#ifndef GRND_INSECURE
#define GRND_INSECURE		0x0004
#endif
#ifndef KEXEC_PRESERVE_CONTEXT
#define KEXEC_PRESERVE_CONTEXT		0x00000002
#endif
#ifndef KEXEC_UPDATE_ELFCOREHDR
#define KEXEC_UPDATE_ELFCOREHDR		0x00000004
#endif
#ifndef KEXEC_CRASH_HOTPLUG_SUPPORT
#define KEXEC_CRASH_HOTPLUG_SUPPORT	0x00000008
#endif
#ifndef KEXEC_FILE_DEBUG
#define KEXEC_FILE_DEBUG	0x00000008
#endif
#ifndef KEXEC_FILE_NO_CMA
#define KEXEC_FILE_NO_CMA	0x00000010
#endif
#ifndef KEXEC_FILE_FORCE_DTB
#define KEXEC_FILE_FORCE_DTB	0x00000020
#endif

/* Only 64-bit processes have that call. */
#ifndef SYS_kexec_file_load
#define SYS_kexec_file_load	-1	/* ENOSYS */
#endif

#define PERSONALITY_ASK		0xffffffff

/* Another kexec operation ends soon. Few tries: each counts against kernel.kexec_load_limit_*. */
#define BUSY_TRIES	4
#define BUSY_WAIT_US	500000

bool sys_is_32bit_kernel(void)
{
	struct utsname u = { 0 };
	int old;

	if (sizeof(long) == 8)
		return false;
	old = personality(PERSONALITY_ASK);
	personality(PER_LINUX);
	uname(&u);
	personality((unsigned long)old);
	return strcmp(u.machine, "x86_64") != 0;
}

/* A 32-bit process must name the architecture that the kernel is of. */
static unsigned long arch_flag(void)
{
	return sys_is_32bit_kernel() ? KEXEC_ARCH_386 : KEXEC_ARCH_X86_64;
}

static int load_segments(unsigned long entry, size_t n, const struct kexec_segment *segments,
			 unsigned long flags)
{
	for (int tries = 0;; tries++) {
		if (syscall(SYS_kexec_load, entry, (unsigned long)n, segments,
			    flags | arch_flag()) == 0)
			return 0;
		if (errno != EBUSY || tries == BUSY_TRIES)
			return -errno;
		usleep(BUSY_WAIT_US);
	}
}

int sys_kexec_load(const struct plan *plan)
{
	const unsigned long entry = (unsigned long)plan->entry;
	struct kexec_segment segments[PLAN_SEGMENTS_MAX];
	int r;

	for (size_t i = 0; i < plan->n_segments; i++) {
		const struct segment *s = &plan->segments[i];

		segments[i] = (struct kexec_segment){
			.buf = s->bytes.data,
			.bufsz = s->bytes.len,
			/* Below SYS_ADDRESS_END, both. */
			.mem = (const void *)(uintptr_t)s->addr,
			.memsz = (size_t)s->mem_len,
		};
	}
	if (!plan->crash)
		return load_segments(entry, plan->n_segments, segments,
				     plan->come_back == BACK_NEVER ? 0 : KEXEC_PRESERVE_CONTEXT);
	if (!plan->crash->is_kept_current)
		return load_segments(entry, plan->n_segments, segments, KEXEC_ON_CRASH);
	/* Linux 6.5 to 6.9 know the one flag only; what came after them takes both. */
	r = load_segments(entry, plan->n_segments, segments,
			  KEXEC_ON_CRASH | KEXEC_UPDATE_ELFCOREHDR);
	if (r == -EINVAL)
		r = load_segments(entry, plan->n_segments, segments,
				  KEXEC_ON_CRASH | KEXEC_CRASH_HOTPLUG_SUPPORT);
	return r;
}

int sys_kexec_unload(bool crash)
{
	return load_segments(0, 0, NULL, crash ? KEXEC_ON_CRASH : 0);
}

static int file_load(int kernel_fd, int initrd_fd, const char *cmdline, unsigned long flags)
{
	unsigned long cmdline_len = cmdline ? strlen(cmdline) + 1 : 0;

	for (int tries = 0;; tries++) {
		if (syscall(SYS_kexec_file_load, kernel_fd, initrd_fd, cmdline_len, cmdline,
			    flags) == 0)
			return 0;
		if (errno != EBUSY || tries == BUSY_TRIES)
			return -errno;
		usleep(BUSY_WAIT_US);
	}
}

int sys_kexec_file_load(const struct file_load *load)
{
	unsigned long flags = 0;
	int r;

	if (load->is_crash)
		flags |= KEXEC_FILE_ON_CRASH;
	if (load->initrd_fd < 0)
		flags |= KEXEC_FILE_NO_INITRAMFS;
	if (load->no_cma)
		flags |= KEXEC_FILE_NO_CMA;
	if (load->force_dtb)
		flags |= KEXEC_FILE_FORCE_DTB;
	if (load->debug) {
		r = file_load(load->kernel_fd, load->initrd_fd, load->cmdline,
			      flags | KEXEC_FILE_DEBUG);
		if (r != -EINVAL)
			return r;
	}
	return file_load(load->kernel_fd, load->initrd_fd, load->cmdline, flags);
}

int sys_kexec_file_unload(bool crash)
{
	return file_load(-1, -1, NULL, KEXEC_FILE_UNLOAD | (crash ? KEXEC_FILE_ON_CRASH : 0));
}

uint64_t sys_tsc(void)
{
	return __builtin_ia32_rdtsc();
}

void sys_sync(void)
{
	sync();
}

static void interface_down(int fd, const char *name)
{
	struct ifreq request = { 0 };

	strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
	if (ioctl(fd, SIOCGIFFLAGS, &request) < 0 || (request.ifr_flags & IFF_LOOPBACK))
		return;
	request.ifr_flags = (short)(request.ifr_flags & ~IFF_UP);
	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		return; /* the next kernel resets the device anyway: no reason to stay here */
}

void sys_interfaces_down(void)
{
	struct if_nameindex *interfaces = if_nameindex();
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	for (struct if_nameindex *i = interfaces; fd >= 0 && i && i->if_index != 0; i++)
		interface_down(fd, i->if_name);
	if (interfaces)
		if_freenameindex(interfaces);
	if (fd >= 0)
		close(fd);
}

int sys_reboot_kexec(void)
{
	if (syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC,
		    NULL) < 0)
		return -errno;
	return 0;
}

int sys_exec_shutdown(void)
{
	static const char *const paths[] = { "/sbin/shutdown", "/usr/sbin/shutdown",
					     "/bin/shutdown", "/etc/shutdown" };
	int error = ENOENT;

	for (size_t i = 0; i < array_len(paths); i++) {
		execl(paths[i], "shutdown", "-r", "now", (char *)NULL);
		if (errno != ENOENT)
			error = errno;
	}
	return -error;
}

bool sys_may_boot(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &header, data) < 0)
		return true;	/* let the kernel decide */
	return data[CAP_TO_INDEX(CAP_SYS_BOOT)].effective & CAP_TO_MASK(CAP_SYS_BOOT);
}

static int random_bytes(uint8_t *at, size_t len, unsigned int flags)
{
	while (len > 0) {
		ssize_t got = getrandom(at, len, flags);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -EIO;
		at += got;
		len -= (size_t)got;
	}
	return 0;
}

int sys_random(void *buf, size_t len)
{
	return random_bytes(buf, len, GRND_NONBLOCK);
}

void sys_random_early(void *buf, size_t len)
{
	uint64_t ticks = __builtin_ia32_rdtsc();
	struct timespec now = { 0 };

	/* Kernels before 5.6 do not know the flag: then it is the clocks, as for the stub. */
	if (random_bytes(buf, len, GRND_INSECURE) == 0)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	memset(buf, 0, len);
	memcpy(buf, &ticks, len < sizeof(ticks) ? len : sizeof(ticks));
	if (len >= 2 * sizeof(ticks))
		memcpy((uint8_t *)buf + sizeof(ticks), &now.tv_nsec, sizeof(now.tv_nsec));
}
