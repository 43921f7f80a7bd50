/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes valid kernel images and machines, for tests to break one thing in. */
#ifndef KEXEC_NG_LIB_IMAGE_H
#define KEXEC_NG_LIB_IMAGE_H

#include "facts.h"
#include "image.h"

#define TEST_SETUP_SECTS	3
#define TEST_SETUP_LEN		((TEST_SETUP_SECTS + 1) * 512)
#define TEST_KERNEL_LEN		(64 * 1024)
#define TEST_IMAGE_LEN		(TEST_SETUP_LEN + TEST_KERNEL_LEN)
#define TEST_PAYLOAD_OFF	0x400
#define TEST_PAYLOAD_LEN	0x8000
#define TEST_OUT_LEN		0x100000
#define TEST_INIT_SIZE		0x200000
#define TEST_KERNEL_INFO_OFF	0x300

/* A relocatable 64-bit bzImage of protocol 2.15 with an xz payload; TEST_IMAGE_LEN bytes. */
void make_bzimage(uint8_t image[TEST_IMAGE_LEN]);
/* The same for a 32-bit kernel: no 64-bit entry, alignment 8 KiB at least. */
void make_bzimage_32(uint8_t image[TEST_IMAGE_LEN]);

void set8(uint8_t *image, size_t off, uint8_t v);
void set16(uint8_t *image, size_t off, uint16_t v);
void set32(uint8_t *image, size_t off, uint32_t v);
void set64(uint8_t *image, size_t off, uint64_t v);
uint8_t at8(const uint8_t *image, size_t off);
uint16_t at16(const uint8_t *image, size_t off);
uint32_t at32(const uint8_t *image, size_t off);
uint64_t at64(const uint8_t *image, size_t off);

/* A BIOS machine: 639 KiB, ram_len bytes in all with a hole below 4 GiB, 64-bit CPU, boot_params. */
void make_facts(struct facts *facts, struct arena *a, uint64_t ram_len);
/* A request for image as a kernel, no initrd, an empty command line, no limits. */
void make_request(struct request *req, const uint8_t *image, size_t len);

#endif
