// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch/x86/multiboot2.h"

#include <asm/bootparam.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "arch/x86/multiboot_common.h"
#include "wire/multiboot.h"

#define RSDP_OLD_LEN	20	/* ACPI 1.0: up to the RSDT's address */

struct plan2 {
	struct multiboot_plan common;
	struct multiboot2_image image;
};

static int multiboot2_probe(struct span file, struct diag *why)
{
	struct multiboot2_image image;
	int r = multiboot2_parse(file, &image, why);

	return r == -ENOEXEC ? r : 0;
}

static int lay_out(const struct multiboot2_image *image, struct span file, struct arena *a,
		   struct multiboot_plan *own, struct diag *diag)
{
	struct elf elf;
	int r;

	if (image->has_addresses) {
		r = flat_from_bytes(image->bytes, image->load_addr, image->mem_len, a, &own->flat,
				    diag);
	} else {
		r = elf_parse(file, &elf, diag);
		if (r == 0)
			r = flat_from_elf(&elf, image->is_relocatable, a, &own->flat, diag);
		if (r == 0)
			own->entry = multiboot_elf_entry(&elf);
	}
	if (r < 0)
		return r;
	if (image->has_entry)
		own->entry = image->entry;
	own->link_start = own->flat.pieces[0].start;
	if (!flat_contains(&own->flat, own->entry))
		return fail(diag, EINVAL, "multiboot2/entry-outside",
			    "the entry %#" PRIx64 " is no address of the program", own->entry);
	return 0;
}

/* ---- the information ---- */

static void put_tag(uint32_t type, const void *head, size_t head_len, const void *rest,
		    size_t rest_len, struct multiboot_out *out)
{
	const struct multiboot2_tag tag = {
		.type = type,
		.len = (uint32_t)(sizeof(tag) + head_len + rest_len),
	};

	multiboot_put(out, &tag, sizeof(tag));
	multiboot_put(out, head, head_len);
	multiboot_put(out, rest, rest_len);
	multiboot_align(out, MULTIBOOT2_ALIGN);
}

static void put_text_tag(uint32_t type, const char *text, struct multiboot_out *out)
{
	put_tag(type, text, strlen(text) + 1, NULL, 0, out);
}

static void put_memory(const struct facts *facts, struct multiboot_out *out)
{
	const uint32_t entry_head[2] = { sizeof(struct multiboot2_memory), 0 };
	const struct multiboot2_tag tag = {
		.type = MULTIBOOT2_TAG_MEMORY_MAP,
		.len = (uint32_t)(sizeof(tag) + sizeof(entry_head) +
				  facts->n_map * sizeof(struct multiboot2_memory)),
	};
	uint32_t sizes[2];

	multiboot_memory_sizes(facts, &sizes[0], &sizes[1]);
	put_tag(MULTIBOOT2_TAG_MEMORY, sizes, sizeof(sizes), NULL, 0, out);
	multiboot_put(out, &tag, sizeof(tag));
	multiboot_put(out, entry_head, sizeof(entry_head));
	for (size_t i = 0; i < facts->n_map; i++) {
		const struct multiboot2_memory m = {
			.addr = facts->map[i].range.start,
			.len = range_len(facts->map[i].range),
			.type = multiboot_memory_type(facts->map[i].type),
		};

		multiboot_put(out, &m, sizeof(m));
	}
	multiboot_align(out, MULTIBOOT2_ALIGN);
}

static void put_modules(const struct request *req, const struct multiboot_addresses *at,
			struct multiboot_out *out)
{
	for (size_t i = 0; i < req->n_modules; i++) {
		const struct range r = multiboot_module(req, i);
		const uint32_t place[2] = { (uint32_t)(at->modules + r.start),
					    (uint32_t)(at->modules + r.end) };
		const char *text = req->module_list[i].cmdline;

		put_tag(MULTIBOOT2_TAG_MODULE, place, sizeof(place), text, strlen(text) + 1, out);
	}
}

static void put_screen(const struct request *req, const struct facts *facts,
		       struct multiboot_out *out)
{
	struct multiboot_screen s;
	struct multiboot2_framebuffer f = { 0 };

	if (!multiboot_screen(req, facts, &s))
		return;
	f.addr = s.addr;
	f.pitch = s.pitch;
	f.width = s.width;
	f.height = s.height;
	f.bpp = s.bpp;
	f.type = s.type;
	memcpy(f.colors, s.colors, sizeof(f.colors));
	put_tag(MULTIBOOT2_TAG_FRAMEBUFFER, &f,
		s.type == MULTIBOOT_FRAMEBUFFER_RGB ?
			offsetof(struct multiboot2_framebuffer, padding) :
			offsetof(struct multiboot2_framebuffer, colors),
		NULL, 0, out);
}

/* The EFI system table, for who asks: its boot services are gone, its runtime services are mapped. */
static void put_efi(const struct multiboot2_image *image, const struct request *req,
		    const struct facts *facts, struct multiboot_out *out)
{
	const struct boot_params *params = (const struct boot_params *)facts->boot_params;
	uint64_t systab = 0;

	if (facts->has_boot_params && facts->efi.is_booted && facts->efi.bits == 64)
		systab = params->efi_info.efi_systab |
			 (uint64_t)params->efi_info.efi_systab_hi << 32;
	if (image->wants_efi64 && !req->no_efi && systab != 0)
		put_tag(MULTIBOOT2_TAG_EFI64, &systab, sizeof(systab), NULL, 0, out);
}

static void put_rsdp(const struct facts *facts, struct multiboot_out *out)
{
	if (facts->rsdp_len == 0)
		return;
	put_tag(facts->rsdp_len > RSDP_OLD_LEN ? MULTIBOOT2_TAG_RSDP_NEW : MULTIBOOT2_TAG_RSDP_OLD,
		facts->rsdp_bytes, facts->rsdp_len, NULL, 0, out);
}

static size_t build(const struct plan2 *own, const struct request *req, const struct facts *facts,
		    const struct multiboot_addresses *at, uint8_t *buf)
{
	struct multiboot_out out = { .buf = buf };
	const uint32_t head[2] = { 0 };
	const uint32_t base = (uint32_t)at->load_base;
	uint32_t len;

	multiboot_put(&out, head, sizeof(head));
	put_memory(facts, &out);
	put_text_tag(MULTIBOOT2_TAG_CMDLINE, own->common.cmdline, &out);
	put_text_tag(MULTIBOOT2_TAG_LOADER_NAME, MULTIBOOT_LOADER_NAME, &out);
	put_modules(req, at, &out);
	put_screen(req, facts, &out);
	put_efi(&own->image, req, facts, &out);
	put_rsdp(facts, &out);
	if (own->image.is_relocatable)
		put_tag(MULTIBOOT2_TAG_LOAD_BASE, &base, sizeof(base), NULL, 0, &out);
	put_tag(MULTIBOOT2_TAG_END, NULL, 0, NULL, 0, &out);
	len = (uint32_t)out.len;
	if (buf)
		memcpy(buf, &len, sizeof(len));
	return out.len;
}

/* ---- the plan ---- */

static int plan_program(const struct plan2 *own, struct plan *plan, struct diag *diag)
{
	const struct multiboot2_relocatable *w = &own->image.where;
	const struct flat_place where = {
		.min = max_u64(w->min_addr, MIB),
		.end = w->max_addr + UINT64_C(1),
		.align = w->align,
		.wants_lowest = w->preference != MULTIBOOT2_PREFER_HIGHEST,
	};

	if (own->image.is_relocatable)
		return flat_plan_moved(&own->common.flat, &where, plan, diag);
	return flat_plan(&own->common.flat, plan, diag);
}

static void note_rsdp(const struct facts *facts, struct diag *diag)
{
	if (facts->rsdp_len > 0)
		note(diag, "multiboot2/rsdp",
		     "the image gets a copy of the ACPI root pointer at %#" PRIx64, facts->rsdp);
	else if (facts->rsdp != 0)
		note(diag, "multiboot2/no-rsdp",
		     "the ACPI root pointer at %#" PRIx64 " could not be read: the image has to find "
		     "it itself",
		     facts->rsdp);
}

static int multiboot2_plan(const struct request *req, const struct facts *facts, struct plan *plan,
			   struct diag *diag)
{
	const struct multiboot_addresses unknown = { 0 };
	struct plan2 *own = arena_alloc(plan->arena, sizeof(*own));
	int r;

	if (!own)
		return fail_nomem(diag);
	plan->format = own;
	r = multiboot_check_request(req, diag);
	if (r == 0)
		r = multiboot2_parse(req->kernel, &own->image, diag);
	if (r == 0)
		r = lay_out(&own->image, req->kernel, plan->arena, &own->common, diag);
	if (r == 0)
		r = multiboot_compose(req, plan->arena, &own->common.cmdline, diag);
	if (r == 0)
		r = plan_program(own, plan, diag);
	if (r < 0)
		return r;
	note_rsdp(facts, diag);
	plan->takes_efi = own->image.wants_efi64;
	return multiboot_plan_data(req, facts, build(own, req, facts, &unknown, NULL),
				   MULTIBOOT2_LOADER_MAGIC, plan, diag);
}

static int multiboot2_finish(const struct request *req, const struct facts *facts,
			     struct plan *plan, struct diag *diag)
{
	const struct plan2 *own = plan->format;
	const struct multiboot_addresses at = multiboot_settle(&own->common, plan);

	(void)diag;
	build(own, req, facts, &at, plan_find(plan, "params")->own);
	return 0;
}

const struct image_type multiboot2_type = {
	.name = "multiboot2-x86",
	.takes_modules = true,
	.takes_rsdp = true,
	.probe = multiboot2_probe,
	.plan = multiboot2_plan,
	.finish = multiboot2_finish,
};
