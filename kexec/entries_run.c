// SPDX-License-Identifier: GPL-2.0-or-later
#include "entries_run.h"

#include <errno.h>
#include <string.h>

#include "file.h"
#include "host_entries.h"
#include "report.h"
#include "report_entries.h"

#define STATUS_NOTHING 1
#define STATUS_FAILED  255

static int read_entries(const struct options *o, struct arena *a, struct host_entries *ret,
			struct diag *diag)
{
	file_catch_truncation();
	return host_entries_read(o->host_root ? o->host_root : "", o->boot_root, a, ret, diag);
}

int entries_list(const struct options *o, struct arena *a, struct diag *diag)
{
	struct host_entries h;
	int status = 0;
	int r = o->json ? report_json_check(diag) : 0;

	if (r < 0) {
		report_failure(stderr, diag, NULL);
		return STATUS_FAILED;
	}
	if (read_entries(o, a, &h, diag) < 0) {
		report_failure_of(o, diag);
		return STATUS_FAILED;
	}
	if (o->debug)
		report_notes(stderr, diag);
	else
		report_warnings(stderr, diag);
	if (o->json) {
		r = report_entries_json(stdout, &h, diag);
	} else if (h.list.n > 0) {
		report_entries(stdout, &h);
	} else {
		r = fail(diag, ENOENT, "entries/none", "there are no boot entries in %.500s",
			 h.looked_at ? h.looked_at : "/boot");
	}
	if (r < 0)
		report_failure(stderr, diag, NULL);
	if (r < 0 || h.list.n == 0)
		status = r < 0 && r != -ENOENT ? STATUS_FAILED : STATUS_NOTHING;
	host_entries_close(&h);
	return status;
}

bool entries_is_one(const struct options *o)
{
	return o->load && o->kernel && o->kernel[0] == '@';
}

/* --append takes the place of the entry's command line as it does with a UKI's own. */
static int take_options(const struct boot_entry *e, struct arena *a, struct options *to,
			struct diag *diag)
{
	if (!e->options || to->reuse_cmdline)
		return 0;
	if (!to->append || to->image_cmdline)
		to->append = arena_printf(a, "%s%s%s", e->options, to->append ? " " : "",
					  to->append ? to->append : "");
	else
		note(diag, "entries/options-replaced",
		     "--append takes the place of the entry's command line (--image-cmdline adds "
		     "to "
		     "it): %.200s",
		     e->options);
	to->image_cmdline = false;
	return to->append ? 0 : fail_nomem(diag);
}

static int take_initrds(const struct host_entries *h, const struct boot_entry *e, struct arena *a,
			struct options *to, struct diag *diag)
{
	const char **paths;
	int r = 0;

	if (to->n_initrds > 0 && e->n_initrds > 0)
		note(diag, "entries/initrds-replaced",
		     "--initrd takes the place of the entry's %zu", e->n_initrds);
	if (to->n_initrds > 0 || e->n_initrds == 0)
		return 0;
	paths = arena_alloc_array(a, e->n_initrds, sizeof(*paths));
	if (!paths)
		return fail_nomem(diag);
	for (size_t i = 0; i < e->n_initrds && r == 0; i++)
		r = host_entries_resolve(h, e, e->initrds[i], a, &paths[i], diag);
	to->initrds = paths;
	to->n_initrds = e->n_initrds;
	return r;
}

/* Missing initrds are no matter when others were given. */
static bool is_usable(const struct boot_entry *e)
{
	return !e->why_id || (strcmp(e->why_id, "entries/no-file") == 0 && e->kernel);
}

static int take_entry(const struct host_entries *h, size_t index, struct arena *a,
		      struct options *to, struct diag *diag)
{
	const struct boot_entry *e = &h->list.v[index];
	const char *id = e->id ? e->id : "?";
	int r;

	if (!is_usable(e)) {
		fail(diag, EINVAL, e->why_id, "boot entry '%.80s' (%.200s) cannot be used: %s", id,
		     e->file, e->why);
		return fail_advise(diag, "name the files instead: kexec -l KERNEL --initrd=... "
					 "--append=...");
	}
	r = host_entries_resolve(h, e, e->kernel, a, &to->kernel, diag);
	if (r == 0)
		r = take_initrds(h, e, a, to, diag);
	if (r == 0)
		r = take_options(e, a, to, diag);
	if (r < 0)
		return r;
	if (e->profile && !to->profile)
		to->profile = e->profile;
	if (e->devicetree && !to->dtb)
		note(diag, "entries/devicetree",
		     "the entry's device tree is left out, as PCs have none: %.200s (--dtb hands "
		     "one "
		     "over)",
		     e->devicetree);
	if (index == h->list.default_entry && h->list.is_one_shot)
		note(diag, "entries/one-shot",
		     "the entry was chosen for one boot, and the boot loader will take it once "
		     "more: "
		     "kexec does not use that up");
	note(diag, "entries/chosen", "boot entry '%.80s' of %.200s: %.300s", id, e->file,
	     to->kernel);
	return 0;
}

int entries_resolve(const struct options *o, struct arena *a, struct options *ret,
		    struct diag *diag)
{
	struct options chosen = *o;
	struct host_entries h;
	size_t index = 0;
	int r = read_entries(o, a, &h, diag);

	if (r < 0)
		return r;
	r = entries_find(&h.list, o->kernel + 1, a, &index, diag);
	if (r == 0)
		r = take_entry(&h, index, a, &chosen, diag);
	host_entries_close(&h);
	if (r == 0)
		*ret = chosen;
	return r;
}
