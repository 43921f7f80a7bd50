// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * End to end: a file, as a kernel, on a machine drawn from the same bytes, through every pure
 * stage. Whatever comes out as a plan must be safe to load.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/x86/boot_params.h"
#include "arch/x86/x86.h"
#include "lib_image.h"
#include "place.h"

#define CHECK(x)	do { if (!(x)) __builtin_trap(); } while (0)

static bool inside_one_segment(const struct plan *plan, phys_t addr, uint64_t len)
{
	for (size_t i = 0; i < plan->n_segments; i++) {
		const struct segment *s = &plan->segments[i];

		if (addr >= s->addr && addr - s->addr <= s->mem_len &&
		    len <= s->mem_len - (addr - s->addr))
			return true;
	}
	return false;
}

static void check_pointers(struct plan *plan)
{
	const bool is_real_mode = plan->jump_mode == JUMP_16;
	const struct segment *params = plan_find(plan, is_real_mode ? "setup" : "params"),
			     *initrd = plan_find(plan, "initrd");
	const uint8_t *zp = params->own;
	/* What is above 4 GiB the setup header does not say, and its kernel is not there. */
	uint64_t upper = is_real_mode ? 0 : UINT64_MAX;
	phys_t cmdline = at32(zp, HDR_CMD_LINE_PTR) | ((uint64_t)at32(zp, 0x0c8) << 32 & upper);
	phys_t node = at16(zp, HDR_VERSION) >= 0x0209 ? at64(zp, HDR_SETUP_DATA) : 0;
	int n_nodes = 0;

	CHECK(is_real_mode || at8(zp, 0x1ef) == 0);
	CHECK(!is_real_mode || (params->addr + params->mem_len <= MIB &&
				inside_one_segment(plan, at32(zp, HDR_CODE32_START), 1)));
	CHECK(inside_one_segment(plan, cmdline, 2048));
	if (initrd)
		CHECK((at32(zp, HDR_RAMDISK_IMAGE) |
		       ((uint64_t)at32(zp, 0x0c0) << 32 & upper)) == initrd->addr);
	for (; node != 0; n_nodes++) {
		CHECK(n_nodes < 8);
		CHECK(inside_one_segment(plan, node, 16));
		CHECK(inside_one_segment(plan, node,
					 16 + (uint64_t)at32(zp, node - params->addr + 12)));
		node = at64(zp, node - params->addr);
	}
	CHECK(inside_one_segment(plan, plan->jump_entry, 1));
	CHECK(inside_one_segment(plan, plan->entry, 1));
	CHECK(plan->jump_arg == params->addr);
}

static int make_plan(const struct request *req, const struct facts *facts, struct plan *plan,
		     struct diag *diag)
{
	const struct image_type *type = x86_formats[0];
	int r = type->probe(req->kernel, diag);

	if (r == 0)
		r = type->plan(req, facts, plan, diag);
	if (r == 0)
		r = x86_plan_purgatory(req, facts, plan, diag);
	if (r == 0)
		r = place(plan, facts, req->mem_min, req->mem_end, diag);
	if (r == 0)
		r = type->finish(req, facts, plan, diag);
	if (r == 0)
		r = x86_finish_purgatory(req, facts, plan, diag);
	if (r == 0)
		r = plan_check(plan, facts, req->mem_min, req->mem_end, diag);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t base[TEST_IMAGE_LEN], ramdisk[PAGE_LEN + 1];
	static const uint64_t sizes[] = { 256 * MIB, 2 * GIB, 5 * GIB, 64 * GIB };
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
	plan_init(&plan, &arena);
	if (make_plan(&req, &facts, &plan, &diag) == 0) {
		check_pointers(&plan);
	} else {
		CHECK(diag.id && diag.error > 0 && diag.text[0]);
	}
	arena_free(&arena);
	return 0;
}
