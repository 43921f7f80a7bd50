// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Is what the loader put in place still what it was? First what purgatory itself runs on, then every
 * region, chunk by chunk.
 */
#include "console.h"
#include "crc32c.h"
#include "purgatory.h"
#include "report.h"
#include "ring0.h"
#include "sha256.h"

#define DIGEST_SHOWN	8	/* bytes: enough to tell two digests apart */
#define BATCH		6	/* chunks: crc32c.c takes them by three, sha256.c by two */

static struct crc32c crc32c;

/* From verify_self() to the jump the image's CRC, which nothing has by chance. */
static uint32_t proof_of_self;

/* How the regions are digested: what handoff.digest means on this CPU. */
static enum sha256_method sha256_method;
static uint32_t digest_len;

static void say_digest(const uint8_t *digest)
{
	if (handoff.digest == HANDOFF_DIGEST_CRC32C) {
		say_crc(digest);
		return;
	}
	say_bytes(digest, DIGEST_SHOWN);
	say("...");
}

/* ---- purgatory itself ---- */

static uint32_t crc_of(const void *start, const void *end)
{
	return crc32c_add(&crc32c, 0, start,
			  (size_t)((const uint8_t *)end - (const uint8_t *)start));
}

void verify_self(void)
{
	const uint8_t *end = image_start + handoff.self_len;
	uint32_t found;

	crc32c_start(&crc32c);
	found = crc_of(&handoff, &handoff.crc);
	if (found != handoff.crc)
		report_handoff(found);
	found = crc_of(image_start, image_file_end);
	if (found != handoff.image_crc)
		report_image(found);
	found = crc_of(image_end, end);
	if (found != handoff.tables_crc)
		report_tables(found);
	proof_of_self = handoff.image_crc;
}

bool take_proof_of_self(void)
{
	const bool is_proof = proof_of_self == handoff.image_crc;

	proof_of_self = 0;
	return is_proof;
}

/* ---- the regions ---- */

static void digest_chunks(const uint8_t *data, size_t len, uint8_t *ret)
{
	if (handoff.digest == HANDOFF_DIGEST_CRC32C)
		crc32c_chunks(&crc32c, data, len, handoff.chunk_len, ret);
	else
		sha256_chunks(sha256_method, data, len, handoff.chunk_len, ret);
}

/* Called for the first bad chunk of a region. */
static void report_chunk(const struct handoff_region *region, uint64_t off, const uint8_t *expected,
			 const uint8_t *found)
{
	say_damaged(region->name, region->start, region->len);
	say("first bad chunk at +");
	say_hex(off);
	say(handoff.digest == HANDOFF_DIGEST_CRC32C ? ": CRC32C" : ": SHA-256");
	say(" expected ");
	say_digest(expected);
	say(", found ");
	say_digest(found);
	say("\n");
}

/* Reports what is damaged: the offset of the first chunk that is to *ret_off. */
static bool region_is_intact(const struct handoff_region *region, uint64_t *ret_off)
{
	const uint8_t *data = (const uint8_t *)(uintptr_t)region->start;
	const uint8_t *expected = (const uint8_t *)(uintptr_t)handoff.digests +
				  (uint64_t)region->first_chunk * digest_len;
	uint8_t found[BATCH * SHA256_LEN];
	const uint64_t batch_len = BATCH * (uint64_t)handoff.chunk_len;
	uint64_t off = 0;

	while (off < region->len) {
		digest_chunks(data + off, min_u64(region->len - off, batch_len), found);
		for (uint32_t i = 0; i < BATCH && off < region->len; i++) {
			const uint8_t *f = found + i * digest_len;

			if (__builtin_memcmp(expected, f, digest_len) != 0) {
				report_chunk(region, off, expected, f);
				*ret_off = off;
				return false;
			}
			expected += digest_len;
			off += handoff.chunk_len;
		}
	}
	return true;
}

static void verify_each(void)
{
	uint32_t n_damaged = 0;
	uint64_t off = 0;

	for (uint32_t i = 0; i < handoff.n_regions; i++) {
		if (region_is_intact(&handoff.regions[i], &off))
			continue;
		if (n_damaged++ > 0)
			continue;
		handoff.bad_region = i;
		handoff.bad_off = off;
	}
	if (n_damaged > 0)
		failure_end(VERDICT_MISMATCH);
	handoff.verdict = VERDICT_MATCH;
}

/* The kernel leaves CR4.OSFXSR clear: until that is set, an SSE instruction is an invalid opcode. */
static void verify_by_sha256(void)
{
	uint64_t cr0, cr4;

	digest_len = SHA256_LEN;
	sha256_method = sha256_best_method();
	if (sha256_method == SHA256_PORTABLE || !is_ring0()) {
		verify_each();
		return;
	}
	cr0 = read_cr0();
	cr4 = read_cr4();
	write_cr0(cr0 & ~(CR0_EM | CR0_TS));
	write_cr4(cr4 | CR4_OSFXSR | CR4_OSXMMEXCPT);
	verify_each();
	write_cr4(cr4);
	write_cr0(cr0);
}

void verify_regions(void)
{
	switch (handoff.digest) {
	case HANDOFF_DIGEST_CRC32C:
		digest_len = CRC32C_LEN;
		verify_each();
		break;
	case HANDOFF_DIGEST_SHA256:
		verify_by_sha256();
		break;
	default:
		handoff.verdict = VERDICT_UNCHECKED;
	}
}
