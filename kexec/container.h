/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The contract of what holds a kernel without being one: a compressed file, a unified kernel image.
 * A container opens into an inner request; probe_unwrap() (probe.h) opens one after the other until
 * what is inside is a kernel.
 */
#ifndef KEXEC_NG_CONTAINER_H
#define KEXEC_NG_CONTAINER_H

#include "image.h"
#include "unpack.h"

struct container {
	const char *name;	/* as in --type= and in reports; NULL: container_name() knows */
	/* 0 if the file is one, else -ENOEXEC, and why says what was missing. One that is broken
	 * passes and fails in open, by name. */
	int (*probe)(struct span file, struct diag *why);
	/* What it is, for reports, where one container has several names ("gzip", "xz"). */
	const char *(*name_of)(struct span file);
	/*
	 * Changes in *inner, a copy of what was asked, what the container brings: the kernel, which
	 * must become another one, and perhaps initrd and command line. Spans may point into the file
	 * or into memory, a buffer that starts empty and lives as long as the load; strings into a.
	 */
	int (*open)(struct request *inner, const struct facts *facts, struct arena *a,
		    struct unpack_buffer *memory, struct diag *diag);
};

static inline const char *container_name(const struct container *c, struct span file)
{
	return c->name ? c->name : c->name_of(file);
}

#endif
