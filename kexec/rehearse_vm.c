// SPDX-License-Identifier: GPL-2.0-or-later
/* --rehearse=vm: from a plan to the init process of its kernel, in a virtual machine. */
#include "rehearse_vm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "advice.h"
#include "qemu.h"
#include "rehearsal_stage.h"
#include "rehearse_console.h"

#define LOOK_MS			50
#define KVM_PROBE_SECONDS	10	/* slower than that is slower than QEMU's own */
#define PROBE_SECONDS		60
#define CALM_SECONDS		4.0	/* of silence after init was started, and ... */
#define AFTER_INIT_SECONDS	30.0	/* ... so long at most it is watched */
#define LAST_WORDS_SECONDS	1.0	/* what comes after a panic */
#define ASK_SECONDS		1.0	/* between questions of what the CPU does */
#define HALTED_ENOUGH		2	/* answers that it has stopped */
#define REPORT_LEN		(64 * KIB)
#define TAIL_LEN		1200	/* of the console, in the report */

struct vm_run {
	struct load *l;
	struct rehearsal *out;
	struct vm_machine machine;
	struct vm_load vm;
	const char *program, *folder;
	struct qemu qemu;
	struct console console;
	uint64_t n_read;
	double start;		/* of the stage */
	const struct rehearsal_watcher *watcher;	/* NULL: none */
	double begin, seen_at;	/* of all of it; when the watcher was told last */
	double init_at;		/* when the console said so; 0: never */
	bool is_left, is_kernel;	/* purgatory and kernel were judged, and good */
};

/* ---- who looks on ---- */

static void show(struct vm_run *run, const char *awaited)
{
	run->out->awaited = awaited;
	run->seen_at = rehearsal_now();
	run->out->seconds = run->seen_at - run->begin;
	if (run->watcher)
		run->watcher->see(run->watcher, run->out);
}

static void show_each_second(struct vm_run *run)
{
	if (rehearsal_now() - run->seen_at >= 1.0)
		show(run, run->out->awaited);
}

/* ---- what is said ---- */

printf_like(3, 4) static int say_good(struct vm_run *run, const char *name, const char *fmt, ...)
{
	struct rehearsal_stage *s =
		rehearsal_add_stage(run->out, &run->start, name, REHEARSED_GOOD);
	va_list args;
	int r;

	va_start(args, fmt);
	r = rehearsal_set_text(s, run->l->arena, fmt, args);
	va_end(args);
	return r;
}

/* EINVAL is a verdict on the load, any other error of the rehearsal only. */
static int say_failure(struct vm_run *run, const char *name, const struct diag *why)
{
	return rehearsal_add_failure(run->out, &run->start, run->l->arena, name, why,
				     why->error == EINVAL ? REHEARSED_BAD : REHEARSED_UNKNOWN);
}

/* ---- the machine ---- */

#define ARGS_MAX	32

static int make_args(const struct vm_run *run, bool is_probe, const char **args)
{
	const struct vm_machine *m = &run->machine;
	struct arena *a = run->l->arena;
	const char *machine = arena_printf(a, "pc,accel=%s,memory-backend=ram",
					   m->is_kvm ? "kvm" : "tcg");
	const char *ram = arena_printf(a, "memory-backend-ram,id=ram,size=%" PRIu64 "M,reserve=off",
				       m->len / MIB);
	const char *len = arena_printf(a, "%" PRIu64 "M", m->len / MIB);
	size_t n = 0;

	if (!machine || !ram || !len)
		return -ENOMEM;
	args[n++] = "-machine";
	args[n++] = machine;
	args[n++] = "-object";
	args[n++] = ram;
	args[n++] = "-m";
	args[n++] = len;
	args[n++] = "-cpu";
	args[n++] = m->cpu;
	args[n++] = "-device";
	args[n++] = "VGA";
	args[n++] = "-chardev";
	args[n++] = "file,id=com1,path=" QEMU_CONSOLE;
	args[n++] = "-serial";
	args[n++] = "chardev:com1";
	if (is_probe) {
		args[n++] = "-chardev";
		args[n++] = "file,id=report,path=" QEMU_REPORT;
		args[n++] = "-device";
		args[n++] = "isa-debugcon,iobase=0xe9,chardev=report";
		args[n++] = "-device";
		args[n++] = "isa-debug-exit,iobase=0xf4,iosize=4";
	}
	args[n] = NULL;
	return 0;
}

static int start(struct vm_run *run, const struct plan *plan, struct diag *diag)
{
	const char *args[ARGS_MAX];
	struct export_file file;
	int fd, r;

	r = vm_image_make(plan, run->vm.is_32, &run->machine.map, run->l->arena, &file, diag);
	if (r < 0)
		return r;
	if (make_args(run, !plan, args) < 0)
		return fail_nomem(diag);
	fd = qemu_write_kernel(file.pieces, file.n, diag);
	if (fd < 0)
		return fd;
	r = qemu_start(&run->qemu, run->program, run->folder, args, fd, diag);
	close(fd);
	return r;
}

/* The last line that QEMU itself had to say. */
static int fail_qemu(struct vm_run *run, struct diag *diag)
{
	char text[512];
	size_t len = qemu_read(run->folder, QEMU_LOG, 0, text, sizeof(text) - 1);

	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return fail(diag, EOPNOTSUPP, "rehearse/qemu-failed", "%s ended%s%s", run->program,
		    len > 0 ? ": " : "", text);
}

/* Starts the machine without a plan: it says what it has and ends. *ret: how long that took. */
static int probe(struct vm_run *run, unsigned int limit, double *ret, struct diag *diag)
{
	const double begin = rehearsal_now();
	char *report = arena_alloc(run->l->arena, REPORT_LEN);
	enum qemu_state state;
	size_t len;
	int r = report ? start(run, NULL, diag) : fail_nomem(diag);

	if (r < 0)
		return r;
	do {
		state = qemu_look(&run->qemu, LOOK_MS);
		show_each_second(run);
	} while (state == QEMU_RUNS && rehearsal_now() - begin < limit);
	qemu_stop(&run->qemu);
	*ret = rehearsal_now() - begin;
	len = qemu_read(run->folder, QEMU_REPORT, 0, report, REPORT_LEN);
	qemu_remove(run->folder, QEMU_REPORT);
	if (state == QEMU_RUNS)
		return fail(diag, ETIMEDOUT, "rehearse/vm-slow",
			    "a virtual machine did not get to its first instruction in %u s", limit);
	if (len == 0)
		return fail_qemu(run, diag);
	return vm_map_read(span_of(report, len), run->l->arena, &run->machine.map, diag);
}

/* KVM may be there and be slow, emulated itself: it is taken only if it is the faster one. */
static int probe_both(struct vm_run *run, struct diag *diag)
{
	struct vm_machine *m = &run->machine, by_kvm;
	double seconds, kvm_seconds = 1e9;
	struct diag ignored;
	int r;

	diag_init(&ignored, NULL);
	m->is_kvm = qemu_has_kvm();
	if (m->is_kvm && (vm_choose_cpu(run->l, m) < 0 ||
			  probe(run, KVM_PROBE_SECONDS, &kvm_seconds, &ignored) < 0))
		kvm_seconds = 1e9;
	by_kvm = *m;
	m->is_kvm = false;
	if (vm_choose_cpu(run->l, m) < 0)
		return fail_nomem(diag);
	r = probe(run, PROBE_SECONDS, &seconds, diag);
	if (kvm_seconds < 1e9 && (r < 0 || kvm_seconds < seconds)) {
		*m = by_kvm;
		diag_clear(diag);
		r = 0;
	}
	return r;
}

static int say_machine(struct vm_run *run)
{
	const struct vm_machine *m = &run->machine;
	const unsigned int *v = run->qemu.version;

	return say_good(run, "machine",
			"QEMU %u.%u.%u (%s), %" PRIu64 " MiB%s, one CPU%s%s; no disk, no network", v[0],
			v[1], v[2], m->is_kvm ? "KVM" : "TCG", m->len / MIB,
			m->is_smaller ? ", less than this machine has" : " as this machine",
			m->is_kvm ? ", this machine's" :
			*m->without ? " of QEMU's own without " : " of QEMU's own", m->without);
}

static int say_placed(struct vm_run *run)
{
	const struct vm_load *v = &run->vm;

	return say_good(run, "placed",
			"%zu of %zu segments at other addresses than here%s%s%s%s", v->n_moved,
			v->load.plan.n_segments,
			v->is_region_moved ? ", with the reservation, as this machine's memory map is "
					     "another" : "",
			*v->words ? "; words put in front of the command line: " : "", v->words,
			"");
}

/* ---- what it says ---- */

static void read_console(struct vm_run *run)
{
	char text[4096];
	size_t n;

	while ((n = qemu_read(run->folder, QEMU_CONSOLE, run->n_read, text, sizeof(text))) > 0) {
		console_read(&run->console, text, n);
		run->n_read += n;
	}
}

/* ---- the verdicts ---- */

/* Why it went no further, where nothing in the lines says so. */
static int fail_silent(const struct vm_run *run, const char *who, struct diag *why)
{
	if (run->qemu.state == QEMU_RUNS && run->qemu.n_halted >= HALTED_ENOUGH)
		return fail(why, EINVAL, "rehearse/vm-halted",
			    "%s stopped the CPU for good, at %#" PRIx64, who, run->qemu.halted_at);
	switch (run->qemu.state) {
	case QEMU_RESET:
		return fail(why, EINVAL, "rehearse/vm-reset", "%s reset the machine", who);
	case QEMU_OFF:
		return fail(why, EINVAL, "rehearse/vm-off", "%s switched the machine off", who);
	case QEMU_EXITED:
		return fail(why, EOPNOTSUPP, "rehearse/vm-lost", "QEMU ended by itself");
	default:
		return fail(why, ETIMEDOUT, "rehearse/vm-time",
			    "%s did not get further within %u s", who,
			    run->l->options->rehearse_seconds);
	}
}

static int judge_purgatory(struct vm_run *run)
{
	const struct console *c = &run->console;
	struct diag why;

	diag_init(&why, NULL);
	run->is_left = c->has_kernel || c->is_intact;
	if (run->is_left)
		return say_good(run, "purgatory", "%s",
				c->purgatory[0] ? c->purgatory : "it said nothing, and got further");
	if (c->is_damaged)
		fail(&why, EINVAL, "rehearse/vm-damaged", "%s", c->trouble);
	else if (c->end == CONSOLE_EXCEPTION)
		fail(&why, EINVAL, "rehearse/vm-exception", "%s", c->trouble);
	else
		fail_silent(run, c->has_purgatory ? "purgatory" : "what is before purgatory", &why);
	return say_failure(run, "purgatory", &why);
}

static int judge_kernel(struct vm_run *run)
{
	const struct console *c = &run->console;
	struct diag why;

	diag_init(&why, NULL);
	run->is_kernel = c->has_kernel;
	if (run->is_kernel)
		return say_good(run, "kernel", "%.60s", c->version);
	if (c->end != CONSOLE_NONE)
		fail(&why, EINVAL, "rehearse/vm-stub", "%s", c->trouble);
	else if (run->vm.load.plan.kernel_version == NULL)
		fail(&why, EOPNOTSUPP, "rehearse/vm-no-linux",
		     "this is no Linux kernel: what it says is nothing that can be judged");
	else
		fail_silent(run, "the kernel, before its first line,", &why);
	return say_failure(run, "kernel", &why);
}

static int fail_memory(const struct vm_run *run, struct diag *why)
{
	const struct console *c = &run->console;

	/* A machine that is smaller than the real one says nothing about that. */
	fail(why, run->machine.is_smaller && !run->l->request.is_crash ? EOPNOTSUPP : EINVAL,
	     "rehearse/vm-memory", "it ran out of memory: %s", c->trouble);
	if (run->l->request.is_crash)
		fail_advise(why, "reserve more: a larger crashkernel=, or a smaller initrd");
	return 0;
}

static int judge_vmcore(struct vm_run *run)
{
	struct diag why;

	diag_init(&why, NULL);
	if (!run->console.has_no_vmcore)
		return say_good(run, "vmcore", "the kernel took the headers of the dump: it did not "
				"complain");
	/* What the dead kernel left is an imitation here: no fault of this one. */
	fail(&why, EOPNOTSUPP, "rehearse/vm-vmcore", "%s", run->console.trouble);
	return say_failure(run, "vmcore", &why);
}

static int judge_init(struct vm_run *run)
{
	const struct console *c = &run->console;
	const bool was_ended = c->end == CONSOLE_PANIC || c->end == CONSOLE_EXCEPTION;
	struct diag why;
	int r;

	diag_init(&why, NULL);
	if (c->end == CONSOLE_NO_MEMORY || c->has_killed || c->has_no_room)
		fail_memory(run, &why);
	else if (c->has_bad_initrd)
		fail(&why, EINVAL, "rehearse/vm-initrd", "%s", c->trouble);
	else if (c->end == CONSOLE_NO_ROOT)
		fail(&why, EOPNOTSUPP, "rehearse/vm-no-root",
		     "the kernel came up and has no root file system, as the virtual machine has no "
		     "disk: %s", c->trouble);
	else if (was_ended)
		fail(&why, EINVAL, "rehearse/vm-panic", "%s", c->trouble);
	else if (!c->has_init)
		fail_silent(run, "the kernel", &why);
	/* How long it was watched thereafter is no time of the kernel's. */
	if (run->init_at > 0)
		run->start += rehearsal_now() - run->init_at;
	if (why.id)
		return say_failure(run, "init", &why);
	r = say_good(run, "init", "%s%s%s", c->init,
		     c->has_login ? ", up to a login prompt" : "",
		     run->qemu.state == QEMU_OFF   ? ", which switched the machine off" :
		     run->qemu.state == QEMU_RESET ? ", which reset the machine" : "");
	return r == 0 && run->l->request.is_crash ? judge_vmcore(run) : r;
}

/* ---- the watch ---- */

static bool is_decided(const struct console *c)
{
	return c->end != CONSOLE_NONE || c->is_damaged || c->has_login;
}

/* What is certain by now. */
static int judge_so_far(struct vm_run *run)
{
	const struct console *c = &run->console;
	int r = 0;

	if (!run->is_left && (c->is_intact || c->has_kernel)) {
		r = judge_purgatory(run);
		show(run, "kernel");
	}
	if (r == 0 && !run->is_kernel && c->has_kernel) {
		r = judge_kernel(run);
		show(run, "init");
	}
	if (run->init_at == 0 && c->has_init)
		run->init_at = rehearsal_now();
	return r;
}

/* Is it over? */
static bool is_over(struct vm_run *run, double heard, double *decided_at)
{
	const double now = rehearsal_now();

	if (*decided_at == 0 && is_decided(&run->console))
		*decided_at = now;
	return (*decided_at > 0 && now - *decided_at > LAST_WORDS_SECONDS) ||
	       run->qemu.n_halted >= HALTED_ENOUGH ||
	       (run->init_at > 0 &&
		(now - heard > CALM_SECONDS || now - run->init_at > AFTER_INIT_SECONDS));
}

static int watch(struct vm_run *run)
{
	const double end = rehearsal_now() + run->l->options->rehearse_seconds;
	double heard = rehearsal_now(), asked = heard, decided_at = 0;
	uint64_t n_before = 0;
	int r = 0;

	show(run, "purgatory");
	while (r == 0 && rehearsal_now() < end && !is_over(run, heard, &decided_at)) {
		const enum qemu_state state = qemu_look(&run->qemu, LOOK_MS);

		read_console(run);
		r = judge_so_far(run);
		show_each_second(run);
		if (state != QEMU_RUNS)
			break;
		if (run->n_read != n_before)
			heard = rehearsal_now();
		n_before = run->n_read;
		if (rehearsal_now() - (heard > asked ? heard : asked) > ASK_SECONDS) {
			qemu_ask_cpu(&run->qemu);
			asked = rehearsal_now();
		}
	}
	read_console(run);
	console_flush(&run->console);
	return r;
}

/* What is left, when it is over. */
static int judge_rest(struct vm_run *run)
{
	int r = 0;

	if (!run->is_left)
		r = judge_purgatory(run);
	if (r == 0 && run->is_left && !run->is_kernel)
		r = judge_kernel(run);
	return r == 0 && run->is_kernel ? judge_init(run) : r;
}

/* ---- all of it ---- */

/* The end of what is in the file, for the report. */
static void keep_tail(struct vm_run *run)
{
	struct rehearsal *out = run->out;
	char *text = arena_alloc(run->l->arena, TAIL_LEN);
	const uint64_t off = run->n_read > TAIL_LEN ? run->n_read - TAIL_LEN : 0;
	size_t len = text ? qemu_read(run->folder, QEMU_CONSOLE, off, text, TAIL_LEN) : 0;
	const char *line = off > 0 && len > 0 ? memchr(text, '\n', len) : NULL;

	if (len == 0)
		return;
	if (line) {
		len -= (size_t)(line + 1 - text);
		text += line + 1 - text;
	}
	out->consoles[out->n_consoles++] = (struct rehearsal_console){
		.of = "the end of it", .serial = text, .serial_len = len, .screen = "",
	};
	out->console_path = arena_printf(run->l->arena, "%s/" QEMU_CONSOLE, run->folder);
}

static int run_vm(struct vm_run *run)
{
	const struct load *l = run->l;
	struct diag why;
	int r = 0;

	diag_init(&why, l->arena);
	if (l->request.has_entry)
		r = fail(&why, EOPNOTSUPP, "rehearse/vm-entry",
			 "with --entry purgatory has no part in the load");
	run->program = r == 0 ? qemu_find(l->arena) : NULL;
	if (r == 0 && !run->program) {
		r = fail(&why, ENOENT, "rehearse/vm-no-qemu",
			 "there is no " QEMU_PROGRAM " in the folders of PATH");
		fail_advise(&why, "install it: apt install qemu-system-x86");
	}
	if (r == 0) {
		run->folder = qemu_make_folder(l->arena, &why);
		r = run->folder ? 0 : -EIO;
	}
	vm_choose_memory(l, &run->machine);
	show(run, "machine");
	if (r == 0)
		r = probe_both(run, &why);
	if (r < 0)
		return say_failure(run, "machine", &why);
	r = say_machine(run);
	if (r < 0)
		return r;
	show(run, "placed");
	r = vm_plan(l, &run->machine, &run->vm, &why);
	if (r < 0) {
		/* Of the virtual machine, whatever it is: here there is a plan. */
		why.error = why.error == EINVAL ? EOPNOTSUPP : why.error;
		return say_failure(run, "placed", &why);
	}
	r = say_placed(run);
	if (r == 0 && start(run, &run->vm.load.plan, &why) < 0)
		return say_failure(run, "purgatory", &why);
	if (r == 0)
		r = watch(run);
	qemu_stop(&run->qemu);
	return r == 0 ? judge_rest(run) : r;
}

int rehearse_vm(struct load *l, double plan_seconds, const struct rehearsal_watcher *watcher,
		struct rehearsal *ret, struct diag *diag)
{
	struct vm_run *run = arena_alloc(l->arena, sizeof(*run));
	int r;

	*ret = (struct rehearsal){ .is_vm = true };
	progress_end(&l->progress);
	if (!run)
		return fail_nomem(diag);
	run->l = l;
	run->out = ret;
	run->watcher = watcher;
	run->vm.load.cages[CAGE_PLAN].memfd = -1;
	run->begin = rehearsal_now() - plan_seconds;
	run->qemu = (struct qemu){ .pid = -1, .to = -1, .from = -1 };
	run->start = run->begin;
	r = say_good(run, "plan", "%zu segments, %" PRIu64 " KiB, %s entry", l->plan.n_segments,
		     plan_mem_len(&l->plan) / KIB, l->plan.entry_name);
	if (r == 0)
		r = run_vm(run);
	if (run->folder) {
		keep_tail(run);
		qemu_remove(run->folder, QEMU_LOG);
		if (!ret->console_path)
			qemu_remove(run->folder, QEMU_CONSOLE);
		qemu_remove(run->folder, NULL);
	}
	show(run, NULL);
	load_free_fork(&run->vm.load);
	return r < 0 ? fail_nomem(diag) : 0;
}
