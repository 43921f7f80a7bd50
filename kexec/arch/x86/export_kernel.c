// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A kernel, unpacked and relocated, with all that it is handed, as an ELF file whose program headers
 * are the memory that it needs, no more and no less: virtual = physical everywhere, as it is entered.
 *
 *	the kernel's own PT_LOADs	at base
 *	trampoline			the PVH entry, behind them
 *	params				boot_params, command line, the trampoline's scratch memory
 *	initrd
 *
 * Source: System V ABI; include/trampoline.h; doc/domain-builder.md.
 */
#include "arch/x86/export_image.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "arch/x86/boot_params.h"
#include "arch/x86/bzimage_wish.h"
#include "checked.h"
#include "elf_note.h"
#include "trampoline.h"

#define PIECES_MAX	(ELF_LOADS_MAX + 3)
#define NOTES_LEN_MAX	(16 * KIB)	/* a kernel's are half a KiB */
#define PARAMS_CMDLINE	BOOT_PARAMS_LEN
#define START_KERNEL_MAP_LEN GIB	/* virtual space of a kernel image */
#define XEN_OWNER	"Xen"

extern const uint8_t trampoline_blob[], trampoline_blob_end[];

/* One PT_LOAD to be. */
struct piece {
	phys_t addr;
	struct span bytes;
	uint64_t mem_len;
	uint32_t flags;		/* PF_... */
	uint32_t kind;		/* enum export_need_kind */
	uint64_t align;
};

struct building {
	const struct export_kernel *k;
	const struct request *req;
	struct arena *arena;
	struct elf elf;		/* the kernel as it was */
	struct direct direct;	/* and as it is to be */
	phys_t base;
	struct piece pieces[PIECES_MAX];
	size_t n;
	phys_t end;		/* of the last one */
	phys_t pvh_entry, entry, params;
	uint8_t *notes;
	size_t notes_len;
};

/* ---- where ---- */

static int choose_base(struct building *b, const struct export_wish *wish, struct diag *diag)
{
	const struct bzimage *image = &b->k->image;
	const struct direct *d = &b->direct;

	b->base = wish->has_base ? wish->base : d->link_start;
	if (b->base == d->link_start)
		return 0;
	if (!image->is_relocatable || (!d->is_64 && d->relocs.is_empty))
		return fail(diag, EINVAL, "export/not-relocatable",
			    "the kernel cannot be moved to --base=%#" PRIx64 ": it is linked for %#"
			    PRIx64, b->base, d->link_start);
	if (!is_aligned(b->base, d->alignment) || b->base < d->link_start)
		return fail(diag, EINVAL, "export/base",
			    "--base=%#" PRIx64 ": expected a multiple of %#" PRIx64 " from %#" PRIx64
			    " on", b->base, d->alignment, d->link_start);
	return 0;
}

static int choose_virtual(struct building *b, const struct export_wish *wish, struct diag *diag)
{
	struct direct *d = &b->direct;
	const uint64_t link = d->link_vaddr - UINT64_C(0xffffffff80000000);
	uint64_t end;

	if (!wish->has_virt_offset || (!d->is_64 && wish->virt_offset == b->base - d->link_start))
		return 0;
	if (!d->is_64)
		return fail(diag, EINVAL, "export/virt-offset-32",
			    "virtual addresses of a 32-bit kernel move with the physical ones: "
			    "--virt-offset follows from --base");
	if (d->relocs.is_empty && wish->virt_offset != 0)
		return fail(diag, EINVAL, "export/no-relocations",
			    "without a relocation table a kernel's virtual addresses stay");
	if (!is_aligned(wish->virt_offset, d->alignment) || link >= START_KERNEL_MAP_LEN ||
	    !checked_add(link + d->window_len, wish->virt_offset, &end) ||
	    end > START_KERNEL_MAP_LEN)
		return fail(diag, EINVAL, "export/virt-offset",
			    "--virt-offset=%#" PRIx64 ": expected a multiple of %#" PRIx64 ", at most "
			    "%#" PRIx64, wish->virt_offset, d->alignment,
			    align_down(START_KERNEL_MAP_LEN - min_u64(link + d->window_len,
								      START_KERNEL_MAP_LEN),
				       d->alignment));
	d->vaddr_delta = wish->virt_offset;
	d->is_randomized = wish->virt_offset != 0;	/* what KASLR would have told the kernel */
	return 0;
}

/* ---- pieces ---- */

static int add_piece(struct building *b, const struct piece *p, struct diag *diag)
{
	if (b->n == PIECES_MAX || p->mem_len > 4 * GIB || p->addr < b->end ||
	    p->addr + p->mem_len > 4 * GIB)
		return fail(diag, EFBIG, "export/no-room",
			    "a PVH entry is one of 32 bits: all must be below 4 GiB, and would end "
			    "at %#" PRIx64, p->addr + p->mem_len);
	b->pieces[b->n++] = *p;
	b->end = p->addr + p->mem_len;
	return 0;
}

static phys_t next_page(const struct building *b)
{
	return align_down(b->end + PAGE_LEN - 1, PAGE_LEN);
}

static uint32_t flags_of(const struct elf *elf, phys_t paddr)
{
	struct elf_phdr p;

	for (size_t i = 0; elf_phdr(elf, i, &p); i++)
		if (p.type == PT_LOAD && p.paddr == paddr && p.mem_len > 0)
			return p.flags & (PF_R | PF_W | PF_X);
	return PF_R | PF_W | PF_X;
}

static int add_kernel(struct building *b, struct diag *diag)
{
	const struct direct *d = &b->direct;
	int r = 0;

	for (size_t i = 0; i < b->elf.n_loads && r == 0; i++) {
		const struct elf_load *l = &b->elf.loads[i];
		const uint64_t off = l->paddr - b->elf.start;
		struct piece p = {
			.addr = b->base + off,
			.mem_len = l->mem_len,
			.flags = flags_of(&b->elf, l->paddr),
			.kind = EXPORT_NEED_KERNEL,
			.align = i == 0 ? d->alignment : PAGE_LEN,
		};

		/* What is zero at the end, .bss, is not in the file. */
		if (off < d->image_len)
			p.bytes = span_of(d->image + off,
					  (size_t)min_u64(l->file_len, d->image_len - off));
		r = add_piece(b, &p, diag);
	}
	return r;
}

static int add_trampoline(struct building *b, uint8_t **ret, struct diag *diag)
{
	const size_t len = (size_t)(trampoline_blob_end - trampoline_blob);
	uint8_t *bytes = arena_alloc(b->arena, len);
	const struct trampoline *head = (const struct trampoline *)(const void *)bytes;
	uint32_t self = (uint32_t)next_page(b);

	if (!bytes)
		return fail_nomem(diag);
	memcpy(bytes, trampoline_blob, len);
	if (head->magic != TRAMPOLINE_MAGIC || head->self_off > len - sizeof(self))
		return fail(diag, EINVAL, "export/broken-trampoline",
			    "the trampoline in this program was not built right");
	memcpy(bytes + head->self_off, &self, sizeof(self));
	b->pvh_entry = (phys_t)self + head->entry_off;
	*ret = bytes;
	return add_piece(b, &(struct piece){ .addr = self, .bytes = span_of(bytes, len),
					     .mem_len = len, .flags = PF_R | PF_X,
					     .kind = EXPORT_NEED_TRAMPOLINE, .align = 16 },
			 diag);
}

/* boot_params and command line, then memory without bytes: the trampoline's scratch, page aligned. */
static int add_params(struct building *b, uint8_t **ret, phys_t *ret_scratch, struct diag *diag)
{
	const size_t cmdline_len = max_size(strlen(b->req->cmdline) + 1, COMMAND_LINE_SIZE);
	const size_t len = (size_t)align_down(PARAMS_CMDLINE + cmdline_len + PAGE_LEN - 1, PAGE_LEN);
	uint8_t *bytes = arena_alloc(b->arena, len);

	if (!bytes)
		return fail_nomem(diag);
	memcpy(bytes + PARAMS_CMDLINE, b->req->cmdline, strlen(b->req->cmdline));
	b->params = next_page(b);
	*ret_scratch = b->params + len;
	*ret = bytes;
	return add_piece(b, &(struct piece){ .addr = b->params, .bytes = span_of(bytes, len),
					     .mem_len = len + SCRATCH_LEN, .flags = PF_R | PF_W,
					     .kind = EXPORT_NEED_PARAMS, .align = PAGE_LEN },
			 diag);
}

static int add_initrd(struct building *b, struct params_addresses *at, struct diag *diag)
{
	const struct segment_wish wish =
		bzimage_wish_initrd(&b->k->image, b->direct.is_64 ? JUMP_64 : JUMP_32);
	const phys_t addr = next_page(b);

	if (b->req->initrd.len == 0)
		return 0;
	if (addr >= wish.end || b->req->initrd.len > wish.end - addr)
		return fail(diag, EFBIG, "export/initrd-too-high",
			    "the initrd would be at %#" PRIx64 ", this kernel takes one below "
			    "%#" PRIx64,
			    addr, wish.end);
	at->initrd = addr;
	at->initrd_len = b->req->initrd.len;
	return add_piece(b, &(struct piece){ .addr = addr, .bytes = b->req->initrd,
					     .mem_len = b->req->initrd.len, .flags = PF_R,
					     .kind = EXPORT_NEED_INITRD, .align = PAGE_LEN },
			 diag);
}

static int lay_out(struct building *b, struct diag *diag)
{
	struct params_addresses at = { .is_randomized = b->direct.is_randomized };
	struct trampoline t = { 0 };
	uint8_t *code = NULL, *params = NULL;
	phys_t scratch = 0;
	int r = add_kernel(b, diag);

	if (r == 0)
		r = add_trampoline(b, &code, diag);
	if (r == 0)
		r = add_params(b, &params, &scratch, diag);
	if (r == 0)
		r = add_initrd(b, &at, diag);
	if (r < 0)
		return r;
	b->entry = b->base + b->direct.entry_off;
	at.params = b->params;
	params_write_header(&b->k->image, &at, b->params + PARAMS_CMDLINE, params);
	memcpy(&t, code, sizeof(t));
	t.scratch = (uint32_t)scratch;
	t.boot_params = (uint32_t)b->params;
	t.entry = (uint32_t)b->entry;
	t.flags = (b->direct.is_64 ? TRAMPOLINE_64 : 0) |
		  (at.initrd_len > 0 ? TRAMPOLINE_HAS_INITRD : 0) |
		  (b->req->cmdline[0] != '\0' ? TRAMPOLINE_HAS_CMDLINE : 0);
	memcpy(code, &t, sizeof(t));
	return 0;
}

/* ---- notes ---- */

static int put_note(struct building *b, const char *owner, uint32_t type, struct span desc,
		    struct diag *diag)
{
	const uint32_t head[3] = { (uint32_t)strlen(owner) + 1, (uint32_t)desc.len, type };
	const size_t owner_len = ((size_t)head[0] + 3) / 4 * 4, desc_len = (desc.len + 3) / 4 * 4;
	uint8_t *at = b->notes + b->notes_len;

	if (desc.len > NOTES_LEN_MAX ||
	    sizeof(head) + owner_len + desc_len > NOTES_LEN_MAX - b->notes_len)
		return fail(diag, EFBIG, "export/notes", "the kernel's notes take more than 16 KiB");
	memcpy(at, head, sizeof(head));
	memcpy(at + sizeof(head), owner, head[0]);
	if (desc.len > 0)
		memcpy(at + sizeof(head) + owner_len, desc.data, desc.len);
	b->notes_len += sizeof(head) + owner_len + desc_len;
	return 0;
}

/* The kernel's own PVH entry is not that of this file; and where it was moved, its PV entry, which
 * goes by addresses as linked, is none. */
static bool is_kept(const struct building *b, const struct elf_note *n)
{
	if (strcmp(n->owner, EXPORT_NOTE_OWNER) == 0)
		return false;
	if (strcmp(n->owner, XEN_OWNER) != 0)
		return true;
	return n->type != XEN_NOTE_PHYS32_ENTRY && n->type != XEN_NOTE_PHYS32_RELOC &&
	       b->base == b->direct.link_start && b->direct.vaddr_delta == 0;
}

static int copy_notes(struct building *b, const struct elf_phdr *p, struct diag *diag)
{
	struct span notes = { 0 };
	struct elf_note n;
	uint64_t off = 0;
	int r = elf_note_bytes(&b->elf, p, &notes, diag);

	while (r == 0 && off < notes.len) {
		r = elf_note_next(notes, p->align, &off, &n, diag);
		if (r == 0 && is_kept(b, &n))
			r = put_note(b, n.owner, n.type, n.desc, diag);
	}
	return r;
}

static int put_needs(struct building *b, struct diag *diag)
{
	const size_t len = sizeof(struct export_needs) + b->n * sizeof(struct export_need);
	uint8_t *desc = arena_alloc(b->arena, len);
	const struct export_needs head = {
		.version = EXPORT_NEEDS_VERSION,
		.n = (uint32_t)b->n,
		.pvh_entry = b->pvh_entry,
		.entry = b->entry,
		.boot_params = b->params,
	};

	if (!desc)
		return fail_nomem(diag);
	memcpy(desc, &head, sizeof(head));
	for (size_t i = 0; i < b->n; i++) {
		const struct piece *p = &b->pieces[i];
		struct export_need need = {
			.addr = p->addr, .len = p->mem_len, .align = p->align, .kind = p->kind,
			.flags = p->kind == EXPORT_NEED_INITRD ? 0 : EXPORT_NEED_MAPPED,
		};

		/* The kernel writes to all of itself, whatever its own program headers say. */
		if ((p->flags & PF_W) || p->kind == EXPORT_NEED_KERNEL)
			need.flags |= EXPORT_NEED_WRITABLE;
		if (p->flags & PF_X)
			need.flags |= EXPORT_NEED_EXECUTABLE;
		memcpy(desc + sizeof(head) + i * sizeof(need), &need, sizeof(need));
	}
	return put_note(b, EXPORT_NOTE_OWNER, EXPORT_NOTE_NEEDS, span_of(desc, len), diag);
}

static int write_notes(struct building *b, struct diag *diag)
{
	/* As wide as an address of the file's class, as Linux itself writes it. */
	const struct span entry = span_of(&b->pvh_entry, b->direct.is_64 ? 8 : 4);
	struct elf_phdr p;
	int r = 0;

	b->notes = arena_alloc(b->arena, NOTES_LEN_MAX);
	if (!b->notes)
		return fail_nomem(diag);
	for (size_t i = 0; elf_phdr(&b->elf, i, &p) && r == 0; i++)
		if (p.type == PT_NOTE)
			r = copy_notes(b, &p, diag);
	if (r == 0)
		r = put_note(b, XEN_OWNER, XEN_NOTE_PHYS32_ENTRY, entry, diag);
	return r < 0 ? r : put_needs(b, diag);
}

/* ---- the file ---- */

static void put_header(const struct building *b, uint8_t *to)
{
	const Elf64_Ehdr h64 = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
		.e_entry = b->entry, .e_phoff = sizeof(h64), .e_ehsize = sizeof(h64),
		.e_phentsize = sizeof(Elf64_Phdr), .e_phnum = (Elf64_Half)(b->n + 1),
		.e_shentsize = sizeof(Elf64_Shdr),
	};
	const Elf32_Ehdr h32 = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC, .e_machine = EM_386, .e_version = EV_CURRENT,
		.e_entry = (Elf32_Addr)b->entry, .e_phoff = sizeof(h32), .e_ehsize = sizeof(h32),
		.e_phentsize = sizeof(Elf32_Phdr), .e_phnum = (Elf32_Half)(b->n + 1),
		.e_shentsize = sizeof(Elf32_Shdr),
	};

	if (b->direct.is_64)
		memcpy(to, &h64, sizeof(h64));
	else
		memcpy(to, &h32, sizeof(h32));
}

static size_t put_phdr(const struct building *b, const Elf64_Phdr *p, uint8_t *to)
{
	const Elf32_Phdr p32 = {
		.p_type = p->p_type, .p_offset = (Elf32_Off)p->p_offset,
		.p_vaddr = (Elf32_Addr)p->p_vaddr, .p_paddr = (Elf32_Addr)p->p_paddr,
		.p_filesz = (Elf32_Word)p->p_filesz, .p_memsz = (Elf32_Word)p->p_memsz,
		.p_flags = p->p_flags, .p_align = (Elf32_Word)p->p_align,
	};

	if (!b->direct.is_64) {
		memcpy(to, &p32, sizeof(p32));
		return sizeof(p32);
	}
	memcpy(to, p, sizeof(*p));
	return sizeof(*p);
}

/* Where a piece is in the file: congruent to its address, as p_align asks. */
static uint64_t place_in_file(uint64_t at, phys_t addr)
{
	return at + ((addr - at) & (PAGE_LEN - 1));
}

static int write_file(struct building *b, struct export_file *ret, struct diag *diag)
{
	const size_t ehdr = b->direct.is_64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr);
	const size_t phdr = b->direct.is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	const size_t head_len = ehdr + (b->n + 1) * phdr;
	uint8_t *head = arena_alloc(b->arena, head_len);
	const Elf64_Phdr note = {
		.p_type = PT_NOTE, .p_offset = head_len, .p_filesz = b->notes_len,
		.p_memsz = b->notes_len, .p_flags = PF_R, .p_align = 4,
	};
	size_t at = ehdr;
	uint64_t off;
	int r;

	if (!head)
		return fail_nomem(diag);
	put_header(b, head);
	off = head_len + b->notes_len;
	for (size_t i = 0; i < b->n; i++) {
		const struct piece *p = &b->pieces[i];

		off = place_in_file(off, p->addr);
		at += put_phdr(b, &(Elf64_Phdr){
					  .p_type = PT_LOAD, .p_offset = off, .p_vaddr = p->addr,
					  .p_paddr = p->addr, .p_filesz = p->bytes.len,
					  .p_memsz = p->mem_len, .p_flags = p->flags,
					  .p_align = PAGE_LEN },
			       head + at);
		off += p->bytes.len;
	}
	put_phdr(b, &note, head + at);
	r = export_add(ret, span_of(head, head_len), diag);
	if (r == 0)
		r = export_add(ret, span_of(b->notes, b->notes_len), diag);
	for (size_t i = 0; i < b->n && r == 0; i++) {
		r = export_pad(ret, place_in_file(ret->len, b->pieces[i].addr), diag);
		if (r == 0)
			r = export_add(ret, b->pieces[i].bytes, diag);
	}
	return r;
}

int export_elf(const struct export_kernel *k, const struct export_wish *wish,
	       const struct request *req, struct arena *a, struct export_file *ret, struct diag *diag)
{
	struct building *b = arena_alloc(a, sizeof(*b));
	int r;

	if (!b)
		return fail_nomem(diag);
	b->k = k;
	b->req = req;
	b->arena = a;
	r = params_check_cmdline(&k->image, req, diag);
	if (r == 0)
		r = direct_read(&k->image, k->payload, a, &b->direct, diag);
	if (r == 0)
		r = elf_parse(k->payload, &b->elf, diag);
	if (r == 0)
		r = choose_base(b, wish, diag);
	if (r == 0)
		r = choose_virtual(b, wish, diag);
	if (r == 0)
		r = direct_relocate(&b->direct, b->base, diag);
	if (r == 0)
		r = lay_out(b, diag);
	if (r == 0)
		r = write_notes(b, diag);
	return r < 0 ? r : write_file(b, ret, diag);
}
