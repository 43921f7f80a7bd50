/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GRUB's `test`. Source: the manual of GNU GRUB 2. */
#ifndef KEXEC_NG_GRUB_TEST_H
#define KEXEC_NG_GRUB_TEST_H

#include "base.h"

enum grub_truth {
	GRUB_NO,
	GRUB_YES,
	GRUB_UNKNOWN,
};

/* Is there such a file? */
typedef enum grub_truth (*grub_file_t)(const void *files, const char *path);

enum grub_truth grub_test(const char *const *v, size_t n, grub_file_t is_file, const void *files);

#endif
