// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch/x86/elf_image.h"

#include <errno.h>

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

static int elf_image_plan(const struct request *req, const struct facts *facts, struct plan *plan,
			  struct diag *diag)
{
	struct elf elf;
	int r = elf_parse(req->kernel, &elf, diag);

	if (r < 0)
		return r;
	if (!vmlinux_banner(&elf, plan->arena)) {
		fail(diag, EINVAL, "elf/not-linux",
		     "'%s' is an ELF program, but no Linux kernel: it has no \"Linux version\" text",
		     req->kernel_path);
		return fail_advise(diag, "give it a kernel");
	}
	return vmlinux_plan(&elf, req, facts, plan, diag);
}

static int elf_image_finish(const struct request *req, const struct facts *facts,
			    struct plan *plan, struct diag *diag)
{
	return bzimage_finish(req, facts, plan, diag);
}

const struct image_type elf_x86_64_type = {
	.name = "elf-x86_64",
	.probe = probe_64,
	.plan = elf_image_plan,
	.finish = elf_image_finish,
};

const struct image_type elf_x86_type = {
	.name = "elf-x86",
	.probe = probe_32,
	.plan = elf_image_plan,
	.finish = elf_image_finish,
};
