/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packs bytes as a kernel's build or an initramfs generator does, for tests to unpack. */
#ifndef KEXEC_NG_LIB_PAYLOAD_H
#define KEXEC_NG_LIB_PAYLOAD_H

#include "span.h"

/* Bytes that a test makes; ends with bytes_free(). No memory is a crash: these are tests. */
struct bytes {
	uint8_t *data;
	size_t len;
};

void bytes_add(struct bytes *b, const void *data, size_t len);
void bytes_add_zeros(struct bytes *b, size_t len);
void bytes_align(struct bytes *b, size_t align);	/* with zeros */
void bytes_free(struct bytes *b);
struct span bytes_span(const struct bytes *b);

/*
 * Appends plain, packed in a format by its name in struct codec, or one of these variants:
 * "zstd-long"	a window of 128 MiB, as for kernels
 * "zstd-len"	a frame that names its content's length
 * "lzo-crc32"	CRC-32 instead of Adler-32
 * "lzma-len"	the length instead of an end marker
 * false: this program was built without the library.
 */
bool pack(const char *format, struct span plain, struct bytes *b);
/* The same as a bzImage's payload: with the length at the end, which gzip and elf have already. */
bool pack_payload(const char *format, struct span plain, struct bytes *b);

/*
 * Appends a copy of a bzImage, real or from make_bzimage(), with payload as its payload: behind the
 * kernel's own code, which grows by it. payload_offset, payload_length and syssize say so; init_size
 * is raised if the kernel or out_len does not fit. What followed the kernel (signatures) is left out.
 */
void make_bzimage_with_payload(struct span image, struct span payload, size_t out_len,
			       struct bytes *b);

/* Appends one file of a newc archive, with padding. "TRAILER!!!" ends an archive. */
void cpio_add(struct bytes *b, const char *name, const void *body, size_t len);

/* Bytes that pack somewhat, like code; seed makes them differ. Begins like an ELF file. */
void make_plain(uint8_t *data, size_t len, uint32_t seed);

#endif
