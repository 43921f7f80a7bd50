// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs command lines in a test guest and tells what each did: one line of JSON a run, to the second
 * serial port, and last {"runs":N}.
 *
 *	beside FILE	FILE has runs, each a list of strings that end in NUL: the state to begin
 *			with, the number of words, the words. The state is letters: l, c: a kernel,
 *			a crash kernel is loaded; else none is.
 *	shutdown ...	(by this name) leaves a mark: what a bare kexec ends in
 *
 * System calls that load are read by a tracer, which follows what they hand over as a booting
 * kernel would, from the boot_params. A jump is not made: the program ends there, as it would.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/kexec.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum {
	PAGE = 4096,
	MAX_WORDS = 64,
	MAX_TEXT = 1200,	/* bytes shown of what a program printed */
	MAX_SHOWN = 1 << 14,	/* bytes shown of what a setup_data node or the EFI map has */
	LIMIT = 100,		/* seconds for one run */
};

static const char mark[] = "/shutdown-ran", interface[] = "dummy0";
static FILE *out;

static _Noreturn void die(const char *what)
{
	printf("\nNG-FAIL beside: %s: %m\n", what);
	exit(1);
}

static void print_text(const char *bytes, size_t len)
{
	putc('"', out);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < ' ' || c > '~')
			fprintf(out, "\\u%04x", c);
		else
			putc(c, out);
	}
	putc('"', out);
}

static void print_hex(const uint8_t *bytes, size_t len)
{
	putc('"', out);
	for (size_t i = 0; i < len; i++)
		fprintf(out, "%02x", bytes[i]);
	putc('"', out);
}

/* FNV-1a: to compare, not to protect. */
static uint64_t digest_of(const uint8_t *bytes, size_t len)
{
	uint64_t digest = 0xcbf29ce484222325;

	for (size_t i = 0; i < len; i++)
		digest = (digest ^ bytes[i]) * 0x100000001b3;
	return digest;
}

/* ---------------------------------------------------------------------- what is handed over */

struct handed {
	pid_t pid;
	size_t n;
	struct kexec_segment segments[KEXEC_SEGMENT_MAX];
};

static void read_memory(pid_t pid, const void *at, void *to, size_t len)
{
	struct iovec here = { to, len }, there = { (void *)(uintptr_t)at, len };

	if (process_vm_readv(pid, &here, 1, &there, 1, 0) != (ssize_t)len)
		die("process_vm_readv");
}

/* len bytes that will be at a physical address, zeros included; NULL if no segment has them. */
static uint8_t *at_address(const struct handed *h, uint64_t address, size_t len)
{
	for (size_t i = 0; i < h->n; i++) {
		const struct kexec_segment *s = &h->segments[i];
		uint64_t start = (uintptr_t)s->mem, off = address - start;
		uint8_t *bytes;

		if (address < start || off >= s->memsz || len > s->memsz - off)
			continue;
		bytes = calloc(1, len + 1);
		if (!bytes)
			die("memory");
		if (off < s->bufsz)
			read_memory(h->pid, (const char *)s->buf + off, bytes,
				    len < s->bufsz - off ? len : s->bufsz - off);
		return bytes;
	}
	return NULL;
}

static uint64_t number(const uint8_t *at, size_t len)
{
	uint64_t n = 0;

	memcpy(&n, at, len);
	return n;
}

/*
 * The page that looks like boot_params: a setup header whose loader has a kexec's number. Not the
 * boot flag: kexec-tools writes aux_device_info over half of it.
 */
static uint8_t *find_boot_params(const struct handed *h)
{
	enum { HEADER_OFF = 0x202, LOADER_OFF = 0x210, MAX_LOOKED_AT = 1 << 20 };

	for (size_t i = 0; i < h->n; i++) {
		const struct kexec_segment *s = &h->segments[i];

		for (size_t off = 0; off + PAGE <= s->bufsz && off < MAX_LOOKED_AT; off += PAGE) {
			uint8_t *page = at_address(h, (uintptr_t)s->mem + off, PAGE);

			if (page && page[LOADER_OFF] >> 4 == 0xd &&
			    memcmp(page + HEADER_OFF, "HdrS", 4) == 0)
				return page;
			free(page);
		}
	}
	return NULL;
}

/* "NAME":{"len":,"digest":}, or null where no segment has it. */
static void print_span(const struct handed *h, const char *name, uint64_t address, size_t len)
{
	uint8_t *bytes = at_address(h, address, len);

	if (bytes)
		fprintf(out, ",\"%s\":{\"len\":%zu,\"digest\":\"%016" PRIx64 "\"}", name, len,
			digest_of(bytes, len));
	else
		fprintf(out, ",\"%s\":null", name);
	free(bytes);
}

static void print_bytes(const struct handed *h, const char *name, uint64_t address, size_t len)
{
	uint8_t *bytes = len <= MAX_SHOWN ? at_address(h, address, len) : NULL;

	fprintf(out, ",\"%s\":", name);
	print_hex(bytes ? bytes : (const uint8_t *)"", bytes ? len : 0);
	free(bytes);
}

static void print_setup_data(const struct handed *h, uint64_t address)
{
	enum { HEADER_LEN = 16, MAX_NODES = 64 };
	const char *comma = "";

	fprintf(out, ",\"setup_data\":[");
	for (int i = 0; address && i < MAX_NODES; i++) {
		uint8_t *header = at_address(h, address, HEADER_LEN);
		uint64_t next = header ? number(header, 8) : 0;
		size_t len = header ? number(header + 12, 4) : 0;

		fprintf(out, "%s{\"type\":%" PRIu64 ",\"len\":%zu", comma,
			header ? number(header + 8, 4) : UINT64_MAX, len);
		print_bytes(h, "bytes", address + HEADER_LEN, len);
		putc('}', out);
		free(header);
		address = next;
		comma = ",";
	}
	putc(']', out);
}

static void print_command_line(const struct handed *h, uint64_t address)
{
	char text[PAGE];
	size_t len = 0;

	for (; len < sizeof(text); len++) {
		uint8_t *c = at_address(h, address + len, 1);

		text[len] = c ? (char)*c : '\0';
		free(c);
		if (text[len] == '\0')
			break;
	}
	fprintf(out, ",\"cmdline\":");
	print_text(text, len);
}

static void print_boot_params(const struct handed *h)
{
	uint8_t *p = find_boot_params(h);

	if (!p) {
		fprintf(out, ",\"boot_params\":\"\"");
		return;
	}
	fprintf(out, ",\"boot_params\":");
	print_hex(p, PAGE);
	print_command_line(h, number(p + 0x228, 4) | number(p + 0xc8, 4) << 32);
	print_span(h, "initrd", number(p + 0x218, 4) | number(p + 0xc0, 4) << 32,
		   number(p + 0x21c, 4) | number(p + 0xc4, 4) << 32);
	print_setup_data(h, number(p + 0x250, 8));
	print_bytes(h, "efi_map", number(p + 0x1d0, 4) | number(p + 0x1dc, 4) << 32,
		    number(p + 0x1d4, 4));
	free(p);
}

static void print_load(pid_t pid, const struct user_regs_struct *r)
{
	struct handed h = { .pid = pid, .n = r->rsi };

	fprintf(out, "{\"call\":\"kexec_load\",\"entry\":%llu,\"flags\":%llu,\"segments\":[",
		r->rdi, r->r10);
	if (h.n > KEXEC_SEGMENT_MAX)
		h.n = 0;
	if (h.n > 0)
		read_memory(pid, (const void *)r->rdx, h.segments, h.n * sizeof(h.segments[0]));
	for (size_t i = 0; i < h.n; i++)
		fprintf(out, "%s[%" PRIuPTR ",%zu]", i ? "," : "", (uintptr_t)h.segments[i].mem,
			h.segments[i].memsz);
	putc(']', out);
	if (h.n > 0)
		print_boot_params(&h);
}

/* "NAME":{"path":,"len":,"digest":} of an open file of the traced program; null if it is none. */
static void print_file(pid_t pid, const char *name, int fd)
{
	char path[64], target[256];
	struct stat st;
	uint8_t *bytes;
	ssize_t len;
	int mine;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	mine = open(path, O_RDONLY | O_CLOEXEC);
	if (mine < 0 || fstat(mine, &st) < 0 || !S_ISREG(st.st_mode)) {
		fprintf(out, ",\"%s\":null", name);
		return;
	}
	bytes = malloc((size_t)st.st_size + 1);
	if (!bytes || pread(mine, bytes, (size_t)st.st_size, 0) != st.st_size)
		die(path);
	len = readlink(path, target, sizeof(target));
	if (len < 0)
		die(path);
	fprintf(out, ",\"%s\":{\"path\":", name);
	print_text(target, (size_t)len);
	fprintf(out, ",\"len\":%zu,\"digest\":\"%016" PRIx64 "\"}", (size_t)st.st_size,
		digest_of(bytes, (size_t)st.st_size));
	free(bytes);
	close(mine);
}

static void print_file_load(pid_t pid, const struct user_regs_struct *r)
{
	char text[PAGE] = "";

	fprintf(out, "{\"call\":\"kexec_file_load\",\"flags\":%llu", r->r8);
	print_file(pid, "kernel", (int)r->rdi);
	print_file(pid, "initrd", (int)r->rsi);
	if (r->rdx > 0 && r->rdx < sizeof(text))
		read_memory(pid, (const void *)r->r10, text, r->rdx);
	fprintf(out, ",\"cmdline_len\":%llu,\"cmdline\":", r->rdx);
	print_text(text, strnlen(text, sizeof(text) - 1));
}

/* ----------------------------------------------------------------------------------- the tracer */

/* Lets the tracer see the calls that matter. */
static void watch(void)
{
	static const int calls[] = { SYS_kexec_load, SYS_kexec_file_load, SYS_reboot, SYS_sync };
	enum { N = sizeof(calls) / sizeof(calls[0]) };
	struct sock_filter code[N + 3];
	struct sock_fprog program = { .len = N + 3, .filter = code };

	code[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					       offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < N; i++)
		code[1 + i] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i], (uint8_t)(N - i), 0);
	code[N + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	code[N + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(126);
}

static pid_t start(char **words)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0) {
		int null = open("/dev/null", O_RDONLY);
		int stdout_fd = open("/stdout", O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);
		int stderr_fd = open("/stderr", O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);

		dup2(null, STDIN_FILENO);
		dup2(stdout_fd, STDOUT_FILENO);
		dup2(stderr_fd, STDERR_FILENO);
		close(null);
		close(stdout_fd);
		close(stderr_fd);
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		watch();
		execv(words[0], words);
		_exit(127);
	}
	if (waitpid(pid, NULL, 0) != pid ||
	    ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEEXEC |
		   PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
		   PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD) < 0)
		die("ptrace");
	return pid;
}

/* One of the calls is about to be made. Returns how the program goes on. */
static int on_call(pid_t pid, pid_t program, const char **comma)
{
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &r) < 0)
		die("registers");
	fputs(*comma, out);
	*comma = ",";
	switch (r.orig_rax) {
	case SYS_kexec_load:
		print_load(pid, &r);
		return PTRACE_SYSCALL;
	case SYS_kexec_file_load:
		print_file_load(pid, &r);
		return PTRACE_SYSCALL;
	case SYS_reboot:
		fprintf(out, "{\"call\":\"reboot\",\"command\":%llu}", r.rdx);
		kill(program, SIGKILL);
		return PTRACE_CONT;
	default:
		fprintf(out, "{\"call\":\"sync\"}");
		return PTRACE_CONT;
	}
}

static void on_return(pid_t pid)
{
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &r) < 0)
		die("registers");
	fprintf(out, ",\"result\":%lld}", (long long)r.rax);
}

/* Follows the program and its threads to the end; returns its wait status. */
static int follow(pid_t program)
{
	const char *comma = "";
	int status, result = 0;
	pid_t pid = program;
	int next = PTRACE_CONT, signal_no = 0;

	for (;;) {
		ptrace(next, pid, NULL, signal_no);
		pid = waitpid(-1, &status, __WALL);
		if (pid < 0)
			return result;
		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			if (pid == program)
				result = status;
			next = PTRACE_CONT;
			signal_no = 0;
			continue;
		}
		next = PTRACE_CONT;
		signal_no = WSTOPSIG(status);
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8))
			next = on_call(pid, program, &comma);
		else if (signal_no == (SIGTRAP | 0x80))
			on_return(pid);
		if (status >> 16 || signal_no == SIGSTOP || signal_no == (SIGTRAP | 0x80))
			signal_no = 0;
	}
}

/* --------------------------------------------------------------------------------- the machine */

static int flag_of(const char *path)
{
	FILE *in = fopen(path, "r");
	int flag = -1;

	if (in && fscanf(in, "%d", &flag) != 1)
		flag = -1;
	if (in)
		fclose(in);
	return flag;
}

static void print_loaded(const char *name)
{
	fprintf(out, ",\"%s\":[%d,%d]", name, flag_of("/sys/kernel/kexec_loaded"),
		flag_of("/sys/kernel/kexec_crash_loaded"));
}

/* Brings the interface up, or asks whether it is. */
static bool is_up(bool make)
{
	struct ifreq request = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strcpy(request.ifr_name, interface);
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		die(interface);
	if (make) {
		request.ifr_flags |= IFF_UP;
		if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
			die(interface);
	}
	close(fd);
	return request.ifr_flags & IFF_UP;
}

/* The highest crash kernel region; usable RAM else. */
static uint64_t place_for(bool crash)
{
	unsigned long long start, found = 64 << 20;
	FILE *in = fopen("/proc/iomem", "r");
	char line[200];

	while (crash && in && fgets(line, sizeof(line), in))
		if (strstr(line, "Crash kernel") && sscanf(line, " %llx-", &start) == 1)
			found = start;
	if (in)
		fclose(in);
	return found;
}

/* Loads something that only looks like a kernel, or forgets what is loaded. */
static void set_loaded(bool crash, bool load)
{
	static const char page[PAGE];
	unsigned long flags = KEXEC_ARCH_X86_64 | (crash ? KEXEC_ON_CRASH : 0);
	uint64_t at = place_for(crash);
	struct kexec_segment segment = { page, PAGE, (void *)(uintptr_t)at, PAGE };

	if (syscall(SYS_kexec_load, load ? at : 0, load ? 1L : 0L, load ? &segment : NULL, flags))
		die(crash ? "the crash kernel to begin with" : "the kernel to begin with");
}

static void print_printed(const char *name, const char *path)
{
	char text[MAX_TEXT];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? 0 : read(fd, text, sizeof(text));

	if (fd >= 0)
		close(fd);
	fprintf(out, ",\"%s\":", name);
	print_text(text, len < 0 ? 0 : (size_t)len);
}

static pid_t running;

static void on_alarm(int signal_no)
{
	(void)signal_no;
	kill(running, SIGKILL);
}

static void run(size_t n, const char *state, char **words)
{
	int status;

	set_loaded(false, strchr(state, 'l'));
	set_loaded(true, strchr(state, 'c'));
	is_up(true);
	unlink(mark);
	fprintf(out, "{\"n\":%zu", n);
	print_loaded("before");
	fprintf(out, ",\"calls\":[");
	running = start(words);
	alarm(LIMIT);
	status = follow(running);
	alarm(0);
	putc(']', out);
	print_loaded("after");
	fprintf(out, ",\"status\":%d,\"signal\":%d", WIFEXITED(status) ? WEXITSTATUS(status) : -1,
		WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	print_printed("out", "/stdout");
	print_printed("err", "/stderr");
	fprintf(out, ",\"is_up\":%s,\"shutdown\":%s}\n", is_up(false) ? "true" : "false",
		access(mark, F_OK) ? "false" : "true");
	fflush(out);
}

static char *next_string(char **at, const char *end)
{
	char *found = *at;

	if (found >= end)
		die("the file ends too early");
	*at += strlen(found) + 1;
	return found;
}

static void run_all(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text, *at, *end;
	size_t n = 0;

	if (fd < 0 || fstat(fd, &st) < 0 || !(text = calloc(1, (size_t)st.st_size + 1)) ||
	    read(fd, text, (size_t)st.st_size) != st.st_size)
		die(path);
	close(fd);
	for (at = text, end = text + st.st_size; at < end; n++) {
		const char *state = next_string(&at, end);
		size_t n_words = strtoul(next_string(&at, end), NULL, 10);
		char *words[MAX_WORDS + 1] = { NULL };

		if (n_words > MAX_WORDS)
			die("too many words");
		for (size_t i = 0; i < n_words; i++)
			words[i] = next_string(&at, end);
		run(n, state, words);
		if (n % 50 == 49) {
			printf("\nNG-BESIDE %zu\n", n + 1);
			fflush(NULL);
		}
	}
	fprintf(out, "{\"runs\":%zu}\n", n);
	free(text);
}

int main(int argc, char **argv)
{
	static const char port[] = "/dev/ttyS1";
	struct termios mode;
	int fd;

	if (strstr(argv[0], "shutdown")) {
		close(open(mark, O_WRONLY | O_CREAT, 0600));
		return argc == 3 && !strcmp(argv[1], "-r") && !strcmp(argv[2], "now") ? 0 : 1;
	}
	fd = open(port, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (argc != 2 || fd < 0 || tcgetattr(fd, &mode))
		die("the second serial port");
	cfmakeraw(&mode);
	cfsetspeed(&mode, B115200);
	tcsetattr(fd, TCSANOW, &mode);
	out = fdopen(fd, "w");
	signal(SIGALRM, on_alarm);
	fprintf(out, "\n");
	run_all(argv[1]);
	fflush(out);
	tcdrain(fd);
	return 0;
}
