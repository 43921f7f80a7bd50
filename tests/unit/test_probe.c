// SPDX-License-Identifier: GPL-2.0-or-later
/* What a file is: kernels in compressed files of every format, in layers, cut, spoilt, endless. */
#include <errno.h>
#include <string.h>

#include "lib_image.h"
#include "lib_payload.h"
#include "probe.h"
#include "unit.h"

static const char *const formats[] = { "gzip", "bzip2", "lzma", "xz", "lzo", "lz4", "lz4-frame",
				       "zstd" };

static uint8_t image[TEST_IMAGE_LEN];
static struct arena arena;
static struct diag diag;
static struct facts facts;
static struct request req;
static struct unwrapped unwrapped;
static const struct image_type *type;

static int fresh(void **state)
{
	(void)state;
	make_bzimage(image);
	make_facts(&facts, &arena, 2 * GIB);
	memset(&unwrapped, 0, sizeof(unwrapped));
	diag_init(&diag, &arena);
	type = NULL;
	return 0;
}

static int done(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

/* "ok", or the id of the failure. The caller frees what was unwrapped. */
static const char *probe_bytes(struct span file, const char *name)
{
	unwrapped_free(&unwrapped);
	diag_clear(&diag);
	make_request(&req, file.data, file.len);
	req.type = name;
	if (probe_unwrap(&req, &facts, &arena, &unwrapped, &diag) < 0 ||
	    probe_format(&req, &unwrapped, &type, &diag) < 0)
		return diag.id;
	return "ok";
}

static void expect(struct span file, const char *name, const char *id)
{
	assert_string_equal(probe_bytes(file, name), id);
	unwrapped_free(&unwrapped);
}

static struct span plain(void)
{
	return span_of(image, sizeof(image));
}

static void test_not_wrapped(void **state)
{
	(void)state;
	assert_string_equal(probe_bytes(plain(), NULL), "ok");
	assert_ptr_equal(req.kernel.data, image);	/* the file itself, not a copy */
	assert_int_equal(unwrapped.n, 0);
	assert_string_equal(type->name, "bzImage");
}

static void test_every_format(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_len(formats); i++) {
		struct bytes b = { 0 };

		if (!pack(formats[i], plain(), &b)) {
			print_message("built without %s\n", formats[i]);
			continue;
		}
		assert_string_equal(probe_bytes(bytes_span(&b), NULL), "ok");
		assert_int_equal(unwrapped.n, 1);
		assert_string_equal(unwrapped.names[0], formats[i]);
		assert_int_equal(req.kernel.len, sizeof(image));
		assert_memory_equal(req.kernel.data, image, sizeof(image));
		unwrapped_free(&unwrapped);
		bytes_free(&b);
	}
}

/* b packed n times more. False without the library. */
static bool wrap(struct bytes *b, size_t n)
{
	for (; n > 0; n--) {
		struct bytes outer = { 0 };

		if (!pack("gzip", bytes_span(b), &outer))
			return false;
		bytes_free(b);
		*b = outer;
	}
	return true;
}

static void test_layers(void **state)
{
	struct bytes b = { 0 };

	(void)state;
	bytes_add(&b, image, sizeof(image));
	if (!wrap(&b, UNWRAP_DEPTH_MAX))
		skip();
	assert_string_equal(probe_bytes(bytes_span(&b), NULL), "ok");
	assert_int_equal(unwrapped.n, UNWRAP_DEPTH_MAX);
	assert_memory_equal(req.kernel.data, image, sizeof(image));
	assert_true(wrap(&b, 1));
	expect(bytes_span(&b), NULL, "unwrap/too-deep");
	bytes_free(&b);
}

static void test_several_streams(void **state)
{
	static const uint8_t junk[] = "junk";
	struct bytes b = { 0 };

	(void)state;
	if (!pack("gzip", span_of(image, 1000), &b) ||
	    !pack("gzip", span_of(image + 1000, sizeof(image) - 1000), &b))
		skip();
	bytes_add_zeros(&b, 700);
	assert_string_equal(probe_bytes(bytes_span(&b), NULL), "ok");
	assert_int_equal(req.kernel.len, sizeof(image));
	assert_memory_equal(req.kernel.data, image, sizeof(image));
	bytes_add(&b, junk, sizeof(junk));
	expect(bytes_span(&b), NULL, "compressed/trailing");
	bytes_free(&b);
}

/* The limit is of all streams together, and half of what the machine has to spare. */
static void test_bomb(void **state)
{
	static const uint8_t zeros[64 * KIB];
	struct bytes b = { 0 };

	(void)state;
	if (!pack("gzip", span_of(zeros, sizeof(zeros)), &b) ||
	    !pack("gzip", span_of(zeros, sizeof(zeros)), &b))
		skip();
	facts.ram_available = 4 * sizeof(zeros);
	expect(bytes_span(&b), NULL, "probe/unknown-content");	/* just fits */
	facts.ram_available -= 2;
	expect(bytes_span(&b), NULL, "unpack/too-large");
	assert_int_equal(diag.error, EFBIG);
	assert_true(diag.advice[0] != '\0');
	bytes_free(&b);
}

static void test_spoilt(void **state)
{
	static const uint8_t text[] = "no kernel";
	struct bytes b = { 0 };

	(void)state;
	if (!pack("gzip", plain(), &b))
		skip();
	expect(span_of(b.data, b.len / 2), NULL, "unpack/truncated");
	b.data[b.len / 2] ^= 1;
	expect(bytes_span(&b), NULL, "unpack/damaged");
	bytes_free(&b);
	assert_true(pack("gzip", span_of(text, sizeof(text)), &b));
	expect(bytes_span(&b), NULL, "probe/unknown-content");
	bytes_free(&b);
	assert_true(pack("gzip", span_of(text, 0), &b));
	expect(bytes_span(&b), NULL, "compressed/empty");
	bytes_free(&b);
	expect(span_of(text, sizeof(text)), NULL, "probe/unknown-type");
}

static void test_type(void **state)
{
	static const uint8_t text[] = "no kernel";
	struct bytes b = { 0 };

	(void)state;
	expect(plain(), "bzImage", "ok");
	expect(plain(), "bzImage64", "ok");
	expect(plain(), "multiboot-x86", "probe/type-differs");
	assert_non_null(strstr(diag.text, "is of type bzImage, not multiboot-x86"));
	expect(plain(), "bzimage", "probe/unknown-name");
	assert_non_null(strstr(diag.text, "bzImage64"));
	expect(plain(), "gzip", "probe/unknown-name");
	expect(span_of(text, sizeof(text)), "bzImage", "probe/type-differs");
	if (pack("gzip", plain(), &b))
		expect(bytes_span(&b), "bzImage", "ok");
	bytes_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_not_wrapped, fresh, done),
		cmocka_unit_test_setup_teardown(test_every_format, fresh, done),
		cmocka_unit_test_setup_teardown(test_layers, fresh, done),
		cmocka_unit_test_setup_teardown(test_several_streams, fresh, done),
		cmocka_unit_test_setup_teardown(test_bomb, fresh, done),
		cmocka_unit_test_setup_teardown(test_spoilt, fresh, done),
		cmocka_unit_test_setup_teardown(test_type, fresh, done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
