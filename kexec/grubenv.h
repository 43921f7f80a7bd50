/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GRUB's environment block: a file of 1024 bytes with what outlives a boot.
 * Source: the manual of GNU GRUB 2, "The GRUB environment block", and files that grub-editenv made.
 */
#ifndef KEXEC_NG_GRUBENV_H
#define KEXEC_NG_GRUBENV_H

#include "diag.h"
#include "span.h"

#define GRUBENV_LEN	      1024
#define GRUBENV_VARIABLES_MAX 128

struct grubenv {
	size_t n;
	const char *names[GRUBENV_VARIABLES_MAX];
	const char *values[GRUBENV_VARIABLES_MAX];
};

/* -EINVAL "entries/grubenv": it is none, or not as GRUB writes it; nothing of it counts then.
 * -ENOMEM. */
must_check int grubenv_read(struct span file, struct arena *a, struct grubenv *ret,
			    struct diag *diag);
/* NULL: it is not set. */
const char *grubenv_find(const struct grubenv *env, const char *name);

#endif
