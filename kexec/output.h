/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file that is there as a whole or not at all. */
#ifndef KEXEC_NG_OUTPUT_H
#define KEXEC_NG_OUTPUT_H

#include <sys/types.h>

#include "diag.h"
#include "span.h"

/*
 * Writes the pieces to path, one after the other: into a new file beside it, which then takes its
 * name. What is there and is no regular file (a device, a symbolic link, a folder) stays, and is a
 * failure. "-" is standard output, which must be no terminal. ids "write/...".
 */
must_check int output_write(const char *path, mode_t mode, const struct span *pieces, size_t n,
			    struct diag *diag);

#endif
