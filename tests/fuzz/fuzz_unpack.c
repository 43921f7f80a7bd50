// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every codec on arbitrary bytes, and on bytes that one byte says to begin like the codec's own. What
 * comes out of exact room is what comes out of a buffer; room is never exceeded (malloc'ed exactly).
 */
#include <stdlib.h>
#include <string.h>

#include "lib_payload.h"
#include "unpack.h"

#define MAX_LEN	(256 * KIB)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool condition)
{
	if (!condition)
		__builtin_trap();
}

static void unpack_both_ways(const struct codec *codec, struct span in)
{
	struct unpack_buffer buf = { 0 };
	size_t consumed = 0;
	struct span used;
	struct diag diag;
	uint8_t *out;
	int r;

	diag_init(&diag, NULL);
	r = unpack_stream(codec, in, MAX_LEN, &buf, &consumed, &diag);
	must((r < 0) == (diag.id != NULL));
	if (r == 0) {
		must(consumed <= in.len && buf.len <= MAX_LEN && buf.len <= buf.map_len);
		must(span_sub(in, 0, consumed, &used));
		out = malloc(buf.len + 1);
		must(unpack_exact(codec, used, out, buf.len, &diag) == 0);
		must(buf.len == 0 || memcmp(out, buf.data, buf.len) == 0);
		if (buf.len > 0)
			must(unpack_exact(codec, used, out, buf.len - 1, &diag) < 0);
		free(out);
	}
	diag_clear(&diag);
	out = malloc(1000);
	if (unpack_exact(codec, in, out, 1000, &diag) < 0)
		must(diag.id != NULL);
	free(out);
	unpack_buffer_free(&buf);
}

/* A small input, packed, with the fuzzer's bytes written over a part of it. */
static void unpack_spoilt(const uint8_t *data, size_t len)
{
	static const char *const formats[] = { "gzip", "bzip2", "lzma", "lzma-len", "xz", "lzo",
					       "lzo-crc32", "lz4", "lz4-frame", "zstd", "zstd-len" };
	const char *format = formats[data[0] % array_len(formats)];
	static uint8_t plain[5000];
	struct bytes b = { 0 };
	size_t off;

	make_plain(plain, sizeof(plain), data[1]);
	if (pack(format, span_of(plain, sizeof(plain)), &b)) {
		off = (size_t)(data[2] | data[3] << 8) % b.len;
		memcpy(b.data + off, data + 4, min_u64(len - 4, b.len - off));
		if (unpack_find(bytes_span(&b)))
			unpack_both_ways(unpack_find(bytes_span(&b)), bytes_span(&b));
	}
	bytes_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct codec *const *codecs = unpack_codecs();
	struct bytes b = { 0 };
	size_t n = 0;

	if (unpack_find(span_of(data, len)))
		unpack_both_ways(unpack_find(span_of(data, len)), span_of(data, len));
	if (len < 5)
		return 0;
	while (codecs[n])
		n++;
	n = data[0] % (n + 1);
	if (!codecs[n]) {
		unpack_spoilt(data + 1, len - 1);
		return 0;
	}
	bytes_add(&b, codecs[n]->magic, codecs[n]->magic_len);
	bytes_add(&b, data + 1, len - 1);
	unpack_both_ways(codecs[n], bytes_span(&b));
	bytes_free(&b);
	return 0;
}
