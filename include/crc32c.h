/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CRC-32C (Castagnoli; RFC 3720, appendix B.4): what chunks of segments and purgatory itself are
 * verified with. One source serves loader and purgatory: purgatory/crc32c.c.
 *
 * The crc32 instruction of SSE 4.2 works on general registers, so purgatory may use it as the kernel
 * leaves the machine. A result takes it 3 cycles, and every cycle it can begin another one: three
 * CRCs at once take the time of one.
 */
#ifndef KEXEC_NG_CRC32C_H
#define KEXEC_NG_CRC32C_H

#include "base.h"

#define CRC32C_LEN	4	/* of a digest in a table: little endian */

/* How this CPU does it. 8 KiB, so no business of a stack in purgatory. */
struct crc32c {
	bool has_instruction;
	uint32_t table[8][256];		/* only if not: built at the start, in a few us */
};

/* Asks the CPU. */
void crc32c_start(struct crc32c *c);
/* Does without the instruction. */
void crc32c_start_portable(struct crc32c *c);

/* The CRC of what came before, of which crc is the CRC, and these bytes. Begin with 0. */
must_check uint32_t crc32c_add(const struct crc32c *c, uint32_t crc, const void *data, size_t len);
/* The CRCs of len bytes each at data, data + len and data + 2 * len. Needs the instruction. */
void crc32c_three(const void *data, size_t len, uint32_t ret[3]);

/* Of each chunk_len bytes of data and of what is left after them, CRC32C_LEN bytes to ret. */
void crc32c_chunks(const struct crc32c *c, const void *data, size_t len, size_t chunk_len,
		   uint8_t *ret);

#endif
