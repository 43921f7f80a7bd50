// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch/x86/multiboot.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "arch/x86/multiboot_common.h"
#include "wire/multiboot.h"

static bool find_header(struct span file, size_t *ret_off, struct multiboot_header *ret)
{
	for (size_t off = 0; off + MULTIBOOT_HEADER_LEN <= MULTIBOOT_SEARCH_LEN;
	     off += MULTIBOOT_ALIGN) {
		struct multiboot_header h = { 0 };

		if (!span_copy(file, off, &h, MULTIBOOT_HEADER_LEN))
			return false;
		if (h.magic != MULTIBOOT_HEADER_MAGIC || h.magic + h.flags + h.checksum != 0)
			continue;
		*ret = h;
		*ret_off = off;
		return true;
	}
	return false;
}

static int read_addresses(struct span file, struct multiboot_image *image, struct diag *diag)
{
	struct multiboot_header h;
	uint64_t off, len;

	if (!span_copy(file, image->off, &h, sizeof(h)))
		return fail(diag, EINVAL, "multiboot/header-truncated",
			    "the file ends inside the multiboot header at %#zx", image->off);
	if (h.load_addr > h.header_addr || h.header_addr - h.load_addr > image->off)
		return fail(diag, EINVAL, "multiboot/load-address",
			    "the header at %#zx is for address %#x, which is %s its load address %#x",
			    image->off, h.header_addr,
			    h.load_addr > h.header_addr ? "below" : "too far behind", h.load_addr);
	off = image->off - (h.header_addr - h.load_addr);
	len = h.load_end_addr != 0 ? (uint64_t)h.load_end_addr - h.load_addr : file.len - off;
	if ((h.load_end_addr != 0 && h.load_end_addr < h.load_addr) ||
	    !span_sub(file, off, len, &image->bytes))
		return fail(diag, EINVAL, "multiboot/load-end",
			    "load_addr %#x and load_end_addr %#x want bytes that the file's %zu do "
			    "not have",
			    h.load_addr, h.load_end_addr, file.len);
	if (h.bss_end_addr != 0 && h.bss_end_addr < h.load_addr + len)
		return fail(diag, EINVAL, "multiboot/bss-end",
			    "bss_end_addr %#x lies before the end of what is loaded",
			    h.bss_end_addr);
	image->load_addr = h.load_addr;
	image->mem_len = h.bss_end_addr != 0 ? h.bss_end_addr - h.load_addr : len;
	image->entry = h.entry_addr;
	image->has_addresses = true;
	return 0;
}

int multiboot_parse(struct span file, struct multiboot_image *ret, struct diag *diag)
{
	const uint32_t known = MULTIBOOT_PAGE_ALIGN | MULTIBOOT_MEMORY_INFO | MULTIBOOT_VIDEO_MODE;
	struct multiboot_image image = { 0 };
	struct multiboot_header h = { 0 };
	int r = 0;

	if (!find_header(file, &image.off, &h))
		return fail(diag, ENOEXEC, "multiboot/no-magic",
			    "a multiboot image has 0x1badb002 and its checksum in its first 8 KiB");
	image.flags = h.flags;
	if (h.flags & MULTIBOOT_MUST_MASK & ~known)
		return fail(diag, ENOTSUP, "multiboot/flags",
			    "the multiboot header asks for what is not known here: flags %#x",
			    h.flags);
	if (h.flags & MULTIBOOT_ADDRESSES)
		r = read_addresses(file, &image, diag);
	if (r == 0)
		*ret = image;
	return r;
}

static int multiboot_probe(struct span file, struct diag *why)
{
	struct multiboot_image image;
	int r = multiboot_parse(file, &image, why);

	return r == -ENOEXEC ? r : 0;
}

static int lay_out(const struct multiboot_image *image, struct span file, struct arena *a,
		   struct multiboot_plan *own, struct diag *diag)
{
	struct elf elf;
	int r;

	if (image->has_addresses) {
		own->entry = image->entry;
		r = flat_from_bytes(image->bytes, image->load_addr, image->mem_len, a, &own->flat,
				    diag);
	} else {
		r = elf_parse(file, &elf, diag);
		if (r == 0)
			r = flat_from_elf(&elf, false, a, &own->flat, diag);
		if (r == 0)
			own->entry = multiboot_elf_entry(&elf);
	}
	if (r < 0)
		return r;
	own->link_start = own->flat.pieces[0].start;
	if (!flat_contains(&own->flat, own->entry))
		return fail(diag, EINVAL, "multiboot/entry-outside",
			    "the entry %#" PRIx64 " is no address of the program", own->entry);
	return 0;
}

static void put_memory_map(const struct facts *facts, struct multiboot_out *out)
{
	for (size_t i = 0; i < facts->n_map; i++) {
		const struct multiboot_memory m = {
			.size = sizeof(m) - sizeof(m.size),
			.addr = facts->map[i].range.start,
			.len = range_len(facts->map[i].range),
			.type = multiboot_memory_type(facts->map[i].type),
		};

		multiboot_put(out, &m, sizeof(m));
	}
}

static uint32_t put_string(const char *text, const struct multiboot_addresses *at,
			   struct multiboot_out *out)
{
	phys_t addr = at->info + out->len;

	multiboot_put(out, text, strlen(text) + 1);
	return (uint32_t)addr;
}

static void put_modules(const struct request *req, const struct multiboot_addresses *at,
			struct multiboot_info *info, struct multiboot_out *out)
{
	struct multiboot_out strings = { 0 };

	multiboot_align(out, sizeof(uint32_t));
	info->n_modules = (uint32_t)req->n_modules;
	info->modules = (uint32_t)(at->info + out->len);
	/* The table, then the strings that it points to. */
	strings.len = out->len + req->n_modules * sizeof(struct multiboot_module);
	for (size_t i = 0; i < req->n_modules; i++) {
		const struct range r = multiboot_module(req, i);
		const struct multiboot_module m = {
			.start = (uint32_t)(at->modules + r.start),
			.end = (uint32_t)(at->modules + r.end),
			.string = (uint32_t)(at->info + strings.len),
		};

		multiboot_put(out, &m, sizeof(m));
		strings.len += strlen(req->module_list[i].cmdline) + 1;
	}
	for (size_t i = 0; i < req->n_modules; i++)
		put_string(req->module_list[i].cmdline, at, out);
}

static void put_screen(const struct request *req, const struct facts *facts,
		       struct multiboot_info *info)
{
	struct multiboot_screen s;

	if (!multiboot_screen(req, facts, &s))
		return;
	info->flags |= MULTIBOOT_INFO_FRAMEBUFFER;
	info->framebuffer_addr = s.addr;
	info->framebuffer_pitch = s.pitch;
	info->framebuffer_width = s.width;
	info->framebuffer_height = s.height;
	info->framebuffer_bpp = s.bpp;
	info->framebuffer_type = s.type;
	memcpy(info->framebuffer_colors, s.colors, sizeof(s.colors));
}

static size_t build(const struct multiboot_plan *own, const struct request *req,
		    const struct facts *facts, const struct multiboot_addresses *at, uint8_t *buf)
{
	struct multiboot_out out = { .buf = buf, .len = sizeof(struct multiboot_info) };
	struct multiboot_info info = {
		.flags = MULTIBOOT_INFO_MEMORY | MULTIBOOT_INFO_CMDLINE | MULTIBOOT_INFO_MODULES |
			 MULTIBOOT_INFO_MEMORY_MAP | MULTIBOOT_INFO_LOADER_NAME,
	};
	uint32_t lower, upper;

	multiboot_memory_sizes(facts, &lower, &upper);
	info.mem_lower = lower;
	info.mem_upper = upper;
	info.cmdline = put_string(own->cmdline, at, &out);
	info.loader_name = put_string(MULTIBOOT_LOADER_NAME, at, &out);
	put_modules(req, at, &info, &out);
	multiboot_align(&out, sizeof(uint32_t));
	info.memory_map = (uint32_t)(at->info + out.len);
	put_memory_map(facts, &out);
	info.memory_map_len = (uint32_t)(at->info + out.len) - info.memory_map;
	put_screen(req, facts, &info);
	if (buf)
		memcpy(buf, &info, sizeof(info));
	return out.len;
}

static int multiboot_plan(const struct request *req, const struct facts *facts, struct plan *plan,
			  struct diag *diag)
{
	const struct multiboot_addresses unknown = { 0 };
	struct multiboot_plan *own = arena_alloc(plan->arena, sizeof(*own));
	struct multiboot_image image;
	int r;

	if (!own)
		return fail_nomem(diag);
	plan->format = own;
	r = multiboot_check_request(req, diag);
	if (r == 0)
		r = multiboot_parse(req->kernel, &image, diag);
	if (r == 0)
		r = lay_out(&image, req->kernel, plan->arena, own, diag);
	if (r == 0)
		r = multiboot_compose(req, plan->arena, &own->cmdline, diag);
	if (r == 0)
		r = flat_plan(&own->flat, plan, diag);
	if (r < 0)
		return r;
	return multiboot_plan_data(req, facts, build(own, req, facts, &unknown, NULL),
				   MULTIBOOT_LOADER_MAGIC, plan, diag);
}

static int multiboot_finish(const struct request *req, const struct facts *facts,
			    struct plan *plan, struct diag *diag)
{
	const struct multiboot_plan *own = plan->format;
	const struct multiboot_addresses at = multiboot_settle(own, plan);

	(void)diag;
	build(own, req, facts, &at, plan_find(plan, "params")->own);
	return 0;
}

const struct image_type multiboot_type = {
	.name = "multiboot-x86",
	.takes_modules = true,
	.probe = multiboot_probe,
	.plan = multiboot_plan,
	.finish = multiboot_finish,
};
