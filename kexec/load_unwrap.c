// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "cmdline.h"
#include "load_stages.h"

/* Which of the files that a kernel and its addons came in has these bytes, and where? */
static struct file_part part_of(const struct load *l, struct span bytes)
{
	for (size_t i = 0; i <= l->addons.n; i++) {
		const struct file *f = i < l->addons.n ? &l->addons.files[i] :
						&l->kernel;

		if (bytes.data >= f->bytes.data && bytes.data < f->bytes.data + f->bytes.len)
			return (struct file_part){ bytes, f,
						   (uint64_t)(bytes.data - f->bytes.data) };
	}
	return (struct file_part){ .bytes = bytes };
}

/* The initrds that came with the kernel, then those of --initrd. */
static int join_initrds(struct load *l, struct diag *diag)
{
	const struct bundle *b = l->request.bundle;
	struct file_part *parts;
	size_t n = 0, off = 0;
	int r;

	if (!b || b->n_initrds == 0)
		return 0;
	parts = arena_alloc_array(l->arena, b->n_initrds + l->initrd.n, sizeof(*parts));
	if (!parts)
		return fail_nomem(diag);
	for (size_t i = 0; i < b->n_initrds; i++)
		parts[n++] = part_of(l, b->initrds[i].bytes);
	for (size_t i = 0; i < l->initrd.n; i++) {
		const struct file *f = &l->initrd.files[i];
		const size_t len = (size_t)f->stat.st_size;

		parts[n++] = (struct file_part){ span_of(l->initrd.bytes.data + off, len), f, 0 };
		off += (size_t)align_down(len + PAGE_LEN - 1, PAGE_LEN);
	}
	r = file_join(parts, n, &l->joined, diag);
	if (r < 0)
		return r;
	l->request.initrd = l->joined.bytes;
	l->request.n_initrds = n;
	return 0;
}

/* What only a unified kernel image can honour must not be lost on something else. */
static int check_bundle(const struct load *l, struct diag *diag)
{
	const struct options *o = l->options;
	const char *option = o->profile ? "--profile" : o->n_addons > 0 ? "--addon" : NULL;

	if (l->request.bundle)
		return 0;
	if (option) {
		fail(diag, EINVAL, "load/no-uki", "%s is for unified kernel images, and '%s' is none",
		     option, o->kernel);
		return fail_advise(diag, "leave it out, or name the image itself (.../NAME.efi)");
	}
	if (o->no_addons)
		warn(diag, "options/no-effect",
		     "--no-addons has no effect: it is for unified kernel images, and '%s' is none",
		     o->kernel);
	if (l->addons.n > 0)
		note(diag, "load/addons-unused",
		     "the addons beside '%s' are left out: it is no unified kernel image",
		     o->kernel);
	return 0;
}

int load_unwrap(struct load *l, struct diag *diag)
{
	struct request *req = &l->request;
	int r = load_open_caged(l, diag);

	if (r == 0)
		r = check_bundle(l, diag);
	if (r == 0)
		r = cmdline_compose(l->options, l->facts.has_cmdline ? l->facts.cmdline : NULL,
				    req->bundle, l->arena, &req->cmdline, diag);
	if (r == 0)
		r = join_initrds(l, diag);
	l->packed_initrd = req->initrd;
	return r;
}
