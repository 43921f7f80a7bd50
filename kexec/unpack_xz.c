// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What liblzma decodes: one .xz stream with all its filters (kernels come with x86 BCJ) and checks
 * verified, and the older .lzma, which has no check at all.
 */
#include "unpack_codec.h"

/* Kernels have dictionaries of 32 MiB (6.1) to 128 MiB (7.3). */
#define MEMORY_MAX	(256 * MIB)

#ifdef HAVE_LZMA
#include <lzma.h>

struct decoder {
	lzma_stream lzma;
	const char *format;
};

static int explain(const char *format, lzma_ret r, struct diag *diag)
{
	switch (r) {
	case LZMA_MEM_ERROR:
		return fail_nomem(diag);
	case LZMA_MEMLIMIT_ERROR:
		return unpack_fail_memory_limit(format, MEMORY_MAX, diag);
	case LZMA_OPTIONS_ERROR:
		return unpack_fail_unsupported(format, "a filter or an option is unknown", diag);
	case LZMA_UNSUPPORTED_CHECK:
		return unpack_fail_unsupported(format, "the kind of check is unknown", diag);
	default:
		return unpack_fail_damaged(format, "it breaks the rules of its coding, or a check",
					   diag);
	}
}

static int step(void *stream, struct span *in, uint8_t *next, size_t *len, struct diag *diag)
{
	struct decoder *d = stream;
	lzma_ret r;

	d->lzma.next_in = in->data;
	d->lzma.avail_in = in->len;
	d->lzma.next_out = next;
	d->lzma.avail_out = *len;
	r = lzma_code(&d->lzma, LZMA_RUN);
	*len -= d->lzma.avail_out;
	*in = span_of(d->lzma.next_in, d->lzma.avail_in);
	if (r == LZMA_STREAM_END)
		return UNPACK_ENDED;
	if (r == LZMA_OK || r == LZMA_BUF_ERROR)
		return UNPACK_GOES_ON;
	return explain(d->format, r, diag);
}

static int run(struct decoder *d, lzma_ret start, struct span in, struct unpack_out *out,
	       size_t *ret_consumed, struct diag *diag)
{
	int r;

	if (start == LZMA_OK)
		r = unpack_run(d->format, step, d, in, out, ret_consumed, diag);
	else
		r = explain(d->format, start, diag);
	lzma_end(&d->lzma);
	return r;
}

static int decode_xz(struct span in, struct unpack_out *out, size_t *ret_consumed,
		     struct diag *diag)
{
	struct decoder d = { .lzma = LZMA_STREAM_INIT, .format = "xz" };
	lzma_ret start = lzma_stream_decoder(&d.lzma, MEMORY_MAX, LZMA_TELL_UNSUPPORTED_CHECK);

	return run(&d, start, in, out, ret_consumed, diag);
}

static int decode_lzma(struct span in, struct unpack_out *out, size_t *ret_consumed,
		       struct diag *diag)
{
	struct decoder d = { .lzma = LZMA_STREAM_INIT, .format = "lzma" };
	lzma_ret start = lzma_alone_decoder(&d.lzma, MEMORY_MAX);

	return run(&d, start, in, out, ret_consumed, diag);
}
#endif

const struct codec unpack_xz = {
	.name = "xz",
	.magic = "\xfd" "7zXZ\0",
	.magic_len = 6,
	.library = "liblzma",
	.package = "liblzma-dev",
	.memory_max = MEMORY_MAX,
#ifdef HAVE_LZMA
	.is_built = true,
	.decode = decode_xz,
#endif
};

const struct codec unpack_lzma = {
	.name = "lzma",
	.magic = "\x5d\0\0",
	.magic_len = 3,
	.library = "liblzma",
	.package = "liblzma-dev",
	.memory_max = MEMORY_MAX,
#ifdef HAVE_LZMA
	.is_built = true,
	.decode = decode_lzma,
#endif
};
