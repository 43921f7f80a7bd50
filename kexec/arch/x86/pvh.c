// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch/x86/pvh.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "arch/x86/boot_params.h"
#include "arch/x86/direct.h"
#include "elf_note.h"
#include "memmap.h"
#include "wire/pvh.h"

#define LOWEST_SEGMENT	MIB
#define START_INFO_END	GIB
/* Linux copies all that it is told into a table of 128, and adds one. */
#define MEMORY_MAX	127
#define ENTRY_NAME	"pvh"

static int read_entry(const struct elf_note *note, struct pvh_notes *ret, struct diag *diag)
{
	uint32_t entry, upper = 0;

	if (!span_le32(note->desc, 0, &entry) || (note->desc.len != 4 && note->desc.len != 8) ||
	    (note->desc.len == 8 && !span_le32(note->desc, 4, &upper)) || upper != 0)
		return fail(diag, EINVAL, "pvh/entry-note",
			    "the PHYS32_ENTRY note has %zu bytes; it is to be an address below 4 GiB, "
			    "in 4 or 8",
			    note->desc.len);
	ret->has_entry = true;
	ret->entry = entry;
	return 0;
}

static int read_reloc(const struct elf_note *note, struct pvh_notes *ret, struct diag *diag)
{
	uint32_t value[3] = { (uint32_t)PVH_RELOC_ALIGN, PVH_RELOC_MIN, (uint32_t)PVH_RELOC_MAX };

	if (note->desc.len > sizeof(value) || note->desc.len % sizeof(value[0]) != 0)
		return fail(diag, EINVAL, "pvh/reloc-note",
			    "the PHYS32_RELOC note has %zu bytes; it is to be up to three numbers of 4",
			    note->desc.len);
	for (size_t i = 0; i < note->desc.len / sizeof(value[0]); i++)
		if (!span_le32(note->desc, i * sizeof(value[0]), &value[i]))
			return fail_nomem(diag);	/* not reached: the length was looked at */
	if (!is_power_of_two(value[0]) || value[1] >= value[2])
		return fail(diag, EINVAL, "pvh/reloc-values",
			    "the PHYS32_RELOC note wants multiples of %#x from %#x to %#x, which is no "
			    "place",
			    value[0], value[1], value[2]);
	ret->is_relocatable = true;
	ret->align = max_u64(value[0], PAGE_LEN);
	ret->min = value[1];
	ret->end = (phys_t)value[2] + 1;
	return 0;
}

static int read_segment(const struct elf *elf, const struct elf_phdr *p, struct pvh_notes *ret,
			struct diag *diag)
{
	struct span bytes;
	struct elf_note note;
	uint64_t off = 0;
	int r = elf_note_bytes(elf, p, &bytes, diag);

	while (r == 0 && off < bytes.len) {
		r = elf_note_next(bytes, p->align, &off, &note, diag);
		if (r < 0 || strcmp(note.owner, "Xen") != 0)
			continue;
		if (note.type == XEN_NOTE_PHYS32_ENTRY)
			r = read_entry(&note, ret, diag);
		else if (note.type == XEN_NOTE_PHYS32_RELOC)
			r = read_reloc(&note, ret, diag);
	}
	return r;
}

int pvh_read_notes(const struct elf *elf, struct pvh_notes *ret, struct diag *diag)
{
	struct pvh_notes notes = { 0 };
	struct elf_phdr p;
	int r = 0;

	for (size_t i = 0; r == 0 && i < elf->n_phdrs && elf_phdr(elf, i, &p); i++)
		if (p.type == PT_NOTE)
			r = read_segment(elf, &p, &notes, diag);
	if (r < 0)
		return r;
	if (!notes.has_entry)
		return fail(diag, ENOEXEC, "pvh/no-entry",
			    "there is no PVH entry in this image: it has no PHYS32_ENTRY note (Linux: "
			    "CONFIG_PVH)");
	*ret = notes;
	return 0;
}

/* The "params" segment, in this order; the rest of it is the command line. */
struct layout {
	size_t memory_off, modules_off, cmdline_off, len;
	size_t n_memory;
};

struct pvh_own {
	struct flat flat;
	struct pvh_notes notes;
	struct layout layout;
};

static int check_request(const struct pvh_image *image, const struct request *req,
			 const struct facts *facts, struct diag *diag)
{
	const size_t cmdline_len = strlen(req->cmdline);

	if (req->dtb.len > 0)
		return fail(diag, EINVAL, "pvh/device-tree",
			    "the PVH entry has no place to hand a device tree (--dtb) on");
	if (facts->cpu.is_confidential_guest || facts->has_unaccepted_memory)
		return fail(diag, EINVAL, "pvh/confidential",
			    "this is a confidential guest, whose memory the PVH entry does not know to "
			    "use");
	if (image->elf.is_64 && !facts->cpu.has_long_mode)
		return fail(diag, EINVAL, "pvh/cpu-is-32-bit",
			    "this is a 64-bit kernel, and the CPU has no long mode");
	if (facts->n_map == 0)
		return fail(diag, EINVAL, "pvh/no-memory-map",
			    "this machine's memory map is not known: nothing to hand on");
	if (cmdline_len > image->cmdline_max) {
		fail(diag, EINVAL, "pvh/cmdline-too-long",
		     "the command line has %zu characters, this kernel takes %u", cmdline_len,
		     image->cmdline_max);
		return fail_advise(diag, "shorten --append by %zu character%s",
				   cmdline_len - image->cmdline_max,
				   cmdline_len - image->cmdline_max == 1 ? "" : "s");
	}
	return 0;
}

static void note_what_is_lost(const struct pvh_image *image, const struct pvh_notes *notes,
			      const struct request *req, const struct facts *facts, struct diag *diag)
{
	note(diag, "pvh/handed-on",
	     "the PVH entry is handed the memory map, the ACPI root pointer, the command line and the "
	     "initrd: no display, no random seed");
	if (image->is_linux && !cmdline_has_word(req->cmdline, "nokaslr"))
		note(diag, "pvh/no-kaslr",
		     "the kernel runs %s, and without KASLR: its PVH entry knows no other virtual "
		     "addresses",
		     notes->is_relocatable ? "at virtual addresses as it was linked" :
					     "where it was linked");
	if (facts->efi.is_booted && !req->no_efi)
		warn(diag, "pvh/efi-dropped",
		     "EFI runtime services are not handed on: the PVH entry has no place for them; the "
		     "next kernel boots as with noefi");
	if (image->is_linux && !image->elf.is_64)
		note(diag, "pvh/32-bit",
		     "a 32-bit kernel built without CONFIG_X86_PAE may reset the machine in its PVH "
		     "entry: older ones turn PAE on there without page tables for it");
	if (facts->cpu.is_la57_on && image->elf.is_64)
		note(diag, "pvh/4-level", "a kernel that is entered by PVH has 4-level paging");
	if (facts->n_map > MEMORY_MAX)
		warn(diag, "pvh/memory-map-cut",
		     "the PVH entry of Linux takes %d memory ranges, this machine has %zu: the highest "
		     "are left out",
		     MEMORY_MAX, facts->n_map);
}

static struct layout lay_out(const struct request *req, const struct facts *facts)
{
	const size_t cmdline_len = max_size(strlen(req->cmdline) + 1, COMMAND_LINE_SIZE);
	struct layout l = { .n_memory = min_size(facts->n_map, MEMORY_MAX) };

	l.memory_off = sizeof(struct pvh_start_info);
	l.modules_off = l.memory_off + l.n_memory * sizeof(struct pvh_memory);
	l.cmdline_off = l.modules_off + sizeof(struct pvh_module);
	l.len = l.cmdline_off + cmdline_len;
	return l;
}

/* What is beyond its last known range is no memory to the next kernel. */
static phys_t known_end(const struct layout *l, const struct facts *facts)
{
	return l->n_memory < facts->n_map ? memmap_end(facts->map, l->n_memory) : 4 * GIB;
}

static int plan_kernel(const struct pvh_own *own, phys_t end, struct plan *plan, struct diag *diag)
{
	const struct pvh_notes *notes = &own->notes;
	const struct flat_place where = {
		.min = max_u64(notes->min, LOWEST_SEGMENT),
		.end = min_u64(notes->end, end),
		.align = notes->align,
	};

	if (notes->is_relocatable)
		return flat_plan_moved(&own->flat, &where, plan, diag);
	note(diag, "pvh/as-linked",
	     "this kernel has no PHYS32_RELOC note: its PVH entry works at %#" PRIx64 " only",
	     own->flat.pieces[0].start);
	return flat_plan(&own->flat, plan, diag);
}

/*
 * A 32-bit Linux reads memory map and list of modules through its first page tables, which
 * begin at 0 and go a little beyond the kernel (mk_early_pgtbl_32()): what is higher is a fault
 * that nobody handles.
 */
static phys_t params_end(const struct pvh_image *image, const struct pvh_own *own)
{
	if (!image->is_linux || image->elf.is_64)
		return START_INFO_END;
	/* With no lower bound of its own there is no room for certain: 0 would be no limit. */
	return own->notes.is_relocatable ? max_u64(own->notes.min, LOWEST_SEGMENT) :
					   own->flat.pieces[0].start;
}

static int plan_data(const struct pvh_image *image, const struct pvh_own *own,
		     const struct request *req, phys_t end, struct plan *plan, struct diag *diag)
{
	const struct segment_wish params = {
		.name = "params",
		.min = LOWEST_SEGMENT,
		.end = min_u64(params_end(image, own), end),
		.is_digested = true,
	};
	const struct segment_wish initrd = {
		.name = "initrd",
		.bytes = req->initrd,
		.min = LOWEST_SEGMENT,
		.end = min_u64(min_u64(4 * GIB, image->initrd_end), end),
		.is_digested = true,
	};
	struct segment *s;
	int r = plan_add_own(plan, &params, own->layout.len, &s, diag);

	return r < 0 || req->initrd.len == 0 ? r : plan_add(plan, &initrd, &s, diag);
}

int pvh_plan(const struct pvh_image *image, const struct request *req, const struct facts *facts,
	     struct plan *plan, struct diag *diag)
{
	struct pvh_own *own = arena_alloc(plan->arena, sizeof(*own));
	phys_t end;
	int r;

	if (!own)
		return fail_nomem(diag);
	r = pvh_read_notes(&image->elf, &own->notes, diag);
	if (r == 0)
		r = check_request(image, req, facts, diag);
	if (r == 0)
		r = flat_from_elf(&image->elf, true, plan->arena, &own->flat, diag);
	if (r < 0)
		return r;
	if (!flat_contains(&own->flat, own->notes.entry))
		return fail(diag, EINVAL, "pvh/entry-outside",
			    "the PVH entry %#x is no address of the kernel", own->notes.entry);
	note_what_is_lost(image, &own->notes, req, facts, diag);
	own->layout = lay_out(req, facts);
	end = known_end(&own->layout, facts);
	plan->format = own;
	plan->entry_name = ENTRY_NAME;
	plan->kernel_version = image->version;
	plan->jump_mode = JUMP_32;
	plan->e820 = facts->map;
	plan->n_e820 = own->layout.n_memory;
	plan->rsdp = facts->rsdp;
	r = plan_kernel(own, end, plan, diag);
	return r < 0 ? r : plan_data(image, own, req, end, plan, diag);
}

bool pvh_is_planned(const struct plan *plan)
{
	return plan->entry_name && strcmp(plan->entry_name, ENTRY_NAME) == 0;
}

static void write_start_info(const struct layout *l, const struct request *req,
			     const struct plan *plan, const struct segment *initrd, phys_t at,
			     uint8_t *buf)
{
	const struct pvh_module module = {
		.addr = initrd ? initrd->addr : 0,
		.len = initrd ? initrd->bytes.len : 0,
	};
	const struct pvh_start_info info = {
		.magic = PVH_START_MAGIC,
		.version = PVH_START_VERSION,
		.n_modules = initrd ? 1 : 0,
		.modules = initrd ? at + l->modules_off : 0,
		.cmdline = at + l->cmdline_off,
		.rsdp = plan->rsdp,
		.memory_map = at + l->memory_off,
		.n_memory = (uint32_t)l->n_memory,
	};

	memcpy(buf, &info, sizeof(info));
	for (size_t i = 0; i < l->n_memory; i++) {
		const struct pvh_memory m = {
			.addr = plan->e820[i].range.start,
			.len = range_len(plan->e820[i].range),
			.type = plan->e820[i].type,
		};

		memcpy(buf + l->memory_off + i * sizeof(m), &m, sizeof(m));
	}
	if (initrd)
		memcpy(buf + l->modules_off, &module, sizeof(module));
	memcpy(buf + l->cmdline_off, req->cmdline, strlen(req->cmdline));
}

void pvh_finish(const struct request *req, struct plan *plan)
{
	const struct pvh_own *own = plan->format;
	const struct segment *kernel = plan_find(plan, "kernel");
	const struct segment *params = plan_find(plan, "params");

	write_start_info(&own->layout, req, plan, plan_find(plan, "initrd"), params->addr,
			 params->own);
	plan->jump_ebx = (uint32_t)params->addr;
	plan->jump_entry = own->notes.entry - own->flat.pieces[0].start + kernel->addr;
	plan->cmdline_addr = params->addr + own->layout.cmdline_off;
}
