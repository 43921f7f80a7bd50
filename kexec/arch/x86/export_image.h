/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernels as files for others: unpacked, as an ELF file that any domain builder can load, and as a
 * bzImage with another payload. Reads req->kernel, which is unwrapped, and for an ELF file cmdline and
 * initrd. ids "export/..." and those of the readers.
 */
#ifndef KEXEC_NG_X86_EXPORT_IMAGE_H
#define KEXEC_NG_X86_EXPORT_IMAGE_H

#include "arch/x86/bzimage.h"
#include "arch/x86/direct.h"
#include "elf.h"
#include "export.h"

must_check int export_image(const struct export_wish *wish, const struct request *req,
			    struct arena *a, struct export_file *ret, struct diag *diag);

/* A kernel that was read and may be written: a bzImage's, or one that came as an ELF file. */
struct export_kernel {
	struct bzimage image;	/* of an ELF file, what a setup header would say */
	struct span payload;	/* unpacked: an ELF file, and its relocation table */
};

must_check int export_elf(const struct export_kernel *k, const struct export_wish *wish,
			  const struct request *req, struct arena *a, struct export_file *ret,
			  struct diag *diag);
/* file is the bzImage. */
must_check int export_bzimage(const struct export_kernel *k, struct span file, const char *format,
			      struct arena *a, struct export_file *ret, struct diag *diag);

/*
 * The note that lists what an exported ELF file needs in memory: owner, type, and struct export_needs
 * with as many struct export_need behind it. All numbers are little endian.
 */
#define EXPORT_NOTE_OWNER	"kexec-ng"
#define EXPORT_NOTE_NEEDS	1
#define EXPORT_NEEDS_VERSION	1

struct export_needs {
	uint32_t version;
	uint32_t n;
	uint64_t pvh_entry;
	uint64_t entry;		/* of the kernel, which wants ... */
	uint64_t boot_params;	/* ... this in rsi or esi, and a memory map in it */
};
_Static_assert(sizeof(struct export_needs) == 32, "doc/domain-builder.md");

enum export_need_kind {
	EXPORT_NEED_KERNEL = 1,
	EXPORT_NEED_TRAMPOLINE = 2,
	EXPORT_NEED_PARAMS = 3,	/* boot_params, command line, and room for the trampoline's own */
	EXPORT_NEED_INITRD = 4,
};

/* Flags: before the first instruction of the kernel's own entry it must be ... */
#define EXPORT_NEED_MAPPED	(1U << 0)	/* mapped, virtual = physical, if paging is on */
#define EXPORT_NEED_WRITABLE	(1U << 1)
#define EXPORT_NEED_EXECUTABLE	(1U << 2)

struct export_need {
	uint64_t addr;
	uint64_t len;
	uint64_t align;
	uint32_t kind;
	uint32_t flags;
};
_Static_assert(sizeof(struct export_need) == 32, "doc/domain-builder.md");

#endif
