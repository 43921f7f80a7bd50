// SPDX-License-Identifier: GPL-2.0-or-later
/* vmcore-dmesg CORE: the log of the kernel whose memory that is. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "advice.h"
#include "printk_log.h"

#define STATUS_OK	0
#define STATUS_USAGE	1
#define STATUS_FAILED	2	/* nothing was printed */
#define STATUS_PARTIAL	3	/* some of the log was */

/* -------------------------------------------------------------------------------------- messages */

static void print_clean(const char *text)
{
	for (; *text != '\0'; text++)
		fputc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, stderr);
}

static void report(const char *path, const struct diag *diag)
{
	fputs("vmcore-dmesg: ", stderr);
	print_clean(path);
	fputs(": ", stderr);
	print_clean(diag->text);
	fprintf(stderr, " [%s]\n", diag->id);
	fputs("vmcore-dmesg: try: ", stderr);
	print_clean(advice_of(diag));
	fputc('\n', stderr);
}

static void print_help(FILE *out)
{
	fputs("usage: vmcore-dmesg CORE\n"
	      "\n"
	      "Prints the kernel log out of a crash dump: /proc/vmcore in the system that runs\n"
	      "after the crash, or an ELF file that was saved from it.\n"
	      "\n"
	      "  -h, --help     this text\n"
	      "  -v, --version  which version this is\n"
	      "\n"
	      "Exit status: 0, all of the log; 1, a wrong command line; 2, none of it;\n"
	      "3, some of it, because the core is damaged or cut short.\n",
	      out);
}

/* ------------------------------------------------------------------------------------------ files */

/* pread(), not mmap(): mapping /proc/vmcore takes page tables for all of the dead kernel's memory. */
static int read_exactly(void *context, uint64_t off, void *dst, size_t len)
{
	const int *fd = context;
	uint8_t *to = dst;

	while (len > 0) {
		ssize_t got = pread(*fd, to, len, (off_t)off);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return -ENODATA;
		to += got;
		off += (uint64_t)got;
		len -= (size_t)got;
	}
	return 0;
}

static int open_source(const char *path, int *fd, struct vmcore_source *ret, struct diag *diag)
{
	off_t len;

	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (*fd < 0 && errno == ENOENT && strcmp(path, "/proc/vmcore") == 0) {
		fail(diag, ENOENT, "vmcore/none", "this kernel was not started by a crash");
		return fail_advise(diag, "/proc/vmcore is there only in a capture kernel, loaded "
					 "with kexec -p");
	}
	if (*fd < 0)
		return fail(diag, errno, "vmcore/open", "cannot open it: %s", strerror(errno));
	/* Of a file, a block device, /proc/vmcore; not of a pipe. */
	len = lseek(*fd, 0, SEEK_END);
	if (len < 0)
		return fail(diag, errno, "vmcore/seek",
			    "a core is read at many places, and this cannot be: %s",
			    strerror(errno));
	*ret = (struct vmcore_source){ read_exactly, fd, (uint64_t)len };
	return 0;
}

static int put_stdout(void *context, const void *bytes, size_t len)
{
	(void)context;
	return fwrite(bytes, 1, len, stdout) == len ? 0 : -(errno > 0 ? errno : EIO);
}

/* What did not get out was not printed. */
static int flush_stdout(int r, struct printk_count *count, struct diag *diag)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return r;
	count->n_printed = 0;
	return fail(diag, errno > 0 ? errno : EIO, "vmcore/output", "cannot write the log: %s",
		    strerror(errno > 0 ? errno : EIO));
}

/* ------------------------------------------------------------------------------------------- main */

static int print_log(const char *path, struct arena *a)
{
	const struct printk_sink sink = { .put = put_stdout };
	struct printk_count count = { 0 };
	struct vmcore_source source;
	struct vmcore core;
	struct diag diag;
	int fd = -1, r;

	diag_init(&diag, a);
	r = open_source(path, &fd, &source, &diag);
	if (r == 0)
		r = vmcore_open(&source, a, &core, &diag);
	if (r == 0)
		r = printk_log_print(&core, &sink, &count, &diag);
	r = flush_stdout(r, &count, &diag);
	if (r < 0)
		report(path, &diag);
	else if (core.full_len > source.len)
		fprintf(stderr, "vmcore-dmesg: warning: the core is cut short (%" PRIu64
				" bytes of %" PRIu64 "), but all of its log is there "
				"[vmcore/truncated]\n",
			source.len, core.full_len);
	if (fd >= 0)
		close(fd);
	if (r == 0)
		return STATUS_OK;
	return count.n_printed > 0 ? STATUS_PARTIAL : STATUS_FAILED;
}

static bool is_option(const char *word, const char *brief, const char *full)
{
	return strcmp(word, brief) == 0 || strcmp(word, full) == 0;
}

int main(int argc, char *argv[])
{
	struct arena arena = { 0 };
	int status, first = 1;

	if (argc == 2 && is_option(argv[1], "-h", "--help")) {
		print_help(stdout);
		return fflush(stdout) == 0 ? STATUS_OK : STATUS_FAILED;
	}
	if (argc == 2 && is_option(argv[1], "-v", "--version")) {
		printf("vmcore-dmesg of kexec-ng %s\n", KEXEC_NG_VERSION);
		return fflush(stdout) == 0 ? STATUS_OK : STATUS_FAILED;
	}
	if (argc == 3 && strcmp(argv[1], "--") == 0)
		first = 2;
	else if (argc == 2 && argv[1][0] == '-' && argv[1][1] != '\0')
		first = argc;
	if (argc != first + 1) {
		print_help(stderr);
		return STATUS_USAGE;
	}
	status = print_log(argv[first], &arena);
	arena_free(&arena);
	return status;
}
