// SPDX-License-Identifier: GPL-2.0-or-later
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "crc32c.h"
#include "digest.h"
#include "unit.h"

#define CHUNK	HANDOFF_CHUNK_LEN

static struct arena arena;
static struct diag diag;
static struct plan plan;

static bool are_threads_refused;
static unsigned int n_threads;

/* In front of the real one: what the loader calls is this. */
int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attr,
		   void *(*entry)(void *), void *restrict arg)
{
	int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

	if (are_threads_refused)
		return EAGAIN;
	n_threads++;
	*(void **)&next = dlsym(RTLD_NEXT, "pthread_create");
	return next(thread, attr, entry, arg);
}

static int start(void **state)
{
	(void)state;
	memset(&arena, 0, sizeof(arena));
	diag_init(&diag, &arena);
	plan_init(&plan, &arena);
	return 0;
}

static int end(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static struct segment *add(size_t len, bool is_digested)
{
	const struct segment_wish wish = { .name = "a", .is_digested = is_digested };
	struct segment *s;

	assert_int_equal(plan_add_own(&plan, &wish, len, &s, &diag), 0);
	for (size_t i = 0; i < len; i++)
		s->own[i] = (uint8_t)(i * 31 + i / CHUNK);
	return s;
}

/* A table with a byte behind it that must stay. */
static uint8_t *digest_all(enum digest digest)
{
	const uint64_t len = digest_table_len(&plan, digest);
	uint8_t *table = arena_alloc(&arena, len + 1);

	assert_non_null(table);
	table[len] = 0xa5;
	digest_plan(&plan, digest, table);
	assert_int_equal(table[len], 0xa5);
	return table;
}

static void test_n_chunks(void **state)
{
	(void)state;
	assert_int_equal(digest_n_chunks(0), 0);
	assert_int_equal(digest_n_chunks(1), 1);
	assert_int_equal(digest_n_chunks(CHUNK), 1);
	assert_int_equal(digest_n_chunks(CHUNK + 1), 2);
	assert_int_equal(digest_n_chunks(UINT64_MAX), UINT64_MAX / CHUNK + 1);
}

static void test_table(void **state)
{
	struct segment *a = add(CHUNK + 1, true), *b = add(5 * CHUNK, false), *c = add(1, true);
	uint8_t sha[SHA256_LEN], *table;
	struct crc32c crc;
	uint32_t expected;

	(void)state;
	add(0, true);
	crc32c_start_portable(&crc);
	assert_int_equal(digest_table_len(&plan, DIGEST_NONE), 0);
	assert_int_equal(digest_table_len(&plan, DIGEST_CRC32C), 3 * CRC32C_LEN);
	assert_int_equal(digest_table_len(&plan, DIGEST_SHA256), 3 * SHA256_LEN);

	digest_all(DIGEST_NONE);
	assert_null(a->digests);
	table = digest_all(DIGEST_CRC32C);
	assert_ptr_equal(a->digests, table);
	assert_null(b->digests);
	assert_ptr_equal(c->digests, table + 2 * CRC32C_LEN);
	expected = crc32c_add(&crc, 0, a->own + CHUNK, 1);
	assert_memory_equal(a->digests + CRC32C_LEN, &expected, CRC32C_LEN);
	table = digest_all(DIGEST_SHA256);
	assert_ptr_equal(c->digests, table + 2 * SHA256_LEN);
	digest_sha256(c->bytes, sha);
	assert_memory_equal(c->digests, sha, SHA256_LEN);
}

/* Several jobs long, with an end that fills neither a job nor a chunk. */
static void test_long(void **state)
{
	static const size_t places[] = { 0, CHUNK - 1, 96 * CHUNK - 1, 96 * CHUNK, 150 * CHUNK,
					 200 * CHUNK + 16 };
	struct segment *s = add(200 * CHUNK + 17, true);

	(void)state;
	for (enum digest digest = DIGEST_CRC32C; digest <= DIGEST_SHA256; digest++) {
		const uint8_t *table = digest_all(digest);
		uint8_t *serial = arena_alloc(&arena, 201 * SHA256_LEN);
		struct crc32c crc;

		crc32c_start_portable(&crc);
		if (digest == DIGEST_CRC32C)
			crc32c_chunks(&crc, s->own, s->bytes.len, CHUNK, serial);
		else
			sha256_chunks(SHA256_PORTABLE, s->own, s->bytes.len, CHUNK, serial);
		assert_memory_equal(table, serial, digest_table_len(&plan, digest));
		for (size_t i = 0; i < array_len(places); i++) {
			s->own[places[i]] ^= 1;
			assert_memory_not_equal(digest_all(digest), serial,
						digest_table_len(&plan, digest));
			s->own[places[i]] ^= 1;
		}
	}
}

/* As many processors as this process has take part, and the table is the same without them. */
static void test_on_several_processors(void **state)
{
	const enum digest digests[] = { DIGEST_CRC32C, DIGEST_SHA256 };
	cpu_set_t set;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	add(400 * CHUNK + 5, true);
	for (size_t i = 0; i < 2; i++) {
		const uint8_t *with, *without;

		n_threads = 0;
		with = digest_all(digests[i]);
		assert_int_equal(n_threads, min_size((size_t)CPU_COUNT(&set), 5) - 1);
		are_threads_refused = true;
		without = digest_all(digests[i]);
		are_threads_refused = false;
		assert_memory_equal(with, without, digest_table_len(&plan, digests[i]));
	}
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(digest_name(DIGEST_CRC32C), "crc32c");
	assert_string_equal(digest_name(DIGEST_SHA256), "sha256");
	assert_string_equal(digest_name(DIGEST_NONE), "none");
	assert_int_equal(digest_of_handoff(DIGEST_CRC32C), HANDOFF_DIGEST_CRC32C);
	assert_int_equal(digest_of_handoff(DIGEST_SHA256), HANDOFF_DIGEST_SHA256);
	assert_int_equal(digest_of_handoff(DIGEST_NONE), HANDOFF_DIGEST_NONE);
}

int main(void)
{
#define UNIT(test) cmocka_unit_test_setup_teardown(test, start, end)
	const struct CMUnitTest tests[] = {
		UNIT(test_n_chunks),
		UNIT(test_table),
		UNIT(test_long),
		UNIT(test_on_several_processors),
		UNIT(test_names),
	};

	return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
