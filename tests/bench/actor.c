// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What acts in a measured guest, beside the loaders; static.
 *
 *	actor jump		marks, and enters what was loaded: the same for every loader
 *	actor count ARGV...	runs a program between marks; its status must be 0
 *	actor symbols NAME...	"NG-SYMBOL NAME ADDRESS" from /proc/kallsyms
 *	/init			of the second kernel: marks, tells "NG-INIT RELEASE FILES BYTES" of what
 *				came below /data, and powers off
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "mark.h"

#define REBOOT_MAGIC_1	0xfee1dead
#define REBOOT_MAGIC_2	672274793
#define REBOOT_KEXEC	0x45584543

static unsigned long n_files, n_bytes;

static _Noreturn void failed(const char *what)
{
	printf("\nNG-FAIL %s: %s\n", what, strerror(errno));
	fflush(NULL);
	tcdrain(STDOUT_FILENO);
	exit(1);
}

static int count_file(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)path;
	(void)where;
	if (type == FTW_F) {
		n_files++;
		n_bytes += (unsigned long)st->st_size;
	}
	return 0;
}

static void be_init(void)
{
	struct utsname name;
	int console;

	MARK(MARK_INIT);
	mkdir("/dev", 0755);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	console = open("/dev/console", O_RDWR);
	for (int fd = 0; fd < 3; fd++)
		dup2(console, fd);
	uname(&name);
	nftw("/data", count_file, 16, FTW_PHYS);
	printf("\nNG-INIT %s %lu %lu\n", name.release, n_files, n_bytes);
	fflush(NULL);
	tcdrain(STDOUT_FILENO);
	reboot(RB_POWER_OFF);
}

/* Mark and system call are in one block of code, so that nothing of ours is counted. */
static void jump(void)
{
	long result = SYS_reboot;

	printf("\nNG-JUMP\n");
	fflush(NULL);
	tcdrain(STDOUT_FILENO);
	__asm__ volatile(".balign 64; .byte 0x0f, 0x1f, 0x80; .long %c[mark]; syscall"
			 : "+a"(result)
			 : [mark] "i"(MARK_MAGIC + MARK_REBOOT), "D"(REBOOT_MAGIC_1),
			   "S"(REBOOT_MAGIC_2), "d"(REBOOT_KEXEC)
			 : "rcx", "r11", "memory");
	errno = (int)-result;
	failed("reboot");
}

static void count(char **argv)
{
	int status;
	pid_t pid;

	MARK(MARK_BEGIN);
	pid = vfork();
	if (!pid) {
		execv(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		failed("vfork");
	MARK(MARK_END);
	printf("\nNG-COUNTED %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

static void show_symbols(char **names)
{
	FILE *in = fopen("/proc/kallsyms", "r");
	char line[512], name[256];
	unsigned long addr;

	if (!in)
		failed("/proc/kallsyms");
	while (fgets(line, sizeof(line), in)) {
		if (sscanf(line, "%lx %*c %255s", &addr, name) != 2)
			continue;
		for (char **wanted = names; *wanted; wanted++)
			if (!strcmp(name, *wanted))
				printf("\nNG-SYMBOL %s %lx\n", name, addr);
	}
	fclose(in);
}

int main(int argc, char **argv)
{
	if (getpid() == 1)
		be_init();
	else if (argc == 2 && !strcmp(argv[1], "jump"))
		jump();
	else if (argc > 2 && !strcmp(argv[1], "count"))
		count(argv + 2);
	else if (argc > 2 && !strcmp(argv[1], "symbols"))
		show_symbols(argv + 2);
	else
		return 2;
	return 0;
}
