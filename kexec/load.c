// SPDX-License-Identifier: GPL-2.0-or-later
#include "load.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "arch/x86/x86.h"
#include "cmdline.h"
#include "explain.h"
#include "host.h"
#include "load_stages.h"
#include "place.h"
#include "record.h"
#include "sys.h"

/* Exit statuses of a failed load, as callers of kexec-tools know them. */
#define STATUS_FAILED		255
#define STATUS_FILE_REFUSED	253	/* -s, and the kernel did not take the image */

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

	/* What is read after a call may be what the call itself has used up. */
	host_read_policy_again("", &l->facts);
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
					   "kernel/not-appraised", "kernel/access" };
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
	host_read_policy_again("", &l->facts);
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
	if (first == CALL_FILE && facts_locked_down(&l->facts))
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
	const char *reason = load_reason_for_file_call(l);
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

/* Does the running kernel say so? It may not be asked, or not be heard. */
static bool crash_kernel_is(bool there)
{
	bool is_loaded;

	return host_is_loaded("", true, &is_loaded) == 0 && is_loaded == there;
}

/* Both calls free what is loaded for a panic before they look at what is to replace it, signatures
 * included (kernel/kexec.c, do_kexec_load(); kernel/kexec_file.c). */
static void tell_if_gone(struct load *l, struct diag *diag)
{
	if (!crash_kernel_is(false))
		return;
	if (!record_remove(true))
		record_turn_leave(&l->turn);
	warn(diag, "load/crash-kernel-gone",
	     "what was loaded for a panic before is gone, as the running kernel drops it before it "
	     "looks at something new: load it again");
}

static int commit(struct load *l, int *ret_status, struct diag *diag)
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

int load_commit(struct load *l, int *ret_status, struct diag *diag)
{
	const bool had_crash_kernel = l->options->load_crash && crash_kernel_is(true);
	int r = commit(l, ret_status, diag);

	if (r < 0 && had_crash_kernel)
		tell_if_gone(l, diag);
	return r;
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

/* Under lockdown only the file call may unload; the other would only count against a limit. */
static int unload(enum call call, bool crash, bool is_locked_down)
{
	const bool is_file_first = call == CALL_FILE || (is_locked_down && call != CALL_LOAD);
	int r = is_file_first ? sys_kexec_file_unload(crash) : sys_kexec_unload(crash);

	if (r < 0 && call == CALL_AUTO && !is_file_first)
		r = sys_kexec_file_unload(crash);
	return r;
}

int load_unload(const struct options *o, struct arena *a, int *ret_status, struct diag *diag)
{
	struct facts facts = { .release = "?", .cmdline = "" };
	struct record_turn turn = { 0 };
	struct policy_facts policy;
	struct diag ignored;
	int r;

	*ret_status = STATUS_FAILED;
	if (host_find_xen("", a, &facts))
		return unload_from_xen(&facts, o->unload_crash, diag);
	record_turn_begin(&turn, o->unload_crash);
	host_read_policy_again("", &facts);
	policy = facts.policy;
	r = unload(o->call, o->unload_crash, facts_locked_down(&facts));
	/* A record that stays tells of what is not loaded: so does the mark beside it. */
	if (r == 0 && !record_remove(o->unload_crash))
		record_turn_leave(&turn);
	record_turn_end(&turn, r == 0);
	if (r == 0)
		return 0;
	diag_init(&ignored, NULL);
	if (host_read("", a, &facts, &ignored) < 0)
		facts.release = "?";
	facts.policy = policy;	/* as it was then */
	return explain_here(o->unload_crash ? ATTEMPT_CRASH_UNLOAD : ATTEMPT_UNLOAD, -r, &facts,
			    diag);
}
