/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is this file? Opens what it is wrapped in, then finds the format of what is inside. The tables
 * are those of the architecture (arch/x86/formats.c); --type narrows them.
 */
#ifndef KEXEC_NG_PROBE_H
#define KEXEC_NG_PROBE_H

#include "container.h"

/* A distribution has one layer or two (a compressed UKI); a file that unpacks to itself has no end. */
#define UNWRAP_DEPTH_MAX	4

struct unwrapped {
	const char *names[UNWRAP_DEPTH_MAX];		/* outermost first */
	struct unpack_buffer memory[UNWRAP_DEPTH_MAX];	/* what the request points into */
	size_t n;
};

/*
 * Opens containers until a format takes what is inside, or none of them opens it. Changes *req to the
 * innermost request. What *ret holds is the request's from then on, also after a failure: free it last.
 * ids "unwrap/...", "probe/unknown-name" and those of the containers.
 */
must_check int probe_unwrap(struct request *req, const struct facts *facts, struct arena *a,
			    struct unwrapped *ret, struct diag *diag);
void unwrapped_free(struct unwrapped *u);

/* The format of req->kernel; ids "probe/...". */
must_check int probe_format(const struct request *req, const struct unwrapped *u,
			    const struct image_type **ret, struct diag *diag);

#endif
