// SPDX-License-Identifier: GPL-2.0-or-later
/* One bzip2 stream, by libbz2, which verifies the CRC of each block and of the whole. */
#include "unpack_codec.h"

#ifdef HAVE_BZIP2
#include <bzlib.h>

static int step(void *stream, struct span *in, uint8_t *next, size_t *len, struct diag *diag)
{
	bz_stream *bz = stream;
	int r;

	bz->next_in = (char *)(uintptr_t)in->data;
	bz->avail_in = (unsigned int)in->len;
	bz->next_out = (char *)next;
	bz->avail_out = (unsigned int)*len;
	r = BZ2_bzDecompress(bz);
	*len -= bz->avail_out;
	*in = span_of(bz->next_in, bz->avail_in);
	switch (r) {
	case BZ_STREAM_END:
		return UNPACK_ENDED;
	case BZ_OK:
		return UNPACK_GOES_ON;
	case BZ_MEM_ERROR:
		return fail_nomem(diag);
	case BZ_DATA_ERROR_MAGIC:
		return unpack_fail_damaged("bzip2", "no block begins where one must", diag);
	default:
		return unpack_fail_damaged("bzip2", "a block breaks the rules of its coding, or a CRC",
					   diag);
	}
}

static int decode(struct span in, struct unpack_out *out, size_t *ret_consumed, struct diag *diag)
{
	bz_stream bz = { .next_in = NULL };
	int r;

	if (BZ2_bzDecompressInit(&bz, 0, 0) != BZ_OK)
		return fail_nomem(diag);
	r = unpack_run("bzip2", step, &bz, in, out, ret_consumed, diag);
	BZ2_bzDecompressEnd(&bz);
	return r;
}
#endif

const struct codec unpack_bzip2 = {
	.name = "bzip2",
	.magic = "BZh",
	.magic_len = 3,
	.library = "libbz2",
	.package = "libbz2-dev",
	.memory_max = 4 * MIB,	/* 100 KB + 4 times a block of 900 KB, by its manual */
#ifdef HAVE_BZIP2
	.is_built = true,
	.decode = decode,
#endif
};
