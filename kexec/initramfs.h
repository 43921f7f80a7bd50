/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An initramfs as the kernel reads it: cpio archives ("newc"), packed or not, one after the other,
 * with zeros between them. Unpacking it before the reboot saves the next kernel the work.
 * Source: Documentation/driver-api/early-userspace/buffer-format.rst, init/initramfs.c.
 */
#ifndef KEXEC_NG_INITRAMFS_H
#define KEXEC_NG_INITRAMFS_H

#include "unpack.h"

#define INITRAMFS_MEMBERS_MAX	1024	/* usual are two: an early archive and a packed one */

struct initramfs_member {
	uint64_t off;			/* in the initrd */
	uint64_t len;			/* there; without zeros that follow */
	const struct codec *codec;	/* NULL: a plain archive, up to and with its "TRAILER!!!" */
	uint64_t plain_len;		/* unpacked */
};

struct initramfs {
	struct initramfs_member *members;	/* in the arena */
	size_t n_members;
	size_t n_packed;
	/* What the kernel makes of it: entries of all archives, and their contents in whole pages.
	 */
	uint64_t n_entries;
	uint64_t files_len;
	/* The unpacked initrd; empty when n_packed is 0, for then it is what it was. */
	struct unpack_buffer plain;
};

/*
 * Walks the whole initrd and unpacks what is packed in it, at most to max_len bytes in all.
 * Everything before the first packed member stays as and where it is (the kernel looks there for
 * microcode and ACPI tables); later members begin at multiples of four.
 *
 * All or nothing: the unpacked initrd gives the next kernel the same files, or this fails and the
 * initrd has to be used as it is. Ids "unpack/..." and:
 * "initramfs/unknown-member"		neither an archive nor packed (a file system, bootconfig, ...)
 * "initramfs/misaligned"		the kernel would stop here
 * "initramfs/cpio-header", "-name", "-truncated"	a broken archive
 * "initramfs/not-cpio"			something else was packed
 * "initramfs/early-files"		unpacked, this would replace microcode or ACPI tables
 * "initramfs/too-large", "initramfs/too-many-members"
 */
must_check int initramfs_unpack(struct span initrd, size_t max_len, struct arena *a,
				struct initramfs *ret, struct diag *diag);
void initramfs_free(struct initramfs *i);

#endif
