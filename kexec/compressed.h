/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file that is compressed as a whole, in any of unpack.h's formats, told by its content and not by
 * its name. Several streams one behind the other are one file, as for the programs that write them;
 * zeros may follow.
 */
#ifndef KEXEC_NG_COMPRESSED_H
#define KEXEC_NG_COMPRESSED_H

#include "container.h"

/*
 * No kernel is longer, even with debug information; an archive made to explode is. Where the machine
 * says how much memory it has to spare, half of that is the limit if it is less.
 */
#define COMPRESSED_LEN_MAX	GIB

/* ids "compressed/...", "unpack/...": too large, something else behind the end, empty, damaged. */
extern const struct container compressed_container;

#endif
