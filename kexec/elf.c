// SPDX-License-Identifier: GPL-2.0-or-later
#include "elf.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "checked.h"

#define SECTIONS_MAX 4096 /* a kernel has about 40; with -ffunction-sections some hundreds */

/* The fields of both classes, widened. */
struct header {
	uint16_t type;
	uint16_t machine;
	uint16_t phentsize;
	uint16_t phnum;
	uint16_t shentsize;
	uint16_t shnum;
	uint16_t shstrndx;
	uint64_t phoff;
	uint64_t shoff;
};

struct section {
	uint32_t name;
	uint32_t type;
	uint64_t addr;
	uint64_t off;
	uint64_t len;
};

static int read_header(struct elf *elf, struct header *h, struct diag *diag)
{
	const struct span file = elf->file;
	Elf64_Ehdr e64;
	Elf32_Ehdr e32;

	if (!span_starts_with(file, ELFMAG, SELFMAG) || file.len <= EI_VERSION)
		return fail(diag, ENOEXEC, "elf/no-magic", "an ELF file begins with \"\\177ELF\"");
	elf->is_64 = file.data[EI_CLASS] == ELFCLASS64;
	if ((!elf->is_64 && file.data[EI_CLASS] != ELFCLASS32) || file.data[EI_DATA] != ELFDATA2LSB)
		return fail(diag, ENOEXEC, "elf/class",
			    "expected a little endian ELF file of 32 or 64 bits, found class %u "
			    "data %u",
			    file.data[EI_CLASS], file.data[EI_DATA]);
	if (elf->is_64 && span_copy(file, 0, &e64, sizeof(e64))) {
		*h = (struct header){ e64.e_type,      e64.e_machine, e64.e_phentsize,
				      e64.e_phnum,     e64.e_shentsize, e64.e_shnum,
				      e64.e_shstrndx,  e64.e_phoff,   e64.e_shoff };
		elf->entry = e64.e_entry;
		return 0;
	}
	if (!elf->is_64 && span_copy(file, 0, &e32, sizeof(e32))) {
		*h = (struct header){ e32.e_type,      e32.e_machine, e32.e_phentsize,
				      e32.e_phnum,     e32.e_shentsize, e32.e_shnum,
				      e32.e_shstrndx,  e32.e_phoff,   e32.e_shoff };
		elf->entry = e32.e_entry;
		return 0;
	}
	return fail(diag, EINVAL, "elf/header-truncated",
		    "the file ends inside its ELF header (%zu bytes)", file.len);
}

static int check_header(const struct elf *elf, const struct header *h, struct diag *diag)
{
	uint16_t machine = elf->is_64 ? EM_X86_64 : EM_386;
	size_t phentsize = elf->is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);

	if (h->machine != machine)
		return fail(diag, ENOEXEC, "elf/machine",
			    "expected a program for x86 (machine %u for this class), found machine "
			    "%u",
			    machine, h->machine);
	if (h->type != ET_EXEC && h->type != ET_DYN)
		return fail(diag, ENOEXEC, "elf/type", "expected an executable, found ELF type %u",
			    h->type);
	if (h->phnum == 0 || h->phentsize != phentsize)
		return fail(diag, EINVAL, "elf/program-headers",
			    "expected program headers of %zu bytes each, found %u of %u", phentsize,
			    h->phnum, h->phentsize);
	return 0;
}

bool elf_phdr(const struct elf *elf, size_t i, struct elf_phdr *ret)
{
	const size_t len = elf->is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	Elf64_Phdr p64;
	Elf32_Phdr p32;
	uint64_t off;

	if (i >= elf->n_phdrs || !checked_add(elf->phdrs_off, i * len, &off))
		return false;
	if (elf->is_64) {
		if (!span_copy(elf->file, off, &p64, sizeof(p64)))
			return false;
		*ret = (struct elf_phdr){ p64.p_type,  p64.p_flags,  p64.p_offset, p64.p_vaddr,
					  p64.p_paddr, p64.p_filesz, p64.p_memsz,  p64.p_align };
		return true;
	}
	if (!span_copy(elf->file, off, &p32, sizeof(p32)))
		return false;
	*ret = (struct elf_phdr){ p32.p_type,  p32.p_flags,  p32.p_offset, p32.p_vaddr,
				  p32.p_paddr, p32.p_filesz, p32.p_memsz,  p32.p_align };
	return true;
}

static int check_load(const struct elf *elf, const struct elf_load *load, struct diag *diag)
{
	struct span bytes;
	uint64_t end;

	if (load->file_len > load->mem_len)
		return fail(diag, EINVAL, "elf/load-lengths",
			    "a PT_LOAD has %" PRIu64 " bytes in the file for %" PRIu64 " in memory",
			    load->file_len, load->mem_len);
	if (!span_sub(elf->file, load->off, load->file_len, &bytes))
		return fail(diag, EINVAL, "elf/load-outside",
			    "a PT_LOAD of %" PRIu64 " bytes at %#" PRIx64
			    " lies outside the file's %zu",
			    load->file_len, load->off, elf->file.len);
	if (!checked_add(load->paddr, load->mem_len, &end))
		return fail(diag, EINVAL, "elf/load-wraps",
			    "a PT_LOAD at %#" PRIx64 " of %" PRIu64 " bytes wraps around",
			    load->paddr, load->mem_len);
	return 0;
}

static int compare_loads(const void *va, const void *vb)
{
	const struct elf_load *a = va, *b = vb;

	return a->paddr < b->paddr ? -1 : a->paddr > b->paddr;
}

static int read_loads(struct elf *elf, struct diag *diag)
{
	for (size_t i = 0; i < elf->n_phdrs; i++) {
		struct elf_load load;
		struct elf_phdr p;
		int r;

		if (!elf_phdr(elf, i, &p))
			return fail(diag, EINVAL, "elf/program-headers-outside",
				    "program header %zu of %zu lies outside the file", i,
				    elf->n_phdrs);
		if (p.type == PT_INTERP)
			elf->has_interpreter = true;
		if (p.type != PT_LOAD || p.mem_len == 0)
			continue;
		load = (struct elf_load){ p.off, p.file_len, p.mem_len, p.paddr, p.vaddr };
		r = check_load(elf, &load, diag);
		if (r < 0)
			return r;
		if (elf->n_loads == ELF_LOADS_MAX)
			return fail(diag, EINVAL, "elf/too-many-loads", "more than %d PT_LOADs",
				    ELF_LOADS_MAX);
		elf->loads[elf->n_loads++] = load;
	}
	if (elf->n_loads == 0)
		return fail(diag, EINVAL, "elf/no-loads", "no PT_LOAD: nothing to load");
	qsort(elf->loads, elf->n_loads, sizeof(elf->loads[0]), compare_loads);
	for (size_t i = 1; i < elf->n_loads; i++)
		if (elf->loads[i].paddr < elf->loads[i - 1].paddr + elf->loads[i - 1].mem_len)
			return fail(diag, EINVAL, "elf/loads-overlap",
				    "the PT_LOADs at %#" PRIx64 " and %#" PRIx64 " overlap",
				    elf->loads[i - 1].paddr, elf->loads[i].paddr);
	elf->start = elf->loads[0].paddr;
	elf->end = elf->loads[elf->n_loads - 1].paddr + elf->loads[elf->n_loads - 1].mem_len;
	return 0;
}

static bool read_section(const struct elf *elf, const struct header *h, uint32_t i,
			 struct section *ret)
{
	Elf64_Shdr s64;
	Elf32_Shdr s32;
	uint64_t off;

	if (!checked_add(h->shoff, (uint64_t)i * h->shentsize, &off))
		return false;
	if (elf->is_64) {
		if (!span_copy(elf->file, off, &s64, sizeof(s64)))
			return false;
		*ret = (struct section){ s64.sh_name, s64.sh_type, s64.sh_addr, s64.sh_offset,
					 s64.sh_size };
		return true;
	}
	if (!span_copy(elf->file, off, &s32, sizeof(s32)))
		return false;
	*ret = (struct section){ s32.sh_name, s32.sh_type, s32.sh_addr, s32.sh_offset,
				 s32.sh_size };
	return true;
}

/* The physical address of a virtual one, by the PT_LOAD that has it; 0 if none has. */
static phys_t physical_of(const struct elf *elf, uint64_t vaddr)
{
	for (size_t i = 0; i < elf->n_loads; i++) {
		const struct elf_load *l = &elf->loads[i];

		if (vaddr >= l->vaddr && vaddr - l->vaddr < l->mem_len)
			return l->paddr + (vaddr - l->vaddr);
	}
	return 0;
}

/* Section headers are optional, and trusted for no more than where .bss begins. */
static void read_sections(struct elf *elf, const struct header *h)
{
	size_t shentsize = elf->is_64 ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);
	struct section names, s;
	struct span strings;

	if (h->shnum == 0 || h->shnum > SECTIONS_MAX || h->shentsize != shentsize ||
	    h->shstrndx >= h->shnum || !read_section(elf, h, h->shstrndx, &names) ||
	    !span_sub(elf->file, names.off, names.len, &strings))
		return;
	for (uint32_t i = 0; i < h->shnum; i++) {
		struct span name;

		if (!read_section(elf, h, i, &s))
			return;
		if (span_sub(strings, s.name, 5, &name) && memcmp(name.data, ".bss", 5) == 0)
			elf->bss_start = physical_of(elf, s.addr);
	}
}

static int find_end(struct elf *elf, const struct header *h, struct diag *diag)
{
	uint64_t end = 0;

	for (size_t i = 0; i < elf->n_loads; i++)
		end = max_u64(end, elf->loads[i].off + elf->loads[i].file_len);
	if (h->shnum > 0) {
		uint64_t sections_end;

		if (!checked_add(h->shoff, (uint64_t)h->shnum * h->shentsize, &sections_end) ||
		    sections_end > elf->file.len)
			return fail(diag, EINVAL, "elf/section-headers-outside",
				    "%u section headers at %#" PRIx64
				    " lie outside the file's %zu bytes",
				    h->shnum, h->shoff, elf->file.len);
		end = max_u64(end, sections_end);
	}
	elf->len = end;
	return 0;
}

bool elf_is_64(struct span file)
{
	uint8_t class = ELFCLASSNONE;

	return span_u8(file, EI_CLASS, &class) && class == ELFCLASS64;
}

int elf_parse(struct span file, struct elf *ret, struct diag *diag)
{
	struct elf elf = { .file = file };
	struct header h = { 0 };
	int r = read_header(&elf, &h, diag);

	if (r == 0)
		r = check_header(&elf, &h, diag);
	elf.phdrs_off = h.phoff;
	elf.n_phdrs = h.phnum;
	if (r == 0)
		r = read_loads(&elf, diag);
	if (r == 0)
		r = find_end(&elf, &h, diag);
	if (r < 0)
		return r;
	read_sections(&elf, &h);
	*ret = elf;
	return 0;
}
