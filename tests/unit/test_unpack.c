// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every codec at every size that has a border, and what is broken in every way. Input ends and output
 * ends at a page that nobody may touch: the libraries themselves are not built with sanitisers.
 */
#include "unpack.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arch/x86/bzimage.h"
#include "lib_image.h"
#include "lib_payload.h"
#include "unit.h"

#define LARGE_LEN	(8 * MIB + 1)	/* two blocks of lz4 */
#define MEDIUM_LEN	(300 * KIB)	/* two blocks of lzop */

static const char *const formats[] = {
	"gzip", "bzip2", "lzma", "lzma-len", "xz", "lzo", "lzo-crc32", "lz4", "lz4-frame", "zstd",
	"zstd-len", "zstd-long", "elf",
};

static struct arena arena;
static struct diag diag;
static uint8_t *plain;		/* LARGE_LEN bytes */

static int fresh(void **state)
{
	(void)state;
	diag_init(&diag, &arena);
	return 0;
}

/* len bytes that end where the next page is forbidden. */
struct guarded {
	uint8_t *map, *data;
	size_t map_len;
};

static struct guarded guard(size_t len)
{
	struct guarded g = { .map_len = align_down(len + PAGE_LEN - 1, PAGE_LEN) + PAGE_LEN };

	g.map = mmap(NULL, g.map_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(g.map, MAP_FAILED);
	assert_int_equal(mprotect(g.map + g.map_len - PAGE_LEN, PAGE_LEN, PROT_NONE), 0);
	g.data = g.map + g.map_len - PAGE_LEN - len;
	return g;
}

static void unguard(struct guarded *g)
{
	munmap(g->map, g->map_len);
}

/* Only lz4 has a border at 8 MiB, and the others take seconds for as much. */
static bool is_for(const char *format, size_t len)
{
	return len <= MIB || strncmp(format, "lz4", 3) == 0;
}

/* unpack_exact() from and to guarded memory; out is compared with plain if it succeeds. */
static int exact(const struct codec *codec, struct span packed, size_t out_len)
{
	struct guarded in = guard(packed.len), out = guard(out_len);
	int r;

	diag_clear(&diag);
	if (packed.len > 0)
		memcpy(in.data, packed.data, packed.len);
	r = unpack_exact(codec, span_of(in.data, packed.len), out.data, out_len, &diag);
	if (r == 0)
		assert_memory_equal(out.data, plain, out_len);
	else
		assert_non_null(diag.id);
	unguard(&in);
	unguard(&out);
	return r;
}

static int stream(const struct codec *codec, struct span packed, size_t max_len,
		  struct unpack_buffer *buf, size_t *ret_consumed)
{
	struct guarded in = guard(packed.len);
	size_t before = buf->len;
	int r;

	diag_clear(&diag);
	if (packed.len > 0)
		memcpy(in.data, packed.data, packed.len);
	r = unpack_stream(codec, span_of(in.data, packed.len), max_len, buf, ret_consumed, &diag);
	if (r < 0) {
		assert_non_null(diag.id);
		assert_int_equal(buf->len, before);
	}
	assert_true(buf->len <= before + max_len);
	unguard(&in);
	return r;
}

static bool failed_with(const char *id)
{
	return diag.id && strcmp(diag.id, id) == 0;
}

/* Packs the first len bytes of plain; NULL: not built, or no such thing in this format. */
static const struct codec *packed_with(const char *format, size_t len, struct bytes *b)
{
	const struct codec *codec;

	b->len = 0;
	if ((strcmp(format, "elf") == 0 && len < 4) || !is_for(format, len))
		return NULL;
	if (!pack(format, span_of(plain, len), b))
		return NULL;
	codec = unpack_find(bytes_span(b));
	assert_non_null(codec);
	assert_memory_equal(codec->name, format, strlen(codec->name));
	return codec;
}

static bool has_checksum(const char *format)
{
	return strncmp(format, "lzma", 4) != 0 && strcmp(format, "lz4") != 0 &&
	       strcmp(format, "elf") != 0;
}

static bool has_end(const char *format)
{
	return strcmp(format, "lz4") != 0 && strcmp(format, "elf") != 0;
}

static void round_trip(const char *format, size_t len, struct bytes *b)
{
	const struct codec *codec = packed_with(format, len, b);
	struct unpack_buffer buf = { 0 };
	size_t consumed = 0;

	if (!codec)
		return;
	assert_int_equal(exact(codec, bytes_span(b), len), 0);
	assert_int_equal(stream(codec, bytes_span(b), len, &buf, &consumed), 0);
	assert_int_equal(buf.len, len);
	assert_int_equal(consumed, b->len);
	assert_memory_equal(buf.data, plain, len);
	/* Once more, behind the first and with room to spare. */
	assert_int_equal(stream(codec, bytes_span(b), SIZE_MAX / 4, &buf, &consumed), 0);
	assert_int_equal(buf.len, 2 * len);
	if (len > 0)
		assert_memory_equal(buf.data + len, plain, len);
	unpack_buffer_trim(&buf);
	assert_true(buf.map_len - buf.len < PAGE_LEN);
	unpack_buffer_free(&buf);
}

static void test_round_trips(void **state)
{
	static const size_t lens[] = { 0, 1, 4, 5, 4095, 4096, 4097, 256 * KIB, 256 * KIB + 1, MIB,
				       LARGE_LEN - 1, LARGE_LEN };
	struct bytes b = { 0 };

	(void)state;
	for (size_t f = 0; f < array_len(formats); f++)
		for (size_t i = 0; i < array_len(lens); i++)
			round_trip(formats[f], lens[i], &b);
	bytes_free(&b);
}

static void test_short_and_long(void **state)
{
	static const size_t lens[] = { 5, 4096, MEDIUM_LEN, LARGE_LEN };
	struct bytes b = { 0 };

	(void)state;
	for (size_t f = 0; f < array_len(formats); f++) {
		for (size_t i = 0; i < array_len(lens); i++) {
			const struct codec *codec = packed_with(formats[f], lens[i], &b);

			if (!codec)
				continue;
			assert_true(exact(codec, bytes_span(&b), lens[i] + 1) < 0);
			assert_true(failed_with("unpack/short"));
			assert_true(exact(codec, bytes_span(&b), lens[i] - 1) < 0);
			assert_true(failed_with("unpack/long"));
			assert_true(exact(codec, bytes_span(&b), lens[i] / 2) < 0);
			assert_true(failed_with("unpack/long"));
			assert_true(exact(codec, bytes_span(&b), 0) < 0);
			assert_true(failed_with("unpack/long"));
		}
	}
	bytes_free(&b);
}

static void truncate_at(const struct codec *codec, struct span whole, size_t len, size_t out_len)
{
	struct unpack_buffer buf = { 0 };
	size_t consumed;
	struct span part;

	assert_true(span_sub(whole, 0, len, &part));
	assert_true(exact(codec, part, out_len) < 0);
	if (!failed_with("unpack/truncated") && !failed_with("unpack/short")) {
		print_error("%s of %zu cut to %zu: %s\n", codec->name, whole.len, len, diag.id);
		assert_true(false);
	}
	if (stream(codec, part, out_len, &buf, &consumed) == 0)
		assert_true(buf.len < out_len && consumed <= len);
	unpack_buffer_free(&buf);
}

static void test_truncated(void **state)
{
	struct bytes b = { 0 };

	(void)state;
	for (size_t f = 0; f < array_len(formats); f++) {
		const struct codec *codec = packed_with(formats[f], MEDIUM_LEN, &b);

		for (size_t len = 0; codec && len < b.len; len += len < 40 ? 1 : b.len / 23)
			truncate_at(codec, bytes_span(&b), len, MEDIUM_LEN);
		for (size_t len = b.len - 20; codec && len < b.len; len++)
			truncate_at(codec, bytes_span(&b), len, MEDIUM_LEN);
	}
	bytes_free(&b);
}

/* Returns whether the flip was noticed. exact() compares when it was not. */
static bool flip(const struct codec *codec, struct bytes *b, size_t bit, bool has_sum)
{
	struct guarded out = guard(MEDIUM_LEN);
	struct unpack_buffer buf = { 0 };
	size_t consumed;
	int r;

	b->data[bit / 8] ^= (uint8_t)(1U << bit % 8);
	diag_clear(&diag);
	if (has_sum)
		r = exact(codec, bytes_span(b), MEDIUM_LEN);
	else
		r = unpack_exact(codec, bytes_span(b), out.data, MEDIUM_LEN, &diag);
	if (r == 0 && unpack_find(bytes_span(b)))
		(void)!stream(codec, bytes_span(b), MEDIUM_LEN, &buf, &consumed);
	b->data[bit / 8] ^= (uint8_t)(1U << bit % 8);
	unpack_buffer_free(&buf);
	unguard(&out);
	return r < 0;
}

static void test_bit_flips(void **state)
{
	struct bytes b = { 0 };

	(void)state;
	for (size_t f = 0; f < array_len(formats); f++) {
		const struct codec *codec = packed_with(formats[f], MEDIUM_LEN, &b);
		bool has_sum = has_checksum(formats[f]);
		size_t n = 0, n_noticed = 0;

		for (size_t bit = 0; codec && bit < b.len * 8; bit += bit < 400 ? 1 : b.len * 8 / 41) {
			n++;
			n_noticed += flip(codec, &b, bit, has_sum);
		}
		/* Time and name of a gzip or lzop header, and the like, may be anything. */
		if (codec && has_sum)
			assert_true(n_noticed >= n / 2);
	}
	bytes_free(&b);
}

static void test_trailing(void **state)
{
	struct bytes b = { 0 };

	(void)state;
	for (size_t f = 0; f < array_len(formats); f++) {
		const struct codec *codec = packed_with(formats[f], MEDIUM_LEN, &b);
		struct unpack_buffer buf = { 0 };
		size_t len = b.len, consumed;

		if (!codec || !has_end(formats[f]))
			continue;
		bytes_add(&b, "\x55\0\xaa\xff garbage", 12);
		assert_true(exact(codec, bytes_span(&b), MEDIUM_LEN) < 0);
		assert_true(failed_with("unpack/trailing"));
		assert_int_equal(stream(codec, bytes_span(&b), MEDIUM_LEN, &buf, &consumed), 0);
		assert_int_equal(consumed, len);
		unpack_buffer_free(&buf);
	}
	bytes_free(&b);
}

/* lz4's legacy frame has no end: zeros end it, and the trailer of a payload if nothing is missing. */
static void test_lz4_end(void **state)
{
	struct bytes b = { 0 };
	const struct codec *codec = packed_with("lz4", MEDIUM_LEN, &b);
	size_t len = b.len, consumed;
	struct unpack_buffer buf = { 0 };

	(void)state;
	if (!codec)
		skip();
	bytes_add(&b, &(uint32_t){ MEDIUM_LEN }, 4);
	assert_int_equal(exact(codec, bytes_span(&b), MEDIUM_LEN), 0);
	set32(b.data, len, MEDIUM_LEN + 1);
	assert_true(exact(codec, bytes_span(&b), MEDIUM_LEN) < 0);
	assert_true(failed_with("unpack/truncated"));
	set32(b.data, len, 0x7fffffff);
	assert_true(exact(codec, bytes_span(&b), MEDIUM_LEN) < 0);
	set32(b.data, len, 0);
	assert_true(exact(codec, bytes_span(&b), MEDIUM_LEN) < 0);
	assert_true(failed_with("unpack/trailing"));
	assert_int_equal(stream(codec, bytes_span(&b), MEDIUM_LEN, &buf, &consumed), 0);
	assert_int_equal(consumed, len);
	/* One frame after the other is one stream. */
	b.len = len;
	assert_true(pack("lz4", span_of(plain, MEDIUM_LEN), &b));
	assert_int_equal(stream(codec, bytes_span(&b), 2 * MEDIUM_LEN, &buf, &consumed), 0);
	assert_int_equal(consumed, 2 * len);
	assert_int_equal(buf.len, 3 * MEDIUM_LEN);
	unpack_buffer_free(&buf);
	bytes_free(&b);
}

static void test_bombs(void **state)
{
	size_t len = 17 * MIB;
	uint8_t *zeros = calloc(1, len);
	struct bytes b = { 0 };

	(void)state;
	assert_non_null(zeros);
	for (size_t f = 0; f < array_len(formats); f++) {
		struct unpack_buffer buf = { 0 };
		const struct codec *codec;
		size_t consumed;

		b.len = 0;
		if (strcmp(formats[f], "elf") == 0 || !pack(formats[f], span_of(zeros, len), &b))
			continue;
		codec = unpack_find(bytes_span(&b));
		assert_true(stream(codec, bytes_span(&b), MIB, &buf, &consumed) < 0);
		assert_true(failed_with("unpack/too-large"));
		assert_true(buf.map_len <= 2 * MIB);
		assert_true(stream(codec, bytes_span(&b), 0, &buf, &consumed) < 0);
		assert_true(failed_with("unpack/too-large"));
		unpack_buffer_free(&buf);
	}
	bytes_free(&b);
	free(zeros);
}

#ifdef HAVE_LZMA
#include <lzma.h>

/* An xz whose one block claims another dictionary: the size's code is in its header, after the BCJ. */
static void set_dictionary(struct bytes *b, uint8_t code)
{
	uint8_t *header = b->data + 12;
	size_t len = (header[0] + 1U) * 4U, off = 2;

	while (!(header[off] == 0x21 && header[off + 1] == 1))
		off++;
	header[off + 2] = code;
	set32(header, len - 4, lzma_crc32(header, len - 4, 0));
}

static void test_xz_memory(void **state)
{
	struct bytes b = { 0 };
	const struct codec *codec = packed_with("xz", MEDIUM_LEN, &b);

	(void)state;
	set_dictionary(&b, 0x1e);	/* 128 MiB, as in 7.3 */
	assert_int_equal(exact(codec, bytes_span(&b), MEDIUM_LEN), 0);
	set_dictionary(&b, 0x20);	/* 256 MiB and what the decoder itself takes */
	assert_true(exact(codec, bytes_span(&b), MEDIUM_LEN) < 0);
	assert_true(failed_with("unpack/memory-limit"));
	b.len = 0;
	assert_true(pack("lzma", span_of(plain, MEDIUM_LEN), &b));
	set32(b.data, 1, 0xffffffff);
	assert_true(exact(unpack_find(span_of("\x5d\0\0", 3)), bytes_span(&b), MEDIUM_LEN) < 0);
	set32(b.data, 1, 0x40000000);
	assert_true(exact(unpack_find(bytes_span(&b)), bytes_span(&b), MEDIUM_LEN) < 0);
	assert_true(failed_with("unpack/memory-limit"));
	bytes_free(&b);
}
#else
static void test_xz_memory(void **state)
{
	(void)state;
	skip();
}
#endif

/* A frame that claims a window: descriptor 0, then the window's exponent less 10, shifted by 3. */
static void test_zstd_window(void **state)
{
	uint8_t frame[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x00, 0, 0x01, 0x00, 0x00 };
	const struct codec *codec = unpack_find(span_of(frame, sizeof(frame)));
	struct unpack_buffer buf = { 0 };
	size_t consumed;

	(void)state;
	if (!codec->is_built)
		skip();
	frame[5] = (28 - 10) << 3;
	assert_int_equal(stream(codec, span_of(frame, sizeof(frame)), MIB, &buf, &consumed), 0);
	frame[5] = (29 - 10) << 3;
	assert_true(stream(codec, span_of(frame, sizeof(frame)), MIB, &buf, &consumed) < 0);
	assert_true(failed_with("unpack/memory-limit"));
	unpack_buffer_free(&buf);
}

static void test_unknown(void **state)
{
	(void)state;
	assert_null(unpack_find(span_of(NULL, 0)));
	assert_null(unpack_find(span_of("\x1f", 1)));
	assert_null(unpack_find(span_of("MZ\0\0\0\0\0\0\0\0", 10)));
	assert_null(unpack_find(span_of("\0\0\0\0\0\0\0\0\0\0", 10)));
	/* A codec that is given something else says so. */
	for (size_t i = 0; unpack_codecs()[i]; i++) {
		assert_true(exact(unpack_codecs()[i], span_of("070701 and more", 15), 4) < 0);
		assert_true(failed_with("unpack/damaged"));
	}
}

static void test_not_built(void **state)
{
	for (size_t i = 0; unpack_codecs()[i]; i++) {
		const struct codec *codec = unpack_codecs()[i];
		struct codec absent = *codec;
		struct unpack_buffer buf = { 0 };
		size_t consumed;

		(void)state;
		assert_int_equal(codec->is_built, codec->decode != NULL);
		absent.is_built = false;
		absent.decode = NULL;
		assert_true(exact(&absent, span_of(codec->magic, codec->magic_len), 9) < 0);
		assert_true(failed_with("unpack/not-built"));
		assert_non_null(strstr(diag.text, absent.library));
		assert_non_null(strstr(diag.advice, absent.package));
		assert_true(stream(&absent, span_of(codec->magic, codec->magic_len), 9, &buf,
				   &consumed) < 0);
		assert_true(failed_with("unpack/not-built"));
	}
}

static void test_lzo_variants(void **state)
{
	struct bytes b = { 0 };
	const struct codec *codec = packed_with("lzo", 4096, &b);

	(void)state;
	if (!codec)
		skip();
	b.data[15] = 0x80;	/* the method is zlib's */
	assert_true(exact(codec, bytes_span(&b), 4096) < 0);
	assert_true(failed_with("unpack/unsupported"));
	b.data[15] = 1;
	b.data[19] |= 0x08;	/* a filter */
	assert_true(exact(codec, bytes_span(&b), 4096) < 0);
	assert_true(failed_with("unpack/unsupported"));
	bytes_free(&b);
}

static void test_split(void **state)
{
	struct span packed, some = span_of(plain, 9999);
	const struct codec *codec;
	struct bytes b = { 0 };
	size_t len;

	(void)state;
	for (size_t f = 0; f < array_len(formats); f++) {
		b.len = 0;
		if (strcmp(formats[f], "elf") == 0 || !pack_payload(formats[f], some, &b))
			continue;
		codec = unpack_find(bytes_span(&b));
		assert_int_equal(unpack_split(codec, bytes_span(&b), &packed, &len, &diag), 0);
		assert_int_equal(len, 9999);
		assert_int_equal(exact(unpack_find(packed), packed, len), 0);
	}
	assert_true(unpack_split(unpack_codecs()[0], span_of("abc", 3), &packed, &len, &diag) < 0);
	assert_true(failed_with("unpack/no-trailer"));
	bytes_free(&b);
}

static void unpack_payload_of(const struct bzimage *image, bool is_plain_ours)
{
	const struct codec *codec = unpack_find(image->payload);
	struct guarded out;
	struct span packed;
	size_t len;

	assert_non_null(codec);
	assert_int_equal(unpack_split(codec, image->payload, &packed, &len, &diag), 0);
	assert_int_equal(len, image->payload_out_len);
	out = guard(len);
	if (unpack_exact(codec, packed, out.data, len, &diag) < 0)
		print_error("%s: %s\n", diag.id, diag.text);
	assert_null(diag.id);
	assert_memory_equal(out.data, "\x7f" "ELF", 4);
	if (is_plain_ours)
		assert_memory_equal(out.data, plain, len);
	unguard(&out);
}

static void test_bzimages_we_make(void **state)
{
	static uint8_t old[TEST_IMAGE_LEN];
	struct bytes payload = { 0 }, image = { 0 };
	struct bzimage b;

	(void)state;
	make_bzimage(old);
	for (size_t f = 0; f < array_len(formats); f++) {
		payload.len = image.len = 0;
		if (strcmp(formats[f], "elf") == 0 || strcmp(formats[f], "lz4-frame") == 0 ||
		    !pack_payload(formats[f], span_of(plain, MEDIUM_LEN * 2), &payload))
			continue;
		make_bzimage_with_payload(span_of(old, sizeof(old)), bytes_span(&payload),
					  MEDIUM_LEN * 2, &image);
		assert_int_equal(bzimage_parse(bytes_span(&image), &arena, &b, &diag), 0);
		unpack_payload_of(&b, true);
	}
	bytes_free(&payload);
	bytes_free(&image);
}

/* Kernels that tests/vm/fetch put there. */
static void test_real_kernels(void **state)
{
	static const char *const names[] = { "6.1-686-pae", "6.1-amd64", "6.1-cloud", "6.12-amd64",
					     "7-amd64" };
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char path[4096];
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < array_len(names); i++) {
		struct bzimage image;
		struct span file;
		struct stat st;
		void *map;
		int fd;

		snprintf(path, sizeof(path), "%s%s/kexec-ng/kernels/%s/vmlinuz", cache ? cache : home,
			 cache ? "" : "/.cache", names[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		assert_int_equal(fstat(fd, &st), 0);
		map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		assert_ptr_not_equal(map, MAP_FAILED);
		close(fd);
		file = span_of(map, (size_t)st.st_size);
		assert_int_equal(bzimage_parse(file, &arena, &image, &diag), 0);
		if (unpack_find(image.payload)->is_built) {
			unpack_payload_of(&image, false);
			n++;
		}
		munmap(map, (size_t)st.st_size);
	}
	if (n == 0)
		skip();
	print_message("unpacked %zu real kernels\n", n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_round_trips, fresh),
		cmocka_unit_test_setup(test_short_and_long, fresh),
		cmocka_unit_test_setup(test_truncated, fresh),
		cmocka_unit_test_setup(test_bit_flips, fresh),
		cmocka_unit_test_setup(test_trailing, fresh),
		cmocka_unit_test_setup(test_lz4_end, fresh),
		cmocka_unit_test_setup(test_bombs, fresh),
		cmocka_unit_test_setup(test_xz_memory, fresh),
		cmocka_unit_test_setup(test_zstd_window, fresh),
		cmocka_unit_test_setup(test_unknown, fresh),
		cmocka_unit_test_setup(test_not_built, fresh),
		cmocka_unit_test_setup(test_lzo_variants, fresh),
		cmocka_unit_test_setup(test_split, fresh),
		cmocka_unit_test_setup(test_bzimages_we_make, fresh),
		cmocka_unit_test_setup(test_real_kernels, fresh),
	};
	int r;

	plain = malloc(LARGE_LEN);
	if (!plain)
		return 1;
	make_plain(plain, LARGE_LEN, 1);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	arena_free(&arena);
	free(plain);
	return r;
}
