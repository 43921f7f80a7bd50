/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line that the new kernel gets.
 */
#ifndef KEXEC_NG_CMDLINE_H
#define KEXEC_NG_CMDLINE_H

#include "options.h"

/*
 * A beginning, what addons that were asked for add, and --append, with blanks between them.
 *
 * The beginning is, with --reuse-cmdline, the running kernel's command line without BOOT_IMAGE=,
 * initrd= and kexec_jump_back_*=, which speak of what its loader had; else, with --image-cmdline or
 * without --append, the image's own; else nothing. Words are told apart as the kernel does it: a blank
 * between double quotes separates nothing. What follows the word "--" is init's, not ours. Everything
 * else, crashkernel= too, stays as it is. *ret is never NULL.
 *
 * Newlines and tabs count as blanks, as in the kernel, and are written as such; trailing newlines
 * go. Any other control character is refused ("cmdline/control-character"). How long a command
 * line may be is for the image to say. running may be NULL if it could not be read: that fails
 * only when it is needed ("cmdline/unreadable"). bundle is NULL when the kernel came alone; then
 * --image-cmdline fails ("cmdline/no-image"). -ENOMEM, -EINVAL, -ENOENT.
 */
must_check int cmdline_compose(const struct options *options, const char *running,
			       const struct bundle *bundle, struct arena *a, const char **ret,
			       struct diag *diag);

/* The last KEY=NUMBER of a command line; false if there is none. */
bool cmdline_find_number(const char *cmdline, const char *key, uint64_t *ret);

#endif
