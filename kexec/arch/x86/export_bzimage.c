// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The same bzImage around another payload. The stub's own code is behind the payload, and its distances
 * to both are part of it: it cannot run any more. So that nobody starts it by mistake its entries halt,
 * and those for EFI are taken out: the PE header, handover_offset, their flags.
 *
 * Source: Documentation/arch/x86/boot.rst; arch/x86/boot/tools/build.c (syssize, CRC).
 */
#include "arch/x86/export_image.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "checked.h"
#include "pack.h"
#include "pe.h"

#define UNIT		16	/* of syssize, and what the parts behind the payload are aligned to */
#define CRC_LEN		4

static void put(uint8_t *file, size_t off, uint64_t v, size_t len)
{
	memcpy(file + off, &v, len);
}

/* CRC-32 of IEEE 802.3 without its final inversion, as builds of kernels up to 6.6 or so write it. */
static void crc_table(uint32_t table[256])
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int k = 0; k < 8; k++)
			c = c & 1 ? 0xedb88320 ^ c >> 1 : c >> 1;
		table[i] = c;
	}
}

static uint32_t crc_add(const uint32_t table[256], uint32_t crc, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		crc = table[(crc ^ data[i]) & 0xff] ^ crc >> 8;
	return crc;
}

/* Where the image has what only its signer wrote; they are 0 when the CRC is made. */
static size_t find_signature_fields(struct span file, uint64_t ret_off[2], size_t ret_len[2])
{
	uint32_t off = 0;
	uint16_t magic = 0;
	uint64_t optional, dirs;

	if (!pe_is_one(file) || !span_le32(file, PE_DOS_LFANEW, &off))
		return 0;
	optional = (uint64_t)off + PE_SIGNATURE_LEN + sizeof(struct pe_coff_header);
	if (!span_le16(file, optional, &magic))
		return 0;
	dirs = magic == PE_OPT_MAGIC_PE32_PLUS ? PE_OPT_DIRS_PE32_PLUS : PE_OPT_DIRS_PE32;
	ret_off[0] = optional + PE_OPT_CHECKSUM;
	ret_len[0] = 4;
	ret_off[1] = optional + dirs + PE_DIR_CERTIFICATES * PE_DIR_LEN;
	ret_len[1] = PE_DIR_LEN;
	return 2;
}

/* Does the kernel end with the CRC of all that is before? */
static bool has_crc(const struct bzimage *image, struct span file, uint8_t *head,
		    const uint32_t table[256])
{
	const size_t len = image->setup_len + image->kernel.len;
	uint64_t off[2];
	size_t field_len[2], n = find_signature_fields(file, off, field_len);
	uint32_t crc = UINT32_MAX, found = 0;

	memcpy(head, file.data, image->setup_len);
	for (size_t i = 0; i < n; i++)
		if (off[i] <= image->setup_len && field_len[i] <= image->setup_len - off[i])
			memset(head + off[i], 0, field_len[i]);
	crc = crc_add(table, crc, head, image->setup_len);
	if (image->kernel.len < CRC_LEN || !span_le32(file, len - CRC_LEN, &found))
		return false;
	return crc_add(table, crc, image->kernel.data, image->kernel.len - CRC_LEN) == found;
}

struct rebuilt {
	uint8_t *head;		/* boot sector, setup code, stub up to the payload */
	size_t head_len;
	size_t setup_len;
	struct span payload;
	uint8_t *tail;		/* what follows it, and padding */
	size_t tail_len;
	size_t pad_len;		/* between payload and tail */
	size_t kernel_len;
};

/* Offsets in the protected mode part of what lies behind the payload grow with it. */
static void move_offset(struct rebuilt *b, const struct bzimage *image, struct span file, size_t field)
{
	const uint64_t payload_end = (uint64_t)(image->payload.data - image->kernel.data) +
				     image->payload.len;
	const uint64_t new_end = b->head_len - b->setup_len + b->payload.len + b->pad_len;
	uint32_t v = 0;

	if (image->header_end >= field + sizeof(v) && span_le32(file, field, &v) && v >= payload_end)
		put(b->head, field, v - payload_end + new_end, sizeof(v));
}

static int write_header(struct rebuilt *b, const struct bzimage *image, struct span file,
			size_t plain_len, struct diag *diag)
{
	const uint64_t window = max_u64(image->window_len, max_u64(b->kernel_len, plain_len));
	uint64_t rounded;

	if (image->version < 0x020a || !checked_align_up(window, PAGE_LEN, &rounded) ||
	    rounded > GIB)
		return fail(diag, EFBIG, "export/init-size",
			    "an image of %zu bytes with a kernel of %zu has no place in the header of "
			    "boot protocol %u.%02u",
			    b->kernel_len, plain_len, image->version >> 8, image->version & 0xff);
	put(b->head, HDR_SYSSIZE, b->kernel_len / UNIT, 4);
	put(b->head, HDR_PAYLOAD_LENGTH, b->payload.len, 4);
	put(b->head, HDR_INIT_SIZE, image->window_len >= window ? image->window_len : rounded, 4);
	if (image->version >= 0x020f)
		move_offset(b, image, file, HDR_KERNEL_INFO_OFFSET);
	if (image->version >= 0x020b)
		put(b->head, HDR_HANDOVER_OFFSET, 0, 4);
	if (image->version >= 0x020c)
		put(b->head, HDR_XLOADFLAGS,
		    image->xloadflags & ~(XLF_EFI_HANDOVER_32 | XLF_EFI_HANDOVER_64), 2);
	return 0;
}

static void halt_stub(struct rebuilt *b, const struct bzimage *image, struct span file)
{
	if (pe_is_one(file))
		put(b->head, PE_DOS_LFANEW, 0, 4);
	memcpy(b->head + b->setup_len, HALTED_STUB, HALTED_STUB_LEN);
	if (image->xloadflags & XLF_KERNEL_64)
		memcpy(b->head + b->setup_len + ENTRY_64_OFF, HALTED_STUB, HALTED_STUB_LEN);
}

static int lay_out(struct rebuilt *b, const struct bzimage *image, struct span file,
		   struct arena *a, struct diag *diag)
{
	const size_t payload_off = (size_t)(image->payload.data - file.data);
	const size_t old_tail = image->setup_len + image->kernel.len - payload_off -
				image->payload.len;
	const size_t least = image->setup_len + ENTRY_64_OFF + HALTED_STUB_LEN;

	b->setup_len = image->setup_len;
	b->head_len = payload_off;
	if (payload_off < (image->xloadflags & XLF_KERNEL_64 ? least : least - ENTRY_64_OFF))
		return fail(diag, EINVAL, "export/payload-first",
			    "the payload at %#zx lies over the stub's entries", payload_off);
	/* As before to a unit: what is behind the payload may want to be aligned. */
	b->pad_len = (image->payload.len - b->payload.len) % UNIT;
	b->tail_len = old_tail;
	b->kernel_len = b->head_len - b->setup_len + b->payload.len + b->pad_len + old_tail;
	b->tail_len += -b->kernel_len % UNIT;
	b->kernel_len += -b->kernel_len % UNIT;
	b->head = arena_alloc(a, b->head_len);
	b->tail = arena_alloc(a, b->pad_len + b->tail_len);
	if (!b->head || !b->tail)
		return fail_nomem(diag);
	memcpy(b->head, file.data, b->head_len);
	memcpy(b->tail + b->pad_len, image->payload.data + image->payload.len, old_tail);
	return 0;
}

static void write_crc(struct rebuilt *b, const uint32_t table[256])
{
	uint8_t *end = b->tail + b->pad_len + b->tail_len - CRC_LEN;
	uint32_t crc = crc_add(table, UINT32_MAX, b->head, b->head_len);

	crc = crc_add(table, crc, b->payload.data, b->payload.len);
	crc = crc_add(table, crc, b->tail, (size_t)(end - b->tail));
	memcpy(end, &crc, sizeof(crc));
}

int export_bzimage(const struct export_kernel *k, struct span file, const char *format,
		   struct arena *a, struct export_file *ret, struct diag *diag)
{
	const struct bzimage *image = &k->image;
	uint8_t *scratch = arena_alloc(a, image->setup_len);
	struct rebuilt b = { 0 };
	uint32_t table[256];
	int r;

	if (!scratch)
		return fail_nomem(diag);
	r = pack_kernel(format, k->payload, &ret->memory, diag);
	if (r < 0)
		return r;
	b.payload = span_of(ret->memory.data, ret->memory.len);
	r = lay_out(&b, image, file, a, diag);
	if (r == 0)
		r = write_header(&b, image, file, k->payload.len, diag);
	if (r < 0)
		return r;
	halt_stub(&b, image, file);
	crc_table(table);
	if (b.tail_len >= CRC_LEN && has_crc(image, file, scratch, table))
		write_crc(&b, table);
	r = export_add(ret, span_of(b.head, b.head_len), diag);
	if (r == 0)
		r = export_add(ret, b.payload, diag);
	if (r == 0)
		r = export_add(ret, span_of(b.tail, b.pad_len + b.tail_len), diag);
	if (r == 0)
		warn(diag, "export/direct-only",
		     "only the direct entry starts this image: its stub was built for its own payload "
		     "(%s, %zu bytes) and now halts; EFI entries and signatures are left out",
		     image->payload_format, image->payload.len);
	return r;
}
