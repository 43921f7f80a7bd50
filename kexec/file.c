// SPDX-License-Identifier: GPL-2.0-or-later
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "checked.h"
#include "crc32c.h"

/* Both system calls refuse more: kexec_file_load by a limit of its own, kexec_load by half of RAM.
 */
#define FILE_LEN_MAX	(UINT64_C(64) * GIB)
#define COPY_CHUNK	(64 * KIB)
#define FINGERPRINT_CHUNK	(256 * KIB)

static int fail_errno(struct diag *diag, int error, const char *id, const char *what,
		      const char *path)
{
	/* The reason must still fit behind a long path. */
	return fail(diag, error, id, "cannot %s '%.500s': %s", what, path, strerror(error));
}

/* A stream is kept in memory: half of it is what the kernel would take at most. */
static uint64_t stream_len_max(void)
{
	long n_pages = sysconf(_SC_PHYS_PAGES);

	return n_pages > 0 ? min_u64((uint64_t)n_pages * PAGE_LEN / 2, FILE_LEN_MAX) : FILE_LEN_MAX;
}

static int write_all(int to, struct span bytes, const char *path, struct diag *diag)
{
	while (bytes.len > 0) {
		ssize_t put = write(to, bytes.data, bytes.len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return fail_errno(diag, put < 0 ? errno : ENOSPC, "file/buffer",
					  "keep the contents of", path);
		bytes = span_of(bytes.data + put, bytes.len - (size_t)put);
	}
	return 0;
}

static int copy_all(int from, int to, const char *path, struct diag *diag)
{
	const uint64_t len_max = stream_len_max();
	uint8_t chunk[COPY_CHUNK];
	uint64_t total = 0;
	int r;

	for (;;) {
		ssize_t got = read(from, chunk, sizeof(chunk));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fail_errno(diag, errno, "file/read", "read", path);
		if (got == 0)
			return 0;
		total += (uint64_t)got;
		if (total > len_max)
			return fail(diag, EFBIG, "file/too-large",
				    "'%.500s' has more than %" PRIu64
				    " MiB, half of this machine's memory",
				    path, len_max / MIB);
		r = write_all(to, span_of(chunk, (size_t)got), path, diag);
		if (r < 0)
			return r;
	}
}

/* Not a regular file (a pipe, /dev/stdin): its bytes, in a memfd that takes its place. */
static int buffer_in_memory(struct file *f, struct diag *diag)
{
	int fd = memfd_create("kexec", MFD_CLOEXEC);
	int r;

	if (fd < 0)
		return fail_errno(diag, errno, "file/buffer", "keep the contents of", f->path);
	r = copy_all(f->fd, fd, f->path, diag);
	if (r < 0 || fstat(fd, &f->stat) < 0) {
		close(fd);
		return r < 0 ? r : fail_errno(diag, errno, "file/stat", "examine", f->path);
	}
	close(f->fd);
	f->fd = fd;
	return 0;
}

/* A CRC over the CRCs of the file's chunks. */
static int read_fingerprint(const struct file *f, uint32_t *ret, struct diag *diag)
{
	uint8_t *chunk = malloc(FINGERPRINT_CHUNK);
	struct crc32c crc32c;
	uint64_t off = 0;
	uint32_t crc = 0;
	int r = 0;

	if (!chunk)
		return fail_nomem(diag);
	crc32c_start(&crc32c);
	for (;;) {
		ssize_t got = pread(f->fd, chunk, FINGERPRINT_CHUNK, (off_t)off);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			r = fail_errno(diag, errno, "file/read", "read", f->path);
		if (got <= 0)
			break;
		crc = crc32c_add(&crc32c, crc, chunk, (size_t)got);
		off += (uint64_t)got;
	}
	free(chunk);
	if (r == 0)
		*ret = crc;
	return r;
}

/* A file of /sys may look like any other and have no pages. */
static bool can_be_mapped(const struct file *f)
{
	void *page = mmap(NULL, 1, PROT_READ, MAP_PRIVATE, f->fd, 0);

	if (page == MAP_FAILED)
		return errno != ENODEV;
	munmap(page, 1);
	return true;
}

static int open_one(const char *path, struct file *f, struct diag *diag)
{
	int r = 0;

	*f = (struct file){ .path = path };
	f->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (f->fd < 0)
		return fail_errno(diag, errno, "file/open", "open", path);
	if (fstat(f->fd, &f->stat) < 0) {
		r = fail_errno(diag, errno, "file/stat", "examine", path);
	} else if (S_ISDIR(f->stat.st_mode)) {
		r = fail(diag, EISDIR, "file/directory", "'%s' is a directory", path);
	} else if (!S_ISREG(f->stat.st_mode) || !can_be_mapped(f)) {
		r = buffer_in_memory(f, diag);
	}
	if (r == 0 && f->stat.st_size <= 0)
		r = fail(diag, EINVAL, "file/empty", "'%s' is empty", path);
	if (r == 0 && (uint64_t)f->stat.st_size > FILE_LEN_MAX)
		r = fail(diag, EFBIG, "file/too-large", "'%s' has more than %" PRIu64 " GiB", path,
			 FILE_LEN_MAX / GIB);
	if (r == 0)
		r = read_fingerprint(f, &f->fingerprint, diag);
	if (r < 0)
		file_close(f);
	return r;
}

int file_open(const char *path, struct file *ret, struct diag *diag)
{
	struct file f;
	void *map;
	int r = open_one(path, &f, diag);

	if (r < 0)
		return r;
	map = mmap(NULL, (size_t)f.stat.st_size, PROT_READ, MAP_PRIVATE, f.fd, 0);
	if (map == MAP_FAILED) {
		r = fail_errno(diag, errno, "file/map", "map", path);
		file_close(&f);
		return r;
	}
	f.bytes = span_of(map, (size_t)f.stat.st_size);
	*ret = f;
	return 0;
}

void file_close(struct file *f)
{
	if (f->bytes.data)
		munmap((void *)(uintptr_t)f->bytes.data, f->bytes.len);
	if (f->fd >= 0)
		close(f->fd);
	f->bytes = (struct span){ 0 };
	f->fd = -1;
}

/* Reserves address space for all files, then lays each file's pages over its part of it. */
static int map_side_by_side(struct file_sequence *s, struct diag *diag)
{
	uint64_t total = 0, len = 0;
	uint8_t *base;

	for (size_t i = 0; i < s->n; i++) {
		uint64_t file_len = (uint64_t)s->files[i].stat.st_size;

		len = total + file_len;
		if (!checked_align_up(len, PAGE_LEN, &total) || total > FILE_LEN_MAX)
			return fail(diag, EFBIG, "file/too-large",
				    "the initrds together have more than %" PRIu64 " GiB",
				    FILE_LEN_MAX / GIB);
	}
	base = mmap(NULL, (size_t)total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (base == MAP_FAILED)
		return fail_errno(diag, errno, "file/map", "map", s->files[0].path);
	s->map_len = (size_t)total;
	s->bytes = span_of(base, (size_t)len);
	for (size_t i = 0, off = 0; i < s->n; i++) {
		struct file *f = &s->files[i];
		size_t file_len = (size_t)f->stat.st_size;

		if (mmap(base + off, file_len, PROT_READ, MAP_PRIVATE | MAP_FIXED, f->fd, 0) ==
		    MAP_FAILED)
			return fail_errno(diag, errno, "file/map", "map", f->path);
		off += (size_t)align_down(file_len + PAGE_LEN - 1, PAGE_LEN);
	}
	return 0;
}

int file_sequence_open(const char *const *paths, size_t n, struct arena *a,
		       struct file_sequence *ret, struct diag *diag)
{
	struct file_sequence s = { 0 };
	int r = 0;

	if (n == 0) {
		*ret = s;
		return 0;
	}
	s.files = arena_alloc_array(a, n, sizeof(*s.files));
	if (!s.files)
		return fail_nomem(diag);
	while (s.n < n && r == 0) {
		r = open_one(paths[s.n], &s.files[s.n], diag);
		s.n += r == 0;
	}
	if (r == 0)
		r = map_side_by_side(&s, diag);
	if (r < 0) {
		file_sequence_close(&s);
		return r;
	}
	*ret = s;
	return 0;
}

void file_sequence_close(struct file_sequence *s)
{
	if (s->bytes.data)
		munmap((void *)(uintptr_t)s->bytes.data, s->map_len);
	for (size_t i = 0; i < s->n; i++)
		file_close(&s->files[i]);
	*s = (struct file_sequence){ 0 };
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

int file_is_unchanged(const struct file *f, struct diag *diag)
{
	uint32_t fingerprint;
	struct stat now;
	int r;

	if (fstat(f->fd, &now) < 0)
		return fail_errno(diag, errno, "file/stat", "examine", f->path);
	/* Not ctime: unlinking the name, as a package upgrade does, changes that and no byte. */
	if (now.st_size != f->stat.st_size || !same_time(now.st_mtim, f->stat.st_mtim)) {
		fail(diag, EBUSY, "file/changed", "'%.500s' changed while it was being loaded",
		     f->path);
		return fail_advise(diag, "wait until whatever writes to it is done, then load "
					 "again");
	}
	r = read_fingerprint(f, &fingerprint, diag);
	if (r < 0 || fingerprint == f->fingerprint)
		return r;
	fail(diag, EBUSY, "file/contents-changed",
	     "the contents of '%.500s' changed while it was being loaded", f->path);
	return fail_advise(diag, "wait until whatever writes to it is done, then load again");
}

/* Zeros up to the next multiple of four, as between the members of an initramfs. */
static int pad_to_four(int fd, const char *path, struct diag *diag)
{
	off_t at = lseek(fd, 0, SEEK_CUR);

	if (at < 0 || (at % 4 != 0 && lseek(fd, 4 - at % 4, SEEK_CUR) < 0))
		return fail_errno(diag, errno, "file/buffer", "keep the contents of", path);
	return 0;
}

int file_fd(const struct file *f, int *ret, struct diag *diag)
{
	int fd = fcntl(f->fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return fail_errno(diag, errno, "file/open", "open", f->path);
	*ret = fd;
	return 0;
}

int file_fd_of_bytes(const char *path, struct span bytes, int *ret, struct diag *diag)
{
	int fd = memfd_create("kexec-unwrapped", MFD_CLOEXEC | MFD_ALLOW_SEALING), r;

	if (fd < 0)
		return fail_errno(diag, errno, "file/buffer", "keep the contents of", path);
	r = write_all(fd, bytes, path, diag);
	if (r == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		r = fail_errno(diag, errno, "file/buffer", "keep the contents of", path);
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret = fd;
	return 0;
}

int file_sequence_fd(const struct file_sequence *s, int *ret, struct diag *diag)
{
	int fd, r = 0;

	if (s->n == 1)
		return file_fd(&s->files[0], ret, diag);
	fd = memfd_create("kexec-initrd", MFD_CLOEXEC);
	if (fd < 0)
		return fail_errno(diag, errno, "file/buffer", "keep the contents of",
				  s->files[0].path);
	for (size_t i = 0; i < s->n && r == 0; i++) {
		r = pad_to_four(fd, s->files[i].path, diag);
		if (r == 0 && lseek(s->files[i].fd, 0, SEEK_SET) < 0)
			r = fail_errno(diag, errno, "file/read", "read", s->files[i].path);
		if (r == 0)
			r = copy_all(s->files[i].fd, fd, s->files[i].path, diag);
	}
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret = fd;
	return 0;
}

static void on_sigbus(int number)
{
	static const char text[] = "kexec: a file became shorter while it was being read, or could "
				   "not be read; nothing was loaded [file/truncated]\n";

	(void)number;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(255);
	_exit(255);
}

/* With a handler a write beyond RLIMIT_FSIZE fails instead of killing; unlike SIG_IGN it ends at
 * exec. */
static void on_sigxfsz(int number)
{
	(void)number;
}

void file_catch_truncation(void)
{
	struct sigaction action = { .sa_handler = on_sigbus };

	sigaction(SIGBUS, &action, NULL);
	action.sa_handler = on_sigxfsz;
	sigaction(SIGXFSZ, &action, NULL);
}
