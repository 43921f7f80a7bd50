/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads struct check_facts, below a root as host.h has it. What cannot be read stays unknown. */
#ifndef KEXEC_NG_HOST_CHECK_H
#define KEXEC_NG_HOST_CHECK_H

#include "arena.h"
#include "check_facts.h"
#include "diag.h"
#include "facts.h"

/* -ENOMEM, or what host_read() says when root cannot be opened. */
must_check int host_read_check(const char *root, const struct facts *facts, struct arena *a,
			       struct check_facts *ret, struct diag *diag);

#endif
