// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch/x86/vm_image.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "arch/x86/vm_entry.h"
#include "memmap.h"
#include "wire/pvh.h"

/* From vm_base on. */
#define STACK_END	(2 * PAGE_LEN)
#define TABLES		(2 * PAGE_LEN)
#define STAGE		(4 * MIB)	/* what is copied below 1 MiB from */
#define STAGE_LEN	(2 * MIB)
#define PHDRS_MAX	(PLAN_SEGMENTS_MAX + 4)
#define PRSTATUS_LEN	336		/* struct elf_prstatus of x86-64 */
#define NOTE_PHYS32_ENTRY	18
_Static_assert(TABLES + (2 + VM_RAM_MAX / GIB) * PAGE_LEN <= STAGE, "page tables");

struct file_head {
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdrs[PHDRS_MAX];
	struct {
		Elf64_Nhdr head;
		char name[4];
		uint64_t entry;		/* QEMU reads 8 bytes of it */
	} note;
};
_Static_assert(sizeof(struct file_head) <= PAGE_LEN, "the head of the file is a page");

/* ---- what the machine has ---- */

static void find_low(struct vm_map *map)
{
	for (size_t i = 0; i < map->n_map; i++) {
		const struct mem_entry *e = &map->map[i];

		if (e->type != MEM_RAM)
			continue;
		if (e->range.start <= VM_PROBE_BASE && e->range.end > VM_PROBE_BASE)
			map->low = e->range;
		map->top = max_u64(map->top, e->range.end);
	}
}

int vm_map_read(struct span report, struct arena *a, struct vm_map *ret, struct diag *diag)
{
	struct pvh_start_info info;
	struct pvh_memory entry;
	struct memmap m;
	uint64_t off = sizeof(info);
	int r = 0;

	*ret = (struct vm_map){ 0 };
	memmap_init(&m, a);
	if (!span_copy(report, 0, &info, sizeof(info)) || info.magic != PVH_START_MAGIC ||
	    info.version < 1)
		return fail(diag, EINVAL, "rehearse/vm-map",
			    "the virtual machine did not say what memory it has");
	for (uint32_t i = 0; i < info.n_memory && r == 0; i++, off += sizeof(entry)) {
		if (!span_copy(report, off, &entry, sizeof(entry)) ||
		    entry.addr + entry.len < entry.addr)
			return fail(diag, EINVAL, "rehearse/vm-map",
				    "the virtual machine's memory map ends early");
		r = memmap_add(&m, (struct range){ entry.addr, entry.addr + entry.len }, entry.type,
			       diag);
	}
	if (r == 0)
		r = memmap_normalize(&m, diag);
	if (r < 0)
		return r;
	ret->map = m.entries;
	ret->n_map = m.n;
	if (info.rsdp != 0 && span_copy(report, off, ret->rsdp_bytes, RSDP_LEN_MAX)) {
		ret->rsdp = info.rsdp;
		/* Revision 0 is of ACPI 1.0, and shorter. */
		ret->rsdp_len = ret->rsdp_bytes[15] == 0 ? 20 : RSDP_LEN_MAX;
	}
	find_low(ret);
	if (range_len(ret->low) < 2 * (VM_OWN_LEN + VM_FIRMWARE_LEN))
		return fail(diag, EINVAL, "rehearse/vm-map",
			    "the virtual machine has too little memory below 4 GiB");
	ret->vm_base = align_down(ret->low.end - VM_FIRMWARE_LEN - VM_OWN_LEN, 2 * MIB);
	return 0;
}

/* ---- the file ---- */

static void init_head(struct file_head *h, phys_t base)
{
	const Elf64_Phdr note = {
		.p_type = PT_NOTE,
		.p_offset = offsetof(struct file_head, note),
		.p_filesz = sizeof(h->note),
		.p_memsz = sizeof(h->note),
		.p_align = 4,
	};

	memcpy(h->ehdr.e_ident, ELFMAG, SELFMAG);
	h->ehdr.e_ident[EI_CLASS] = ELFCLASS64;
	h->ehdr.e_ident[EI_DATA] = ELFDATA2LSB;
	h->ehdr.e_ident[EI_VERSION] = EV_CURRENT;
	h->ehdr.e_type = ET_EXEC;
	h->ehdr.e_machine = EM_X86_64;
	h->ehdr.e_version = EV_CURRENT;
	h->ehdr.e_entry = base + VM_ENTRY_HEAD_LEN;
	h->ehdr.e_phoff = offsetof(struct file_head, phdrs);
	h->ehdr.e_ehsize = sizeof(h->ehdr);
	h->ehdr.e_phentsize = sizeof(h->phdrs[0]);
	h->phdrs[h->ehdr.e_phnum++] = note;
	h->note.head = (Elf64_Nhdr){ .n_namesz = 4, .n_descsz = 8, .n_type = NOTE_PHYS32_ENTRY };
	memcpy(h->note.name, "Xen", 4);
	h->note.entry = base + VM_ENTRY_HEAD_LEN;
}

static int add_load(struct export_file *f, struct file_head *h, phys_t addr, struct span bytes,
		    uint64_t mem_len, struct diag *diag)
{
	const Elf64_Phdr load = {
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_W | PF_X,
		.p_offset = f->len,
		.p_vaddr = addr,
		.p_paddr = addr,
		.p_filesz = bytes.len,
		.p_memsz = mem_len,
		.p_align = 1,
	};

	h->phdrs[h->ehdr.e_phnum++] = load;
	return export_add(f, bytes, diag);
}

/* The firmware works below 1 MiB before the entry is reached: one segment goes there afterwards. */
static int stage_low(const struct segment *s, struct vm_entry_head *head, phys_t base,
		     struct export_file *f, struct file_head *h, struct diag *diag)
{
	if (head->copy_len != 0 || s->mem_len > STAGE_LEN)
		return fail(diag, EOPNOTSUPP, "rehearse/vm-low",
			    "more than one segment below 1 MiB, or a long one");
	head->copy_from = (uint32_t)(base + STAGE);
	head->copy_to = (uint32_t)s->addr;
	head->copy_len = (uint32_t)s->mem_len;
	return add_load(f, h, base + STAGE, s->bytes, s->mem_len, diag);
}

static int add_segments(const struct plan *plan, struct vm_entry_head *head, phys_t base,
			struct export_file *f, struct file_head *h, struct diag *diag)
{
	int r = 0;

	for (size_t i = 0; i < plan->n_segments && r == 0; i++) {
		const struct segment *s = &plan->segments[i];

		if (s->mem_len == 0)
			continue;
		r = s->addr < MIB ? stage_low(s, head, base, f, h, diag) :
				    add_load(f, h, s->addr, s->bytes, s->mem_len, diag);
	}
	return r;
}

/* A CPU's registers, all zero: for a capture kernel there has to be one. */
static int add_note(phys_t base, struct arena *a, struct export_file *f, struct file_head *h,
		    struct diag *diag)
{
	const Elf64_Nhdr head = { .n_namesz = 5, .n_descsz = PRSTATUS_LEN, .n_type = NT_PRSTATUS };
	uint8_t *note = arena_alloc(a, VM_NOTE_LEN);

	if (!note)
		return fail_nomem(diag);
	memcpy(note, &head, sizeof(head));
	memcpy(note + sizeof(head), "CORE", 5);
	return add_load(f, h, base + VM_NOTE_OFF, span_of(note, VM_NOTE_LEN), 2 * PAGE_LEN, diag);
}

int vm_image_make(const struct plan *plan, bool is_32, const struct vm_map *map, struct arena *a,
		  struct export_file *ret, struct diag *diag)
{
	const phys_t base = plan ? map->vm_base : VM_PROBE_BASE;
	const size_t len = (size_t)(vm_entry_blob_end - vm_entry_blob);
	struct file_head *h = arena_alloc(a, PAGE_LEN);
	uint8_t *blob = arena_alloc(a, len);
	struct vm_entry_head head = {
		.entry = plan ? plan->entry : 0,
		.jumps = !plan ? VM_JUMPS_NOT : is_32 ? VM_JUMPS_32 : VM_JUMPS_64,
		.stack = (uint32_t)(base + STACK_END),
		.tables = (uint32_t)(base + TABLES),
	};
	const uint32_t self = (uint32_t)base;
	int r;

	if (!h || !blob)
		return fail_nomem(diag);
	if (plan)
		head.n_gib = (uint32_t)(max_u64(map->top + GIB - 1, 4 * GIB) / GIB);
	*ret = (struct export_file){ 0 };
	init_head(h, base);
	r = export_add(ret, span_of(h, PAGE_LEN), diag);
	if (r == 0)
		r = add_load(ret, h, base, span_of(blob, len),
			     plan ? TABLES + (2 + head.n_gib) * PAGE_LEN : STACK_END, diag);
	if (r == 0 && plan)
		r = add_segments(plan, &head, base, ret, h, diag);
	if (r == 0 && plan && plan->crash)
		r = add_note(base, a, ret, h, diag);
	memcpy(blob, vm_entry_blob, len);
	memcpy(blob, &head, sizeof(head));
	memcpy(blob + VM_ENTRY_SELF, &self, sizeof(self));
	return r;
}
