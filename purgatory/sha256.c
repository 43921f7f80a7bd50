// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * SHA-256 as FIPS 180-4 sections 4.1.2, 4.2.2, 5 and 6.2 describe it, with their names. The message
 * schedule is kept as its last 16 words, so that 16 rounds unroll into straight code.
 */
#include "sha256.h"

#include "cpuid.h"

/* sha256_ni.S uses them too. */
extern const uint32_t sha256_k[64];
__attribute__((visibility("hidden"), aligned(16))) const uint32_t sha256_k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static inline uint32_t rotate_right(uint32_t x, unsigned int n)
{
	return x >> n | x << (32 - n);
}

static inline uint32_t ch(uint32_t x, uint32_t y, uint32_t z)
{
	return z ^ (x & (y ^ z));
}

static inline uint32_t maj(uint32_t x, uint32_t y, uint32_t z)
{
	return (x & y) | (z & (x | y));
}

static inline uint32_t big_sigma0(uint32_t x)
{
	return rotate_right(x, 2) ^ rotate_right(x, 13) ^ rotate_right(x, 22);
}

static inline uint32_t big_sigma1(uint32_t x)
{
	return rotate_right(x, 6) ^ rotate_right(x, 11) ^ rotate_right(x, 25);
}

static inline uint32_t small_sigma0(uint32_t x)
{
	return rotate_right(x, 7) ^ rotate_right(x, 18) ^ x >> 3;
}

static inline uint32_t small_sigma1(uint32_t x)
{
	return rotate_right(x, 17) ^ rotate_right(x, 19) ^ x >> 10;
}

/* W(t) for t >= 16, in place of W(t - 16). */
#define SCHEDULE(i) \
	(w[i] += small_sigma1(w[((i) + 14) & 15]) + w[((i) + 9) & 15] + small_sigma0(w[((i) + 1) & 15]))

/* One round. Instead of moving the eight variables, the next round names them rotated. */
#define ROUND(a, b, c, d, e, f, g, h, i, word) \
	do { \
		const uint32_t t1 = h + big_sigma1(e) + ch(e, f, g) + sha256_k[t + (i)] + (word); \
		d += t1; \
		h = t1 + big_sigma0(a) + maj(a, b, c); \
	} while (0)

#define EIGHT_ROUNDS(i, WORD) \
	do { \
		ROUND(a, b, c, d, e, f, g, h, (i) + 0, WORD((i) + 0)); \
		ROUND(h, a, b, c, d, e, f, g, (i) + 1, WORD((i) + 1)); \
		ROUND(g, h, a, b, c, d, e, f, (i) + 2, WORD((i) + 2)); \
		ROUND(f, g, h, a, b, c, d, e, (i) + 3, WORD((i) + 3)); \
		ROUND(e, f, g, h, a, b, c, d, (i) + 4, WORD((i) + 4)); \
		ROUND(d, e, f, g, h, a, b, c, (i) + 5, WORD((i) + 5)); \
		ROUND(c, d, e, f, g, h, a, b, (i) + 6, WORD((i) + 6)); \
		ROUND(b, c, d, e, f, g, h, a, (i) + 7, WORD((i) + 7)); \
	} while (0)

static inline uint32_t read_be32(const uint8_t *p)
{
	uint32_t v;

	__builtin_memcpy(&v, p, sizeof(v));
	return __builtin_bswap32(v);
}

static void add_blocks_portable(uint32_t state[8], const uint8_t *data, size_t n_blocks)
{
	uint32_t w[16];

	for (; n_blocks > 0; n_blocks--, data += SHA256_BLOCK) {
		uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
		uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
		unsigned int t = 0;

#define FROM_MESSAGE(i) (w[i] = read_be32(data + 4 * (i)))
		EIGHT_ROUNDS(0, FROM_MESSAGE);
		EIGHT_ROUNDS(8, FROM_MESSAGE);
		for (t = 16; t < 64; t += 16) {
			EIGHT_ROUNDS(0, SCHEDULE);
			EIGHT_ROUNDS(8, SCHEDULE);
		}
		state[0] += a;
		state[1] += b;
		state[2] += c;
		state[3] += d;
		state[4] += e;
		state[5] += f;
		state[6] += g;
		state[7] += h;
	}
}

#ifdef __x86_64__
/* sha256_ni.S: n_blocks is not 0. The second message is stride bytes behind the first. */
#pragma GCC visibility push(hidden)
void sha256_ni_blocks(uint32_t state[8], const uint8_t *data, size_t n_blocks);
void sha256_ni_blocks_two(uint32_t states[2][8], const uint8_t *data, size_t stride,
			  size_t n_blocks);
#pragma GCC visibility pop
#else
/* sha256_ni.S is 64-bit code; the command built for 32 bits does without. */
static void sha256_ni_blocks(uint32_t state[8], const uint8_t *data, size_t n_blocks)
{
	add_blocks_portable(state, data, n_blocks);
}

static void sha256_ni_blocks_two(uint32_t states[2][8], const uint8_t *data, size_t stride,
				 size_t n_blocks)
{
	add_blocks_portable(states[0], data, n_blocks);
	add_blocks_portable(states[1], data + stride, n_blocks);
}
#endif

static void add_blocks(struct sha256 *h, const uint8_t *data, size_t n_blocks)
{
	if (n_blocks == 0)
		return;
	if (h->method == SHA256_NI)
		sha256_ni_blocks(h->state, data, n_blocks);
	else
		add_blocks_portable(h->state, data, n_blocks);
}

enum sha256_method sha256_best_method(void)
{
#ifdef __x86_64__
	const uint32_t sse = CPUID_1_ECX_SSSE3 | CPUID_1_ECX_SSE41;

	if ((cpuid_read(1).ecx & sse) == sse && (cpuid_read(7).ebx & CPUID_7_EBX_SHA))
		return SHA256_NI;
#endif
	return SHA256_PORTABLE;
}

void sha256_start_by(struct sha256 *h, enum sha256_method method)
{
	*h = (struct sha256){
		.method = method,
		.state = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c,
			   0x1f83d9ab, 0x5be0cd19 },
	};
}

void sha256_start(struct sha256 *h)
{
	sha256_start_by(h, SHA256_PORTABLE);
}

void sha256_add(struct sha256 *h, const void *data, size_t len)
{
	const uint8_t *from = (const uint8_t *)data;
	const size_t held = h->total_len % SHA256_BLOCK;

	if (len == 0)
		return;
	h->total_len += len;
	if (held > 0) {
		const size_t part = min_size(SHA256_BLOCK - held, len);

		__builtin_memcpy(h->block + held, from, part);
		if (held + part < SHA256_BLOCK)
			return;
		add_blocks(h, h->block, 1);
		from += part;
		len -= part;
	}
	add_blocks(h, from, len / SHA256_BLOCK);
	if (len % SHA256_BLOCK > 0)
		__builtin_memcpy(h->block, from + len - len % SHA256_BLOCK, len % SHA256_BLOCK);
}

void sha256_finish(struct sha256 *h, uint8_t ret_digest[SHA256_LEN])
{
	const uint64_t n_bits = __builtin_bswap64(h->total_len * 8);
	static const uint8_t padding[SHA256_BLOCK] = { 0x80 };
	const size_t held = h->total_len % SHA256_BLOCK;

	/* A one bit, zeros up to 8 bytes before the end of a block, the length in bits. */
	sha256_add(h, padding, (held < 56 ? 56 : 120) - held);
	sha256_add(h, &n_bits, sizeof(n_bits));
	for (size_t i = 0; i < 8; i++) {
		const uint32_t word = __builtin_bswap32(h->state[i]);

		__builtin_memcpy(ret_digest + 4 * i, &word, sizeof(word));
	}
}

/* Two chunks of the same length, which is a multiple of the block's: their padding is a block. */
static void digest_two(const uint8_t *data, size_t chunk_len, uint8_t *ret)
{
	uint32_t states[2][8];
	struct sha256 h;

	sha256_start_by(&h, SHA256_NI);
	__builtin_memcpy(states[0], h.state, sizeof(h.state));
	__builtin_memcpy(states[1], h.state, sizeof(h.state));
	sha256_ni_blocks_two(states, data, chunk_len, chunk_len / SHA256_BLOCK);
	for (size_t i = 0; i < 2; i++) {
		h.total_len = chunk_len;
		__builtin_memcpy(h.state, states[i], sizeof(h.state));
		sha256_finish(&h, ret + i * SHA256_LEN);
	}
}

void sha256_chunks(enum sha256_method method, const void *data, size_t len, size_t chunk_len,
		   uint8_t *ret)
{
	const bool by_two = method == SHA256_NI && chunk_len % SHA256_BLOCK == 0;
	const uint8_t *from = (const uint8_t *)data;

	while (len > 0) {
		const size_t part = min_size(len, chunk_len);
		struct sha256 h;

		if (by_two && len / 2 >= chunk_len) {
			digest_two(from, chunk_len, ret);
			from += 2 * chunk_len;
			len -= 2 * chunk_len;
			ret += 2 * SHA256_LEN;
			continue;
		}
		sha256_start_by(&h, method);
		sha256_add(&h, from, part);
		sha256_finish(&h, ret);
		from += part;
		len -= part;
		ret += SHA256_LEN;
	}
}
