// SPDX-License-Identifier: GPL-2.0-or-later
/* One gzip member (RFC 1952), by zlib, which verifies its CRC-32 and length. */
#include "unpack_codec.h"

#ifdef HAVE_ZLIB
#include <zlib.h>

#define GZIP_ONLY	(16 + MAX_WBITS)	/* windowBits: as zlib.h says under inflateInit2 */

static int step(void *stream, struct span *in, uint8_t *next, size_t *len, struct diag *diag)
{
	z_stream *z = stream;
	int r;

	z->next_in = (z_const Bytef *)in->data;
	z->avail_in = (uInt)in->len;
	z->next_out = next;
	z->avail_out = (uInt)*len;
	r = inflate(z, Z_NO_FLUSH);
	*len -= z->avail_out;
	*in = span_of(z->next_in, z->avail_in);
	switch (r) {
	case Z_STREAM_END:
		return UNPACK_ENDED;
	case Z_OK:
	case Z_BUF_ERROR:
		return UNPACK_GOES_ON;
	case Z_MEM_ERROR:
		return fail_nomem(diag);
	default:
		return unpack_fail_damaged("gzip", z->msg ? z->msg : zError(r), diag);
	}
}

static int decode(struct span in, struct unpack_out *out, size_t *ret_consumed, struct diag *diag)
{
	z_stream z = { .next_in = Z_NULL };
	int r;

	if (inflateInit2(&z, GZIP_ONLY) != Z_OK)
		return fail_nomem(diag);
	r = unpack_run("gzip", step, &z, in, out, ret_consumed, diag);
	inflateEnd(&z);
	return r;
}
#endif

const struct codec unpack_gzip = {
	.name = "gzip",
	.magic = "\x1f\x8b",
	.magic_len = 2,
	.library = "zlib",
	.package = "zlib1g-dev",
	.memory_max = 64 * KIB,
	.has_own_len = true,
#ifdef HAVE_ZLIB
	.is_built = true,
	.decode = decode,
#endif
};
