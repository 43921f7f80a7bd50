// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * inject fail|SIGNAL STEP KEXEC WORDS... KERNEL: real loads, in each of which one thing goes wrong.
 *
 * Loads KERNEL again and again, traced. From the open of KERNEL on each system call is the one that
 * fails, once for each errno that it may well have (fail), or at which the process gets the signal;
 * STEP 2 takes every second one. Each load has a command line of its own, "run=N", and what the kernel
 * answered to kexec_load and kexec_file_load is seen here: so it is known what is loaded, for the next
 * boot and (WORDS with -p) for a panic. Where memory is reserved for a crash kernel, both are loaded
 * before the first run, so that a run that fails has something to leave as it was. With -u among WORDS
 * each run unloads what a load before it, to which nothing happens, has loaded; calls count from the
 * first file that main() opens. Afterwards, of both,
 *
 *	/sys/kernel/kexec_loaded and kexec_crash_loaded say so too;
 *	the record tells of that load, or there is none, or an interrupted load's mark is beside it;
 *	the exit status is 0 if and only if this load is loaded, or nothing is, after -u;
 *	it is 253 if and only if -s was given and the running kernel did not take the image, else 255;
 *	a failure was said with an id, and what to do.
 *
 * inject race N ...: N times two such loads, or a load and an unload, begin at once. Both succeed, and
 * kernel and record agree.
 *
 * Prints NG-INJECT-BAD for what is not so, and at the end NG-INJECT-DONE with numbers. Exit status 0.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define ERRORS		"/errors"
#define MAIN		"/dev/null"	/* the first file that main() opens */
#define SECONDS		60	/* for one load */

/* What can be loaded at once. */
static struct slot {
	const char *state, *record, *mark;
	int loaded;		/* the run whose kernel is loaded; 0: none */
} slots[] = {
	{ "/sys/kernel/kexec_loaded", "/run/kexec-ng/load.json", "/run/kexec-ng/load.begun", 0 },
	{ "/sys/kernel/kexec_crash_loaded", "/run/kexec-ng/panic.json", "/run/kexec-ng/panic.begun",
	  0 },
};

static const char *kernel;
static struct slot *slot = &slots[0];	/* of the runs */
static int is_unloading, is_by_file;	/* the runs: -u, -s */
static int n_runs, n_bad, n_failed, n_loaded, n_killed;

struct run {
	const char *from;		/* calls count from the open of this file */
	int number, at, error, signal;	/* what is to happen at which call */
	int n_calls;			/* seen since the open of the kernel */
	long call;			/* that it happened to */
	long arg;			/* its first argument */
	int is_counting, status, has_loaded, has_unloaded;
	pid_t pid;
	int is_started, is_inside, is_failing;
	struct user_regs_struct entry;	/* of the call that is under way */
};

static void die(const char *what)
{
	printf("NG-INJECT-BAD inject itself: %s: %s\n", what, strerror(errno));
	exit(98);
}

static size_t slurp(const char *path, char *to, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t len = fd < 0 ? 0 : read(fd, to, size - 1);

	if (fd >= 0)
		close(fd);
	to[len > 0 ? len : 0] = '\0';
	return len > 0 ? (size_t)len : 0;
}

/* Errnos by call, 0 at the end. */
static const int *errors_of(long call)
{
	static const struct {
		long call;
		int errors[5];
	} table[] = {
		{ SYS_openat, { ENOENT, EACCES, EMFILE, EINTR } },
		{ SYS_openat2, { ENOSYS, EACCES, ENFILE, EAGAIN } },
		{ SYS_read, { EIO, EINTR } },
		{ SYS_pread64, { EIO, EINTR } },
		{ SYS_write, { ENOSPC, EPIPE, EINTR } },
		{ SYS_newfstatat, { ENOENT, EACCES } },
		{ SYS_fstat, { EIO } },
		{ SYS_mmap, { ENOMEM, EACCES } },
		{ SYS_mprotect, { ENOMEM } },
		{ SYS_brk, { ENOMEM } },
		{ SYS_clone3, { ENOSYS, EAGAIN } },
		{ SYS_clone, { EAGAIN } },
		{ SYS_getrandom, { EAGAIN, ENOSYS } },
		{ SYS_kexec_load, { EBUSY, EPERM, ENOMEM, EADDRNOTAVAIL, EINVAL } },
		{ SYS_kexec_file_load, { EBUSY, EPERM, ENOEXEC, ENOMEM, EINVAL } },
		{ SYS_renameat, { EACCES, ENOSPC } },
		{ SYS_mkdir, { EROFS, ENOSPC } },
		{ SYS_flock, { EINTR, ENOLCK } },
		{ SYS_close, { EIO } },
	};
	static const int others[] = { EPERM, 0 };

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].call == call)
			return table[i].errors;
	return others;
}

static int is_load(long call)
{
	return call == SYS_kexec_load || call == SYS_kexec_file_load;
}

static int is_unload(const struct user_regs_struct *r)
{
	return (long)r->orig_rax == SYS_kexec_load ? r->rsi == 0 : (r->r8 & KEXEC_FILE_UNLOAD) != 0;
}

static struct slot *slot_of(const struct user_regs_struct *r)
{
	const int is_crash = (long)r->orig_rax == SYS_kexec_load ? (r->r10 & KEXEC_ON_CRASH) != 0 :
								   (r->r8 & KEXEC_FILE_ON_CRASH) != 0;

	return &slots[is_crash];
}

static int opens(pid_t pid, const struct user_regs_struct *r, const char *file)
{
	char path[256] = "";
	char name[64];
	int fd;

	if ((long)r->orig_rax != SYS_openat)
		return 0;
	snprintf(name, sizeof(name), "/proc/%d/mem", (int)pid);
	fd = open(name, O_RDONLY);
	if (fd < 0 || pread(fd, path, strlen(file) + 1, (off_t)r->rsi) < 0)
		path[0] = '\0';
	close(fd);
	return strcmp(path, file) == 0;
}

/* At the entry of a call: fails it, or sends the signal. Is it to be failed? */
static int enter_call(pid_t pid, struct run *run, struct user_regs_struct *r)
{
	if (!run->is_counting && !opens(pid, r, run->from))
		return 0;
	run->is_counting = 1;
	if (run->n_calls++ != run->at || r->orig_rax == SYS_exit_group)
		return 0;
	run->call = (long)r->orig_rax;
	run->arg = (long)r->rdi;
	if (run->signal) {
		kill(pid, run->signal);
		return 0;
	}
	if (run->error == 0)
		return 0;
	/* That one says no by the break as it is, which it also answers to 0. */
	if (run->call == SYS_brk)
		r->rdi = 0;
	else
		r->orig_rax = (unsigned long long)-1;
	ptrace(PTRACE_SETREGS, pid, NULL, r);
	return 1;
}

static void leave_call(pid_t pid, struct run *run)
{
	const struct user_regs_struct *entry = &run->entry;
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &r) < 0)
		return;
	if (run->is_failing) {
		if (run->call == SYS_brk)
			r.rdi = (unsigned long long)run->arg;
		else
			r.rax = (unsigned long long)-run->error;
		ptrace(PTRACE_SETREGS, pid, NULL, &r);
	} else if (is_load((long)entry->orig_rax) && r.rax == 0) {
		run->has_loaded = !is_unload(entry);
		run->has_unloaded = !run->has_loaded;
		slot_of(entry)->loaded = run->has_loaded ? run->number : 0;
	}
}

/* A stop of the process; it goes on. */
static void handle_stop(pid_t pid, struct run *run, int status)
{
	int number = WSTOPSIG(status);

	if (!run->is_started)
		ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	run->is_started = 1;
	if (number == (SIGTRAP | 0x80)) {
		run->is_inside = !run->is_inside;
		if (!run->is_inside)
			leave_call(pid, run);
		else if (ptrace(PTRACE_GETREGS, pid, NULL, &run->entry) == 0)
			run->is_failing = enter_call(pid, run, &run->entry);
	}
	if (number == (SIGTRAP | 0x80) || number == SIGTRAP)
		number = 0;
	if (ptrace(PTRACE_SYSCALL, pid, NULL, number) < 0 && errno != ESRCH)
		die("ptrace");
}

/* Until all have ended. */
static void trace(struct run *runs, int n)
{
	int n_left = n, status;

	while (n_left > 0) {
		pid_t pid = waitpid(-1, &status, 0);
		struct run *run = NULL;

		if (pid < 0)
			die("waitpid");
		for (int i = 0; i < n; i++)
			if (runs[i].pid == pid)
				run = &runs[i];
		if (!run)
			continue;
		if (WIFSTOPPED(status)) {
			handle_stop(pid, run, status);
			continue;
		}
		run->status = status;
		n_left--;
	}
}

static void start(char **words, int n, const struct run *run)
{
	const int is_load = run->from != NULL && strcmp(run->from, kernel) == 0;
	int fd = open(ERRORS, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	char cmdline[40];
	char *argv[32] = { 0 };

	snprintf(cmdline, sizeof(cmdline), "--append=run=%d.", run->number);
	for (int i = 0; i < n - 1; i++)
		argv[i] = words[i];
	if (is_load) {
		argv[n - 1] = cmdline;
		argv[n] = words[n - 1];
	}
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	close(fd);
	alarm(SECONDS);
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	execv(argv[0], argv);
	_exit(127);
}

static void bad(const struct run *run, const char *why)
{
	char text[600];

	slurp(ERRORS, text, sizeof(text));
	for (char *c = text; *c; c++)
		if (*c == '\n')
			*c = '|';
	printf("NG-INJECT-BAD call %d (number %ld) errno %d signal %d status %#x: %s: %s\n", run->at,
	       run->call, run->error, run->signal, run->status, why, text);
	n_bad++;
}

/* "run=N." in the record; 0: there is none. */
static int recorded(const struct slot *s)
{
	static char text[64 << 10];
	const char *at;

	slurp(s->record, text, sizeof(text));
	at = strstr(text, "run=");
	return at ? atoi(at + 4) : 0;
}

static int is_mute(const struct run *run)
{
	return run->call == SYS_write && (run->arg == STDERR_FILENO || run->arg == STDOUT_FILENO);
}

static int is_loaded(const struct slot *s)
{
	char said[8];

	return slurp(s->state, said, sizeof(said)) && said[0] == '1';
}

static void check_slots(const struct run *run)
{
	for (struct slot *s = slots; s < slots + 2; s++) {
		const int record = recorded(s);

		if (is_loaded(s) != (s->loaded != 0))
			bad(run, s == slots ? "kexec_loaded is not what the calls said" :
					      "kexec_crash_loaded is not what the calls said");
		if (record != 0 && record != s->loaded && access(s->mark, F_OK) != 0)
			bad(run, s == slots ? "the record is of another load" :
					      "the record of the panic's is of another load");
	}
}

/* The kernel did not take the image, of a kexec_file_load that was asked for. */
static int is_refused(const struct run *run)
{
	return is_by_file && !is_unloading && run->call == SYS_kexec_file_load &&
	       (run->error == EINVAL || run->error == ENOEXEC);
}

static void check(const struct run *run)
{
	char errors[4096];
	int is_ok = WIFEXITED(run->status) && WEXITSTATUS(run->status) == 0;
	int failure = is_refused(run) ? 253 : 255;

	slurp(ERRORS, errors, sizeof(errors));
	check_slots(run);
	if (is_ok && slot->loaded != (is_unloading ? 0 : run->number))
		bad(run, is_unloading ? "success, and loaded" : "success, and not loaded");
	if (WIFEXITED(run->status) && !is_ok && run->has_loaded && !is_mute(run))
		bad(run, "a failure, and loaded");
	if (WIFEXITED(run->status) && !is_ok && is_unloading && run->has_unloaded && !is_mute(run))
		bad(run, "a failure, and unloaded");
	if (WIFEXITED(run->status) && !is_ok && !is_mute(run) &&
	    (!strchr(errors, '[') || !strstr(errors, "kexec: try: ")))
		bad(run, "a failure without an id, or without advice");
	if (WIFEXITED(run->status) && !is_ok && WEXITSTATUS(run->status) != failure)
		bad(run, "another exit status");
	if (WIFSIGNALED(run->status) && WTERMSIG(run->status) != run->signal)
		bad(run, "died");
	n_killed += WIFSIGNALED(run->status);
	n_failed += WIFEXITED(run->status) && !is_ok;
	n_loaded += is_ok;
}

static void begin(char **words, int n, struct run *run)
{
	run->number = ++n_runs;
	run->pid = fork();
	if (run->pid < 0)
		die("fork");
	if (run->pid == 0)
		start(words, n, run);
}

/* A load to which nothing happens. */
static void load_quietly(char *how)
{
	char *words[] = { "/sbin/kexec", how, (char *)kernel };
	struct run run = { .from = kernel, .at = -1 };

	begin(words, 3, &run);
	trace(&run, 1);
	check_slots(&run);
	if (run.status != 0 || !run.has_loaded)
		bad(&run, "a load to which nothing happened");
}

/* Was the call reached? */
static int do_run(char **words, int n, struct run *run)
{
	run->from = is_unloading ? MAIN : kernel;
	if (is_unloading)
		load_quietly(slot == slots ? "-l" : "-p");
	begin(words, n, run);
	trace(run, 1);
	check(run);
	return run->n_calls > run->at;
}

static char *unload[] = { "/sbin/kexec", "-u", NULL };
static char *unload_crash[] = { "/sbin/kexec", "-p", "-u", NULL };

/* There is no shell for system(). */
static int run_plain(char **argv)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		execv(argv[0], argv);
		_exit(127);
	}
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

static int has_reservation(void)
{
	char said[32];

	return slurp("/sys/kernel/kexec_crash_size", said, sizeof(said)) && atoll(said) > 0;
}

/* Two at once; every third time one of them unloads. */
static void race(char **words, int n, int n_rounds)
{
	for (int i = 0; i < n_rounds; i++) {
		struct run runs[2] = { { .from = kernel, .at = -1 }, { .from = kernel, .at = -1 } };

		begin(words, n, &runs[0]);
		if (i % 3 != 2) {
			begin(words, n, &runs[1]);
		} else {
			runs[1].number = ++n_runs;
			runs[1].pid = fork();
			if (runs[1].pid == 0) {
				ptrace(PTRACE_TRACEME, 0, NULL, NULL);
				execv(unload[0], unload);
				_exit(127);
			}
		}
		trace(runs, 2);
		if (is_loaded(slot) != (slot->loaded != 0))
			bad(&runs[0], "kexec_loaded is not what the calls said");
		if (recorded(slot) != slot->loaded)
			bad(&runs[0], "the record is of another load");
		if (access(slot->mark, F_OK) == 0)
			bad(&runs[0], "the mark is left");
		for (int k = 0; k < 2; k++) {
			if (runs[k].status != 0)
				bad(&runs[k], "lost a race");
			n_loaded += runs[k].has_loaded;
		}
	}
}

/* Finds out which call comes there, then has it fail in each way. */
static int fail_each_way(char **words, int n, int at)
{
	struct run look = { .at = at };
	const int *errors;

	if (!do_run(words, n, &look))
		return 0;
	errors = errors_of(look.call);
	for (int i = 0; i < 5 && errors[i]; i++) {
		struct run run = { .at = at, .error = errors[i] };

		do_run(words, n, &run);
	}
	return 1;
}

int main(int argc, char *argv[])
{
	int signal, step, is_there = 1, n_points = 0;

	if (argc < 5)
		return 97;
	signal = atoi(argv[1]);
	step = atoi(argv[2]);
	kernel = argv[argc - 1];
	for (int i = 3; i < argc; i++) {
		is_unloading |= strcmp(argv[i], "-u") == 0;
		is_by_file |= strcmp(argv[i], "-s") == 0;
		if (strcmp(argv[i], "-p") == 0)
			slot = &slots[1];
	}
	if (run_plain(unload) != 0)
		die("kexec -u");
	if (has_reservation()) {
		if (run_plain(unload_crash) != 0)
			die("kexec -p -u");
		load_quietly("-l");
		load_quietly("-p");
	}
	if (strcmp(argv[1], "race") == 0) {
		race(argv + 3, argc - 3, step);
		is_there = 0;
	}
	for (int at = 0; is_there; at += step, n_points++) {
		struct run run = { .at = at, .signal = signal };

		is_there = signal ? do_run(argv + 3, argc - 3, &run) :
				    fail_each_way(argv + 3, argc - 3, at);
	}
	printf("NG-INJECT-DONE points %d runs %d failed %d loaded %d killed %d bad %d\n", n_points,
	       n_runs, n_failed, n_loaded, n_killed, n_bad);
	return 0;
}
