// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib_plan.h"

#include "arch/x86/x86.h"
#include "place.h"
#include "probe.h"

int plan_of_type(const struct image_type *type, const struct request *req,
		 const struct facts *facts, struct arena *a, struct plan *plan, struct diag *diag)
{
	int r;

	plan_init(plan, a);
	r = type->plan(req, facts, plan, diag);
	if (r == 0)
		r = x86_plan_purgatory(req, facts, plan, diag);
	if (r == 0)
		r = place(plan, facts, req->mem_min, req->mem_end, diag);
	if (r == 0)
		r = type->finish(req, facts, plan, diag);
	if (r == 0)
		r = x86_finish_purgatory(req, facts, plan, diag);
	if (r == 0)
		r = plan_check(plan, facts, req->mem_min, req->mem_end, diag);
	if (r == 0)
		plan->type = type->name;
	return r;
}

int plan_request(const struct request *req, const struct facts *facts, struct arena *a,
		 struct plan *plan, struct diag *diag)
{
	struct unwrapped unwrapped = { 0 };
	const struct image_type *type = NULL;
	int r = probe_format(req, &unwrapped, &type, diag);

	plan_init(plan, a);
	return r < 0 ? r : plan_of_type(type, req, facts, a, plan, diag);
}

const char *plan_result(const struct request *req, const struct facts *facts, struct arena *a,
			struct plan *plan, struct diag *diag)
{
	diag_clear(diag);
	return plan_request(req, facts, a, plan, diag) == 0 ? "ok" : diag->id;
}
