// SPDX-License-Identifier: GPL-2.0-or-later
/* Containers that are written here, with blocks by liblz4 and liblzo2: unpack_lz4.c, unpack_lzo.c. */
#include "pack_codec.h"

#include <stdlib.h>
#include <string.h>

#ifdef HAVE_LZ4
#include <lz4hc.h>

#define LZ4_BLOCK_LEN		(8 * MIB)
#define LZ4_LEGACY_MAGIC	0x184c2102

int pack_lz4(struct span plain, struct unpack_buffer *out, struct diag *diag)
{
	const uint32_t magic = LZ4_LEGACY_MAGIC;
	int r = unpack_buffer_append(out, span_of(&magic, sizeof(magic)), diag);

	for (size_t at = 0; at < plain.len && r == 0; at += LZ4_BLOCK_LEN) {
		const int len = (int)min_size(plain.len - at, LZ4_BLOCK_LEN);
		const int room = LZ4_compressBound(len);
		int32_t n;

		r = unpack_buffer_reserve(out, (size_t)room + sizeof(n), diag);
		if (r < 0)
			return r;
		n = LZ4_compress_HC((const char *)plain.data + at,
				    (char *)out->data + out->len + sizeof(n), len, room,
				    LZ4HC_CLEVEL_DEFAULT);
		if (n <= 0)
			return pack_fail("lz4", diag);
		memcpy(out->data + out->len, &n, sizeof(n));
		out->len += sizeof(n) + (size_t)n;
	}
	return r;
}
#endif

#ifdef HAVE_LZO
#include <lzo/lzo1x.h>

#define LZO_BLOCK_LEN	(256 * KIB)	/* the most that the kernel takes */

static const uint8_t lzop_magic[] = { 0x89, 'L', 'Z', 'O', 0, '\r', '\n', 0x1a, '\n' };

/* Version 1.04, library 2.10, needs 0.94, LZO1X-999 level 9, no checksums but the header's, no time, no
 * name. */
static const uint8_t lzop_head[] = {
	0x10, 0x40, 0x20, 0xa0, 0x09, 0x40, 3, 9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
};

static int append_be32(struct unpack_buffer *out, uint32_t v, struct diag *diag)
{
	v = __builtin_bswap32(v);
	return unpack_buffer_append(out, span_of(&v, sizeof(v)), diag);
}

/* Lengths unpacked and packed, Adler-32 of the unpacked bytes, then the block; one that does not become
 * shorter stays as it is. */
static int append_block(struct span block, uint8_t *packed, void *work, struct unpack_buffer *out,
			struct diag *diag)
{
	lzo_uint n = 0;
	int r;

	if (lzo1x_999_compress(block.data, block.len, packed, &n, work) != LZO_E_OK)
		return pack_fail("lzo", diag);
	r = append_be32(out, (uint32_t)block.len, diag);
	if (r == 0)
		r = append_be32(out, (uint32_t)min_u64(n, block.len), diag);
	if (r == 0)
		r = append_be32(out, lzo_adler32(1, block.data, block.len), diag);
	if (r == 0)
		r = unpack_buffer_append(out, n < block.len ? span_of(packed, n) : block, diag);
	return r;
}

int pack_lzo(struct span plain, struct unpack_buffer *out, struct diag *diag)
{
	void *work = malloc(LZO1X_999_MEM_COMPRESS);
	uint8_t *packed = malloc(LZO_BLOCK_LEN + LZO_BLOCK_LEN / 16 + 67);
	int r = unpack_buffer_append(out, span_of(lzop_magic, sizeof(lzop_magic)), diag);

	if (!work || !packed)
		r = fail_nomem(diag);
	if (r == 0)
		r = unpack_buffer_append(out, span_of(lzop_head, sizeof(lzop_head)), diag);
	if (r == 0)
		r = append_be32(out, lzo_adler32(1, lzop_head, sizeof(lzop_head)), diag);
	for (size_t at = 0; at < plain.len && r == 0; at += LZO_BLOCK_LEN)
		r = append_block(span_of(plain.data + at, min_size(plain.len - at, LZO_BLOCK_LEN)),
				 packed, work, out, diag);
	if (r == 0)
		r = append_be32(out, 0, diag);
	free(packed);
	free(work);
	return r;
}
#endif
