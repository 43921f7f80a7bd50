// SPDX-License-Identifier: GPL-2.0-or-later
#include "qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define KVM	"/dev/kvm"
#define FLAGS_IF	0x200

const char *qemu_find(struct arena *a)
{
	const char *path = getenv("PATH");

	for (; path && *path != '\0'; path += strcspn(path, ":"), path += *path == ':') {
		const int len = (int)strcspn(path, ":");
		const char *file = arena_printf(a, "%.*s/" QEMU_PROGRAM, len, path);
		struct stat st;

		/* What is relative would be another program in the folder that QEMU runs in. */
		if (file && file[0] == '/' && stat(file, &st) == 0 && S_ISREG(st.st_mode) &&
		    access(file, X_OK) == 0)
			return file;
	}
	return NULL;
}

bool qemu_has_kvm(void)
{
	return access(KVM, R_OK | W_OK) == 0;
}

const char *qemu_make_folder(struct arena *a, struct diag *diag)
{
	const char *top = getenv("TMPDIR");
	char *folder;

	folder = arena_printf(a, "%s/kexec-rehearsal-XXXXXX", top && top[0] == '/' ? top : "/tmp");
	if (!folder) {
		fail_nomem(diag);
		return NULL;
	}
	if (!mkdtemp(folder)) {
		fail(diag, errno, "rehearse/no-folder", "cannot make the folder '%s': %s", folder,
		     strerror(errno));
		return NULL;
	}
	return folder;
}

static int open_in(const char *folder, const char *name, int flags)
{
	char path[4096];

	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
		return -1;
	return open(path, flags | O_CLOEXEC, 0600);
}

void qemu_remove(const char *folder, const char *name)
{
	char path[4096];

	if (!name)
		rmdir(folder);
	else if (snprintf(path, sizeof(path), "%s/%s", folder, name) < (int)sizeof(path))
		unlink(path);
}

int qemu_write_kernel(const struct span *pieces, size_t n, struct diag *diag)
{
	int fd = memfd_create("rehearsal", MFD_CLOEXEC);

	if (fd < 0)
		return fail(diag, errno, "rehearse/no-vm-memory", "no file in memory: %s",
			    strerror(errno));
	for (size_t i = 0; i < n; i++) {
		struct span rest = pieces[i];

		while (rest.len > 0) {
			const ssize_t done = write(fd, rest.data, rest.len);

			if (done < 0 && errno == EINTR)
				continue;
			if (done <= 0) {
				close(fd);
				return fail(diag, ENOMEM, "rehearse/no-vm-memory",
					    "no memory for a copy of what would be loaded");
			}
			rest = span_of(rest.data + done, rest.len - (size_t)done);
		}
	}
	return fd;
}

/* ---- the process ---- */

static void become_qemu(const char *program, const char *folder, const char *const args[],
			int kernel, int from, int to, int log)
{
	/* From here on only what is safe between fork() and exec. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (chdir(folder) == 0 && dup2(from, STDIN_FILENO) >= 0 && dup2(to, STDOUT_FILENO) >= 0 &&
	    dup2(log, STDERR_FILENO) >= 0 && fcntl(kernel, F_SETFD, 0) == 0)
		execv(program, (char *const *)args);
	_exit(127);
}

static bool make_args(const char *program, const char *kernel, const char *const args[],
		      const char **all)
{
	static const char *const fixed[] = {
		"-nodefaults", "-no-user-config", "-display", "none", "-nic", "none", "-no-reboot",
		"-chardev", "stdio,id=monitor,signal=off", "-mon", "chardev=monitor,mode=control",
		"-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
	};
	size_t n = 0;

	all[n++] = program;
	for (size_t i = 0; i < array_len(fixed); i++)
		all[n++] = fixed[i];
	all[n++] = "-kernel";
	all[n++] = kernel;
	for (size_t i = 0; args[i]; i++) {
		if (n + 1 >= QEMU_ARGS_MAX)
			return false;
		all[n++] = args[i];
	}
	all[n] = NULL;
	return true;
}

int qemu_start(struct qemu *q, const char *program, const char *folder, const char *const args[],
	       int kernel, struct diag *diag)
{
	static const char greeting[] = "{\"execute\":\"qmp_capabilities\"}\n";
	const char *all[QEMU_ARGS_MAX];
	int to[2] = { -1, -1 }, from[2] = { -1, -1 }, log = -1;
	char path[32];

	*q = (struct qemu){ .pid = -1, .to = -1, .from = -1 };
	/* An end that is gone is an error of write(), no death. */
	signal(SIGPIPE, SIG_IGN);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", kernel);
	if (make_args(program, path, args, all) && pipe2(to, O_CLOEXEC) == 0 &&
	    pipe2(from, O_CLOEXEC) == 0)
		log = open_in(folder, QEMU_LOG, O_WRONLY | O_CREAT | O_TRUNC);
	if (log >= 0)
		q->pid = fork();
	if (q->pid == 0)
		become_qemu(program, folder, all, kernel, to[0], from[1], log);
	for (int i = 0; i < 3; i++) {
		const int fd = i == 0 ? to[0] : i == 1 ? from[1] : log;

		if (fd >= 0)
			close(fd);
	}
	q->to = to[1];
	q->from = from[0];
	if (q->pid < 0) {
		qemu_stop(q);
		return fail(diag, EAGAIN, "rehearse/qemu-not-started", "%s cannot be started: %s",
			    program, strerror(errno));
	}
	/* If it is gone already, qemu_look() finds out. */
	if (write(q->to, greeting, sizeof(greeting) - 1) < 0)
		q->state = QEMU_RUNS;
	return 0;
}

static unsigned int number_after(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at ? (unsigned int)strtoul(at + strlen(key), NULL, 10) : 0;
}

/* "RIP=... RFL=... HLT=1" of "info registers"; with 32 bits they are EIP and EFL. An answer counts
 * once. */
static void heed_cpu(struct qemu *q)
{
	char *at = strstr(q->said, "HLT="), *ip, *flags;

	if (!at || (at[4] != '0' && at[4] != '1'))
		return;
	*at = '-';
	ip = strstr(q->said, "IP=");
	flags = strstr(q->said, "FL=");
	if (!ip || !flags || ip > at || flags > at)
		return;
	q->halted_at = strtoull(ip + 3, NULL, 16);
	if (at[4] == '1' && !(strtoull(flags + 3, NULL, 16) & FLAGS_IF))
		q->n_halted++;
	else
		q->n_halted = 0;
	*ip = '-';
	*flags = '-';
}

/* Lines of JSON, of which a few words are enough. */
static void heed(struct qemu *q)
{
	const char *event;

	if (q->version[0] == 0 && strstr(q->said, "\"QMP\"")) {
		q->version[0] = number_after(q->said, "\"major\": ");
		q->version[1] = number_after(q->said, "\"minor\": ");
		q->version[2] = number_after(q->said, "\"micro\": ");
	}
	heed_cpu(q);
	event = strstr(q->said, "\"SHUTDOWN\"");
	if (event && strstr(q->said, "guest-reset"))
		q->state = QEMU_RESET;
	else if (event && strstr(q->said, "guest-shutdown"))
		q->state = QEMU_OFF;
}

static bool read_monitor(struct qemu *q)
{
	const size_t half = sizeof(q->said) / 2;
	ssize_t n;

	if (q->said_len >= half) {
		memmove(q->said, q->said + q->said_len - half / 2, half / 2);
		q->said_len = half / 2;
	}
	n = read(q->from, q->said + q->said_len, half - 1);
	if (n <= 0)
		return n < 0 && errno == EINTR;
	for (ssize_t i = 0; i < n; i++)
		if (q->said[q->said_len + (size_t)i] == '\0')
			q->said[q->said_len + (size_t)i] = ' ';
	q->said_len += (size_t)n;
	q->said[q->said_len] = '\0';
	heed(q);
	return true;
}

enum qemu_state qemu_look(struct qemu *q, int milliseconds)
{
	struct pollfd p = { .fd = q->from, .events = POLLIN };

	if (q->state == QEMU_RUNS && poll(&p, 1, milliseconds) > 0)
		while (read_monitor(q) && q->state == QEMU_RUNS && poll(&p, 1, 0) > 0)
			;
	if (q->state == QEMU_RUNS && (p.revents & POLLHUP) && !(p.revents & POLLIN))
		q->state = QEMU_EXITED;
	return q->state;
}

void qemu_ask_cpu(struct qemu *q)
{
	static const char question[] = "{\"execute\":\"human-monitor-command\","
				       "\"arguments\":{\"command-line\":\"info registers\"}}\n";

	/* Who does not answer is no halted CPU. */
	if (write(q->to, question, sizeof(question) - 1) < 0)
		q->n_halted = 0;
}

void qemu_stop(struct qemu *q)
{
	if (q->pid > 0) {
		kill(q->pid, SIGKILL);
		while (waitpid(q->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (q->to >= 0)
		close(q->to);
	if (q->from >= 0)
		close(q->from);
	q->pid = q->to = q->from = -1;
}

size_t qemu_read(const char *folder, const char *name, uint64_t off, char *to, size_t len)
{
	const int fd = open_in(folder, name, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return 0;
	n = pread(fd, to, len, (off_t)off);
	close(fd);
	return n > 0 ? (size_t)n : 0;
}
