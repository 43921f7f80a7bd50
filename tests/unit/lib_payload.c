// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib_payload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/bzimage.h"
#include "lib_image.h"

#ifdef HAVE_ZLIB
#include <zlib.h>
#endif
#ifdef HAVE_BZIP2
#include <bzlib.h>
#endif
#ifdef HAVE_LZMA
#include <lzma.h>
#endif
#ifdef HAVE_LZO
#include <lzo/lzo1x.h>
#endif
#ifdef HAVE_LZ4
#include <lz4.h>
#include <lz4frame.h>
#endif
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

#define must(condition) do { if (!(condition)) abort(); } while (0)

/* Room for len bytes at the end; the caller adds to b->len what it used. */
static uint8_t *make_room(struct bytes *b, size_t len)
{
	b->data = realloc(b->data, b->len + len + 1);
	must(b->data);
	return b->data + b->len;
}

void bytes_add(struct bytes *b, const void *data, size_t len)
{
	uint8_t *end = make_room(b, len);

	if (len > 0)
		memcpy(end, data, len);
	b->len += len;
}

void bytes_add_zeros(struct bytes *b, size_t len)
{
	memset(make_room(b, len), 0, len);
	b->len += len;
}

void bytes_align(struct bytes *b, size_t align)
{
	bytes_add_zeros(b, -b->len % align);
}

void bytes_free(struct bytes *b)
{
	free(b->data);
	*b = (struct bytes){ 0 };
}

struct span bytes_span(const struct bytes *b)
{
	return span_of(b->data, b->len);
}

static void add_le32(struct bytes *b, uint32_t v)
{
	bytes_add(b, &v, sizeof(v));
}

static bool is_named(const char *format, const char *name)
{
	return strcmp(format, name) == 0;
}

static bool pack_gzip(struct span plain, struct bytes *b)
{
#ifdef HAVE_ZLIB
	z_stream z = { .next_in = (z_const Bytef *)plain.data, .avail_in = (uInt)plain.len };
	size_t room = plain.len + plain.len / 512 + 256;

	must(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
	z.next_out = make_room(b, room);
	z.avail_out = (uInt)room;
	must(deflate(&z, Z_FINISH) == Z_STREAM_END);
	b->len += z.total_out;
	deflateEnd(&z);
	return true;
#else
	(void)plain;
	(void)b;
	return false;
#endif
}

static bool pack_bzip2(struct span plain, struct bytes *b)
{
#ifdef HAVE_BZIP2
	unsigned int len = (unsigned int)(plain.len + plain.len / 64 + 1024);
	char *end = (char *)make_room(b, len);

	must(BZ2_bzBuffToBuffCompress(end, &len, (char *)(uintptr_t)plain.data,
				      (unsigned int)plain.len, 9, 0, 0) == BZ_OK);
	b->len += len;
	return true;
#else
	(void)plain;
	(void)b;
	return false;
#endif
}

static bool pack_xz(struct span plain, struct bytes *b)
{
#ifdef HAVE_LZMA
	lzma_options_lzma options;
	lzma_filter filters[] = {
		{ .id = LZMA_FILTER_X86 },
		{ .id = LZMA_FILTER_LZMA2, .options = &options },
		{ .id = LZMA_VLI_UNKNOWN },
	};
	size_t room = lzma_stream_buffer_bound(plain.len), len = 0;

	must(!lzma_lzma_preset(&options, 1));
	must(lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC32, NULL, plain.data, plain.len,
				       make_room(b, room), &len, room) == LZMA_OK);
	b->len += len;
	return true;
#else
	(void)plain;
	(void)b;
	return false;
#endif
}

static bool pack_lzma(struct span plain, bool has_len, struct bytes *b)
{
#ifdef HAVE_LZMA
	lzma_stream lzma = LZMA_STREAM_INIT;
	lzma_options_lzma options;
	size_t room = plain.len + plain.len / 16 + 1024, start = b->len;

	must(!lzma_lzma_preset(&options, 1));
	must(lzma_alone_encoder(&lzma, &options) == LZMA_OK);
	lzma.next_in = plain.data;
	lzma.avail_in = plain.len;
	lzma.next_out = make_room(b, room);
	lzma.avail_out = room;
	must(lzma_code(&lzma, LZMA_FINISH) == LZMA_STREAM_END);
	b->len += lzma.total_out;
	lzma_end(&lzma);
	if (has_len)	/* bytes 5 to 12; an end marker may follow all the same */
		memcpy(b->data + start + 5, &(uint64_t){ plain.len }, 8);
	return true;
#else
	(void)plain;
	(void)has_len;
	(void)b;
	return false;
#endif
}

#ifdef HAVE_LZO
static void add_be(struct bytes *b, size_t len, uint32_t v)
{
	while (len-- > 0)
		bytes_add(b, &(uint8_t){ (uint8_t)(v >> (8 * len)) }, 1);
}

static uint32_t lzo_sum(bool is_crc, const uint8_t *data, size_t len)
{
	return is_crc ? lzo_crc32(0, data, len) : lzo_adler32(1, data, len);
}

static void add_lzo_block(struct span plain, bool is_crc, struct bytes *b)
{
	uint8_t *work = malloc(LZO1X_1_MEM_COMPRESS);
	uint8_t *packed = malloc(plain.len + plain.len / 16 + 67);
	lzo_uint len;

	must(work && packed);
	must(lzo1x_1_compress(plain.data, plain.len, packed, &len, work) == LZO_E_OK);
	add_be(b, 4, (uint32_t)plain.len);
	add_be(b, 4, (uint32_t)min_u64(len, plain.len));
	add_be(b, 4, lzo_sum(is_crc, plain.data, plain.len));
	if (len < plain.len) {
		add_be(b, 4, lzo_sum(is_crc, packed, len));
		bytes_add(b, packed, len);
	} else {
		bytes_add(b, plain.data, plain.len);
	}
	free(packed);
	free(work);
}
#endif

/* As lzop 1.04 does: version 0x1040, LZO1X-1 in blocks of 256 KiB. */
static bool pack_lzo(struct span plain, bool is_crc, struct bytes *b)
{
#ifdef HAVE_LZO
	size_t start = b->len + 9;

	bytes_add(b, "\x89LZO\0\r\n\x1a\n", 9);
	add_be(b, 2, 0x1040);
	add_be(b, 2, 0x20a0);
	add_be(b, 2, 0x0940);
	add_be(b, 1, 1);
	add_be(b, 1, 5);
	add_be(b, 4, is_crc ? 0x1300 : 0x0003);
	add_be(b, 4, 0100644);
	add_be(b, 4, 0x5f000000);
	add_be(b, 4, 0);
	add_be(b, 1, 7);
	bytes_add(b, "vmlinux", 7);
	add_be(b, 4, lzo_sum(is_crc, b->data + start, b->len - start));
	for (size_t off = 0; off < plain.len; off += 256 * KIB)
		add_lzo_block(span_of(plain.data + off, min_u64(256 * KIB, plain.len - off)), is_crc,
			      b);
	add_be(b, 4, 0);
	return true;
#else
	(void)plain;
	(void)is_crc;
	(void)b;
	return false;
#endif
}

static bool pack_lz4(struct span plain, struct bytes *b)
{
#ifdef HAVE_LZ4
	add_le32(b, 0x184c2102);
	for (size_t off = 0; off < plain.len; off += 8 * MIB) {
		int plain_len = (int)min_u64(8 * MIB, plain.len - off);
		const char *from = (const char *)plain.data + off;
		int room = LZ4_compressBound(plain_len), len;

		add_le32(b, 0);
		len = LZ4_compress_default(from, (char *)make_room(b, (size_t)room), plain_len, room);
		must(len > 0);
		memcpy(b->data + b->len - 4, &(uint32_t){ (uint32_t)len }, 4);
		b->len += (size_t)len;
	}
	return true;
#else
	(void)plain;
	(void)b;
	return false;
#endif
}

static bool pack_lz4_frame(struct span plain, struct bytes *b)
{
#ifdef HAVE_LZ4
	LZ4F_preferences_t how = { .frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled };
	size_t room = LZ4F_compressFrameBound(plain.len, &how), len;

	len = LZ4F_compressFrame(make_room(b, room), room, plain.data, plain.len, &how);
	must(!LZ4F_isError(len));
	b->len += len;
	return true;
#else
	(void)plain;
	(void)b;
	return false;
#endif
}

/* As zstd(1) does from a pipe: a checksum, no length. */
static bool pack_zstd(struct span plain, bool is_long, bool has_len, struct bytes *b)
{
#ifdef HAVE_ZSTD
	ZSTD_CCtx *zstd = ZSTD_createCCtx();
	ZSTD_inBuffer in = { .src = plain.data, .size = plain.len };
	ZSTD_outBuffer out = { .size = ZSTD_compressBound(plain.len) + 64 };

	must(zstd);
	ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1);
	ZSTD_CCtx_setParameter(zstd, ZSTD_c_contentSizeFlag, has_len);
	if (is_long)
		ZSTD_CCtx_setParameter(zstd, ZSTD_c_windowLog, 27);
	if (has_len)
		ZSTD_CCtx_setPledgedSrcSize(zstd, plain.len);
	out.dst = make_room(b, out.size);
	/* One empty step first, or the library knows the length after all. */
	if (!has_len)
		must(!ZSTD_isError(ZSTD_compressStream2(zstd, &out, &(ZSTD_inBuffer){ 0 },
							ZSTD_e_continue)));
	must(ZSTD_compressStream2(zstd, &out, &in, ZSTD_e_end) == 0);
	b->len += out.pos;
	ZSTD_freeCCtx(zstd);
	return true;
#else
	(void)plain;
	(void)is_long;
	(void)has_len;
	(void)b;
	return false;
#endif
}

bool pack(const char *format, struct span plain, struct bytes *b)
{
	if (is_named(format, "gzip"))
		return pack_gzip(plain, b);
	if (is_named(format, "bzip2"))
		return pack_bzip2(plain, b);
	if (is_named(format, "xz"))
		return pack_xz(plain, b);
	if (is_named(format, "lzma") || is_named(format, "lzma-len"))
		return pack_lzma(plain, is_named(format, "lzma-len"), b);
	if (is_named(format, "lzo") || is_named(format, "lzo-crc32"))
		return pack_lzo(plain, is_named(format, "lzo-crc32"), b);
	if (is_named(format, "lz4"))
		return pack_lz4(plain, b);
	if (is_named(format, "lz4-frame"))
		return pack_lz4_frame(plain, b);
	if (strncmp(format, "zstd", 4) == 0)
		return pack_zstd(plain, is_named(format, "zstd-long"), is_named(format, "zstd-len"), b);
	must(is_named(format, "elf"));
	bytes_add(b, plain.data, plain.len);
	return true;
}

bool pack_payload(const char *format, struct span plain, struct bytes *b)
{
	if (!pack(format, plain, b))
		return false;
	if (!is_named(format, "gzip") && !is_named(format, "elf"))
		add_le32(b, (uint32_t)plain.len);
	return true;
}

void make_bzimage_with_payload(struct span image, struct span payload, size_t out_len,
			       struct bytes *b)
{
	size_t start = b->len, n_sects, setup_len, kernel_len;
	uint64_t window_len;
	uint8_t *new;

	must(image.len >= 0x290 && at32(image.data, HDR_MAGIC) == 0x53726448);
	n_sects = at8(image.data, HDR_SETUP_SECTS);
	setup_len = ((n_sects != 0 ? n_sects : 4) + 1) * 512;
	kernel_len = (size_t)at32(image.data, HDR_SYSSIZE) * 16;
	must(setup_len + kernel_len <= image.len);
	bytes_add(b, image.data, setup_len + kernel_len);
	bytes_add(b, payload.data, payload.len);
	bytes_add_zeros(b, -(kernel_len + payload.len) % 16);
	new = b->data + start;
	set32(new, HDR_PAYLOAD_OFFSET, (uint32_t)kernel_len);
	set32(new, HDR_PAYLOAD_LENGTH, (uint32_t)payload.len);
	kernel_len = b->len - start - setup_len;
	set32(new, HDR_SYSSIZE, (uint32_t)(kernel_len / 16));
	window_len = align_down(max_u64(kernel_len, out_len) + PAGE_LEN - 1, PAGE_LEN);
	set32(new, HDR_INIT_SIZE, (uint32_t)max_u64(at32(new, HDR_INIT_SIZE), window_len));
}

void cpio_add(struct bytes *b, const char *name, const void *body, size_t len)
{
	const uint32_t fields[13] = {
		[0] = 1, [1] = 0100644, [4] = 1, [6] = (uint32_t)len, [11] = (uint32_t)strlen(name) + 1,
	};
	char field[9];

	bytes_add(b, "070701", 6);
	for (size_t i = 0; i < array_len(fields); i++) {
		snprintf(field, sizeof(field), "%08x", fields[i]);
		bytes_add(b, field, 8);
	}
	bytes_add(b, name, strlen(name) + 1);
	bytes_align(b, 4);
	bytes_add(b, body, len);
	bytes_align(b, 4);
}

void make_plain(uint8_t *data, size_t len, uint32_t seed)
{
	uint32_t x = seed * 2654435761U + 1;

	for (size_t i = 0; i < len; i++) {
		x = x * 1664525U + 1013904223U;
		if (x >> 30 == 0 || i < 64)
			data[i] = (uint8_t)(x >> 24);
		else
			data[i] = data[i - 1 - (x >> 8) % 63];
	}
	if (len >= 4)
		memcpy(data, "\x7f" "ELF", 4);
}
