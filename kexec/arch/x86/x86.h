/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All that code outside this folder may call. */
#ifndef KEXEC_NG_X86_H
#define KEXEC_NG_X86_H

#include "budget.h"
#include "container.h"
#include "export.h"
#include "inspect.h"

/* In the order in which they are tried; the last is NULL. */
extern const struct image_type *const x86_formats[];

/* What holds kernels, in the order in which they are tried; the last is NULL. */
extern const struct container *const x86_containers[];

/* The first format that takes the file, or wanted, if it is not NULL and does. Of several reasons why
 * none does, why keeps the last that has looked into the file. */
const struct image_type *x86_find_format(struct span file, const struct image_type *wanted,
					 struct diag *why);
/* The first container that takes it, or NULL. */
const struct container *x86_find_container(struct span file);

/* What a file is that nothing here opens and that may hold a kernel, e.g. "an ELF file"; NULL if it
 * is nothing known. */
const char *x86_unopened(struct span file);

/* Adds purgatory, after the format's plan(); completes it, after the format's finish(). */
must_check int x86_plan_purgatory(const struct request *req, const struct facts *facts,
				  struct plan *plan, struct diag *diag);
must_check int x86_finish_purgatory(const struct request *req, const struct facts *facts,
				    struct plan *plan, struct diag *diag);

/* A load for a panic: arch/x86/crash.h. What it is prepared for comes before the format's plan(), its
 * segment after purgatory. */
must_check int x86_prepare_crash(const struct request *req, const struct facts *facts,
				 struct arena *a, struct request *ret_req, struct facts *ret_facts,
				 const struct crash_plan **ret, struct diag *diag);
must_check int x86_plan_crash(const struct crash_plan *crash, struct plan *plan, struct diag *diag);
/* A load that the running kernel goes on after: arch/x86/jump_back.h. Prepared for before the
 * format's plan(), planned after it, finished before purgatory is, filled at the end. */
must_check int x86_prepare_jump_back(const struct image_type *type, const struct request *req,
				     const struct facts *facts, struct arena *a,
				     struct request *ret_req, struct facts *ret_facts,
				     struct diag *diag);
must_check int x86_plan_jump_back(const struct request *req, const struct facts *facts,
				  struct plan *plan, struct diag *diag);
void x86_finish_jump_back(struct plan *plan);
must_check int x86_fill_jump_back(const struct facts *facts, struct plan *plan, struct diag *diag);
must_check int x86_plan_jump_back_helper(phys_t entry, uint64_t gdt, const struct facts *facts,
					 struct plan *plan, struct diag *diag);

/* Of a plan for a panic, which need not be placed. ret->largest points into ret. */
void x86_estimate_budget(const struct plan *plan, const struct budget_input *in,
			 struct budget *ret);

/* What a file holds: arch/x86/inspect_image.h. *memory is what the inspection points into; free it
 * last, also after a failure. */
struct inspect_memory;
must_check int x86_inspect(struct span file, const char *path, const char *profile,
			   struct arena *a, struct inspect_memory **memory, struct inspection *ret,
			   struct diag *diag);
void x86_inspect_free(struct inspect_memory *memory);

/* The kernel of a request as a file: arch/x86/export_image.h. */
must_check int x86_export(const struct export_wish *wish, const struct request *req,
			  struct arena *a, struct export_file *ret, struct diag *diag);

#endif
