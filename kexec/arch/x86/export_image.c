// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch/x86/export_image.h"

#include <errno.h>

#include "arch/x86/vmlinux.h"

static int read_bzimage(struct span file, struct arena *a, struct export_kernel *ret,
			struct diag *diag)
{
	int r = bzimage_parse(file, a, &ret->image, diag);

	if (r < 0)
		return r;
	if (!ret->image.has_payload)
		return fail(diag, EINVAL, "export/no-payload",
			    "the image does not say where its packed kernel is (boot protocol %u.%02u)",
			    ret->image.version >> 8, ret->image.version & 0xff);
	return direct_payload(&ret->image, a, &ret->payload, diag);
}

static int read_elf(struct span file, struct arena *a, struct export_kernel *ret, struct diag *diag)
{
	const char *banner;
	struct elf elf;
	int r = elf_parse(file, &elf, diag);

	if (r == 0)
		r = vmlinux_banner(&elf, a, &banner, diag);
	if (r < 0)
		return r;
	if (!banner)
		return fail(diag, EINVAL, "export/no-linux",
			    "the ELF file is no Linux kernel: there is no \"Linux version\" in it");
	return vmlinux_header(&elf, banner, a, &ret->image, &ret->payload, diag);
}

int export_image(const struct export_wish *wish, const struct request *req, struct arena *a,
		 struct export_file *ret, struct diag *diag)
{
	struct export_kernel k = { 0 };
	struct diag why;
	bool is_bzimage;
	int r;

	diag_init(&why, NULL);
	is_bzimage = bzimage_probe(req->kernel, &why) == 0;
	if (wish->kind == EXPORT_BZIMAGE && !is_bzimage)
		return fail(diag, EINVAL, "export/no-bzimage",
			    "only a bzImage has a payload to pack another way: %s", why.text);
	r = is_bzimage ? read_bzimage(req->kernel, a, &k, diag) :
			 read_elf(req->kernel, a, &k, diag);
	if (r < 0)
		return r;
	switch (wish->kind) {
	case EXPORT_ELF:
		return export_elf(&k, wish, req, a, ret, diag);
	case EXPORT_BZIMAGE:
		return export_bzimage(&k, req->kernel, wish->payload, a, ret, diag);
	default:
		return export_add(ret, k.payload, diag);
	}
}
