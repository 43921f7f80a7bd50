// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * End to end: a file, as a kernel, on a machine drawn from the same bytes, through every pure
 * stage. Whatever comes out as a plan must be safe to load.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/x86/bzimage.h"
#include "arch/x86/x86.h"
#include "lib_check.h"
#include "lib_image.h"
#include "lib_plan.h"
#include "lib_safe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t base[TEST_IMAGE_LEN], ramdisk[PAGE_LEN + 1];
	static const uint64_t sizes[] = { 256 * MIB, 2 * GIB, 5 * GIB, 64 * GIB };
	const struct image_type *type = x86_formats[0];
	struct arena arena = { 0 };
	struct facts facts;
	struct request req;
	struct plan plan;
	struct diag diag;
	size_t file_len = TEST_IMAGE_LEN;

	if (len < 4)
		return 0;
	/* A valid image with patches: three bytes each, an offset into header or kernel and a
	 * value. */
	make_bzimage(base);
	if (data[0] & 2)
		set64(base, HDR_PAYLOAD_OFFSET, 0);
	for (size_t i = 4; i + 3 <= len; i += 3) {
		size_t off = (size_t)(data[i] | data[i + 1] << 8);

		off = off < 0x8000 ? 0x1f1 + off % 0x80 : off % TEST_IMAGE_LEN;
		base[off] = data[i + 2];
	}
	if (data[0] & 1)
		file_len -= (size_t)data[1] * 256;
	diag_init(&diag, &arena);
	make_facts(&facts, &arena, sizes[data[2] % 4]);
	facts.cpu.is_la57_on = data[2] & 0x80;
	facts.cpu.has_1gib_pages = data[2] & 0x40;
	make_request(&req, base, file_len);
	req.enter = data[3] % 5;
	req.has_seed = data[3] & 0x80;
	if (data[3] & 0x40)
		req.initrd = span_of(ramdisk, sizeof(ramdisk));
	if (type->probe(req.kernel, &diag) == 0 &&
	    plan_of_type(type, &req, &facts, &arena, &plan, &diag) == 0) {
		require_safe_plan(&plan, &req, &facts);
		require_safe_pointers(&plan, &req);
	} else {
		CHECK(diag.id && diag.error > 0 && diag.text[0]);
	}
	arena_free(&arena);
	return 0;
}
