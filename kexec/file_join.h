/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parts of files, of which an initrd consists, as one span: the pages of the files themselves, mapped
 * side by side. Only what shares a page with a part and is none of it gets pages of its own, to be
 * zeros there. Between two parts there are less than two pages of zeros, which the kernel skips.
 */
#ifndef KEXEC_NG_FILE_JOIN_H
#define KEXEC_NG_FILE_JOIN_H

#include "file.h"

struct file_part {
	struct span bytes;
	const struct file *file;	/* where they are; NULL: in memory, and copied */
	uint64_t off;			/* in the file */
};

struct file_join {
	struct span bytes;
	void *map;		/* NULL: there is but one part, and bytes is that */
	size_t map_len;
};

/* The parts must stay mapped until then. Each begins at a multiple of four, as the kernel wants it
 * for an archive. ids "file/join", "file/too-large". */
must_check int file_join(const struct file_part *parts, size_t n, struct file_join *ret,
			 struct diag *diag);
void file_join_free(struct file_join *j);

#endif
