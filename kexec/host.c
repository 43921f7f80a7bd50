// SPDX-License-Identifier: GPL-2.0-or-later
#include "host.h"

#include <errno.h>
#include <string.h>

#include "host_parts.h"
#include "host_text.h"
#include "host_tree.h"

static int read_parts(const struct host_tree *t, struct arena *a, struct facts *f,
		      struct diag *diag)
{
	static int (*const parts[])(const struct host_tree *t, struct arena *a, struct facts *f,
				    struct diag *diag) = {
		host_read_kernel, host_read_firmware, host_read_memory, host_read_crash,
		host_read_display,
		host_read_console, host_read_cpu, host_read_policy, host_read_xen,
	};

	for (size_t i = 0; i < array_len(parts); i++) {
		int r = parts[i](t, a, f, diag);

		if (r < 0)
			return r == -ENOMEM ? fail_nomem(diag) : r;
	}
	return 0;
}
/* Files without which a plan is as good. A driver may give EIO for an attribute of its own, as may
 * firmware for a variable. */
static bool is_decoration(const char *path)
{
	static const char *const folders[] = { "sys/class/", "sys/devices/",
					       "sys/firmware/efi/efivars/" };

	for (size_t i = 0; i < array_len(folders); i++)
		if (strncmp(path, folders[i], strlen(folders[i])) == 0)
			return true;
	return false;
}

static bool is_exhausted(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM;
}

int host_judge_trouble(const struct host_trouble *trouble, struct diag *diag)
{
	if (trouble->error == 0)
		return 0;
	if (!is_exhausted(trouble->error) && is_decoration(trouble->path)) {
		note(diag, "host/attribute", "/%s cannot be read: %s", trouble->path,
		     strerror(trouble->error));
		return 0;
	}
	fail(diag, trouble->error, "host/unreadable",
	     "/%s cannot be read: %s; a plan without it could be a wrong one", trouble->path,
	     strerror(trouble->error));
	return !is_exhausted(trouble->error) ? -trouble->error :
					       fail_advise(diag, "raise the limits of this process "
								 "(ulimit -n, ulimit -v, cgroup)");
}

int host_read(const char *root, struct arena *a, struct facts *ret, struct diag *diag)
{
	struct facts f = { .cmdline = "", .release = "" };
	struct host_trouble trouble = { 0 };
	struct host_tree tree;
	int r;

	r = host_tree_open(root, &tree);
	if (r == -ENOSYS) {
		fail(diag, ENOSYS, "host/root-unconfined",
		     "this kernel has no openat2(), so links in %s could lead out of it", root);
		return fail_advise(diag, "read a captured tree on Linux 5.6 or newer");
	}
	if (r < 0)
		return fail(diag, -r, "host/root", "cannot open %s as a directory: %s",
			    *root ? root : "/", strerror(-r));
	range_list_init(&f.ram, a);
	range_list_init(&f.crash_kernel, a);
	range_list_init(&f.crash.ram, a);
	range_list_init(&f.crash.cma, a);
	range_list_init(&f.withheld, a);
	tree.trouble = &trouble;
	r = read_parts(&tree, a, &f, diag);
	host_tree_close(&tree);
	if (r == 0)
		r = host_judge_trouble(&trouble, diag);
	if (r < 0)
		return r;
	*ret = f;
	return 0;
}

/* Linux 7 moved these files into a directory and left links behind for some time. */
int host_is_loaded(const char *root, bool crash, bool *ret)
{
	const char *paths[] = {
		crash ? "sys/kernel/kexec_crash_loaded" : "sys/kernel/kexec_loaded",
		crash ? "sys/kernel/kexec/crash_loaded" : "sys/kernel/kexec/loaded",
	};
	struct host_tree tree;
	uint64_t v = UINT64_MAX;
	int r;

	if (host_tree_open(root, &tree) < 0)
		return -ENOENT;
	for (size_t i = 0; i < array_len(paths) && v > 1; i++) {
		r = host_number_read(&tree, &v, "%s", paths[i]);
		if (r < 0)
			v = UINT64_MAX;
	}
	host_tree_close(&tree);
	if (v > 1)
		return -ENOENT;
	*ret = v == 1;
	return 0;
}

void host_read_policy_again(const char *root, struct facts *f)
{
	const struct policy_facts before = f->policy;
	struct host_trouble trouble = { 0 };
	struct diag ignored;
	struct host_tree tree;

	if (host_tree_open(root, &tree) < 0)
		return;
	tree.trouble = &trouble;
	diag_init(&ignored, NULL);
	/* It allocates nothing. */
	if (host_read_policy(&tree, NULL, f, &ignored) < 0 || trouble.error != 0)
		f->policy = before;
	host_tree_close(&tree);
}

bool host_find_xen(const char *root, struct arena *a, struct facts *f)
{
	struct host_tree tree;
	struct diag ignored;

	if (host_tree_open(root, &tree) < 0)
		return false;
	diag_init(&ignored, NULL);
	if (host_read_xen(&tree, a, f, &ignored) < 0)
		f->xen.version = NULL;
	host_tree_close(&tree);
	return f->xen.is_dom0;
}
