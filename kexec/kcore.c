// SPDX-License-Identifier: GPL-2.0-or-later
#include "kcore.h"

#include <elf.h>

#include "checked.h"

#define START_KERNEL_MAP	UINT64_C(0xffffffff80000000)	/* __START_KERNEL_map */
/* The lowest address that a direct map begins at: 5-level paging, without KASLR. */
#define LOWEST_PAGE_OFFSET	UINT64_C(0xff11000000000000)

_Static_assert(sizeof(Elf64_Ehdr) == KCORE_HEAD_LEN, "the head is the ELF header");

size_t kcore_headers_len(struct span head)
{
	Elf64_Ehdr e;
	uint64_t end;

	if (!span_copy(head, 0, &e, sizeof(e)) || !span_starts_with(head, ELFMAG, SELFMAG) ||
	    e.e_ident[EI_CLASS] != ELFCLASS64 || e.e_type != ET_CORE ||
	    e.e_machine != EM_X86_64 || e.e_phentsize != sizeof(Elf64_Phdr) || e.e_phnum == 0 ||
	    !checked_add(e.e_phoff, (uint64_t)e.e_phnum * sizeof(Elf64_Phdr), &end) || end > 16 * MIB)
		return 0;
	return (size_t)end;
}

/* The direct map is the lowest of what has a physical address: vmalloc and vmemmap are above it. */
static void take_load(const Elf64_Phdr *p, struct kcore *k)
{
	uint64_t offset = p->p_vaddr - p->p_paddr, end;

	if (p->p_type != PT_LOAD || p->p_paddr == UINT64_MAX || p->p_memsz == 0 ||
	    !checked_add(p->p_paddr, p->p_memsz, &end))
		return;
	if (p->p_vaddr >= START_KERNEL_MAP) {
		/* Where kernels name no physical address of modules it is 0. */
		if (p->p_paddr == 0 || range_len(k->text) > 0)
			return;
		k->text = (struct range){ p->p_paddr, end };
		k->text_vaddr = p->p_vaddr;
		return;
	}
	if (p->p_vaddr < LOWEST_PAGE_OFFSET || offset < LOWEST_PAGE_OFFSET ||
	    !is_aligned(offset, GIB) || (k->has_page_offset && offset >= k->page_offset))
		return;
	k->has_page_offset = true;
	k->page_offset = offset;
}

void kcore_read(struct span headers, struct kcore *ret)
{
	struct kcore k = { 0 };
	Elf64_Ehdr e;
	Elf64_Phdr p;

	*ret = k;
	if (kcore_headers_len(headers) == 0 || !span_copy(headers, 0, &e, sizeof(e)))
		return;
	for (uint64_t i = 0; i < e.e_phnum; i++)
		if (span_copy(headers, e.e_phoff + i * sizeof(p), &p, sizeof(p)))
			take_load(&p, &k);
	*ret = k;
}
