// SPDX-License-Identifier: GPL-2.0-or-later
/* What is packed is unpacked by unpack.c to the same bytes, and says what it is. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib_payload.h"
#include "pack.h"
#include "unit.h"

#define PLAIN_LEN	(3 * MIB + 12345)

static void round_trip(const char *format)
{
	uint8_t *plain = malloc(PLAIN_LEN), *again = malloc(PLAIN_LEN);
	struct unpack_buffer packed = { 0 };
	const struct codec *codec;
	struct span stream;
	size_t out_len = 0;
	struct diag diag;

	make_plain(plain, PLAIN_LEN, 7);
	diag_init(&diag, NULL);
	assert_int_equal(pack_kernel(format, span_of(plain, PLAIN_LEN), &packed, &diag), 0);
	codec = unpack_find(span_of(packed.data, packed.len));
	assert_non_null(codec);
	assert_string_equal(codec->name, format);
	assert_true(packed.len < PLAIN_LEN);
	assert_int_equal(unpack_split(codec, span_of(packed.data, packed.len), &stream, &out_len,
				      &diag), 0);
	assert_int_equal(out_len, PLAIN_LEN);
	assert_int_equal(unpack_exact(codec, stream, again, PLAIN_LEN, &diag), 0);
	assert_memory_equal(plain, again, PLAIN_LEN);
	unpack_buffer_free(&packed);
	free(plain);
	free(again);
}

static void test_round_trips(void **state)
{
	static const char *const formats[] = { "gzip", "bzip2", "lzma", "xz", "lzo", "lz4", "zstd" };

	(void)state;
	for (size_t i = 0; i < array_len(formats); i++)
		round_trip(formats[i]);
}

static void test_plain(void **state)
{
	struct unpack_buffer out = { 0 };
	struct diag diag;

	(void)state;
	diag_init(&diag, NULL);
	assert_int_equal(pack_kernel("elf", span_of("\177ELF", 4), &out, &diag), 0);
	assert_int_equal(out.len, 4);
	unpack_buffer_free(&out);
}

/* Noise does not become shorter: blocks are stored. */
static void test_noise(void **state)
{
	static uint8_t noise[300 * 1024], again[sizeof(noise)];
	struct unpack_buffer out = { 0 };
	const struct codec *codec;
	struct span stream;
	uint32_t v = 1;
	size_t len = 0;
	struct diag diag;

	(void)state;
	for (size_t i = 0; i < sizeof(noise); i++) {
		v = v * 1664525 + 1013904223;
		noise[i] = (uint8_t)(v >> 24);
	}
	diag_init(&diag, NULL);
	assert_int_equal(pack_kernel("lzo", span_of(noise, sizeof(noise)), &out, &diag), 0);
	codec = unpack_find(span_of(out.data, out.len));
	assert_int_equal(unpack_split(codec, span_of(out.data, out.len), &stream, &len, &diag), 0);
	assert_int_equal(unpack_exact(codec, stream, again, len, &diag), 0);
	assert_memory_equal(noise, again, sizeof(noise));
	unpack_buffer_free(&out);
}

static void test_refusals(void **state)
{
	struct unpack_buffer out = { 0 };
	struct diag diag;

	(void)state;
	diag_init(&diag, NULL);
	assert_int_equal(pack_kernel("rar", span_of("x", 1), &out, &diag), -EINVAL);
	assert_string_equal(diag.id, "pack/unknown-format");
	diag_init(&diag, NULL);
	assert_int_equal(pack_kernel("elf", span_of("", 0), &out, &diag), -EFBIG);
	assert_string_equal(diag.id, "pack/too-large");
	assert_null(out.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
