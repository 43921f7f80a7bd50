// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * digests: how fast this machine digests and moves memory. "NAME BYTES_PER_SECOND" for each way.
 *
 * One buffer; every round goes through all ways in turn; a way's figure is its best round, in CPU
 * time of the thread. The peers' code is the object that their command has inside and loads as its
 * purgatory: native.py links it in, with peer_ or newest_ before its names.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "crc32c.h"
#include "handoff.h"
#include "sha256.h"

#define BUFFER_LEN	(64UL << 20)
#define PAGE		4096UL
#define PEER_CONTEXT	512	/* bytes; theirs has 108 */

#define PEER(name)							\
	void name##_sha256_starts(void *context);			\
	void name##_sha256_update(void *context, const uint8_t *data, unsigned int len); \
	void name##_sha256_finish(void *context, uint8_t digest[SHA256_LEN]);	\
	static void name##_sha256(void)					\
	{								\
		_Alignas(16) uint8_t context[PEER_CONTEXT];		\
									\
		name##_sha256_starts(context);				\
		name##_sha256_update(context, buffer, BUFFER_LEN);	\
		name##_sha256_finish(context, digests);			\
		memcpy(whole, digests, SHA256_LEN);			\
	}

static uint8_t *buffer, *other;
static uint8_t *digests;	/* of the chunks */
static uint8_t whole[SHA256_LEN];
static struct crc32c crc32c;

PEER(peer)
PEER(newest)

static void ours_sha256_whole(void)
{
	struct sha256 h;

	sha256_start(&h);
	sha256_add(&h, buffer, BUFFER_LEN);
	sha256_finish(&h, whole);
}

static void ours_sha256_portable(void)
{
	sha256_chunks(SHA256_PORTABLE, buffer, BUFFER_LEN, HANDOFF_CHUNK_LEN, digests);
}

static void ours_sha256_ni(void)
{
	sha256_chunks(SHA256_NI, buffer, BUFFER_LEN, HANDOFF_CHUNK_LEN, digests);
}

static void ours_crc32c(void)
{
	crc32c_start(&crc32c);
	crc32c_chunks(&crc32c, buffer, BUFFER_LEN, HANDOFF_CHUNK_LEN, digests);
}

static void ours_crc32c_portable(void)
{
	crc32c_start_portable(&crc32c);
	crc32c_chunks(&crc32c, buffer, BUFFER_LEN, HANDOFF_CHUNK_LEN, digests);
}

static void rep_movs(uint8_t *to, const uint8_t *from, size_t len)
{
	size_t n = len / 8;

	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

/* As relocate_kernel does it, page by page: once, and (before Linux 6.13) by way of a third page. */
static void copy(void)
{
	for (size_t off = 0; off < BUFFER_LEN; off += PAGE)
		rep_movs(other + off, buffer + off, PAGE);
}

static void swap(void)
{
	static _Alignas(4096) uint8_t third[PAGE];

	for (size_t off = 0; off < BUFFER_LEN; off += PAGE) {
		rep_movs(third, buffer + off, PAGE);
		rep_movs(buffer + off, other + off, PAGE);
		rep_movs(other + off, third, PAGE);
	}
}

static void clear(void)
{
	memset(other, 0, BUFFER_LEN);
}

static const struct way {
	const char *name;
	void (*run)(void);
	bool is_ni;
} ways[] = {
	{ "peer-sha256", peer_sha256, false },
	{ "newest-sha256", newest_sha256, false },
	{ "ours-sha256-portable", ours_sha256_portable, false },
	{ "ours-sha256-ni", ours_sha256_ni, true },
	{ "ours-crc32c", ours_crc32c, false },
	{ "ours-crc32c-portable", ours_crc32c_portable, false },
	{ "copy", copy, false },
	{ "swap", swap, false },
	{ "clear", clear, false },
};

static double cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint8_t *allocate(size_t len)
{
	uint8_t *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		err(1, "memory");
	memset(p, 1, len);
	return p;
}

int main(int argc, char **argv)
{
	const int rounds = argc > 1 ? atoi(argv[1]) : 7;
	const size_t n_ways = sizeof(ways) / sizeof(ways[0]);
	double best[sizeof(ways) / sizeof(ways[0])];
	uint8_t expected[SHA256_LEN];

	buffer = allocate(BUFFER_LEN);
	other = allocate(BUFFER_LEN);
	digests = allocate(BUFFER_LEN / HANDOFF_CHUNK_LEN * SHA256_LEN);
	srandom(1);
	for (size_t i = 0; i < BUFFER_LEN; i += 4)
		memcpy(buffer + i, &(uint32_t){ (uint32_t)random() }, 4);
	ours_sha256_whole();
	memcpy(expected, whole, SHA256_LEN);
	peer_sha256();
	if (memcmp(whole, expected, SHA256_LEN))
		errx(1, "the peers' SHA-256 is not ours");
	crc32c_start(&crc32c);
	for (size_t i = 0; i < n_ways; i++)
		best[i] = 1e9;
	for (int round = 0; round < rounds; round++) {
		for (size_t i = 0; i < n_ways; i++) {
			double start = cpu_seconds(), took;

			if (ways[i].is_ni && sha256_best_method() != SHA256_NI)
				continue;
			ways[i].run();
			took = cpu_seconds() - start;
			if (took < best[i])
				best[i] = took;
		}
	}
	for (size_t i = 0; i < n_ways; i++)
		if (best[i] < 1e9)
			printf("%s %.0f\n", ways[i].name, (double)BUFFER_LEN / best[i]);
	return 0;
}
