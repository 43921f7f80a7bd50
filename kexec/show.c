// SPDX-License-Identifier: GPL-2.0-or-later
#include "show.h"

#include <errno.h>
#include <string.h>

#include "host.h"

static bool is_of_this_boot(const char *root, const struct record *r, struct arena *a)
{
	const char *now = record_boot_id(root, a);

	return !now || !r->boot_id || strcmp(now, r->boot_id) == 0;
}

/* A limit counts every call; one that only this load has used up is as it left it. It cannot be
 * lifted, so that one which is not there could not be read. */
static enum show_state state_of(const char *root, const struct record *r)
{
	int64_t limit;

	if (r->has_limit && (!record_limit(root, r->is_crash, &limit) || limit != r->limit))
		return SHOW_MAYBE;
	return SHOW_RECORDED;
}

static int compare_files(const char *root, struct arena *a, struct show_image *s,
			 struct diag *diag)
{
	const bool is_here = *root == '\0' || strcmp(root, "/") == 0;

	s->files = arena_alloc_array(a, s->record.n_files, sizeof(*s->files));
	if (!s->files)
		return fail_nomem(diag);
	for (size_t i = 0; i < s->record.n_files; i++)
		s->files[i] = is_here ? record_compare(&s->record.files[i]) : RECORD_FILE_UNKNOWN;
	return 0;
}

int show_read(const char *root, bool is_crash, struct arena *a, struct show_image *ret,
	      struct diag *diag)
{
	struct show_image s = { .is_crash = is_crash };
	bool is_loaded;
	int r, known = host_is_loaded(root, is_crash, &is_loaded);

	diag_init(&s.why, NULL);
	r = record_read(root, is_crash, a, &s.record, &s.why);
	if (r == -ENOMEM)
		return fail_nomem(diag);
	if (known < 0) {
		s.state = SHOW_UNKNOWN;
	} else if (!is_loaded) {
		s.state = SHOW_NOTHING;
		s.is_stale = r == 0;
	} else if (r == -ENOENT) {
		s.state = SHOW_FOREIGN;
	} else if (r < 0) {
		s.state = SHOW_UNREADABLE;
	} else if (s.record.is_crash != is_crash || !is_of_this_boot(root, &s.record, a)) {
		s.state = SHOW_FOREIGN;
		s.is_stale = true;
	} else {
		s.is_interrupted = record_is_unsettled(root, is_crash);
		s.state = s.is_interrupted ? SHOW_MAYBE : state_of(root, &s.record);
	}
	if (s.state == SHOW_RECORDED || s.state == SHOW_MAYBE) {
		r = compare_files(root, a, &s, diag);
		if (r < 0)
			return r;
	}
	*ret = s;
	return 0;
}
