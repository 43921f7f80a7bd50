// SPDX-License-Identifier: GPL-2.0-or-later
#include "rehearse.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "advice.h"
#include "arch/x86/arrival.h"
#include "arch/x86/handed.h"
#include "arch/x86/purgatory.h"
#include "arch/x86/pvh.h"
#include "rehearsal_stage.h"
#include "rehearse_look.h"
#include "sandbox.h"

#define LOW_MEMORY_END	MIB
#define SCREEN		0xb8000
#define SCREEN_ROWS	25
#define SCREEN_COLUMNS	80
/* The stack that the running kernel leaves: the rest of a page, in low memory that holds nothing. */
#define FIRST_STACK	0x91000
/* What a stub touches besides its window: where KASLR puts the kernel, page tables. */
#define SLACK_LEN	(512 * MIB)
#define WINDOWS_MAX	(4 * GIB)	/* beyond what is loaded; init_size has 32 bits */
#define LEFTOVER	0xa5	/* what memory has that nobody cleared */
#define FETCHES_MAX	6	/* windows that a stub may need */
#define IMAGE_TYPE	"bzImage"

/* One run: of the plan, or of the same image by its stub. */
struct run {
	struct load *l;
	struct rehearsal *out;
	struct diag *diag;		/* for notes */
	struct sandbox sb;
	struct range_list memory;	/* all that the machine has */
	struct range_list ram;
	struct purgatory_head head;
	const struct segment *purgatory;
	bool is_oracle;			/* the plan does not depend on what happens to the stub */
	double start;
};

const char *rehearsed_name(enum rehearsed verdict)
{
	static const char *const names[] = {
		[REHEARSED_GOOD] = "good",
		[REHEARSED_UNKNOWN] = "unknown",
		[REHEARSED_BAD] = "bad",
	};

	return names[verdict];
}

/* ---- what is said ---- */

printf_like(3, 4) static int say_good(struct run *run, const char *name, const char *fmt, ...)
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

/* Takes what failed for a verdict: nothing that is not supported here makes a kernel bad. */
static int say_failure(struct run *run, const char *name, const struct diag *why,
		       enum rehearsed verdict)
{
	return rehearsal_add_failure(run->out, &run->start, run->l->arena, name, why, verdict);
}

static enum rehearsed verdict_of(const struct diag *why)
{
	return why->error == EINVAL ? REHEARSED_BAD : REHEARSED_UNKNOWN;
}

/* What a stub does wrong is no fault of a plan that does not need it, unless it makes another
 * kernel. */
static enum rehearsed verdict_of_stub(const struct run *run, const struct diag *why)
{
	return run->is_oracle && strcmp(why->id, "rehearse/kernel-differs") != 0 ?
		       REHEARSED_UNKNOWN : verdict_of(why);
}

/* A check of arrival.h that is over. *ret_ok: was it good? */
static int say_check(struct run *run, const char *name, int r, const struct diag *why,
		     const char *good, bool *ret_ok)
{
	*ret_ok = r == 0;
	return r == 0 ? say_good(run, name, "%s", good) :
			say_failure(run, name, why, verdict_of(why));
}

/* ---- the machine ---- */

/* All that has an address and may be touched: RAM, and what firmware left its tables in. */
static int find_memory(struct run *run)
{
	const struct facts *facts = &run->l->facts;
	struct arena *a = run->l->arena;
	bool is_cut = false;
	int r;

	range_list_init(&run->memory, a);
	range_list_init(&run->ram, a);
	r = range_list_add(&run->memory, (struct range){ 0, LOW_MEMORY_END });
	for (size_t i = 0; i < facts->n_map && r == 0; i++) {
		struct range part = facts->map[i].range;

		is_cut |= part.end > SANDBOX_END && facts->map[i].type == MEM_RAM;
		part.end = min_u64(part.end, SANDBOX_END);
		r = range_list_add(&run->memory, part);
		if (r == 0 && facts->map[i].type == MEM_RAM)
			r = range_list_add(&run->ram, part);
	}
	for (size_t i = 0; i < run->l->plan.n_segments && r == 0; i++) {
		const struct segment *s = &run->l->plan.segments[i];

		r = range_list_add(&run->memory,
				   (struct range){ s->addr, s->addr + s->reserve_len });
	}
	range_list_normalize(&run->memory);
	range_list_normalize(&run->ram);
	if (is_cut && !diag_find_note(run->diag, "rehearse/memory-cut"))
		warn(run->diag, "rehearse/memory-cut",
		     "the machine has RAM above %#" PRIx64 ", which a process cannot map at its own "
		     "address: it is left out of the rehearsal",
		     SANDBOX_END);
	return r;
}

/* They are disjoint and in RAM. */
static uint64_t sum_of_windows(const struct plan *plan)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < plan->n_segments; i++)
		sum += plan->segments[i].reserve_len;
	return sum;
}

static uint64_t memory_limit(const struct plan *plan)
{
	return SLACK_LEN + 2 * sum_of_windows(plan);
}

static int check_available(const struct run *run, struct diag *diag)
{
	const struct load *l = run->l;
	const uint64_t windows_len = sum_of_windows(&l->plan);
	const uint64_t needed = windows_len + SLACK_LEN / 4;

	if (windows_len - plan_mem_len(&l->plan) > WINDOWS_MAX)
		return fail(diag, EOPNOTSUPP, "rehearse/too-much-memory",
			    "the windows of the segments are %" PRIu64 " MiB larger than these; a "
			    "rehearsal fills %" PRIu64, (windows_len - plan_mem_len(&l->plan)) / MIB,
			    WINDOWS_MAX / MIB);
	if (l->options->host_root || l->facts.ram_available == 0 ||
	    needed <= l->facts.ram_available)
		return 0;
	return fail(diag, ENOMEM, "rehearse/low-on-memory",
		    "a rehearsal takes %" PRIu64 " MiB of memory, %" PRIu64 " MiB are available",
		    needed / MIB, l->facts.ram_available / MIB);
}

static void place_segments(struct run *run)
{
	const struct plan *plan = &run->l->plan;
	uint8_t *ram = run->sb.ram.bytes;

	for (size_t i = 0; i < plan->n_segments; i++) {
		const struct segment *s = &plan->segments[i];

		if (s->bytes.len > 0)
			memcpy(ram + s->addr, s->bytes.data, s->bytes.len);
		/* The running kernel clears the rest of the segment, and nothing beyond. */
		memset(ram + s->addr + s->mem_len, LEFTOVER,
		       (size_t)(s->reserve_len - s->mem_len));
	}
}

/* --flip: what damage looks like. */
static int flip_bit(struct run *run, struct diag *diag)
{
	const struct options *o = run->l->options;
	const struct segment *s;

	if (!o->flip)
		return 0;
	s = plan_find(&run->l->plan, o->flip);
	if (!s || o->flip_off >= s->bytes.len)
		return fail(diag, EOPNOTSUPP, "rehearse/nothing-to-flip",
			    "--flip: there is no segment '%s' of more than %" PRIu64 " bytes",
			    o->flip, o->flip_off);
	run->sb.ram.bytes[s->addr + o->flip_off] ^= 1;
	return 0;
}

static const struct handoff *handoff_of(const struct run *run)
{
	return (const struct handoff *)(const void *)(run->sb.ram.bytes + run->purgatory->addr +
						      run->head.handoff_off);
}

static bool find_purgatory(struct run *run)
{
	struct span handoff;

	run->purgatory = plan_find(&run->l->plan, PURGATORY_SEGMENT);
	return run->purgatory &&
	       span_copy(run->purgatory->bytes, 0, &run->head, sizeof(run->head)) &&
	       is_aligned(run->head.handoff_off, sizeof(uint64_t)) &&
	       span_sub(run->purgatory->bytes, run->head.handoff_off, sizeof(struct handoff),
			&handoff);
}

/* Memory, process, CPU: as in the moment of the jump. */
static int prepare(struct run *run, struct diag *diag)
{
	struct load *l = run->l;
	const struct facts *facts = &l->facts;
	uint64_t tsc;
	int r;

	if (l->request.has_entry)
		return fail(diag, EOPNOTSUPP, "rehearse/entry-given",
			    "the jump goes to the address of --entry: what runs there is not known");
	if (!find_purgatory(run))
		return fail(diag, EFAULT, "sandbox/bad-result",
			    "the process that reads the files handed back a purgatory that is none");
	if (l->plan.jump_mode == JUMP_16)
		return fail(diag, EOPNOTSUPP, "rehearse/real-mode",
			    "the entry in real mode calls the BIOS, which no process can have");
	if (facts->cpu.is_confidential_guest)
		return fail(diag, EOPNOTSUPP, "rehearse/confidential-guest",
			    "in a confidential guest a stub talks to its host, and that cannot be "
			    "rehearsed");
	r = check_available(run, diag);
	if (r == 0 && find_memory(run) < 0)
		return fail_nomem(diag);
	if (r == 0)
		r = sandbox_open(&run->sb, &run->memory, l->options->rehearse_seconds,
				 memory_limit(&l->plan), l->arena, diag);
	if (r < 0)
		return r;
	place_segments(run);
	ports_start(&run->sb.ports, run->sb.ports.text, handoff_of(run)->serial_port);
	r = flip_bit(run, diag);
	if (r < 0)
		return r;
	tsc = run->sb.cpu.tsc;
	vcpu_start(&run->sb.cpu, l->plan.entry, facts->is_32bit_kernel, facts->cpu.is_la57_on);
	run->sb.cpu.tsc = tsc;
	run->sb.cpu.r[REG_SP] = FIRST_STACK;
	/* Purgatory asks in which ring it is. */
	run->sb.look_at = run->purgatory->addr + run->head.entry_off;
	return 0;
}

static bool add_purgatory_window(struct run *run)
{
	return sandbox_add_window(&run->sb,
				  (struct range){ run->purgatory->addr,
						  run->purgatory->addr + run->head.mem_len });
}

/* ---- the end of a leg ---- */

/* The last line that was printed, without its end. */
static const char *last_line(const struct run *run)
{
	const struct ports *p = &run->sb.ports;
	size_t end = p->text_len, start;

	while (end > 0 && (p->text[end - 1] == '\n' || p->text[end - 1] == '\r'))
		end--;
	for (start = end; start > 0 && p->text[start - 1] != '\n'; start--)
		;
	return arena_strndup(run->l->arena, p->text + start, end - start);
}

static int describe_exception(const struct run *run, const char *who, struct diag *why)
{
	const struct vcpu *v = &run->sb.cpu;

	if (v->vector == VECTOR_PF)
		return fail(why, EINVAL, "rehearse/exception",
			    "%s touched %#" PRIx64 ", which its page tables do not map (page fault at "
			    "%#" PRIx64 "), and the machine would reset",
			    who, v->cr2, v->fault_rip);
	return fail(why, EINVAL, "rehearse/exception",
		    "%s raised exception %u at %#" PRIx64 ", and the machine would reset", who,
		    v->vector, v->fault_rip);
}

/* Why the run stopped, where it should not have. */
static int describe_stop(const struct run *run, enum sandbox_stop stop, const char *who,
			 struct diag *why)
{
	const struct sandbox *sb = &run->sb;
	const char *line = last_line(run);

	switch (stop) {
	case SANDBOX_FETCH:
		return fail(why, EINVAL, "rehearse/wild-jump", "%s jumped to %#" PRIx64
			    ", where there is no code of it", who, sb->at);
	case SANDBOX_HALTED:
		return fail(why, EINVAL, "rehearse/halted", "%s halted the machine at %#" PRIx64
			    "%s%s", who, sb->cpu.rip, line && *line ? ": " : "", line ? line : "");
	case SANDBOX_RESET:
		if (sb->cpu.n_exceptions > 0)
			return describe_exception(run, who, why);
		return fail(why, EINVAL, "rehearse/reset", "%s reset the machine, by %s", who,
			    sb->ports.reset_by);
	case SANDBOX_TRIPLE_FAULT:
		return describe_exception(run, who, why);
	case SANDBOX_SYSTEM_CALL:
		return fail(why, EINVAL, "rehearse/system-call",
			    "%s issued a system call at %#" PRIx64 ", which was not executed", who,
			    sb->cpu.rip);
	case SANDBOX_WILD:
		return fail(why, EINVAL, "rehearse/wild-access",
			    "%s touched %#" PRIx64 " at %#" PRIx64 ", where there is no memory", who,
			    sb->at, sb->cpu.rip);
	case SANDBOX_TIME:
		return fail(why, EINVAL, "rehearse/endless",
			    "%s did not end within %u s, the last seen of it at %#" PRIx64, who,
			    run->l->options->rehearse_seconds, sb->cpu.rip);
	case SANDBOX_MEMORY:
		return fail(why, EOPNOTSUPP, "rehearse/too-much-memory",
			    "%s touched more memory than a rehearsal gets (%" PRIu64 " MiB)", who,
			    sb->memory_limit / MIB);
	case SANDBOX_NOT_EMULATED:
		return fail(why, EOPNOTSUPP, "rehearse/not-emulated",
			    "%s executed what a rehearsal cannot: %s", who, sb->why);
	case SANDBOX_LOST:
		break;
	}
	return fail(why, EOPNOTSUPP, "rehearse/lost", "the rehearsing process was lost: %s",
		    sb->why);
}

/* ---- purgatory ---- */

/* What purgatory found out before it stopped. */
static int describe_purgatory(const struct run *run, enum sandbox_stop stop, struct diag *why)
{
	const struct handoff *h = handoff_of(run);
	const char *log;

	if (h->verdict == VERDICT_MISMATCH || h->verdict == VERDICT_BAD_HANDOFF) {
		log = arena_strndup(run->l->arena, h->log,
				    strnlen(h->log, min_size(h->log_len, sizeof(h->log))));
		return fail(why, EINVAL,
			    h->verdict == VERDICT_MISMATCH ? "rehearse/damaged" :
							     "rehearse/bad-handoff",
			    "purgatory found damage and would reset the machine: %s",
			    log ? log : "");
	}
	return describe_stop(run, stop, "purgatory", why);
}

static int run_purgatory(struct run *run, bool *ret_ok)
{
	const struct plan *plan = &run->l->plan;
	const struct handoff *h;
	enum sandbox_stop stop;
	struct diag why;

	diag_init(&why, NULL);
	*ret_ok = false;
	if (!add_purgatory_window(run))
		return -ENOMEM;
	stop = sandbox_run(&run->sb);
	h = handoff_of(run);
	if (stop != SANDBOX_FETCH || run->sb.at != plan->jump_entry) {
		describe_purgatory(run, stop, &why);
		return say_failure(run, "purgatory", &why, verdict_of(&why));
	}
	*ret_ok = true;
	if (h->verdict == VERDICT_UNCHECKED)
		return say_good(run, "purgatory", "it verified nothing, as asked, and jumped to %#"
				PRIx64, plan->jump_entry);
	return say_good(run, "purgatory", "it verified %" PRIu32 " segments and jumped to %#" PRIx64,
			h->n_regions, plan->jump_entry);
}

static int check_entry(struct run *run, bool *ret_ok)
{
	const struct plan *plan = &run->l->plan;
	const unsigned int levels = vcpu_paging_levels(&run->sb.cpu);
	struct diag why;
	const char *good;
	int r;

	diag_init(&why, NULL);
	r = arrival_check_cpu(plan, &run->sb.cpu, run->sb.ram, &why);
	if (levels == 0)
		good = "32-bit mode, paging off; registers as the protocol has them";
	else
		good = levels == 4 ? "64-bit mode, 4-level paging, every segment mapped; registers as "
				     "the protocol has them" :
				     "64-bit mode, 5-level paging, every segment mapped; registers as "
				     "the protocol has them";
	r = say_check(run, "entry", r, &why, good, ret_ok);
	if (r < 0 || !*ret_ok)
		return r;
	r = arrival_check_segments(plan, run->sb.ram, &why);
	return say_check(run, "segments", r, &why, "every byte is as it was loaded", ret_ok);
}

static struct look look_of(const struct run *run)
{
	return (struct look){ .l = run->l, .cpu = &run->sb.cpu, .ram = run->sb.ram };
}

/* What a program that is no Linux, or is entered by PVH, is handed; and the program. */
static int check_handed(struct run *run, bool *ret_ok)
{
	const struct load *l = run->l;
	const char *good = "";
	struct diag why;
	int r;

	diag_init(&why, l->arena);
	r = handed_check(&l->plan, &l->request, &l->facts, &run->sb.cpu, run->sb.ram, &good, &why);
	return say_check(run, "handed", r, &why, good, ret_ok);
}

static int check_program(struct run *run, bool *ret_ok)
{
	const struct look look = look_of(run);
	struct diag why;
	bool is_known;
	uint64_t len = 0;
	int r;

	diag_init(&why, run->l->arena);
	r = look_at_program(&look, &is_known, &len, &why);
	if (r < 0)
		return say_check(run, "program", r, &why, "", ret_ok);
	if (!is_known)
		return 0;
	return say_good(run, "program",
			"%" PRIu64 " bytes are those of the file's PT_LOADs, and the rest of them is "
			"zero",
			len);
}

/* ---- the stub ---- */

/* The code that the stub has jumped to: a page of it below 1 MiB for a change of the paging mode, or
 * the copy of itself that it works from. */
static int follow_stub(struct run *run, unsigned int *n_low, bool *is_copied, bool *ret_goes_on,
		       struct diag *why)
{
	struct sandbox *sb = &run->sb;
	const struct look look = look_of(run);
	struct range copy;
	double start;
	int r;

	*ret_goes_on = false;
	if (sb->at < LOW_MEMORY_END && sb->at >= SANDBOX_LOW_END && *n_low < 2) {
		(*n_low)++;
		*ret_goes_on = sandbox_add_window(sb, (struct range){ align_down(sb->at, PAGE_LEN),
								      sb->at + 1 });
		return 0;
	}
	if (*is_copied)
		return 0;
	start = rehearsal_now();
	r = look_for_copy(&look, sb->at, is_copied, &copy, why);
	sandbox_wait(sb, rehearsal_now() - start);
	if (r < 0 || !*is_copied)
		return r;
	sandbox_drop_windows(sb);
	*ret_goes_on = add_purgatory_window(run) && sandbox_add_window(sb, copy);
	return 0;
}

/* To the kernel's own entry. */
static int run_stub(struct run *run, bool *ret_ok)
{
	const struct segment *kernel = plan_find(&run->l->plan, "kernel");
	enum sandbox_stop stop = SANDBOX_FETCH;
	bool is_copied = false, goes_on = true;
	unsigned int n_low = 0;
	struct range window;
	struct diag why;
	int r = 0;

	diag_init(&why, run->l->arena);
	*ret_ok = false;
	if (!kernel) {
		fail(&why, EFAULT, "sandbox/bad-result", "the plan has no segment 'kernel'");
		return say_failure(run, "stub", &why, REHEARSED_UNKNOWN);
	}
	window = (struct range){ kernel->addr, kernel->addr + kernel->bytes.len };
	if (!sandbox_add_window(&run->sb, window))
		return -ENOMEM;
	for (int i = 0; i < FETCHES_MAX && goes_on; i++) {
		stop = sandbox_run(&run->sb);
		if (stop != SANDBOX_FETCH)
			break;
		r = follow_stub(run, &n_low, &is_copied, &goes_on, &why);
	}
	if (r == 0 && (stop != SANDBOX_FETCH || !is_copied))
		r = describe_stop(run, stop, "the kernel's stub", &why);
	if (r < 0)
		return say_failure(run, "stub", &why, verdict_of_stub(run, &why));
	*ret_ok = true;
	return say_good(run, "stub", "it unpacked the kernel and jumped to %#" PRIx64, run->sb.at);
}

/* What the stub was to leave alone. */
static int check_kept(struct run *run)
{
	struct diag why;

	diag_init(&why, NULL);
	if (arrival_check_kept(&run->l->plan, run->sb.ram, &why) < 0)
		return say_failure(run, "kept", &why, verdict_of_stub(run, &why));
	return say_good(run, "kept", "initrd, command line and parameters are as they were");
}

/* loaded: the plan that has the same kernel, unpacked; NULL if there is none. */
static int compare_kernel(struct run *run, struct plan *loaded)
{
	const struct look look = look_of(run);
	struct arrival_match match = { 0 };
	struct diag why;
	phys_t base = 0;
	int r;

	diag_init(&why, run->l->arena);
	r = look_at_kernel(&look, loaded, &run->ram, &base, &match, &why);
	if (r < 0)
		return say_failure(run, "kernel", &why, verdict_of_stub(run, &why));
	run->out->has_kernel = true;
	run->out->kernel = (struct rehearsal_kernel){ base, match.delta, match.n_relocations,
						      match.n_compared };
	if (match.delta == 0)
		return say_good(run, "kernel",
				"%" PRIu64 " bytes at %#" PRIx64 ", not moved: the same as kexec makes "
				"of the image", match.n_compared, base);
	return say_good(run, "kernel",
			"%" PRIu64 " bytes at %#" PRIx64 ", moved by %#" PRIx64 " with %" PRIu64
			" relocations: the same as kexec makes of the image",
			match.n_compared, base, match.delta, match.n_relocations);
}

/* ---- the two runs ---- */

static const char *read_screen(const struct run *run)
{
	const uint8_t *cells = run->sb.ram.bytes + SCREEN;
	char *text = arena_alloc(run->l->arena, REHEARSAL_SCREEN_LEN), *to = text;

	for (int row = 0; text && row < SCREEN_ROWS; row++) {
		char *start = to;

		for (int column = 0; column < SCREEN_COLUMNS; column++) {
			const uint8_t c = cells[2 * (row * SCREEN_COLUMNS + column)];

			*to++ = c >= ' ' && c < 0x7f ? (char)c : ' ';
		}
		while (to > start && to[-1] == ' ')
			to--;
		*to++ = '\n';
	}
	while (to > text && to[-1] == '\n')
		to--;
	if (text && to > text)
		*to++ = '\n';
	if (text)
		*to = '\0';
	return text ? text : "";
}

static void finish_run(struct run *run, const char *of)
{
	struct rehearsal *out = run->out;

	if (run->sb.ram.bytes && out->n_consoles < array_len(out->consoles))
		out->consoles[out->n_consoles++] = (struct rehearsal_console){
			.of = of,
			.serial = run->sb.ports.text,
			.serial_len = run->sb.ports.text_len,
			.n_lost = run->sb.ports.n_lost,
			.screen = read_screen(run),
		};
	out->n_traps += run->sb.n_stops;
	out->n_maps += run->sb.n_maps;
	sandbox_close(&run->sb);
}

static void start_run(struct run *run, struct load *l, struct rehearsal *out, struct diag *diag)
{
	memset(run, 0, sizeof(*run));
	run->sb.memfd = run->sb.pid = -1;
	run->l = l;
	run->out = out;
	run->diag = diag;
	run->start = rehearsal_now();
}

/* From the plan's entry to its jump; a failure of the environment is unknown. */
static int run_to_jump(struct run *run, bool *ret_ok)
{
	struct diag why;
	int r;

	*ret_ok = false;
	diag_init(&why, NULL);
	if (prepare(run, &why) < 0)
		return say_failure(run, "sandbox", &why, REHEARSED_UNKNOWN);
	r = run_purgatory(run, ret_ok);
	return r < 0 || !*ret_ok ? r : check_entry(run, ret_ok);
}

static bool has_stub(const struct load *l)
{
	return strcmp(l->type->name, IMAGE_TYPE) == 0;
}

/* Was the kernel unpacked at load time? */
static bool is_direct(const struct load *l)
{
	return has_stub(l) && strcmp(l->plan.entry_name, "direct") == 0;
}

/* Is the stub part of the load? */
static bool is_by_stub(const struct load *l)
{
	return has_stub(l) && !pvh_is_planned(&l->plan) && !is_direct(l);
}

/* The plan as it is. */
static int run_plan(struct load *l, struct rehearsal *out, struct diag *diag, bool *ret_ok)
{
	struct run run;
	int r;

	start_run(&run, l, out, diag);
	r = run_to_jump(&run, ret_ok);
	if (r == 0 && *ret_ok && handed_is_known(&l->plan)) {
		r = check_handed(&run, ret_ok);
		if (r == 0 && *ret_ok)
			r = check_program(&run, ret_ok);
	} else if (r == 0 && *ret_ok && is_by_stub(l)) {
		r = run_stub(&run, ret_ok);
		if (r == 0 && *ret_ok)
			r = check_kept(&run);
		if (r == 0 && *ret_ok)
			r = compare_kernel(&run, NULL);
	}
	finish_run(&run, "as loaded");
	return r;
}

/* The same image, to be started by its stub. */
static int plan_by_stub(struct load *by_stub, enum enter enter, struct diag *why)
{
	/* A plan by PVH may be of a subarchitecture that has no other entry; no stub asks for it. */
	if (pvh_is_planned(&by_stub->plan))
		by_stub->request.has_subarch = false;
	by_stub->request.enter = enter;
	return load_plan(by_stub, why);
}

/* By the 64-bit entry if that can be. */
static int fork_by_stub(struct load *by_stub, const struct load *l, struct diag *why)
{
	int r;

	load_fork(by_stub, l);
	r = plan_by_stub(by_stub, ENTER_64, why);
	if (r != -EINVAL)
		return r;
	load_free_fork(by_stub);
	load_fork(by_stub, l);
	diag_init(why, l->arena);
	return plan_by_stub(by_stub, ENTER_32, why);
}

/* From the stub's entry to the kernel's, and there the comparison with what was loaded. */
static int follow_oracle(struct run *run, struct plan *loaded)
{
	bool is_ok;
	int r = run_stub(run, &is_ok);

	if (r == 0 && is_ok)
		r = check_kept(run);
	return r == 0 && is_ok ? compare_kernel(run, loaded) : r;
}

/* What is bad there is no fault of the plan. */
static void take_last_stage(struct rehearsal *out, const struct rehearsal *inner)
{
	struct rehearsal_stage s = inner->stages[inner->n_stages - 1];

	if (s.verdict == REHEARSED_BAD)
		s.verdict = REHEARSED_UNKNOWN;
	if (s.verdict > out->verdict)
		out->verdict = s.verdict;
	if (out->n_stages < REHEARSAL_STAGES_MAX)
		out->stages[out->n_stages++] = s;
}

static int run_by_stub(struct load *by_stub, struct load *l, struct rehearsal *out,
		       struct diag *diag)
{
	struct plan *loaded = is_direct(l) ? &l->plan : NULL;
	struct rehearsal inner = { 0 };
	bool is_ok = false;
	struct run run;
	struct diag why;
	int r;

	start_run(&run, by_stub, out, diag);
	run.is_oracle = true;
	diag_init(&why, l->arena);
	r = fork_by_stub(by_stub, l, &why);
	if (r < 0)
		return say_failure(&run, "stub", &why, REHEARSED_UNKNOWN);
	run.out = &inner;
	r = run_to_jump(&run, &is_ok);
	run.out = out;
	if (r == 0 && is_ok) {
		r = follow_oracle(&run, loaded);
	} else if (r == 0 && inner.n_stages > 0) {
		take_last_stage(out, &inner);
	}
	finish_run(&run, "by its stub");
	return r;
}

/*
 * The same image through its own stub, which knows best what it unpacks to. If it cannot be run that is
 * no fault of the plan, which does not need it; what it makes must be what the plan has.
 */
static int run_oracle(struct load *l, struct rehearsal *out, struct diag *diag)
{
	struct load by_stub;
	int r;

	r = run_by_stub(&by_stub, l, out, diag);
	load_free_fork(&by_stub);
	return r;
}

/* The first of the stages is over: there is a plan. */
static int say_plan(struct load *l, struct rehearsal *out, double seconds, struct diag *diag)
{
	struct run run;
	int r;

	start_run(&run, l, out, diag);
	r = say_good(&run, "plan", "%zu segments, %" PRIu64 " KiB, %s entry", l->plan.n_segments,
		     plan_mem_len(&l->plan) / KIB, l->plan.entry_name);
	out->stages[0].seconds = seconds;
	return r;
}

int rehearse(struct load *l, double plan_seconds, struct rehearsal *ret, struct diag *diag)
{
	const double start = rehearsal_now();
	bool is_ok = false;
	int r;

	*ret = (struct rehearsal){ 0 };
	l->must_be_caged = l->is_caged;
	progress_start(&l->progress);
	progress_stage(&l->progress, PROGRESS_REHEARSING);
	r = say_plan(l, ret, plan_seconds, diag);
	if (r == 0)
		r = run_plan(l, ret, diag, &is_ok);
	if (r == 0 && is_ok && has_stub(l) && !is_by_stub(l))
		r = run_oracle(l, ret, diag);
	progress_end(&l->progress);
	ret->seconds = plan_seconds + rehearsal_now() - start;
	return r < 0 ? fail_nomem(diag) : 0;
}
