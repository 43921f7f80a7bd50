// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tamper STAGE FILE COMMAND...: runs COMMAND, stops it where STAGE says, changes one byte of FILE
 * (and puts its modification time back, so that only its contents tell), and lets COMMAND go on.
 *
 *	mapped		after the first mmap of FILE
 *	digested	at the entry of kexec_load or kexec_file_load
 *	copied		when that call returned
 *	touched		as copied, but with the modification time left as it became
 *	shortened	as mapped, but FILE is cut in half
 *
 * Exit status: COMMAND's own; 99 when the stage was never reached; 128 + n for signal n.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *stage, *path;
static int is_done;

static void die(const char *what)
{
	perror(what);
	exit(98);
}

static void tamper(void)
{
	int fd = open(path, O_RDWR);
	struct timespec times[2];
	struct stat before;
	off_t at;
	char byte;

	if (fd < 0 || fstat(fd, &before) < 0)
		die(path);
	at = before.st_size / 2;
	if (strcmp(stage, "shortened") == 0) {
		if (ftruncate(fd, at) < 0)
			die("ftruncate");
	} else {
		if (pread(fd, &byte, 1, at) != 1)
			die("pread");
		byte = (char)(byte ^ 1);
		if (pwrite(fd, &byte, 1, at) != 1)
			die("pwrite");
	}
	times[0] = before.st_atim;
	times[1] = before.st_mtim;
	if (strcmp(stage, "touched") != 0 && futimens(fd, times) < 0)
		die("futimens");
	close(fd);
	is_done = 1;
	printf("TAMPERED %s\n", stage);
	fflush(stdout);
}

static int is_load(unsigned long long number)
{
	return number == SYS_kexec_load || number == SYS_kexec_file_load;
}

/* Is descriptor fd of the process FILE? */
static int is_file(pid_t pid, int fd)
{
	char link[64], target[4096];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)pid, fd);
	len = readlink(link, target, sizeof(target) - 1);
	if (len < 0)
		return 0;
	target[len] = '\0';
	return strcmp(target, path) == 0;
}

static void look(pid_t pid)
{
	static struct __ptrace_syscall_info entry;	/* of the call that is under way */
	struct __ptrace_syscall_info info;
	int is_entry;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info) < 0)
		die("PTRACE_GET_SYSCALL_INFO");
	is_entry = info.op == PTRACE_SYSCALL_INFO_ENTRY;
	if (is_entry)
		entry = info;
	if (strcmp(stage, "mapped") == 0 || strcmp(stage, "shortened") == 0) {
		if (!is_entry && entry.entry.nr == SYS_mmap && (int)entry.entry.args[4] >= 0 &&
		    is_file(pid, (int)entry.entry.args[4]))
			tamper();
	} else if (is_load(entry.entry.nr) && is_entry == (strcmp(stage, "digested") == 0)) {
		tamper();
	}
}

int main(int argc, char *argv[])
{
	int status;
	pid_t pid;

	if (argc < 4)
		return 97;
	stage = argv[1];
	path = argv[2];
	pid = fork();
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execv(argv[3], argv + 3);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		die("fork");
	ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	while (!WIFEXITED(status) && !WIFSIGNALED(status)) {
		int number = WSTOPSIG(status);

		if (number == (SIGTRAP | 0x80) && !is_done)
			look(pid);
		if (number == (SIGTRAP | 0x80) || number == SIGTRAP)
			number = 0;
		if (ptrace(PTRACE_SYSCALL, pid, NULL, number) < 0 || waitpid(pid, &status, 0) < 0)
			die("ptrace");
	}
	if (WIFSIGNALED(status))
		return 128 + WTERMSIG(status);
	return is_done ? WEXITSTATUS(status) : 99;
}
