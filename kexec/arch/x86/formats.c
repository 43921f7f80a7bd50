// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "arch/x86/bzimage.h"
#include "arch/x86/crash.h"
#include "arch/x86/elf_image.h"
#include "arch/x86/export_image.h"
#include "arch/x86/inspect_image.h"
#include "arch/x86/jump_back.h"
#include "arch/x86/multiboot.h"
#include "arch/x86/multiboot2.h"
#include "arch/x86/purgatory.h"
#include "arch/x86/uki_container.h"
#include "arch/x86/x86.h"
#include "compressed.h"

/*
 * The first that takes a file has it. A bzImage is the most common and the most precise: what says
 * so at 0x202 is a Linux kernel, whatever else it may look like. A multiboot header is a program's own
 * word for how it wants to be started, so it goes before ELF, which is only its wrapping; and version
 * 2 goes before 1, as Xen has both and learns more from 2.
 */
const struct image_type *const x86_formats[] = {
	&bzimage_type,
	&multiboot2_type,
	&multiboot_type,
	&elf_x86_64_type,
	&elf_x86_type,
	NULL,
};

/* A bzImage may also be a PE file, so containers are only asked about what no format took. */
const struct container *const x86_containers[] = {
	&compressed_container,
	&uki_container,
	NULL,
};

/* Does it only say that the file is something else altogether? */
static bool is_mere_no(const struct diag *why)
{
	const char *reason = strchr(why->id, '/');

	return strcmp(reason, "/no-magic") == 0 || strcmp(reason, "/other-class") == 0;
}

const struct image_type *x86_find_format(struct span file, const struct image_type *wanted,
					 struct diag *why)
{
	struct diag one;

	diag_clear(why);
	for (size_t i = 0; x86_formats[i]; i++) {
		if (wanted && x86_formats[i] != wanted)
			continue;
		diag_init(&one, NULL);
		if (x86_formats[i]->probe(file, &one) == 0)
			return x86_formats[i];
		if (!why->id || !is_mere_no(&one)) {
			diag_clear(why);
			diag_take_failure(why, &one);
		}
	}
	return NULL;
}

const struct container *x86_find_container(struct span file)
{
	struct diag ignored;

	for (size_t i = 0; x86_containers[i]; i++) {
		diag_init(&ignored, NULL);
		if (x86_containers[i]->probe(file, &ignored) == 0)
			return x86_containers[i];
	}
	return NULL;
}

const char *x86_unopened(struct span file)
{
	if (span_starts_with(file, "MZ", 2))
		return "a DOS program, or a PE file (such as a unified kernel image) without its "
		       "header";
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

int x86_prepare_crash(const struct request *req, const struct facts *facts, struct arena *a,
		      struct request *ret_req, struct facts *ret_facts,
		      const struct crash_plan **ret, struct diag *diag)
{
	return crash_prepare(req, facts, a, ret_req, ret_facts, ret, diag);
}

int x86_plan_crash(const struct crash_plan *crash, struct plan *plan, struct diag *diag)
{
	return crash_plan(crash, plan, diag);
}

int x86_inspect(struct span file, const char *path, const char *profile, struct arena *a,
		struct inspect_memory **memory, struct inspection *ret, struct diag *diag)
{
	*memory = arena_alloc(a, sizeof(**memory));
	if (!*memory)
		return fail_nomem(diag);
	return inspect_image(file, path, profile, a, *memory, ret, diag);
}

void x86_inspect_free(struct inspect_memory *memory)
{
	if (memory)
		inspect_memory_free(memory);
}

int x86_export(const struct export_wish *wish, const struct request *req, struct arena *a,
	       struct export_file *ret, struct diag *diag)
{
	return export_image(wish, req, a, ret, diag);
}

int x86_prepare_jump_back(const struct image_type *type, const struct request *req,
			  const struct facts *facts, struct arena *a, struct request *ret_req,
			  struct facts *ret_facts, struct diag *diag)
{
	return jump_back_prepare(type, req, facts, a, ret_req, ret_facts, diag);
}

int x86_plan_jump_back(const struct request *req, const struct facts *facts, struct plan *plan,
		       struct diag *diag)
{
	return jump_back_plan(req, facts, plan, diag);
}

void x86_finish_jump_back(struct plan *plan)
{
	jump_back_finish(plan);
}

int x86_fill_jump_back(const struct facts *facts, struct plan *plan, struct diag *diag)
{
	return jump_back_fill(facts, plan, diag);
}

int x86_plan_jump_back_helper(phys_t entry, uint64_t gdt, const struct facts *facts,
			      struct plan *plan, struct diag *diag)
{
	return jump_back_plan_helper(entry, gdt, facts, plan, diag);
}
