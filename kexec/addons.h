/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files of the addons to a unified kernel image: those that were asked for, and those in the
 * folder that belongs to the image, where its own stub looks too: IMAGE.efi.extra.d/NAME.addon.efi,
 * with IMAGE's boot counter (IMAGE+3-1.efi) left out. What they hold is for others to read.
 * Source: systemd-stub(7), "Automatic Boot Assessment".
 */
#ifndef KEXEC_NG_ADDONS_H
#define KEXEC_NG_ADDONS_H

#include "file.h"
#include "image.h"

#define ADDONS_MAX	256	/* in the folder; a handful is usual */

struct addon_files {
	struct file *files;
	struct addon *addons;	/* one for each file, in the order in which they apply */
	size_t n;
};

/*
 * Opens and maps the image's own, by name, if it is to look for them, then those asked for, as given.
 * There may be none. A folder that cannot be read is a warning, as one without addons is usual. ids
 * "file/..." for those asked for; notes "addons/...".
 */
must_check int addons_open(const char *image, bool is_to_look, const char *const *asked,
			   size_t n_asked, struct arena *a, struct addon_files *ret,
			   struct diag *diag);
void addons_close(struct addon_files *f);

#endif
