// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch/x86/elf_image.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "arch/x86/flat.h"
#include "arch/x86/multiboot_common.h"
#include "arch/x86/pvh.h"
#include "arch/x86/vmlinux.h"

static int probe_class(struct span file, bool is_64, struct diag *why)
{
	struct elf elf = { 0 };
	int r = elf_parse(file, &elf, why);

	if (r == -ENOEXEC)
		return r;
	/* A broken one is refused by plan, in the words of the reader. */
	if (r < 0)
		return elf_is_64(file) == is_64 ? 0 : -ENOEXEC;
	if (elf.is_64 != is_64)
		return fail(why, ENOEXEC, "elf/other-class", "this is an ELF file of %d bits",
			    elf.is_64 ? 64 : 32);
	if (elf.has_interpreter)
		return fail(why, ENOEXEC, "elf/interpreter",
			    "this ELF file is a program for a running system: it names an "
			    "interpreter");
	return 0;
}

static int probe_64(struct span file, struct diag *why)
{
	return probe_class(file, true, why);
}

static int probe_32(struct span file, struct diag *why)
{
	return probe_class(file, false, why);
}

/* ---- programs that are no Linux ---- */

struct program {
	struct flat flat;
	phys_t entry;
};

/* RFC 1071 over whole 16-bit words. */
static uint16_t ip_checksum(const uint8_t *data, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(data[i] | data[i + 1] << 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void put_note(uint32_t type, const char *text, struct multiboot_out *out)
{
	const uint32_t head[3] = { 0, (uint32_t)strlen(text) + 1, type };

	multiboot_put(out, head, sizeof(head));
	multiboot_put(out, text, strlen(text) + 1);
	multiboot_align(out, sizeof(uint32_t));
}

static size_t build_notes(const struct request *req, uint8_t *buf)
{
	struct multiboot_out out = { .buf = buf, .len = ELF_BOOT_HEADER_LEN };
	uint32_t head[3] = { ELF_BOOT_MAGIC, 0, 3 << 16 };
	uint16_t checksum;

	put_note(ELF_BOOT_LOADER_NAME, "kexec-ng", &out);
	put_note(ELF_BOOT_LOADER_VERSION, KEXEC_NG_VERSION, &out);
	put_note(ELF_BOOT_CMDLINE, req->cmdline, &out);
	if (!buf)
		return out.len;
	head[1] = (uint32_t)out.len;
	memcpy(buf, head, sizeof(head));
	checksum = ip_checksum(buf, out.len);
	memcpy(buf + 8, &checksum, sizeof(checksum));
	return out.len;
}

static int check_program(const struct elf *elf, const struct request *req,
			 const struct facts *facts, struct diag *diag)
{
	if (req->initrd.len > 0)
		return fail(diag, EINVAL, "elf/linux-only",
			    "with --args-elf and --args-none there is no initrd: the program would not "
			    "learn of it");
	if (req->has_subarch || req->has_subarch_data)
		return fail(diag, EINVAL, "elf/subarch",
			    "--subarch is about Linux kernels: an ELF program is not told what the "
			    "machine is");
	if (req->enter != ENTER_AUTO)
		return fail(diag, EINVAL, "elf/enter",
			    "--enter is about the entries of a bzImage; an ELF program has one");
	if (elf->is_64 && !facts->cpu.has_long_mode)
		return fail(diag, EINVAL, "elf/cpu-is-32-bit",
			    "this is a 64-bit program, and the CPU has no long mode");
	if (req->is_crash)
		warn(diag, "elf/crash",
		     "what this program learns of the kernel that panicked is %s",
		     req->args == ARGS_ELF ? "elfcorehdr= at the start of its command line" :
					     "nothing: with --args-none it has no command line");
	return 0;
}

static int plan_program(const struct elf *elf, const struct request *req, struct plan *plan,
			struct diag *diag)
{
	struct program *own = arena_alloc(plan->arena, sizeof(*own));
	const struct segment_wish notes = {
		.name = "params",
		.min = MIB,
		.end = elf->is_64 ? 0 : 4 * GIB,
		.is_digested = true,
	};
	struct segment *s;
	int r;

	if (!own)
		return fail_nomem(diag);
	plan->format = own;
	plan->entry_name = req->args == ARGS_ELF ? "elf" : "none";
	plan->jump_mode = elf->is_64 ? JUMP_64 : JUMP_32;
	own->entry = multiboot_elf_entry(elf);
	r = flat_from_elf(elf, false, plan->arena, &own->flat, diag);
	if (r < 0)
		return r;
	if (!flat_contains(&own->flat, own->entry))
		return fail(diag, EINVAL, "elf/entry-outside",
			    "the entry %#" PRIx64 " is no address of the program", own->entry);
	plan->jump_entry = own->entry;
	r = flat_plan(&own->flat, plan, diag);
	if (r == 0 && req->args == ARGS_ELF)
		r = plan_add_own(plan, &notes, build_notes(req, NULL), &s, diag);
	return r;
}

/* Not only Linux has that entry, and what it is handed is the same for all. */
static int plan_pvh(const struct elf *elf, const struct request *req, const struct facts *facts,
		    struct plan *plan, struct diag *diag)
{
	const struct pvh_image image = {
		.elf = *elf,
		.cmdline_max = UINT32_MAX,
		.initrd_end = 4 * GIB,
	};

	if (req->has_subarch || req->has_subarch_data)
		return fail(diag, EINVAL, "elf/pvh-linux-only",
			    "--subarch is for Linux kernels: this program has no \"Linux version\" "
			    "text");
	if (req->is_crash)
		warn(diag, "elf/crash",
		     "what this program learns of the kernel that panicked is elfcorehdr= at the "
		     "start of its command line");
	return pvh_plan(&image, req, facts, plan, diag);
}

static int elf_image_plan(const struct request *req, const struct facts *facts, struct plan *plan,
			  struct diag *diag)
{
	const char *banner = NULL;
	struct elf elf;
	int r = elf_parse(req->kernel, &elf, diag);

	if (r < 0)
		return r;
	if (req->args == ARGS_ELF || req->args == ARGS_NONE) {
		r = check_program(&elf, req, facts, diag);
		return r < 0 ? r : plan_program(&elf, req, plan, diag);
	}
	if (req->args != ARGS_LINUX) {
		r = vmlinux_banner(&elf, plan->arena, &banner, diag);
		if (r < 0)
			return r;
	}
	if (req->args == ARGS_LINUX || banner)
		return vmlinux_plan(&elf, req, facts, plan, diag);
	if (req->enter == ENTER_PVH)
		return plan_pvh(&elf, req, facts, plan, diag);
	fail(diag, EINVAL, "elf/not-linux",
	     "'%s' is an ELF program, but no Linux kernel: it has no \"Linux version\" text",
	     req->kernel_path);
	return fail_advise(diag, "--args-elf or --args-none, if it is to be started all the same");
}

static int elf_image_finish(const struct request *req, const struct facts *facts,
			    struct plan *plan, struct diag *diag)
{
	const struct segment *notes = plan_find(plan, "params");

	if (req->args != ARGS_ELF && req->args != ARGS_NONE)
		return bzimage_finish(req, facts, plan, diag);
	if (notes) {
		build_notes(req, notes->own);
		plan->jump_c_arg = notes->addr;
	}
	return 0;
}

const struct image_type elf_x86_64_type = {
	.name = "elf-x86_64",
	.takes_args = true,
	.probe = probe_64,
	.plan = elf_image_plan,
	.finish = elf_image_finish,
};

const struct image_type elf_x86_type = {
	.name = "elf-x86",
	.takes_args = true,
	.probe = probe_32,
	.plan = elf_image_plan,
	.finish = elf_image_finish,
};
