// SPDX-License-Identifier: GPL-2.0-or-later
#include "export_run.h"

#include "arch/x86/x86.h"
#include "handback.h"
#include "load_stages.h"
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

struct exporting {
	struct caged caged;	/* first: the others are found by it */
	const struct export_wish *wish;
	struct export_file file;
};

static int export_file(struct caged *c, struct diag *diag)
{
	struct exporting *e = (struct exporting *)c;
	int r;

	progress_stage(&c->l->progress, PROGRESS_EXPORTING);
	r = x86_export(e->wish, &c->l->request, c->l->arena, &e->file, diag);
	if (r < 0)
		e->file.n = 0;
	return r;
}

static void hand_file(struct parcel *p, struct caged *c)
{
	struct exporting *e = (struct exporting *)c;

	e->file.n = parcel_count(p, e->file.n, EXPORT_PIECES_MAX);
	for (size_t i = 0; i < e->file.n; i++)
		parcel_span(p, &e->file.pieces[i]);
}

int export_run(const struct options *o, struct arena *a, struct diag *diag)
{
	struct cage cage = { .memfd = -1 };
	struct load l;
	struct exporting e = {
		.caged = { .l = &l, .cage = &cage, .work = export_file, .hand = hand_file },
		.wish = &o->export,
	};
	int r;

	load_init(&l, o, a);
	l.is_caged = !o->no_sandbox;
	file_catch_truncation();
	r = load_read(&l, diag);
	if (r == 0)
		r = load_run_anywhere(&e.caged, diag);
	if (r == 0)
		r = output_write(o->output, mode_of(&l), e.file.pieces, e.file.n, diag);
	progress_end(&l.progress);
	unpack_buffer_free(&e.file.memory);
	cage_close(&cage);
	load_free(&l);
	return r;
}
