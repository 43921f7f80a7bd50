/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel handed on as a file: what is to be made, and what became of it. The file is a list of
 * pieces, so that a kernel and an initrd need not be copied. doc/domain-builder.md.
 */
#ifndef KEXEC_NG_EXPORT_H
#define KEXEC_NG_EXPORT_H

#include "diag.h"
#include "image.h"
#include "unpack.h"

enum export_kind {
	EXPORT_NONE,
	EXPORT_VMLINUX,	/* the kernel as it was before it was packed, and its relocation table */
	EXPORT_ELF,	/* unpacked, relocated, with all that it is handed, and a PVH entry */
	EXPORT_BZIMAGE,	/* the same bzImage with another payload */
};

struct export_wish {
	enum export_kind kind;
	bool has_base;		/* EXPORT_ELF; else as linked */
	phys_t base;
	bool has_virt_offset;
	uint64_t virt_offset;	/* of the kernel's virtual addresses, from where it was linked */
	const char *payload;	/* EXPORT_BZIMAGE: a format by its name */
};

#define EXPORT_PIECES_MAX	96

struct export_file {
	struct span pieces[EXPORT_PIECES_MAX];
	size_t n;
	uint64_t len;
	struct unpack_buffer memory;	/* some of them point into it */
};

/* "export/too-many-pieces". Empty ones are left out. */
must_check int export_add(struct export_file *f, struct span piece, struct diag *diag);
/* Zeros up to off, which is not below f->len; at most a page of them. */
must_check int export_pad(struct export_file *f, uint64_t off, struct diag *diag);

#endif
