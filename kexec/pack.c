// SPDX-License-Identifier: GPL-2.0-or-later
#include "pack_codec.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "checked.h"

#ifdef HAVE_ZLIB
#include <zlib.h>
#endif
#ifdef HAVE_BZIP2
#include <bzlib.h>
#endif
#ifdef HAVE_LZMA
#include <lzma.h>
#endif
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

#define PLAIN_MAX	GIB	/* a kernel's address space; the libraries count to 4 GiB */
#define ZSTD_LEVEL	16
#define LZMA_LEVEL	6

int pack_fail(const char *format, struct diag *diag)
{
	return fail(diag, ENOMEM, "pack/failed",
		    "the library could not pack the kernel as %s: too little memory?", format);
}

#ifdef HAVE_ZLIB
static int pack_gzip(struct span plain, struct unpack_buffer *out, struct diag *diag)
{
	z_stream z = { .next_in = (z_const Bytef *)plain.data, .avail_in = (uInt)plain.len };
	uint64_t room;
	int r;

	if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, 16 + MAX_WBITS, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return pack_fail("gzip", diag);
	room = deflateBound(&z, (uLong)plain.len);
	r = unpack_buffer_reserve(out, (size_t)room, diag);
	if (r == 0) {
		z.next_out = out->data + out->len;
		z.avail_out = (uInt)room;
		r = deflate(&z, Z_FINISH) == Z_STREAM_END ? 0 : pack_fail("gzip", diag);
		out->len += r == 0 ? z.total_out : 0;
	}
	deflateEnd(&z);
	return r;
}
#endif

#ifdef HAVE_BZIP2
static int pack_bzip2(struct span plain, struct unpack_buffer *out, struct diag *diag)
{
	/* What its documentation says is always enough. */
	unsigned int len = (unsigned int)(plain.len + plain.len / 100 + 601);
	int r = unpack_buffer_reserve(out, len, diag);

	if (r < 0)
		return r;
	if (BZ2_bzBuffToBuffCompress((char *)out->data + out->len, &len,
				     (char *)(uintptr_t)plain.data, (unsigned int)plain.len, 9, 0,
				     0) != BZ_OK)
		return pack_fail("bzip2", diag);
	out->len += len;
	return 0;
}
#endif

#ifdef HAVE_LZMA
/* CRC32 is the check that the kernel's own decoder knows. */
static int pack_xz(struct span plain, struct unpack_buffer *out, struct diag *diag)
{
	lzma_options_lzma options;
	lzma_filter filters[] = {
		{ .id = LZMA_FILTER_X86 },
		{ .id = LZMA_FILTER_LZMA2, .options = &options },
		{ .id = LZMA_VLI_UNKNOWN },
	};
	size_t room = lzma_stream_buffer_bound(plain.len), len = 0;
	int r = unpack_buffer_reserve(out, room, diag);

	if (r < 0)
		return r;
	if (lzma_lzma_preset(&options, LZMA_LEVEL) ||
	    lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC32, NULL, plain.data, plain.len,
				      out->data + out->len, &len, room) != LZMA_OK)
		return pack_fail("xz", diag);
	out->len += len;
	return 0;
}

static int pack_lzma(struct span plain, struct unpack_buffer *out, struct diag *diag)
{
	size_t room = plain.len + plain.len / 3 + 4 * KIB;	/* liblzma's bound, roughly */
	lzma_stream s = LZMA_STREAM_INIT;
	lzma_options_lzma options;
	int r = unpack_buffer_reserve(out, room, diag);

	if (r < 0)
		return r;
	if (lzma_lzma_preset(&options, LZMA_LEVEL) || lzma_alone_encoder(&s, &options) != LZMA_OK)
		return pack_fail("lzma", diag);
	s.next_in = plain.data;
	s.avail_in = plain.len;
	s.next_out = out->data + out->len;
	s.avail_out = room;
	r = lzma_code(&s, LZMA_FINISH) == LZMA_STREAM_END ? 0 : pack_fail("lzma", diag);
	out->len += r == 0 ? (size_t)s.total_out : 0;
	lzma_end(&s);
	return r;
}
#endif

#ifdef HAVE_ZSTD
static int pack_zstd(struct span plain, struct unpack_buffer *out, struct diag *diag)
{
	size_t room = ZSTD_compressBound(plain.len), n;
	int r = unpack_buffer_reserve(out, room, diag);

	if (r < 0)
		return r;
	n = ZSTD_compress(out->data + out->len, room, plain.data, plain.len, ZSTD_LEVEL);
	if (ZSTD_isError(n))
		return pack_fail("zstd", diag);
	out->len += n;
	return 0;
}
#endif

static int pack_plain(struct span plain, struct unpack_buffer *out, struct diag *diag)
{
	return unpack_buffer_append(out, plain, diag);
}

static const struct {
	const char *name;
	pack_encode encode;	/* NULL: not built */
	bool has_own_len;	/* no length behind it */
} encoders[] = {
	{ .name = "elf", .encode = pack_plain, .has_own_len = true },
#ifdef HAVE_ZLIB
	{ .name = "gzip", .encode = pack_gzip, .has_own_len = true },
#else
	{ .name = "gzip" },
#endif
#ifdef HAVE_BZIP2
	{ .name = "bzip2", .encode = pack_bzip2 },
#else
	{ .name = "bzip2" },
#endif
#ifdef HAVE_LZMA
	{ .name = "lzma", .encode = pack_lzma },
	{ .name = "xz", .encode = pack_xz },
#else
	{ .name = "lzma" },
	{ .name = "xz" },
#endif
#ifdef HAVE_LZO
	{ .name = "lzo", .encode = pack_lzo },
#else
	{ .name = "lzo" },
#endif
#ifdef HAVE_LZ4
	{ .name = "lz4", .encode = pack_lz4 },
#else
	{ .name = "lz4" },
#endif
#ifdef HAVE_ZSTD
	{ .name = "zstd", .encode = pack_zstd },
#else
	{ .name = "zstd" },
#endif
};

int pack_kernel(const char *format, struct span plain, struct unpack_buffer *ret,
		 struct diag *diag)
{
	const uint32_t len = (uint32_t)plain.len;
	size_t i = 0;
	int r;

	while (i < array_len(encoders) && strcmp(encoders[i].name, format) != 0)
		i++;
	if (i == array_len(encoders))
		return fail(diag, EINVAL, "pack/unknown-format", "no payload format is called %.40s",
			    format);
	if (!encoders[i].encode)
		return fail(diag, EOPNOTSUPP, "pack/not-built",
			    "this kexec was built without the library that packs %s", format);
	if (plain.len == 0 || plain.len > PLAIN_MAX)
		return fail(diag, EFBIG, "pack/too-large",
			    "expected a kernel of 1 byte to 1 GiB, found %zu", plain.len);
	r = encoders[i].encode(plain, ret, diag);
	if (r == 0 && !encoders[i].has_own_len)
		r = unpack_buffer_append(ret, span_of(&len, sizeof(len)), diag);
	return r;
}
