// SPDX-License-Identifier: GPL-2.0-or-later
/* Parts of files side by side: their bytes, zeros between them, and nothing else of the files. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "file_join.h"
#include "unit.h"

#define FILE_LEN	(5 * 4096 + 77)

static struct diag diag;
static uint8_t contents[FILE_LEN];
static struct file file;

/* A file without a zero in it, as file_open() leaves one behind. */
static int open_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < FILE_LEN; i++)
		contents[i] = (uint8_t)(1 + i % 251);
	diag_init(&diag, NULL);
	file = (struct file){ .path = "test", .fd = memfd_create("test", MFD_CLOEXEC) };
	if (write(file.fd, contents, FILE_LEN) != FILE_LEN)
		return -1;
	file.bytes = span_of(mmap(NULL, FILE_LEN, PROT_READ, MAP_PRIVATE, file.fd, 0), FILE_LEN);
	return file.bytes.data == MAP_FAILED ? -1 : 0;
}

static int close_it(void **state)
{
	(void)state;
	file_close(&file);
	return 0;
}

static struct file_part part(size_t off, size_t len)
{
	return (struct file_part){ span_of(file.bytes.data + off, len), &file, off };
}

static struct file_part copied(size_t off, size_t len)
{
	return (struct file_part){ .bytes = span_of(contents + off, len) };
}

/* Looks for each part in order; everything between them must be zero, and little. */
static void check(const struct file_part *parts, size_t n)
{
	struct file_join j;
	size_t at = 0;

	assert_int_equal(file_join(parts, n, &j, &diag), 0);
	for (size_t i = 0; i < n; i++) {
		size_t n_zeros = 0;

		while (j.bytes.data[at] == 0) {
			at++;
			n_zeros++;
		}
		assert_true(i == 0 ? n_zeros == 0 : n_zeros < 2 * PAGE_LEN);
		assert_int_equal(at % 4, 0);
		assert_true(at + parts[i].bytes.len <= j.bytes.len);
		assert_memory_equal(j.bytes.data + at, parts[i].bytes.data, parts[i].bytes.len);
		at += parts[i].bytes.len;
	}
	assert_int_equal(at, j.bytes.len);
	file_join_free(&j);
	/* The file's own mapping is as it was. */
	assert_memory_equal(file.bytes.data, contents, FILE_LEN);
}

static void test_none_and_one(void **state)
{
	const struct file_part one = part(5, 9);
	struct file_join j;

	(void)state;
	assert_int_equal(file_join(NULL, 0, &j, &diag), 0);
	assert_int_equal(j.bytes.len, 0);
	file_join_free(&j);
	/* The file's own bytes, wherever they are. */
	assert_int_equal(file_join(&one, 1, &j, &diag), 0);
	assert_ptr_equal(j.bytes.data, file.bytes.data + 5);
	assert_int_equal(j.bytes.len, 9);
	assert_null(j.map);
	file_join_free(&j);
}

static void test_pairs(void **state)
{
	static const size_t offs[] = { 0, 4, 512, 4092, 4096, 8192 + 3, 5 * 4096, 5 * 4096 + 76 };
	static const size_t lens[] = { 1, 3, 4, 511, 4095, 4096, 4097, 8192, FILE_LEN };

	(void)state;
	for (size_t a = 0; a < array_len(offs); a++) {
		for (size_t b = 0; b < array_len(lens); b++) {
			size_t len = min_u64(lens[b], FILE_LEN - offs[a]);
			struct file_part parts[] = { part(offs[a], len), part(512, 1000),
						     copied(7, min_u64(len, FILE_LEN - 7)),
						     part(offs[a], len) };

			check(parts, 2);
			check(parts + 1, 2);
			check(parts + 2, 2);
			check(parts, 4);
		}
	}
}

/* No page of the file is copied but those that a part shares with something else. */
static void test_pages_are_the_files(void **state)
{
	struct file_part parts[] = { part(0, 4096), part(4096, 4 * 4096) };
	struct file_join j;
	uint8_t changed = 0;

	(void)state;
	assert_int_equal(file_join(parts, 2, &j, &diag), 0);
	assert_int_equal(pwrite(file.fd, &changed, 1, 8192), 1);
	assert_int_equal(j.bytes.data[8192], 0);
	file_join_free(&j);
}

static void test_too_large(void **state)
{
	struct file_part parts[] = { part(0, 1), { .bytes = { contents, SIZE_MAX - 100 } } };
	struct file_join j;

	(void)state;
	assert_true(file_join(parts, 2, &j, &diag) < 0);
	assert_string_equal(diag.id, "file/too-large");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_none_and_one, open_it, close_it),
		cmocka_unit_test_setup_teardown(test_pairs, open_it, close_it),
		cmocka_unit_test_setup_teardown(test_pages_are_the_files, open_it, close_it),
		cmocka_unit_test_setup_teardown(test_too_large, open_it, close_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
