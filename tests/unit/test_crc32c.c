// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "crc32c.h"
#include "unit.h"

#define GUARDED_LEN	(4 * PAGE_LEN)

static struct crc32c fast, portable;

static int start(void **state)
{
	(void)state;
	crc32c_start(&fast);
	crc32c_start_portable(&portable);
	return 0;
}

/* One bit after the other, as RFC 3720 defines it. */
static uint32_t model(const uint8_t *p, size_t len)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	}
	return ~crc;
}

/* len bytes that end where memory ends: the sanitizer does not see what assembly reads. */
static uint8_t *guarded(size_t len)
{
	static uint8_t *end;

	if (!end) {
		end = mmap(NULL, GUARDED_LEN + PAGE_LEN, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_true(end != MAP_FAILED);
		end += GUARDED_LEN;
		assert_int_equal(mprotect(end, PAGE_LEN, PROT_NONE), 0);
	}
	assert_in_range(len, 0, GUARDED_LEN);
	return end - len;
}

static void fill(uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 167 + i / 251);
}

/* RFC 3720, appendix B.4; the digits are the catalogue's check value. */
static void test_known(void **state)
{
	static const struct {
		uint8_t first;
		int step;
		uint32_t expected;
	} v[] = {
		{ 0, 0, 0x8a9136aa },
		{ 0xff, 0, 0x62a8ab43 },
		{ 0, 1, 0x46dd794e },
		{ 31, -1, 0x113fdb5c },
	};
	static const uint8_t scsi_read[48] = {
		0x01,	     0xc0,	  [16] = 0x14, [22] = 0x04,
		[27] = 0x14, [31] = 0x18, [32] = 0x28, [40] = 0x02,
	};

	(void)state;
	for (size_t i = 0; i < array_len(v); i++) {
		uint8_t data[32];

		for (int k = 0; k < 32; k++)
			data[k] = (uint8_t)(v[i].first + k * v[i].step);
		assert_int_equal(crc32c_add(&fast, 0, data, 32), v[i].expected);
		assert_int_equal(crc32c_add(&portable, 0, data, 32), v[i].expected);
		assert_int_equal(model(data, 32), v[i].expected);
	}
	assert_int_equal(crc32c_add(&fast, 0, scsi_read, 48), 0xd9963a56);
	assert_int_equal(crc32c_add(&portable, 0, scsi_read, 48), 0xd9963a56);
	assert_int_equal(crc32c_add(&fast, 0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c_add(&portable, 0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c_add(&fast, 0, NULL, 0), 0);
	assert_int_equal(crc32c_add(&portable, 0, NULL, 0), 0);
}

static void test_every_length_and_alignment(void **state)
{
	(void)state;
	for (size_t behind = 0; behind < 16; behind++) {
		for (size_t len = 0; len <= 300; len++) {
			uint8_t *data = guarded(len + behind);
			uint32_t expected;

			fill(data, len);
			expected = model(data, len);
			assert_int_equal(crc32c_add(&fast, 0, data, len), expected);
			assert_int_equal(crc32c_add(&portable, 0, data, len), expected);
		}
	}
}

static void test_any_cut(void **state)
{
	uint8_t data[300];
	uint32_t whole;

	(void)state;
	fill(data, sizeof(data));
	whole = model(data, sizeof(data));
	for (size_t cut = 0; cut <= sizeof(data); cut++) {
		uint32_t crc = crc32c_add(&fast, 0, data, cut);

		assert_int_equal(crc, crc32c_add(&portable, 0, data, cut));
		assert_int_equal(crc32c_add(&portable, crc, data + cut, sizeof(data) - cut), whole);
		assert_int_equal(crc32c_add(&fast, crc, data + cut, sizeof(data) - cut), whole);
	}
}

static void test_three(void **state)
{
	(void)state;
	if (!fast.has_instruction)
		skip();
	for (size_t len = 0; len <= 700; len += len < 300 ? 1 : 7) {
		uint8_t *data = guarded(3 * len);
		uint32_t crc[3];

		fill(data, 3 * len);
		crc32c_three(data, len, crc);
		for (size_t i = 0; i < 3; i++)
			assert_int_equal(crc[i], model(data + i * len, len));
		}
}

static void check_chunks(const struct crc32c *c, size_t len, size_t chunk_len)
{
	const size_t n = (len + chunk_len - 1) / chunk_len;
	uint8_t *data = guarded(len), *digests = malloc(n * CRC32C_LEN + 1);

	fill(data, len);
	digests[n * CRC32C_LEN] = 0xa5;
	crc32c_chunks(c, data, len, chunk_len, digests);
	for (size_t i = 0; i < n; i++) {
		const size_t at = i * chunk_len;
		uint32_t digest;

		memcpy(&digest, digests + i * CRC32C_LEN, CRC32C_LEN);
		assert_int_equal(digest, model(data + at, min_u64(len - at, chunk_len)));
	}
	assert_int_equal(digests[n * CRC32C_LEN], 0xa5);
	free(digests);
}

static void test_chunks(void **state)
{
	static const size_t chunk_lens[] = { 1, 63, 64, 128, 192, 1000 };

	(void)state;
	for (size_t i = 0; i < array_len(chunk_lens); i++) {
		for (size_t n = 0; n <= 7; n++) {
			for (int more = -1; more <= 1; more++) {
				const size_t len = n * chunk_lens[i] + (size_t)more;

				if (n == 0 && more < 0)
					continue;
				check_chunks(&fast, len, chunk_lens[i]);
				check_chunks(&portable, len, chunk_lens[i]);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),	cmocka_unit_test(test_every_length_and_alignment),
		cmocka_unit_test(test_any_cut), cmocka_unit_test(test_three),
		cmocka_unit_test(test_chunks),
	};

	return cmocka_run_group_tests_name("crc32c", tests, start, NULL);
}
