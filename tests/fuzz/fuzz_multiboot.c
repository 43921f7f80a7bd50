// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Images with a multiboot header, 1 or 2, whose checksum is right and whose fields and tags the input
 * has; the program around it is flat, or an ELF file. Looked into, and planned.
 */
#include <string.h>

#include "lib_check.h"
#include "lib_elf.h"
#include "lib_image.h"
#include "lib_plan.h"
#include "lib_safe.h"
#include "wire/multiboot.h"
#include "wire/multiboot2.h"

#define FILE_LEN	0x2000
#define PADDR		0x200000U

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Numbers out of the input, zeros after its end. */
struct input {
	const uint8_t *data;
	size_t len;
};

static uint8_t take(struct input *in)
{
	if (in->len == 0)
		return 0;
	in->len--;
	return *in->data++;
}

/* An address near to what fits, or any other. */
static uint32_t take_addr(struct input *in, uint32_t near)
{
	const uint8_t how = take(in);
	uint32_t v = 0;

	switch (how & 3) {
	case 0:
		return near;
	case 1:
		return near + take(in) * 16U;
	case 2:
		return how & 4 ? UINT32_MAX : 0;
	default:
		for (int i = 0; i < 4; i++)
			v = v << 8 | take(in);
		return v;
	}
}

static void add_header_1(struct input *in, uint8_t *file, uint32_t off, size_t room)
{
	struct multiboot_header h = { .magic = MULTIBOOT_HEADER_MAGIC };

	h.flags = take(in) & 15;
	h.flags |= take(in) & 1 ? MULTIBOOT_ADDRESSES : 0;
	h.checksum = 0U - h.magic - h.flags;
	h.header_addr = take_addr(in, PADDR + off);
	h.load_addr = take_addr(in, PADDR);
	h.load_end_addr = take_addr(in, PADDR + FILE_LEN);
	h.bss_end_addr = take_addr(in, PADDR + 2 * FILE_LEN);
	h.entry_addr = take_addr(in, PADDR + 0x100);
	memcpy(file + off, &h, min_size(sizeof(h), room));
}

static size_t add_tag(struct input *in, uint8_t *at, size_t room, uint32_t off)
{
	const uint8_t type = take(in), how = take(in);
	const size_t words = how >> 1 & 7;
	struct multiboot2_header_tag tag = { (uint16_t)(type % 12), how & 1, 0 };
	uint32_t body[8] = { 0 };

	for (size_t i = 0; i < words; i++)
		body[i] = type % 12 == MULTIBOOT2_HEADER_REQUEST ? take(in) % 24U :
			  take_addr(in, i == 0 ? PADDR + off : PADDR + (uint32_t)i * FILE_LEN);
	tag.len = (uint32_t)(sizeof(tag) + words * 4);
	if (how & 0x80)
		tag.len = take(in);
	if (align_down(sizeof(tag) + words * 4 + 7, 8) > room)
		return 0;
	memcpy(at, &tag, sizeof(tag));
	memcpy(at + sizeof(tag), body, words * 4);
	return (size_t)align_down(sizeof(tag) + words * 4 + 7, 8);
}

static void add_header_2(struct input *in, uint8_t *file, uint32_t off, size_t room)
{
	struct multiboot2_header h = { MULTIBOOT2_HEADER_MAGIC, take(in) & 0x80 ? 4 : 0, 0, 0 };
	size_t at = sizeof(h);

	if (room < sizeof(h))
		return;
	for (int n = take(in) % 8; n > 0; n--)
		at += add_tag(in, file + off + at, room - at, off);
	h.len = (uint32_t)at + take(in) % 4 * 0x1000U;
	h.checksum = 0U - h.magic - h.architecture - h.len;
	memcpy(file + off, &h, sizeof(h));
}

/* A frame buffer, or a text screen. */
static void add_screen(struct input *in, struct facts *facts)
{
	static const uint8_t types[] = { 0x23, 0x70, 0x01, 0x22 };

	facts->boot_params[0x0f] = types[take(in) % 4];
	for (size_t i = 6; i < 0x40; i++)
		if (i != 0x0f)
			facts->boot_params[i] = take(in) & 1 ? take(in) : 1;
}

static void plan_file(struct input *in, struct span file)
{
	static const uint8_t extra[PAGE_LEN + 1];
	static const struct module module = { PAGE_LEN + 1, "module a b" };
	const uint8_t choice = take(in);
	struct arena arena = { 0 };
	struct facts facts;
	struct request req;
	struct plan plan;
	struct diag diag;

	diag_init(&diag, &arena);
	make_facts(&facts, &arena, choice & 1 ? GIB : 5 * GIB);
	facts.efi.is_booted = choice & 8;
	facts.efi.bits = 64;
	add_screen(in, &facts);
	facts.rsdp_len = choice & 2 ? (choice & 4 ? 36 : 20) : 0;
	make_request(&req, file.data, file.len);
	req.kernel_path = "image";
	req.cmdline = "a b";
	if (choice & 16) {
		req.modules = span_of(extra, sizeof(extra));
		req.module_list = &module;
		req.n_modules = 1;
	}
	req.digest = choice & 32 ? DIGEST_SHA256 : DIGEST_CRC32C;
	if (plan_request(&req, &facts, &arena, &plan, &diag) == 0)
		require_safe_plan(&plan, &req, &facts);
	else
		CHECK(diag.id && diag.error > 0 && diag.text[0]);
	arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct test_load load = { PADDR, PADDR, FILE_LEN, 2 * FILE_LEN, 1 };
	struct input in = { data, len };
	const uint8_t how = take(&in);
	struct bytes b = { 0 };
	uint32_t off;

	if (how & 1)
		make_elf_file(how & 2, take_addr(&in, PADDR), &load, 1, &b);
	else
		bytes_add_zeros(&b, FILE_LEN);
	off = take(&in) * 8U + (b.len > FILE_LEN ? TEST_ELF_LOADS_OFF : 0);
	if (how & 4)	/* at the end */
		off = (uint32_t)b.len - off % 64 - 8;
	if (how & 8)
		add_header_2(&in, b.data, off, b.len - off);
	else
		add_header_1(&in, b.data, off, b.len - off);
	require_safe_inspection(bytes_span(&b));
	plan_file(&in, bytes_span(&b));
	bytes_free(&b);
	return 0;
}
