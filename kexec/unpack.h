/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packed kernels and initramfs archives. A codec is chosen by the first bytes of what it is to
 * unpack. All codecs may be used by several threads at once.
 *
 * None of them writes beyond the room it was given or takes more memory beside its output than its
 * memory_max; what a format carries by way of checksums is verified.
 * Source of the list: Documentation/arch/x86/boot.rst (payload_offset), lib/decompress.c.
 */
#ifndef KEXEC_NG_UNPACK_H
#define KEXEC_NG_UNPACK_H

#include "diag.h"
#include "region.h"
#include "span.h"

struct unpack_out;

struct codec {
	/* "gzip", "bzip2", "lzma", "xz", "lzo", "lz4", "lz4-frame", "zstd", "elf" */
	const char *name;
	const char *magic;
	size_t magic_len;
	bool is_built;		/* false: known, but this program was built without the library */
	const char *library;	/* "" if it needs none */
	const char *package;	/* Debian's, to build with the library */
	uint64_t memory_max;	/* beside input and output, in bytes */
	/* Does the length after a kernel's payload belong to the format itself (gzip's ISIZE)? */
	bool has_own_len;
	/* unpack_codec.h; NULL: not built */
	int (*decode)(struct span in, struct unpack_out *out, size_t *ret_consumed,
		      struct diag *diag);
};

/* Memory that grows without being copied. Starts as { 0 } but for the region, ends with
 * unpack_buffer_free(). */
struct unpack_buffer {
	uint8_t *data;		/* moves when the buffer grows */
	size_t len;
	size_t map_len;
	struct region *region;	/* where its pages come from; NULL: pages of its own */
};

/* NULL: no format that is known. */
const struct codec *unpack_find(struct span packed);
/* The one that unpacks what nobody packed: "elf". */
const struct codec *unpack_plain(void);
/* All that are known, NULL after the last. */
const struct codec *const *unpack_codecs(void);

/* A bzImage's payload ends with its unpacked length, 32 bits: gives that and the bytes that
 * unpack_exact() wants. "unpack/no-trailer" */
must_check int unpack_split(const struct codec *codec, struct span payload, struct span *ret_packed,
			    size_t *ret_out_len, struct diag *diag);

/*
 * Unpacks all of packed into exactly out_len bytes. After a failure out holds anything. Ids:
 * "unpack/short", "unpack/long"	fewer bytes come out than out_len, or more
 * "unpack/truncated"			packed ends too early
 * "unpack/trailing"			packed goes on after the end
 * "unpack/damaged"			checksums or the library say so
 * "unpack/unsupported"			a variant of the format that is not for us
 * "unpack/memory-limit"		needs more than memory_max
 * "unpack/not-built"			the library is missing
 */
must_check int unpack_exact(const struct codec *codec, struct span packed, uint8_t *out,
			    size_t out_len, struct diag *diag);

/*
 * Appends what one stream (gzip member, xz stream, zstd frame, ...) at the start of in unpacks to,
 * and says where it ended; lz4 ends like in the kernel: at the end of in or before a block length
 * of zero. After a failure buf has the length it had. Ids as above, but "unpack/too-large" when
 * more than max_len bytes come out, instead of short, long and trailing.
 */
must_check int unpack_stream(const struct codec *codec, struct span in, size_t max_len,
			     struct unpack_buffer *buf, size_t *ret_consumed, struct diag *diag);

/* Room for len bytes more, zeroed; -ENOMEM. Does not change buf->len. */
must_check int unpack_buffer_reserve(struct unpack_buffer *buf, size_t len, struct diag *diag);
must_check int unpack_buffer_append(struct unpack_buffer *buf, struct span bytes,
				    struct diag *diag);
/* Gives unused pages back; cannot fail. */
void unpack_buffer_trim(struct unpack_buffer *buf);
void unpack_buffer_free(struct unpack_buffer *buf);

#endif
