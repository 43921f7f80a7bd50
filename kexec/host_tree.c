// SPDX-License-Identifier: GPL-2.0-or-later
#include "host_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host_text.h"

/* openat2() gives EAGAIN when anything on the system was renamed while it resolved a "..". */
#define RESOLVE_TRIES	64

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static void free_buffer(uint8_t **buf)
{
	free(*buf);
}

/* ---- trouble -------------------------------------------------------------------------------- */

/* A file that is not there, or not for us, says something of the machine. These say nothing. */
static bool is_trouble(int error)
{
	return error == EIO || error == EMFILE || error == ENFILE || error == ENOMEM ||
	       error == EAGAIN || error == EOVERFLOW;
}

/* Returns -error. */
static int troubled(const struct host_tree *t, const char *path, int error)
{
	if (t->trouble && t->trouble->error == 0 && is_trouble(error)) {
		t->trouble->error = error;
		snprintf(t->trouble->path, sizeof(t->trouble->path), "%s", path);
	}
	return -error;
}

/* ---- paths ---------------------------------------------------------------------------------- */

int host_open(const struct host_tree *t, const char *path, int flags, uint64_t more)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | more,
	};
	long fd;

	if (t->is_machine) {
		do
			fd = openat(t->fd, path, flags | O_CLOEXEC);
		while (fd < 0 && errno == EINTR);
		return fd < 0 ? troubled(t, path, errno) : (int)fd;
	}
	for (int i = 0; i < RESOLVE_TRIES; i++) {
		fd = syscall(SYS_openat2, t->fd, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return fd < 0 ? troubled(t, path, errno) : (int)fd;
}

static int open_below(const struct host_tree *t, const char *path, int flags)
{
	return host_open(t, path, flags, 0);
}

int host_tree_open(const char *root, struct host_tree *ret)
{
	struct host_tree t = { .is_machine = *root == '\0' || strcmp(root, "/") == 0 };
	int probe;

	t.fd = open(t.is_machine ? "/" : root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (t.fd < 0)
		return -errno;
	probe = open_below(&t, ".", O_PATH);
	if (probe < 0) {
		host_tree_close(&t);
		/* Old container run times refuse system calls they do not know with EPERM. */
		return probe == -EPERM ? -ENOSYS : probe;
	}
	close(probe);
	*ret = t;
	return 0;
}

void host_tree_close(struct host_tree *t)
{
	close_fd(&t->fd);
	t->fd = -1;
}

static printf_like(2, 0) int make_path(char ret[static HOST_PATH_LEN], const char *fmt,
				       va_list args)
{
	int len = vsnprintf(ret, HOST_PATH_LEN, fmt, args);

	return len < 0 || len >= HOST_PATH_LEN ? -ENAMETOOLONG : 0;
}

/* ---- files ---------------------------------------------------------------------------------- */

/* Up to len bytes; files of /proc and /sys tell their length only by ending. */
static int read_up_to(const struct host_tree *t, const char *path, uint8_t *buf, size_t len,
		      size_t *ret_len)
{
	__attribute__((cleanup(close_fd))) int fd =
		open_below(t, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	size_t done = 0;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return troubled(t, path, errno);
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	while (done < len) {
		ssize_t n = read(fd, buf + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return troubled(t, path, errno);
		if (n == 0)
			break;
		done += (size_t)n;
	}
	*ret_len = done;
	return 0;
}

static printf_like(3, 0) int read_attr(const struct host_tree *t, struct host_attr *ret,
				       const char *fmt, va_list args)
{
	char path[HOST_PATH_LEN];
	size_t len;
	int r;

	r = make_path(path, fmt, args);
	if (r < 0)
		return r;
	r = read_up_to(t, path, ret->buf, sizeof(ret->buf), &len);
	if (r < 0)
		return r;
	if (len == sizeof(ret->buf))
		return -EFBIG;
	ret->text = text_trim(span_of(ret->buf, len));
	return 0;
}

int host_attr_read(const struct host_tree *t, struct host_attr *ret, const char *fmt, ...)
{
	va_list args;
	int r;

	va_start(args, fmt);
	r = read_attr(t, ret, fmt, args);
	va_end(args);
	return r;
}

int host_number_read(const struct host_tree *t, uint64_t *ret, const char *fmt, ...)
{
	struct host_attr attr;
	va_list args;
	int r;

	va_start(args, fmt);
	r = read_attr(t, &attr, fmt, args);
	va_end(args);
	if (r < 0)
		return r;
	return text_number(attr.text, ret) ? 0 : -EINVAL;
}

/* One byte more than len_max is asked for, which tells a file of that length from a longer one. */
static int read_into_arena(const struct host_tree *t, struct arena *a, size_t len_max,
			   bool is_start_enough, struct span *ret, const char *path)
{
	__attribute__((cleanup(free_buffer))) uint8_t *buf = malloc(len_max + 1);
	size_t len;
	char *copy;
	int r;

	if (!buf)
		return -ENOMEM;
	r = read_up_to(t, path, buf, len_max + 1, &len);
	if (r < 0)
		return r;
	if (len > len_max && !is_start_enough)
		return -EFBIG;
	len = len > len_max ? len_max : len;
	copy = arena_strndup(a, (const char *)buf, len);
	if (!copy)
		return -ENOMEM;
	*ret = span_of(copy, len);
	return 0;
}

int host_file_read(const struct host_tree *t, struct arena *a, size_t len_max, struct span *ret,
		   const char *fmt, ...)
{
	char path[HOST_PATH_LEN];
	va_list args;
	int r;

	va_start(args, fmt);
	r = make_path(path, fmt, args);
	va_end(args);
	return r < 0 ? r : read_into_arena(t, a, len_max, false, ret, path);
}

int host_file_read_start(const struct host_tree *t, struct arena *a, size_t len_max,
			 struct span *ret, const char *path)
{
	return read_into_arena(t, a, len_max, true, ret, path);
}

/* ---- links and directories ------------------------------------------------------------------ */

static int read_link_below(const struct host_tree *t, const char *path, char *buf, size_t buf_len,
			   size_t *ret_len)
{
	__attribute__((cleanup(close_fd))) int fd = open_below(t, path, O_PATH | O_NOFOLLOW);
	ssize_t len;

	if (fd < 0)
		return fd;
	len = readlinkat(fd, "", buf, buf_len);
	if (len < 0)
		return troubled(t, path, errno);
	if ((size_t)len == buf_len)
		return -ENAMETOOLONG;
	*ret_len = (size_t)len;
	return 0;
}

int host_link_name(const struct host_tree *t, struct arena *a, const char **ret,
		   const char *fmt, ...)
{
	char path[HOST_PATH_LEN], target[HOST_ATTR_LEN];
	size_t len = 0, start;
	va_list args;
	char *name;
	int r;

	va_start(args, fmt);
	r = make_path(path, fmt, args);
	va_end(args);
	if (r < 0)
		return r;
	r = read_link_below(t, path, target, sizeof(target), &len);
	if (r < 0)
		return r;
	for (start = len; start > 0 && target[start - 1] != '/'; start--)
		;
	if (!text_is_name(span_of(target + start, len - start)))
		return -EINVAL;
	name = arena_strndup(a, target + start, len - start);
	if (!name)
		return -ENOMEM;
	*ret = name;
	return 0;
}

bool host_has_directory(const struct host_tree *t, const char *path)
{
	__attribute__((cleanup(close_fd))) int fd = open_below(t, path, O_PATH | O_DIRECTORY);

	return fd >= 0;
}

static int compare_numbers(const void *va, const void *vb)
{
	const uint32_t *a = va, *b = vb;

	return *a == *b ? 0 : *a < *b ? -1 : 1;
}

static int add_number(struct arena *a, struct host_numbers *list, size_t *n_max, uint32_t v)
{
	if (list->n == *n_max) {
		size_t more = *n_max ? *n_max * 2 : 32;
		uint32_t *bigger = arena_alloc_array(a, more, sizeof(*bigger));

		if (!bigger)
			return -ENOMEM;
		if (list->n > 0)
			memcpy(bigger, list->v, list->n * sizeof(*bigger));
		list->v = bigger;
		*n_max = more;
	}
	list->v[list->n++] = v;
	return 0;
}

static int open_directory(const struct host_tree *t, const char *path, DIR **ret)
{
	int fd = open_below(t, path, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
	DIR *dir;

	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir) {
		/* It is a directory, whatever this says. */
		const int error = is_trouble(errno) ? errno : ENOMEM;

		close(fd);
		return troubled(t, path, error);
	}
	*ret = dir;
	return 0;
}

int host_list(const struct host_tree *t, struct arena *a, const char *path, const char *prefix,
	      size_t n_max, struct host_numbers *ret)
{
	__attribute__((cleanup(close_dir))) DIR *dir = NULL;
	struct host_numbers list = { 0 };
	size_t n_names = 0, n_room = 0;
	const struct dirent *entry;
	int r;

	r = open_directory(t, path, &dir);
	if (r < 0)
		return r;
	while (errno = 0, (entry = readdir(dir)) != NULL) {
		uint32_t v;

		if (n_names++ > HOST_NAMES_MAX)
			return -E2BIG;
		if (!text_numbered(span_of(entry->d_name, strlen(entry->d_name)), prefix, &v))
			continue;
		if (list.n == n_max)
			return -E2BIG;
		r = add_number(a, &list, &n_room, v);
		if (r < 0)
			return r;
	}
	if (errno != 0)
		return troubled(t, path, errno);
	if (list.n > 0)
		qsort(list.v, list.n, sizeof(*list.v), compare_numbers);
	*ret = list;
	return 0;
}

static bool ends_with(const char *name, const char *suffix)
{
	const size_t len = strlen(name), suffix_len = strlen(suffix);

	return len > suffix_len && strcasecmp(name + len - suffix_len, suffix) == 0;
}

static int compare_names(const void *va, const void *vb)
{
	const char *const *a = va, *const *b = vb;

	return strcmp(*a, *b);
}

static int add_name(struct arena *a, struct host_names *list, size_t *n_room, const char *name)
{
	if (list->n == *n_room) {
		size_t more = *n_room ? *n_room * 2 : 32;
		const char **bigger = arena_alloc_array(a, more, sizeof(*bigger));

		if (!bigger)
			return -ENOMEM;
		if (list->n > 0)
			memcpy(bigger, list->v, list->n * sizeof(*bigger));
		list->v = bigger;
		*n_room = more;
	}
	list->v[list->n] = arena_strndup(a, name, strlen(name));
	return list->v[list->n++] ? 0 : -ENOMEM;
}

int host_list_names(const struct host_tree *t, struct arena *a, const char *path,
		    const char *suffix, size_t n_max, struct host_names *ret)
{
	__attribute__((cleanup(close_dir))) DIR *dir = NULL;
	struct host_names list = { 0 };
	size_t n_seen = 0, n_room = 0;
	const struct dirent *entry;
	int r = open_directory(t, path, &dir);

	if (r < 0)
		return r;
	while (errno = 0, (entry = readdir(dir)) != NULL) {
		if (n_seen++ > HOST_NAMES_MAX)
			return -E2BIG;
		if (entry->d_name[0] == '.' || !ends_with(entry->d_name, suffix))
			continue;
		if (list.n == n_max)
			return -E2BIG;
		r = add_name(a, &list, &n_room, entry->d_name);
		if (r < 0)
			return r;
	}
	if (errno != 0)
		return troubled(t, path, errno);
	if (list.n > 1)
		qsort(list.v, list.n, sizeof(*list.v), compare_names);
	*ret = list;
	return 0;
}
