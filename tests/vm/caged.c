// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * caged N CALL KEXEC WORDS...: a real load, whose processes that read the files are looked at.
 *
 * Each process that KEXEC makes says on a pipe, by one byte, that from here on it has no rights. At
 * that moment its /proc/PID/status is read, and how many descriptors it has:
 *
 *	NG-CAGED {"seccomp":2,"no_new_privs":1,"capabilities":0,"descriptors":1}
 *
 * The N-th of them, counted from 1, then makes another system call than it wanted to, of the number
 * CALL: the first one after that byte. N 0: none does. At the end: how many system calls that load
 * were made and succeeded, and which signal ended that process. The exit status is KEXEC's.
 *
 *	NG-CAGED-END {"loads":0,"signal":31}
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <linux/kexec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS_MAX	512	/* of all processes of a load */
#define SECONDS		60
#define FOLLOW		(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACEFORK | \
			 PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE)

struct thread {
	pid_t pid;
	int is_caged;		/* it has said so */
	int is_victim;		/* its next call is to be another one */
	int was_loading;
};

static struct thread threads[THREADS_MAX];
static size_t n_threads;
static pid_t kexec, victim;
static int n_cages, n_loads, victims_signal;

static _Noreturn void die(const char *what)
{
	printf("NG-CAGED-BAD %s: %s\n", what, strerror(errno));
	exit(98);
}

static struct thread *thread_of(pid_t pid)
{
	for (size_t i = 0; i < n_threads; i++)
		if (threads[i].pid == pid)
			return &threads[i];
	if (n_threads == THREADS_MAX)
		die("too many threads");
	threads[n_threads] = (struct thread){ .pid = pid };
	return &threads[n_threads++];
}

/* The number behind "Name:" in its status, in that base. */
static unsigned long long status_of(pid_t pid, const char *name, int base)
{
	char path[64], line[256];
	unsigned long long number = 0;
	int is_there = 0;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	in = fopen(path, "r");
	while (in && !is_there && fgets(line, sizeof(line), in)) {
		is_there = !strncmp(line, name, strlen(name)) && line[strlen(name)] == ':';
		if (is_there)
			number = strtoull(line + strlen(name) + 1, NULL, base);
	}
	if (!is_there)
		die(name);
	fclose(in);
	return number;
}

static int count_descriptors(pid_t pid)
{
	char path[64];
	int n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (!dir)
		die(path);
	for (const struct dirent *entry; (entry = readdir(dir)); )
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

static void look(pid_t pid)
{
	static const char *const sets[] = { "CapInh", "CapPrm", "CapEff", "CapAmb" };
	unsigned long long capabilities = 0;

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		capabilities |= status_of(pid, sets[i], 16);
	printf("NG-CAGED {\"seccomp\":%llu,\"no_new_privs\":%llu,\"capabilities\":%llu,"
	       "\"descriptors\":%d}\n", status_of(pid, "Seccomp", 10),
	       status_of(pid, "NoNewPrivs", 10), capabilities, count_descriptors(pid));
	fflush(stdout);
}

/* The byte on the pipe; the library that makes the filter may write elsewhere before. */
static int says_ready(pid_t pid, const struct user_regs_struct *r)
{
	long word;

	if (r->orig_rax != SYS_write || r->rdx != 1)
		return 0;
	errno = 0;
	word = ptrace(PTRACE_PEEKDATA, pid, (void *)r->rsi, NULL);
	return errno == 0 && (char)word == 'r';
}

static void enter_call(struct thread *t, int wanted, long call)
{
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, t->pid, NULL, &r) < 0)
		return;
	t->was_loading = r.orig_rax == SYS_kexec_load || r.orig_rax == SYS_kexec_file_load;
	if (t->is_victim) {
		t->is_victim = 0;
		r.orig_rax = (unsigned long long)call;
		if (ptrace(PTRACE_SETREGS, t->pid, NULL, &r) < 0)
			die("PTRACE_SETREGS");
	} else if (!t->is_caged && status_of(t->pid, "Tgid", 10) != (unsigned long long)kexec &&
		   says_ready(t->pid, &r)) {
		t->is_caged = 1;
		look(t->pid);
		t->is_victim = ++n_cages == wanted;
		if (t->is_victim)
			victim = t->pid;
	}
}

static void leave_call(struct thread *t)
{
	struct user_regs_struct r;

	if (t->was_loading && ptrace(PTRACE_GETREGS, t->pid, NULL, &r) == 0 && r.rax == 0)
		n_loads++;
	t->was_loading = 0;
}

/* It goes on. */
static void handle_stop(struct thread *t, int status, int wanted, long call)
{
	struct __ptrace_syscall_info info = { 0 };
	int number = WSTOPSIG(status);

	if (number == (SIGTRAP | 0x80) &&
	    ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, (void *)sizeof(info), &info) > 0) {
		if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
			enter_call(t, wanted, call);
		else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
			leave_call(t);
	}
	/* What a new one begins with, and what tells of it. */
	if (number == (SIGTRAP | 0x80) || number == SIGTRAP || number == SIGSTOP)
		number = 0;
	if (ptrace(PTRACE_SYSCALL, t->pid, NULL, number) < 0 && errno != ESRCH)
		die("PTRACE_SYSCALL");
}

int main(int argc, char *argv[])
{
	int status, wanted;
	long call;
	pid_t pid;

	if (argc < 4)
		return 97;
	wanted = atoi(argv[1]);
	call = atol(argv[2]);
	alarm(SECONDS);
	kexec = fork();
	if (kexec == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execv(argv[3], argv + 3);
		_exit(127);
	}
	if (kexec < 0 || waitpid(kexec, &status, 0) != kexec || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, kexec, NULL, FOLLOW) < 0 ||
	    ptrace(PTRACE_SYSCALL, kexec, NULL, 0) < 0)
		die("cannot begin");
	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		if (WIFSTOPPED(status)) {
			handle_stop(thread_of(pid), status, wanted, call);
			continue;
		}
		if (pid == victim && WIFSIGNALED(status))
			victims_signal = WTERMSIG(status);
		if (pid == kexec)
			break;
	}
	printf("NG-CAGED-END {\"loads\":%d,\"signal\":%d}\n", n_loads, victims_signal);
	fflush(stdout);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}
