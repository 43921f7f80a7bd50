// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Images that are no bzImage, from file to checked plan: ELF kernels, made and then patched. Whatever
 * comes out as a plan must be safe to load.
 */
#include <string.h>

#include "arch/x86/x86.h"
#include "lib_elf.h"
#include "lib_image.h"
#include "place.h"
#include "probe.h"

#define CHECK(x)	do { if (!(x)) __builtin_trap(); } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct image_type *find_type(const struct request *req, struct diag *diag)
{
	struct unwrapped unwrapped = { 0 };
	const struct image_type *type = NULL;

	return probe_format(req, &unwrapped, &type, diag) == 0 ? type : NULL;
}

static int make_plan(const struct request *req, const struct facts *facts, struct plan *plan,
		     struct diag *diag)
{
	const struct image_type *type = find_type(req, diag);
	int r = type ? type->plan(req, facts, plan, diag) : -1;

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

static bool is_in_a_segment(const struct plan *plan, phys_t addr)
{
	for (size_t i = 0; i < plan->n_segments; i++)
		if (addr >= plan->segments[i].addr &&
		    addr - plan->segments[i].addr < plan->segments[i].reserve_len)
			return true;
	return false;
}

static void plan_file(struct span file, const uint8_t *choice)
{
	static const uint8_t ramdisk[PAGE_LEN + 1];
	struct arena arena = { 0 };
	struct facts facts;
	struct request req;
	struct plan plan;
	struct diag diag;

	diag_init(&diag, &arena);
	make_facts(&facts, &arena, choice[0] & 1 ? GIB : 5 * GIB);
	facts.cpu.is_la57_on = choice[0] & 2;
	make_request(&req, file.data, file.len);
	req.kernel_path = "image";
	req.has_seed = choice[0] & 4;
	if (choice[0] & 8)
		req.initrd = span_of(ramdisk, sizeof(ramdisk));
	plan_init(&plan, &arena);
	if (make_plan(&req, &facts, &plan, &diag) == 0) {
		CHECK(is_in_a_segment(&plan, plan.entry));
		CHECK(is_in_a_segment(&plan, plan.jump_entry));
		CHECK(plan.jump_arg == 0 || is_in_a_segment(&plan, plan.jump_arg));
	} else {
		CHECK(diag.id && diag.error > 0 && diag.text[0]);
	}
	arena_free(&arena);
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
