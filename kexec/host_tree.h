/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of a host tree: bounded reads of what the kernel, or whoever captured the tree, wrote. All
 * functions return 0 or -errno, and paths are relative to the root ("proc/iomem"). Only regular
 * files are read, nothing blocks.
 */
#ifndef KEXEC_NG_HOST_TREE_H
#define KEXEC_NG_HOST_TREE_H

#include "arena.h"
#include "span.h"

#define HOST_PATH_LEN		512
/* sysfs never gives more than a page for a text attribute. */
#define HOST_ATTR_LEN		4096
/* Names looked at in one directory. A memmap or runtime-map has some hundred. */
#define HOST_NAMES_MAX		65536

/* The first file that there may be, and that could not be read: EIO, or this process is out of
 * something. What is read as absent then may be there. */
struct host_trouble {
	int error;		/* 0: none */
	char path[HOST_PATH_LEN];
};

struct host_tree {
	int fd;			/* the root directory */
	bool is_machine;	/* else a captured tree: paths are resolved within it */
	struct host_trouble *trouble;	/* NULL: nobody asks */
};

/* -ENOSYS: a captured tree, and the kernel cannot confine path resolution to it. */
must_check int host_tree_open(const char *root, struct host_tree *ret);
void host_tree_close(struct host_tree *t);

struct host_attr {
	struct span text;	/* what was read, without white space around it; points into buf */
	uint8_t buf[HOST_ATTR_LEN];
};

/* A short text. -EFBIG when it does not fit. */
printf_like(3, 4) must_check int host_attr_read(const struct host_tree *t, struct host_attr *ret,
						const char *path, ...);
/* The same, as one number with or without 0x (decimal then); -EINVAL when it is anything else. */
printf_like(3, 4) must_check int host_number_read(const struct host_tree *t, uint64_t *ret,
						  const char *path, ...);
/* A file of at most len_max bytes, into the arena; -EFBIG when it is longer. */
printf_like(5, 6) must_check int host_file_read(const struct host_tree *t, struct arena *a,
						size_t len_max, struct span *ret,
						const char *path, ...);
/* The first len_max bytes at most. */
must_check int host_file_read_start(const struct host_tree *t, struct arena *a, size_t len_max,
				    struct span *ret, const char *path);
/* The last component of what a symbolic link says; printable, without blanks. */
printf_like(4, 5) must_check int host_link_name(const struct host_tree *t, struct arena *a,
						const char **ret, const char *path, ...);
/* A descriptor; -errno. flags as of open(), more of what openat2() calls resolve: ignored for the
 * machine's own root. -ENOSYS: the running kernel has no openat2(). */
must_check int host_open(const struct host_tree *t, const char *path, int flags, uint64_t more);
bool host_has_directory(const struct host_tree *t, const char *path);

/*
 * The directory entries that are prefix and a decimal number, as these numbers, ascending. -E2BIG
 * when there are more than n_max, or more than HOST_NAMES_MAX entries of any kind.
 */
struct host_numbers {
	uint32_t *v;
	size_t n;
};
must_check int host_list(const struct host_tree *t, struct arena *a, const char *path,
			 const char *prefix, size_t n_max, struct host_numbers *ret);

/* The names in a directory that end so, in whatever case, without hidden ones; sorted. -E2BIG as
 * above. */
struct host_names {
	const char **v;
	size_t n;
};
must_check int host_list_names(const struct host_tree *t, struct arena *a, const char *path,
			       const char *suffix, size_t n_max, struct host_names *ret);

#endif
