// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The frame that lz4(1) writes today, by lz4frame, which verifies its checksums. No kernel reads
 * it: an initramfs that is packed so works only if somebody unpacks it first.
 */
#include "unpack_codec.h"

#ifdef HAVE_LZ4
#include <lz4frame.h>

static int step(void *stream, struct span *in, uint8_t *next, size_t *len, struct diag *diag)
{
	size_t taken = in->len;
	size_t r = LZ4F_decompress(stream, next, len, in->data, &taken, NULL);

	if (LZ4F_isError(r))
		return unpack_fail_damaged("lz4", LZ4F_getErrorName(r), diag);
	*in = span_of(in->data + taken, in->len - taken);
	return r == 0 ? UNPACK_ENDED : UNPACK_GOES_ON;
}

static int decode(struct span in, struct unpack_out *out, size_t *ret_consumed, struct diag *diag)
{
	LZ4F_dctx *lz4;
	int r;

	if (LZ4F_isError(LZ4F_createDecompressionContext(&lz4, LZ4F_VERSION)))
		return fail_nomem(diag);
	r = unpack_run("lz4", step, lz4, in, out, ret_consumed, diag);
	LZ4F_freeDecompressionContext(lz4);
	return r;
}
#endif

const struct codec unpack_lz4_frame = {
	.name = "lz4-frame",
	.magic = "\x04\x22\x4d\x18",
	.magic_len = 4,
	.library = "liblz4",
	.package = "liblz4-dev",
	.memory_max = 9 * MIB,	/* a packed and an unpacked block of 4 MiB, and 64 KiB before it */
#ifdef HAVE_LZ4
	.is_built = true,
	.decode = decode,
#endif
};
