// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch/x86/multiboot_common.h"

#include <linux/screen_info.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "arch/x86/boot_params.h"
#include "wire/multiboot.h"

#define LOWEST_SEGMENT		MIB
#define LOWER_MAX		640	/* KiB; the specification's limit of mem_lower */
#define VGA_TEXT		0xb8000
#define VIDEO_TYPE_VESA		0x23	/* orig_video_isVGA, include/uapi/linux/screen_info.h */
#define VIDEO_TYPE_EFI		0x70
#define CAPABILITY_64BIT_BASE	(1U << 1)

void multiboot_put(struct multiboot_out *out, const void *data, size_t len)
{
	if (out->buf && len > 0)
		memcpy(out->buf + out->len, data, len);
	out->len += len;
}

void multiboot_align(struct multiboot_out *out, size_t align)
{
	static const uint8_t zeros[16];

	multiboot_put(out, zeros, (align - out->len % align) % align);
}

int multiboot_check_request(const struct request *req, struct diag *diag)
{
	if (req->enter != ENTER_AUTO)
		return fail(diag, EINVAL, "multiboot/enter",
			    "--enter is about the entries of a bzImage; a multiboot image has one");
	if (req->has_subarch || req->has_subarch_data)
		return fail(diag, EINVAL, "multiboot/subarch",
			    "--subarch is about Linux kernels: a multiboot image is not told what the "
			    "machine is");
	if (req->initrd.len > 0) {
		fail(diag, EINVAL, "multiboot/initrd",
		     "a multiboot image takes modules, no initrd");
		return fail_advise(diag, "--module=\"FILE arguments\", for each file");
	}
	if (req->is_crash)
		warn(diag, "multiboot/crash",
		     "what a multiboot image learns of the kernel that panicked is elfcorehdr= at the "
		     "start of its own command line; its modules get the words that are given here");
	return 0;
}

int multiboot_compose(const struct request *req, struct arena *a, const char **ret,
		      struct diag *diag)
{
	*ret = arena_printf(a, "%s%s%s", req->kernel_path, req->cmdline[0] != '\0' ? " " : "",
			    req->cmdline);
	return *ret ? 0 : fail_nomem(diag);
}

int multiboot_plan_data(const struct request *req, const struct facts *facts, size_t info_len,
			uint32_t eax, struct plan *plan, struct diag *diag)
{
	struct segment_wish wish = {
		.name = "modules",
		.bytes = req->modules,
		.min = LOWEST_SEGMENT,
		.end = 4 * GIB,
		.is_digested = true,
	};
	struct segment *s;
	int r = 0;

	if (req->n_modules > 0)
		r = plan_add(plan, &wish, &s, diag);
	wish.name = "params";
	if (r == 0)
		r = plan_add_own(plan, &wish, info_len, &s, diag);
	plan->entry_name = "multiboot";
	plan->e820 = facts->map;
	plan->n_e820 = facts->n_map;
	plan->rsdp = facts->rsdp;
	plan->jump_mode = JUMP_32;
	plan->jump_eax = eax;
	plan->takes_display = true;
	return r;
}

struct multiboot_addresses multiboot_settle(const struct multiboot_plan *own, struct plan *plan)
{
	const struct segment *info = plan_find(plan, "params");
	const struct segment *modules = plan_find(plan, "modules");
	const struct segment *kernel = plan_find(plan, "kernel");

	plan->jump_entry = own->entry - own->link_start + kernel->addr;
	plan->jump_ebx = (uint32_t)info->addr;
	return (struct multiboot_addresses){
		.info = info->addr,
		.modules = modules ? modules->addr : 0,
		.load_base = kernel->addr,
	};
}

struct range multiboot_module(const struct request *req, size_t i)
{
	phys_t start = 0;

	for (size_t k = 0; k < i; k++)
		start += align_down(req->module_list[k].len + PAGE_LEN - 1, PAGE_LEN);
	return (struct range){ start, start + req->module_list[i].len };
}

uint32_t multiboot_memory_type(uint32_t e820_type)
{
	switch (e820_type) {
	case MEM_RAM:
		return MULTIBOOT_MEMORY_AVAILABLE;
	case MEM_ACPI:
		return MULTIBOOT_MEMORY_ACPI;
	case MEM_NVS:
		return MULTIBOOT_MEMORY_NVS;
	case MEM_UNUSABLE:
		return MULTIBOOT_MEMORY_BAD;
	default:
		return MULTIBOOT_MEMORY_RESERVED;
	}
}

void multiboot_memory_sizes(const struct facts *facts, uint32_t *ret_lower, uint32_t *ret_upper)
{
	uint64_t lower = 0, upper = 0;

	for (size_t i = 0; i < facts->n_map; i++) {
		struct range r = facts->map[i].range;

		if (facts->map[i].type != MEM_RAM)
			continue;
		/* Linux keeps the first page for itself, and may not show it. */
		if (r.start <= 64 * KIB && r.end > lower * KIB)
			lower = r.end / KIB;
		if (r.start <= MIB && r.end > MIB)
			upper = (r.end - MIB) / KIB;
	}
	*ret_lower = (uint32_t)min_u64(lower, LOWER_MAX);
	*ret_upper = (uint32_t)min_u64(upper, UINT32_MAX);
}

static bool take_graphics(const struct screen_info *s, struct multiboot_screen *ret)
{
	const uint8_t colors[6] = { s->red_pos,	  s->red_size, s->green_pos,
				    s->green_size, s->blue_pos, s->blue_size };

	if (s->lfb_base == 0 || s->lfb_linelength == 0 || s->lfb_width == 0 || s->lfb_height == 0)
		return false;
	*ret = (struct multiboot_screen){
		.addr = s->lfb_base,
		.pitch = s->lfb_linelength,
		.width = s->lfb_width,
		.height = s->lfb_height,
		.bpp = (uint8_t)s->lfb_depth,
		.type = MULTIBOOT_FRAMEBUFFER_RGB,
	};
	if (s->capabilities & CAPABILITY_64BIT_BASE)
		ret->addr |= (uint64_t)s->ext_lfb_base << 32;
	memcpy(ret->colors, colors, sizeof(colors));
	return true;
}

bool multiboot_screen(const struct request *req, const struct facts *facts,
		      struct multiboot_screen *ret)
{
	struct screen_info s;

	if (!params_display_is_handed_on(req, facts))
		return false;
	memcpy(&s, facts->boot_params, sizeof(s));
	if (s.orig_video_isVGA == VIDEO_TYPE_VESA || s.orig_video_isVGA == VIDEO_TYPE_EFI)
		return take_graphics(&s, ret);
	if (s.orig_video_isVGA == 0 || s.orig_video_cols == 0 || s.orig_video_lines == 0)
		return false;
	*ret = (struct multiboot_screen){
		.addr = VGA_TEXT,
		.pitch = 2U * s.orig_video_cols,
		.width = s.orig_video_cols,
		.height = s.orig_video_lines,
		.bpp = 16,
		.type = MULTIBOOT_FRAMEBUFFER_TEXT,
	};
	return true;
}

phys_t multiboot_elf_entry(const struct elf *elf)
{
	for (size_t i = 0; i < elf->n_loads; i++) {
		const struct elf_load *l = &elf->loads[i];

		if (elf->entry >= l->vaddr && elf->entry - l->vaddr < l->mem_len)
			return l->paddr + (elf->entry - l->vaddr);
	}
	return elf->entry;
}
