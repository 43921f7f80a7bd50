// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sha256.h"
#include "unit.h"

#define GUARDED_LEN	(4 * PAGE_LEN)

/* Every test runs with this, for each method that the CPU has. */
static enum sha256_method method;

static int portable(void **state)
{
	(void)state;
	method = SHA256_PORTABLE;
	return 0;
}

static int instructions(void **state)
{
	(void)state;
	method = SHA256_NI;
	return 0;
}

/* Digests are compared as text: a failure then shows both. */
struct digest_text {
	char text[2 * SHA256_LEN + 1];
};

static struct digest_text finish(struct sha256 *h)
{
	uint8_t digest[SHA256_LEN];
	struct digest_text ret;

	sha256_finish(h, digest);
	for (size_t i = 0; i < SHA256_LEN; i++)
		snprintf(ret.text + 2 * i, 3, "%02x", digest[i]);
	return ret;
}

/* A copy that ends where its allocation ends: a read beyond it is a fault. */
static struct digest_text digest(const void *data, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	struct digest_text ret;
	struct sha256 h;

	if (len > 0)
		memcpy(copy, data, len);
	sha256_start_by(&h, method);
	sha256_add(&h, copy, len);
	ret = finish(&h);
	free(copy);
	return ret;
}

/* FIPS 180-2 appendix B, and NIST's examples for SHA-256. */
static void test_nist(void **state)
{
	static const struct {
		const char *message;
		const char *expected;
	} v[] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
		{ "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
		  "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
		  "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1" },
	};

	(void)state;
	for (size_t i = 0; i < array_len(v); i++)
		assert_string_equal(digest(v[i].message, strlen(v[i].message)).text, v[i].expected);
}

static void test_million_a(void **state)
{
	const size_t len = 1000000;
	char *data = malloc(len);

	(void)state;
	memset(data, 'a', len);
	assert_string_equal(digest(data, len).text,
			    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	free(data);
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
		data[i] = (uint8_t)(i * 7 + 3);
}

/* The digest of the digests of every length from 0 to 299, as Python's hashlib computes it. */
static void test_every_length(void **state)
{
	struct sha256 all;
	uint8_t data[300];

	(void)state;
	fill(data, sizeof(data));
	sha256_start_by(&all, method);
	for (size_t len = 0; len < sizeof(data); len++) {
		uint8_t one[SHA256_LEN];
		struct sha256 h;

		sha256_start_by(&h, method);
		sha256_add(&h, data, len);
		sha256_finish(&h, one);
		sha256_add(&all, one, sizeof(one));
	}
	assert_string_equal(finish(&all).text,
			    "7b074096cabb18dd0d1b468a173cb2f97f80e952525bca29542e606fd6d0753a");
}

/* However a message is cut, around block borders too, the digest is the same. */
static void test_any_cut(void **state)
{
	static const size_t cuts[] = { 0, 1, 8, 55, 56, 57, 63, 64, 65, 119, 120, 127, 128, 129, 191 };
	struct digest_text whole;
	uint8_t data[300];

	(void)state;
	fill(data, sizeof(data));
	whole = digest(data, sizeof(data));
	for (size_t i = 0; i < array_len(cuts); i++) {
		for (size_t k = i; k < array_len(cuts); k++) {
			struct sha256 h;

			sha256_start_by(&h, method);
			sha256_add(&h, data, cuts[i]);
			sha256_add(&h, data + cuts[i], cuts[k] - cuts[i]);
			sha256_add(&h, NULL, 0);
			sha256_add(&h, data + cuts[k], sizeof(data) - cuts[k]);
			assert_string_equal(finish(&h).text, whole.text);
		}
	}
}

/* The length counts bits in 64 bits: more than 2^32 bits must not wrap at 32. */
static void test_above_512_mib(void **state)
{
	struct sha256 h;

	(void)state;
	sha256_start_by(&h, method);
	h.total_len = 1ULL << 29;
	sha256_finish(&h, (uint8_t[SHA256_LEN]){ 0 });
	assert_int_equal(h.block[SHA256_BLOCK - 5], 1);
}

/* Chunk by chunk, and two at once, is what one after the other gives. */
static void check_chunks(size_t len, size_t chunk_len)
{
	const size_t n = (len + chunk_len - 1) / chunk_len;
	uint8_t *data = guarded(len), *digests = malloc(n * SHA256_LEN + 1);

	fill(data, len);
	digests[n * SHA256_LEN] = 0xa5;
	sha256_chunks(method, data, len, chunk_len, digests);
	for (size_t i = 0; i < n; i++) {
		const size_t at = i * chunk_len;
		uint8_t expected[SHA256_LEN];
		struct sha256 h;

		sha256_start(&h);
		sha256_add(&h, data + at, min_u64(len - at, chunk_len));
		sha256_finish(&h, expected);
		assert_memory_equal(digests + i * SHA256_LEN, expected, SHA256_LEN);
	}
	assert_int_equal(digests[n * SHA256_LEN], 0xa5);
	free(digests);
}

static void test_chunks(void **state)
{
	static const size_t chunk_lens[] = { 1, 63, 64, 128, 192, 1000 };

	(void)state;
	for (size_t i = 0; i < array_len(chunk_lens); i++) {
		for (size_t n = 0; n <= 5; n++) {
			for (int more = -1; more <= 1; more++)
				if (n > 0 || more >= 0)
					check_chunks(n * chunk_lens[i] + (size_t)more, chunk_lens[i]);
		}
	}
}

int main(void)
{
#define BY(how, test) { #test ", " #how, test, how, NULL, NULL }
#define ALL_BY(how) \
	BY(how, test_nist), BY(how, test_million_a), BY(how, test_every_length), \
		BY(how, test_any_cut), BY(how, test_above_512_mib), BY(how, test_chunks)
	const struct CMUnitTest tests[] = { ALL_BY(portable), ALL_BY(instructions) };
	const size_t n_portable = array_len(tests) / 2;
	struct CMUnitTest without[array_len(tests) / 2];

	if (sha256_best_method() == SHA256_NI)
		return cmocka_run_group_tests_name("sha256", tests, NULL, NULL);
	print_message("this CPU has no SHA instructions: they are not tested\n");
	memcpy(without, tests, n_portable * sizeof(tests[0]));
	return cmocka_run_group_tests_name("sha256", without, NULL, NULL);
}
