// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * CRC-32C twice: by the instruction, and by eight tables ("slicing by 8": M. Kounavis, F. Berry, A
 * systematic approach to building high performance software-based CRC generators, 2005). The CRC is
 * inverted before and after, and its bits are reflected: bit 0 is the highest power.
 */
#include "crc32c.h"

#include "cpuid.h"

#define POLYNOMIAL	0x82f63b78U	/* 0x1edc6f41, reflected */
#define STEP		128		/* bytes per turn and stream: 0.14 instructions a byte */

static inline uint64_t read_word(const uint8_t *p)
{
	uint64_t v;

	__builtin_memcpy(&v, p, sizeof(v));
	return v;
}

/* An operand in memory: that is one instruction for 8 bytes, or 4 in the command built for 32 bits.
 * Alignment does not matter to it. */
#ifdef __x86_64__
typedef uint64_t word_t;
#define CRC32	"crc32q"
#else
typedef uint32_t word_t;
#define CRC32	"crc32l"
#endif
struct word {
	word_t value;
} __attribute__((packed, may_alias));

static inline word_t add_word(word_t crc, const uint8_t *p)
{
	for (size_t i = 0; i < sizeof(uint64_t); i += sizeof(word_t))
		__asm__(CRC32 " %1, %0" : "+r"(crc) : "m"(*(const struct word *)(p + i)));
	return crc;
}

static inline word_t add_byte(word_t crc, const uint8_t *p)
{
	__asm__("crc32b %1, %k0" : "+r"(crc) : "m"(*p));
	return crc;
}

static uint32_t by_instruction(uint32_t start, const uint8_t *p, size_t len)
{
	word_t crc = start;

	for (; len >= 64; len -= 64, p += 64) {
#define ADD_WORD(i) (crc = add_word(crc, p + (i)))
		ADD_WORD(0), ADD_WORD(8), ADD_WORD(16), ADD_WORD(24);
		ADD_WORD(32), ADD_WORD(40), ADD_WORD(48), ADD_WORD(56);
	}
	for (; len >= 8; len -= 8, p += 8)
		crc = add_word(crc, p);
	for (; len > 0; len--, p++)
		crc = add_byte(crc, p);
	return (uint32_t)crc;
}

void crc32c_three(const void *data, size_t len, uint32_t ret[3])
{
	const uint8_t *a = (const uint8_t *)data, *b = a + len, *c = b + len;
	word_t x = UINT32_MAX, y = UINT32_MAX, z = UINT32_MAX;

	for (; len >= STEP; len -= STEP, a += STEP, b += STEP, c += STEP) {
#define ADD_WORDS(i) (x = add_word(x, a + (i)), y = add_word(y, b + (i)), z = add_word(z, c + (i)))
#define ADD_32(i) (ADD_WORDS(i), ADD_WORDS((i) + 8), ADD_WORDS((i) + 16), ADD_WORDS((i) + 24))
		ADD_32(0);
		ADD_32(32);
		ADD_32(64);
		ADD_32(96);
	}
	ret[0] = ~by_instruction((uint32_t)x, a, len);
	ret[1] = ~by_instruction((uint32_t)y, b, len);
	ret[2] = ~by_instruction((uint32_t)z, c, len);
}

static uint32_t by_table(const uint32_t table[8][256], uint32_t crc, const uint8_t *p, size_t len)
{
	for (; len >= 8; len -= 8, p += 8) {
		const uint64_t word = read_word(p) ^ crc;

		crc = table[7][word & 255] ^ table[6][word >> 8 & 255] ^
		      table[5][word >> 16 & 255] ^ table[4][word >> 24 & 255] ^
		      table[3][word >> 32 & 255] ^ table[2][word >> 40 & 255] ^
		      table[1][word >> 48 & 255] ^ table[0][word >> 56];
	}
	for (; len > 0; len--, p++)
		crc = crc >> 8 ^ table[0][(crc ^ *p) & 255];
	return crc;
}

/* table[k][n]: what a byte n does to the CRC that many bytes later. */
void crc32c_start_portable(struct crc32c *c)
{
	c->has_instruction = false;
	for (uint32_t n = 0; n < 256; n++) {
		uint32_t crc = n;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
		c->table[0][n] = crc;
	}
	for (uint32_t k = 1; k < 8; k++)
		for (uint32_t n = 0; n < 256; n++)
			c->table[k][n] = c->table[k - 1][n] >> 8 ^
					 c->table[0][c->table[k - 1][n] & 255];
}

void crc32c_start(struct crc32c *c)
{
	c->has_instruction = cpuid_read(1).ecx & CPUID_1_ECX_SSE42;
	if (!c->has_instruction)
		crc32c_start_portable(c);
}

uint32_t crc32c_add(const struct crc32c *c, uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = (const uint8_t *)data;

	return c->has_instruction ? ~by_instruction(~crc, p, len) : ~by_table(c->table, ~crc, p, len);
}

static inline void write_le32(uint8_t *to, uint32_t v)
{
	__builtin_memcpy(to, &v, sizeof(v));
}

void crc32c_chunks(const struct crc32c *c, const void *data, size_t len, size_t chunk_len,
		   uint8_t *ret)
{
	const uint8_t *p = (const uint8_t *)data;

	while (len > 0) {
		const size_t part = min_size(len, chunk_len);

		if (c->has_instruction && len / 3 >= chunk_len) {
			uint32_t crc[3];

			crc32c_three(p, chunk_len, crc);
			for (size_t i = 0; i < 3; i++, ret += CRC32C_LEN)
				write_le32(ret, crc[i]);
			p += 3 * chunk_len;
			len -= 3 * chunk_len;
			continue;
		}
		write_le32(ret, crc32c_add(c, 0, p, part));
		ret += CRC32C_LEN;
		p += part;
		len -= part;
	}
}
