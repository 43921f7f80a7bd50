// SPDX-License-Identifier: GPL-2.0-or-later
/* What has been loaded, for --show. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"
#include "record.h"

struct list {
	struct record_file *files;
	size_t n;
	struct arena *arena;
};

static void add(struct list *list, const char *role, const struct file *f)
{
	char *absolute;
	const char *path;

	if (list->n == RECORD_FILES_MAX || !f->path)
		return;
	absolute = realpath(f->path, NULL);
	path = absolute ? arena_strndup(list->arena, absolute, strlen(absolute)) : NULL;
	free(absolute);
	list->files[list->n++] = (struct record_file){
		.role = role,
		.path = path ? path : f->path,
		.len = (uint64_t)f->stat.st_size,
		.mtime_ns = (uint64_t)f->stat.st_mtim.tv_sec * 1000000000 +
			    (uint64_t)f->stat.st_mtim.tv_nsec,
		.inode = (uint64_t)f->stat.st_ino,
	};
}

static void add_files(struct list *list, const struct load *l)
{
	add(list, "kernel", &l->kernel);
	for (size_t i = 0; i < l->initrd.n; i++)
		add(list, "initrd", &l->initrd.files[i]);
	for (size_t i = 0; i < l->addons.n; i++)
		add(list, "addon", &l->addons.files[i]);
	for (size_t i = 0; i < l->modules.n; i++)
		add(list, "module", &l->modules.files[i]);
	if (l->dtb.fd >= 0)
		add(list, "dtb", &l->dtb);
}

static struct record_segment *list_segments(const struct load *l, size_t *ret_n)
{
	const size_t n = l->call == CALL_LOAD ? l->plan.n_segments : 0;
	struct record_segment *list = arena_alloc_array(l->arena, n, sizeof(*list));

	for (size_t i = 0; i < n && list; i++) {
		const struct segment *s = &l->plan.segments[i];

		list[i] = (struct record_segment){ s->name, s->addr, s->bytes.len, s->mem_len };
	}
	*ret_n = list ? n : 0;
	return list;
}

void load_record(struct load *l, struct diag *diag)
{
	struct list list = {
		.files = arena_alloc_array(l->arena, RECORD_FILES_MAX, sizeof(*list.files)),
		.arena = l->arena,
	};
	struct record r = {
		.is_crash = l->options->load_crash,
		.loader = "kexec-ng " KEXEC_NG_VERSION,
		.call = l->call == CALL_FILE ? "kexec_file_load" : "kexec_load",
		.release = l->facts.release,
		.type = l->plan.type_text ? l->plan.type_text : l->type ? l->type->name : "?",
		.kernel_version = l->plan.kernel_version,
		.cmdline = l->request.cmdline ? l->request.cmdline : "",
	};
	struct diag why;

	if (list.files)
		add_files(&list, l);
	r.files = list.files;
	r.n_files = list.n;
	r.segments = list_segments(l, &r.n_segments);
	record_sign(&r, l->arena);
	diag_init(&why, NULL);
	if (record_write(&r, &why) < 0)
		note(diag, why.id, "%s", why.text);
	record_turn_end(&l->turn, true);
}
