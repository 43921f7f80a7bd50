// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch/x86/bzimage.h"
#include "arch/x86/purgatory.h"
#include "arch/x86/x86.h"

const struct image_type *const x86_formats[] = {
	&bzimage_type,
	NULL,
};

/* A bzImage may also be a PE file, so containers are only asked about what no format took. */
const char *x86_container(struct span file)
{
	static const struct {
		const char *name;
		const char *magic;
		size_t len;
	} containers[] = {
		{ "gzip compressed data", "\x1f\x8b", 2 },
		{ "bzip2 compressed data", "BZh", 3 },
		{ "xz compressed data", "\xfd" "7zXZ\x00", 6 },
		{ "lzo compressed data", "\x89LZO", 4 },
		{ "lz4 compressed data", "\x02\x21\x4c\x18", 4 },
		{ "zstd compressed data", "\x28\xb5\x2f\xfd", 4 },
		{ "an ELF file", "\x7f" "ELF", 4 },
		{ "a PE file that is no bzImage, perhaps a unified kernel image", "MZ", 2 },
	};

	for (size_t i = 0; i < array_len(containers); i++)
		if (span_starts_with(file, containers[i].magic, containers[i].len))
			return containers[i].name;
	return NULL;
}

int x86_plan_purgatory(const struct request *req, const struct facts *facts, struct plan *plan,
		       struct diag *diag)
{
	return purgatory_plan(req, facts, plan, diag);
}

int x86_finish_purgatory(const struct request *req, const struct facts *facts, struct plan *plan,
			 struct diag *diag)
{
	return purgatory_finish(req, facts, plan, diag);
}
