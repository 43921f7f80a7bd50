// SPDX-License-Identifier: GPL-2.0-or-later
#include "load.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "arch/x86/x86.h"
#include "cmdline.h"
#include "explain.h"
#include "host.h"
#include "place.h"
#include "record.h"
#include "sys.h"
#include "weigh.h"

/* Exit statuses of a failed load, as callers of kexec-tools know them. */
#define STATUS_FAILED		255
#define STATUS_FILE_REFUSED	253	/* -s, and the kernel did not take the image */

void load_init(struct load *l, const struct options *o, struct arena *a)
{
	memset(l, 0, sizeof(*l));
	l->arena = a;
	l->options = o;
	l->kernel.fd = -1;
	l->dtb.fd = -1;
	l->cages[0].memfd = l->cages[1].memfd = -1;
	progress_start(&l->progress);
}

void load_free(struct load *l)
{
	progress_end(&l->progress);
	record_turn_end(&l->turn, false);
	file_close(&l->kernel);
	file_close(&l->dtb);
	file_sequence_close(&l->initrd);
	file_sequence_close(&l->modules);
	initramfs_free(&l->unpacked);
	file_join_free(&l->joined);
	addons_close(&l->addons);
	unwrapped_free(&l->unwrapped);
	for (size_t i = 0; i < array_len(l->cages); i++)
		cage_close(&l->cages[i]);
	if (l->is_xen)
		xen_close(&l->xen);
}

/* ---- reading: what the pure stages get to see ---- */

/* Early in a boot there may be no random numbers yet. A seed is welcome, not needed. */
static void read_seed(const struct options *o, struct request *req, struct diag *diag)
{
	req->has_seed = true;
	if (o->has_seed) {
		memcpy(req->seed, o->seed, SEED_LEN);
	} else if (sys_random(req->seed, SEED_LEN) < 0) {
		req->has_seed = false;
		sys_random_early(req->seed, SEED_LEN);
		note(diag, "load/no-random",
		     "the running kernel has no random numbers yet: the next one gets no seed");
	}
}

static bool is_locked_down(const struct facts *facts)
{
	return facts->policy.lockdown == LOCKDOWN_INTEGRITY ||
	       facts->policy.lockdown == LOCKDOWN_CONFIDENTIALITY;
}

/* Why the file call goes first; NULL if it does not. */
static const char *reason_for_file_call(const struct load *l)
{
	if (l->options->needs_kexec_load || l->facts.xen.is_dom0)
		return NULL;
	if (l->options->no_cma || l->options->force_dtb)
		return "--no-cma and --force-dtb mean something to it only";
	if (is_locked_down(&l->facts))
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

/*
 * Unpacks the initrd now, while the old kernel still serves, so that the next one finds plain
 * archives. That moves and verifies more bytes in the dark time, which costs less than unpacking
 * there for every codec, unless each byte goes through SHA-256: doc/performance.md.
 */
static void unpack_initrd(struct load *l, struct diag *diag)
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
	    (l->options->call == CALL_FILE || reason_for_file_call(l)))
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

static int open_files(struct load *l, struct diag *diag)
{
	const struct options *o = l->options;
	int r = file_open(o->kernel, &l->kernel, diag);

	if (r == 0)
		r = file_sequence_open(o->initrds, o->n_initrds, l->arena, &l->initrd, diag);
	if (r == -ENOENT && o->reuse_initrd && l->kernel.fd >= 0)
		fail_advise(diag, "--reuseinitrd takes a running kernel of 6.6 or later that was "
				  "started with retain_initrd; else --initrd=FILE");
	if (r == 0 && o->dtb)
		r = file_open(o->dtb, &l->dtb, diag);
	if (r == 0)
		r = addons_open(o->kernel, !o->no_addons, o->addons, o->n_addons, l->arena,
				&l->addons, diag);
	if (r == 0)
		r = file_sequence_open(o->module_paths, o->n_modules, l->arena, &l->modules, diag);
	return r;
}

static int list_modules(struct load *l, struct diag *diag)
{
	const size_t n = l->modules.n;
	struct module *list = arena_alloc_array(l->arena, n, sizeof(*list));

	if (!list)
		return fail_nomem(diag);
	for (size_t i = 0; i < n; i++) {
		list[i].len = (uint64_t)l->modules.files[i].stat.st_size;
		list[i].cmdline = l->options->modules[i];
	}
	l->request.modules = l->modules.bytes;
	l->request.module_list = list;
	l->request.n_modules = n;
	return 0;
}

/* Of the machine and the request, what a kernel to come back from is planned by. */
static int prepare_jump_back(struct load *l, struct diag *diag)
{
	struct request *req = &l->request;

	/* What no format takes is refused by describe(). */
	if (!l->format)
		return 0;
	return x86_prepare_jump_back(l->format, req, &l->facts, l->arena, req, &l->target, diag);
}

/* What nobody has done there yet, by name. */
static int check_xen(const struct options *o, struct diag *diag)
{
	const char *what = o->load_crash ? "-p, a load for a panic," :
			   o->preserves_context ? "--load-preserve-context" :
			   o->call == CALL_FILE ? "-s, a call that the hypervisor has no like of," :
						  NULL;

	if (o->host_root)
		return fail(diag, EOPNOTSUPP, "xen/host-root",
			    "this tree is of a Xen host, where only the hypervisor knows the machine's "
			    "memory");
	if (!what)
		return 0;
	fail(diag, EOPNOTSUPP, "xen/not-supported",
	     "this is a Xen host, and kexec-ng does not have %s there", what);
	return fail_advise(diag, "kexec-tools, for that; -l, -e, -u and -S are supported");
}

/* On a Xen host the hypervisor loads, and knows the machine. */
static int read_xen(struct load *l, struct diag *diag)
{
	int r = check_xen(l->options, diag);

	if (r == 0)
		r = xen_open(&l->facts, &l->xen, diag);
	if (r < 0)
		return r;
	l->is_xen = true;
	return xen_read_map(&l->xen, l->arena, &l->facts, diag);
}

int load_read(struct load *l, struct diag *diag)
{
	const struct options *o = l->options;
	struct request *req = &l->request;
	int r;

	*req = (struct request){
		.type = o->type,
		.profile = o->profile,
		.args = o->args,
		.enter = o->enter,
		.has_subarch = o->has_subarch,
		.subarch = o->subarch,
		.has_subarch_data = o->has_subarch_data,
		.subarch_data = o->subarch_data,
		.is_crash = o->load_crash,
		.preserves_context = o->preserves_context,
		.core_class = o->core_class,
		.pass_memmap = o->pass_memmap,
		.backup = o->backup,
		.hotplug = o->hotplug ? HOTPLUG_YES : HOTPLUG_AUTO,
		.mem_min = o->mem_min,
		.mem_end = o->mem_end,
		.no_efi = o->no_efi,
		.reuse_video_type = o->reuse_video_type,
		.has_entry = o->has_entry,
		.entry = o->entry,
		.digest = o->digest,
		.quiet = o->quiet,
		.on_failure = o->on_failure,
		.console_serial = o->console_serial,
		.console_vga = o->console_vga,
		.reset_vga = o->reset_vga,
		.serial_port = o->serial_port,
		.serial_baud = o->serial_baud,
	};
	r = open_files(l, diag);
	if (r == 0)
		r = list_modules(l, diag);
	if (r == 0)
		r = host_read(o->host_root ? o->host_root : "", l->arena, &l->facts, diag);
	if (r == 0)
		r = host_withhold_efi_tables(o->host_root ? o->host_root : "", &l->facts, diag);
	if (r == 0 && l->facts.xen.is_dom0)
		r = read_xen(l, diag);
	req->mem_end = min_u64(req->mem_end,
			       l->facts.is_32bit_kernel ? 4 * GIB : SYS_ADDRESS_END);
	read_seed(o, req, diag);
	req->kernel = l->kernel.bytes;
	req->kernel_path = o->kernel;
	req->initrd = l->initrd.bytes;
	req->n_initrds = l->initrd.n;
	req->dtb = l->dtb.bytes;
	req->addons = l->addons.addons;
	req->n_addons = l->addons.n;
	if (r == 0)
		r = load_unwrap(l, diag);
	/* Others need not touch the machine's memory for it. */
	if (r == 0 && l->format && l->format->takes_rsdp)
		host_read_rsdp(o->host_root ? o->host_root : "", &l->facts);
	l->cmdline = req->cmdline;
	l->target = l->facts;
	if (r == 0 && !l->is_caged)
		unpack_initrd(l, diag);
	if (r == 0 && req->is_crash)
		r = x86_prepare_crash(req, &l->facts, l->arena, req, &l->target, &l->crash, diag);
	if (r == 0 && req->preserves_context)
		r = prepare_jump_back(l, diag);
	return r;
}

/* ---- the pure stages ---- */

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

static int check_call(const struct load *l, struct diag *diag)
{
	if (l->options->call == CALL_FILE &&
	    l->options->enter != ENTER_AUTO && l->options->enter != ENTER_64)
		return fail(diag, EINVAL, "load/file-entry",
			    "kexec_file_load (-s) knows the 64-bit entry only; --enter=direct, 32, "
			    "16 and pvh need -c");
	if (l->options->call == CALL_FILE &&
	    (l->options->has_subarch || l->options->has_subarch_data))
		return fail(diag, EINVAL, "load/file-subarch",
			    "kexec_file_load (-s) hands on the subarchitecture of the running kernel; "
			    "--subarch and --subarch-data need -c");
	return 0;
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

void load_run_stages(struct load *l, struct stages *s)
{
	int r;

	if (!l->is_initrd_done)
		unpack_initrd(l, &s->outline);
	r = s->is_by_file ? describe_for_file(l, &s->outline) : describe(l, &s->outline);
	if (r == 0 && !s->is_by_file)
		warn_without_effect(l, &s->outline);
	if (r == 0)
		r = weigh_crash(l, &s->outline);
	if (r == 0 && !s->is_by_file && settle(l, &s->settled) < 0)
		return;	/* s has the reason */
}

/* Notes, and the failure if there is one. */
static int take(struct diag *diag, struct diag *from)
{
	diag_take_notes(diag, from);
	return from->error != 0 ? diag_take_failure(diag, from) : 0;
}

static int run_stages(struct load *l, bool is_by_file, struct stages *s, struct diag *diag)
{
	diag_init(&s->outline, l->arena);
	diag_init(&s->settled, l->arena);
	s->is_by_file = is_by_file;
	load_run_stages_caged(l, s);
	return take(diag, &s->outline);
}

int load_plan(struct load *l, struct diag *diag)
{
	int r = check_call(l, diag);
	struct stages s;

	if (r == 0 && l->options->call == CALL_FILE)
		note(diag, "load/plan-of-another-call",
		     "this plan is what kexec_load (-c) would do; with -s the running kernel makes "
		     "its own");
	if (r == 0)
		r = run_stages(l, false, &s, diag);
	return r < 0 ? r : take(diag, &s.settled);
}

/* ---- handing it over ---- */

static enum attempt attempt_of(const struct load *l, enum call call)
{
	if (l->options->preserves_context || l->options->jump_back_helper)
		return ATTEMPT_PRESERVING_LOAD;
	if (l->options->load_crash)
		return call == CALL_FILE ? ATTEMPT_CRASH_KEXEC_FILE_LOAD :
					   ATTEMPT_CRASH_KEXEC_LOAD;
	return call == CALL_FILE ? ATTEMPT_KEXEC_FILE_LOAD : ATTEMPT_KEXEC_LOAD;
}

/* The kernel copied the bytes some time after they were read here: are they still the same? */
static int check_files(struct load *l, struct diag *diag)
{
	int r = file_is_unchanged(&l->kernel, diag);

	if (r == 0 && l->dtb.fd >= 0)
		r = file_is_unchanged(&l->dtb, diag);
	for (size_t i = 0; i < l->initrd.n && r == 0; i++)
		r = file_is_unchanged(&l->initrd.files[i], diag);
	for (size_t i = 0; i < l->addons.n && r == 0; i++)
		r = file_is_unchanged(&l->addons.files[i], diag);
	for (size_t i = 0; i < l->modules.n && r == 0; i++)
		r = file_is_unchanged(&l->modules.files[i], diag);
	return r;
}

static int load_into_kernel(struct load *l, struct diag *diag)
{
	struct kmsg log;
	int r;

	explain_listen(&log);
	r = sys_kexec_load(&l->plan);
	if (r < 0)
		explain_heard(&log, diag);
	explain_stop(&log);
	return r < 0 ? explain_here(attempt_of(l, CALL_LOAD), -r, &l->facts, diag) : 0;
}

static int load_by_segments(struct load *l, struct diag *diag)
{
	int r;

	progress_stage(&l->progress, PROGRESS_HANDING_OVER);
	record_turn_begin(&l->turn, l->options->load_crash);
	if (l->is_xen)
		r = xen_load(&l->xen, &l->plan, l->arena, diag);
	else
		r = load_into_kernel(l, diag);
	if (r < 0)
		return r;
	l->call = CALL_LOAD;
	r = check_files(l, diag);
	if (r == 0)
		return 0;
	record_remove(l->options->load_crash);
	if ((l->is_xen ? xen_unload(&l->xen, false, diag) :
			 sys_kexec_unload(l->options->load_crash)) < 0)
		warn(diag, "load/not-unloaded",
		     "and it could not be unloaded: do not %s",
		     l->options->load_crash ? "trust it after a panic" : "run kexec -e");
	return r;
}

/*
 * What the kernel is to read: the user's own file wherever that is what is loaded, as signatures
 * and IMA's measurements may be of the file and not of the bytes; else what was inside. Closed by
 * the caller.
 */
static int open_for_kernel(const struct load *l, int *ret_kernel, int *ret_initrd,
			   struct diag *diag)
{
	const struct request *req = &l->request;
	int kernel = -1, initrd = -1, r;

	if (req->kernel.data == l->kernel.bytes.data && req->kernel.len == l->kernel.bytes.len)
		r = file_fd(&l->kernel, &kernel, diag);
	else
		r = file_fd_of_bytes(req->kernel_path, req->kernel, &kernel, diag);
	if (r == 0 && l->packed_initrd.len > 0 &&
	    l->packed_initrd.data == l->initrd.bytes.data)
		r = file_sequence_fd(&l->initrd, &initrd, diag);
	else if (r == 0 && l->packed_initrd.len > 0)
		r = file_fd_of_bytes(req->kernel_path, l->packed_initrd, &initrd, diag);
	if (r < 0) {
		if (kernel >= 0)
			close(kernel);
		return r;
	}
	*ret_kernel = kernel;
	*ret_initrd = initrd;
	return 0;
}

/* Who unwrapped the kernel must know that a signature of the whole is none of what was handed over. */
static int explain_file_load(const struct load *l, int error, struct diag *diag)
{
	static const char *const ids[] = { "kernel/signature", "kernel/lockdown-signature",
					   "kernel/access" };
	bool is_about_trust = false;
	struct diag why;

	diag_init(&why, NULL);
	explain_here(attempt_of(l, CALL_FILE), error, &l->facts, &why);
	for (size_t i = 0; i < array_len(ids); i++)
		is_about_trust |= strcmp(why.id, ids[i]) == 0;
	if (l->unwrapped.n == 0 || !is_about_trust)
		return diag_take_failure(diag, &why);
	fail(diag, why.error, why.id,
	     "%s; it was given what is inside the %s, for which a signature of the whole file does "
	     "not count",
	     why.text, l->unwrapped.names[0]);
	return fail_advise(diag, "sign the kernel itself before it is packed, or load the signed "
				 "vmlinuz instead, with --initrd and --append");
}

static int load_by_file(struct load *l, struct diag *diag)
{
	const struct options *o = l->options;
	struct file_load call = {
		.kernel_fd = -1,
		.initrd_fd = -1,
		.cmdline = l->cmdline,
		.is_crash = o->load_crash,
		.debug = o->debug,
		.no_cma = o->no_cma,
		.force_dtb = o->force_dtb,
	};
	struct kmsg log;
	int r = open_for_kernel(l, &call.kernel_fd, &call.initrd_fd, diag);

	if (r < 0)
		return r;
	progress_stage(&l->progress, PROGRESS_HANDING_OVER);
	record_turn_begin(&l->turn, o->load_crash);
	explain_listen(&log);
	r = sys_kexec_file_load(&call);
	if (r < 0)
		explain_heard(&log, diag);
	explain_stop(&log);
	close(call.kernel_fd);
	if (call.initrd_fd >= 0)
		close(call.initrd_fd);
	if (r < 0)
		return explain_file_load(l, -r, diag);
	l->call = CALL_FILE;
	r = check_files(l, diag);
	if (r == 0)
		return 0;
	record_remove(l->options->load_crash);
	if (sys_kexec_file_unload(l->options->load_crash) < 0)
		warn(diag, "load/not-unloaded",
		     "and it could not be unloaded: do not %s",
		     l->options->load_crash ? "trust it after a panic" : "run kexec -e");
	return r;
}

static bool is_refusal_of_file_call(int error)
{
	return error == ENOSYS || error == EINVAL || error == ENOEXEC || error == EOPNOTSUPP;
}

static int load_only_by_file(struct load *l, int *ret_status, struct diag *diag)
{
	struct stages s;
	int r = check_call(l, diag);

	if (r == 0)
		r = run_stages(l, true, &s, diag);
	if (r < 0)
		return r;
	r = load_by_file(l, diag);
	if (r < 0 && strncmp(diag->id, "kernel/", 7) == 0 && is_refusal_of_file_call(-r))
		*ret_status = STATUS_FILE_REFUSED;
	return r;
}

/* A diag that carries both reasons; the first has the better advice. */
static int fail_both(const struct diag *first, const struct diag *second, struct diag *diag)
{
	fail(diag, second->error, second->id, "%s; before that: %s [%s]", second->text, first->text,
	     first->id);
	return fail_advise(diag, "%s", first->advice[0] != '\0' ? first->advice : second->advice);
}

static int try_call(struct load *l, struct stages *s, enum call call, struct diag *diag)
{
	int r;

	if (call == CALL_FILE)
		return load_by_file(l, diag);
	r = take(diag, &s->settled);
	return r < 0 ? r : load_by_segments(l, diag);
}

/* Did the first call fail for a reason that the other may not share, and that is no policy? */
static bool may_try_other(const struct load *l, enum call first, const struct diag *why)
{
	enum attempt attempt = attempt_of(l, first);

	if (l->is_xen || (first == CALL_LOAD && l->options->needs_kexec_load))
		return false;
	if (first == CALL_FILE && is_locked_down(&l->facts))
		return false;
	if (strncmp(why->id, "place/", 6) == 0)
		return true;	/* the kernel has other rules for where things may go */
	return strncmp(why->id, "kernel/", 7) == 0 &&
	       !explain_is_final(attempt, why->error, sys_may_boot(), &l->facts);
}

/*
 * kexec_load with our purgatory first; kexec_file_load where policy asks for it or a hand-over
 * depends on it. The other is tried after a refusal that is no policy.
 */
static int load_by_either(struct load *l, struct diag *diag)
{
	const char *reason = reason_for_file_call(l);
	enum call order[] = { reason ? CALL_FILE : CALL_LOAD, reason ? CALL_LOAD : CALL_FILE };
	struct diag first, second;
	struct stages s;
	int r = run_stages(l, false, &s, diag);

	if (r < 0)
		return r;
	diag_init(&first, l->arena);
	diag_init(&second, l->arena);
	r = try_call(l, &s, order[0], &first);
	diag_take_notes(diag, &first);
	if (r == 0) {
		if (reason)
			note(diag, "load/by-file", "loaded by kexec_file_load, because %s", reason);
		return 0;
	}
	if (!may_try_other(l, order[0], &first))
		return diag_take_failure(diag, &first);
	r = try_call(l, &s, order[1], &second);
	diag_take_notes(diag, &second);
	if (r < 0)
		return fail_both(&first, &second, diag);
	warn(diag, "load/fell-back", "loaded by %s, because: %s [%s]",
	     order[1] == CALL_LOAD ? "kexec_load, which loses hand-overs" : "kexec_file_load",
	     first.text, first.id);
	return 0;
}

int load_commit(struct load *l, int *ret_status, struct diag *diag)
{
	int r;

	*ret_status = STATUS_FAILED;
	if (l->options->reload && l->facts.crash.is_kept_current) {
		note(diag, "load/kept",
		     "the running kernel keeps the loaded crash kernel up to date: it stays");
		l->is_kept = true;
		return 0;
	}
	switch (l->options->call) {
	case CALL_LOAD:
		r = load_plan(l, diag);
		return r < 0 ? r : load_by_segments(l, diag);
	case CALL_FILE:
		return load_only_by_file(l, ret_status, diag);
	default:
		return load_by_either(l, diag);
	}
}

static int find_entry(const struct load *l, phys_t *ret, struct diag *diag)
{
	const struct options *o = l->options;

	if (o->has_entry && o->entry != 0) {
		*ret = o->entry;
		return 0;
	}
	if (cmdline_find_number(l->facts.cmdline, "kexec_jump_back_entry", ret) && *ret != 0)
		return 0;
	fail(diag, EINVAL, "jump/no-entry",
	     "where the other kernel waits is not known: the running one's command line has no "
	     "kexec_jump_back_entry=");
	return fail_advise(diag, "--entry=ADDR, if it is known from elsewhere; else this kernel was "
				 "not started by --load-preserve-context");
}

int load_jump_back_helper(struct load *l, struct diag *diag)
{
	const struct options *o = l->options;
	struct request *req = &l->request;
	bool is_loaded;
	uint64_t gdt = 0;
	phys_t entry;
	int r;

	*req = (struct request){
		.mem_min = o->mem_min,
		.mem_end = o->mem_end,
		.digest = o->digest,
		.quiet = o->quiet,
		.on_failure = o->on_failure,
		.console_serial = o->console_serial,
		.console_vga = o->console_vga,
		.serial_port = o->serial_port,
		.serial_baud = o->serial_baud,
	};
	if (host_is_loaded("", false, &is_loaded) == 0 && is_loaded) {
		fail(diag, EBUSY, "jump/loaded",
		     "a kernel is loaded already: is this the kernel that was jumped to?");
		return fail_advise(diag, "there, kexec -u unloads it");
	}
	r = host_read("", l->arena, &l->facts, diag);
	if (r == 0)
		r = find_entry(l, &entry, diag);
	plan_init(&l->plan, l->arena);
	if (r == 0 && !cmdline_find_number(l->facts.cmdline, "kexec_jump_back_gdt", &gdt))
		gdt = 0;
	if (r == 0)
		r = x86_plan_jump_back_helper(entry, gdt, &l->facts, &l->plan, diag);
	if (r == 0)
		r = x86_plan_purgatory(req, &l->facts, &l->plan, diag);
	if (r == 0)
		r = place(&l->plan, &l->facts, req->mem_min, req->mem_end, diag);
	if (r == 0)
		r = x86_finish_purgatory(req, &l->facts, &l->plan, diag);
	if (r == 0)
		r = plan_check(&l->plan, &l->facts, req->mem_min, req->mem_end, diag);
	if (r < 0)
		return r;
	return load_into_kernel(l, diag);
}

static int unload_from_xen(const struct facts *facts, bool crash, struct diag *diag)
{
	struct xen x;
	int r = xen_open(facts, &x, diag);

	if (r < 0)
		return r;
	r = xen_unload(&x, crash, diag);
	xen_close(&x);
	return r;
}

int load_unload(const struct options *o, struct arena *a, int *ret_status, struct diag *diag)
{
	struct facts facts = { .release = "?" };
	struct record_turn turn = { 0 };
	struct diag ignored;
	int r = -ENOSYS;

	*ret_status = STATUS_FAILED;
	if (host_find_xen("", a, &facts))
		return unload_from_xen(&facts, o->unload_crash, diag);
	record_turn_begin(&turn, o->unload_crash);
	if (o->call != CALL_FILE)
		r = sys_kexec_unload(o->unload_crash);
	/* Under lockdown only the file call may unload. */
	if (r < 0 && o->call != CALL_LOAD)
		r = sys_kexec_file_unload(o->unload_crash);
	if (r == 0)
		record_remove(o->unload_crash);
	record_turn_end(&turn, r == 0);
	if (r == 0)
		return 0;
	diag_init(&ignored, NULL);
	if (host_read("", a, &facts, &ignored) < 0)
		facts.release = "?";
	return explain_here(o->unload_crash ? ATTEMPT_CRASH_UNLOAD : ATTEMPT_UNLOAD, -r, &facts,
			    diag);
}
