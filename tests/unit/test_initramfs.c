// SPDX-License-Identifier: GPL-2.0-or-later
/* Initrds as people build them, and those that must be left alone. */
#include "initramfs.h"

#include <stdlib.h>
#include <string.h>

#include "lib_payload.h"
#include "unit.h"

#define MAX_LEN		(64 * MIB)
#define BODY_LEN	(100 * KIB)

static struct arena arena;
static struct diag diag;
static struct initramfs result;
static struct bytes initrd, wanted;	/* what goes in; what must come out */
static uint8_t body[BODY_LEN];

static int fresh(void **state)
{
	(void)state;
	memset(&arena, 0, sizeof(arena));
	memset(&result, 0, sizeof(result));
	diag_init(&diag, &arena);
	make_plain(body, sizeof(body), 7);
	return 0;
}

static int done(void **state)
{
	(void)state;
	initramfs_free(&result);
	arena_free(&arena);
	bytes_free(&initrd);
	bytes_free(&wanted);
	return 0;
}

/* Before anything is made. */
static void need_all_libraries(void)
{
	for (size_t i = 0; unpack_codecs()[i]; i++)
		if (!unpack_codecs()[i]->is_built)
			skip();
}

static void add_early(struct bytes *b)
{
	cpio_add(b, "kernel/x86/microcode/GenuineIntel.bin", body, 5000);
	cpio_add(b, "TRAILER!!!", NULL, 0);
}

static void add_root(struct bytes *b, const char *name)
{
	cpio_add(b, name, body, BODY_LEN);
	cpio_add(b, "empty", NULL, 0);
	cpio_add(b, "TRAILER!!!", NULL, 0);
}

/* Adds a member to initrd, and what it unpacks to, to wanted. */
static void add_packed(const char *format, const char *name)
{
	struct bytes plain = { 0 };

	add_root(&plain, name);
	assert_true(pack(format, bytes_span(&plain), &initrd));
	bytes_align(&wanted, 4);
	bytes_add(&wanted, plain.data, plain.len);
	bytes_free(&plain);
}

static void add_packed_bytes(const void *data, size_t len)
{
	assert_true(pack("gzip", span_of(data, len), &initrd));
}

static int unpack(void)
{
	int r = initramfs_unpack(bytes_span(&initrd), MAX_LEN, &arena, &result, &diag);

	if (r == 0 && diag.id)
		abort();
	return r;
}

static void assert_unpacked(size_t n_members, size_t n_packed)
{
	assert_int_equal(unpack(), 0);
	assert_int_equal(result.n_members, n_members);
	assert_int_equal(result.n_packed, n_packed);
	assert_int_equal(result.plain.len, wanted.len);
	if (wanted.len > 0)
		assert_memory_equal(result.plain.data, wanted.data, wanted.len);
}

static void assert_left_alone(const char *id)
{
	assert_true(unpack() < 0);
	assert_string_equal(diag.id, id);
	assert_null(result.members);
	assert_null(result.plain.data);
}

static void assert_member(size_t i, uint64_t off, uint64_t len, const char *codec)
{
	assert_true(i < result.n_members);
	assert_int_equal(result.members[i].off, off);
	assert_int_equal(result.members[i].len, len);
	if (codec)
		assert_string_equal(result.members[i].codec->name, codec);
	else
		assert_null(result.members[i].codec);
}

static void test_one_packed(void **state)
{
	static const char *const formats[] = { "gzip", "bzip2", "lzma", "xz", "lzo", "lz4",
					       "lz4-frame", "zstd", "zstd-long" };

	for (size_t i = 0; i < array_len(formats); i++) {
		size_t n = initrd.len = wanted.len = 0;

		if (!pack(formats[i], span_of("x", 1), &initrd))
			continue;
		initrd.len = n;
		add_packed(formats[i], "init");
		assert_unpacked(1, 1);
		assert_member(0, 0, initrd.len, result.members[0].codec->name);
		assert_int_equal(result.members[0].plain_len, wanted.len);
		done(state);
		fresh(state);
	}
}

/* What a distribution has: microcode, padded to a block of cpio(1), then everything else. */
static void test_early_first(void **state)
{
	size_t early, len;

	(void)state;
	need_all_libraries();
	add_early(&initrd);
	early = initrd.len;
	bytes_align(&initrd, 512);
	len = initrd.len;
	bytes_add(&wanted, initrd.data, initrd.len);
	add_packed("zstd", "init");
	assert_unpacked(2, 1);
	assert_member(0, 0, early, NULL);
	assert_member(1, len, initrd.len - len, "zstd");
	/* One early file of 5000 bytes, one of BODY_LEN, an empty one: in pages. */
	assert_int_equal(result.n_entries, 3);
	assert_int_equal(result.files_len,
			 8192 + align_down(BODY_LEN + PAGE_LEN - 1, PAGE_LEN));
}

static void test_mix(void **state)
{
	size_t len;

	(void)state;
	need_all_libraries();
	add_early(&initrd);
	bytes_align(&initrd, 512);
	bytes_add(&wanted, initrd.data, initrd.len);
	add_packed("gzip", "a");
	add_packed("zstd", "b");	/* at once, wherever that is */
	bytes_add_zeros(&initrd, 3);
	add_packed("xz", "c");
	bytes_align(&initrd, 4096);
	len = initrd.len;
	add_root(&initrd, "d");
	bytes_align(&wanted, 4);
	bytes_add(&wanted, initrd.data + len, initrd.len - len);
	add_packed("lz4", "e");
	bytes_add_zeros(&initrd, 5000);
	add_packed("gzip", "f");
	bytes_add_zeros(&initrd, 1);
	assert_unpacked(7, 5);
	assert_int_equal(result.members[4].off, len);
	assert_null(result.members[4].codec);
}

static void test_plain_stays(void **state)
{
	add_early(&initrd);
	bytes_align(&initrd, 512);
	add_root(&initrd, "init");
	assert_unpacked(2, 0);
	assert_null(result.plain.data);
	/* No trailer, no padding at the end: the kernel takes both. */
	done(state);
	fresh(state);
	cpio_add(&initrd, "init", body, 1001);
	initrd.len -= 3;
	assert_unpacked(1, 0);
	assert_member(0, 0, initrd.len, NULL);
	done(state);
	fresh(state);
	bytes_add_zeros(&initrd, 999);
	assert_unpacked(0, 0);
	initrd.len = 0;
	assert_unpacked(0, 0);
}

/* An archive in two halves, each packed: the files are whole, so the kernel takes it. */
static void test_archives_in_one_member(void **state)
{
	struct bytes inner = { 0 };

	(void)state;
	need_all_libraries();
	add_root(&inner, "a");
	bytes_add_zeros(&inner, 512);
	add_root(&inner, "b");
	cpio_add(&inner, "c", "c", 1);
	bytes_add_zeros(&inner, 7);
	add_packed_bytes(inner.data, inner.len);
	bytes_add(&wanted, inner.data, inner.len);
	bytes_align(&wanted, 4);
	bytes_free(&inner);
	assert_unpacked(1, 1);
}

static void test_unknown_bytes(void **state)
{
	need_all_libraries();
	add_packed("gzip", "init");
	bytes_add(&initrd, "\0\0garbage", 9);
	assert_left_alone("initramfs/unknown-member");
	done(state);
	fresh(state);
	add_packed("zstd", "init");
	bytes_add(&initrd, "key = value\n\0\0\0\0\0\0\0\0#BOOTCONFIG\n", 32);
	assert_left_alone("initramfs/unknown-member");
	done(state);
	fresh(state);
	bytes_add(&initrd, "hsqs is a file system", 21);
	assert_left_alone("initramfs/unknown-member");
}

static void test_misaligned(void **state)
{
	struct bytes plain = { 0 };

	need_all_libraries();
	/* A plain archive must be at a multiple of four ... */
	add_packed("gzip", "init");
	bytes_align(&initrd, 4);
	bytes_add_zeros(&initrd, 2);
	add_root(&plain, "a");
	bytes_add(&initrd, plain.data, plain.len);
	bytes_free(&plain);
	assert_left_alone("initramfs/unknown-member");
	/* ... and so must what follows one. */
	done(state);
	fresh(state);
	add_early(&initrd);
	bytes_add_zeros(&initrd, 2);
	add_packed("gzip", "init");
	assert_left_alone("initramfs/misaligned");
}

static void break_header(size_t off, char c, const char *id, void **state)
{
	add_early(&initrd);
	initrd.data[off] = (uint8_t)c;
	add_packed("gzip", "init");
	assert_left_alone(id);
	done(state);
	fresh(state);
}

static void test_broken_archives(void **state)
{
	need_all_libraries();
	break_header(5, '7', "initramfs/cpio-header", state);
	break_header(6, 'g', "initramfs/cpio-header", state);
	break_header(109, ' ', "initramfs/cpio-header", state);
	break_header(6 + 6 * 8, 'f', "initramfs/cpio-truncated", state);	/* file size */
	break_header(6 + 11 * 8, 'f', "initramfs/cpio-name", state);		/* name size */
	break_header(6 + 12 * 8 - 1, '1', "initramfs/cpio-name", state);	/* no NUL there */
	for (size_t len = 1; len < 300; len += 7) {
		cpio_add(&initrd, "init", body, 200);
		initrd.len = len;
		assert_left_alone("initramfs/cpio-truncated");
		done(state);
		fresh(state);
	}
}

static void check_packed_bytes(const struct bytes *inner, const char *id, void **state)
{
	add_early(&initrd);
	add_packed_bytes(inner->data, inner->len);
	assert_left_alone(id);
	done(state);
	fresh(state);
}

/* Packed, but nothing that the kernel would take. */
static void test_packed_otherwise(void **state)
{
	struct bytes inner = { 0 };

	need_all_libraries();
	check_packed_bytes(&inner, "initramfs/not-cpio", state);
	bytes_add_zeros(&inner, 100);
	check_packed_bytes(&inner, "initramfs/not-cpio", state);
	bytes_add(&inner, body, 1000);
	check_packed_bytes(&inner, "initramfs/not-cpio", state);
	inner.len = 0;
	cpio_add(&inner, "init", body, 1001);
	inner.len -= 3;
	check_packed_bytes(&inner, "initramfs/cpio-truncated", state);
	inner.len -= 100;
	check_packed_bytes(&inner, "initramfs/cpio-truncated", state);
	inner.len = 0;
	add_root(&inner, "a");
	bytes_add(&inner, "junk", 4);
	check_packed_bytes(&inner, "initramfs/not-cpio", state);
	bytes_free(&inner);
}

/* The kernel looks for these in plain archives only: they must not become plain, nor be reached. */
static void test_early_files_stay_hidden(void **state)
{
	struct bytes inner = { 0 };

	need_all_libraries();
	add_early(&inner);
	check_packed_bytes(&inner, "initramfs/early-files", state);
	inner.len = 0;
	cpio_add(&inner, "kernel/firmware/acpi/dsdt.aml", body, 10);
	check_packed_bytes(&inner, "initramfs/early-files", state);
	bytes_free(&inner);
	add_packed("gzip", "init");
	bytes_align(&initrd, 4);
	add_early(&initrd);
	assert_left_alone("initramfs/early-files");
}

static void test_damaged(void **state)
{
	need_all_libraries();
	add_early(&initrd);
	add_packed("gzip", "init");
	initrd.data[initrd.len - 6] ^= 1;
	assert_left_alone("unpack/damaged");
	done(state);
	fresh(state);
	add_packed("gzip", "a");
	add_packed("gzip", "b");
	initrd.len -= 1;
	assert_left_alone("unpack/truncated");
}

static void test_limits(void **state)
{
	size_t len;

	need_all_libraries();
	add_early(&initrd);
	bytes_add(&wanted, initrd.data, initrd.len);
	add_packed("gzip", "init");
	len = wanted.len;
	assert_int_equal(initramfs_unpack(bytes_span(&initrd), len, &arena, &result, &diag), 0);
	initramfs_free(&result);
	memset(&result, 0, sizeof(result));
	assert_true(initramfs_unpack(bytes_span(&initrd), len - 1, &arena, &result, &diag) < 0);
	assert_string_equal(diag.id, "unpack/too-large");
	diag_clear(&diag);
	assert_true(initramfs_unpack(bytes_span(&initrd), 100, &arena, &result, &diag) < 0);
	assert_string_equal(diag.id, "initramfs/too-large");
	done(state);
	fresh(state);
	for (size_t i = 0; i < INITRAMFS_MEMBERS_MAX + 1; i++)
		cpio_add(&initrd, "TRAILER!!!", NULL, 0);
	assert_left_alone("initramfs/too-many-members");
}

static void test_no_memory(void **state)
{
	(void)state;
	need_all_libraries();
	add_packed("gzip", "init");
	arena.fail_at = 1;
	assert_left_alone("memory/exhausted");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_packed, fresh, done),
		cmocka_unit_test_setup_teardown(test_early_first, fresh, done),
		cmocka_unit_test_setup_teardown(test_mix, fresh, done),
		cmocka_unit_test_setup_teardown(test_plain_stays, fresh, done),
		cmocka_unit_test_setup_teardown(test_archives_in_one_member, fresh, done),
		cmocka_unit_test_setup_teardown(test_unknown_bytes, fresh, done),
		cmocka_unit_test_setup_teardown(test_misaligned, fresh, done),
		cmocka_unit_test_setup_teardown(test_broken_archives, fresh, done),
		cmocka_unit_test_setup_teardown(test_packed_otherwise, fresh, done),
		cmocka_unit_test_setup_teardown(test_early_files_stay_hidden, fresh, done),
		cmocka_unit_test_setup_teardown(test_damaged, fresh, done),
		cmocka_unit_test_setup_teardown(test_limits, fresh, done),
		cmocka_unit_test_setup_teardown(test_no_memory, fresh, done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
