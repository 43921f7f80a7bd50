// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch/x86/elfcorehdr.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct writer {
	const struct elfcorehdr *e;
	uint8_t *at;	/* of the next program header */
};

/* The text is in RAM as well: all that its header tells is the address it runs at, which has more
 * than 32 bits. */
static bool has_text(const struct elfcorehdr *e)
{
	return range_len(e->crash->text) > 0 && e->core_class == CORE_64;
}

static size_t count(const struct elfcorehdr *e)
{
	return e->crash->n_notes + (range_len(e->crash->vmcoreinfo) > 0) + has_text(e) + e->ram.n;
}

static int check_32(const struct elfcorehdr *e, struct diag *diag)
{
	phys_t end = e->ram.n > 0 ? e->ram.r[e->ram.n - 1].end : 0;

	for (size_t i = 0; i < e->crash->n_notes; i++)
		end = max_u64(end, e->crash->notes[i].end);
	end = max_u64(end, e->crash->vmcoreinfo.end);
	if (end <= 4 * GIB)
		return 0;
	fail(diag, ERANGE, "elfcorehdr/above-4gib",
	     "ELF32 headers cannot name memory above 4 GiB, and this machine has some up to "
	     "%#" PRIx64,
	     end);
	return fail_advise(diag, "leave --elf32-core-headers out");
}

int elfcorehdr_len(const struct elfcorehdr *e, uint64_t *ret, struct diag *diag)
{
	const size_t n = count(e);
	int r = e->core_class == CORE_32 ? check_32(e, diag) : 0;

	if (r < 0)
		return r;
	if (n > ELFCOREHDR_PHDRS_MAX)
		return fail(diag, E2BIG, "elfcorehdr/too-many-ranges",
			    "CPUs and ranges of RAM take %zu program headers, an ELF file has %d at "
			    "most",
			    n, ELFCOREHDR_PHDRS_MAX);
	*ret = e->core_class == CORE_64 ? sizeof(Elf64_Ehdr) + n * sizeof(Elf64_Phdr) :
					  sizeof(Elf32_Ehdr) + n * sizeof(Elf32_Phdr);
	return 0;
}

static void put_header(struct writer *w, const Elf64_Phdr *p)
{
	/* A 64-bit kernel's address has no place here. 0 is none, to makedumpfile too: its
	 * NOT_KV_ADDR. */
	const Elf32_Phdr narrow = {
		.p_type = p->p_type,
		.p_offset = (Elf32_Off)p->p_offset,
		.p_vaddr = p->p_vaddr > UINT32_MAX ? 0 : (Elf32_Addr)p->p_vaddr,
		.p_paddr = (Elf32_Addr)p->p_paddr,
		.p_filesz = (Elf32_Word)p->p_filesz,
		.p_memsz = (Elf32_Word)p->p_memsz,
		.p_flags = p->p_flags,
		.p_align = (Elf32_Word)p->p_align,
	};

	if (w->e->core_class == CORE_64) {
		memcpy(w->at, p, sizeof(*p));
		w->at += sizeof(*p);
	} else {
		memcpy(w->at, &narrow, sizeof(narrow));
		w->at += sizeof(narrow);
	}
}

static void put_note(struct writer *w, struct range r)
{
	put_header(w, &(Elf64_Phdr){
		.p_type = PT_NOTE,
		.p_offset = r.start,
		.p_paddr = r.start,
		.p_filesz = range_len(r),
		.p_memsz = range_len(r),
		.p_align = 4,
	});
}

static void put_load(struct writer *w, struct range r, phys_t found_at, uint64_t vaddr)
{
	put_header(w, &(Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_W | PF_X,
		.p_offset = found_at,
		.p_paddr = r.start,
		.p_vaddr = vaddr,
		.p_filesz = range_len(r),
		.p_memsz = range_len(r),
	});
}

static void write_head(const struct elfcorehdr *e, uint8_t *buf)
{
	const Elf64_Ehdr wide = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = (Elf64_Half)count(e),
	};
	/* A capture kernel wants its own machine type here, and 64-bit kernels only. */
	const Elf32_Ehdr narrow = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(Elf32_Ehdr),
		.e_ehsize = sizeof(Elf32_Ehdr),
		.e_phentsize = sizeof(Elf32_Phdr),
		.e_phnum = (Elf32_Half)count(e),
	};

	if (e->core_class == CORE_64)
		memcpy(buf, &wide, sizeof(wide));
	else
		memcpy(buf, &narrow, sizeof(narrow));
}

void elfcorehdr_write(const struct elfcorehdr *e, uint8_t *buf)
{
	const struct crash_facts *crash = e->crash;
	struct writer w = { .e = e };

	write_head(e, buf);
	w.at = buf + (e->core_class == CORE_64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr));
	for (size_t i = 0; i < crash->n_notes; i++)
		put_note(&w, crash->notes[i]);
	if (range_len(crash->vmcoreinfo) > 0)
		put_note(&w, crash->vmcoreinfo);
	if (has_text(e))
		put_load(&w, crash->text, crash->text.start, crash->text_vaddr);
	for (size_t i = 0; i < e->ram.n; i++) {
		struct range r = e->ram.r[i];
		bool is_moved = range_contains(e->moved_from, r);

		put_load(&w, r, is_moved ? r.start - e->moved_from.start + e->moved_to : r.start,
			 crash->has_page_offset ? crash->page_offset + r.start : 0);
	}
}
