/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packs a kernel as its build would: the counterpart of unpack.h for payloads of bzImages, by the same
 * libraries.
 */
#ifndef KEXEC_NG_PACK_H
#define KEXEC_NG_PACK_H

#include "diag.h"
#include "unpack.h"

/*
 * Appends plain in the named format ("gzip", "bzip2", "lzma", "xz", "lzo", "lz4", "zstd"; "elf": as it
 * is), with its length behind it where the format does not have that itself. "pack/unknown-format",
 * "pack/not-built", "pack/failed", "pack/too-large" (4 GiB: the length has 32 bits).
 */
must_check int pack_kernel(const char *format, struct span plain, struct unpack_buffer *ret,
			    struct diag *diag);

#endif
