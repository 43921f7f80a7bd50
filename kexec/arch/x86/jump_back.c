// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch/x86/jump_back.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "handoff.h"
#include "memmap.h"

/* 16 digits, which purgatory writes over. In front, where no "--" keeps it from the kernel. */
#define WORD_HEAD	JUMP_BACK_KEY "=0x"
#define WORD_DIGITS	"0000000000000000"

static bool is_program(const struct image_type *type, const struct request *req)
{
	return type->takes_args && (req->args == ARGS_ELF || req->args == ARGS_NONE);
}

static int check_machine(const struct facts *facts, struct diag *diag)
{
	if (!facts->is_32bit_kernel)
		return 0;
	return fail(diag, EOPNOTSUPP, "jump/32-bit-kernel",
		    "coming back is for 64-bit running kernels: purgatory would have to leave "
		    "64-bit mode on the way");
}

/* ---- the window --------------------------------------------------------------------------- */

/* What was RAM below 1 MiB: conventional memory, but for the vectors of the BIOS in its first page. */
static int find_low(const struct facts *facts, struct range window, struct arena *a,
		    struct range_list *ret)
{
	struct range_list l;
	int r = 0;

	range_list_init(&l, a);
	window.start = max_u64(window.start, PAGE_LEN);
	window.end = min_u64(window.end, MIB);
	for (size_t i = 0; i < facts->n_map && r == 0; i++) {
		struct range low = facts->map[i].range;

		low.start = max_u64(low.start, window.start);
		low.end = min_u64(low.end, window.end);
		if (facts->map[i].type == MEM_RAM && range_len(low) > 0)
			r = range_list_add(&l, low);
	}
	range_list_normalize(&l);
	range_list_align_inward(&l, PAGE_LEN);
	*ret = l;
	return r;
}

static int find_ram(const struct facts *facts, struct range window, struct arena *a,
		    struct range_list *ret)
{
	struct range_list limits = { .r = &window, .n = 1 };
	int r = range_list_intersect(&facts->ram, &limits, a, ret);

	if (r == 0)
		range_list_align_inward(ret, PAGE_LEN);
	return r;
}

/* The window as RAM. All other RAM is reserved, so that no device is put there. */
static int make_map(const struct facts *facts, struct arena *a, struct facts *target,
		    struct diag *diag)
{
	const struct range_list *own[] = { &target->low_ram, &target->ram };
	struct range_list rest = { 0 };
	struct memmap m;
	int r;

	memmap_init(&m, a);
	r = memmap_ranges(facts->map, facts->n_map, MEM_RAM, a, &rest, diag);
	for (size_t i = 0; i < array_len(own); i++) {
		for (size_t k = 0; k < own[i]->n && r == 0; k++) {
			r = memmap_add(&m, own[i]->r[k], MEM_RAM, diag);
			if (r == 0 && range_list_subtract(&rest, own[i]->r[k]) < 0)
				r = fail_nomem(diag);
		}
	}
	for (size_t i = 0; i < rest.n && r == 0; i++)
		r = memmap_add(&m, rest.r[i], MEM_RESERVED, diag);
	for (size_t i = 0; i < facts->n_map && r == 0; i++)
		if (facts->map[i].type != MEM_RAM)
			r = memmap_add(&m, facts->map[i].range, facts->map[i].type, diag);
	if (r == 0)
		r = memmap_normalize(&m, diag);
	target->map = m.entries;
	target->n_map = m.n;
	return r;
}

/* ---- before and after the format's own steps ------------------------------------------------ */

/* The first kernel's code of the way back is for its own paging mode. */
static int make_cmdline(const struct facts *facts, struct arena *a, struct request *req,
			struct diag *diag)
{
	req->cmdline = arena_printf(a, WORD_HEAD WORD_DIGITS COME_BACK_GDT WORD_DIGITS "%s%s%s",
				    facts->cpu.is_la57_on ? "" : " no5lvl",
				    req->cmdline[0] != '\0' ? " " : "", req->cmdline);
	return req->cmdline ? 0 : fail_nomem(diag);
}

int jump_back_prepare(const struct image_type *type, const struct request *req,
		      const struct facts *facts, struct arena *a, struct request *ret_req,
		      struct facts *ret_facts, struct diag *diag)
{
	const struct range window = { req->mem_min, req->mem_end };
	struct request new_req = *req;
	struct facts target = *facts;
	int r = check_machine(facts, diag);

	if (r < 0)
		return r;
	if (type->takes_modules)
		return fail(diag, EOPNOTSUPP, "jump/multiboot",
			    "a %s cannot come back: nothing in it would tell it how", type->name);
	if (find_low(facts, window, a, &target.low_ram) < 0 ||
	    find_ram(facts, window, a, &target.ram) < 0)
		return fail_nomem(diag);
	if (target.ram.n == 0)
		return fail(diag, EADDRNOTAVAIL, "jump/window-empty",
			    "--mem-min and --mem-max leave no RAM above 1 MiB: %#" PRIx64 "-%#" PRIx64,
			    window.start, window.end);
	if (!is_program(type, req)) {
		r = make_map(facts, a, &target, diag);
		if (r == 0)
			r = make_cmdline(facts, a, &new_req, diag);
	}
	if (r < 0)
		return r;
	*ret_req = new_req;
	*ret_facts = target;
	return 0;
}

int jump_back_plan(const struct request *req, const struct facts *facts, struct plan *plan,
		   struct diag *diag)
{
	const bool is_kernel = strncmp(req->cmdline, WORD_HEAD, strlen(WORD_HEAD)) == 0;

	if (plan->jump_mode != JUMP_64) {
		fail(diag, EOPNOTSUPP, "jump/not-64-bit",
		     "only what is entered in 64-bit mode can come back");
		return fail_advise(diag, is_kernel ? "leave --enter out, or take a 64-bit kernel" :
						     "build the program for 64 bits");
	}
	if (is_kernel && facts->cpu.is_la57_on && plan->paging == PAGING_4_LEVEL) {
		fail(diag, EOPNOTSUPP, "jump/paging",
		     "this kernel runs with 4-level paging, and the running one with 5-level paging, "
		     "in which it has to be left to come back");
		return fail_advise(diag, "boot the running kernel with no5lvl");
	}
	plan->come_back = is_kernel ? BACK_FROM_KERNEL : BACK_FROM_PROGRAM;
	return 0;
}

void jump_back_finish(struct plan *plan)
{
	if (plan->come_back == BACK_FROM_KERNEL)
		plan->come_back_text = plan->cmdline_addr + strlen(WORD_HEAD);
}

/* ---- the rest of the window ----------------------------------------------------------------- */

static int fill_range(struct range r, struct plan *plan, struct diag *diag)
{
	const struct segment_wish wish = {
		.name = PRESERVED_SEGMENT,
		.reserve_len = range_len(r),
		.min = r.start,
		.end = r.end,
	};
	struct segment *s;

	if (plan_add(plan, &wish, &s, diag) < 0)
		return fail_advise(diag, "choose --mem-min and --mem-max so that RAM between them is "
					 "in fewer pieces");
	s->mem_len = s->reserve_len;
	s->addr = r.start;
	s->is_placed = true;
	return 0;
}

static int fill_list(const struct range_list *l, size_t n_loaded, struct plan *plan,
		     struct diag *diag)
{
	struct range_list rest;
	int r = range_list_copy(l, plan->arena, &rest);

	for (size_t i = 0; i < n_loaded && r == 0; i++) {
		struct segment *s = &plan->segments[i];

		s->reserve_len = s->mem_len;
		r = range_list_subtract(&rest, (struct range){ s->addr, s->addr + s->mem_len });
	}
	if (r < 0)
		return fail_nomem(diag);
	for (size_t i = 0; i < rest.n && r == 0; i++)
		r = fill_range(rest.r[i], plan, diag);
	return r;
}

int jump_back_fill(const struct facts *facts, struct plan *plan, struct diag *diag)
{
	const size_t n_loaded = plan->n_segments;
	int r = fill_list(&facts->low_ram, n_loaded, plan, diag);

	return r < 0 ? r : fill_list(&facts->ram, n_loaded, plan, diag);
}

int jump_back_plan_helper(phys_t entry, uint64_t gdt, const struct facts *facts, struct plan *plan,
			  struct diag *diag)
{
	int r = check_machine(facts, diag);

	if (r < 0)
		return r;
	plan->type = "jump back helper";
	plan->entry_name = "peer";
	plan->jump_mode = JUMP_64;
	plan->jump_entry = entry;
	plan->peer_gdt = gdt;
	plan->come_back = BACK_TO_PEER;
	return 0;
}
