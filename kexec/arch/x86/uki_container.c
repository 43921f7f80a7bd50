// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch/x86/uki_container.h"

#include <errno.h>
#include <string.h>

#include "uki.h"

/* What is being put together from the image and its addons. */
struct opening {
	const struct request *req;
	struct arena *arena;
	struct diag *diag;
	struct uki_sections image;	/* of the chosen profile */
	const char *uname;		/* NULL: it does not say */
	struct uki_sections *addons;	/* those that count, in their order */
	const struct addon **addon_files;
	size_t n_addons;
	struct bundle *bundle;
};

static int uki_probe(struct span file, struct diag *why)
{
	if (pe_is_one(file))
		return 0;
	return fail(why, ENOEXEC, "uki/no-pe-file", "a unified kernel image is a PE file");
}

static bool is_x86(uint16_t machine)
{
	return machine == PE_MACHINE_X86_64 || machine == PE_MACHINE_I386;
}

static bool has_part(const struct uki_sections *s, enum uki_part part)
{
	return s->part[part].len > 0;
}

/* Anything that an addon can add? */
static bool has_addable(const struct uki_sections *s)
{
	return has_part(s, UKI_CMDLINE) || has_part(s, UKI_INITRD) || has_part(s, UKI_UCODE) ||
	       has_part(s, UKI_DTB) || has_part(s, UKI_DTBAUTO);
}

/* ---- addons ---- */

static int check_addon(const struct opening *o, const struct addon *file, const struct uki *uki,
		       struct diag *why)
{
	const char *uname = uki_text(uki->base.part[UKI_UNAME], o->arena);

	if (!is_x86(uki->machine))
		return fail(why, ENOEXEC, "uki/addon-machine", "the addon '%s' is for %s",
			    file->path, pe_machine_name(uki->machine, o->arena));
	if (has_part(&uki->base, UKI_LINUX))
		return fail(why, EINVAL, "uki/addon-has-kernel",
			    "'%s' has a kernel: it is an image of its own and no addon",
			    file->path);
	if (!has_addable(&uki->base))
		return fail(why, EINVAL, "uki/addon-empty",
			    "the addon '%s' has nothing to add: no .cmdline, .initrd or .ucode",
			    file->path);
	if (has_part(&uki->base, UKI_UNAME) && o->uname && uname && strcmp(uname, o->uname) != 0)
		return fail(why, EINVAL, "uki/addon-uname",
			    "the addon '%s' is for the kernel %.80s, and this is %.80s", file->path,
			    uname, o->uname);
	return 0;
}

static int read_addon(struct opening *o, const struct addon *file)
{
	struct diag why;
	struct uki uki;
	int r;

	diag_init(&why, o->diag->arena);
	r = uki_parse(file->bytes, o->arena, &uki, &why);
	if (r < 0 && r != -ENOMEM) {
		struct diag inner = why;

		diag_clear(&why);
		r = fail(&why, inner.error, "uki/addon-broken", "the addon '%s': %s [%s]",
			 file->path, inner.text, inner.id);
	}
	if (r == 0)
		r = check_addon(o, file, &uki, &why);
	diag_take_notes(o->diag, &why);
	if (r == 0) {
		o->addon_files[o->n_addons] = file;
		o->addons[o->n_addons++] = uki.base;
		return 0;
	}
	if (file->is_asked || r == -ENOMEM)
		return diag_take_failure(o->diag, &why);
	/* One that merely lies there is left out, as the stub does. One for another architecture is
	 * there for another machine. */
	if (strcmp(why.id, "uki/addon-machine") == 0)
		note(o->diag, why.id, "%s: left out", why.text);
	else
		warn(o->diag, why.id, "%s: left out", why.text);
	return 0;
}

static int read_addons(struct opening *o)
{
	const size_t n = o->req->n_addons;

	o->addons = arena_alloc_array(o->arena, n, sizeof(*o->addons));
	o->addon_files = arena_alloc_array(o->arena, n, sizeof(const struct addon *));
	if (!o->addons || !o->addon_files)
		return fail_nomem(o->diag);
	for (size_t i = 0; i < n; i++) {
		int r = read_addon(o, &o->req->addons[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- what came along ---- */

static int add_words(struct opening *o, const char **line, struct span section)
{
	const char *words = uki_text(section, o->arena);
	const char *joined = words;

	if (words && *line && **line != '\0' && *words != '\0')
		joined = arena_printf(o->arena, "%s %s", *line, words);
	else if (words && *line && *words == '\0')
		joined = *line;
	if (!joined)
		return fail_nomem(o->diag);
	*line = joined;
	return 0;
}

/* The image's words, then those of addons, from the most general to the most particular. */
static int collect_words(struct opening *o)
{
	struct bundle *b = o->bundle;
	int r = 0;

	if (has_part(&o->image, UKI_CMDLINE))
		r = add_words(o, &b->cmdline, o->image.part[UKI_CMDLINE]);
	for (size_t i = 0; i < o->n_addons && r == 0; i++) {
		const struct span section = o->addons[i].part[UKI_CMDLINE];

		if (section.len > 0)
			r = add_words(o, o->addon_files[i]->is_asked ? &b->asked_cmdline : &b->cmdline,
				      section);
	}
	return r;
}

static void add_initrd(struct bundle *b, const char *name, const char *addon, struct span bytes)
{
	if (bytes.len > 0)
		b->initrds[b->n_initrds++] = (struct bundle_initrd){ name, addon, bytes };
}

/*
 * Of microcode the next kernel takes the first that fits, of other files the last one counts: an
 * addon is to win over the image in both, the later addon over the earlier one.
 */
static int collect_initrds(struct opening *o)
{
	struct bundle *b = o->bundle;

	b->initrds = arena_alloc_array(o->arena, 2 * (o->n_addons + 1), sizeof(*b->initrds));
	if (!b->initrds)
		return fail_nomem(o->diag);
	for (size_t i = o->n_addons; i-- > 0;)
		add_initrd(b, ".ucode", o->addon_files[i]->path, o->addons[i].part[UKI_UCODE]);
	add_initrd(b, ".ucode", NULL, o->image.part[UKI_UCODE]);
	add_initrd(b, ".initrd", NULL, o->image.part[UKI_INITRD]);
	for (size_t i = 0; i < o->n_addons; i++)
		add_initrd(b, ".initrd", o->addon_files[i]->path, o->addons[i].part[UKI_INITRD]);
	return 0;
}

static void note_left_out(const struct opening *o)
{
	bool has_device_tree = has_part(&o->image, UKI_DTB) || has_part(&o->image, UKI_DTBAUTO);

	for (size_t i = 0; i < o->n_addons; i++)
		has_device_tree |= has_part(&o->addons[i], UKI_DTB) ||
				   has_part(&o->addons[i], UKI_DTBAUTO);
	if (has_device_tree)
		note(o->diag, "uki/device-tree",
		     "the device tree in the image (.dtb, .dtbauto) is not handed on: on x86 no "
		     "kernel takes one from there; --dtb hands one on");
}

static int describe_image(struct opening *o, const struct uki *uki, size_t profile)
{
	struct bundle *b = o->bundle;
	const char **paths = arena_alloc_array(o->arena, o->n_addons, sizeof(*paths));
	struct bundle_profile *profiles =
		arena_alloc_array(o->arena, uki->n_profiles, sizeof(*profiles));

	if (!paths || !profiles)
		return fail_nomem(o->diag);
	for (size_t i = 0; i < o->n_addons; i++)
		paths[i] = o->addon_files[i]->path;
	for (size_t i = 0; i < uki->n_profiles; i++)
		profiles[i] = (struct bundle_profile){ uki->profiles[i].id,
						       uki->profiles[i].title };
	b->addons = paths;
	b->n_addons = o->n_addons;
	b->profiles = profiles;
	b->n_profiles = uki->n_profiles;
	b->profile = profile;
	b->is_signed = uki->has_certificates;
	b->uname = o->uname;
	b->os = uki_field(o->image.part[UKI_OSREL], "PRETTY_NAME", o->arena);
	return 0;
}

static int refuse_without_kernel(const struct request *req, const struct uki_sections *s,
				 struct diag *diag)
{
	if (has_addable(s)) {
		fail(diag, ENOEXEC, "uki/is-addon",
		     "'%s' has no .linux section: it is an addon to a unified kernel image",
		     req->kernel_path);
		return fail_advise(diag, "kexec IMAGE.efi --addon=%s", req->kernel_path);
	}
	fail(diag, ENOEXEC, "uki/no-kernel",
	     "'%s' is a PE file without a .linux section: an EFI program, but no kernel",
	     req->kernel_path);
	return fail_advise(diag, "give it a bzImage (/boot/vmlinuz-...) or a unified kernel image");
}

static int open_image(struct opening *o, const struct uki *uki)
{
	size_t profile = 0;
	int r = 0;

	if (!is_x86(uki->machine))
		return fail(o->diag, ENOEXEC, "uki/machine", "'%s' is an image for %s, not for x86",
			    o->req->kernel_path, pe_machine_name(uki->machine, o->arena));
	if (o->req->profile)
		r = uki_find_profile(uki, o->req->profile, o->arena, &profile, o->diag);
	if (r < 0)
		return r;
	o->image = uki_select(uki, profile);
	if (!has_part(&o->image, UKI_LINUX))
		return refuse_without_kernel(o->req, &o->image, o->diag);
	if (has_part(&o->image, UKI_UNAME))
		o->uname = uki_text(o->image.part[UKI_UNAME], o->arena);
	r = read_addons(o);
	if (r == 0)
		r = collect_words(o);
	if (r == 0)
		r = collect_initrds(o);
	if (r == 0)
		r = describe_image(o, uki, profile);
	return r;
}

static int uki_open(struct request *inner, const struct facts *facts, struct arena *a,
		    struct unpack_buffer *memory, struct diag *diag)
{
	struct opening o = { .req = inner, .arena = a, .diag = diag };
	struct uki uki;
	int r;

	(void)facts;
	(void)memory;
	if (inner->bundle)
		return fail(diag, EINVAL, "uki/nested",
			    "the .linux section of '%s' is a unified kernel image again",
			    inner->kernel_path);
	o.bundle = arena_alloc(a, sizeof(*o.bundle));
	if (!o.bundle)
		return fail_nomem(diag);
	r = uki_parse(inner->kernel, a, &uki, diag);
	if (r == 0)
		r = open_image(&o, &uki);
	if (r < 0)
		return r;
	note_left_out(&o);
	inner->kernel = o.image.part[UKI_LINUX];
	inner->bundle = o.bundle;
	return 0;
}

const struct container uki_container = {
	.name = "uki",
	.probe = uki_probe,
	.open = uki_open,
};
