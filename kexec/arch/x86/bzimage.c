// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch/x86/bzimage.h"

#include <errno.h>
#include <inttypes.h>

#include "arch/x86/boot_params.h"
#include "checked.h"

/* Highest byte of an i386 kernel's window: its lowmem less the vmalloc reserve. */
#define I386_KERNEL_END		UINT64_C(0x38000000)
/* The stub of a 64-bit kernel must sit below this (arch/x86/boot/compressed/head_64.S). */
#define STUB_END		(64 * TIB)
#define LOWEST_SEGMENT		MIB

struct bzimage_plan {
	struct bzimage image;
	struct params_layout layout;
};

/*
 * Which entry. A machine that runs with 5-level paging cannot hand it to a stub that does not know
 * it; the 32-bit entry, where paging is off, serves those.
 */
static int choose_entry(const struct bzimage *image, const struct request *req,
			const struct facts *facts, enum jump_mode *ret, struct diag *diag)
{
	bool has_64 = image->xloadflags & XLF_KERNEL_64;
	bool stub_knows_la57 = image->xloadflags & XLF_5LEVEL;

	if (req->enter == ENTER_64 && !has_64)
		return fail(diag, EINVAL, "bzimage/no-64-bit-entry",
			    "this kernel has no 64-bit entry (xloadflags %#x); it can be entered with --enter=32",
			    image->xloadflags);
	if (req->enter == ENTER_64 && facts->cpu.is_la57_on && !stub_knows_la57)
		return fail(diag, EINVAL, "bzimage/no-5-level",
			    "this machine runs 5-level paging, which the image's 64-bit entry does not know; it "
			    "can be entered with --enter=32");
	if (has_64 && !facts->cpu.has_long_mode)
		return fail(diag, EINVAL, "bzimage/cpu-is-32-bit",
			    "this is a 64-bit kernel, and the CPU has no long mode");
	*ret = JUMP_64;
	if (req->enter == ENTER_32 || !has_64) {
		*ret = JUMP_32;
	} else if (facts->cpu.is_la57_on && !stub_knows_la57) {
		note(diag, "bzimage/entered-by-32",
		     "this machine runs 5-level paging, which the image's 64-bit entry does not know: it is "
		     "entered at startup_32");
		*ret = JUMP_32;
	}
	return 0;
}

static phys_t kernel_end(const struct bzimage *image, enum jump_mode mode)
{
	if (!(image->xloadflags & XLF_KERNEL_64))
		return min_u64(I386_KERNEL_END, image->initrd_end);
	if (mode == JUMP_32 || !(image->xloadflags & XLF_CAN_BE_LOADED_ABOVE_4G))
		return 4 * GIB;
	return STUB_END;
}

/*
 * The stub starts the kernel at its load address rounded up to the alignment and raised to
 * pref_address, and unpacks within window_len bytes from there. Loaded at an aligned address not
 * below pref_address, both are the same place.
 */
static int plan_kernel(const struct bzimage *image, struct plan *plan, struct diag *diag)
{
	struct segment_wish wish = {
		.name = "kernel",
		.bytes = image->kernel,
		.reserve_len = max_u64(image->window_len, image->kernel.len),
		.align = image->alignment,
		.min = max_u64(image->pref_address, LOWEST_SEGMENT),
		.end = kernel_end(image, plan->jump_mode),
		/* An i386 kernel builds its first page tables behind itself and dies (6.1, in
		 * native_pagetable_init) when they reach the end of lowmem. */
		.wants_lowest = !(image->xloadflags & XLF_KERNEL_64),
		.is_digested = true,
	};
	struct segment *s;

	if (!image->is_relocatable) {
		uint64_t window;

		if (!checked_align_up(wish.reserve_len, PAGE_LEN, &window) ||
		    !checked_add(image->pref_address, window, &wish.end))
			return fail(diag, EINVAL, "bzimage/pref-address",
				    "pref_address %#" PRIx64 " is no place for a kernel", image->pref_address);
		if (image->pref_address < LOWEST_SEGMENT)
			return fail(diag, EINVAL, "bzimage/fixed-address-low",
				    "this kernel is not relocatable and wants to run at %#" PRIx64
				    ", below 1 MiB",
				    image->pref_address);
		note(diag, "bzimage/fixed-address",
		     "this kernel is not relocatable: it must be loaded at %#" PRIx64, image->pref_address);
	}
	return plan_add(plan, &wish, &s, diag);
}

/* What the stub reads before it has page tables of its own, and what it hands on. */
static int plan_data(const struct bzimage *image, const struct request *req,
		     const struct params_layout *layout, struct plan *plan, struct diag *diag)
{
	bool above_4g = plan->jump_mode == JUMP_64 &&
			(image->xloadflags & XLF_CAN_BE_LOADED_ABOVE_4G);
	struct segment_wish wish = {
		.name = "initrd",
		.bytes = req->initrd,
		.min = LOWEST_SEGMENT,
		.end = above_4g ? STUB_END : min_u64(4 * GIB, image->initrd_end),
		.is_digested = true,
	};
	struct segment *s;
	int r;

	if (req->initrd.len > 0) {
		r = plan_add(plan, &wish, &s, diag);
		if (r < 0)
			return r;
	}
	wish.name = "params";
	wish.end = above_4g ? STUB_END : 4 * GIB;
	return plan_add_own(plan, &wish, layout->len, &s, diag);
}

static int bzimage_plan(const struct request *req, const struct facts *facts, struct plan *plan,
			struct diag *diag)
{
	struct bzimage_plan *own = arena_alloc(plan->arena, sizeof(*own));
	int r;

	if (!own)
		return fail_nomem(diag);
	r = bzimage_parse(req->kernel, plan->arena, &own->image, diag);
	if (r < 0)
		return r;
	r = choose_entry(&own->image, req, facts, &plan->jump_mode, diag);
	if (r < 0)
		return r;
	r = params_lay_out(&own->image, req, facts, plan->arena, &own->layout, diag);
	if (r < 0)
		return r;
	plan->format = own;
	plan->entry_name = plan->jump_mode == JUMP_64 ? "64" : "32";
	plan->kernel_version = own->image.kernel_version;
	plan->e820 = own->layout.e820;
	plan->n_e820 = own->layout.n_e820;
	plan->rsdp = facts->rsdp;
	r = plan_kernel(&own->image, plan, diag);
	if (r < 0)
		return r;
	return plan_data(&own->image, req, &own->layout, plan, diag);
}

static int bzimage_finish(const struct request *req, const struct facts *facts, struct plan *plan,
			  struct diag *diag)
{
	const struct bzimage_plan *own = plan->format;
	const struct segment *kernel = plan_find(plan, "kernel");
	const struct segment *initrd = plan_find(plan, "initrd");
	const struct segment *params = plan_find(plan, "params");
	struct params_addresses at = { 0 };

	(void)diag;
	at.params = params->addr;
	if (initrd) {
		at.initrd = initrd->addr;
		at.initrd_len = initrd->bytes.len;
	}
	params_write(&own->image, &own->layout, req, facts, &at, params->own);
	plan->cmdline_addr = params->addr + own->layout.cmdline.off;
	plan->jump_arg = params->addr;
	plan->jump_entry = kernel->addr + (plan->jump_mode == JUMP_64 ? ENTRY_64_OFF : 0);
	return 0;
}

const struct image_type bzimage_type = {
	.name = "bzImage",
	.probe = bzimage_probe,
	.plan = bzimage_plan,
	.finish = bzimage_finish,
};
