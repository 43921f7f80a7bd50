// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The legacy frame of lz4, which kernels use: a magic, then blocks of 8 MiB output each (the last
 * one less), every one after its packed length. Nothing says where the last block is, and nothing
 * is checked beyond what the coding itself requires.
 * Source: doc/lz4_Frame_format.md of lz4, "Legacy frame".
 */
#include "unpack_codec.h"

#define BLOCK_LEN	(8 * MIB)	/* of output */
#define LEGACY_MAGIC	0x184c2102

#ifdef HAVE_LZ4
#include <lz4.h>
#include <stdlib.h>

/* A block does not fit into the room that is left: because it is larger, or because it is damaged? */
static int explain(struct span block, struct unpack_out *out, size_t room, struct diag *diag)
{
	char *scratch;
	int n;

	if (room < BLOCK_LEN) {
		scratch = malloc(BLOCK_LEN);
		if (!scratch)
			return fail_nomem(diag);
		n = LZ4_decompress_safe((const char *)block.data, scratch, (int)block.len,
					(int)BLOCK_LEN);
		free(scratch);
		if (n > 0)
			return unpack_fail_overflow(out, diag);
	}
	return unpack_fail_damaged("lz4", "a block breaks the rules of its coding", diag);
}

static int decode_block(struct span block, struct unpack_out *out, struct diag *diag)
{
	uint8_t *next;
	size_t room;
	int r, n;

	if (block.len > (size_t)LZ4_COMPRESSBOUND(BLOCK_LEN))
		return unpack_fail_damaged("lz4", "a block is longer than 8 MiB can become", diag);
	r = unpack_out_room(out, BLOCK_LEN, &next, &room, diag);
	if (r < 0)
		return r;
	room = min_u64(room, BLOCK_LEN);
	n = LZ4_decompress_safe((const char *)block.data, (char *)next, (int)block.len, (int)room);
	if (n < 0)
		return explain(block, out, room, diag);
	return unpack_out_wrote(out, (size_t)n, diag);
}

/* A payload's trailer looks like one more length. It may follow when the length is known. */
static bool is_trailer(struct span rest, const struct unpack_out *out)
{
	uint32_t word;

	return !out->buf && out->len == out->max && rest.len == sizeof(word) &&
	       span_le32(rest, 0, &word) && word == out->max;
}

static bool is_end(struct span rest, const struct unpack_out *out)
{
	uint32_t word;

	return !span_le32(rest, 0, &word) || word == 0 || is_trailer(rest, out);
}

static int decode(struct span in, struct unpack_out *out, size_t *ret_consumed, struct diag *diag)
{
	struct span rest = span_of(in.data + sizeof(uint32_t), in.len - sizeof(uint32_t));
	struct span block;
	uint32_t len;
	int r;

	while (!is_end(rest, out) && span_le32(rest, 0, &len)) {
		rest = span_of(rest.data + sizeof(len), rest.len - sizeof(len));
		if (len == LEGACY_MAGIC)	/* of one more frame, as in the kernel */
			continue;
		if (!span_sub(rest, 0, len, &block))
			return unpack_fail_truncated("lz4", in.len, diag);
		r = decode_block(block, out, diag);
		if (r < 0)
			return r;
		rest = span_of(rest.data + len, rest.len - len);
	}
	*ret_consumed = in.len - (is_trailer(rest, out) ? 0 : rest.len);
	return 0;
}
#endif

const struct codec unpack_lz4 = {
	.name = "lz4",
	.magic = "\x02\x21\x4c\x18",
	.magic_len = 4,
	.library = "liblz4",
	.package = "liblz4-dev",
	.memory_max = BLOCK_LEN,
#ifdef HAVE_LZ4
	.is_built = true,
	.decode = decode,
#endif
};
