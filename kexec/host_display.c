// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who drives the display: the question is whether the mode that boot_params describes is still set.
 */
#include <errno.h>
#include <string.h>

#include "host_parts.h"
#include "host_text.h"

#define CARDS_MAX	256	/* DRM has 64 minors for cards, FB_MAX is 32 */
#define PROC_FB_LEN_MAX	(16 * KIB)

enum driver_kind {
	DRIVER_FIRMWARE,	/* draws into what the firmware set up */
	DRIVER_VIRTUAL,		/* has no hardware */
	DRIVER_NATIVE,		/* everything else */
};

/*
 * Names as sysfs has them for the platform drivers, for the DRM drivers, and for frame buffers (a
 * DRM driver's frame buffer is its name and "drmfb").
 */
static enum driver_kind kind_of_driver(struct span name)
{
	static const struct {
		const char *name;
		enum driver_kind kind;
	} known[] = {
		{ "simple-framebuffer", DRIVER_FIRMWARE }, { "simpledrm", DRIVER_FIRMWARE },
		{ "simpledrmdrmfb", DRIVER_FIRMWARE }, { "simple", DRIVER_FIRMWARE },
		{ "simplefb", DRIVER_FIRMWARE },
		{ "efi-framebuffer", DRIVER_FIRMWARE }, { "efi-display", DRIVER_FIRMWARE },
		{ "efidrm", DRIVER_FIRMWARE }, { "efidrmdrmfb", DRIVER_FIRMWARE },
		{ "efifb", DRIVER_FIRMWARE }, { "EFI VGA", DRIVER_FIRMWARE },
		{ "vesa-framebuffer", DRIVER_FIRMWARE }, { "vesa-display", DRIVER_FIRMWARE },
		{ "vesadrm", DRIVER_FIRMWARE }, { "vesadrmdrmfb", DRIVER_FIRMWARE },
		{ "vesafb", DRIVER_FIRMWARE }, { "VESA VGA", DRIVER_FIRMWARE },
		{ "of-display", DRIVER_FIRMWARE }, { "ofdrm", DRIVER_FIRMWARE },
		{ "ofdrmdrmfb", DRIVER_FIRMWARE },
		{ "vgem", DRIVER_VIRTUAL }, { "vkms", DRIVER_VIRTUAL },
		{ "vkmsdrmfb", DRIVER_VIRTUAL }, { "vfb", DRIVER_VIRTUAL },
		{ "Virtual FB", DRIVER_VIRTUAL }, { "faux_driver", DRIVER_VIRTUAL },
	};

	for (size_t i = 0; i < array_len(known); i++)
		if (text_is(name, known[i].name))
			return known[i].kind;
	return DRIVER_NATIVE;
}

struct display {
	struct arena *arena;
	enum display_owner owner;
	const char *driver;
	/* Did the kernel answer, even if the answer was "nothing"? */
	bool has_drm_answer, has_fb_answer;
	bool has_unknown;	/* a device that does not tell its driver */
};

/* A native driver wins: one device that was reprogrammed is enough to distrust boot_params. */
static int add_driver(struct display *d, struct span name)
{
	enum driver_kind kind = kind_of_driver(name);
	bool is_better = kind == DRIVER_NATIVE ? d->owner != DISPLAY_NATIVE
					       : d->owner == DISPLAY_UNKNOWN;

	if (kind == DRIVER_VIRTUAL || !is_better)
		return 0;
	d->owner = kind == DRIVER_NATIVE ? DISPLAY_NATIVE : DISPLAY_FIRMWARE;
	d->driver = arena_strndup(d->arena, (const char *)name.data, name.len);
	return d->driver ? 0 : -ENOMEM;
}

/* Printable, but a frame buffer's name may have blanks in it: "EFI VGA". */
static int add_device(struct display *d, struct span name)
{
	bool is_text = name.len > 0;

	for (size_t i = 0; i < name.len; i++)
		if (name.data[i] < ' ' || name.data[i] > '~')
			is_text = false;
	d->has_unknown |= !is_text;
	return is_text ? add_driver(d, name) : 0;
}

static int list_class(const struct host_tree *t, struct arena *a, const char *path,
		      const char *prefix, struct host_numbers *ret, bool *ret_is_answer)
{
	int r;

	r = host_list(t, a, path, prefix, CARDS_MAX, ret);
	/* No such class in a /sys that has classes: the subsystem is not there. */
	*ret_is_answer = r == 0 || (r == -ENOENT && host_has_directory(t, "sys/class"));
	return r == -ENOMEM ? r : 0;
}

static int read_drm(const struct host_tree *t, struct display *d)
{
	struct host_numbers cards = { 0 };
	int r;

	r = list_class(t, d->arena, "sys/class/drm", "card", &cards, &d->has_drm_answer);
	for (size_t i = 0; r == 0 && i < cards.n; i++) {
		const char *name = "";

		r = host_link_name(t, d->arena, &name, "sys/class/drm/card%u/device/driver",
				   cards.v[i]);
		if (r != -ENOMEM)
			r = add_device(d, span_of(name, strlen(name)));
	}
	return r;
}

static int read_graphics(const struct host_tree *t, struct display *d)
{
	struct host_numbers fbs = { 0 };
	int r;

	r = list_class(t, d->arena, "sys/class/graphics", "fb", &fbs, &d->has_fb_answer);
	for (size_t i = 0; r == 0 && i < fbs.n; i++) {
		struct host_attr attr;

		if (host_attr_read(t, &attr, "sys/class/graphics/fb%u/name", fbs.v[i]) < 0)
			attr.text.len = 0;
		r = add_device(d, attr.text);
	}
	return r;
}

/* "0 EFI VGA" */
static int read_proc_fb(const struct host_tree *t, struct display *d)
{
	struct span text, line, number;
	int r;

	r = host_file_read(t, d->arena, PROC_FB_LEN_MAX, &text, "proc/fb");
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	d->has_fb_answer = true;
	while (r == 0 && text_next_line(&text, &line))
		if (text_next_word(&line, &number))
			r = add_device(d, text_trim(line));
	return r;
}

int host_read_display(const struct host_tree *t, struct arena *a, struct facts *f,
		      struct diag *diag)
{
	struct display d = { .arena = a };
	int r;

	(void)diag;
	r = read_drm(t, &d);
	if (r == 0)
		r = read_graphics(t, &d);
	if (r == 0)
		r = read_proc_fb(t, &d);
	if (r < 0)
		return r;
	/* Nothing is there that could have reprogrammed the hardware. */
	if (d.owner == DISPLAY_UNKNOWN && d.has_drm_answer && d.has_fb_answer && !d.has_unknown)
		d.owner = DISPLAY_FIRMWARE;
	f->display = d.owner;
	f->display_driver = d.driver;
	return 0;
}
