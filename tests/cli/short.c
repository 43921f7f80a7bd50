// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * short MAX COMMAND...: runs COMMAND, and lets none of its reads and writes move more than 1 to MAX bytes,
 * as pipes, network file systems and signals do it now and then. It asks for less, so that what a call
 * returns is true. It begins when COMMAND opens /dev/null, as kexec does first of all: the dynamic loader
 * before that does not put up with it.
 *
 * Exit status: COMMAND's own; 128 + n for signal n; 98 when this does not work here.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(98);
}

static int is_dev_null(pid_t pid, unsigned long long path)
{
	char text[16] = "";

	for (size_t i = 0; i < sizeof(text); i += sizeof(long)) {
		long word = ptrace(PTRACE_PEEKDATA, pid, (void *)(path + i), NULL);

		memcpy(text + i, &word, sizeof(word));
	}
	return memcmp(text, "/dev/null", 10) == 0;
}

/* At the entry of a system call. */
static void cut(pid_t pid, unsigned long long max)
{
	static unsigned int state = 1;
	static int is_on;
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) < 0)
		return; /* it was killed meanwhile */
	if ((long long)regs.rax != -ENOSYS)
		return; /* not an entry but a return */
	is_on |= regs.orig_rax == SYS_openat && is_dev_null(pid, regs.rsi);
	if (!is_on)
		return;
	switch (regs.orig_rax) {
	case SYS_read:
	case SYS_pread64:
	case SYS_write:
	case SYS_pwrite64:
		break;
	default:
		return;
	}
	state = state * 1103515245 + 12345;
	if (regs.rdx <= 1)
		return;
	regs.rdx = regs.rdx < max ? regs.rdx : max;
	regs.rdx = 1 + (state >> 8) % regs.rdx;
	ptrace(PTRACE_SETREGS, pid, NULL, &regs);
}

int main(int argc, char **argv)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACEFORK |
			     PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE;
	unsigned long long max = argc > 2 ? strtoull(argv[1], NULL, 10) : 0;
	pid_t first = max > 0 ? fork() : -1, pid;
	int status;

	if (first < 0)
		die("short MAX COMMAND...");
	if (first == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP) != 0)
			die("ptrace");
		execv(argv[2], argv + 2);
		die(argv[2]);
	}
	if (waitpid(first, &status, 0) != first || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, first, NULL, options) < 0 ||
	    ptrace(PTRACE_SYSCALL, first, NULL, NULL) < 0)
		die("ptrace");
	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		int sig = 0;

		if (!WIFSTOPPED(status)) {
			if (pid != first)
				continue;
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		}
		if (WSTOPSIG(status) == (SIGTRAP | 0x80))
			cut(pid, max);
		else if (status >> 16 == 0 && WSTOPSIG(status) != SIGTRAP &&
			 WSTOPSIG(status) != SIGSTOP)
			sig = WSTOPSIG(status);
		ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(long)sig);
	}
	die("waitpid");
}
