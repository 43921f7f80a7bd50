// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Images that are no bzImage, from file to checked plan: ELF kernels and multiboot programs, made and
 * then patched. Whatever comes out as a plan must be safe to load.
 */
#include <string.h>

#include "lib_check.h"
#include "lib_elf.h"
#include "lib_image.h"
#include "lib_plan.h"
#include "lib_safe.h"
#include "wire/multiboot.h"
#include "wire/multiboot2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What an ELF kernel cannot do, or does without. */
static void add_oddity(struct request *req, struct facts *facts, uint8_t which)
{
	switch (which % 16) {
	case 0:
		facts->cpu.has_long_mode = false;
		break;
	case 1:
		facts->cpu.is_confidential_guest = true;
		break;
	case 2:
		facts->has_unaccepted_memory = true;
		break;
	case 3:
		req->cmdline = "quiet mem_encrypt=on";
		break;
	case 4:
		req->enter = (enum enter)(which >> 4 & 5);
		break;
	case 5:
		req->has_subarch = true;
		break;
	case 6:
		req->is_crash = true;
		break;
	default:
		break;
	}
}

static void plan_file(struct span file, const uint8_t *choice)
{
	static const uint8_t ramdisk[PAGE_LEN + 1];
	static const struct module module = { PAGE_LEN + 1, "module a b" };
	struct arena arena = { 0 };
	struct facts facts;
	struct request req;
	struct plan plan;
	struct diag diag;

	diag_init(&diag, &arena);
	/* With more memory a fuzzer has no time for what a .bss may be. */
	make_facts(&facts, &arena, choice[0] & 1 ? 128 * MIB : 256 * MIB);
	facts.cpu.is_la57_on = choice[0] & 2;
	make_request(&req, file.data, file.len);
	req.kernel_path = "image";
	req.has_seed = choice[0] & 4;
	if (choice[0] & 8)
		req.initrd = span_of(ramdisk, sizeof(ramdisk));
	req.args = (enum args)(choice[0] >> 6);
	add_oddity(&req, &facts, choice[3]);
	if (choice[0] & 16) {
		req.modules = span_of(ramdisk, sizeof(ramdisk));
		req.module_list = &module;
		req.n_modules = 1;
	}
	if (plan_request(&req, &facts, &arena, &plan, &diag) == 0) {
		require_safe_plan(&plan, &req, &facts);
	} else {
		CHECK(diag.id && diag.error > 0 && diag.text[0]);
	}
	arena_free(&arena);
}

/* With a checksum that is right, whatever the flags. */
static void add_header_1(uint8_t *at, uint8_t flags)
{
	uint32_t wanted = (flags & 7) | (flags & 8 ? MULTIBOOT_ADDRESSES : 0);

	set32(at, 0, MULTIBOOT_HEADER_MAGIC);
	set32(at, 4, wanted);
	set32(at, 8, (uint32_t)0 - MULTIBOOT_HEADER_MAGIC - wanted);
}

/* The tags are the fuzzer's. */
static void add_header_2(uint8_t *at, const uint8_t *tags, size_t len)
{
	uint32_t all = (uint32_t)(16 + align_down(len, 8));

	set32(at, 0, MULTIBOOT2_HEADER_MAGIC);
	set32(at, 4, 0);
	set32(at, 8, all);
	set32(at, 12, (uint32_t)0 - MULTIBOOT2_HEADER_MAGIC - all);
	memcpy(at + 16, tags, align_down(len, 8));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char banner[] = "Linux version 6.1.0 ";
	struct test_load loads[] = {
		{ 0x1000000, 0xffffffff81000000, 0x1800, 0x2000, 1 },
		{ 0x1002000, 0xffffffff81002000, 0x100, 0x3000, 2 },
	};
	struct bytes b = { 0 };
	bool is_64;

	if (len < 4)
		return 0;
	is_64 = data[1] & 1;
	if (!is_64) {
		loads[0].vaddr = 0xc1000000;
		loads[1].vaddr = 0xc1002000;
	}
	make_elf_file(is_64, loads[0].paddr + 0x10, loads, 2, &b);
	if (data[1] & 2)
		memcpy(b.data + TEST_ELF_LOADS_OFF + 0x100, banner, sizeof(banner));
	if (data[1] & 8)
		add_header_1(b.data + TEST_ELF_LOADS_OFF + 0x400, data[2]);
	if (data[1] & 16)
		add_header_2(b.data + TEST_ELF_LOADS_OFF + 0x500, data + 4, min_u64(len - 4, 200));
	if (data[1] & 4)	/* a table behind it, perhaps */
		bytes_add(&b, data, min_u64(len, 64) & ~UINT64_C(3));
	/* Patches of headers and contents: an offset, a value. */
	for (size_t i = 4; i + 3 <= len; i += 3) {
		size_t off = (size_t)(data[i] | data[i + 1] << 8);

		b.data[off < 0x8000 ? off % 0xc0 : off % b.len] = data[i + 2];
	}
	plan_file(bytes_span(&b), data);
	bytes_free(&b);
	return 0;
}
