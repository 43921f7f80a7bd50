// SPDX-License-Identifier: GPL-2.0-or-later
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_all(int fd, const char *path, const struct span *pieces, size_t n,
		     struct diag *diag)
{
	for (size_t i = 0; i < n; i++) {
		struct span rest = pieces[i];

		while (rest.len > 0) {
			ssize_t done = write(fd, rest.data, rest.len);

			if (done < 0 && errno == EINTR)
				continue;
			if (done <= 0) {
				int error = done < 0 ? errno : EIO;

				return fail(diag, error, "write/failed", "cannot write '%s': %s",
					    path, strerror(error));
			}
			rest = span_of(rest.data + done, rest.len - (size_t)done);
		}
	}
	return 0;
}

static int write_stdout(const struct span *pieces, size_t n, struct diag *diag)
{
	if (isatty(STDOUT_FILENO)) {
		fail(diag, EINVAL, "write/terminal", "a kernel is nothing for a terminal");
		return fail_advise(diag, "-o FILE, or a pipe behind it");
	}
	return write_all(STDOUT_FILENO, "standard output", pieces, n, diag);
}

static int check_place(const char *path, struct diag *diag)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return 0;	/* what is wrong is found when the new file is made */
	if (S_ISREG(st.st_mode))
		return 0;
	fail(diag, EEXIST, "write/no-file",
	     "'%s' is there and is no ordinary file: it is not written over", path);
	return fail_advise(diag, "name a file; \"-o -\" writes to standard output");
}

/* umask(2) cannot be asked without being set. */
static mode_t allowed(mode_t mode)
{
	mode_t mask = umask(077);

	umask(mask);
	return mode & ~mask;
}

static int write_new(int fd, const char *path, mode_t mode, const struct span *pieces, size_t n,
		     struct diag *diag)
{
	int r = write_all(fd, path, pieces, n, diag);

	if (r == 0 && (fchmod(fd, allowed(mode)) < 0 || fsync(fd) < 0))
		r = fail(diag, errno, "write/failed", "cannot write '%s': %s", path,
			 strerror(errno));
	return r;
}

int output_write(const char *path, mode_t mode, const struct span *pieces, size_t n,
		 struct diag *diag)
{
	const char *slash = strrchr(path, '/');
	char *temp;
	int fd, r;

	if (strcmp(path, "-") == 0)
		return write_stdout(pieces, n, diag);
	r = check_place(path, diag);
	if (r < 0)
		return r;
	if (asprintf(&temp, "%.*s.%s.XXXXXX", slash ? (int)(slash + 1 - path) : 0, path,
		     slash ? slash + 1 : path) < 0)
		return fail_nomem(diag);
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0) {
		r = fail(diag, errno, "write/create", "cannot make a file beside '%s': %s", path,
			 strerror(errno));
		free(temp);
		return r;
	}
	r = write_new(fd, path, mode, pieces, n, diag);
	if (close(fd) < 0 && r == 0)
		r = fail(diag, errno, "write/failed", "cannot write '%s': %s", path,
			 strerror(errno));
	if (r == 0 && rename(temp, path) < 0)
		r = fail(diag, errno, "write/rename", "cannot give the new file the name '%s': %s",
			 path, strerror(errno));
	if (r < 0)
		unlink(temp);
	free(temp);
	return r;
}
