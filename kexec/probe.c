// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe.h"

#include <errno.h>
#include <string.h>

#include "arch/x86/x86.h"

static bool has_name(const struct image_type *type, const char *name)
{
	return strcmp(type->name, name) == 0 || (type->alias && strcmp(type->alias, name) == 0);
}

/* The format that --type names, or NULL: it names none, or a container. */
static const struct image_type *find_format(const char *name)
{
	for (size_t i = 0; name && x86_formats[i]; i++)
		if (has_name(x86_formats[i], name))
			return x86_formats[i];
	return NULL;
}

static bool is_container(const char *name)
{
	for (size_t i = 0; x86_containers[i]; i++)
		if (x86_containers[i]->name && strcmp(x86_containers[i]->name, name) == 0)
			return true;
	return false;
}

static const char *known_names(struct arena *a)
{
	const char *list = NULL;

	for (size_t i = 0; x86_formats[i]; i++) {
		const struct image_type *t = x86_formats[i];

		list = arena_printf(a, "%s%s%s%s%s", list ? list : "", list ? ", " : "", t->name,
				    t->alias ? ", " : "", t->alias ? t->alias : "");
	}
	for (size_t i = 0; x86_containers[i]; i++)
		if (x86_containers[i]->name)
			list = arena_printf(a, "%s, %s", list ? list : "", x86_containers[i]->name);
	return list ? list : "?";
}

/* One that nothing here opens is named at least. */
static int refuse_unknown(const struct request *req, struct diag *diag)
{
	const char *what = x86_unopened(req->kernel);

	if (!what)
		return 0;	/* probe_format() has the reason */
	fail(diag, ENOEXEC, "unwrap/unsupported", "'%s' is %s, which this version does not open",
	     req->kernel_path, what);
	return fail_advise(diag, "give it the bzImage itself (/boot/vmlinuz-...)");
}

static int open_one(const struct container *c, struct request *req, const struct facts *facts,
		    struct arena *a, struct unwrapped *u, struct diag *diag)
{
	const struct span outer = req->kernel;
	struct request inner = *req;
	int r;

	u->names[u->n] = container_name(c, outer);
	u->memory[u->n].region = a->region;
	r = c->open(&inner, facts, a, &u->memory[u->n], diag);
	u->n++;
	if (r < 0)
		return r;
	if (inner.kernel.data == outer.data && inner.kernel.len == outer.len)
		return fail(diag, EINVAL, "unwrap/no-kernel", "there is no kernel in the %s",
			    container_name(c, outer));
	*req = inner;
	return 0;
}

int probe_unwrap(struct request *req, const struct facts *facts, struct arena *a,
		 struct unwrapped *ret, struct diag *diag)
{
	struct diag why;

	*ret = (struct unwrapped){ 0 };
	diag_init(&why, NULL);
	if (req->type && !find_format(req->type) && !is_container(req->type))
		return fail(diag, EINVAL, "probe/unknown-name", "--type=%.80s: known types are %s",
			    req->type, known_names(a));
	/* Whatever --type says: what is a kernel is not opened. */
	while (!x86_find_format(req->kernel, NULL, &why)) {
		const struct container *c = x86_find_container(req->kernel);
		int r;

		if (!c)
			return refuse_unknown(req, diag);
		if (ret->n == UNWRAP_DEPTH_MAX)
			return fail(diag, ELOOP, "unwrap/too-deep",
				    "'%s' is wrapped more than %d times, the last time in %s",
				    req->kernel_path, UNWRAP_DEPTH_MAX,
				    container_name(c, req->kernel));
		r = open_one(c, req, facts, a, ret, diag);
		if (r < 0)
			return r;
	}
	return 0;
}

void unwrapped_free(struct unwrapped *u)
{
	for (size_t i = 0; i < u->n; i++)
		unpack_buffer_free(&u->memory[i]);
	*u = (struct unwrapped){ 0 };
}

static bool was_opened(const struct unwrapped *u, const char *name)
{
	for (size_t i = 0; i < u->n; i++)
		if (strcmp(u->names[i], name) == 0)
			return true;
	return false;
}

static int fail_unknown(const struct request *req, const struct unwrapped *u,
			const struct diag *why, struct diag *diag)
{
	if (u->n > 0)
		fail(diag, ENOEXEC, "probe/unknown-content",
		     "cannot determine the type of what '%s' holds as %s: %s", req->kernel_path,
		     u->names[u->n - 1], why->text);
	else
		fail(diag, ENOEXEC, "probe/unknown-type",
		     "cannot determine the file type of '%s': %s", req->kernel_path, why->text);
	return fail_advise(diag, "give it a kernel, as /boot/vmlinuz-... usually is");
}

int probe_format(const struct request *req, const struct unwrapped *u,
		 const struct image_type **ret, struct diag *diag)
{
	const struct image_type *wanted = find_format(req->type), *found;
	struct diag why, ignored;

	diag_init(&why, NULL);
	diag_init(&ignored, NULL);
	found = x86_find_format(req->kernel, wanted, &why);
	if (!found && wanted) {
		found = x86_find_format(req->kernel, NULL, &ignored);
		return fail(diag, EINVAL, "probe/type-differs",
			    "'%s' is of type %s, not %s as --type says: %s", req->kernel_path,
			    found ? found->name : "unknown", req->type, why.text);
	}
	if (!found)
		return fail_unknown(req, u, &why, diag);
	if (req->type && !wanted && !was_opened(u, req->type))
		return fail(diag, EINVAL, "probe/not-in-container",
			    "'%s' is of type %s, not %s as --type says", req->kernel_path,
			    found->name, req->type);
	*ret = found;
	return 0;
}
