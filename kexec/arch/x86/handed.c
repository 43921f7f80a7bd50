// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch/x86/handed.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "arch/x86/multiboot_common.h"
#include "arch/x86/pvh.h"
#include "wire/multiboot.h"
#include "wire/multiboot2.h"
#include "wire/pvh.h"

#define RFLAGS_TF	(UINT64_C(1) << 8)
#define RFLAGS_VM	(UINT64_C(1) << 17)
/* A 32-bit segment of all 4 GiB. What is masked out are bits of the CPU's and software's. */
#define FLAT_LIMIT	UINT64_C(0x000f00000000ffff)
#define FLAT_BASE	UINT64_C(0xff0000ffffff0000)
#define FLAT_FLAGS	UINT64_C(0x00e0fe0000000000)	/* G, D, L; present, DPL, S, type */
#define FLAT_CODE	UINT64_C(0x00c09a0000000000)
#define FLAT_DATA	UINT64_C(0x00c0920000000000)

struct handed {
	const struct plan *plan;
	const struct request *req;
	const struct facts *facts;
	const struct vcpu *v;
	struct guest_ram ram;
	struct diag *diag;
};

static bool is_multiboot(const struct plan *plan, uint32_t magic)
{
	return strcmp(plan->entry_name, "multiboot") == 0 && plan->jump_eax == magic;
}

bool handed_is_known(const struct plan *plan)
{
	return pvh_is_planned(plan) || is_multiboot(plan, MULTIBOOT_LOADER_MAGIC) ||
	       is_multiboot(plan, MULTIBOOT2_LOADER_MAGIC);
}

/* ---- the CPU ---- */

static int check_descriptor(const struct handed *h, enum insn_segment which, const char *name)
{
	const uint16_t selector = h->v->selectors[which];
	const uint64_t flags = which == SEG_CS ? FLAT_CODE : FLAT_DATA;
	uint64_t d;

	if (!vcpu_read_descriptor(h->v, h->ram, selector, &d))
		return fail(h->diag, EINVAL, "rehearse/handed-segment",
			    "%s is %#x, which names no segment of the descriptor table", name,
			    selector);
	if ((d & FLAT_LIMIT) == FLAT_LIMIT && (d & FLAT_BASE) == 0 &&
	    (d & FLAT_FLAGS) == flags)
		return 0;
	return fail(h->diag, EINVAL, "rehearse/handed-segment",
		    "%s has the descriptor %#" PRIx64
		    ", which is no 32-bit %s segment of all 4 GiB",
		    name, d, which == SEG_CS ? "code" : "data");
}

static int check_state(const struct handed *h, uint32_t eax)
{
	int r = check_descriptor(h, SEG_CS, "cs");

	if (r == 0)
		r = check_descriptor(h, SEG_DS, "ds");
	if (r == 0)
		r = check_descriptor(h, SEG_ES, "es");
	if (r == 0)
		r = check_descriptor(h, SEG_SS, "ss");
	if (r < 0)
		return r;
	if (h->v->rflags & (RFLAGS_VM | RFLAGS_TF | RFLAGS_IF))
		return fail(h->diag, EINVAL, "rehearse/handed-flags",
			    "eflags is %#" PRIx64 ": VM, TF and IF are to be clear", h->v->rflags);
	if (!(h->v->cr0 & CR0_PE) || (h->v->cr0 & CR0_PG) || h->v->cr4 != 0)
		return fail(h->diag, EINVAL, "rehearse/handed-mode",
			    "cr0 is %#" PRIx64 " and cr4 %#" PRIx64
			    ": protected mode is to be on, paging and all of cr4 off",
			    h->v->cr0, h->v->cr4);
	if (eax != 0 && (uint32_t)h->v->r[REG_AX] != eax)
		return fail(h->diag, EINVAL, "rehearse/handed-magic", "eax is %#x, not %#x",
			    (uint32_t)h->v->r[REG_AX], eax);
	return 0;
}

/* ---- pointers ---- */

/* The memory at an address up to the end of what was loaded there. */
static bool find_loaded(const struct handed *h, phys_t at, struct span *ret)
{
	for (size_t i = 0; i < h->plan->n_segments; i++) {
		const struct segment *s = &h->plan->segments[i];

		if (at < s->addr || at - s->addr >= s->mem_len || s->addr > h->ram.len ||
		    s->mem_len > h->ram.len - s->addr)
			continue;
		*ret = span_of(h->ram.bytes + at, (size_t)(s->addr + s->mem_len - at));
		return true;
	}
	return false;
}

static int follow(const struct handed *h, phys_t at, uint64_t len, const char *what,
		  struct span *ret)
{
	struct span loaded;

	if (at != 0 && find_loaded(h, at, &loaded) && span_sub(loaded, 0, len, ret))
		return 0;
	return fail(h->diag, EINVAL, "rehearse/handed-pointer",
		    "%s is said to be at %#" PRIx64 ", where not all of it was loaded", what, at);
}

static int check_text(const struct handed *h, phys_t at, const char *what, const char *expected)
{
	const size_t len = strlen(expected) + 1;
	struct span found;
	int r = follow(h, at, len, what, &found);

	if (r == 0 && memcmp(found.data, expected, len) != 0)
		r = fail(h->diag, EINVAL, "rehearse/handed-text",
			 "%s at %#" PRIx64 " is not the one that was asked for", what, at);
	return r;
}

static int check_bytes(const struct handed *h, phys_t at, uint64_t len, struct span expected,
		       const char *what)
{
	struct span found;
	int r;

	if (len != expected.len)
		return fail(h->diag, EINVAL, "rehearse/handed-module",
			    "%s is said to have %" PRIu64 " bytes, not %zu", what, len,
			    expected.len);
	if (len == 0)
		return 0;
	r = follow(h, at, len, what, &found);
	if (r == 0 && memcmp(found.data, expected.data, expected.len) != 0)
		r = fail(h->diag, EINVAL, "rehearse/handed-module",
			 "%s at %#" PRIx64 " does not have the bytes of its file", what, at);
	return r;
}

/* ---- the memory map ---- */

/* An entry as it was handed on: the next of those that were to be. */
static int check_entry(const struct handed *h, size_t i, struct mem_entry found)
{
	const struct mem_entry *e = i < h->plan->n_e820 ? &h->plan->e820[i] : NULL;

	if (e && e->range.start == found.range.start && e->range.end == found.range.end &&
	    (is_multiboot(h->plan, h->plan->jump_eax) ? multiboot_memory_type(e->type) : e->type) ==
		    found.type)
		return 0;
	return fail(h->diag, EINVAL, "rehearse/handed-memory",
		    "entry %zu of the memory map, %#" PRIx64 "-%#" PRIx64
		    " of type %u, is none of this machine's",
		    i, found.range.start, found.range.end, found.type);
}

static int check_count(const struct handed *h, size_t n)
{
	if (n == h->plan->n_e820)
		return 0;
	return fail(h->diag, EINVAL, "rehearse/handed-memory",
		    "the memory map has %zu entries, this machine's %zu", n, h->plan->n_e820);
}

/* What was loaded is memory in the map that was handed on, which has been found to be this one. */
static int check_is_ram(const struct handed *h)
{
	for (size_t i = 0; i < h->plan->n_segments; i++) {
		const struct segment *s = &h->plan->segments[i];
		phys_t at = s->addr;

		if (s->is_fixed || segment_is_low(s))
			continue;
		for (size_t k = 0; k < h->plan->n_e820; k++)
			if (h->plan->e820[k].type == MEM_RAM && h->plan->e820[k].range.start <= at)
				at = max_u64(at, h->plan->e820[k].range.end);
		if (at < s->addr + s->mem_len && strcmp(s->name, "elfcorehdr") != 0)
			return fail(h->diag, EINVAL, "rehearse/handed-memory",
				    "segment '%s' is at %#" PRIx64
				    ", and the memory map says that there is no RAM",
				    s->name, at);
	}
	return 0;
}

/* ---- PVH ---- */

static int check_pvh_memory(const struct handed *h, const struct pvh_start_info *info)
{
	struct pvh_memory m;
	struct span list;
	int r = check_count(h, info->n_memory);

	if (r == 0)
		r = follow(h, info->memory_map, info->n_memory * sizeof(m), "the memory map",
			   &list);
	for (size_t i = 0; r == 0 && i < info->n_memory; i++) {
		memcpy(&m, list.data + i * sizeof(m), sizeof(m));
		r = check_entry(h, i, (struct mem_entry){ { m.addr, m.addr + m.len }, m.type });
	}
	return r < 0 ? r : check_is_ram(h);
}

static int check_pvh_modules(const struct handed *h, const struct pvh_start_info *info)
{
	struct pvh_module m;
	struct span list;
	int r;

	if (info->n_modules != (h->req->initrd.len > 0))
		return fail(h->diag, EINVAL, "rehearse/handed-module",
			    "hvm_start_info tells of %u modules; there is %s initrd",
			    info->n_modules, h->req->initrd.len > 0 ? "one" : "no");
	if (info->n_modules == 0)
		return 0;
	r = follow(h, info->modules, sizeof(m), "the list of modules", &list);
	if (r < 0)
		return r;
	memcpy(&m, list.data, sizeof(m));
	return check_bytes(h, m.addr, m.len, h->req->initrd, "the initrd");
}

static int check_pvh(const struct handed *h, const char **ret)
{
	const phys_t at = (uint32_t)h->v->r[REG_BX];
	struct pvh_start_info info;
	struct span found;
	int r = check_state(h, 0);

	if (r == 0)
		r = follow(h, at, sizeof(info), "hvm_start_info", &found);
	if (r < 0)
		return r;
	memcpy(&info, found.data, sizeof(info));
	if (info.magic != PVH_START_MAGIC || info.version != PVH_START_VERSION || info.flags != 0)
		return fail(h->diag, EINVAL, "rehearse/handed-magic",
			    "hvm_start_info has magic %#x, version %u, flags %#x", info.magic,
			    info.version, info.flags);
	if (info.rsdp != h->facts->rsdp)
		return fail(h->diag, EINVAL, "rehearse/handed-rsdp",
			    "the RSDP is said to be at %#" PRIx64 ", not %#" PRIx64, info.rsdp,
			    h->facts->rsdp);
	r = check_text(h, info.cmdline, "the command line", h->req->cmdline);
	if (r == 0)
		r = check_pvh_modules(h, &info);
	if (r == 0)
		r = check_pvh_memory(h, &info);
	if (r < 0)
		return r;
	*ret = arena_printf(h->plan->arena,
			    "hvm_start_info in ebx: %u memory ranges, command line, %s, RSDP at %#"
			    PRIx64 "; flat 32-bit segments",
			    info.n_memory, info.n_modules > 0 ? "initrd" : "no initrd", info.rsdp);
	return *ret ? 0 : fail_nomem(h->diag);
}

/* ---- Multiboot ---- */

/* The module's file in what all of them are side by side. */
static bool find_module(const struct handed *h, size_t i, struct span *ret)
{
	uint64_t off = 0;

	for (size_t k = 0; k < i; k++)
		off += align_down(h->req->module_list[k].len + PAGE_LEN - 1, PAGE_LEN);
	return span_sub(h->req->modules, off, h->req->module_list[i].len, ret);
}

static int check_module(const struct handed *h, size_t i, uint32_t start, uint32_t end)
{
	struct span file;

	if (i >= h->req->n_modules || !find_module(h, i, &file) || end < start)
		return fail(h->diag, EINVAL, "rehearse/handed-module",
			    "module %zu is said to be at %#x-%#x; there are %zu", i, start, end,
			    h->req->n_modules);
	return check_bytes(h, start, end - start, file, "a module");
}

static int check_number_of_modules(const struct handed *h, size_t n)
{
	if (n == h->req->n_modules)
		return 0;
	return fail(h->diag, EINVAL, "rehearse/handed-module",
		    "the program is told of %zu modules, not of %zu", n, h->req->n_modules);
}

static int expected_cmdline(const struct handed *h, const char **ret)
{
	return multiboot_compose(h->req, h->plan->arena, ret, h->diag);
}

static int check_modules_1(const struct handed *h, const struct multiboot_info *info)
{
	struct multiboot_module m;
	struct span list;
	int r = check_number_of_modules(h, info->n_modules);

	if (r < 0 || info->n_modules == 0)
		return r;
	r = follow(h, info->modules, info->n_modules * sizeof(m), "the list of modules", &list);
	for (size_t i = 0; r == 0 && i < info->n_modules; i++) {
		memcpy(&m, list.data + i * sizeof(m), sizeof(m));
		r = check_module(h, i, m.start, m.end);
		if (r == 0)
			r = check_text(h, m.string, "a module's string",
				       h->req->module_list[i].cmdline);
	}
	return r;
}

static int check_memory_1(const struct handed *h, const struct multiboot_info *info)
{
	struct multiboot_memory m;
	struct span list;
	uint64_t off = 0;
	size_t n = 0;
	int r = follow(h, info->memory_map, info->memory_map_len, "the memory map", &list);

	while (r == 0 && off < list.len) {
		if (!span_copy(list, off, &m, sizeof(m)) || m.size != sizeof(m) - sizeof(m.size))
			return fail(h->diag, EINVAL, "rehearse/handed-memory",
				    "entry %zu of the memory map is cut off", n);
		r = check_entry(h, n++,
				(struct mem_entry){ { m.addr, m.addr + m.len }, m.type });
		off += sizeof(m.size) + m.size;
	}
	if (r == 0)
		r = check_count(h, n);
	return r < 0 ? r : check_is_ram(h);
}

static int check_multiboot_1(const struct handed *h, const char **ret)
{
	const uint32_t wanted = MULTIBOOT_INFO_MEMORY | MULTIBOOT_INFO_CMDLINE |
				MULTIBOOT_INFO_MODULES | MULTIBOOT_INFO_MEMORY_MAP;
	struct multiboot_info info;
	const char *cmdline;
	struct span found;
	int r = check_state(h, MULTIBOOT_LOADER_MAGIC);

	if (r == 0)
		r = follow(h, (uint32_t)h->v->r[REG_BX], sizeof(info), "the information", &found);
	if (r < 0)
		return r;
	memcpy(&info, found.data, sizeof(info));
	if ((info.flags & wanted) != wanted)
		return fail(h->diag, EINVAL, "rehearse/handed-magic",
			    "the information has flags %#x, without some of %#x", info.flags,
			    wanted);
	r = expected_cmdline(h, &cmdline);
	if (r == 0)
		r = check_text(h, info.cmdline, "the command line", cmdline);
	if (r == 0 && (info.flags & MULTIBOOT_INFO_LOADER_NAME))
		r = check_text(h, info.loader_name, "the loader's name", MULTIBOOT_LOADER_NAME);
	if (r == 0)
		r = check_modules_1(h, &info);
	if (r == 0)
		r = check_memory_1(h, &info);
	if (r < 0)
		return r;
	*ret = arena_printf(h->plan->arena,
			    "multiboot information in ebx: %zu memory ranges, command line, %u "
			    "modules; flat 32-bit segments",
			    h->plan->n_e820, info.n_modules);
	return *ret ? 0 : fail_nomem(h->diag);
}

/* ---- Multiboot2 ---- */

/* Of the tags that were seen. */
struct seen {
	const char *cmdline;	/* expected */
	size_t n_modules;
	bool has_cmdline, has_memory, has_end;
};

static int check_text_tag(const struct handed *h, struct span body, const char *what,
			  const char *expected)
{
	if (body.len == strlen(expected) + 1 && memcmp(body.data, expected, body.len) == 0)
		return 0;
	return fail(h->diag, EINVAL, "rehearse/handed-text", "%s is not the one that was asked for",
		    what);
}

static int check_memory_2(const struct handed *h, struct span body)
{
	struct multiboot2_memory m;
	uint32_t len;
	size_t n = 0;
	int r = 0;

	if (!span_le32(body, 0, &len) || len != sizeof(m) || body.len % sizeof(m) != 8)
		return fail(h->diag, EINVAL, "rehearse/handed-memory",
			    "the memory map's entries have no length that is known");
	for (uint64_t off = 8; r == 0 && span_copy(body, off, &m, sizeof(m)); off += sizeof(m))
		r = check_entry(h, n++,
				(struct mem_entry){ { m.addr, m.addr + m.len }, m.type });
	if (r == 0)
		r = check_count(h, n);
	return r < 0 ? r : check_is_ram(h);
}

static int check_module_2(const struct handed *h, size_t i, struct span body)
{
	uint32_t start, end;
	struct span text;
	int r;

	if (!span_le32(body, 0, &start) || !span_le32(body, 4, &end) ||
	    !span_sub(body, 8, body.len - 8, &text))
		return fail(h->diag, EINVAL, "rehearse/handed-tag",
			    "the tag of module %zu is too short", i);
	r = check_module(h, i, start, end);
	return r < 0 ? r : check_text_tag(h, text, "a module's string",
					  h->req->module_list[i].cmdline);
}

static int check_load_base(const struct handed *h, struct span body)
{
	uint32_t base = 0;

	for (size_t i = 0; i < h->plan->n_segments; i++)
		if (strcmp(h->plan->segments[i].name, "kernel") == 0 && span_le32(body, 0, &base) &&
		    base == h->plan->segments[i].addr)
			return 0;
	return fail(h->diag, EINVAL, "rehearse/handed-tag",
		    "the program is told that it was loaded at %#x, where it is not", base);
}

static int check_tag(const struct handed *h, uint32_t type, struct span body, struct seen *seen)
{
	switch (type) {
	case MULTIBOOT2_TAG_CMDLINE:
		seen->has_cmdline = true;
		return check_text_tag(h, body, "the command line", seen->cmdline);
	case MULTIBOOT2_TAG_MEMORY_MAP:
		seen->has_memory = true;
		return check_memory_2(h, body);
	case MULTIBOOT2_TAG_MODULE:
		return check_module_2(h, seen->n_modules++, body);
	case MULTIBOOT2_TAG_LOAD_BASE:
		return check_load_base(h, body);
	case MULTIBOOT2_TAG_RSDP_OLD:
	case MULTIBOOT2_TAG_RSDP_NEW:
		if (body.len == h->facts->rsdp_len &&
		    memcmp(body.data, h->facts->rsdp_bytes, body.len) == 0)
			return 0;
		return fail(h->diag, EINVAL, "rehearse/handed-rsdp",
			    "the copy of the RSDP is not this machine's");
	case MULTIBOOT2_TAG_END:
		seen->has_end = true;
		return 0;
	default:
		return 0;
	}
}

static int walk_tags(const struct handed *h, struct span all, struct seen *seen)
{
	uint64_t off = 8;
	int r = 0;

	while (r == 0 && !seen->has_end) {
		struct multiboot2_tag tag;
		struct span body;

		if (!span_copy(all, off, &tag, sizeof(tag)) || tag.len < sizeof(tag) ||
		    !span_sub(all, off + sizeof(tag), tag.len - sizeof(tag), &body))
			return fail(h->diag, EINVAL, "rehearse/handed-tag",
				    "the information has a tag at +%#" PRIx64
				    " that does not fit into it",
				    off);
		r = check_tag(h, tag.type, body, seen);
		off += align_down((uint64_t)tag.len + MULTIBOOT2_ALIGN - 1, MULTIBOOT2_ALIGN);
	}
	if (r == 0 && (off != all.len || !seen->has_cmdline || !seen->has_memory))
		return fail(h->diag, EINVAL, "rehearse/handed-tag",
			    "the information has %" PRIu64 " bytes of tags, not %zu, or no command "
			    "line or memory map in them",
			    off, all.len);
	return r;
}

static int check_multiboot_2(const struct handed *h, const char **ret)
{
	const phys_t at = (uint32_t)h->v->r[REG_BX];
	struct seen seen = { 0 };
	uint32_t len = 0;
	struct span all;
	int r = check_state(h, MULTIBOOT2_LOADER_MAGIC);

	if (r == 0)
		r = follow(h, at, 8, "the information", &all);
	if (r < 0)
		return r;
	memcpy(&len, all.data, sizeof(len));
	if (!is_aligned(at, MULTIBOOT2_ALIGN))
		return fail(h->diag, EINVAL, "rehearse/handed-pointer",
			    "the information at %#" PRIx64 " is not aligned to 8", at);
	r = follow(h, at, len, "the information", &all);
	if (r == 0)
		r = expected_cmdline(h, &seen.cmdline);
	if (r == 0)
		r = walk_tags(h, all, &seen);
	if (r == 0)
		r = check_number_of_modules(h, seen.n_modules);
	if (r < 0)
		return r;
	*ret = arena_printf(h->plan->arena,
			    "multiboot2 information in ebx: %zu memory ranges, command line, %zu "
			    "modules; flat 32-bit segments",
			    h->plan->n_e820, seen.n_modules);
	return *ret ? 0 : fail_nomem(h->diag);
}

int handed_check(const struct plan *plan, const struct request *req, const struct facts *facts,
		 const struct vcpu *v, struct guest_ram ram, const char **ret, struct diag *diag)
{
	const struct handed h = { plan, req, facts, v, ram, diag };

	if (pvh_is_planned(plan))
		return check_pvh(&h, ret);
	return is_multiboot(plan, MULTIBOOT_LOADER_MAGIC) ? check_multiboot_1(&h, ret) :
							    check_multiboot_2(&h, ret);
}

/* ---- the program ---- */

static int check_load(const struct elf *elf, const struct elf_load *l, phys_t at, struct span found,
		      struct diag *diag)
{
	struct span expected;
	size_t off = 0;

	if (!span_sub(elf->file, l->off, l->file_len, &expected))
		return fail(diag, EINVAL, "rehearse/program-differs", "the file is cut off");
	while (off < found.len && found.data[off] == (off < expected.len ? expected.data[off] : 0))
		off++;
	if (off >= found.len)
		return 0;
	return fail(diag, EINVAL, "rehearse/program-differs",
		    "the program in memory is not the one of the file: it differs at %#" PRIx64,
		    at + off);
}

int handed_check_program(const struct plan *plan, const struct elf *elf, struct guest_ram ram,
			 uint64_t *ret_len, struct diag *diag)
{
	const struct handed h = { .plan = plan, .ram = ram, .diag = diag };
	const struct segment *kernel = NULL;
	int r = 0;

	*ret_len = 0;
	for (size_t i = 0; i < plan->n_segments; i++)
		if (strcmp(plan->segments[i].name, "kernel") == 0)
			kernel = &plan->segments[i];
	if (!kernel)
		return fail(diag, EINVAL, "rehearse/program-differs", "there is no program");
	for (size_t i = 0; r == 0 && i < elf->n_loads; i++) {
		const struct elf_load *l = &elf->loads[i];
		const phys_t at = l->paddr - align_down(elf->start, PAGE_LEN) + kernel->addr;
		struct span found;

		r = follow(&h, at, l->mem_len, "a part of the program", &found);
		if (r == 0)
			r = check_load(elf, l, at, found, diag);
		*ret_len += l->file_len;
	}
	return r;
}
