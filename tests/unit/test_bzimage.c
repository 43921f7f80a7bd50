// SPDX-License-Identifier: GPL-2.0-or-later
/* One valid image, then one broken field at a time: each defect has a name. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/bzimage.h"
#include "lib_image.h"
#include "unit.h"

static uint8_t image[TEST_IMAGE_LEN];
static uint8_t *const kernel = image + TEST_SETUP_LEN;

/* Parses an exact-size heap copy, so that a read beyond the end is seen by the sanitiser. */
static const char *parse_id(size_t len)
{
	static char id[64];
	struct arena arena = { 0 };
	struct bzimage parsed;
	struct diag diag;
	uint8_t *copy = malloc(len ? len : 1);

	memcpy(copy, image, len);
	diag_init(&diag, &arena);
	if (bzimage_parse(span_of(copy, len), &arena, &parsed, &diag) == 0 &&
	    bzimage_check_payload(&parsed, &diag) == 0) {
		strcpy(id, "ok");
	} else {
		assert_non_null(diag.id);
		assert_true(strlen(diag.text) > 10);
		strncpy(id, diag.id, sizeof(id) - 1);
	}
	free(copy);
	arena_free(&arena);
	return id;
}

#define expect(name)		assert_string_equal(parse_id(TEST_IMAGE_LEN), "bzimage/" name)
#define expect_ok()		assert_string_equal(parse_id(TEST_IMAGE_LEN), "ok")

static int fresh(void **state)
{
	(void)state;
	make_bzimage(image);
	return 0;
}

static void test_valid(void **state)
{
	struct arena arena = { 0 };
	struct bzimage b;
	struct diag diag;

	(void)state;
	diag_init(&diag, &arena);
	assert_int_equal(bzimage_parse(span_of(image, TEST_IMAGE_LEN), &arena, &b, &diag), 0);
	assert_int_equal(b.version, 0x020f);
	assert_int_equal(b.header_end, 0x26c);
	assert_int_equal(b.setup_len, TEST_SETUP_LEN);
	assert_int_equal(b.kernel.len, TEST_KERNEL_LEN);
	assert_ptr_equal(b.kernel.data, kernel);
	assert_string_equal(b.kernel_version, "6.1.0-test (kexec-ng) #1");
	assert_true(b.is_relocatable);
	assert_int_equal(b.alignment, 0x200000);
	assert_int_equal(b.pref_address, 0x1000000);
	assert_int_equal(b.window_len, TEST_INIT_SIZE);
	assert_int_equal(b.initrd_end, 0x80000000);
	assert_int_equal(b.cmdline_max, 2047);
	assert_true(b.has_payload);
	assert_string_equal(b.payload_format, "xz");
	assert_int_equal(b.payload_out_len, TEST_OUT_LEN);
	assert_int_equal(b.setup_type_max, 0x80000009);
	arena_free(&arena);
}

static void test_not_a_bzimage(void **state)
{
	(void)state;
	set16(image, HDR_BOOT_FLAG, 0xaa54);
	expect("no-boot-flag");
	make_bzimage(image);
	set32(image, HDR_MAGIC, 0x53726449);
	expect("no-magic");
	make_bzimage(image);
	assert_string_equal(parse_id(0x205), "bzimage/too-short");
	assert_string_equal(parse_id(0), "bzimage/too-short");
}

static void test_every_truncation_is_refused(void **state)
{
	(void)state;
	/* The last fifteen bytes may be padding that a build left out. */
	for (size_t len = 0; len <= TEST_IMAGE_LEN - 16; len += len < 0x1000 ? 1 : 509)
		assert_string_not_equal(parse_id(len), "ok");
	assert_string_equal(parse_id(TEST_IMAGE_LEN - 16), "bzimage/kernel-truncated");
	assert_string_equal(parse_id(TEST_IMAGE_LEN / 2), "bzimage/kernel-truncated");
	assert_string_equal(parse_id(TEST_SETUP_LEN), "bzimage/setup-truncated");
}

static void test_signature_behind_the_kernel_is_not_kernel(void **state)
{
	static uint8_t longer[TEST_IMAGE_LEN + 0x5c0];
	struct arena arena = { 0 };
	struct bzimage b;
	struct diag diag;

	(void)state;
	memcpy(longer, image, TEST_IMAGE_LEN);
	memset(longer + TEST_IMAGE_LEN, 0x5c, 0x5c0);
	diag_init(&diag, &arena);
	assert_int_equal(bzimage_parse(span_of(longer, sizeof(longer)), &arena, &b, &diag), 0);
	assert_int_equal(b.kernel.len, TEST_KERNEL_LEN);
	arena_free(&arena);
}

static void test_extent(void **state)
{
	(void)state;
	set8(image, HDR_JUMP, 0xe9);
	expect("no-jump");
	make_bzimage(image);
	for (unsigned int distance = 0x80; distance <= 0xff; distance++) {
		set8(image, HDR_JUMP + 1, (uint8_t)distance);
		expect("jump-backwards");
	}
	set8(image, HDR_JUMP + 1, 0x69);
	expect("header-short");
	set8(image, HDR_JUMP + 1, 0x7f);
	expect_ok();
	make_bzimage(image);
	set16(image, HDR_VERSION, 0x0201);
	expect("protocol-too-old");
	set16(image, HDR_VERSION, 0x0210);
	expect_ok();
}

/* A header may end where its version's fields end, and not one byte earlier. */
static void test_header_promises(void **state)
{
	static const struct {
		uint16_t version;
		uint16_t end;
	} promises[] = {
		{ 0x0202, 0x22c }, { 0x0203, 0x230 }, { 0x0204, 0x230 }, { 0x0205, 0x235 },
		{ 0x0206, 0x23c }, { 0x0207, 0x248 }, { 0x0208, 0x250 }, { 0x0209, 0x258 },
		{ 0x020a, 0x264 }, { 0x020b, 0x268 }, { 0x020c, 0x268 }, { 0x020d, 0x268 },
		{ 0x020e, 0x268 }, { 0x020f, 0x26c },
	};

	(void)state;
	for (size_t i = 0; i < array_len(promises); i++) {
		make_bzimage(image);
		set16(image, HDR_VERSION, promises[i].version);
		set8(image, HDR_JUMP + 1, (uint8_t)(promises[i].end - 0x202));
		expect_ok();
		set8(image, HDR_JUMP + 1, (uint8_t)(promises[i].end - 0x203));
		expect("header-short");
	}
}

static void test_parts(void **state)
{
	(void)state;
	set8(image, HDR_SETUP_SECTS, 0xff);
	expect("setup-truncated");
	set8(image, HDR_SETUP_SECTS, 0);	/* means four */
	set32(image, HDR_SYSSIZE, (TEST_KERNEL_LEN - 512) / 16);
	assert_string_not_equal(parse_id(TEST_IMAGE_LEN), "bzimage/setup-truncated");
	make_bzimage(image);
	set32(image, HDR_SYSSIZE, 0);
	expect("no-kernel");
	set32(image, HDR_SYSSIZE, 0xffffffff);
	expect("kernel-truncated");
	set32(image, HDR_SYSSIZE, TEST_KERNEL_LEN / 16 + 1);
	expect("kernel-truncated");
}

static void test_flags(void **state)
{
	(void)state;
	set8(image, HDR_LOADFLAGS, 0);
	expect("loads-low");
	make_bzimage(image);
	set16(image, HDR_XLOADFLAGS, XLF_CAN_BE_LOADED_ABOVE_4G);
	expect("xloadflags-disagree");
	make_bzimage(image);
	set64(image, HDR_SETUP_DATA, 0x90000);
	expect("foreign-setup-data");
	make_bzimage(image);
	set32(image, HDR_SYSSIZE, 0x200 / 16);
	expect("entry-64-outside");
}

static void test_alignment(void **state)
{
	static const uint32_t bad[] = { 0, 3, 0x200001, 0x300000, 0xffffffff };

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		set32(image, HDR_KERNEL_ALIGNMENT, bad[i]);
		expect("alignment");
	}
	set8(image, HDR_RELOCATABLE_KERNEL, 0);	/* then it means nothing */
	expect_ok();
	make_bzimage(image);
	set8(image, HDR_MIN_ALIGNMENT, 22);
	expect("min-alignment");
	set8(image, HDR_MIN_ALIGNMENT, 0xff);
	expect("min-alignment");
}

static void test_window(void **state)
{
	(void)state;
	set32(image, HDR_INIT_SIZE, 0x40000001);
	expect("init-size-too-large");
	set32(image, HDR_INIT_SIZE, 0x40000000);
	expect_ok();
	set32(image, HDR_INIT_SIZE, TEST_OUT_LEN - 1);
	expect("init-size-below-payload");
	set32(image, HDR_INIT_SIZE, TEST_OUT_LEN);
	expect_ok();
	set32(image, HDR_INIT_SIZE, TEST_KERNEL_LEN - 1);
	expect("init-size-too-small");
	set32(image, HDR_INIT_SIZE, 0);
	expect("init-size-too-small");
	make_bzimage(image);
	set64(image, HDR_PREF_ADDRESS, UINT64_MAX - 0xfff);
	expect("pref-address");
	set64(image, HDR_PREF_ADDRESS, 0x1000001);
	expect("pref-address");
}

static void test_payload(void **state)
{
	(void)state;
	set32(image, HDR_PAYLOAD_OFFSET, 0);
	expect("payload-incomplete");
	set32(image, HDR_PAYLOAD_LENGTH, 0);
	expect_ok();
	make_bzimage(image);
	set32(image, HDR_PAYLOAD_LENGTH, 0);
	expect("payload-incomplete");
	set32(image, HDR_PAYLOAD_LENGTH, 3);
	expect("payload-incomplete");
	set32(image, HDR_PAYLOAD_LENGTH, TEST_KERNEL_LEN - TEST_PAYLOAD_OFF + 1);
	expect("payload-outside");
	set32(image, HDR_PAYLOAD_LENGTH, 0xffffffff);
	expect("payload-outside");
	make_bzimage(image);
	set32(image, HDR_PAYLOAD_OFFSET, 0xffffffff);
	expect("payload-outside");
	make_bzimage(image);
	set32(kernel, TEST_PAYLOAD_OFF + TEST_PAYLOAD_LEN - 4, 0);
	expect("payload-trailer");
	make_bzimage(image);
	set32(kernel, TEST_PAYLOAD_OFF, 0x12345678);
	expect("payload-unknown");
	memcpy(kernel + TEST_PAYLOAD_OFF, "\x7f" "ELF", 4);
	expect_ok();
}

static void test_kernel_info(void **state)
{
	(void)state;
	set32(image, HDR_KERNEL_INFO_OFFSET, TEST_KERNEL_LEN - 15);
	expect("kernel-info-outside");
	set32(image, HDR_KERNEL_INFO_OFFSET, 0xffffffff);
	expect("kernel-info-outside");
	make_bzimage(image);
	set32(kernel, TEST_KERNEL_INFO_OFF, 0);
	expect("kernel-info");
	make_bzimage(image);
	set32(kernel, TEST_KERNEL_INFO_OFF + 4, 15);
	expect("kernel-info");
	set32(kernel, TEST_KERNEL_INFO_OFF + 4, 32);
	expect("kernel-info");
	set32(kernel, TEST_KERNEL_INFO_OFF + 8, 32);
	expect_ok();
}

static void test_version_string(void **state)
{
	(void)state;
	set16(image, HDR_KERNEL_VERSION, 0xffff);
	expect("version-string");
	set16(image, HDR_KERNEL_VERSION, TEST_SETUP_LEN - 0x201);
	memset(image + TEST_SETUP_LEN - 1, 'x', 1);
	expect("version-string");
	set16(image, HDR_KERNEL_VERSION, 0);
	expect_ok();
}

/* Any byte of the header at any value: refused or accepted, never a crash. */
static void test_every_byte_of_the_header(void **state)
{
	(void)state;
	for (size_t off = 0x1f1; off < 0x270; off++) {
		for (unsigned int v = 0; v < 256; v += 5) {
			make_bzimage(image);
			set8(image, off, (uint8_t)v);
			assert_non_null(parse_id(TEST_IMAGE_LEN));
		}
	}
}

static void test_old_protocols(void **state)
{
	struct arena arena = { 0 };
	struct bzimage b;
	struct diag diag;

	(void)state;
	diag_init(&diag, &arena);
	set16(image, HDR_VERSION, 0x0205);
	assert_int_equal(bzimage_parse(span_of(image, TEST_IMAGE_LEN), &arena, &b, &diag), 0);
	assert_true(b.is_relocatable);
	assert_int_equal(b.pref_address, MIB);
	assert_true(b.window_len >= 64 * MIB);
	assert_int_equal(b.cmdline_max, 255);
	assert_int_equal(b.xloadflags, 0);
	assert_false(b.has_payload);
	set16(image, HDR_VERSION, 0x0204);
	assert_int_equal(bzimage_parse(span_of(image, TEST_IMAGE_LEN), &arena, &b, &diag), 0);
	assert_false(b.is_relocatable);
	assert_int_equal(b.pref_address, 0x100000);
	set16(image, HDR_VERSION, 0x0203);
	assert_int_equal(bzimage_parse(span_of(image, TEST_IMAGE_LEN), &arena, &b, &diag), 0);
	assert_int_equal(b.kernel.len, TEST_KERNEL_LEN);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_valid, fresh),
		cmocka_unit_test_setup(test_not_a_bzimage, fresh),
		cmocka_unit_test_setup(test_every_truncation_is_refused, fresh),
		cmocka_unit_test_setup(test_signature_behind_the_kernel_is_not_kernel, fresh),
		cmocka_unit_test_setup(test_extent, fresh),
		cmocka_unit_test_setup(test_header_promises, fresh),
		cmocka_unit_test_setup(test_parts, fresh),
		cmocka_unit_test_setup(test_flags, fresh),
		cmocka_unit_test_setup(test_alignment, fresh),
		cmocka_unit_test_setup(test_window, fresh),
		cmocka_unit_test_setup(test_payload, fresh),
		cmocka_unit_test_setup(test_kernel_info, fresh),
		cmocka_unit_test_setup(test_version_string, fresh),
		cmocka_unit_test_setup(test_every_byte_of_the_header, fresh),
		cmocka_unit_test_setup(test_old_protocols, fresh),
	};

	return cmocka_run_group_tests_name("bzimage", tests, NULL, NULL);
}
