/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Puts purgatory into a plan: the embedded image, its handoff (doc/handoff.md), the digests of the
 * other segments and the identity page tables it runs on, in one segment named "purgatory".
 */
#ifndef KEXEC_NG_X86_PURGATORY_H
#define KEXEC_NG_X86_PURGATORY_H

#include "handoff.h"
#include "image.h"

#define PURGATORY_SEGMENT	"purgatory"

/* The image as embedded; it begins with a struct purgatory_head. */
struct span purgatory_image(void);

/* Adds the segment, after the format's plan(): plan->jump_mode and plan->paging are known, and every
 * other segment with its length. */
must_check int purgatory_plan(const struct request *req, const struct facts *facts,
			      struct plan *plan, struct diag *diag);
/*
 * Completes it, last of all: every segment has its address and its final bytes, plan->jump_entry and
 * jump_arg are known. Computes segment->digests where is_digested says so (not with --digest=none), and
 * sets plan->entry and plan->console.
 */
must_check int purgatory_finish(const struct request *req, const struct facts *facts,
				struct plan *plan, struct diag *diag);

#endif
