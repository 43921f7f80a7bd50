// SPDX-License-Identifier: GPL-2.0-or-later
/* argv in, exit status out. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "entries_run.h"
#include "explain.h"
#include "export_run.h"
#include "host.h"
#include "inspect_run.h"
#include "load.h"
#include "options.h"
#include "questions.h"
#include "rehearsal_report.h"
#include "rehearsal_stage.h"
#include "report.h"
#include "sys.h"

#define STATUS_OK	0
#define STATUS_NOTHING	1	/* -e, and nothing is loaded */
#define STATUS_FAILED	255
/* Of a rehearsal. */
#define STATUS_REHEARSED_BAD		1
#define STATUS_REHEARSED_UNKNOWN	2

static int status_of_xen(const struct facts *facts, bool crash, bool *ret, struct diag *diag)
{
	struct xen x;
	int r = xen_open(facts, &x, diag);

	if (r < 0)
		return r;
	r = xen_is_loaded(&x, crash, ret, diag);
	xen_close(&x);
	return r;
}

static int run_status(const struct options *o, struct arena *a, struct diag *diag)
{
	struct facts facts = { 0 };
	bool is_loaded;

	if (!o->host_root && host_find_xen("", a, &facts)) {
		if (status_of_xen(&facts, o->status_crash, &is_loaded, diag) == 0)
			return is_loaded;
		report_failure(stderr, diag, NULL);
		return STATUS_FAILED;
	}
	if (host_is_loaded(o->host_root ? o->host_root : "", o->status_crash, &is_loaded) < 0) {
		fail(diag, ENOENT, "status/unknown",
		     "the running kernel does not say whether one is loaded: no "
		     "/sys/kernel/kexec_loaded");
		report_failure(stderr, diag, NULL);
		return STATUS_FAILED;
	}
	return is_loaded;
}

static int run_print_ckr_size(const struct options *o, struct arena *a, struct diag *diag)
{
	struct facts facts = { 0 };
	uint64_t len = 0;

	if (host_read(o->host_root ? o->host_root : "", a, &facts, diag) < 0) {
		report_failure(stderr, diag, NULL);
		return STATUS_FAILED;
	}
	if (facts.crash_kernel.n > 0)
		len = range_len(facts.crash_kernel.r[facts.crash_kernel.n - 1]);
	printf("%" PRIu64 "\n", len);
	return STATUS_OK;
}

static int run_unload(const struct options *o, struct arena *a, struct diag *diag)
{
	int status;

	if (load_unload(o, a, &status, diag) == 0)
		return STATUS_OK;
	report_failure(stderr, diag, NULL);
	return status;
}

/* The plan, in the forms that were asked for. kexec_file_load makes a plan of its own. */
static int report(const struct load *l, struct diag *diag)
{
	const struct options *o = l->options;
	/* The real machine, but segments may go where the plan let them. */
	struct facts facts = l->facts;
	const struct report in = {
		.options = o,
		.request = &l->request,
		.facts = &facts,
		.plan = &l->plan,
		.budget = l->has_budget ? &l->budget : NULL,
		.diag = diag,
	};
	int r = 0;

	facts.ram = l->target.ram;
	if (l->call == CALL_FILE && (o->json || o->map))
		warn(diag, "load/no-plan",
		     "loaded by kexec_file_load: the running kernel placed it, there is no plan to "
		     "show");
	if (o->debug && l->call != CALL_FILE && !l->is_kept)
		report_text(stderr, &in);
	else if (o->debug)
		report_notes(stderr, diag);
	else
		report_warnings(stderr, diag);
	if (l->call == CALL_FILE || l->is_kept)
		return 0;
	if (o->json)
		r = report_json(stdout, &in, diag);
	if (r == 0 && o->map)
		r = report_map(stdout, &in, report_columns(), diag);
	if (r == 0 && o->dry_run && !o->json && !o->map && !o->debug)
		report_text(stdout, &in);
	return r;
}

/* The plan, if -d or --map asks for it, then how it went. */
static int report_rehearsal(struct load *l, double plan_seconds, int *ret_status,
			    struct diag *diag)
{
	static const int statuses[] = {
		[REHEARSED_GOOD] = STATUS_OK,
		[REHEARSED_BAD] = STATUS_REHEARSED_BAD,
		[REHEARSED_UNKNOWN] = STATUS_REHEARSED_UNKNOWN,
	};
	struct facts facts = l->facts;
	const struct report in = {
		.options = l->options,
		.request = &l->request,
		.facts = &facts,
		.plan = &l->plan,
		.budget = l->has_budget ? &l->budget : NULL,
		.diag = diag,
	};
	const struct rehearsal_watcher watcher = { .see = rehearsal_watch, .report = &in };
	/* What comes before the stages then is not known yet, or there are no lines. */
	const bool is_live = isatty(STDOUT_FILENO) && !l->options->json && !l->options->map;
	struct rehearsal rehearsal;
	int r = l->options->rehearse_vm ? rehearse_vm(l, plan_seconds, is_live ? &watcher : NULL,
						      &rehearsal, diag) :
					  rehearse(l, plan_seconds, &rehearsal, diag);

	if (r < 0)
		return r;
	facts.ram = l->target.ram;
	if (l->options->debug)
		report_text(stderr, &in);
	else
		report_warnings(stderr, diag);
	if (l->options->map)
		r = report_map(stdout, &in, report_columns(), diag);
	if (r == 0 && l->options->json)
		r = rehearsal_json(stdout, &in, &rehearsal, diag);
	else if (r == 0)
		rehearsal_text(stdout, &in, &rehearsal);
	*ret_status = statuses[rehearsal.verdict];
	return r;
}

static int fail_load(const struct load *l, struct diag *diag, int status)
{
	if (l->options->debug)
		report_notes(stderr, diag);
	else
		report_warnings(stderr, diag);
	report_failure_of(l->options, diag);
	return status;
}

static int run_load(const struct options *o, struct arena *a, struct diag *diag)
{
	int status = STATUS_FAILED;
	const double start = rehearsal_now();
	struct load l;
	int r;

	/* What cannot be printed afterwards is refused before anything is loaded. */
	if (o->json && report_json_check(diag) < 0) {
		report_failure(stderr, diag, NULL);
		return STATUS_FAILED;
	}

	load_init(&l, o, a);
	l.is_caged = !o->no_sandbox;
	file_catch_truncation();
	r = load_read(&l, diag);
	if (r == 0)
		r = o->dry_run ? load_plan(&l, diag) : load_commit(&l, &status, diag);
	progress_end(&l.progress);
	if (r == 0 && !o->dry_run && !l.is_kept)
		load_record(&l, diag);
	if (r == 0)
		status = STATUS_OK;
	if (r == 0)
		r = o->rehearse ? report_rehearsal(&l, rehearsal_now() - start, &status, diag) :
				  report(&l, diag);
	if (r < 0)
		status = fail_load(&l, diag, status == STATUS_OK ? STATUS_FAILED : status);
	load_free(&l);
	return status;
}

static int run_inspect(const struct options *o, struct arena *a, struct diag *diag)
{
	if (inspect_run(o, a, diag) == 0)
		return STATUS_OK;
	report_failure_of(o, diag);
	return STATUS_FAILED;
}

static int run_export(const struct options *o, struct arena *a, struct diag *diag)
{
	int r = export_run(o, a, diag);

	if (o->debug)
		report_notes(stderr, diag);
	else
		report_warnings(stderr, diag);
	if (r == 0)
		return STATUS_OK;
	report_failure(stderr, diag, NULL);
	return STATUS_FAILED;
}

static int run_jump_back_helper(const struct options *o, struct arena *a, struct diag *diag)
{
	struct load l;
	int r;

	load_init(&l, o, a);
	r = load_jump_back_helper(&l, diag);
	progress_end(&l.progress);
	if (o->debug)
		report_notes(stderr, diag);
	else
		report_warnings(stderr, diag);
	if (r < 0)
		report_failure(stderr, diag, NULL);
	load_free(&l);
	return r < 0 ? STATUS_FAILED : STATUS_OK;
}

static int fail_nothing_loaded(struct diag *diag)
{
	fail(diag, EINVAL, "exec/nothing-loaded", "nothing has been loaded to jump into");
	fail_advise(diag, "load a kernel first: kexec -l KERNEL --initrd=... --append=...");
	report_failure(stderr, diag, NULL);
	return STATUS_NOTHING;
}

/* The same of the hypervisor, which needs no word of dom0's kernel. */
static int run_exec_on_xen(const struct options *o, const struct facts *facts, struct diag *diag)
{
	bool is_loaded;
	struct xen x;
	int r = xen_open(facts, &x, diag);

	if (r == 0) {
		r = xen_is_loaded(&x, false, &is_loaded, diag);
		if (r < 0)
			xen_close(&x);
	}
	if (r < 0) {
		report_failure(stderr, diag, NULL);
		return STATUS_FAILED;
	}
	if (!is_loaded) {
		xen_close(&x);
		return fail_nothing_loaded(diag);
	}
	if (!o->no_sync)
		sys_sync();
	if (!o->no_ifdown)
		sys_interfaces_down();
	r = xen_exec(&x, diag);
	report_failure(stderr, diag, NULL);
	xen_close(&x);
	return r == 0 ? STATUS_OK : STATUS_FAILED;
}

/* sync, interfaces down, jump. */
static int run_exec(const struct options *o, struct arena *a, struct diag *diag)
{
	struct facts facts = { .release = "?" };
	struct diag ignored;
	bool is_loaded;
	int r;

	if (host_find_xen("", a, &facts))
		return run_exec_on_xen(o, &facts, diag);
	if (host_is_loaded("", false, &is_loaded) == 0 && !is_loaded)
		return fail_nothing_loaded(diag);
	/* Known before the network is gone. */
	if (!sys_may_boot()) {
		explain_here(ATTEMPT_EXEC, EPERM, &facts, diag);
		report_failure(stderr, diag, NULL);
		return STATUS_FAILED;
	}
	if (!o->no_sync)
		sys_sync();
	if (!o->no_ifdown)
		sys_interfaces_down();
	r = sys_reboot_kexec();
	/* What was loaded to come back from has come back. */
	if (r == 0)
		return STATUS_OK;
	diag_init(&ignored, NULL);
	if (host_read("", a, &facts, &ignored) < 0)
		facts.release = "?";
	explain_here(ATTEMPT_EXEC, -r, &facts, diag);
	report_failure(stderr, diag, NULL);
	return STATUS_FAILED;
}

static int run_shutdown(struct diag *diag)
{
	int r = sys_exec_shutdown();

	fail(diag, -r, "shutdown/not-run", "the kernel is loaded, but shutdown could not be run");
	fail_advise(diag, "stop the services as this system does it, then run kexec -e");
	report_failure(stderr, diag, NULL);
	return STATUS_FAILED;
}

/* What was printed must have got out: a plan cut by a full disk is no success, nor an answer of which
 * nobody got the end. */
static int flush(const struct options *o, int status)
{
	struct diag diag;
	int r = fflush(stdout) == 0 ? 0 : -errno;

	if (r == 0 && !ferror(stdout))
		return status;
	/* Not a second time, when it is flushed again. */
	__fpurge(stdout);
	clearerr(stdout);
	/* A failure has its reason already. */
	if (status == STATUS_FAILED)
		return status;
	diag_init(&diag, NULL);
	fail(&diag, r < 0 ? -r : EIO, "output/write", "cannot write the output%s%s%s",
	     r < 0 ? ": " : "", r < 0 ? strerror(-r) : "",
	     status == STATUS_OK && o->load && !o->dry_run ? "; the kernel is loaded" : "");
	report_failure(stderr, &diag, NULL);
	return STATUS_FAILED;
}

/* A kernel named as @ENTRY becomes the files of that entry. */
static int run_entry(const struct options *o, struct arena *a, struct options *ret,
		     struct diag *diag)
{
	if (entries_resolve(o, a, ret, diag) == 0)
		return STATUS_OK;
	report_warnings(stderr, diag);
	report_failure_of(o, diag);
	return STATUS_FAILED;
}

static int run(const struct options *o, struct arena *a, struct diag *diag)
{
	struct options of_entry;
	int status = STATUS_OK;

	if (o->help) {
		report_help(stdout);
		return o->help_status;
	}
	if (o->version) {
		printf("kexec-ng %s\n", KEXEC_NG_VERSION);
		return STATUS_OK;
	}
	if (!o->load)
		report_warnings(stderr, diag);
	if (o->print_ckr_size)
		return run_print_ckr_size(o, a, diag);
	if (o->status || o->status_crash)
		return run_status(o, a, diag);
	if (o->check || o->show || o->last)
		return questions_answer(o, a, diag);
	if (o->list)
		return entries_list(o, a, diag);
	if (o->unload || o->unload_crash)
		return run_unload(o, a, diag);
	if (entries_is_one(o)) {
		status = run_entry(o, a, &of_entry, diag);
		if (status != STATUS_OK)
			return flush(o, status);
		o = &of_entry;
	}
	if (o->inspect)
		return run_inspect(o, a, diag);
	if (o->export.kind != EXPORT_NONE)
		return run_export(o, a, diag);
	if (o->jump_back_helper)
		status = run_jump_back_helper(o, a, diag);
	if (o->load)
		status = flush(o, run_load(o, a, diag));
	if (status == STATUS_OK && o->exec)
		status = run_exec(o, a, diag);
	if (status == STATUS_OK && o->bare_reboot)
		status = run_shutdown(diag);
	return status;
}

/* A file opened as descriptor 1 or 2 would get what is printed. */
static void keep_standard_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

int main(int argc, char *argv[])
{
	struct arena arena = { 0 };
	struct options options;
	struct diag diag;
	int status;

	keep_standard_fds();
	diag_init(&diag, &arena);
	if (options_parse(argc, argv, &arena, &options, &diag) < 0) {
		report_failure(stderr, &diag, NULL);
		status = options_exit_status(&diag);
	} else {
		status = flush(&options, run(&options, &arena, &diag));
	}
	arena_free(&arena);
	return status;
}
