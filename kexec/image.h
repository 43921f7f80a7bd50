/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The contract between the pipeline and a kernel format, and what a user asks of one load.
 */
#ifndef KEXEC_NG_IMAGE_H
#define KEXEC_NG_IMAGE_H

#include "diag.h"
#include "facts.h"
#include "plan.h"
#include "span.h"

#define SEED_LEN	32	/* bytes of SETUP_RNG_SEED */

enum enter {
	ENTER_AUTO,	/* the best entry that image and machine allow */
	ENTER_DIRECT,	/* the kernel proper, unpacked and relocated at load time */
	ENTER_64,	/* the 64-bit entry of the boot protocol */
	ENTER_32,	/* startup_32, paging off */
	ENTER_16,	/* the setup code in real mode, as from a boot loader */
	ENTER_PVH,	/* the kernel proper, by its PHYS32_ENTRY note */
};

enum on_failure {
	ON_FAILURE_RESET,
	ON_FAILURE_HALT,
};

/* What purgatory verifies the moved bytes with. */
enum digest {
	DIGEST_CRC32C,	/* finds corruption; a fraction of the time */
	DIGEST_SHA256,
	DIGEST_NONE,
};

enum initrd_unpack {
	INITRD_UNPACK_AUTO,	/* when it pays and memory allows */
	INITRD_UNPACK_YES,
	INITRD_UNPACK_NO,
};

/* Class of the ELF headers in front of the dead kernel's memory. */
enum core_class {
	CORE_64,
	CORE_32,
};

/* Who keeps them up to date when CPUs and memory come and go. */
enum hotplug {
	HOTPLUG_AUTO,	/* the running kernel, if it can */
	HOTPLUG_YES,	/* the running kernel, or there is no load */
};

/* A copy of the lowest 640 KiB, which the capture kernel writes to. */
enum backup {
	BACKUP_AUTO,	/* where the running kernel has something of its own there */
	BACKUP_YES,
	BACKUP_NO,
};

/* A file that adds to a unified kernel image. */
struct addon {
	const char *path;
	struct span bytes;
	bool is_asked;		/* by --addon; false: it lay beside the image */
};

struct bundle_profile {
	const char *id;		/* NULL: it has none */
	const char *title;	/* likewise */
};

struct bundle_initrd {
	const char *name;	/* the section it was: ".ucode", ".initrd" */
	const char *addon;	/* path of the addon it is from; NULL: from the image */
	struct span bytes;
};

/* What came with a kernel in one file, a unified kernel image, and in the addons to it. Texts may be
 * anything. */
struct bundle {
	const char *cmdline;		/* the image's and of addons beside it; NULL: neither has one */
	const char *asked_cmdline;	/* of the addons that were asked for, NULL: they have none */
	struct bundle_initrd *initrds;	/* in the order in which the kernel is to see them */
	size_t n_initrds;
	const char *os;			/* name of the system it belongs to, or NULL */
	const char *uname;		/* the kernel's release, or NULL */
	bool is_signed;			/* the file around the kernel; the kernel may be, too */
	const struct bundle_profile *profiles;
	size_t n_profiles;		/* 0: one, which is implied */
	size_t profile;			/* the chosen one */
	const char *const *addons;	/* paths of those that count, in their order */
	size_t n_addons;
};

/* What an ELF program that is no multiboot image is handed. */
enum args {
	ARGS_AUTO,	/* Linux's, if it is a Linux kernel; else it must be said */
	ARGS_LINUX,
	ARGS_ELF,	/* ELF boot notes */
	ARGS_NONE,
};

/* A file for a multiboot image, with what the image is to be told about it. */
struct module {
	uint64_t len;
	const char *cmdline;	/* the file's name, arguments */
};

struct request {
	struct span kernel;		/* the file, whole; unwrapped: what is inside */
	const char *kernel_path;	/* as the user gave it, for messages */
	struct span initrd; /* all parts, each padded to a page with zeros; len 0: none */
	size_t n_initrds;		/* how many parts it has */
	struct span modules;		/* side by side, each padded to a page with zeros */
	const struct module *module_list;
	size_t n_modules;
	const char *cmdline;		/* composed; NUL terminated */
	const char *type;		/* --type, or NULL */
	enum args args;
	const char *profile;		/* --profile, or NULL */
	const struct addon *addons;
	size_t n_addons;
	const struct bundle *bundle;	/* what the unwrapped kernel came with; NULL: it came alone */
	enum enter enter;
	bool has_subarch;		/* --subarch: hardware_subarch ... */
	uint32_t subarch;
	bool has_subarch_data;		/* ... and --subarch-data: hardware_subarch_data */
	uint64_t subarch_data;
	/* For a panic: loaded into the reservation, started by whichever CPU it is, beside the memory
	 * of the kernel that died. */
	bool is_crash;
	enum core_class core_class;
	bool pass_memmap;		/* the map in the command line too */
	enum hotplug hotplug;
	enum backup backup;
	bool preserves_context;		/* the running kernel goes on later: arch/x86/jump_back.h */
	phys_t mem_min;			/* every segment inside [mem_min, mem_end) */
	phys_t mem_end;
	bool has_seed;			/* for the next kernel's random numbers */
	uint8_t seed[SEED_LEN];
	uint64_t load_tsc;		/* the TSC now, for the boot note; 0: not to be recorded */
	bool no_efi;			/* --noefi */
	bool reuse_video_type;		/* hand the display on whoever drives it */
	struct span dtb;		/* device tree; len 0: none */
	bool has_entry;			/* jump to entry, not into purgatory */
	phys_t entry;
	enum digest digest;
	bool quiet;			/* purgatory prints nothing on success */
	enum on_failure on_failure;
	/* Consoles of purgatory; -1: those of the running kernel */
	int console_serial;		/* 0, 1 or -1 */
	int console_vga;
	bool reset_vga;			/* text mode first */
	uint16_t serial_port;		/* I/O port; 0: facts.console.serial_port, else 0x3f8 */
	uint32_t serial_baud;		/* 0: leave as it is */
};

struct image_type {
	const char *name;	/* as in --type= and in reports */
	const char *alias;	/* another name for --type=, or NULL */
	bool takes_modules;
	bool takes_rsdp;	/* its bytes: facts.rsdp_bytes */
	bool takes_args;	/* enum args means something */
	/* 0 if the file is of this type, else -ENOEXEC, and why says what was missing. A file that
	 * is of this type and broken passes the probe and fails in plan, by name. */
	int (*probe)(struct span file, struct diag *why);
	/* Adds this format's segments to the plan, each with what it asks for. */
	int (*plan)(const struct request *req, const struct facts *facts, struct plan *plan,
		    struct diag *diag);
	/* Every segment has its address: write them where the kernel will look. */
	int (*finish)(const struct request *req, const struct facts *facts, struct plan *plan,
		      struct diag *diag);
};

#endif
