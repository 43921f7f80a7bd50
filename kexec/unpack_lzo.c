// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The container of lzop(1), read here; liblzo2 decodes its blocks. Numbers are big endian. Each
 * block may have an Adler-32 and a CRC-32, of its packed and of its unpacked bytes.
 * Source: what lzop 1.04 writes, and lib/decompress_unlzo.c for what kernels read of it.
 */
#include "unpack_codec.h"

#define BLOCK_MAX	(64 * MIB)	/* of lzop; the kernel allows 256 KiB */

#ifdef HAVE_LZO
#include <lzo/lzo1x.h>

#define MAGIC_LEN	9
#define VERSION_0940	0x0940	/* the first with a level, and with 64 bits of time */
#define METHOD_MAX	3	/* LZO1X-1, LZO1X-1(15), LZO1X-999: one decoder for all */

enum {
	FLAG_ADLER32_PLAIN = 0x0001,
	FLAG_ADLER32_PACKED = 0x0002,
	FLAG_EXTRA_FIELD = 0x0040,
	FLAG_CRC32_PLAIN = 0x0100,
	FLAG_CRC32_PACKED = 0x0200,
	FLAG_MULTIPART = 0x0400,
	FLAG_FILTER = 0x0800,
	FLAG_HEADER_CRC32 = 0x1000,
};

/* A place in the container. After is_short everything else is zero. */
struct reader {
	struct span in;
	size_t off;
	bool is_short;
};

static struct span take(struct reader *r, size_t len)
{
	struct span part = { 0 };

	if (r->is_short || !span_sub(r->in, r->off, len, &part)) {
		r->is_short = true;
		return span_of(NULL, 0);
	}
	r->off += len;
	return part;
}

static uint32_t take_number(struct reader *r, size_t len)
{
	struct span part = take(r, len);
	uint32_t v = 0;

	for (size_t i = 0; i < part.len; i++)
		v = v << 8 | part.data[i];
	return v;
}

static uint32_t checksum(bool is_crc, struct span bytes)
{
	return is_crc ? lzo_crc32(0, bytes.data, bytes.len) : lzo_adler32(1, bytes.data, bytes.len);
}

static int read_header(struct reader *r, uint32_t *ret_flags, struct diag *diag)
{
	size_t start = MAGIC_LEN, end;
	uint32_t flags, version, method;
	struct span part;

	take(r, start);
	version = take_number(r, 2);
	take(r, version >= VERSION_0940 ? 4 : 2);	/* of the library; needed to unpack */
	method = take_number(r, 1);
	take(r, version >= VERSION_0940 ? 1 : 0);	/* level */
	flags = take_number(r, 4);
	take(r, version >= VERSION_0940 ? 12 : 8);	/* mode, time */
	take(r, take_number(r, 1));			/* file name */
	end = r->off;
	if (!r->is_short && (flags & (FLAG_FILTER | FLAG_MULTIPART)))
		return unpack_fail_unsupported("lzo", "a filter, or a file of many parts", diag);
	if (!r->is_short && (method == 0 || method > METHOD_MAX))
		return unpack_fail_unsupported("lzo", "the method is none of LZO1X", diag);
	if (span_sub(r->in, start, end - start, &part) &&
	    take_number(r, 4) != checksum(flags & FLAG_HEADER_CRC32, part) && !r->is_short)
		return unpack_fail_damaged("lzo", "the header's checksum differs", diag);
	if (flags & FLAG_EXTRA_FIELD) {
		take(r, take_number(r, 4));
		take(r, 4);
	}
	*ret_flags = flags;
	return r->is_short ? unpack_fail_truncated("lzo", r->in.len, diag) : 0;
}

struct sums {
	bool has_adler32;
	uint32_t adler32;
	bool has_crc32;
	uint32_t crc32;
};

static struct sums take_sums(struct reader *r, bool has_adler32, bool has_crc32)
{
	struct sums s = { .has_adler32 = has_adler32, .has_crc32 = has_crc32 };

	if (has_adler32)
		s.adler32 = take_number(r, 4);
	if (has_crc32)
		s.crc32 = take_number(r, 4);
	return s;
}

static bool agree(const struct sums *s, struct span bytes)
{
	return (!s->has_adler32 || s->adler32 == checksum(false, bytes)) &&
	       (!s->has_crc32 || s->crc32 == checksum(true, bytes));
}

static int decode_block(struct span packed, size_t plain_len, const struct sums *sums,
			struct unpack_out *out, struct diag *diag)
{
	lzo_uint n = plain_len;
	uint8_t *next;
	size_t room;
	int r;

	if (plain_len > out->max - out->len)
		return unpack_fail_overflow(out, diag);
	r = unpack_out_room(out, plain_len, &next, &room, diag);
	if (r < 0)
		return r;
	if (packed.len == plain_len)
		__builtin_memcpy(next, packed.data, plain_len);
	else if (lzo1x_decompress_safe(packed.data, packed.len, next, &n, NULL) != LZO_E_OK ||
		 n != plain_len)
		return unpack_fail_damaged("lzo", "a block breaks the rules of its coding", diag);
	if (!agree(sums, span_of(next, plain_len)))
		return unpack_fail_damaged("lzo", "the checksum of an unpacked block differs", diag);
	return unpack_out_wrote(out, plain_len, diag);
}

static int decode(struct span in, struct unpack_out *out, size_t *ret_consumed, struct diag *diag)
{
	struct reader reader = { .in = in };
	uint32_t flags = 0, plain_len, packed_len;
	int r = read_header(&reader, &flags, diag);

	if (r < 0)
		return r;
	while ((plain_len = take_number(&reader, 4)) != 0) {
		struct sums plain, packed = { 0 };
		struct span block;

		packed_len = take_number(&reader, 4);
		if (plain_len > BLOCK_MAX || packed_len > plain_len)
			return unpack_fail_damaged("lzo", "the length of a block is impossible", diag);
		plain = take_sums(&reader, flags & FLAG_ADLER32_PLAIN, flags & FLAG_CRC32_PLAIN);
		if (packed_len < plain_len)
			packed = take_sums(&reader, flags & FLAG_ADLER32_PACKED,
					   flags & FLAG_CRC32_PACKED);
		block = take(&reader, packed_len);
		if (reader.is_short)
			break;
		if (!agree(&packed, block))
			return unpack_fail_damaged("lzo", "the checksum of a packed block differs",
						   diag);
		r = decode_block(block, plain_len, &plain, out, diag);
		if (r < 0)
			return r;
	}
	if (reader.is_short)
		return unpack_fail_truncated("lzo", in.len, diag);
	*ret_consumed = reader.off;
	return 0;
}
#endif

const struct codec unpack_lzo = {
	.name = "lzo",
	.magic = "\x89LZO\0\r\n\x1a\n",
	.magic_len = 9,
	.library = "liblzo2",
	.package = "liblzo2-dev",
	.memory_max = 0,
#ifdef HAVE_LZO
	.is_built = true,
	.decode = decode,
#endif
};
