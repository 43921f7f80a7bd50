// SPDX-License-Identifier: GPL-2.0-or-later
#include "digest.h"

#include <string.h>

#include "crc32c.h"
#include "parallel.h"

/* Chunks of a job: enough to be worth a thread, a multiple of what is digested at once. */
#define JOB_CHUNKS	96
#define JOB_LEN		((size_t)(JOB_CHUNKS * HANDOFF_CHUNK_LEN))

/* One segment; the table is written or, to see whether it fits, read. */
struct work {
	struct span bytes;
	enum digest digest;
	size_t digest_len;
	const struct crc32c *crc32c;
	enum sha256_method sha256_method;
	uint8_t *table;
};

const char *digest_name(enum digest digest)
{
	static const char *const names[] = {
		[DIGEST_CRC32C] = "crc32c",
		[DIGEST_SHA256] = "sha256",
		[DIGEST_NONE] = "none",
	};

	return names[digest];
}

enum handoff_digest digest_of_handoff(enum digest digest)
{
	switch (digest) {
	case DIGEST_CRC32C:
		return HANDOFF_DIGEST_CRC32C;
	case DIGEST_SHA256:
		return HANDOFF_DIGEST_SHA256;
	case DIGEST_NONE:
		break;
	}
	return HANDOFF_DIGEST_NONE;
}

static size_t digest_len(enum digest digest)
{
	return digest == DIGEST_CRC32C ? CRC32C_LEN : digest == DIGEST_SHA256 ? SHA256_LEN : 0;
}

uint64_t digest_n_chunks(uint64_t len)
{
	return len / HANDOFF_CHUNK_LEN + (len % HANDOFF_CHUNK_LEN != 0);
}

static uint64_t segment_table_len(const struct segment *s, enum digest digest)
{
	return s->is_digested ? digest_n_chunks(s->bytes.len) * digest_len(digest) : 0;
}

uint64_t digest_table_len(const struct plan *plan, enum digest digest)
{
	uint64_t len = 0;

	for (size_t i = 0; i < plan->n_segments; i++)
		len += segment_table_len(&plan->segments[i], digest);
	return len;
}

/* Chunks [i * JOB_CHUNKS, (i + 1) * JOB_CHUNKS), or as many as there are. */
static void digest_some(void *ctx, size_t i)
{
	struct work *w = ctx;
	const uint8_t *data = w->bytes.data + i * JOB_LEN;
	const size_t len = min_size(w->bytes.len - i * JOB_LEN, JOB_LEN);
	uint8_t *found = w->table + i * JOB_CHUNKS * w->digest_len;

	if (w->digest == DIGEST_CRC32C)
		crc32c_chunks(w->crc32c, data, len, HANDOFF_CHUNK_LEN, found);
	else
		sha256_chunks(w->sha256_method, data, len, HANDOFF_CHUNK_LEN, found);
}

static void digest_all(struct work *w)
{
	parallel_run(w->bytes.len / JOB_LEN + (w->bytes.len % JOB_LEN != 0), 0, digest_some, w);
}

static struct work work_for(struct span bytes, enum digest digest, struct crc32c *crc32c)
{
	crc32c_start(crc32c);
	return (struct work){
		.bytes = bytes,
		.digest = digest,
		.digest_len = digest_len(digest),
		.crc32c = crc32c,
		.sha256_method = sha256_best_method(),
	};
}

void digest_plan(struct plan *plan, enum digest digest, uint8_t *table)
{
	struct crc32c crc32c;

	for (size_t i = 0; i < plan->n_segments; i++) {
		struct segment *s = &plan->segments[i];
		struct work w = work_for(s->bytes, digest, &crc32c);

		if (!s->is_digested || digest == DIGEST_NONE)
			continue;
		s->digests = table;
		w.table = table;
		digest_all(&w);
		table += segment_table_len(s, digest);
	}
}

void digest_sha256(struct span bytes, uint8_t ret[SHA256_LEN])
{
	struct sha256 h;

	sha256_start_by(&h, sha256_best_method());
	sha256_add(&h, bytes.data, bytes.len);
	sha256_finish(&h, ret);
}
