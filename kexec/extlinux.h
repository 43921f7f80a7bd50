/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * extlinux.conf and syslinux.cfg. Source: the documentation of SYSLINUX, "Config" and "Menu";
 * U-Boot's doc/README.distro, as it reads the same files.
 */
#ifndef KEXEC_NG_EXTLINUX_H
#define KEXEC_NG_EXTLINUX_H

#include "entries.h"

#define EXTLINUX_TEXT_MAX (256 * 1024)

struct extlinux_result {
	const char *default_label; /* what boots when nobody chooses; NULL: the file does not say */
	const char *default_why; /* why that is so, or NULL */
};

/* Adds its labels. */
void extlinux_read(const struct entry_file *file, size_t place, struct entry_list *l,
		   struct extlinux_result *ret);

#endif
