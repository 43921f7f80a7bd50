// SPDX-License-Identifier: GPL-2.0-or-later
/* Source: System V ABI; xen/include/public/elfnote.h; include/linux/elfnote.h. */
#include <elf.h>
#include <inttypes.h>
#include <string.h>

#include "arch/x86/export_image.h"
#include "arch/x86/inspect_image.h"
#include "arch/x86/relocate.h"
#include "elf_note.h"

#define NOTES_MAX	256	/* a kernel has about 20 */
#define HEX_MAX		32	/* bytes of a note that are shown as such */

static const char *phdr_type(struct inspection *in, uint32_t type)
{
	static const char *const names[] = { "NULL", "LOAD", "DYNAMIC", "INTERP",
					     "NOTE", "SHLIB", "PHDR", "TLS" };

	if (type < array_len(names))
		return names[type];
	if (type == PT_GNU_STACK)
		return "GNU_STACK";
	return arena_printf(in->arena, "0x%x", type);
}

static void put_phdrs(struct inspection *in, struct item *to, const struct elf *elf)
{
	struct item *list = inspect_list(in, to, "program_headers");
	struct elf_phdr p;

	for (size_t i = 0; elf_phdr(elf, i, &p); i++) {
		struct item *o = inspect_group(in, list, NULL);

		inspect_text(in, o, "type", phdr_type(in, p.type));
		inspect_addr(in, o, "off", p.off);
		inspect_addr(in, o, "vaddr", p.vaddr);
		inspect_addr(in, o, "paddr", p.paddr);
		inspect_addr(in, o, "file_len", p.file_len);
		inspect_addr(in, o, "mem_len", p.mem_len);
		inspect_printf(in, o, "flags", "%s%s%s", p.flags & PF_R ? "R" : "",
			       p.flags & PF_W ? "W" : "", p.flags & PF_X ? "X" : "");
		inspect_addr(in, o, "align", p.align);
	}
}

/* ---- notes ---- */

enum shape {
	SHAPE_BYTES,
	SHAPE_TEXT,	/* Linux leaves the NUL of some out */
	SHAPE_NUMBER,	/* of 4 or 8 bytes */
	SHAPE_FEATURES,	/* the same, bits */
	SHAPE_PAIRS,	/* of 8-byte numbers, in Linux; 4 on i386 */
	SHAPE_RANGE,	/* alignment, lowest and highest address, 4 bytes each */
	SHAPE_NEEDS,	/* of our own exports */
};

struct known_note {
	const char *owner;
	uint32_t type;
	const char *name;
	enum shape shape;
};

static const struct known_note known_notes[] = {
	{ "Xen", 0, "INFO", SHAPE_TEXT },
	{ "Xen", XEN_NOTE_ENTRY, "ENTRY", SHAPE_NUMBER },
	{ "Xen", XEN_NOTE_HYPERCALL_PAGE, "HYPERCALL_PAGE", SHAPE_NUMBER },
	{ "Xen", 3, "VIRT_BASE", SHAPE_NUMBER },
	{ "Xen", 4, "PADDR_OFFSET", SHAPE_NUMBER },
	{ "Xen", 5, "XEN_VERSION", SHAPE_TEXT },
	{ "Xen", 6, "GUEST_OS", SHAPE_TEXT },
	{ "Xen", 7, "GUEST_VERSION", SHAPE_TEXT },
	{ "Xen", 8, "LOADER", SHAPE_TEXT },
	{ "Xen", 9, "PAE_MODE", SHAPE_TEXT },
	{ "Xen", 10, "FEATURES", SHAPE_TEXT },
	{ "Xen", 11, "BSD_SYMTAB", SHAPE_NUMBER },
	{ "Xen", 12, "HV_START_LOW", SHAPE_NUMBER },
	{ "Xen", 13, "L1_MFN_VALID", SHAPE_PAIRS },
	{ "Xen", 14, "SUSPEND_CANCEL", SHAPE_NUMBER },
	{ "Xen", 15, "INIT_P2M", SHAPE_NUMBER },
	{ "Xen", 16, "MOD_START_PFN", SHAPE_NUMBER },
	{ "Xen", 17, "SUPPORTED_FEATURES", SHAPE_FEATURES },
	{ "Xen", XEN_NOTE_PHYS32_ENTRY, "PHYS32_ENTRY", SHAPE_NUMBER },
	{ "Xen", XEN_NOTE_PHYS32_RELOC, "PHYS32_RELOC", SHAPE_RANGE },
	{ "GNU", NT_GNU_BUILD_ID, "BUILD_ID", SHAPE_BYTES },
	{ "GNU", NT_GNU_PROPERTY_TYPE_0, "PROPERTY", SHAPE_BYTES },
	{ "Linux", 0x100, "BUILD_SALT", SHAPE_TEXT },
	{ "Linux", 0x101, "LTO_INFO", SHAPE_NUMBER },
	{ EXPORT_NOTE_OWNER, EXPORT_NOTE_NEEDS, "NEEDS", SHAPE_NEEDS },
};

static const struct known_note *find_known(const struct elf_note *n)
{
	for (size_t i = 0; i < array_len(known_notes); i++)
		if (known_notes[i].type == n->type && strcmp(known_notes[i].owner, n->owner) == 0)
			return &known_notes[i];
	return NULL;
}

static bool number_of(struct span desc, uint64_t *ret)
{
	*ret = 0;
	return (desc.len == 4 || desc.len == 8) && span_copy(desc, 0, ret, desc.len);
}

static const char *hex_text(struct inspection *in, struct span s)
{
	const char *text = "";

	for (size_t i = 0; i < s.len && i < HEX_MAX && text; i++)
		text = arena_printf(in->arena, "%s%02x", text, s.data[i]);
	return text && s.len > HEX_MAX ? arena_printf(in->arena, "%s...", text) : text;
}

static const char *pairs_text(struct inspection *in, struct span s)
{
	const size_t width = s.len % 16 == 0 ? 8 : 4;
	const char *text = "";

	if (s.len == 0 || s.len % (2 * width) != 0 || s.len > 16 * HEX_MAX)
		return NULL;
	for (size_t i = 0; i < s.len && text; i += 2 * width) {
		uint64_t mask = 0, value = 0;

		if (!span_copy(s, i, &mask, width) || !span_copy(s, i + width, &value, width))
			return NULL;
		text = arena_printf(in->arena, "%s%smask %#" PRIx64 " value %#" PRIx64, text,
				    i ? ", " : "", mask, value);
	}
	return text;
}

static const char *range_text(struct inspection *in, struct span s)
{
	uint32_t align, min, last;

	if (s.len != 12 || !span_le32(s, 0, &align) || !span_le32(s, 4, &min) ||
	    !span_le32(s, 8, &last))
		return NULL;
	return arena_printf(in->arena, "align %#x, from %#x to %#x", align, min, last);
}

static const char *text_of(struct inspection *in, struct span s)
{
	if (s.len > 0 && s.data[s.len - 1] == '\0')
		s.len--;
	if (s.len == 0 || memchr(s.data, 0, s.len))
		return NULL;
	return arena_strndup(in->arena, (const char *)s.data, s.len);
}

/* XENFEAT_...: what a guest says that it can do without. */
static const char *features_text(struct inspection *in, uint64_t v)
{
	static const char *const names[] = {
		[0] = "writable_page_tables", [1] = "writable_descriptor_tables",
		[2] = "auto_translated_physmap", [3] = "supervisor_mode_kernel",
		[4] = "pae_pgdir_above_4gb", [5] = "mmu_pt_update_preserve_ad",
		[6] = "highmem_assist", [7] = "gnttab_map_avail_bits", [8] = "hvm_callback_vector",
		[9] = "hvm_safe_pvclock", [10] = "hvm_pirqs", [11] = "dom0",
		[12] = "grant_map_identity",
		[13] = "memory_op_vnode_supported", [14] = "ARM_SMCCC_supported",
		[15] = "linux_rsdp_unrestricted", [16] = "not_direct_mapped", [17] = "direct_mapped",
	};
	const char *text = arena_printf(in->arena, "0x%" PRIx64, v);

	for (size_t i = 0; i < array_len(names) && text; i++)
		if (v >> i & 1)
			text = arena_printf(in->arena, "%s %s", text, names[i]);
	return text;
}

static const char *needs_text(struct inspection *in, struct span s)
{
	struct export_needs head;
	struct export_need n;
	const char *text;

	if (!span_copy(s, 0, &head, sizeof(head)) || head.version != EXPORT_NEEDS_VERSION ||
	    s.len != sizeof(head) + (uint64_t)head.n * sizeof(n))
		return NULL;
	text = arena_printf(in->arena, "boot_params %#" PRIx64, head.boot_params);
	for (size_t off = sizeof(head); text && span_copy(s, off, &n, sizeof(n)); off += sizeof(n))
		text = arena_printf(in->arena, "%s, %#" PRIx64 "+%#" PRIx64, text, n.addr, n.len);
	return text;
}

/* NULL: it does not have the shape that it must have. */
static const char *value_of(struct inspection *in, enum shape shape, struct span desc)
{
	uint64_t v;

	switch (shape) {
	case SHAPE_TEXT:
		return text_of(in, desc);
	case SHAPE_NUMBER:
		return number_of(desc, &v) ? arena_printf(in->arena, "%#" PRIx64, v) : NULL;
	case SHAPE_FEATURES:
		return number_of(desc, &v) ? features_text(in, v) : NULL;
	case SHAPE_PAIRS:
		return pairs_text(in, desc);
	case SHAPE_RANGE:
		return range_text(in, desc);
	case SHAPE_NEEDS:
		return needs_text(in, desc);
	case SHAPE_BYTES:
		break;
	}
	return hex_text(in, desc);
}

static bool is_in_load(const struct elf *elf, phys_t addr)
{
	for (size_t i = 0; i < elf->n_loads; i++)
		if (addr >= elf->loads[i].paddr && addr - elf->loads[i].paddr < elf->loads[i].file_len)
			return true;
	return false;
}

/* Why a note that has the right shape cannot be meant; NULL: it can. */
static const char *check_pvh(const struct elf *elf, const struct elf_note *n,
			     struct elf_findings *f)
{
	uint32_t align, min, last;
	uint64_t entry;

	if (strcmp(n->owner, "Xen") != 0)
		return NULL;
	if (n->type == XEN_NOTE_PHYS32_ENTRY && number_of(n->desc, &entry)) {
		if (entry >= 4 * GIB || !is_in_load(elf, entry))
			return "the entry lies in no PT_LOAD of the kernel";
		f->has_pvh = true;
		f->pvh_entry = entry;
	}
	if (n->type != XEN_NOTE_PHYS32_RELOC || !span_le32(n->desc, 0, &align) ||
	    !span_le32(n->desc, 4, &min) || !span_le32(n->desc, 8, &last))
		return NULL;
	if (!is_power_of_two(align) || min > last)
		return "no alignment, or no range";
	f->has_pvh_range = true;
	f->pvh_align = align;
	f->pvh_min = min;
	f->pvh_last = last;
	return NULL;
}

static void put_note(struct inspection *in, struct item *list, const struct elf *elf,
		     const struct elf_note *n, struct elf_findings *f)
{
	const struct known_note *known = find_known(n);
	const char *value = value_of(in, known ? known->shape : SHAPE_BYTES, n->desc);
	struct item *o = inspect_group(in, list, NULL);

	inspect_text(in, o, "owner", arena_strndup(in->arena, n->owner, strlen(n->owner)));
	inspect_number(in, o, "type", n->type);
	inspect_text(in, o, "name", known ? known->name : NULL);
	inspect_len(in, o, "len", n->desc.len);
	inspect_text(in, o, "value", value ? value : hex_text(in, n->desc));
	inspect_text(in, o, "error", !value ? "not what a note of this type holds" :
					      check_pvh(elf, n, f));
}

static void put_notes(struct inspection *in, struct item *to, const struct elf *elf,
		      struct elf_findings *f)
{
	struct item *list = inspect_list(in, to, "notes");
	struct elf_phdr p;
	size_t n_notes = 0;

	for (size_t i = 0; elf_phdr(elf, i, &p); i++) {
		struct span notes = { 0 };
		struct elf_note note;
		struct diag why;
		uint64_t off = 0;

		if (p.type != PT_NOTE)
			continue;
		diag_init(&why, NULL);
		if (elf_note_bytes(elf, &p, &notes, &why) == 0)
			while (off < notes.len && n_notes++ < NOTES_MAX &&
			       elf_note_next(notes, p.align, &off, &note, &why) == 0)
				put_note(in, list, elf, &note, f);
		if (why.id)
			inspect_failure(in, to, "notes_error", &why);
	}
}

/* ---- relocations ---- */

static void put_list(struct inspection *in, struct item *to, const char *name, const char *what,
		     const struct reloc_list *l)
{
	uint32_t first = 0, last = 0;
	struct item *o;

	if (l->n == 0)
		return;
	o = inspect_group(in, to, NULL);
	inspect_text(in, o, "name", name);
	inspect_number(in, o, "count", l->n);
	if (span_le32(l->words, 0, &first) && span_le32(l->words, (l->n - 1) * 4, &last)) {
		inspect_addr(in, o, "first", first);
		inspect_addr(in, o, "last", last);
	}
	inspect_text(in, o, "meaning", what);
}

static void put_relocs(struct inspection *in, struct item *to, const struct elf *elf,
		       struct span table, struct elf_findings *f)
{
	struct item *o = inspect_group(in, to, "relocations"), *list;
	struct reloc_table t;
	struct diag why;

	diag_init(&why, NULL);
	inspect_len(in, o, "table_len", table.len);
	if (reloc_parse(table, elf, &t, &why) < 0) {
		inspect_failure(in, o, "error", &why);
		return;
	}
	f->has_relocs = !t.is_empty;
	inspect_text(in, o, "layout",
		     t.is_empty	    ? "none: built without KASLR" :
		     !elf->is_64    ? "32" :
		     t.inv32.words.data ? "64, inverse 32, 32 (kernels up to 6.14)" :
				      "64, 32 (kernels from 6.15 on)");
	list = inspect_list(in, o, "lists");
	put_list(in, list, "64", "64-bit addresses", &t.r64);
	put_list(in, list, "inverse 32", "32-bit references to per-CPU data, moved the other way",
		 &t.inv32);
	put_list(in, list, "32", "32-bit addresses", &t.r32);
}

bool inspect_elf(struct inspection *in, struct item *to, struct span payload, struct elf *ret_elf,
		 struct elf_findings *ret)
{
	struct item *o = inspect_group(in, to, "elf");
	struct span table;
	struct diag why;

	*ret = (struct elf_findings){ 0 };
	diag_init(&why, NULL);
	if (elf_parse(payload, ret_elf, &why) < 0) {
		inspect_failure(in, o, "error", &why);
		return false;
	}
	inspect_number(in, o, "class", ret_elf->is_64 ? 64 : 32);
	inspect_addr(in, o, "entry", ret_elf->entry);
	inspect_addr(in, o, "start", ret_elf->start);
	inspect_addr(in, o, "end", ret_elf->end);
	inspect_len(in, o, "mem_len", ret_elf->end - ret_elf->start);
	inspect_len(in, o, "file_len", ret_elf->len);
	put_phdrs(in, o, ret_elf);
	put_notes(in, o, ret_elf, ret);
	if (span_sub(payload, ret_elf->len, payload.len - ret_elf->len, &table))
		put_relocs(in, o, ret_elf, table, ret);
	return true;
}
