/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SHA-256 (FIPS 180-4), computed over chunks of each segment by the loader before the kernel takes
 * the bytes and by purgatory after they were moved. One source serves both worlds:
 * purgatory/sha256.c, sha256_ni.S.
 */
#ifndef KEXEC_NG_SHA256_H
#define KEXEC_NG_SHA256_H

#include "base.h"

#define SHA256_LEN	32
#define SHA256_BLOCK	64

enum sha256_method {
	SHA256_PORTABLE,
	SHA256_NI,	/* the SHA instructions; xmm registers must be usable */
};

struct sha256 {
	enum sha256_method method;
	uint32_t state[8];
	uint64_t total_len;		/* bytes so far */
	uint8_t block[SHA256_BLOCK];	/* an unfinished block: total_len % 64 bytes */
};

/* What the CPU can; whether xmm registers are usable right now is the caller's business. */
must_check enum sha256_method sha256_best_method(void);

void sha256_start(struct sha256 *h);	/* SHA256_PORTABLE */
void sha256_start_by(struct sha256 *h, enum sha256_method method);
void sha256_add(struct sha256 *h, const void *data, size_t len);
void sha256_finish(struct sha256 *h, uint8_t ret_digest[SHA256_LEN]);

/* Of each chunk_len bytes of data and of what is left after them, SHA256_LEN bytes to ret. With the
 * instructions, chunks of a multiple of SHA256_BLOCK go two at a time. */
void sha256_chunks(enum sha256_method method, const void *data, size_t len, size_t chunk_len,
		   uint8_t *ret);

#endif
