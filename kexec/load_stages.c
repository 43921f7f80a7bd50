// SPDX-License-Identifier: GPL-2.0-or-later
#include "load_stages.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "arch/x86/boot_params.h"
#include "arch/x86/x86.h"
#include "memmap.h"
#include "place.h"
#include "sys.h"
#include "weigh.h"

int load_open(struct load *l, struct diag *diag)
{
	struct diag ignored;
	int r;

	progress_stage(&l->progress, PROGRESS_UNWRAPPING);
	r = probe_unwrap(&l->request, &l->facts, l->arena, &l->unwrapped, diag);
	diag_init(&ignored, NULL);
	/* What no format takes is refused by name when it is to be planned. */
	if (r == 0 && probe_format(&l->request, &l->unwrapped, &l->format, &ignored) < 0)
		l->format = NULL;
	return r;
}

const char *load_reason_for_file_call(const struct load *l)
{
	if (l->options->needs_kexec_load || l->facts.xen.is_dom0)
		return NULL;
	if (l->options->no_cma || l->options->force_dtb)
		return "--no-cma and --force-dtb mean something to it only";
	if (facts_locked_down(&l->facts))
		return "the running kernel is locked down";
	/* A capture kernel is handed nothing over. */
	if (l->facts.policy.is_kho_active && !l->options->load_crash)
		return "a kexec handover (KHO) is active";
	if (l->facts.policy.is_ima_active && !l->options->load_crash)
		return "IMA has measurements to hand over";
	if (l->facts.cpu.is_confidential_guest)
		return "this is a confidential guest, whose page tables only the kernel itself can "
		       "make";
	return NULL;
}

void load_unpack_initrd(struct load *l, struct diag *diag)
{
	const enum initrd_unpack wish = l->options->initrd_unpack;
	/* Twice in memory until the jump, and twice again while the next kernel unpacks it. */
	const uint64_t room = min_u64(l->facts.ram_available / 3, l->facts.ram_total / 4);
	const uint64_t all = l->facts.ram_available ? l->facts.ram_available :
			     l->facts.ram_total ? l->facts.ram_total : SIZE_MAX;
	struct diag why;

	l->is_initrd_done = true;
	/* A capture kernel has little memory, and unpacked the initrd is in it twice as large. */
	if (l->request.initrd.len == 0 || wish == INITRD_UNPACK_NO ||
	    (l->request.is_crash && wish == INITRD_UNPACK_AUTO))
		return;
	if (wish == INITRD_UNPACK_AUTO &&
	    (l->options->call == CALL_FILE || load_reason_for_file_call(l)))
		return;
	if (wish == INITRD_UNPACK_AUTO && l->options->digest == DIGEST_SHA256) {
		note(diag, "load/initrd-packed",
		     "the initrd stays packed: verifying it unpacked by SHA-256 takes longer than "
		     "unpacking it");
		return;
	}
	progress_stage(&l->progress, PROGRESS_UNPACKING_INITRD);
	diag_init(&why, NULL);
	if (initramfs_unpack(l->request.initrd,
			     (size_t)min_u64(wish == INITRD_UNPACK_YES ? all : room, SIZE_MAX),
			     l->arena, &l->unpacked, &why) < 0) {
		if (wish == INITRD_UNPACK_YES)
			warn(diag, "load/initrd-packed", "the initrd stays packed: %s [%s]",
			     why.text, why.id);
		else
			note(diag, "load/initrd-packed", "the initrd stays packed: %s [%s]",
			     why.text, why.id);
		return;
	}
	if (l->unpacked.n_packed == 0)
		return;
	note(diag, "load/initrd-unpacked", "the initrd was unpacked, from %zu to %zu bytes",
	     l->request.initrd.len, l->unpacked.plain.len);
	l->request.initrd = span_of(l->unpacked.plain.data, l->unpacked.plain.len);
}

/* "bzImage in xz" for reports. */
static const char *describe_type(const struct load *l)
{
	const char *text = l->type->name;

	for (size_t i = l->unwrapped.n; i-- > 0 && text;)
		text = arena_printf(l->arena, "%s in %s", text, l->unwrapped.names[i]);
	return text;
}

/* What was asked for and reaches nothing: not to be missed in the dark. */
static void warn_without_effect(const struct load *l, struct diag *diag)
{
	const struct options *o = l->options;
	const char *type = l->type->name;

	if (o->dtb && !l->plan.takes_dtb)
		warn(diag, "options/no-effect", "--dtb has no effect: a %s takes no device tree",
		     type);
	if (o->no_efi && !l->plan.takes_efi)
		warn(diag, "options/no-effect",
		     "--noefi has no effect: nothing of EFI is handed on to this %s", type);
	if (o->reuse_video_type && !l->plan.takes_display)
		warn(diag, "options/no-effect",
		     "--reuse-video-type has no effect: nothing of the display is handed on to "
		     "this %s", type);
	else if (o->reuse_video_type && l->facts.display != DISPLAY_NATIVE)
		note(diag, "options/no-effect",
		     "--reuse-video-type changes nothing: no driver has reprogrammed the display, "
		     "which is handed on as it is");
	if (o->initrd_unpack == INITRD_UNPACK_YES && l->packed_initrd.len == 0)
		warn(diag, "options/no-effect",
		     "--initrd-unpack has no effect: there is no initrd");
	if (o->args == ARGS_LINUX && !l->type->takes_args)
		note(diag, "options/no-effect",
		     "--args-linux changes nothing: a %s has one way to take arguments", type);
	else if (o->args != ARGS_AUTO && !l->type->takes_args)
		warn(diag, "options/no-effect",
		     "--args-%s has no effect: a %s has one way to take arguments",
		     o->args == ARGS_ELF ? "elf" : "none", type);
}

static int describe(struct load *l, struct diag *diag)
{
	int r;

	plan_init(&l->plan, l->arena);
	l->type = NULL;
	r = probe_format(&l->request, &l->unwrapped, &l->type, diag);
	if (r < 0)
		return r;
	if (l->request.n_modules > 0 && !l->type->takes_modules) {
		fail(diag, EINVAL, "load/modules", "a %s takes no modules", l->type->name);
		return fail_advise(diag, "--module is for multiboot images, --initrd for Linux");
	}
	l->plan.type = l->type->name;
	l->plan.type_text = describe_type(l);
	progress_stage(&l->progress, PROGRESS_PLANNING);
	r = l->type->plan(&l->request, &l->target, &l->plan, diag);
	if (r == 0 && l->request.preserves_context)
		r = x86_plan_jump_back(&l->request, &l->target, &l->plan, diag);
	if (r == 0)
		r = x86_plan_purgatory(&l->request, &l->target, &l->plan, diag);
	if (r == 0 && l->crash)
		r = x86_plan_crash(l->crash, &l->plan, diag);
	return r;
}

static int settle_once(struct load *l, struct diag *diag)
{
	const struct request *req = &l->request;
	int r;

	r = place(&l->plan, &l->target, req->mem_min, req->mem_end, diag);
	if (r == 0)
		r = l->type->finish(req, &l->target, &l->plan, diag);
	if (r == 0)
		x86_finish_jump_back(&l->plan);
	progress_stage(&l->progress, PROGRESS_DIGESTS);
	if (r == 0)
		r = x86_finish_purgatory(req, &l->target, &l->plan, diag);
	if (r == 0 && req->preserves_context)
		r = x86_fill_jump_back(&l->target, &l->plan, diag);
	if (r == 0 && req->has_entry) {
		l->plan.entry = req->entry;
		note(diag, "load/entry-given",
		     "the jump goes to the address of --entry: purgatory does not run, and nothing "
		     "is verified");
	}
	if (r == 0)
		r = plan_check(&l->plan, &l->target, req->mem_min, req->mem_end, diag);
	return r;
}

/* When it is loaded is for the note to the next kernel (boot_note.h), and no part of a plan that is
 * to be the same each time. */
static void stamp(struct load *l)
{
	if (!l->options->dry_run && !l->options->has_seed)
		l->request.load_tsc = sys_tsc();
}

/* An initrd that finds no place unpacked goes as it is. */
static int settle(struct load *l, struct diag *diag)
{
	int r;

	stamp(l);
	r = settle_once(l, diag);
	if (r == 0 || l->unpacked.n_packed == 0 || l->options->initrd_unpack == INITRD_UNPACK_YES ||
	    (strncmp(diag->id, "place/", 6) != 0 && strcmp(diag->id, "plan/over-half-of-ram") != 0))
		return r;
	note(diag, "load/initrd-packed-again", "unpacked the initrd found no place: %s",
	     diag->text);
	diag_clear(diag);
	l->request.initrd = l->packed_initrd;
	l->unpacked.n_packed = 0;
	r = describe(l, diag);
	return r < 0 ? r : settle_once(l, diag);
}

static int weigh_crash(struct load *l, struct diag *diag)
{
	if (!l->crash)
		return 0;
	if (!l->plan.kernel_version) {
		note(diag, "crash/no-budget",
		     "what memory this needs at work is not known: it is no Linux kernel");
		return 0;
	}
	l->has_budget = true;
	progress_stage(&l->progress, PROGRESS_WEIGHING);
	return weigh(&l->plan, &l->facts, l->request.initrd, l->cmdline, l->options->strict,
		     &l->budget, diag);
}

/* What the plan had to leave out is no concern of kexec_file_load(); what the kernel would load
 * although it is broken is refused here too. */
static int describe_for_file(struct load *l, struct diag *diag)
{
	struct diag quiet;

	diag_init(&quiet, NULL);
	return describe(l, &quiet) < 0 ? diag_take_failure(diag, &quiet) : 0;
}

static void run_stages(struct load *l, struct stages *s)
{
	int r = s->is_by_file ? describe_for_file(l, &s->outline) : describe(l, &s->outline);

	if (r == 0 && !s->is_by_file)
		warn_without_effect(l, &s->outline);
	if (r == 0)
		r = weigh_crash(l, &s->outline);
	if (r == 0 && !s->is_by_file && settle(l, &s->settled) < 0)
		return;	/* s has the reason */
}

/* What every Linux takes of a memory map is what a zero page has room for. One that is built without
 * NUMA takes three ranges more, forgets the others, and dies where it finds itself in one of them. A
 * reservation is where it is, and what comes back has a place of its own. */
static bool has_more_than_known(const struct load *l, const struct stages *s)
{
	return !s->is_by_file && !l->crash && !l->request.preserves_context &&
	       l->target.n_map > E820_TABLE_MAX && l->format && !l->format->takes_modules;
}

/* With that part of RAM only. Nothing is left of an attempt that fails. */
static bool run_in_known_ram(struct load *l, struct stages *s)
{
	const phys_t end = memmap_end(l->target.map, E820_TABLE_MAX);
	const struct range_list all = l->target.ram;
	const struct initramfs unpacked = l->unpacked;
	const struct span initrd = l->request.initrd;
	struct stages attempt = { 0 };
	bool is_good;

	diag_init(&attempt.outline, l->arena);
	diag_init(&attempt.settled, l->arena);
	if (range_list_copy(&all, l->arena, &l->target.ram) < 0 ||
	    range_list_subtract(&l->target.ram, (struct range){ end, UINT64_MAX }) < 0) {
		l->target.ram = all;
		return false;
	}
	run_stages(l, &attempt);
	l->target.ram = all;
	is_good = attempt.outline.error == 0 && attempt.settled.error == 0;
	if (is_good) {
		diag_take_notes(&s->outline, &attempt.outline);
		diag_take_notes(&s->settled, &attempt.settled);
		note(&s->settled, "load/known-ram",
		     "the memory map has %zu ranges: all is put below %#" PRIx64 ", where the first "
		     "%d are, which every kernel takes", l->target.n_map, end, E820_TABLE_MAX);
		return true;
	}
	l->unpacked = unpacked;
	l->request.initrd = initrd;
	return false;
}

void load_run_stages(struct load *l, struct stages *s)
{
	const bool has_more = has_more_than_known(l, s);

	if (!l->is_initrd_done)
		load_unpack_initrd(l, &s->outline);
	if (has_more && run_in_known_ram(l, s))
		return;
	run_stages(l, s);
	if (has_more && s->outline.error == 0 && s->settled.error == 0)
		warn(&s->settled, "load/beyond-known-ram",
		     "the memory map has %zu ranges, of which every kernel takes the first %d, and "
		     "there is not room for all in these: a kernel that is built without NUMA may "
		     "not start", l->target.n_map, E820_TABLE_MAX);
}
