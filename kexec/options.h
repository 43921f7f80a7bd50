/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line as a value. options_parse() reads argv, touches nothing else and prints nothing.
 *
 * Every x86 option of kexec-tools is known, in each of its spellings. An abbreviation is looked up
 * among those first, so that no option of ours ever changes what it means; only what fits none of
 * them is looked up among ours. What this version does not do fails by name.
 *
 * The order of modes never matters. doc/differences.md lists where it does in kexec-tools.
 */
#ifndef KEXEC_NG_OPTIONS_H
#define KEXEC_NG_OPTIONS_H

#include "diag.h"
#include "export.h"
#include "image.h"

enum call {
	CALL_AUTO,	/* -a, or none given: what suits the machine and the other options */
	CALL_LOAD,	/* -c: kexec_load only */
	CALL_FILE,	/* -s: kexec_file_load only */
};

struct options {
	/* What to do. help, version, print_ckr_size, status*, check, show, last, list, unload*
	 * each stand alone: when one of them is set, no other of this block is, except that
	 * help_status goes with help. */
	bool help;
	int help_status;	/* exit status after the help: 1 for -?, as ever */
	bool version;
	bool print_ckr_size;	/* size of the "Crash kernel" region on stdout */
	bool status;		/* -S -l: exit 1 if a kernel is loaded, 0 if not */
	bool status_crash;	/* -S: the same of the crash kernel */
	bool check;		/* --check: with check_load, check_crash, check_file, one at least */
	bool check_load, check_crash, check_file;	/* -l, -p, -s */
	bool show;		/* --show: with show_load, show_crash, one at least */
	bool show_load, show_crash;
	bool last;		/* --last */
	bool list;		/* --list: the boot entries */
	bool unload;		/* -u */
	bool unload_crash;	/* -p -u */
	bool load;		/* plan and load kernel ... */
	bool load_crash;	/* ... for a panic (-p); exec and bare_reboot are false then */
	bool preserves_context;	/* ... to come back from: --load-preserve-context; needs mem_end */
	bool jump_back_helper;	/* load what jumps back to a kernel like that: no kernel */
	bool exec;		/* ... then, or without load, sync, take interfaces down, jump */
	bool bare_reboot;	/* ... or, after a load, shutdown -r: "kexec KERNEL" */
	bool force;		/* -f was given; load and exec say what that means */
	/* Goes with load and dry_run, for what these read: what the file holds is printed instead. */
	bool inspect;
	struct export_wish export;	/* EXPORT_NONE, or a file is written, to ... */
	const char *output;		/* ... this path; "-": standard output */

	/* With load only; exec and bare_reboot are false then. Implied by map and json when none of
	 * -l, -e, -f is given. */
	bool dry_run;
	bool json;
	bool map;		/* with load only */
	/* With load only, and implies dry_run: carry the plan out in a sandbox, and say how it went. */
	bool rehearse;
	bool rehearse_vm;		/* in a virtual machine, to the kernel's init */
	unsigned int rehearse_seconds;	/* that one run of it may take */
	const char *flip;		/* a bit of this segment, at ... */
	uint64_t flip_off;		/* ... this offset; NULL: none */
	bool debug;
	bool no_sandbox;	/* foreign bytes are read in this process */

	enum call call;
	/* The first option given that only kexec_load can honour ("mem-max"), or NULL. CALL_AUTO
	 * then prefers kexec_load; with CALL_FILE there is a note "options/no-effect". */
	const char *needs_kexec_load;

	const char *kernel;		/* path, or "@ENTRY" (entries_run.h); NULL if none was named */
	const char *boot_root;		/* where boot entries are; NULL: /boot and the like */
	const char *const *initrds;	/* paths, in the order given */
	size_t n_initrds;
	const char *const *modules;	/* as given: a path, then perhaps a blank and arguments */
	const char *const *module_paths;
	size_t n_modules;
	const char *append;		/* --append, --command-line; NULL if not given */
	bool reuse_cmdline;
	bool reuse_initrd;		/* a path among initrds is of the running kernel's own */
	const char *dtb;		/* path; NULL: none */
	bool image_cmdline;		/* start from that of the image, a unified kernel image */
	const char *profile;		/* of a unified kernel image; NULL: its first */
	const char *const *addons;	/* --addon: paths, in the order given */
	size_t n_addons;
	bool no_addons;			/* none but those */
	const char *type;		/* NULL: probe */
	enum args args;
	phys_t mem_min;
	phys_t mem_end;			/* exclusive (--mem-max is not); UINT64_MAX: no limit */
	enum enter enter;
	bool has_subarch;
	uint32_t subarch;
	bool has_subarch_data;
	uint64_t subarch_data;
	enum digest digest;		/* --digest; --no-checks is DIGEST_NONE */
	enum initrd_unpack initrd_unpack;
	bool has_entry;			/* --entry: jump there, not into purgatory */
	phys_t entry;
	bool no_efi;
	bool reuse_video_type;

	/* With load_crash only. */
	enum core_class core_class;
	bool pass_memmap;
	bool hotplug;
	enum backup backup;
	bool strict;		/* what is reckoned not to fit is not loaded */
	bool reload;		/* only if the running kernel does not keep it current by itself */

	bool no_ifdown;
	bool no_sync;

	/* Purgatory. As in struct request: -1 and 0 where nothing was asked. */
	bool quiet;
	enum on_failure on_failure;
	int console_serial;
	int console_vga;
	bool reset_vga;
	uint16_t serial_port;
	uint32_t serial_baud;

	/* kexec_file_load's flags. */
	bool no_cma;
	bool force_dtb;

	/* Tests. */
	const char *host_root;		/* /proc and /sys are below this folder; NULL: "/" */
	bool has_seed;
	uint8_t seed[SEED_LEN];
};

/*
 * 0, or a negative errno and the reason in diag (ids "options/..."). *ret is complete on success
 * and untouched on failure. Strings point into argv, arrays live in a. Notes tell what was given
 * and has no effect.
 */
must_check int options_parse(int argc, char *const argv[], struct arena *a, struct options *ret,
			     struct diag *diag);
/* Exit status after options_parse() failed: 255 if a kernel was not named, else 1. */
int options_exit_status(const struct diag *diag);

/* The table behind it, for the help text and for tests. */
enum option_group {
	GROUP_ACTION,
	GROUP_KERNEL,
	GROUP_CRASH,
	GROUP_PLACEMENT,
	GROUP_PURGATORY,
	GROUP_CALL,
	GROUP_REPORT,
	GROUP_EXPORT,
	GROUP_TEST,
	GROUP_NOT_YET,		/* kexec-tools has it, this version has not */
	N_GROUPS,
};

struct parse;

struct option_row {
	const char *name;		/* without "--" */
	char letter;			/* 0: none */
	bool is_ours;			/* kexec-tools does not have it */
	bool is_load_only;		/* an error without a load */
	bool needs_kexec_load;
	enum option_group group;
	const char *value;		/* what --help calls its argument; NULL: it takes none */
	bool takes_word;		/* ... but may, after "=" */
	const char *help;		/* one line; NULL: another spelling of the row before */
	size_t flag_off;		/* a bool of struct parse that it sets; 0: none */
	int (*take)(struct parse *p, const struct option_row *row, const char *value);
};

extern const struct option_row option_table[];
extern const size_t n_option_table;

#endif
