// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A load for a panic on any machine: whatever it has reserved, wherever its RAM and its CPUs' notes
 * are. What comes out must be legal, and must keep the capture kernel off the memory to be dumped.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/bzimage.h"
#include "arch/x86/crash.h"
#include "arch/x86/x86.h"
#include "lib_check.h"
#include "lib_image.h"
#include "lib_safe.h"
#include "place.h"

#define NOTES_MAX	16

/* Numbers out of the input, zeros after its end. */
struct input {
	const uint8_t *data;
	size_t len;
};

static uint64_t take(struct input *in, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n && in->len > 0; i++, in->len--)
		v = v << 8 | *in->data++;
	return v;
}

static struct range take_range(struct input *in)
{
	phys_t start = take(in, 4) * 256;

	return (struct range){ start, start + take(in, 4) };
}

static void take_ranges(struct input *in, struct range_list *l, struct arena *a)
{
	range_list_init(l, a);
	for (uint64_t n = take(in, 1) % 8; n > 0; n--)
		CHECK(range_list_add(l, take_range(in)) == 0);
	range_list_normalize(l);
}

static void make_machine(struct input *in, struct facts *facts, struct range *notes,
			 struct arena *a)
{
	static const char *const releases[] = { "6.1", "4.19.0", "", "5.5-x" };
	struct crash_facts *crash = &facts->crash;

	make_facts(facts, a, 5 * GIB);
	facts->cpu.has_1gib_pages = take(in, 1) & 1;
	facts->release = releases[take(in, 1) % array_len(releases)];
	range_list_init(&facts->crash_kernel, a);
	if (take(in, 1) & 1)
		CHECK(range_list_add(&facts->crash_kernel,
				     (struct range){ GIB, GIB + 128 * MIB }) == 0);
	else
		take_ranges(in, &facts->crash_kernel, a);
	take_ranges(in, &crash->ram, a);
	take_ranges(in, &crash->cma, a);
	crash->notes = notes;
	crash->n_notes = take(in, 1) % NOTES_MAX;
	for (size_t i = 0; i < crash->n_notes; i++)
		notes[i] = take_range(in);
	crash->vmcoreinfo = take_range(in);
	crash->has_page_offset = take(in, 1) & 1;
	crash->page_offset = take(in, 8);
	crash->text = take_range(in);
	crash->text_vaddr = take(in, 8);
	crash->elfcorehdr_len = take(in, 1) & 1 ? take(in, 8) : 0;
}

static void check_headers(const struct crash_plan *crash, const struct facts *facts)
{
	Elf64_Ehdr e;
	Elf64_Phdr p;

	if (crash->headers.data[EI_CLASS] != ELFCLASS64)
		return;
	CHECK(span_copy(crash->headers, 0, &e, sizeof(e)));
	CHECK(crash->headers.len == sizeof(e) + e.e_phnum * sizeof(p));
	CHECK(e.e_phnum >= facts->crash.n_notes + crash->ram.n);
	for (size_t i = 0; i < crash->ram.n; i++) {
		size_t n = e.e_phnum - crash->ram.n + i;

		CHECK(span_copy(crash->headers, sizeof(e) + n * sizeof(p), &p, sizeof(p)));
		CHECK(p.p_type == PT_LOAD && p.p_paddr == crash->ram.r[i].start);
		CHECK(p.p_filesz == range_len(crash->ram.r[i]));
	}
}

static void check_memory(const struct crash_plan *crash, const struct facts *facts,
			 const struct facts *capture)
{
	for (size_t i = 0; i < capture->n_map; i++) {
		struct range r = capture->map[i].range;

		if (capture->map[i].type != MEM_RAM)
			continue;
		for (size_t k = 0; k < crash->ram.n; k++)
			CHECK(!range_overlaps(r, crash->ram.r[k]) || r.start < MIB);
		for (size_t k = 0; k < capture->withheld.n; k++)
			CHECK(!range_overlaps(r, capture->withheld.r[k]));
	}
	CHECK(crash->elfcorehdr >= crash->region.start);
	CHECK(crash->elfcorehdr + crash->elfcorehdr_len == crash->region.end);
	CHECK(crash->headers.len <= crash->elfcorehdr_len);
	CHECK(crash->backup <= crash->elfcorehdr && crash->backup > crash->region.start);
	CHECK(!crash->is_kept_current || crash->elfcorehdr_len >= facts->crash.elfcorehdr_len);
}

static int make_plan(const struct request *req, const struct facts *facts,
		     const struct crash_plan *crash, struct plan *plan, struct diag *diag)
{
	int r = bzimage_type.plan(req, facts, plan, diag);

	if (r == 0)
		r = x86_plan_purgatory(req, facts, plan, diag);
	if (r == 0)
		r = x86_plan_crash(crash, plan, diag);
	if (r == 0)
		r = place(plan, facts, req->mem_min, req->mem_end, diag);
	if (r == 0)
		r = bzimage_type.finish(req, facts, plan, diag);
	if (r == 0)
		r = x86_finish_purgatory(req, facts, plan, diag);
	if (r == 0)
		r = plan_check(plan, facts, req->mem_min, req->mem_end, diag);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t image[TEST_IMAGE_LEN];
	struct input in = { data, len };
	const struct crash_plan *crash;
	struct range notes[NOTES_MAX];
	struct facts facts, capture;
	struct arena arena = { 0 };
	struct request req, own;
	struct plan plan;
	struct diag diag;
	int r;

	diag_init(&diag, &arena);
	make_bzimage(image);
	set64(image, HDR_PAYLOAD_OFFSET, 0);
	make_request(&req, image, sizeof(image));
	req.is_crash = true;
	req.core_class = take(&in, 1) & 1 ? CORE_32 : CORE_64;
	req.pass_memmap = take(&in, 1) & 1;
	req.backup = (enum backup)(take(&in, 1) % 3);
	make_machine(&in, &facts, notes, &arena);
	r = crash_prepare(&req, &facts, &arena, &own, &capture, &crash, &diag);
	if (r == 0) {
		check_headers(crash, &facts);
		check_memory(crash, &facts, &capture);
		plan_init(&plan, &arena);
		r = make_plan(&own, &capture, crash, &plan, &diag);
	}
	CHECK(r == 0 || (diag.id && diag.error > 0 && diag.text[0]));
	if (r == 0) {
		require_safe_plan(&plan, &own, &capture);
		require_safe_pointers(&plan, &own);
	}
	for (size_t i = 0; r == 0 && i < plan.n_segments; i++)
		CHECK(plan.segments[i].addr >= crash->region.start &&
		      plan.segments[i].addr + plan.segments[i].reserve_len <= crash->region.end);
	arena_free(&arena);
	return 0;
}
