/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A user's files as spans: mapped, never copied, unless they cannot be mapped (a pipe), in which
 * case they are read once into memory.
 *
 * A mapped file that somebody shortens raises SIGBUS; file_catch_truncation() turns that into a
 * message and exit status 255. One that somebody rewrites is noticed by file_is_unchanged().
 */
#ifndef KEXEC_NG_FILE_H
#define KEXEC_NG_FILE_H

#include <sys/stat.h>

#include "diag.h"
#include "span.h"

struct file {
	const char *path;	/* as the user gave it */
	int fd;			/* -1: closed */
	struct span bytes;
	struct stat stat;	/* when it was opened */
	uint32_t fingerprint;	/* of the contents, then */
};

/* Opens and maps; ids "file/...". An empty file is refused. */
must_check int file_open(const char *path, struct file *ret, struct diag *diag);
void file_close(struct file *f);

/* Several files as one span, each padded with zeros to a whole page: the pages of the files
 * themselves, side by side. len of the last one is not padded. */
struct file_sequence {
	struct file *files;
	size_t n;
	struct span bytes;
	size_t map_len;		/* of the whole mapping, for file_sequence_close() */
};
must_check int file_sequence_open(const char *const *paths, size_t n, struct arena *a,
				  struct file_sequence *ret, struct diag *diag);
void file_sequence_close(struct file_sequence *s);

/* -EBUSY ("file/changed", "file/contents-changed") if size, modification time or contents differ
 * from when it was opened. Reads the file, not the mapping: one that became shorter is no SIGBUS
 * here. */
must_check int file_is_unchanged(const struct file *f, struct diag *diag);

/* A duplicate of its descriptor, or a descriptor of bytes that came out of the file at path, for
 * kexec_file_load. The caller closes it. */
must_check int file_fd(const struct file *f, int *ret, struct diag *diag);
must_check int file_fd_of_bytes(const char *path, struct span bytes, int *ret, struct diag *diag);
/* One descriptor with the bytes of all files, 4-byte aligned each, for kexec_file_load. A single
 * file gives a duplicate of its own descriptor. The caller closes it. */
must_check int file_sequence_fd(const struct file_sequence *s, int *ret, struct diag *diag);

void file_catch_truncation(void);

#endif
