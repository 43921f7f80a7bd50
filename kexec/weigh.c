// SPDX-License-Identifier: GPL-2.0-or-later
#include "weigh.h"

#include <errno.h>

#include "arch/x86/x86.h"
#include "initramfs.h"
#include "report.h"

/* What becomes of the initrd: false if it cannot be told without taking too much memory. */
static bool survey_initrd(struct span initrd, const struct facts *facts, struct budget_input *in)
{
	const uint64_t room = facts->ram_available ? facts->ram_available / 2 : GIB;
	struct initramfs unpacked = { 0 };
	struct arena arena = { 0 };
	struct diag ignored;
	bool is_known;

	diag_init(&ignored, NULL);
	is_known = initramfs_unpack(initrd, (size_t)min_u64(room, SIZE_MAX), &arena, &unpacked,
				    &ignored) == 0;
	in->n_files = unpacked.n_entries;
	in->files_len = unpacked.files_len;
	initramfs_free(&unpacked);
	arena_free(&arena);
	return is_known;
}

static int say_over(const struct budget *b, bool is_strict, struct diag *diag)
{
	char needed[SIZE_TEXT_LEN], reserved[SIZE_TEXT_LEN], largest[SIZE_TEXT_LEN];
	const unsigned int mib = (unsigned int)(b->recommended_len / MIB);

	report_size(b->needed_len, needed);
	report_size(b->reserved_len, reserved);
	report_size(b->largest->len, largest);
	if (!is_strict) {
		warn(diag, "crash/over-budget",
		     "the capture kernel is reckoned to need %s and gets %s; most goes to: %s, %s. "
		     "Boot with crashkernel=%uM or give it less",
		     needed, reserved, b->largest->name, largest, mib);
		return 0;
	}
	fail(diag, ENOSPC, "crash/over-budget",
	     "the capture kernel is reckoned to need %s and gets %s; most goes to: %s, %s", needed,
	     reserved, b->largest->name, largest);
	return fail_advise(diag, "boot with crashkernel=%uM or give it a smaller initrd; -d shows the "
				 "budget; without --strict this is a warning", mib);
}

int weigh(const struct plan *plan, const struct facts *facts, struct span initrd,
	  const char *cmdline, bool is_strict, struct budget *ret, struct diag *diag)
{
	struct budget_input in = { .facts = facts, .cmdline = cmdline };

	if (initrd.len > 0)
		in.is_initrd_known = survey_initrd(initrd, facts, &in);
	x86_estimate_budget(plan, &in, ret);
	return ret->is_over ? say_over(ret, is_strict, diag) : 0;
}
