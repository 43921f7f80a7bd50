// SPDX-License-Identifier: GPL-2.0-or-later
#include "rehearse_look.h"

#include <errno.h>
#include <string.h>

#include "arch/x86/handed.h"
#include "arch/x86/multiboot.h"
#include "arch/x86/multiboot2.h"
#include "arch/x86/pvh.h"
#include "handback.h"
#include "load_stages.h"

/* Of any look; what it was not for stays 0. */
struct findings {
	bool is_copy;
	struct range copy;
	uint64_t len;
	phys_t base;
	struct arrival_match match;
};

struct looking {
	struct caged caged;	/* first: the others are found by it */
	const struct look *look;
	int (*work)(struct looking *at, struct diag *diag);
	/* What is looked for. */
	phys_t code;
	struct plan *loaded;
	const struct range_list *ram;

	struct findings found;
};

/* ---- there and back ---- */

static int look_alone(struct caged *c, struct diag *diag)
{
	struct looking *at = (struct looking *)c;
	int r = at->work(at, diag);

	if (r < 0)
		at->found = (struct findings){ 0 };
	return r;
}

static void hand_findings(struct parcel *p, struct caged *c)
{
	struct looking *at = (struct looking *)c;
	struct findings *f = &at->found;

	parcel_bool(p, &f->is_copy);
	parcel_u64(p, &f->copy.start);
	parcel_u64(p, &f->copy.end);
	parcel_u64(p, &f->len);
	parcel_u64(p, &f->base);
	parcel_u64(p, &f->match.delta);
	parcel_u64(p, &f->match.n_relocations);
	parcel_u64(p, &f->match.n_compared);
	if (!p->wrong && (f->copy.start > f->copy.end || f->copy.end > at->look->ram.len))
		parcel_fail(p, "code is not in the memory that it was found in");
}

static int fail_bad(const char *what, struct diag *diag)
{
	return fail(diag, EFAULT, "sandbox/bad-result",
		    "the process that looked at the image handed back what cannot be: %s", what);
}

static int run(struct looking *at, struct diag *diag)
{
	struct load *l = at->look->l;
	struct cage cage = { .memfd = -1 };
	int r;

	at->caged = (struct caged){ .l = l, .cage = &cage, .work = look_alone,
				    .hand = hand_findings,
				    .seconds = l->options->rehearse_seconds };
	r = load_run_anywhere(&at->caged, diag);
	cage_close(&cage);
	return r;
}

/* ---- the stub's copy ---- */

static int find_copy(struct looking *at, struct diag *diag)
{
	const struct guest_ram ram = at->look->ram;
	struct bzimage image;
	int r = bzimage_parse(at->look->l->request.kernel, at->look->l->arena, &image, diag);

	if (r == 0)
		at->found.is_copy = arrival_find_copy(
			&image, span_of(ram.bytes + at->code, (size_t)(ram.len - at->code)), at->code,
			&at->found.copy);
	return r;
}

int look_for_copy(const struct look *look, phys_t code, bool *ret_is_one, struct range *ret,
		  struct diag *diag)
{
	struct looking at = { .look = look, .work = find_copy, .code = code };
	int r = 0;

	if (code < look->ram.len)
		r = run(&at, diag);
	if (r == 0 && at.found.is_copy && (code < at.found.copy.start || code >= at.found.copy.end))
		r = fail_bad("code is not in what it is said to be part of", diag);
	*ret_is_one = r == 0 && at.found.is_copy;
	*ret = at.found.copy;
	return r;
}

/* ---- a program ---- */

/* A PVH kernel is the program itself, or what a bzImage holds. */
static int read_pvh(const struct load *l, struct elf *ret, struct diag *diag)
{
	struct span program = l->request.kernel;
	struct bzimage image;
	int r = 0;

	if (l->type == &bzimage_type) {
		r = bzimage_parse(l->request.kernel, l->arena, &image, diag);
		if (r == 0)
			r = direct_payload(&image, l->arena, &program, diag);
	}
	return r < 0 ? r : elf_parse(program, ret, diag);
}

static bool has_addresses(struct span program)
{
	struct multiboot2_image image2;
	struct multiboot_image image1;
	struct diag ignored;

	diag_init(&ignored, NULL);
	return (multiboot_parse(program, &image1, &ignored) == 0 && image1.has_addresses) ||
	       (multiboot2_parse(program, &image2, &ignored) == 0 && image2.has_addresses);
}

static int check_program(struct looking *at, struct diag *diag)
{
	const struct load *l = at->look->l;
	struct elf elf;
	int r;

	if (pvh_is_planned(&l->plan))
		r = read_pvh(l, &elf, diag);
	else if (has_addresses(l->request.kernel))
		return 0;
	else
		r = elf_parse(l->request.kernel, &elf, diag);
	return r < 0 ? r : handed_check_program(&l->plan, &elf, at->look->ram, &at->found.len, diag);
}

int look_at_program(const struct look *look, bool *ret_is_known, uint64_t *ret_len,
		    struct diag *diag)
{
	struct looking at = { .look = look, .work = check_program };
	int r = run(&at, diag);

	*ret_is_known = at.found.len > 0;
	*ret_len = at.found.len;
	return r;
}

/* ---- the kernel that a stub made ---- */

static int unpack(const struct load *l, struct direct *ret, struct diag *diag)
{
	struct bzimage image;
	int r = bzimage_parse(l->request.kernel, l->arena, &image, diag);

	if (r == 0 && !image.has_payload)
		r = fail(diag, EOPNOTSUPP, "rehearse/no-payload",
			 "the image does not say where its payload is: what its stub made of it "
			 "cannot be compared");
	return r < 0 ? r : direct_unpack(&image, l->arena, ret, diag);
}

/* What is loaded in the place of what was unpacked. */
static int take_loaded(struct plan *loaded, struct arena *a, struct direct *d,
		       struct diag *diag)
{
	const struct segment *kernel = plan_find(loaded, "kernel");

	if (!kernel || kernel->bytes.len != d->image_len)
		return fail(diag, EINVAL, "rehearse/kernel-differs",
			    "the kernel that is loaded does not have the %zu bytes of that in the "
			    "image", d->image_len);
	d->image = arena_alloc(a, d->image_len);
	if (!d->image)
		return fail_nomem(diag);
	memcpy(d->image, kernel->bytes.data, d->image_len);
	return 0;
}

static int compare(struct looking *at, struct diag *diag)
{
	const struct look *look = at->look;
	const struct load *l = look->l;
	struct findings *f = &at->found;
	struct kaslr_limits limits;
	struct direct direct;
	bool is_fixed;
	int r = unpack(l, &direct, diag);

	if (r == 0 && at->loaded)
		r = take_loaded(at->loaded, l->arena, &direct, diag);
	if (r < 0)
		return r;
	if (kaslr_read_cmdline(l->request.cmdline, l->arena, &limits) < 0)
		return fail_nomem(diag);
	/* Does the stub have to start it where it was linked for, and loaded? */
	is_fixed = limits.is_off || direct.relocs.is_empty;
	r = arrival_check_kernel(&l->plan, &direct, look->cpu, at->ram, is_fixed, &f->base, diag);
	if (r < 0)
		return r;
	return arrival_compare(&direct, at->loaded ? at->loaded->vaddr_delta : 0, look->ram, f->base,
			       is_fixed, l->arena, &f->match, diag);
}

int look_at_kernel(const struct look *look, struct plan *loaded,
		   const struct range_list *ram, phys_t *ret_base, struct arrival_match *ret,
		   struct diag *diag)
{
	struct looking at = { .look = look, .work = compare, .loaded = loaded, .ram = ram };
	int r = run(&at, diag);

	if (r == 0 && (at.found.match.n_compared == 0 || look->cpu->rip >= look->ram.len ||
		       at.found.base > look->cpu->rip ||
		       !range_list_contains(ram, (struct range){ at.found.base, look->cpu->rip + 1 })))
		r = fail_bad("a kernel of no bytes, or one that is not where it is entered", diag);
	*ret_base = at.found.base;
	*ret = at.found.match;
	return r;
}
