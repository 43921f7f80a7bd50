// SPDX-License-Identifier: GPL-2.0-or-later
#include "options.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "options_parse.h"

#define REHEARSE_SECONDS	60
#define REHEARSE_VM_SECONDS	300

/* "--a, --b and --c" of the rows that begin with name, for the message. */
static const char *name_candidates(struct parse *p, const char *name, size_t len, bool is_ours)
{
	const char *list = NULL;

	for (size_t i = 0; i < n_option_table; i++) {
		const struct option_row *row = &option_table[i];

		if (row->is_ours != is_ours || strncmp(row->name, name, len) != 0)
			continue;
		list = arena_printf(p->arena, "%s%s--%s", list ? list : "", list ? ", " : "",
				    row->name);
		if (!list)
			return "several options";
	}
	return list ? list : "";
}

/* The only row of kexec-tools', or of ours, that begins with name; counts them in *ret_n. */
static const struct option_row *find_prefix(const char *name, size_t len, bool is_ours,
					    size_t *ret_n)
{
	const struct option_row *found = NULL;

	*ret_n = 0;
	for (size_t i = 0; i < n_option_table; i++) {
		const struct option_row *row = &option_table[i];

		if (row->is_ours != is_ours || strncmp(row->name, name, len) != 0)
			continue;
		found = row;
		(*ret_n)++;
	}
	return found;
}

static int find_long(struct parse *p, const char *name, size_t len, const struct option_row **ret)
{
	const struct option_row *row;
	size_t n;

	for (size_t i = 0; i < n_option_table; i++) {
		row = &option_table[i];
		if (strlen(row->name) == len && memcmp(row->name, name, len) == 0) {
			*ret = row;
			return 0;
		}
	}
	for (int is_ours = 0; is_ours <= 1 && len > 0; is_ours++) {
		row = find_prefix(name, len, is_ours, &n);
		if (n == 1) {
			*ret = row;
			return 0;
		}
		if (n > 1)
			return fail(p->diag, EINVAL, "options/ambiguous",
				    "--%.*s could be %s", (int)min_u64(len, 80), name,
				    name_candidates(p, name, len, is_ours));
	}
	return fail(p->diag, EINVAL, "options/unknown", "there is no option --%.*s",
		    (int)min_u64(len, 80), name);
}

static int apply(struct parse *p, const struct option_row *row, const char *value)
{
	if (row->group == GROUP_NOT_YET) {
		if (!p->not_yet)
			p->not_yet = row;
		return 0;
	}
	if (row->is_load_only && !p->load_only)
		p->load_only = row;
	if (row->needs_kexec_load && !p->out.needs_kexec_load)
		p->out.needs_kexec_load = row->name;
	p->is_given[row - option_table] = true;
	if (row->flag_off != 0)
		*(bool *)((char *)p + row->flag_off) = true;
	p->is_done = p->out.help || p->out.version || p->out.print_ckr_size;
	return row->take ? row->take(p, row, value) : 0;
}

/* The argument of an option when it is the next word. */
static int next_word(struct parse *p, const struct option_row *row, const char **ret)
{
	if (p->next >= p->argc)
		return fail(p->diag, EINVAL, "options/missing-value", "--%s needs a value: --%s=%s",
			    row->name, row->name, row->value);
	*ret = p->argv[p->next++];
	return 0;
}

static int parse_long(struct parse *p, const char *word)
{
	size_t len = strcspn(word, "=");
	const char *value = word[len] == '=' ? word + len + 1 : NULL;
	const struct option_row *row = NULL;
	int r = find_long(p, word, len, &row);

	if (r < 0)
		return r;
	if (!row->value && !row->takes_word && value)
		return fail(p->diag, EINVAL, "options/needless-value", "--%s takes no value",
			    row->name);
	if (row->value && !value) {
		r = next_word(p, row, &value);
		if (r < 0)
			return r;
	}
	return apply(p, row, value);
}

static const struct option_row *find_letter(char letter)
{
	for (size_t i = 0; i < n_option_table; i++)
		if (option_table[i].letter == letter)
			return &option_table[i];
	return NULL;
}

/* What follows one dash: letters, the last of which may take the rest or the next word. */
static int parse_letters(struct parse *p, const char *word)
{
	for (const char *c = word; *c != '\0' && !p->is_done; c++) {
		const struct option_row *row = find_letter(*c == '?' ? 'h' : *c);
		const char *value = NULL;
		int r = 0;

		if (!row)
			return fail(p->diag, EINVAL, "options/unknown",
				    "there is no option -%c (in '-" ECHO "')", *c, word);
		if (*c == '?')
			p->out.help_status = 1;
		if (row->value && c[1] != '\0')
			value = c + 1;
		else if (row->value)
			r = next_word(p, row, &value);
		if (r == 0)
			r = apply(p, row, value);
		if (r < 0 || row->value)
			return r;
	}
	return 0;
}

static int parse_words(struct parse *p)
{
	bool is_options_over = false;
	int r = 0;

	p->next = 1;
	while (p->next < p->argc && !p->is_done && r == 0) {
		const char *word = p->argv[p->next++];

		if (is_options_over || word[0] != '-' || word[1] == '\0') {
			if (!p->out.kernel)
				p->out.kernel = word;
			else
				p->n_ignored++;
		} else if (strcmp(word, "--") == 0) {
			is_options_over = true;
		} else if (word[1] == '-') {
			r = parse_long(p, word + 2);
		} else {
			r = parse_letters(p, word + 1);
		}
	}
	return r;
}

/* Nothing behind --print-ckr-size counts, as ever, but the machine that it is about. */
static int find_root_behind(struct parse *p)
{
	int r = 0;

	while (p->next < p->argc && !p->out.host_root && r == 0) {
		const char *word = p->argv[p->next++];
		const struct option_row *row = NULL;
		struct parse looked = *p;
		struct diag ignored;

		if (strcmp(word, "--") == 0)
			break;
		diag_init(&ignored, NULL);
		looked.diag = &ignored;
		if (strncmp(word, "--", 2) == 0 &&
		    find_long(&looked, word + 2, strcspn(word + 2, "="), &row) == 0 &&
		    strcmp(row->name, "host-root") == 0)
			r = parse_long(p, word + 2);
	}
	return r;
}

static int fail_not_yet(struct parse *p, const struct option_row *row)
{
	if (strstr(row->name, "live-update")) {
		fail(p->diag, EOPNOTSUPP, "options/not-yet",
		     "--%s asks the hypervisor for what no released Xen does", row->name);
		return fail_advise(p->diag, "-l and -e, which replace Xen and its domains");
	}
	fail(p->diag, EOPNOTSUPP, "options/not-yet",
	     "--%s is an option of kexec-tools that this kexec-ng does not have yet",
	     row->name);
	return fail_advise(p->diag, "kexec-tools for this one (doc/differences.md has the list)");
}

static int settle_unload(struct parse *p)
{
	struct options *o = &p->out;

	if (o->inspect || o->export.kind != EXPORT_NONE)
		return fail(p->diag, EINVAL, "options/inspect-unload",
			    "--inspect and --export look into a file, -u forgets a kernel: not in one "
			    "call");
	if (p->asked_exec || o->force || o->preserves_context || o->jump_back_helper ||
	    (o->kernel && p->asked_load))
		return fail(p->diag, EINVAL, "options/conflict",
			    "-u forgets a kernel and -l, -e or -f wants one: not in one call");
	if (o->kernel)
		p->n_ignored++;
	o->unload = !p->asked_panic;
	o->unload_crash = p->asked_panic;
	return 0;
}

/* A load to come back from. */
static int settle_preserving(struct parse *p)
{
	struct options *o = &p->out;

	if (p->asked_panic || o->call == CALL_FILE)
		return fail(p->diag, EINVAL, "options/coming-back",
			    "--load-preserve-context goes with %s: nothing comes back from there",
			    p->asked_panic ? "no -p" : "kexec_load only, not with -s");
	if (o->rehearse)
		return fail(p->diag, EINVAL, "options/coming-back",
			    "--rehearse knows no running kernel to come back to: not with "
			    "--load-preserve-context");
	if (o->mem_end != UINT64_MAX)
		return 0;
	fail(p->diag, EINVAL, "options/no-window",
	     "--load-preserve-context needs --mem-max: what is loaded gets the memory up to there, and "
	     "the running kernel keeps what it has in it elsewhere until it goes on");
	return fail_advise(p->diag, "--mem-max=128M for a small kernel; half of RAM is the most");
}

/* Nothing but purgatory is loaded: where to jump is another kernel's word. */
static int settle_helper(struct parse *p)
{
	struct options *o = &p->out;

	if (p->asked_load || p->asked_panic || o->force || o->preserves_context ||
	    o->call == CALL_FILE || o->dry_run)
		return fail(p->diag, EINVAL, "options/coming-back",
			    "--load-jump-back-helper is a load of its own, by kexec_load: it goes with "
			    "--entry and -e");
	if (o->kernel)
		p->n_ignored++;
	o->exec = p->asked_exec;
	return 0;
}

static int settle_load(struct parse *p)
{
	struct options *o = &p->out;
	bool is_bare = !p->asked_load && !p->asked_panic && !p->asked_exec && !o->force &&
		       !o->preserves_context;
	int r = o->preserves_context ? settle_preserving(p) : 0;

	if (r < 0)
		return r;
	if (p->asked_panic && (p->asked_exec || o->force))
		return fail(p->diag, EINVAL, "options/conflict",
			    "-p loads a kernel that a panic starts, -e and -f start one now");
	o->load_crash = p->asked_panic;
	/* -e -f without a kernel: petitboot's way to say "jump, and shut nothing down". */
	o->exec = p->asked_exec || o->force;
	o->load = p->asked_load || p->asked_panic || is_bare || o->preserves_context ||
		  (o->force && (o->kernel || !p->asked_exec));
	if (o->load && !o->kernel)
		return fail(p->diag, EINVAL, "options/no-kernel", "no kernel was named");
	if (!o->load && o->kernel)
		return fail(p->diag, EINVAL, "options/conflict",
			    "-e jumps into what is loaded already, yet a kernel was named; "
			    "-f loads and jumps");
	o->bare_reboot = is_bare;
	if (o->rehearse)
		o->dry_run = true;
	/* Who asks for a picture and names no mode does not expect a reboot after it. */
	if ((is_bare && (o->map || o->json)) || o->inspect || o->export.kind != EXPORT_NONE)
		o->dry_run = true;
	if (o->dry_run) {
		o->exec = false;
		o->bare_reboot = false;
	}
	return 0;
}

/* --check, --show and --last look, and change nothing. */
static int settle_question(struct parse *p)
{
	struct options *o = &p->out;
	const char *name = o->check ? "check" : o->show ? "show" : o->list ? "list" : "last";
	const bool is_last = o->last || o->list;

	if (o->check + o->show + o->last + o->list > 1)
		return fail(p->diag, EINVAL, "options/question",
			    "--check, --show, --last and --list are questions: one in one call");
	if (p->asked_exec || p->asked_unload || o->force ||
	    (is_last && (p->asked_load || p->asked_panic)))
		return fail(p->diag, EINVAL, "options/question",
			    "--%s changes nothing: no -e, -f or -u%s with it", name,
			    is_last ? ", and no -l or -p," : "");
	if (o->dry_run || p->load_only || o->map)
		return fail(p->diag, EINVAL, "options/question",
			    "--%s is about this machine, --%s about one kernel to load", name,
			    p->load_only ? p->load_only->name : o->map ? "map" : "dry-run");
	if (o->kernel)
		return fail(p->diag, EINVAL, "options/question",
			    "--%s is about this machine and takes no kernel; --dry-run takes one",
			    name);
	o->check_load = o->check && p->asked_load;
	o->check_crash = o->check && p->asked_panic;
	o->check_file = o->check && o->call == CALL_FILE;
	if (o->check && !o->check_load && !o->check_crash && !o->check_file)
		o->check_load = o->check_crash = o->check_file = true;
	o->show_load = o->show && (p->asked_load || !p->asked_panic);
	o->show_crash = o->show && (p->asked_panic || !p->asked_load);
	return 0;
}

static int settle_mode(struct parse *p)
{
	struct options *o = &p->out;
	int r;

	/* As ever these go before whatever else was asked. */
	if (p->is_done || p->asked_status)
		o->force = o->check = o->show = o->last = o->list = o->inspect = o->rehearse =
			o->jump_back_helper = false;
	if (p->is_done)
		return 0;
	if (p->asked_status) {
		o->status_crash = p->asked_panic || !p->asked_load;
		o->status = !o->status_crash;
		return 0;
	}
	if (p->not_yet)
		return fail_not_yet(p, p->not_yet);
	if (o->check || o->show || o->last || o->list)
		return settle_question(p);
	r = p->asked_unload ? settle_unload(p) :
	    o->jump_back_helper ? settle_helper(p) : settle_load(p);
	if (r < 0)
		return r;
	if (!o->load && o->dry_run)
		return fail(p->diag, EINVAL, "options/no-load",
			    "--dry-run shows what a load would do, and nothing is to be loaded");
	if (!o->load && p->load_only)
		return fail(p->diag, EINVAL, "options/no-load",
			    "--%s is about a kernel to load, and nothing is to be loaded",
			    p->load_only->name);
	if (o->host_root && !o->dry_run)
		return fail(p->diag, EINVAL, "options/host-root",
			    "--host-root describes another machine: it goes with --dry-run, "
			    "--check, --show, --last and --list only");
	return 0;
}

/* The spellings of kexec-tools, which are none of auto. */
static int settle_entry(struct parse *p)
{
	const enum enter asked = p->asked_real_mode ? ENTER_16 : ENTER_32;
	struct options *o = &p->out;

	if (!p->asked_real_mode && !p->asked_entry_32bit)
		return 0;
	if ((p->asked_real_mode && p->asked_entry_32bit) ||
	    (o->enter != ENTER_AUTO && o->enter != asked))
		return fail(p->diag, EINVAL, "options/conflict",
			    "--%s and another --enter contradict each other",
			    p->asked_real_mode ? "real-mode" : "entry-32bit");
	o->enter = asked;
	return 0;
}

/* What goes with --export, and with which kind of it. */
static int settle_export(struct parse *p)
{
	struct options *o = &p->out;
	const struct export_wish *e = &o->export;

	if (e->kind != EXPORT_NONE &&
	    (o->inspect || o->rehearse || o->json || o->map || o->load_crash))
		return fail(p->diag, EINVAL, "options/export",
			    "--export writes a file: it goes with none of --inspect, --rehearse, "
			    "--json, --map and -p");
	if (e->kind != EXPORT_NONE && !o->output)
		return fail(p->diag, EINVAL, "options/no-output",
			    "--export needs the file that it is to write: -o FILE");
	if (e->kind == EXPORT_BZIMAGE && !e->payload)
		return fail(p->diag, EINVAL, "options/no-payload",
			    "--export=bzimage needs the format of the new payload: --payload=elf");
	if ((e->payload && e->kind != EXPORT_BZIMAGE) ||
	    ((e->has_base || e->has_virt_offset) && e->kind != EXPORT_ELF) ||
	    (o->output && e->kind == EXPORT_NONE))
		return fail(p->diag, EINVAL, "options/export",
			    "-o goes with --export, --payload with --export=bzimage, --base and "
			    "--virt-offset with --export=elf");
	/* It goes into the file as it is, unless somebody asks. */
	if (e->kind != EXPORT_NONE && o->initrd_unpack == INITRD_UNPACK_AUTO)
		o->initrd_unpack = INITRD_UNPACK_NO;
	return 0;
}

/* Rules between options, whatever the mode. */
static int settle_values(struct parse *p)
{
	struct options *o = &p->out;

	if (o->mem_min >= o->mem_end)
		return fail(p->diag, EINVAL, "options/mem-range",
			    "--mem-min (0x%" PRIx64 ") is above --mem-max (0x%" PRIx64 ")",
			    o->mem_min, o->mem_end - 1);
	if (o->reuse_cmdline && o->image_cmdline)
		return fail(p->diag, EINVAL, "options/conflict",
			    "--reuse-cmdline and --image-cmdline are two beginnings of one command "
			    "line");
	if (settle_export(p) < 0)
		return -EINVAL;
	return settle_entry(p);
}

static bool is_about_kexec_load(const struct option_row *row)
{
	return row->needs_kexec_load;
}

/* What may stand anywhere, as ever, and is about a load nevertheless. */
static bool is_about_load(const struct option_row *row)
{
	return row->needs_kexec_load || row->take == option_take_file_only ||
	       row->group == GROUP_KERNEL;
}

/* "--a, --b" of those given that are of a kind. */
static const char *list_given(struct parse *p, bool (*is_of_kind)(const struct option_row *row))
{
	const char *list = "";

	for (size_t i = 0; i < n_option_table; i++) {
		const struct option_row *row = &option_table[i];

		if (!p->is_given[i] || !is_of_kind(row))
			continue;
		list = arena_printf(p->arena, "%s%s--%s", list, *list ? ", " : "", row->name);
		if (!list)
			return "several options";
	}
	return list;
}

/* Of two, at least one of which was given. */
static const char *given_of(bool has_first, const char *first, bool has_second, const char *second,
			    const char *both)
{
	if (has_first && has_second)
		return both;
	return has_first ? first : second;
}

static void note_ignored(struct parse *p)
{
	const struct options *o = &p->out;

	if (p->n_ignored > 0)
		note(p->diag, "options/extra-word", "%zu word%s after the kernel %s ignored",
		     p->n_ignored, p->n_ignored == 1 ? "" : "s", p->n_ignored == 1 ? "is" : "are");
	if (o->load && o->call == CALL_FILE && o->needs_kexec_load)
		warn(p->diag, "options/no-effect",
		     "no effect with -s, as the running kernel decides that: %s",
		     list_given(p, is_about_kexec_load));
	if ((o->unload || o->unload_crash || (o->exec && !o->load)) &&
	    *list_given(p, is_about_load))
		warn(p->diag, "options/no-effect", "no effect, as nothing is loaded: %s",
		     list_given(p, is_about_load));
	if (o->boot_root && !o->list && !(o->load && o->kernel && o->kernel[0] == '@'))
		warn(p->diag, "options/no-effect",
		     "--boot-root has no effect: it goes with --list and @ENTRY");
	if (o->load && !o->load_crash && p->crash_only)
		warn(p->diag, "options/no-effect", "--%s has no effect without -p",
		     p->crash_only->name);
	if (o->load && p->file_only && o->call == CALL_LOAD)
		warn(p->diag, "options/no-effect", "--%s has no effect with -c",
		     p->file_only->name);
	if (o->load && p->file_only && o->call == CALL_AUTO && o->needs_kexec_load)
		warn(p->diag, "options/no-effect",
		     "--%s has no effect with --%s, which needs the other system call",
		     p->file_only->name, o->needs_kexec_load);
	if (o->load && !o->rehearse && (o->flip || o->rehearse_seconds != 0))
		warn(p->diag, "options/no-effect", "%s no effect without --rehearse",
		     given_of(o->rehearse_seconds != 0, "--time-limit has", o->flip, "--flip has",
			      "--time-limit and --flip have"));
	if (!o->exec && (o->load || o->unload || o->unload_crash) && (o->no_ifdown || o->no_sync))
		warn(p->diag, "options/no-effect", "%s no effect, as there is no jump now",
		     given_of(o->no_ifdown, "-x has", o->no_sync, "-y has", "-x and -y have"));
}

int options_parse(int argc, char *const argv[], struct arena *a, struct options *ret,
		  struct diag *diag)
{
	struct parse p = {
		.out = {
			.mem_end = UINT64_MAX,
			.console_serial = -1,
			.console_vga = -1,
		},
		.arena = a,
		.diag = diag,
		.argc = argc,
		.argv = argv,
	};
	int r = parse_words(&p);

	if (r == 0 && p.out.print_ckr_size)
		r = find_root_behind(&p);
	if (r == 0)
		r = settle_mode(&p);
	if (r == 0 && !p.is_done)
		r = settle_values(&p);
	if (r < 0)
		return fail_advise(diag, "kexec --help");
	note_ignored(&p);
	if (p.out.rehearse_seconds == 0)
		p.out.rehearse_seconds = p.out.rehearse_vm ? REHEARSE_VM_SECONDS : REHEARSE_SECONDS;
	*ret = p.out;
	return 0;
}

int options_exit_status(const struct diag *diag)
{
	/* The command line is not to blame for these. */
	return diag->error == ENOMEM || (diag->id && strcmp(diag->id, "options/no-kernel") == 0) ?
		       255 :
		       1;
}
