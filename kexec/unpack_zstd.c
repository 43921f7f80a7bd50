// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One zstd frame (RFC 8878). With room of a known length the library unpacks in one go and refers
 * back to its own output; else it keeps a window, which for kernels is 128 MiB.
 */
#include "unpack_codec.h"

#define WINDOW_LOG_MAX	28	/* the kernel itself stops at 27 */

#ifdef HAVE_ZSTD
#include <zstd.h>
#include <zstd_errors.h>

static int explain(size_t code, struct diag *diag)
{
	switch (ZSTD_getErrorCode(code)) {
	case ZSTD_error_memory_allocation:
		return fail_nomem(diag);
	case ZSTD_error_frameParameter_windowTooLarge:
		return unpack_fail_memory_limit("zstd", unpack_zstd.memory_max, diag);
	case ZSTD_error_frameParameter_unsupported:
	case ZSTD_error_version_unsupported:
	case ZSTD_error_dictionary_wrong:
		return unpack_fail_unsupported("zstd", ZSTD_getErrorName(code), diag);
	default:
		return unpack_fail_damaged("zstd", ZSTD_getErrorName(code), diag);
	}
}

static int decode_at_once(ZSTD_DCtx *zstd, struct span in, struct unpack_out *out,
			  size_t *ret_consumed, struct diag *diag)
{
	size_t frame_len = ZSTD_findFrameCompressedSize(in.data, in.len);
	uint8_t *next;
	size_t n;
	int r;

	if (ZSTD_isError(frame_len))
		return ZSTD_getErrorCode(frame_len) == ZSTD_error_srcSize_wrong ?
			       unpack_fail_truncated("zstd", in.len, diag) :
			       explain(frame_len, diag);
	r = unpack_out_room(out, out->max, &next, &n, diag);
	if (r < 0)
		return r;
	n = ZSTD_decompressDCtx(zstd, next, n, in.data, frame_len);
	if (ZSTD_isError(n) && ZSTD_getErrorCode(n) == ZSTD_error_dstSize_tooSmall)
		return unpack_fail_overflow(out, diag);
	if (ZSTD_isError(n))
		return explain(n, diag);
	*ret_consumed = frame_len;
	return unpack_out_wrote(out, n, diag);
}

static int step(void *stream, struct span *in, uint8_t *next, size_t *len, struct diag *diag)
{
	ZSTD_inBuffer from = { .src = in->data, .size = in->len };
	ZSTD_outBuffer to = { .dst = next, .size = *len };
	size_t r = ZSTD_decompressStream(stream, &to, &from);

	*len = to.pos;
	*in = span_of(in->data + from.pos, in->len - from.pos);
	if (ZSTD_isError(r))
		return explain(r, diag);
	return r == 0 ? UNPACK_ENDED : UNPACK_GOES_ON;
}

static int decode(struct span in, struct unpack_out *out, size_t *ret_consumed, struct diag *diag)
{
	ZSTD_DCtx *zstd = ZSTD_createDCtx();
	int r;

	if (!zstd || ZSTD_isError(ZSTD_DCtx_setParameter(zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX)))
		r = fail_nomem(diag);
	else if (!out->buf)
		r = decode_at_once(zstd, in, out, ret_consumed, diag);
	else
		r = unpack_run("zstd", step, zstd, in, out, ret_consumed, diag);
	ZSTD_freeDCtx(zstd);
	return r;
}
#endif

const struct codec unpack_zstd = {
	.name = "zstd",
	.magic = "\x28\xb5\x2f\xfd",
	.magic_len = 4,
	.library = "libzstd",
	.package = "libzstd-dev",
	.memory_max = (UINT64_C(1) << WINDOW_LOG_MAX) + MIB,
#ifdef HAVE_ZSTD
	.is_built = true,
	.decode = decode,
#endif
};
