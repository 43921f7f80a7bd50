// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch/x86/vmlinux.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/direct.h"
#include "arch/x86/pvh.h"
#include "arch/x86/subarch.h"

/* What the kernel proper looks at is there from 2.12 on; 2.15 would promise a kernel_info. */
#define PROTOCOL		0x020d
#define HEADER_END		0x268	/* of that protocol's header */
#define BOOT_FLAG		0xaa55
#define HEADER_MAGIC		0x53726448	/* "HdrS" */
#define JUMP_SHORT		0xeb
#define CMDLINE_MAX		2047	/* COMMAND_LINE_SIZE of every x86 kernel since 2.6.27 */

/* Valid for each CONFIG_PHYSICAL_ALIGN: 64-bit kernels insist on a page of theirs, and no 32-bit one
 * may have more than 16 MiB. */
#define ALIGNMENT_64_LOG	21
#define ALIGNMENT_32_LOG	24
#define INITRD_MAX_64		0x7fffffff
#define INITRD_MAX_32		0x37ffffff

#define BANNER			"Linux version "
#define BANNER_LEN_MAX		512

int vmlinux_banner(const struct elf *elf, struct arena *a, const char **ret, struct diag *diag)
{
	struct span rest = elf->file;
	size_t len = 0;

	*ret = NULL;
	for (;;) {
		const uint8_t *at = memmem(rest.data, rest.len, BANNER, strlen(BANNER));

		if (!at)
			return 0;
		rest = span_of(at + strlen(BANNER), rest.len - (size_t)(at - rest.data) -
							    strlen(BANNER));
		/* The same words with %s behind them are the format of /proc/version. */
		if (rest.len > 0 && rest.data[0] >= '0' && rest.data[0] <= '9')
			break;
	}
	while (len < rest.len && len < BANNER_LEN_MAX && rest.data[len] >= ' ')
		len++;
	*ret = arena_strndup(a, (const char *)rest.data, len);
	return *ret ? 0 : fail_nomem(diag);
}

struct release {
	unsigned long major, minor;
};

static bool is_since(struct release r, unsigned long major, unsigned long minor)
{
	return r.major > major || (r.major == major && r.minor >= minor);
}

/* "6.1.0-50-cloud-amd64 ..."; 0.0 when nothing is known: then it gets what the oldest can take. */
static struct release release_of(const char *banner)
{
	struct release r = { 0 };
	char *end;

	if (!banner)
		return r;
	r.major = strtoul(banner, &end, 10);
	if (*end == '.')
		r.minor = strtoul(end + 1, NULL, 10);
	return r;
}

/* What a bzImage tells by flags is told here by the release in which it became so. */
static uint16_t flags_of(struct release release, bool is_64)
{
	uint16_t flags = 0;

	if (!is_64)
		return 0;
	flags |= XLF_KERNEL_64;
	if (is_since(release, 3, 8))	/* reads the upper halves of the addresses */
		flags |= XLF_CAN_BE_LOADED_ABOVE_4G;
	if (is_since(release, 3, 14))	/* setup_data type SETUP_EFI */
		flags |= XLF_EFI_KEXEC;
	if (is_since(release, 7, 0))	/* before, it was a choice of who built it */
		flags |= XLF_5LEVEL | XLF_5LEVEL_ENABLED;
	return flags;
}

static void put(uint8_t *header, size_t off, uint64_t v, size_t len)
{
	memcpy(header + off - HDR_SETUP_SECTS, &v, len);
}

static void write_header(const struct bzimage *image, unsigned int alignment_log, uint8_t *header)
{
	put(header, HDR_BOOT_FLAG, BOOT_FLAG, 2);
	put(header, HDR_JUMP, JUMP_SHORT, 1);
	put(header, HDR_JUMP + 1, HEADER_END - HDR_MAGIC, 1);
	put(header, HDR_MAGIC, HEADER_MAGIC, 4);
	put(header, HDR_VERSION, PROTOCOL, 2);
	put(header, HDR_LOADFLAGS, LOADFLAG_LOADED_HIGH, 1);
	put(header, HDR_INITRD_ADDR_MAX, image->initrd_end - 1, 4);
	put(header, HDR_KERNEL_ALIGNMENT, image->alignment, 4);
	put(header, HDR_RELOCATABLE_KERNEL, image->is_relocatable, 1);
	put(header, HDR_MIN_ALIGNMENT, alignment_log, 1);
	put(header, HDR_XLOADFLAGS, image->xloadflags, 2);
	put(header, HDR_CMDLINE_SIZE, CMDLINE_MAX, 4);
	put(header, HDR_PREF_ADDRESS, image->pref_address, 8);
	put(header, HDR_INIT_SIZE, image->window_len, 4);
}

/* True if what follows the ELF file is the kernel's relocation table. */
static bool has_relocations(const struct elf *elf)
{
	struct reloc_table table;
	struct diag ignored;
	struct span tail;

	diag_init(&ignored, NULL);
	return span_sub(elf->file, elf->len, elf->file.len - elf->len, &tail) && tail.len > 0 &&
	       reloc_parse(tail, elf, &table, &ignored) == 0 && !table.is_empty;
}

int vmlinux_header(const struct elf *elf, const char *banner, struct arena *a,
		   struct bzimage *ret, struct span *ret_payload, struct diag *diag)
{
	unsigned int alignment_log = elf->is_64 ? ALIGNMENT_64_LOG : ALIGNMENT_32_LOG;
	uint8_t *header = arena_alloc(a, HEADER_END - HDR_SETUP_SECTS);
	struct bzimage image = {
		.version = PROTOCOL,
		.header_end = HEADER_END,
		.header = span_of(header, HEADER_END - HDR_SETUP_SECTS),
		.kernel = elf->file,
		.kernel_version = banner,
		.loadflags = LOADFLAG_LOADED_HIGH,
		.xloadflags = flags_of(release_of(banner), elf->is_64),
		.cmdline_max = CMDLINE_MAX,
		.initrd_end = elf->is_64 ? INITRD_MAX_64 + UINT64_C(1) : INITRD_MAX_32 + UINT64_C(1),
		.is_relocatable = has_relocations(elf),
		.alignment = UINT64_C(1) << alignment_log,
		.pref_address = elf->start,
		.window_len = elf->end - elf->start,
		.payload_format = "elf",
	};

	if (!header)
		return fail_nomem(diag);
	if (image.window_len > GIB || elf->end > 4 * GIB)
		return fail(diag, EINVAL, "vmlinux/place",
			    "the kernel wants %#" PRIx64 "-%#" PRIx64
			    ": Linux has at most 1 GiB, and is linked for the first 4",
			    elf->start, elf->end);
	write_header(&image, alignment_log, header);
	if (!span_sub(elf->file, 0, image.is_relocatable ? elf->file.len : elf->len, ret_payload))
		return fail(diag, EINVAL, "vmlinux/truncated", "the file ends inside its kernel");
	*ret = image;
	return 0;
}

/* Without a stub, what only a stub can do cannot be done. */
static int check_stubless(const struct request *req, const struct facts *facts, struct diag *diag)
{
	const char *obstacle = NULL;

	if (req->enter != ENTER_AUTO && req->enter != ENTER_DIRECT && req->enter != ENTER_PVH)
		return fail(diag, EINVAL, "vmlinux/no-stub",
			    "an ELF file is the kernel itself: it has none of the entries of a "
			    "bzImage that --enter could choose");
	if (facts->cpu.is_confidential_guest)
		obstacle = "this is a confidential guest";
	else if (facts->has_unaccepted_memory)
		obstacle = "some memory is not accepted yet";
	else if (cmdline_has_word(req->cmdline, "mem_encrypt=on"))
		obstacle = "the command line has mem_encrypt=on";
	if (!obstacle)
		return 0;
	fail(diag, EINVAL, "vmlinux/needs-stub", "%s, which only the stub of a bzImage can handle",
	     obstacle);
	return fail_advise(diag, "load the bzImage (/boot/vmlinuz-...) instead");
}

static int plan_pvh(const struct elf *elf, const struct bzimage *image, const struct request *req,
		    const struct facts *facts, struct plan *plan, struct diag *diag)
{
	const struct pvh_image inside = {
		.elf = *elf,
		.version = image->kernel_version,
		.cmdline_max = image->cmdline_max,
		.initrd_end = image->initrd_end,
		.is_linux = true,
	};

	return pvh_plan(&inside, req, facts, plan, diag);
}

int vmlinux_plan(const struct elf *elf, const struct request *req, const struct facts *facts,
		 struct plan *plan, struct diag *diag)
{
	const char *banner = NULL;
	const enum enter *entries;
	struct bzimage image;
	struct direct direct;
	struct span payload;
	int r = check_stubless(req, facts, diag);

	if (r == 0 && elf->is_64 && !facts->cpu.has_long_mode)
		r = fail(diag, EINVAL, "vmlinux/cpu-is-32-bit",
			 "this is a 64-bit kernel, and the CPU has no long mode");
	if (r == 0)
		r = vmlinux_banner(elf, plan->arena, &banner, diag);
	if (r == 0)
		r = vmlinux_header(elf, banner, plan->arena, &image, &payload, diag);
	if (r == 0)
		r = subarch_entries(&image, req, facts, plan->arena, &entries, diag);
	if (r == 0) {
		plan->subarch = subarch_text(subarch_number(req, facts), plan->arena);
		if (entries[0] == ENTER_PVH)
			return plan_pvh(elf, &image, req, facts, plan, diag);
	}
	if (r == 0)
		r = direct_read(&image, payload, plan->arena, &direct, diag);
	if (r < 0)
		return r;
	/* startup_64 fixes its page tables up for wherever it is, and where it was linked is no place
	 * to be after a panic. Virtual addresses, which relocations are for, stay. */
	if (!image.is_relocatable && req->is_crash && elf->is_64) {
		image.is_relocatable = true;
		note(diag, "vmlinux/moved",
		     "an ELF kernel without a relocation table is moved, but without KASLR: it must "
		     "have been built with CONFIG_RELOCATABLE");
	}
	if (!image.is_relocatable)
		note(diag, "vmlinux/as-linked",
		     "an ELF kernel without a relocation table runs where it was linked, at %#" PRIx64
		     ", and without KASLR",
		     elf->start);
	if (elf->is_64 && !(image.xloadflags & XLF_5LEVEL_ENABLED))
		note(diag, "vmlinux/4-level",
		     "an ELF kernel before 7.0 does not say whether it knows 5-level paging: it gets "
		     "4 levels");
	return bzimage_plan_direct(&image, &direct, req, facts, plan, diag);
}
