// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch/x86/bzimage.h"

#include <errno.h>
#include <inttypes.h>

#include "arch/x86/boot_params.h"
#include "arch/x86/bzimage_wish.h"
#include "arch/x86/direct.h"
#include "arch/x86/pvh.h"
#include "arch/x86/real_mode.h"
#include "arch/x86/subarch.h"
#include "memmap.h"

struct bzimage_plan {
	struct bzimage image;
	struct params_layout layout;
	phys_t known_end;	/* of the RAM that the next kernel hears of */
	bool is_direct;
	struct direct direct;
};

static int fail_halted_stub(struct diag *diag)
{
	fail(diag, EINVAL, "bzimage/no-stub",
	     "this image was given another payload (--export=bzimage): its stub does nothing but halt, "
	     "only the direct entry starts it");
	return fail_advise(diag, "leave --enter out; or load the image that it was made from");
}

/*
 * The stub's 64- or 32-bit entry. A machine that runs with 5-level paging cannot hand it to a stub
 * that does not know it; the 32-bit entry, where paging is off, serves those. *ret_is_taken stays
 * false where auto is to go on to the next entry.
 */
static int try_stub(const struct bzimage *image, enum enter enter, const struct request *req,
		    const struct facts *facts, enum jump_mode *ret, bool *ret_is_taken,
		    struct diag *diag)
{
	const bool is_asked = req->enter == ENTER_64;
	const bool has_64 = image->xloadflags & XLF_KERNEL_64;
	const bool lacks_la57 = facts->cpu.is_la57_on && !(image->xloadflags & XLF_5LEVEL);

	if (image->is_stub_halted)
		return fail_halted_stub(diag);
	if (enter == ENTER_64 && !has_64 && is_asked)
		return fail(diag, EINVAL, "bzimage/no-64-bit-entry",
			    "this kernel has no 64-bit entry (xloadflags %#x); it can be entered "
			    "with --enter=32",
			    image->xloadflags);
	if (enter == ENTER_64 && lacks_la57 && is_asked)
		return fail(diag, EINVAL, "bzimage/no-5-level",
			    "this machine runs 5-level paging, which the image's 64-bit entry does "
			    "not know; it can be entered with --enter=32");
	if (enter == ENTER_64 && has_64 && lacks_la57)
		note(diag, "bzimage/entered-by-32",
		     "this machine runs 5-level paging, which the image's 64-bit entry does not "
		     "know: it is entered at startup_32");
	if (enter == ENTER_64 && (!has_64 || lacks_la57))
		return 0;
	*ret = enter == ENTER_64 ? JUMP_64 : JUMP_32;
	*ret_is_taken = true;
	return 0;
}

/* The stub turns 5-level paging on where CPU and kernel can and no5lvl is not there. */
static enum paging paging_as_stub(const struct bzimage *image, const struct request *req,
				  const struct facts *facts)
{
	bool wants_5_level = (image->xloadflags & XLF_5LEVEL_ENABLED) &&
			     !cmdline_has_word(req->cmdline, "no5lvl");

	if (wants_5_level == facts->cpu.is_la57_on)
		return PAGING_KEEP;
	/* A dump has no memory that 4 levels do not reach: what this kernel reaches is enough. */
	if (req->is_crash && wants_5_level)
		return PAGING_KEEP;
	return wants_5_level ? PAGING_5_LEVEL : PAGING_4_LEVEL;
}

static bool may_use_below_4gib(const struct request *req, const struct facts *facts)
{
	return req->mem_min < 4 * GIB && facts->ram.n > 0 && facts->ram.r[0].start < 4 * GIB;
}

static void enter_directly(struct bzimage_plan *own, const struct request *req,
			   const struct facts *facts, struct plan *plan)
{
	own->is_direct = true;
	plan->jump_mode = own->direct.is_64 ? JUMP_64 : JUMP_32;
	if (own->direct.is_64)
		plan->paging = paging_as_stub(&own->image, req, facts);
	plan->is_randomized = own->direct.is_randomized;
	plan->vaddr_delta = own->direct.vaddr_delta;
}

static bool looks_inside(const struct request *req)
{
	return req->enter == ENTER_AUTO || req->enter == ENTER_DIRECT;
}

static int advise_by_stub(struct diag *diag)
{
	return fail_advise(diag, "get the image again; --enter=64 loads it without looking inside");
}

/*
 * The direct entry, if it can be: sets own->is_direct. With --enter=auto what forbids it is noted,
 * and one of the stub's entries will do; what is broken is refused.
 */
static int try_direct(struct bzimage_plan *own, const struct request *req,
		      const struct facts *facts, struct plan *plan, struct diag *diag)
{
	const char *obstacle;
	int r;

	obstacle = direct_obstacle(&own->image, req, facts, plan->arena);
	if ((own->image.xloadflags & XLF_KERNEL_64) && !may_use_below_4gib(req, facts) &&
	    paging_as_stub(&own->image, req, facts) != PAGING_KEEP)
		obstacle = "purgatory may not go below 4 GiB (--mem-min, or the reservation), where "
			   "it has to be to switch the paging mode";
	if (!obstacle) {
		r = direct_unpack(&own->image, plan->arena, &own->direct, diag);
		if (r < 0 && r != -ENOMEM)
			return advise_by_stub(diag);
		if (r == 0)
			r = direct_choose_base(&own->image, req, facts, plan->arena, &own->direct,
					       diag);
		if (r == -ENOMEM)
			obstacle = "unpacking the kernel takes more memory than this process gets";
		else if (r == -EADDRNOTAVAIL)
			obstacle = "no free piece of RAM takes the unpacked kernel";
		if (r < 0 && (!obstacle || req->enter == ENTER_DIRECT))
			return r;
		diag_clear(diag);
	}
	if (obstacle && req->enter == ENTER_DIRECT)
		return fail(diag, EINVAL, "bzimage/not-direct",
			    "--enter=direct is not possible: %s", obstacle);
	if (obstacle) {
		note(diag, "bzimage/by-stub", "the image unpacks itself after the jump: %s",
		     obstacle);
		return 0;
	}
	enter_directly(own, req, facts, plan);
	return 0;
}

/* What an old protocol has no room for in e820 is no memory to the next kernel. */
static phys_t end_of_known_ram(const struct params_layout *layout, const struct facts *facts)
{
	if (layout->n_e820 < facts->n_map)
		return memmap_end(layout->e820, layout->n_e820);
	return BZIMAGE_END;
}

/* Of a kernel that cannot be moved: is where it must be a place? */
static int check_fixed(const struct bzimage *image, const struct segment_wish *wish,
		       struct diag *diag)
{
	if (wish->end == 0)
		return fail(diag, EINVAL, "bzimage/fixed-address",
			    "pref_address %#" PRIx64 " is no place for a kernel",
			    image->pref_address);
	if (image->pref_address < BZIMAGE_LOWEST)
		return fail(diag, EINVAL, "bzimage/fixed-address-low",
			    "this kernel is not relocatable and wants to run at %#" PRIx64
			    ", below 1 MiB",
			    image->pref_address);
	note(diag, "bzimage/fixed-address",
	     "this kernel is not relocatable: it must be loaded at %#" PRIx64, image->pref_address);
	return 0;
}

static int plan_kernel(const struct bzimage_plan *own, struct plan *plan, struct diag *diag)
{
	const struct direct *direct = own->is_direct ? &own->direct : NULL;
	struct segment_wish wish = bzimage_wish_kernel(&own->image, direct, plan->jump_mode);
	struct segment *s;
	int r = 0;

	if (!own->image.is_relocatable && !direct)
		r = check_fixed(&own->image, &wish, diag);
	if (r < 0)
		return r;
	wish.end = min_u64(wish.end, own->known_end);
	r = plan_add(plan, &wish, &s, diag);
	if (r == 0 && direct)
		s->own = direct->image;
	return r;
}

static int plan_initrd(const struct bzimage_plan *own, const struct request *req,
		       struct plan *plan, struct diag *diag)
{
	struct segment_wish wish = bzimage_wish_initrd(&own->image, plan->jump_mode);
	struct segment *s;

	wish.bytes = req->initrd;
	wish.end = min_u64(wish.end, own->known_end);
	return req->initrd.len > 0 ? plan_add(plan, &wish, &s, diag) : 0;
}

static int plan_params(const struct bzimage_plan *own, struct plan *plan, struct diag *diag)
{
	struct segment_wish wish = bzimage_wish_params(&own->image, plan->jump_mode);
	struct segment *s;

	wish.end = min_u64(wish.end, own->known_end);
	return plan_add_own(plan, &wish, own->layout.len, &s, diag);
}

/* The setup code makes the zero page, and learns from the BIOS what params_lay_out() would tell. */
static int plan_real_mode(struct bzimage_plan *own, const struct request *req,
			  const struct facts *facts, struct plan *plan, struct diag *diag)
{
	int r;

	if (own->image.is_stub_halted)
		return fail_halted_stub(diag);
	own->known_end = 4 * GIB;
	plan->format = own;
	plan->entry_name = "16";
	plan->takes_dtb = true;	/* real_mode_plan() refuses it by name */
	plan->kernel_version = own->image.kernel_version;
	r = real_mode_plan(&own->image, req, facts, plan, diag);
	if (r == 0)
		r = plan_kernel(own, plan, diag);
	return r < 0 ? r : plan_initrd(own, req, plan, diag);
}

/* The entry is chosen: the rest is the same for each. */
static int plan_segments(struct bzimage_plan *own, const struct request *req,
			 const struct facts *facts, struct plan *plan, struct diag *diag)
{
	int r;

	own->known_end = end_of_known_ram(&own->layout, facts);
	plan->format = own;
	plan->entry_name = own->is_direct ? "direct" : plan->jump_mode == JUMP_64 ? "64" : "32";
	plan->kernel_version = own->image.kernel_version;
	plan->e820 = own->layout.e820;
	plan->n_e820 = own->layout.n_e820;
	plan->rsdp = facts->rsdp;
	plan->takes_dtb = plan->takes_efi = plan->takes_display = true;
	r = plan_kernel(own, plan, diag);
	if (r == 0)
		r = plan_initrd(own, req, plan, diag);
	return r < 0 ? r : plan_params(own, plan, diag);
}

int bzimage_plan_direct(const struct bzimage *image, const struct direct *direct,
			const struct request *req, const struct facts *facts, struct plan *plan,
			struct diag *diag)
{
	struct bzimage_plan *own = arena_alloc(plan->arena, sizeof(*own));
	int r;

	if (!own)
		return fail_nomem(diag);
	own->image = *image;
	own->direct = *direct;
	r = params_lay_out(image, req, facts, plan->arena, &own->layout, diag);
	if (r == 0)
		r = direct_choose_base(image, req, facts, plan->arena, &own->direct, diag);
	if (r < 0)
		return r;
	enter_directly(own, req, facts, plan);
	return plan_segments(own, req, facts, plan, diag);
}

/* The kernel inside, which has the note that says where its PVH entry is. */
static int plan_pvh(const struct bzimage *image, const struct request *req,
		    const struct facts *facts, struct plan *plan, struct diag *diag)
{
	struct pvh_image inside = {
		.version = image->kernel_version,
		.cmdline_max = image->cmdline_max,
		.initrd_end = image->initrd_end,
		.is_linux = true,
	};
	struct span payload = { 0 };
	int r;

	if (!image->has_payload)
		return fail(diag, EINVAL, "bzimage/no-payload",
			    "this image does not say where its kernel is packed, and only that can "
			    "have a PVH entry");
	r = direct_payload(image, plan->arena, &payload, diag);
	if (r == 0)
		r = elf_parse(payload, &inside.elf, diag);
	return r < 0 ? r : pvh_plan(&inside, req, facts, plan, diag);
}

/* Takes the entry, or leaves *ret_is_taken false and has said why the next one is to be tried. */
static int try_entry(struct bzimage_plan *own, enum enter enter, const struct request *req,
		     const struct facts *facts, struct plan *plan, bool *ret_is_taken,
		     struct diag *diag)
{
	int r;

	if (enter == ENTER_PVH || enter == ENTER_16) {
		*ret_is_taken = true;
		return enter == ENTER_PVH ? plan_pvh(&own->image, req, facts, plan, diag) :
					    plan_real_mode(own, req, facts, plan, diag);
	}
	if (own->layout.len == 0) {
		r = params_lay_out(&own->image, req, facts, plan->arena, &own->layout, diag);
		if (r < 0)
			return r;
	}
	if (enter == ENTER_DIRECT) {
		r = try_direct(own, req, facts, plan, diag);
		*ret_is_taken = own->is_direct;
	} else {
		r = try_stub(&own->image, enter, req, facts, &plan->jump_mode, ret_is_taken, diag);
	}
	return r < 0 || !*ret_is_taken ? r : plan_segments(own, req, facts, plan, diag);
}

static int bzimage_plan(const struct request *req, const struct facts *facts, struct plan *plan,
			struct diag *diag)
{
	struct bzimage_plan *own = arena_alloc(plan->arena, sizeof(*own));
	const enum enter *entries;
	bool is_taken = false;
	int r;

	if (!own)
		return fail_nomem(diag);
	r = bzimage_parse(req->kernel, plan->arena, &own->image, diag);
	if (r < 0)
		return r;
	if (looks_inside(req) && bzimage_check_payload(&own->image, diag) < 0)
		return advise_by_stub(diag);
	if ((own->image.xloadflags & XLF_KERNEL_64) && !facts->cpu.has_long_mode)
		return fail(diag, EINVAL, "bzimage/cpu-is-32-bit",
			    "this is a 64-bit kernel, and the CPU has no long mode");
	r = subarch_entries(&own->image, req, facts, plan->arena, &entries, diag);
	for (; r == 0 && !is_taken && *entries != ENTER_AUTO; entries++)
		r = try_entry(own, *entries, req, facts, plan, &is_taken, diag);
	if (r == 0 && !is_taken)
		r = fail(diag, EINVAL, "bzimage/no-entry",
			 "none of the entries of this image is possible here");
	plan->subarch = subarch_text(subarch_number(req, facts), plan->arena);
	return r;
}

int bzimage_finish(const struct request *req, const struct facts *facts, struct plan *plan,
		   struct diag *diag)
{
	struct bzimage_plan *own = plan->format;
	const struct segment *kernel = plan_find(plan, "kernel");
	const struct segment *initrd = plan_find(plan, "initrd");
	const struct segment *params = plan_find(plan, "params");
	struct params_addresses at = { 0 };

	if (pvh_is_planned(plan)) {
		pvh_finish(req, plan);
		return 0;
	}
	if (plan->jump_mode == JUMP_16) {
		real_mode_finish(&own->image, req, facts, plan);
		return 0;
	}
	at.params = params->addr;
	at.is_randomized = own->is_direct && own->direct.is_randomized;
	if (initrd) {
		at.initrd = initrd->addr;
		at.initrd_len = initrd->bytes.len;
	}
	params_write(&own->image, &own->layout, req, facts, &at, params->own);
	plan->cmdline_addr = params->addr + own->layout.cmdline.off;
	plan->jump_arg = params->addr;
	if (own->layout.note.len > 0)
		plan->boot_note = params->addr + own->layout.note.off;
	if (own->is_direct) {
		plan->jump_entry = kernel->addr + own->direct.entry_off;
		if (!own->direct.is_64)
			plan->vaddr_delta = kernel->addr - own->direct.link_start;
		if (direct_relocate(&own->direct, kernel->addr, diag) < 0)
			return own->image.has_payload ? advise_by_stub(diag) : -diag->error;
		return 0;
	}
	plan->jump_entry = kernel->addr + (plan->jump_mode == JUMP_64 ? ENTRY_64_OFF : 0);
	return 0;
}

const struct image_type bzimage_type = {
	.name = "bzImage",
	.alias = "bzImage64",	/* kexec-tools knows the entries of one image as two types */
	.probe = bzimage_probe,
	.plan = bzimage_plan,
	.finish = bzimage_finish,
};
