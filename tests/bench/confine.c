// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * confine time RUNS ARGV...	"USER SYSTEM WALL STATUS", in seconds, a line for each run
 * confine peak ARGV...		"RSS_ANON_KIB RSS_SHMEM_KIB SUM_KIB STATUS": its largest
 *
 * Runs a loader that cannot load: without CAP_SYS_BOOT (somebody else, as setpriv, took it away) and
 * with the system calls that load or reboot refused by seccomp. Both are verified first; if one of
 * them does not hold, nothing runs. Up to the refused call everything happens as ever.
 *
 * Memory is read whenever the program or a thread or child of it enters a system call: only there
 * can memory be given back, so no peak is missed.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NO_SUCH_FLAGS	0xffffUL	/* kexec_load: a harmless EINVAL if it were allowed */
#define MAX_PROCESSES	64

/* ---- no loading here ---- */

static uint64_t capabilities(const char *which)
{
	FILE *in = fopen("/proc/self/status", "r");
	char line[256];
	uint64_t set = UINT64_MAX;

	while (in && fgets(line, sizeof(line), in))
		if (!strncmp(line, which, strlen(which)))
			set = strtoull(line + strlen(which), NULL, 16);
	if (in)
		fclose(in);
	return set;
}

static void refuse_calls(void)
{
#define LOAD_NR BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define REFUSE(nr)							\
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1),		\
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xc000003e /* x86_64 */, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		LOAD_NR,
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000 /* x32 */, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		REFUSE(SYS_kexec_load), REFUSE(SYS_kexec_file_load), REFUSE(SYS_reboot),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		err(3, "seccomp");
}

static void confine(void)
{
	static const char *const sets[] = { "CapEff:", "CapPrm:", "CapInh:", "CapBnd:", "CapAmb:" };

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		if (capabilities(sets[i]) & (UINT64_C(1) << CAP_SYS_BOOT))
			errx(3, "%s has CAP_SYS_BOOT: nothing was run", sets[i]);
	/* By the missing capability ... */
	if (syscall(SYS_kexec_load, 0, 0, NULL, NO_SUCH_FLAGS) != -1 ||
	    (errno != EPERM && errno != ENOSYS))
		errx(3, "kexec_load is not refused: nothing was run");
	refuse_calls();
	/* ... and once more. */
	if (syscall(SYS_kexec_load, 0, 0, NULL, NO_SUCH_FLAGS) != -1 || errno != EPERM ||
	    syscall(SYS_kexec_file_load, -1, -1, 0, NULL, NO_SUCH_FLAGS) != -1 || errno != EPERM)
		errx(3, "loading is not refused: nothing was run");
}

/* ---- time ---- */

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static _Noreturn void run(char **argv)
{
	execv(argv[0], argv);
	err(127, "%s", argv[0]);
}

static void measure_time(long runs, char **argv)
{
	for (; runs > 0; runs--) {
		struct rusage usage;
		double start = now();
		pid_t pid = fork();
		int status;

		if (!pid)
			run(argv);
		if (wait4(pid, &status, 0, &usage) != pid)
			err(1, "wait4");
		printf("%.6f %.6f %.6f %d\n", seconds(usage.ru_utime), seconds(usage.ru_stime),
		       now() - start, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	}
}

/* ---- memory ---- */

struct memory {
	pid_t process;
	long anon, shmem;	/* KiB */
};

static struct memory now_used[MAX_PROCESSES], peak;

static struct memory memory_of(pid_t thread)
{
	struct memory m = { 0 };
	char path[64], line[256];
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/status", thread);
	in = fopen(path, "r");
	while (in && fgets(line, sizeof(line), in)) {
		sscanf(line, "Tgid: %d", &m.process);
		sscanf(line, "RssAnon: %ld", &m.anon);
		sscanf(line, "RssShmem: %ld", &m.shmem);
	}
	if (in)
		fclose(in);
	return m;
}

/* What all its processes use now; threads share. */
static void sample(pid_t thread)
{
	const struct memory m = memory_of(thread);
	struct memory sum = { 0 };
	size_t i = 0;

	while (i < MAX_PROCESSES - 1 && now_used[i].process && now_used[i].process != m.process)
		i++;
	now_used[i] = m;
	for (i = 0; i < MAX_PROCESSES; i++) {
		sum.anon += now_used[i].anon;
		sum.shmem += now_used[i].shmem;
	}
	if (sum.anon + sum.shmem > peak.anon + peak.shmem)
		peak = sum;
}

static void forget(pid_t process)
{
	for (size_t i = 0; i < MAX_PROCESSES; i++)
		if (now_used[i].process == process)
			now_used[i].anon = now_used[i].shmem = 0;
}

static void measure_peak(char **argv)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
			     PTRACE_O_TRACEVFORK | PTRACE_O_EXITKILL;
	int status, first_status = -1;
	pid_t first = fork(), pid;

	if (!first) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			err(127, "ptrace");
		run(argv);
	}
	if (waitpid(first, &status, 0) != first || !WIFSTOPPED(status))
		errx(1, "%s did not start", argv[0]);
	if (ptrace(PTRACE_SETOPTIONS, first, NULL, options))
		err(1, "ptrace");
	ptrace(PTRACE_SYSCALL, first, NULL, NULL);
	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		int signal = 0;

		if (!WIFSTOPPED(status)) {
			forget(pid);
			if (pid == first && WIFEXITED(status))
				first_status = WEXITSTATUS(status);
			continue;
		}
		if (WSTOPSIG(status) == (SIGTRAP | 0x80))
			sample(pid);
		else if (WSTOPSIG(status) != SIGTRAP && WSTOPSIG(status) != SIGSTOP)
			signal = WSTOPSIG(status);
		ptrace(PTRACE_SYSCALL, pid, NULL, (long)signal);
	}
	printf("%ld %ld %ld %d\n", peak.anon, peak.shmem, peak.anon + peak.shmem, first_status);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	confine();
	if (argc > 3 && !strcmp(argv[1], "time"))
		measure_time(strtol(argv[2], NULL, 0), argv + 3);
	else if (argc > 2 && !strcmp(argv[1], "peak"))
		measure_peak(argv + 2);
	else
		errx(2, "usage: confine time RUNS ARGV..., confine peak ARGV...");
	return 0;
}
