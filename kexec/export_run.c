// SPDX-License-Identifier: GPL-2.0-or-later
#include "export_run.h"

#include "arch/x86/x86.h"
#include "load.h"
#include "output.h"

/* Who may not read what went in may not read what comes out: an initrd may have secrets. */
static mode_t mode_of(const struct load *l)
{
	mode_t mode = 0644 & l->kernel.stat.st_mode;

	for (size_t i = 0; i < l->initrd.n; i++)
		mode &= l->initrd.files[i].stat.st_mode;
	for (size_t i = 0; i < l->addons.n; i++)
		mode &= l->addons.files[i].stat.st_mode;
	return mode | 0600;
}

int export_run(const struct options *o, struct arena *a, struct diag *diag)
{
	struct export_file file = { 0 };
	struct load l;
	int r;

	load_init(&l, o, a);
	file_catch_truncation();
	r = load_read(&l, diag);
	progress_stage(&l.progress, PROGRESS_EXPORTING);
	if (r == 0)
		r = x86_export(&o->export, &l.request, a, &file, diag);
	if (r == 0)
		r = output_write(o->output, mode_of(&l), file.pieces, file.n, diag);
	progress_end(&l.progress);
	unpack_buffer_free(&file.memory);
	load_free(&l);
	return r;
}
