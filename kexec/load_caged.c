// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The two parts of a load that read foreign bytes, each in a process without rights (cage.h): opening
 * the kernel's containers, and everything from probe to check. What comes back is packed value by
 * value (handback.h); here is what is in it, in which order, and what of it is believed.
 */
#include <errno.h>
#include <string.h>

#include "arch/x86/x86.h"
#include "handback.h"
#include "load_stages.h"

/* For the longest of loads on the slowest of machines; what hangs is ended then. */
#define SECONDS_MIN	120
#define LEN_PER_SECOND	MIB

struct planning {
	struct caged caged;	/* first: it is found by that */
	struct stages *stages;
};

/* ---- where bytes may be ---- */

/* Everything that bytes of a plan can be in, but for the memory of the cage that makes it. */
static int list_memory(struct caged *c)
{
	const struct load *l = c->l;
	struct span *list = arena_alloc_array(l->arena, 9 + l->addons.n, sizeof(*list));
	size_t n = 0;

	if (!list)
		return -ENOMEM;
	list[n++] = l->kernel.bytes;
	list[n++] = l->initrd.bytes;
	list[n++] = l->joined.bytes;
	list[n++] = l->modules.bytes;
	list[n++] = l->dtb.bytes;
	list[n++] = cage_memory(&l->cages[CAGE_OPEN]);
	list[n++] = l->first_plan;
	if (l->crash)
		list[n++] = l->crash->headers;
	for (size_t i = 0; i < l->addons.n; i++)
		list[n++] = l->addons.files[i].bytes;
	c->memory = list;
	c->n_memory = n;
	return 0;
}

static unsigned int seconds_for(const struct load *l)
{
	const uint64_t len = (uint64_t)l->kernel.bytes.len + l->initrd.bytes.len +
			     l->joined.bytes.len + l->modules.bytes.len;

	return (unsigned int)(SECONDS_MIN + len / LEN_PER_SECOND);
}

/* ---- what is in a parcel ---- */

static void hand_type(struct parcel *p, const struct image_type **type)
{
	size_t n = 0, at;

	while (x86_formats[n])
		n++;
	for (at = 0; at < n && x86_formats[at] != *type;)
		at++;
	*type = x86_formats[parcel_count(p, at, n)];	/* behind the last is NULL */
}

static void hand_opened(struct parcel *p, struct caged *c)
{
	struct load *l = c->l;

	parcel_span(p, &l->request.kernel);
	handback_bundle(p, &l->request.bundle);
	l->unwrapped.n = parcel_count(p, l->unwrapped.n, UNWRAP_DEPTH_MAX);
	for (size_t i = 0; i < l->unwrapped.n; i++) {
		parcel_text(p, &l->unwrapped.names[i], TEXT_PRINTABLE);
		if (!p->wrong && !l->unwrapped.names[i])
			parcel_fail(p, "a container has no name");
	}
	hand_type(p, &l->format);
}

static void hand_stages(struct parcel *p, struct caged *c)
{
	struct stages *s = ((struct planning *)c)->stages;
	struct load *l = c->l;

	handback_diag(p, &s->outline);
	handback_diag(p, &s->settled);
	/* Of what failed before, there is no plan. */
	if (s->outline.error != 0)
		return;
	parcel_span(p, &l->request.initrd);
	parcel_bool(p, &l->is_initrd_done);
	l->unpacked.n_packed = parcel_count(p, l->unpacked.n_packed, INITRAMFS_MEMBERS_MAX);
	hand_type(p, &l->type);
	handback_plan(p, &l->plan);
	parcel_bool(p, &l->has_budget);
	handback_budget(p, &l->budget);
	if (!p->wrong && l->has_budget && (!l->crash || !l->budget.largest))
		parcel_fail(p, "there is a budget that has nothing in it");
}

/* ---- in the cage ---- */

static void hand(struct parcel *p, struct caged *c)
{
	handback_diag(p, &c->said);
	c->hand(p, c);
}

/* Twice: to know how long it is, and to write it. */
static struct span pack(struct caged *c, struct region *region)
{
	struct parcel p = {
		.is_packing = true,
		.arena = c->l->arena,
		.memory = c->memory,
		.n_memory = c->n_memory,
	};
	size_t len = 0;

	for (int round = 0; round < 2; round++) {
		hand(&p, c);
		if (p.wrong)
			return (struct span){ 0 };
		if (round == 0) {
			len = p.off;
			p.off = 0;
			p.out = region_alloc(region, len);
			if (!p.out)
				return (struct span){ 0 };
		}
	}
	return span_of(p.out, len);
}

/* From here on this process has its own copy of the load, and new memory comes from the region, which
 * bytes may be in, too. */
static struct span work_alone(void *ctx, struct region *region)
{
	struct caged *c = ctx;

	c->l->arena->region = region;
	c->memory[c->n_memory++] = span_of(region->base, region->len);
	c->work(c, &c->said);	/* said has how it ended */
	return pack(c, region);
}

static int open_alone(struct caged *c, struct diag *diag)
{
	int r = load_open(c->l, diag);

	if (r < 0)
		c->l->format = NULL;
	return r;
}

/* What it says, the stages have. */
static int plan_alone(struct caged *c, struct diag *diag)
{
	(void)diag;
	load_run_stages(c->l, ((struct planning *)c)->stages);
	return 0;
}

/* ---- who waits for it ---- */

static int fail_bad(const char *wrong, struct diag *diag)
{
	return fail(diag, EFAULT, "sandbox/bad-result",
		    "the process that reads the files handed back what cannot be: %s; nothing was "
		    "loaded", wrong);
}

enum cage_result load_run_caged(struct caged *c, struct diag *diag)
{
	struct load *l = c->l;
	enum cage_result result;
	struct parcel p = { .arena = l->arena };

	diag_init(&c->said, l->arena);
	if (!l->is_caged)
		return CAGE_NONE;
	if (list_memory(c) < 0) {
		fail_nomem(diag);
		return CAGE_FAILED;
	}
	result = cage_open(c->cage);
	if (result == CAGE_DONE) {
		progress_share(&l->progress, cage_signal(c->cage));
		result = cage_run(c->cage, c->seconds ? c->seconds : seconds_for(l), work_alone, c,
				  &p.in, diag);
		progress_share(&l->progress, NULL);
	}
	if (result == CAGE_NONE && l->must_be_caged) {
		fail(diag, EAGAIN, "sandbox/lost",
		     "the files were read in a sandbox before, and now there is none: %s",
		     c->cage->why);
		result = CAGE_FAILED;
	} else if (result == CAGE_NONE) {
		note(diag, "sandbox/none", "the files are read without a sandbox: %s", c->cage->why);
		l->is_caged = false;
		cage_close(c->cage);
	}
	if (result != CAGE_DONE)
		return result;
	c->memory[c->n_memory++] = cage_memory(c->cage);
	p.memory = c->memory;
	p.n_memory = c->n_memory;
	hand(&p, c);
	if (parcel_is_done(&p))
		return CAGE_DONE;
	fail_bad(p.wrong ? p.wrong : "there is too much of it", diag);
	return CAGE_FAILED;
}

int load_run_anywhere(struct caged *c, struct diag *diag)
{
	switch (load_run_caged(c, diag)) {
	case CAGE_NONE:
		return c->work(c, diag);
	case CAGE_FAILED:
		return -diag->error;
	case CAGE_DONE:
		break;
	}
	diag_take_notes(diag, &c->said);
	return c->said.error != 0 ? diag_take_failure(diag, &c->said) : 0;
}

int load_open_caged(struct load *l, struct diag *diag)
{
	struct caged opening = { .l = l, .cage = &l->cages[CAGE_OPEN], .work = open_alone,
				 .hand = hand_opened };
	int r = load_run_anywhere(&opening, diag);

	return r == 0 && l->request.kernel.len == 0 ? fail_bad("there is no kernel", diag) : r;
}

/* The plan is held against what this process knows by itself of the machine and of what was asked. */
static int check_plan(struct load *l, struct stages *s, struct diag *diag)
{
	const char *wrong;
	struct diag why;

	if (s->outline.error != 0)
		return 0;
	l->plan.arena = l->arena;
	l->plan.crash = l->crash;
	if (!l->type || l->type != l->format)
		return fail_bad("it is for another kind of kernel", diag);
	if (s->is_by_file || s->settled.error != 0)
		return 0;
	wrong = handback_check(&l->plan, &l->request);
	if (wrong)
		return fail_bad(wrong, diag);
	diag_init(&why, NULL);
	if (plan_check(&l->plan, &l->target, l->request.mem_min, l->request.mem_end, &why) < 0)
		return fail_bad(why.text, diag);
	return 0;
}

void load_run_stages_caged(struct load *l, struct stages *s)
{
	struct planning p = { .caged = { .l = l, .cage = &l->cages[CAGE_PLAN],
					 .work = plan_alone, .hand = hand_stages }, .stages = s };

	plan_init(&l->plan, l->arena);
	switch (load_run_caged(&p.caged, &s->outline)) {
	case CAGE_NONE:
		load_run_stages(l, s);
		return;
	case CAGE_FAILED:
		return;
	case CAGE_DONE:
		if (check_plan(l, s, &s->outline) < 0)
			return;	/* s has the reason */
	}
}
