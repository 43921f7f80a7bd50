/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The digests by which purgatory verifies segments: one for each HANDOFF_CHUNK_LEN bytes and for
 * what is left after them, by whatever this CPU does it fastest with.
 */
#ifndef KEXEC_NG_DIGEST_H
#define KEXEC_NG_DIGEST_H

#include "handoff.h"
#include "image.h"
#include "sha256.h"

const char *digest_name(enum digest digest);	/* as in --digest= */
enum handoff_digest digest_of_handoff(enum digest digest);
/* How many digests a segment of len bytes has. */
uint64_t digest_n_chunks(uint64_t len);

/* Bytes of the digests of all segments that is_digested; 0 for DIGEST_NONE. */
uint64_t digest_table_len(const struct plan *plan, enum digest digest);
/* Writes so many bytes to table, in the order of the segments, and sets their segment->digests. */
void digest_plan(struct plan *plan, enum digest digest, uint8_t *table);

/* SHA-256 of the whole. */
void digest_sha256(struct span bytes, uint8_t ret[SHA256_LEN]);

#endif
