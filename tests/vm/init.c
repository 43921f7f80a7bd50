// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * init of the test guests: does the commands of one job file, tells on the console, powers off.
 *
 * The job is /jobs/NAME if the kernel command line has ng.job=NAME, else /job. A line is one
 * command: words, with '' and "" as quotes, and # for a comment. All that the host reads starts
 * with NG-. Whatever goes wrong says "NG-FAIL why" and ends the guest: it never waits for ever.
 *
 *	run ARGV...		runs a program; its exit status must be 0
 *	run-expect N ARGV...	the same, and the status must be N
 *	facts			what this kernel is and got: one line of JSON
 *	proof TEXT		who got here: release and command line
 *	expect-file PATH	PATH must exist
 *	write PATH TEXT		writes TEXT into PATH (a knob of /proc or /sys)
 *	remove PATH		deletes the file
 *	show PATH		prints the file
 *	pack OUT PATH...	a new cpio archive of files and whole directories
 *	dump-tree PATH...	the same to the second serial port, of what can be read under PATH
 *	save-log PATH		writes the kernel's log so far into PATH
 *	head PATH LEN OUT	a new file OUT with the first LEN bytes of PATH
 *	search PATH TEXT	how often TEXT is in the file, which may be larger than memory
 *	fill PATH MIB SEED	appends so much of what only SEED gives to the file
 *	append PATH FILE	appends the bytes of FILE
 *	filled PATH MIB SEED	the file must be what "fill" makes
 *	symbols			what is in /proc/kallsyms, in short: one line of JSON
 *	trace PATH		a sum of the file's bytes, the time stamp counter, the zero page: one
 *				line of JSON
 *	bind FROM TO		what is in the folder FROM is seen in TO, too
 *	load-module PATH	loads a kernel module
 *	mark SEED		fills pages of memory with what only SEED gives, for vmcore to find
 *	vmcore SEED A B		reads all of /proc/vmcore: its structure, marked pages, and whether
 *				"A B" is in it; one line of JSON
 *	on-cpu N COMMAND...	the command, on that CPU
 *	without-boot COMMAND...	the command, whose program has no CAP_SYS_BOOT
 *	as-nobody COMMAND...	the command, whose program is of a user who is not root
 *	xattr PATH NAME HEX	gives the file an extended attribute
 *	wait			until the host sends a line
 *	await PATH TEXT		until the file is TEXT
 *	limit SECONDS		for all that follows, from here
 *	sleep SECONDS, poweroff, reboot
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <termios.h>
#include <unistd.h>

enum {
	MAX_WORDS = 64,
	MAX_DUMPED = 1 << 20,	/* bytes of one file; nothing a loader reads is larger */
	DEFAULT_LIMIT = 300,	/* seconds */
	PAGE = 4096,
	MARKED_PAGES = 64,
	MAX_LOG = 1 << 20,	/* bytes; the test kernels have less */
	KLOG_READ_ALL = 3,
	KLOG_CONSOLE_LEVEL = 8,
	KLOG_EMERGENCIES_ONLY = 1,
};

static _Noreturn void leave(int how)
{
	fflush(NULL);
	tcdrain(STDOUT_FILENO);
	sync();
	reboot(how);
	_exit(1);	/* init exits: the kernel panics, and panic=-1 resets */
}

/* Ends the guest. */
static _Noreturn __attribute__((format(printf, 1, 2))) void failed(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("\nNG-FAIL ");
	vprintf(format, args);
	printf("\n");
	va_end(args);
	leave(RB_POWER_OFF);
}

static void on_alarm(int signal)
{
	static const char message[] = "\nNG-FAIL the guest's own time limit\n";
	ssize_t ignored = write(STDOUT_FILENO, message, sizeof(message) - 1);

	(void)signal;
	(void)ignored;
	reboot(RB_POWER_OFF);
	_exit(1);
}

/* ------------------------------------------------------------------------------- reading files */

/* At most max bytes of path and a NUL; NULL if it cannot be read. The caller frees. */
static char *slurp(const char *path, size_t max, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	size_t len = 0, size = 4096;
	ssize_t got = 0;
	char *buffer;

	if (fd < 0)
		return NULL;
	buffer = malloc(size + 1);
	while (buffer && len < max && (got = read(fd, buffer + len, size - len)) > 0) {
		len += (size_t)got;
		if (len == size)
			buffer = realloc(buffer, (size *= 2) + 1);
	}
	close(fd);
	if (!buffer)
		failed("out of memory for %s", path);
	if (got < 0) {
		free(buffer);
		return NULL;
	}
	buffer[len] = '\0';
	if (ret_len)
		*ret_len = len;
	return buffer;
}

/* The file's text without its last newline; "" if it cannot be read. The caller frees. */
static char *text_of(const char *path)
{
	size_t len = 0;
	char *text = slurp(path, MAX_DUMPED, &len);

	if (!text)
		return strdup("");
	if (len && text[len - 1] == '\n')
		text[len - 1] = '\0';
	return text;
}

/* The number after key in a file of "key value" lines; 0 if there is none. */
static unsigned long long number_after(const char *path, const char *key)
{
	char *text = text_of(path);
	const char *at = strstr(text, key);
	unsigned long long number = at ? strtoull(at + strlen(key), NULL, 0) : 0;

	free(text);
	return number;
}

static void print_json(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < ' ' || c > '~')
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

/* ----------------------------------------------------------------------------------- the facts */

#define DIGEST_START	0xcbf29ce484222325

struct map_entry {
	unsigned long long start, end;
	char type[40];
};

static int by_start(const void *a, const void *b)
{
	const struct map_entry *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

/* FNV-1a: to compare, not to protect. */
static uint64_t digest_of(uint64_t digest, const char *text)
{
	for (; *text; text++)
		digest = (digest ^ (unsigned char)*text) * 0x100000001b3;
	return digest;
}

/* The memory map this kernel was given, as it shows it in /sys/firmware/memmap. */
static void print_memmap(void)
{
	static struct map_entry map[1024];
	uint64_t digest = DIGEST_START;
	unsigned long long ram = 0;
	size_t n = 0;

	for (; n < sizeof(map) / sizeof(map[0]); n++) {
		char path[80];
		char *start, *end, *type;

		snprintf(path, sizeof(path), "/sys/firmware/memmap/%zu/start", n);
		if (access(path, F_OK))
			break;
		start = text_of(path);
		snprintf(path, sizeof(path), "/sys/firmware/memmap/%zu/end", n);
		end = text_of(path);
		snprintf(path, sizeof(path), "/sys/firmware/memmap/%zu/type", n);
		type = text_of(path);
		map[n].start = strtoull(start, NULL, 0);
		map[n].end = strtoull(end, NULL, 0);
		snprintf(map[n].type, sizeof(map[n].type), "%s", type);
		if (!strcmp(type, "System RAM"))
			ram += map[n].end - map[n].start + 1;
		free(start);
		free(end);
		free(type);
	}
	qsort(map, n, sizeof(map[0]), by_start);
	for (size_t i = 0; i < n; i++) {
		char line[100];

		snprintf(line, sizeof(line), "%llx-%llx %s\n", map[i].start, map[i].end,
			 map[i].type);
		digest = digest_of(digest, line);
	}
	printf(",\"memmap\":%zu,\"memmap_digest\":\"%016llx\",\"memmap_ram\":%llu", n,
	       (unsigned long long)digest, ram);
}

/* What the loader wrote into boot_params, where this kernel kept it. */
static void print_boot_params(void)
{
	enum {
		TEXT_LINES_OFF = 0x0e,
		VIDEO_OFF = 0x0f,
		RSDP_OFF = 0x70,
		EFI_SIGNATURE_OFF = 0x1c0,
		SENTINEL_OFF = 0x1ef,
		LOADER_OFF = 0x210,
		LOADFLAGS_OFF = 0x211,
	};
	size_t len = 0;
	char *data = slurp("/sys/kernel/boot_params/data", 4096, &len);
	uint64_t rsdp;

	if (!data || len < 4096)
		failed("/sys/kernel/boot_params/data has %zu bytes", len);
	memcpy(&rsdp, data + RSDP_OFF, sizeof(rsdp));
	printf(",\"rsdp\":\"0x%llx\",\"loader\":\"0x%02x\",\"video\":\"0x%02x\",\"sentinel\":%d",
	       (unsigned long long)rsdp, (unsigned char)data[LOADER_OFF],
	       (unsigned char)data[VIDEO_OFF], (unsigned char)data[SENTINEL_OFF]);
	printf(",\"loadflags\":\"0x%02x\",\"text_lines\":%d", (unsigned char)data[LOADFLAGS_OFF],
	       (unsigned char)data[TEXT_LINES_OFF]);
	data[EFI_SIGNATURE_OFF + 4] = '\0';
	printf(",\"efi_signature\":");
	print_json(data + EFI_SIGNATURE_OFF);
	free(data);
}

/* Physical address of what /proc/iomem calls name; 0 if it is not there. */
static unsigned long long iomem_start(const char *name)
{
	char *map = text_of("/proc/iomem"), *rest = map, *line;
	unsigned long long start = 0;

	while (!start && (line = strsep(&rest, "\n"))) {
		char *colon = strstr(line, " : ");

		if (colon && !strcmp(colon + 3, name))
			start = strtoull(line, NULL, 16);
	}
	free(map);
	return start;
}

/* A line of /proc/kallsyms: "ffffffff81000000 T _text", of a module with "\t[module]" behind. */
static unsigned long long read_symbol(FILE *in, char *line, int size, const char **ret_name)
{
	char *name;

	if (!fgets(line, size, in))
		return 0;
	line[strcspn(line, "\n")] = '\0';
	name = strrchr(line, ' ');
	*ret_name = name ? name + 1 : "";
	return strtoull(line, NULL, 16);
}

/* Virtual address of a symbol; 0 if there is none of that name. Those of code come early. */
static unsigned long long address_of(const char *wanted)
{
	FILE *in = fopen("/proc/kallsyms", "r");
	unsigned long long address = 0;
	const char *name;
	char line[600];

	if (!in)
		return 0;
	do {
		name = NULL;
		address = read_symbol(in, line, sizeof(line), &name);
	} while (name && strcmp(name, wanted));
	fclose(in);
	return name ? address : 0;
}

static unsigned int count_entries(const char *path)
{
	DIR *dir = opendir(path);
	unsigned int n = 0;

	if (!dir)
		return 0;
	for (const struct dirent *entry; (entry = readdir(dir)); )
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

/* /initrd-part-* are files that the host puts into the parts of an initrd. */
static void print_parts(void)
{
	DIR *dir = opendir("/");
	const char *comma = "";

	printf(",\"parts\":{");
	for (const struct dirent *entry; dir && (entry = readdir(dir)); ) {
		char path[300];
		char *text;

		if (strncmp(entry->d_name, "initrd-part-", 12))
			continue;
		snprintf(path, sizeof(path), "/%s", entry->d_name);
		text = text_of(path);
		printf("%s", comma);
		print_json(entry->d_name + 12);
		putchar(':');
		print_json(text);
		free(text);
		comma = ",";
	}
	putchar('}');
	if (dir)
		closedir(dir);
}

static void do_facts(void)
{
	struct utsname name;
	char *cmdline = text_of("/proc/cmdline");
	char *cpuinfo = text_of("/proc/cpuinfo");

	uname(&name);
	printf("\nNG-FACTS {\"release\":");
	print_json(name.release);
	printf(",\"machine\":");
	print_json(name.machine);
	printf(",\"cmdline\":");
	print_json(cmdline);
	printf(",\"cpus\":%ld,\"la57\":%s,\"mem_kib\":%llu", sysconf(_SC_NPROCESSORS_ONLN),
	       strstr(cpuinfo, " la57") ? "true" : "false",
	       number_after("/proc/meminfo", "MemTotal:"));
	printf(",\"acpi_tables\":%u,\"efi\":%s,\"efi_runtime_maps\":%u",
	       count_entries("/sys/firmware/acpi/tables"),
	       access("/sys/firmware/efi", F_OK) ? "false" : "true",
	       count_entries("/sys/firmware/efi/runtime-map"));
	printf(",\"kernel_code\":\"0x%llx\",\"text\":\"0x%llx\"", iomem_start("Kernel code"),
	       address_of("_text"));
	print_boot_params();
	print_memmap();
	print_parts();
	printf("}\n");
	free(cmdline);
	free(cpuinfo);
}

/* The kernel's own symbols: all of them in a digest, and where it begins and ends. */
static void do_symbols(void)
{
	FILE *in = fopen("/proc/kallsyms", "r");
	unsigned long long address, text = 0, end = 0;
	uint64_t digest = DIGEST_START;
	const char *name;
	char line[600];
	unsigned int n = 0;

	for (; in; n++) {
		name = NULL;
		address = read_symbol(in, line, sizeof(line), &name);
		if (!name || strchr(line, '\t'))
			break;
		if (!strcmp(name, "_text"))
			text = address;
		if (!strcmp(name, "_end"))
			end = address;
		digest = digest_of(digest, line);
	}
	if (in)
		fclose(in);
	printf("\nNG-SYMBOLS {\"n\":%u,\"digest\":\"%016llx\"", n, (unsigned long long)digest);
	printf(",\"text\":\"0x%llx\",\"end\":\"0x%llx\"}\n", text, end);
}

static void do_symbol(char **words)
{
	unsigned long long address = words[1] ? address_of(words[1]) : 0;

	if (!address)
		failed("symbol %s: not there", words[1] ? words[1] : "");
	printf("\nNG-SYMBOL %s 0x%llx\n", words[1], address);
}

static void do_proof(char **words)
{
	struct utsname name;
	char *cmdline = text_of("/proc/cmdline");

	if (!words[1])
		failed("proof: no text");
	uname(&name);
	printf("\nNG-PROOF %s release=%s cmdline=%s\n", words[1], name.release, cmdline);
	free(cmdline);
}

/* ------------------------------------------------------------------------------------ archives */

static void put_padded(FILE *out, const void *bytes, size_t len)
{
	static const char zeros[4];

	if (fwrite(bytes, 1, len, out) != len || fwrite(zeros, 1, -len & 3, out) != (-len & 3))
		failed("writing an archive: %m");
}

/* One member in the "newc" format: 13 numbers of 8 hex digits, the name, the contents. */
static void put_member(FILE *out, const char *path, unsigned int mode, const void *bytes,
		       size_t len)
{
	static unsigned int inode;
	const char *name = path[0] == '/' ? path + 1 : path;
	char header[PATH_MAX + 120];
	int used = snprintf(header, sizeof(header),
			    "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x%s",
			    ++inode, mode, 0, 0, 1, 0, len, 0, 0, 0, 0, strlen(name) + 1, 0, name);

	if (used < 0 || (size_t)used >= sizeof(header))
		failed("archive name too long: %.100s", path);
	put_padded(out, header, (size_t)used + 1);
	put_padded(out, bytes, len);
}

static void put_file(FILE *out, const char *path, const struct stat *st, size_t max)
{
	size_t len;
	char *bytes = slurp(path, max, &len);

	if (bytes)
		put_member(out, path, st->st_mode, bytes, len);
	free(bytes);
}

static void put_tree(FILE *out, const char *path, size_t max, int follow);

/* The entries of a directory: with all below it, or only its own files and links. */
static void put_entries(FILE *out, const char *path, size_t max, int follow, int deep)
{
	DIR *dir = opendir(path);

	for (const struct dirent *entry; dir && (entry = readdir(dir)); ) {
		char below[PATH_MAX];

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (snprintf(below, sizeof(below), "%s/%s", path, entry->d_name) >= PATH_MAX)
			failed("path too long below %s", path);
		if (deep || entry->d_type == DT_REG || entry->d_type == DT_LNK)
			put_tree(out, below, max, deep ? follow : 0);
	}
	if (dir)
		closedir(dir);
}

/* A link to a directory brings, if follow is set, that directory's own files with it. */
static void put_link(FILE *out, const char *path, const struct stat *st, size_t max, int follow)
{
	char to[PATH_MAX];
	ssize_t len = readlink(path, to, sizeof(to));
	char *real = follow ? realpath(path, NULL) : NULL;

	if (len >= 0)
		put_member(out, path, st->st_mode, to, (size_t)len);
	if (real)
		put_entries(out, real, max, 0, 0);
	free(real);
}

static void put_tree(FILE *out, const char *path, size_t max, int follow)
{
	struct stat st;

	if (lstat(path, &st))
		return;
	if (S_ISREG(st.st_mode)) {
		put_file(out, path, &st, max);
	} else if (S_ISLNK(st.st_mode)) {
		put_link(out, path, &st, max, follow);
	} else if (S_ISDIR(st.st_mode)) {
		put_member(out, path, st.st_mode, "", 0);
		put_entries(out, path, max, follow, 1);
	}
}

static void put_archive(const char *to, int fd, char **paths, size_t max, int follow)
{
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");

	if (!out)
		failed("cannot write %s: %m", to);
	for (; *paths; paths++)
		put_tree(out, *paths, max, follow);
	put_member(out, "TRAILER!!!", 0, "", 0);
	if (fclose(out))
		failed("writing %s: %m", to);
}

static void do_pack(char **words)
{
	if (!words[1] || !words[2])
		failed("pack: wants OUT PATH...");
	put_archive(words[1], open(words[1], O_WRONLY | O_CREAT | O_TRUNC, 0600), words + 2,
		    SIZE_MAX, 0);
}

static void do_dump_tree(char **words)
{
	static const char port[] = "/dev/ttyS1", start_mark[] = "NG-DUMP\n";
	int fd = open(port, O_RDWR | O_NOCTTY);
	struct termios mode;

	if (fd < 0 || tcgetattr(fd, &mode))
		failed("no second serial port: %m");
	cfmakeraw(&mode);
	cfsetspeed(&mode, B115200);
	tcsetattr(fd, TCSANOW, &mode);
	/* The firmware may have talked here before. */
	if (write(fd, start_mark, strlen(start_mark)) < 0)
		failed("%s: %m", port);
	put_archive(port, dup(fd), words + 1, MAX_DUMPED, 1);
	tcdrain(fd);
	close(fd);
	printf("\nNG-DUMPED\n");
}

/* ------------------------------------------------------------------------------------ programs */

/* Whose programs are run. */
static enum whose {
	OF_ROOT,
	WITHOUT_BOOT,
	OF_NOBODY,
} whose;

static void become(enum whose who)
{
	enum { NOBODY = 65534 };

	if (who == WITHOUT_BOOT && prctl(PR_CAPBSET_DROP, CAP_SYS_BOOT))
		failed("without-boot: %m");
	if (who == OF_NOBODY && (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY)))
		failed("as-nobody: %m");
}

static void do_run(long expected, char **argv)
{
	int status;
	pid_t pid;

	if (!argv[0])
		failed("run: no program");
	printf("\nNG-RUN");
	for (char **word = argv; *word; word++)
		printf(" %s", *word);
	printf("\n");
	fflush(NULL);
	pid = fork();
	if (!pid) {
		become(whose);
		execv(argv[0], argv);
		printf("cannot run %s: %m\n", argv[0]);
		fflush(NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		failed("fork: %m");
	if (WIFSIGNALED(status))
		failed("%s died of signal %d", argv[0], WTERMSIG(status));
	printf("\nNG-STATUS %d\n", WEXITSTATUS(status));
	if (WEXITSTATUS(status) != expected)
		failed("%s %s: status %d, expected %ld", argv[0], argv[1] ? argv[1] : "",
		       WEXITSTATUS(status), expected);
}

static void do_bind(char **words)
{
	if (!words[1] || !words[2] || mount(words[1], words[2], NULL, MS_BIND, NULL))
		failed("bind %s: %m", words[1] ? words[1] : "what?");
}

static void do_write(char **words)
{
	int fd;

	if (!words[1] || !words[2])
		failed("write: wants PATH TEXT");
	fd = open(words[1], O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, words[2], strlen(words[2])) < 0 || close(fd))
		failed("write %s: %m", words[1]);
}

/* What a long chain of kernels could wear out: bytes handed on, the clock, the zero page. */
static void do_trace(char **words)
{
	size_t len, page_len;
	char *bytes, *page;
	uint64_t sum = 14695981039346656037u;	/* FNV-1a */

	if (!words[1])
		failed("trace: no path");
	bytes = slurp(words[1], SIZE_MAX, &len);
	page = slurp("/sys/kernel/boot_params/data", 8192, &page_len);
	if (!bytes || !page)
		failed("trace: cannot read %s or the zero page: %m", words[1]);
	for (size_t i = 0; i < len; i++)
		sum = (sum ^ (unsigned char)bytes[i]) * 1099511628211u;
	printf("\nNG-TRACE {\"len\":%zu,\"sum\":\"%llx\",\"tsc\":%llu,\"boot_params\":\"", len,
	       (unsigned long long)sum, (unsigned long long)__builtin_ia32_rdtsc());
	for (size_t i = 0; i < page_len; i++)
		printf("%02x", (unsigned char)page[i]);
	printf("\"}\n");
	free(bytes);
	free(page);
}

static void do_show(char **words)
{
	char *text;

	if (!words[1])
		failed("show: no path");
	text = text_of(words[1]);
	printf("\nNG-SHOW %s\n%s\nNG-SHOWN\n", words[1], text);
	free(text);
}

static void do_save_log(char **words)
{
	char *log = malloc(MAX_LOG);
	int len = log ? klogctl(KLOG_READ_ALL, log, MAX_LOG) : -1;
	FILE *out = words[1] ? fopen(words[1], "w") : NULL;

	if (len < 0 || !out || fwrite(log, 1, (size_t)len, out) != (size_t)len || fclose(out))
		failed("save-log: %m");
	free(log);
}

static void do_head(char **words)
{
	size_t want = words[1] && words[2] ? strtoul(words[2], NULL, 0) : 0, len = 0;
	FILE *out = want && words[3] ? fopen(words[3], "w") : NULL;
	char *bytes = out ? slurp(words[1], want, &len) : NULL;

	if (!bytes)
		failed("head: cannot read or write: %m");
	len = len < want ? len : want;
	if (fwrite(bytes, 1, len, out) != len || fclose(out))
		failed("head %s: %m", words[3]);
	free(bytes);
}

static void do_search(char **words)
{
	static char buffer[1 << 20];
	size_t text_len = words[1] && words[2] ? strlen(words[2]) : 0, kept = 0;
	int fd = text_len ? open(words[1], O_RDONLY | O_CLOEXEC) : -1;
	unsigned int n_found = 0;
	ssize_t got;

	if (fd < 0)
		failed("search %s: %m", words[1] ? words[1] : "(no path)");
	while ((got = read(fd, buffer + kept, sizeof(buffer) - kept)) > 0) {
		size_t len = kept + (size_t)got, at = 0;

		for (char *hit; (hit = memmem(buffer + at, len - at, words[2], text_len)); n_found++)
			at = (size_t)(hit - buffer) + text_len;
		/* What may begin here and go on in the next part. */
		kept = len - at < text_len ? len - at : text_len - 1;
		memmove(buffer, buffer + len - kept, kept);
	}
	if (got < 0)
		failed("search %s: %m", words[1]);
	close(fd);
	printf("\nNG-FOUND %u %s in %s\n", n_found, words[2], words[1]);
}

static void do_load_module(char **words)
{
	int fd = words[1] ? open(words[1], O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
		failed("load-module %s: %m", words[1] ? words[1] : "(no path)");
	close(fd);
}

/* ------------------------------------------------------------------------------------ the dump */

/* A page that no file has: xorshift64* from the seed, the page's number in front. */
static void fill_page(uint64_t *page, uint64_t seed, uint64_t number)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15 + 1;

	for (size_t i = 0; i < PAGE / sizeof(*page); i++) {
		x ^= x >> 12;
		x ^= x << 25;
		x ^= x >> 27;
		page[i] = x * 0x2545f4914f6cdd1d;
	}
	page[1] = number;
}

/* The seed and the number of pages of "fill" and "filled". */
static uint64_t pages_of(char **words, uint64_t *ret_n)
{
	if (!words[1] || !words[2] || !words[3])
		failed("%s: wants PATH MIB SEED", words[0]);
	*ret_n = strtoull(words[2], NULL, 0) << 20 >> 12;
	return strtoull(words[3], NULL, 0);
}

static void do_fill(char **words)
{
	uint64_t page[PAGE / sizeof(uint64_t)], n, seed = pages_of(words, &n);
	FILE *out = fopen(words[1], "a");

	for (uint64_t i = 0; out && i < n; i++) {
		fill_page(page, seed + i, i);
		if (fwrite(page, PAGE, 1, out) != 1)
			failed("fill %s: %m", words[1]);
	}
	if (!out || fclose(out))
		failed("fill %s: %m", words[1]);
	printf("\nNG-FILLED %s\n", words[1]);
}

static void do_filled(char **words)
{
	uint64_t page[PAGE / sizeof(uint64_t)], found[PAGE / sizeof(uint64_t)];
	uint64_t n, seed = pages_of(words, &n);
	FILE *in = fopen(words[1], "r");

	for (uint64_t i = 0; i < n; i++) {
		fill_page(page, seed + i, i);
		if (!in || fread(found, PAGE, 1, in) != 1 || memcmp(page, found, PAGE))
			failed("%s is not what was filled in, at page %llu", words[1],
			       (unsigned long long)i);
	}
	if (fgetc(in) != EOF)
		failed("%s is longer than what was filled in", words[1]);
	fclose(in);
	printf("\nNG-AS-FILLED %s\n", words[1]);
}

static void do_append(char **words)
{
	static char buffer[1 << 16];
	FILE *in = words[1] && words[2] ? fopen(words[2], "r") : NULL;
	FILE *out = in ? fopen(words[1], "a") : NULL;
	size_t got;

	if (!out)
		failed("append: %m");
	while ((got = fread(buffer, 1, sizeof(buffer), in)) > 0)
		if (fwrite(buffer, 1, got, out) != got)
			failed("append %s: %m", words[1]);
	fclose(in);
	if (fclose(out))
		failed("append %s: %m", words[1]);
}

static void do_mark(char **words)
{
	uint64_t *pages = mmap(NULL, MARKED_PAGES * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (!words[1] || pages == MAP_FAILED)
		failed("mark: %m");
	for (size_t i = 0; i < MARKED_PAGES; i++)
		fill_page(pages + i * PAGE / sizeof(*pages), strtoull(words[1], NULL, 0), i);
	printf("\nNG-MARKED\n");
}

struct vmcore {
	unsigned int bits, machine, n_notes, n_loads, n_cpus, has_text;
	unsigned long long len;
	uint64_t marked;	/* a bit for each page */
	int has_log;
	char release[80];
};

/* Notes of all CPUs and vmcoreinfo, which the kernel has joined. */
static void read_vmcore_notes(struct vmcore *v, const char *notes, size_t len)
{
	static const char key[] = "OSRELEASE=";

	for (size_t at = 0; at + sizeof(Elf64_Nhdr) <= len;) {
		Elf64_Nhdr n;
		const char *name = notes + at + sizeof(n), *text;

		memcpy(&n, notes + at, sizeof(n));
		at += sizeof(n) + ((n.n_namesz + 3) & ~3u);
		if (at + n.n_descsz > len)
			failed("/proc/vmcore: a note ends beyond its segment");
		v->n_cpus += n.n_namesz == 5 && !strcmp(name, "CORE") && n.n_type == NT_PRSTATUS;
		if (n.n_namesz == 11 && !strcmp(name, "VMCOREINFO")) {
			text = memmem(notes + at, n.n_descsz, key, strlen(key));
			if (text)
				sscanf(text + strlen(key), "%79[^\n]", v->release);
		}
		at += (n.n_descsz + 3) & ~3u;
	}
}

static void read_exactly(int fd, void *to, size_t len, off_t off)
{
	char *at = to;

	while (len > 0) {
		ssize_t got = pread(fd, at, len, off);

		if (got <= 0)
			failed("/proc/vmcore: %zu bytes at %lld: %s", len, (long long)off,
			       got ? strerror(errno) : "it ends");
		at += got;
		off += got;
		len -= (size_t)got;
	}
}

static void look_for(struct vmcore *v, const char *data, size_t len, uint64_t seed,
		     const char *text)
{
	uint64_t wanted[PAGE / sizeof(uint64_t)];

	fill_page(wanted, seed, 0);
	for (size_t at = 0; at + PAGE <= len; at += PAGE) {
		uint64_t first, number;

		memcpy(&first, data + at, sizeof(first));
		memcpy(&number, data + at + sizeof(first), sizeof(number));
		if (first != wanted[0] || number >= MARKED_PAGES)
			continue;
		wanted[1] = number;
		if (!memcmp(data + at, wanted, PAGE))
			v->marked |= 1ULL << number;
	}
	if (!v->has_log && memmem(data, len, text, strlen(text)))
		v->has_log = 1;
}

static void read_vmcore_load(struct vmcore *v, int fd, const Elf64_Phdr *p, uint64_t seed,
			     const char *text)
{
	static char data[1 << 18];

	v->n_loads++;
	/* The kernel itself is in RAM, too. */
	if (p->p_vaddr >= 0xffffffff80000000) {
		v->has_text++;
		return;
	}
	v->len += p->p_filesz;
	for (uint64_t at = 0; at < p->p_filesz; at += sizeof(data)) {
		uint64_t left = p->p_filesz - at;
		size_t len = left < sizeof(data) ? (size_t)left : sizeof(data);

		read_exactly(fd, data, len, (off_t)(p->p_offset + at));
		look_for(v, data, len, seed, text);
	}
}

static void read_phdr(int fd, unsigned int bits, size_t i, Elf64_Phdr *ret)
{
	Elf32_Phdr narrow;

	if (bits == 64) {
		read_exactly(fd, ret, sizeof(*ret), (off_t)(sizeof(Elf64_Ehdr) + i * sizeof(*ret)));
		return;
	}
	read_exactly(fd, &narrow, sizeof(narrow),
		     (off_t)(sizeof(Elf32_Ehdr) + i * sizeof(narrow)));
	*ret = (Elf64_Phdr){ .p_type = narrow.p_type, .p_offset = narrow.p_offset,
			     .p_vaddr = narrow.p_vaddr, .p_paddr = narrow.p_paddr,
			     .p_filesz = narrow.p_filesz, .p_memsz = narrow.p_memsz };
}

static void read_vmcore(struct vmcore *v, int fd, uint64_t seed, const char *text)
{
	union {
		Elf64_Ehdr wide;
		Elf32_Ehdr narrow;
	} head;
	size_t n;

	read_exactly(fd, &head, sizeof(head), 0);
	v->bits = head.wide.e_ident[EI_CLASS] == ELFCLASS64 ? 64 : 32;
	n = v->bits == 64 ? head.wide.e_phnum : head.narrow.e_phnum;
	if (memcmp(&head, ELFMAG, SELFMAG) || head.wide.e_type != ET_CORE)
		failed("/proc/vmcore is no core file");
	for (size_t i = 0; i < n; i++) {
		Elf64_Phdr p;
		char *notes;

		read_phdr(fd, v->bits, i, &p);
		if (p.p_type == PT_LOAD)
			read_vmcore_load(v, fd, &p, seed, text);
		if (p.p_type != PT_NOTE)
			continue;
		v->n_notes++;
		notes = malloc(p.p_filesz);
		if (!notes)
			failed("/proc/vmcore: %llu bytes of notes", (unsigned long long)p.p_filesz);
		read_exactly(fd, notes, p.p_filesz, (off_t)p.p_offset);
		read_vmcore_notes(v, notes, p.p_filesz);
		free(notes);
	}
}

static void do_vmcore(char **words)
{
	int fd = open("/proc/vmcore", O_RDONLY | O_CLOEXEC);
	struct vmcore v = { 0 };
	char text[200];

	if (fd < 0 || !words[1] || !words[2] || !words[3])
		failed("vmcore: %m");
	/* Not in one piece in the job: that is in the dead kernel's memory as well. */
	snprintf(text, sizeof(text), "%s %s", words[2], words[3]);
	read_vmcore(&v, fd, strtoull(words[1], NULL, 0), text);
	close(fd);
	printf("\nNG-VMCORE {\"bits\":%u,\"cpus\":%u,\"loads\":%u,\"text\":%u,\"len\":%llu,", v.bits,
	       v.n_cpus, v.n_loads, v.has_text, v.len);
	printf("\"marked\":%d,\"log\":%s,\"release\":", __builtin_popcountll(v.marked),
	       v.has_log ? "true" : "false");
	print_json(v.release);
	printf("}\n");
}

static void do_wait(void)
{
	char c;

	printf("\nNG-WAIT\n");
	fflush(NULL);
	do {
		if (read(STDIN_FILENO, &c, 1) != 1)
			failed("wait: %m");
	} while (c != '\n');
}

static void do_await(char **words)
{
	enum { TURN_US = 100 * 1000, TURNS = 600 };

	if (!words[1] || !words[2])
		failed("await: wants PATH TEXT");
	for (int i = 0; i < TURNS; i++) {
		char *text = text_of(words[1]);
		int is_there = !strcmp(text, words[2]);

		free(text);
		if (is_there)
			return;
		usleep(TURN_US);
	}
	failed("%s did not become %s", words[1], words[2]);
}

static unsigned int count_of(char **words)
{
	if (!words[1])
		failed("%s: no number", words[0]);
	return (unsigned int)strtoul(words[1], NULL, 0);
}

static void do_command(char **words);

static void do_on_cpu(char **words)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(count_of(words), &set);
	if (!words[2] || sched_setaffinity(0, sizeof(set), &set))
		failed("on-cpu %s: %m", words[1]);
	do_command(words + 2);
}

static void do_as(enum whose who, char **words)
{
	if (!words[1])
		failed("%s: no command", words[0]);
	whose = who;
	do_command(words + 1);
	whose = OF_ROOT;
}

static void do_xattr(char **words)
{
	char bytes[256], digits[3] = "";
	size_t n = 0;

	if (!words[1] || !words[2] || !words[3])
		failed("xattr: wants PATH NAME HEX");
	for (const char *at = words[3]; at[0] && at[1] && n < sizeof(bytes); at += 2) {
		memcpy(digits, at, 2);
		bytes[n++] = (char)strtoul(digits, NULL, 16);
	}
	if (setxattr(words[1], words[2], bytes, n, 0))
		failed("xattr %s of %s: %m", words[2], words[1]);
}

static void do_command(char **words)
{
	const char *verb = words[0];

	if (!strcmp(verb, "run")) {
		do_run(0, words + 1);
	} else if (!strcmp(verb, "run-expect")) {
		unsigned int status = count_of(words);

		do_run(status, words + 2);
	} else if (!strcmp(verb, "facts")) {
		do_facts();
	} else if (!strcmp(verb, "proof")) {
		do_proof(words);
	} else if (!strcmp(verb, "expect-file")) {
		if (!words[1] || access(words[1], F_OK))
			failed("there is no %s", words[1]);
	} else if (!strcmp(verb, "write")) {
		do_write(words);
	} else if (!strcmp(verb, "remove")) {
		if (!words[1] || unlink(words[1]))
			failed("remove %s: %m", words[1] ? words[1] : "what?");
	} else if (!strcmp(verb, "show")) {
		do_show(words);
	} else if (!strcmp(verb, "pack")) {
		do_pack(words);
	} else if (!strcmp(verb, "dump-tree")) {
		do_dump_tree(words);
	} else if (!strcmp(verb, "save-log")) {
		do_save_log(words);
	} else if (!strcmp(verb, "head")) {
		do_head(words);
	} else if (!strcmp(verb, "search")) {
		do_search(words);
	} else if (!strcmp(verb, "fill")) {
		do_fill(words);
	} else if (!strcmp(verb, "filled")) {
		do_filled(words);
	} else if (!strcmp(verb, "append")) {
		do_append(words);
	} else if (!strcmp(verb, "symbols")) {
		do_symbols();
	} else if (!strcmp(verb, "symbol")) {
		do_symbol(words);
	} else if (!strcmp(verb, "trace")) {
		do_trace(words);
	} else if (!strcmp(verb, "bind")) {
		do_bind(words);
	} else if (!strcmp(verb, "load-module")) {
		do_load_module(words);
	} else if (!strcmp(verb, "mark")) {
		do_mark(words);
	} else if (!strcmp(verb, "vmcore")) {
		do_vmcore(words);
	} else if (!strcmp(verb, "on-cpu")) {
		do_on_cpu(words);
	} else if (!strcmp(verb, "without-boot")) {
		do_as(WITHOUT_BOOT, words);
	} else if (!strcmp(verb, "as-nobody")) {
		do_as(OF_NOBODY, words);
	} else if (!strcmp(verb, "xattr")) {
		do_xattr(words);
	} else if (!strcmp(verb, "wait")) {
		do_wait();
	} else if (!strcmp(verb, "await")) {
		do_await(words);
	} else if (!strcmp(verb, "limit")) {
		alarm(count_of(words));
	} else if (!strcmp(verb, "sleep")) {
		sleep(count_of(words));
	} else if (!strcmp(verb, "poweroff")) {
		leave(RB_POWER_OFF);
	} else if (!strcmp(verb, "reboot")) {
		leave(RB_AUTOBOOT);
	} else {
		failed("no such command: %s", verb);
	}
}

/* ------------------------------------------------------------------------------------- the job */

/* Cuts a line into its words, in place; returns how many. words ends in NULL. */
static size_t split(char *line, char **words)
{
	size_t n = 0;
	char *from = line, *to;

	for (;;) {
		char quote = '\0';

		from += strspn(from, " \t");
		if (!*from || *from == '#')
			break;
		if (n == MAX_WORDS - 1)
			failed("more than %d words", MAX_WORDS - 1);
		words[n++] = to = from;
		for (; *from && (quote || !strchr(" \t", *from)); from++) {
			if (quote ? *from == quote : *from == '\'' || *from == '"')
				quote = quote ? '\0' : *from;
			else
				*to++ = *from;
		}
		if (quote)
			failed("no end of the quote in: %s", line);
		if (*from)
			from++;
		*to = '\0';
	}
	words[n] = NULL;
	return n;
}

/* The job's file name: ng.job= of the kernel command line decides. */
static void find_job(char *ret_path, size_t size)
{
	static const char key[] = "ng.job=";
	char *cmdline = text_of("/proc/cmdline");
	char *at = strstr(cmdline, key);

	if (at) {
		at += strlen(key);
		at[strcspn(at, " \n")] = '\0';
		snprintf(ret_path, size, "/jobs/%s", at);
	} else {
		snprintf(ret_path, size, "/job");
	}
	free(cmdline);
}

static void mount_at(const char *type, const char *path)
{
	mkdir(path, 0755);
	if (mount(type, path, type, 0, NULL) && errno != EBUSY)
		failed("mount %s: %m", path);
}

static void start(void)
{
	int console;

	mkdir("/dev", 0755);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	console = open("/dev/console", O_RDWR);
	if (console >= 0) {
		dup2(console, STDIN_FILENO);
		dup2(console, STDOUT_FILENO);
		dup2(console, STDERR_FILENO);
	}
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	signal(SIGALRM, on_alarm);
	alarm(DEFAULT_LIMIT);
	mount_at("proc", "/proc");
	mount_at("sysfs", "/sys");
	mount("securityfs", "/sys/kernel/security", "securityfs", 0, NULL);
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	/* From here on the console is ours: a line of ours is not cut by one of the kernel's. */
	klogctl(KLOG_CONSOLE_LEVEL, NULL, KLOG_EMERGENCIES_ONLY);
}

int main(void)
{
	char path[256];
	char *job, *line, *rest;

	start();
	find_job(path, sizeof(path));
	job = slurp(path, MAX_DUMPED, NULL);
	if (!job)
		failed("no job %s", path);
	rest = job;
	while ((line = strsep(&rest, "\n"))) {
		char *words[MAX_WORDS];

		if (split(line, words))
			do_command(words);
		fflush(NULL);
	}
	printf("\nNG-END\n");
	leave(RB_POWER_OFF);
}
