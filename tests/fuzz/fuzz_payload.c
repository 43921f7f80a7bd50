// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is inside a bzImage's payload, behind every packing: a kernel's ELF file and its table of
 * relocations, made, patched, packed again by a real compressor and entered directly. So checksums
 * and lengths of the packing are right, and what is wrong is seen by those who read what came out.
 */
#include <string.h>

#include "arch/x86/bzimage.h"
#include "lib_check.h"
#include "lib_elf.h"
#include "lib_image.h"
#include "lib_payload.h"
#include "lib_plan.h"
#include "lib_safe.h"

#define PADDR		UINT64_C(0x1000000)
#define PATCHES_OFF	6

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static uint64_t vaddr_of(bool is_64)
{
	return is_64 ? UINT64_C(0xffffffff81000000) : 0xc1000000;
}

static void add_word(struct bytes *b, uint64_t word)
{
	uint8_t le[4];

	set32(le, 0, (uint32_t)word);
	bytes_add(b, le, sizeof(le));
}

/* Of a 64-bit kernel three lists or two, each behind a zero; of a 32-bit one a list. */
static void add_table(struct bytes *b, bool is_64, unsigned int n_lists)
{
	for (unsigned int list = 0; list < n_lists; list++) {
		add_word(b, 0);
		for (unsigned int i = 0; i < 3; i++)
			add_word(b, vaddr_of(is_64) + 0x100 * (list + 1) + 16 * i);
	}
}

static void make_payload(const uint8_t *data, size_t len, struct bytes *b)
{
	const bool is_64 = !(data[0] & 1);
	const struct test_load loads[] = {
		{ PADDR, vaddr_of(is_64), 0x1800, 0x2000, 1 },
		{ PADDR + 0x2000, vaddr_of(is_64) + 0x2000, 0x800, 0x3000, 2 },
	};
	size_t table_off;

	make_elf_file(is_64, PADDR + 0x10, loads, 2, b);
	table_off = b->len;
	add_table(b, is_64, data[0] & 2 ? 3 : is_64 ? 2 : 1);
	/* Patches: where and by how much, of headers, of contents or of the table; and the end. */
	for (size_t i = PATCHES_OFF; i + 4 <= len; i += 4) {
		const size_t off = (size_t)(data[i] | data[i + 1] << 8);
		const size_t at = off < 0x8000 ? off % 0x100 :
				  off < 0xc000 ? off % b->len : table_off + off % (b->len - table_off);

		b->data[at] = data[i + 2];
		if (data[i + 3] == 0xff)
			b->data[min_size(at + 1, b->len - 1)] = 0xff;
	}
	if (data[0] & 4)
		b->len -= min_size(data[1], b->len);
}

static void plan_image(const struct bytes *image, const uint8_t *choice)
{
	struct arena arena = { 0 };
	struct facts facts;
	struct request req;
	struct plan plan;
	struct diag diag;

	diag_init(&diag, &arena);
	make_facts(&facts, &arena, 256 * MIB);
	facts.cpu.is_la57_on = choice[0] & 8;
	make_request(&req, image->data, image->len);
	req.enter = choice[0] & 16 ? ENTER_DIRECT : choice[0] & 32 ? ENTER_PVH : ENTER_AUTO;
	req.has_seed = true;
	memset(req.seed, choice[2], sizeof(req.seed));
	if (choice[0] & 64)
		req.cmdline = "nokaslr";
	if (plan_request(&req, &facts, &arena, &plan, &diag) == 0) {
		require_safe_plan(&plan, &req, &facts);
		if (req.enter != ENTER_PVH)
			require_safe_pointers(&plan, &req);
	} else {
		CHECK(diag.id && diag.error > 0 && diag.text[0]);
	}
	arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const formats[] = { "elf", "gzip",  "lz4",	"zstd",
					       "lzo", "xz",    "bzip2", "lzma" };
	static uint8_t base[TEST_IMAGE_LEN];
	struct bytes plain = { 0 }, packed = { 0 }, image = { 0 };

	if (len < PATCHES_OFF)
		return 0;
	make_payload(data, len, &plain);
	/* The quick ones most of the time. */
	if (pack_payload(formats[data[3] & 0xf0 ? data[3] % 4 : data[3] % 8], bytes_span(&plain),
			 &packed)) {
		if (data[0] & 1)
			make_bzimage_32(base);
		else
			make_bzimage(base);
		set64(base, HDR_PREF_ADDRESS, data[4] & 1 ? PADDR * 2 : PADDR);
		make_bzimage_with_payload(span_of(base, sizeof(base)), bytes_span(&packed), plain.len,
					  &image);
		plan_image(&image, data);
	}
	bytes_free(&plain);
	bytes_free(&packed);
	bytes_free(&image);
	return 0;
}
