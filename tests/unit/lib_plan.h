/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every pure stage for a file that is not wrapped, in the order of load.c. */
#ifndef KEXEC_NG_LIB_PLAN_H
#define KEXEC_NG_LIB_PLAN_H

#include "image.h"

/* 0, or a negative errno and the reason in diag. *plan is initialised here. */
int plan_request(const struct request *req, const struct facts *facts, struct arena *a,
		 struct plan *plan, struct diag *diag);
/* The same for an image of this type. */
int plan_of_type(const struct image_type *type, const struct request *req,
		 const struct facts *facts, struct arena *a, struct plan *plan, struct diag *diag);
/* "ok", or the id of the failure. */
const char *plan_result(const struct request *req, const struct facts *facts, struct arena *a,
			struct plan *plan, struct diag *diag);

#endif
