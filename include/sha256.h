/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SHA-256 (FIPS 180-4), computed over each segment by the loader before the kernel takes the
 * bytes and by purgatory after they were moved. One source serves both worlds: purgatory/sha256.c.
 */
#ifndef KEXEC_NG_SHA256_H
#define KEXEC_NG_SHA256_H

#include "base.h"

#define SHA256_LEN	32
#define SHA256_BLOCK	64

struct sha256 {
	uint32_t state[8];
	uint64_t total_len;		/* bytes so far */
	uint8_t block[SHA256_BLOCK];	/* an unfinished block: total_len % 64 bytes */
};

void sha256_start(struct sha256 *h);
void sha256_add(struct sha256 *h, const void *data, size_t len);
void sha256_finish(struct sha256 *h, uint8_t ret_digest[SHA256_LEN]);

#endif
