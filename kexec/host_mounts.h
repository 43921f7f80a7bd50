/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is mounted where. Source: proc(5), /proc/PID/mountinfo.
 */
#ifndef KEXEC_NG_HOST_MOUNTS_H
#define KEXEC_NG_HOST_MOUNTS_H

#include "host_tree.h"

#define HOST_MOUNTS_MAX 4096

struct host_mount {
	const char *root;	/* the part of the file system that is there: "/", or "/@" of btrfs */
	const char *point; /* an absolute path */
	const char *type; /* of the file system: "vfat" */
	const char *source; /* "/dev/sda1", or a word that is no device */
};

struct host_mounts {
	struct host_mount *v; /* in the order in which they were made */
	size_t n;
	bool can_confine; /* the running kernel has openat2() */
};

/* A machine that does not say has none. False: memory is short. */
must_check bool host_mounts_read(const struct host_tree *t, struct arena *a, struct host_mounts *ret);
/* The one that the absolute path is in, or NULL. */
const struct host_mount *host_mounts_find(const struct host_mounts *m, const char *path);
/* The UUID of its file system, by /dev/disk/by-uuid; NULL: unknown. */
const char *host_mount_uuid(const struct host_tree *t, const struct host_mount *mount,
			    struct arena *a);

#endif
