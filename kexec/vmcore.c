// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmcore.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "checked.h"

#define NOTES_LEN_MAX	(64 * MIB)	/* a segment of them: about a KiB for each CPU */
#define INFO_LEN_MAX	(64 * KIB)	/* VMCOREINFO; the kernel keeps it within a page */

/* Where x86-64 maps the kernel's image, and for how much at most (asm/page_64_types.h). */
#define X86_64_IMAGE_START	UINT64_C(0xffffffff80000000)
#define X86_64_IMAGE_END	UINT64_C(0xffffffffc0000000)
/* Where i386 maps the memory it can map, with the usual split (CONFIG_PAGE_OFFSET). */
#define I386_LOWMEM_START	UINT64_C(0xc0000000)
#define I386_LOWMEM_END		UINT64_C(0xf8000000)

/* The fields of both classes, widened. */
struct header {
	bool is_64;
	uint16_t type;
	uint16_t phentsize;
	uint16_t phnum;
	uint64_t phoff;
};

struct segment {
	uint32_t type;
	struct vmcore_load load;
};

static int read_file(const struct vmcore *core, uint64_t off, void *dst, size_t len)
{
	if (off > core->source.len || len > core->source.len - off)
		return -ENODATA;
	return len > 0 ? core->source.read(core->source.context, off, dst, len) : 0;
}

/* ------------------------------------------------------------------------------ what is no core */

static bool starts_with(const uint8_t *bytes, size_t len, const char *magic)
{
	size_t magic_len = strlen(magic);

	return len >= magic_len && memcmp(bytes, magic, magic_len) == 0;
}

/* The formats of makedumpfile and diskdump, which people mistake for a core: all are "vmcore". */
static int name_format(const uint8_t *bytes, size_t len, struct diag *diag)
{
	if (starts_with(bytes, len, "KDUMP   ") || starts_with(bytes, len, "DISKDUMP")) {
		fail(diag, ENOEXEC, "vmcore/compressed",
		     "this is a kdump-compressed dump as makedumpfile writes it, not an ELF core");
		return fail_advise(diag, "makedumpfile --dump-dmesg DUMP OUT takes the log out of "
					 "it");
	}
	if (starts_with(bytes, len, "makedumpfile")) {
		fail(diag, ENOEXEC, "vmcore/flattened",
		     "this is a flattened dump (makedumpfile -F), not an ELF core");
		return fail_advise(diag, "makedumpfile -R DUMP <FLATTENED puts it together, then "
					 "makedumpfile --dump-dmesg DUMP OUT takes the log out of "
					 "it");
	}
	fail(diag, ENOEXEC, "vmcore/no-elf", "an ELF core begins with \"\\177ELF\", this does not");
	return fail_advise(diag, "name /proc/vmcore, in the system that runs after a crash, or a "
				 "copy of it");
}

/* ----------------------------------------------------------------------------------- its headers */

static int check_ident(const struct vmcore *core, uint8_t ident[EI_NIDENT], struct diag *diag)
{
	size_t len = (size_t)min_u64(EI_NIDENT, core->source.len);
	int r = read_file(core, 0, ident, len);

	if (r < 0)
		return fail(diag, -r, "vmcore/unreadable", "cannot read the first %zu bytes: %s",
			    len, strerror(-r));
	if (!starts_with(ident, len, ELFMAG))
		return name_format(ident, len, diag);
	if (len < EI_NIDENT)
		return fail(diag, EINVAL, "vmcore/header-truncated",
			    "the file ends inside its ELF header (%zu bytes)", len);
	if (ident[EI_CLASS] != ELFCLASS64 && ident[EI_CLASS] != ELFCLASS32)
		return fail(diag, ENOEXEC, "vmcore/class", "expected ELF class 1 or 2, found %u",
			    ident[EI_CLASS]);
	if (ident[EI_DATA] != ELFDATA2LSB)
		return fail(diag, ENOEXEC, "vmcore/byte-order",
			    "expected a little endian core (1), found data encoding %u",
			    ident[EI_DATA]);
	return 0;
}

static int read_header(struct vmcore *core, struct header *h, struct diag *diag)
{
	uint8_t ident[EI_NIDENT];
	Elf64_Ehdr e64;
	Elf32_Ehdr e32;
	int r = check_ident(core, ident, diag);

	if (r < 0)
		return r;
	h->is_64 = ident[EI_CLASS] == ELFCLASS64;
	if (h->is_64) {
		r = read_file(core, 0, &e64, sizeof(e64));
		if (r == 0) {
			*h = (struct header){ true, e64.e_type, e64.e_phentsize, e64.e_phnum,
					      e64.e_phoff };
			core->machine = e64.e_machine;
		}
	} else {
		r = read_file(core, 0, &e32, sizeof(e32));
		if (r == 0) {
			*h = (struct header){ false, e32.e_type, e32.e_phentsize, e32.e_phnum,
					      e32.e_phoff };
			core->machine = e32.e_machine;
		}
	}
	if (r < 0)
		return fail(diag, -r, "vmcore/header-truncated",
			    "the file's %" PRIu64 " bytes do not hold its ELF header",
			    core->source.len);
	/* A 32-bit kernel with more than 4 GiB has a core of class 64. */
	core->is_64 = h->is_64 && core->machine != EM_386;
	return 0;
}

static int check_header(const struct header *h, struct diag *diag)
{
	size_t phentsize = h->is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);

	if (h->type != ET_CORE) {
		fail(diag, ENOEXEC, "vmcore/type", "expected a core (ELF type %d), found type %u",
		     ET_CORE, h->type);
		return fail_advise(diag, "name /proc/vmcore, in the system that runs after a crash, "
					 "or a copy of it");
	}
	if (h->phentsize != phentsize)
		return fail(diag, EINVAL, "vmcore/program-headers",
			    "expected program headers of %zu bytes, found %u", phentsize,
			    h->phentsize);
	return 0;
}

static int read_segment(const struct vmcore *core, const struct header *h, unsigned int i,
			struct segment *ret)
{
	uint64_t off;
	Elf64_Phdr p64;
	Elf32_Phdr p32;
	int r;

	if (!checked_add(h->phoff, (uint64_t)i * h->phentsize, &off))
		return -ENODATA;
	if (h->is_64) {
		r = read_file(core, off, &p64, sizeof(p64));
		if (r == 0)
			*ret = (struct segment){ p64.p_type,
						 { p64.p_offset, p64.p_filesz, p64.p_memsz,
						   p64.p_paddr, p64.p_vaddr } };
	} else {
		r = read_file(core, off, &p32, sizeof(p32));
		if (r == 0)
			*ret = (struct segment){ p32.p_type,
						 { p32.p_offset, p32.p_filesz, p32.p_memsz,
						   p32.p_paddr, p32.p_vaddr } };
	}
	return r;
}

/* ------------------------------------------------------------------------------------- its notes */

/* Copies the text of VMCOREINFO, which is at off. */
static int take_info(struct vmcore *core, uint64_t off, uint32_t len, struct arena *a,
		     struct diag *diag)
{
	uint8_t *text;
	int r;

	if (len > INFO_LEN_MAX)
		return fail(diag, EINVAL, "vmcore/vmcoreinfo-length",
			    "expected at most %" PRIu64 " bytes of VMCOREINFO, found %" PRIu32,
			    INFO_LEN_MAX, len);
	text = arena_alloc(a, len);
	if (!text)
		return fail_nomem(diag);
	r = read_file(core, off, text, len);
	if (r == 0)
		core->info = span_of(text, len);
	return 0;	/* cut short: as if it were not there */
}

/* Looks for VMCOREINFO among the notes of a segment. */
static int read_notes(struct vmcore *core, const struct vmcore_load *notes, struct arena *a,
		      struct diag *diag)
{
	static const char info_name[] = "VMCOREINFO";
	const uint64_t len = min_u64(notes->file_len, NOTES_LEN_MAX);
	uint64_t at = 0;

	while (at < len && core->info.len == 0) {
		char name[sizeof(info_name)] = "";
		uint64_t off, name_len, desc_off;
		Elf64_Nhdr note; /* of both classes alike */

		if (!checked_add(notes->off, at, &off) ||
		    read_file(core, off, &note, sizeof(note)) < 0 || note.n_namesz == 0)
			break;
		name_len = ((uint64_t)note.n_namesz + 3) & ~UINT64_C(3);
		if (!checked_add(off, sizeof(note) + name_len, &desc_off))
			break;
		if (note.n_namesz == sizeof(name) && note.n_type == 0 &&
		    read_file(core, off + sizeof(note), name, sizeof(name)) == 0 &&
		    memcmp(name, info_name, sizeof(name)) == 0) {
			int r = take_info(core, desc_off, note.n_descsz, a, diag);

			if (r < 0)
				return r;
		}
		at += sizeof(note) + name_len + (((uint64_t)note.n_descsz + 3) & ~UINT64_C(3));
	}
	return 0;
}

static int read_segments(struct vmcore *core, const struct header *h, struct arena *a,
			 struct diag *diag)
{
	core->loads = arena_alloc_array(a, h->phnum, sizeof(*core->loads));
	if (!core->loads)
		return fail_nomem(diag);
	for (unsigned int i = 0; i < h->phnum; i++) {
		struct segment s = { 0 };
		uint64_t end;
		int r = read_segment(core, h, i, &s);

		if (r < 0)
			return fail(diag, -r, "vmcore/program-headers-outside",
				    "program header %u of %u is not in the file's %" PRIu64
				    " bytes: %s",
				    i, h->phnum, core->source.len, strerror(-r));
		if (!checked_add(s.load.off, s.load.file_len, &end))
			return fail(diag, EINVAL, "vmcore/segment-wraps",
				    "segment %u, %" PRIu64 " bytes at %#" PRIx64 ", wraps around",
				    i, s.load.file_len, s.load.off);
		if (s.type != PT_LOAD && s.type != PT_NOTE)
			continue;
		core->full_len = max_u64(core->full_len, end);
		if (s.type == PT_LOAD)
			core->loads[core->n_loads++] = s.load;
		else if (core->info.len == 0)
			r = read_notes(core, &s.load, a, diag);
		if (r < 0)
			return r;
	}
	return 0;
}

int vmcore_open(const struct vmcore_source *source, struct arena *a, struct vmcore *ret,
		struct diag *diag)
{
	struct vmcore core = { .source = *source };
	struct header h = { 0 };
	int r = read_header(&core, &h, diag);

	if (r == 0)
		r = check_header(&h, diag);
	if (r == 0)
		r = read_segments(&core, &h, a, diag);
	if (r < 0)
		return r;
	if (core.info.len == 0) {
		fail(diag, EINVAL, "vmcore/no-vmcoreinfo",
		     "the core has no note VMCOREINFO, which says where things are%s",
		     core.full_len > core.source.len ? ": the file is cut short" : "");
		return fail_advise(diag, "crash with the dead kernel's vmlinux can read such a "
					 "core");
	}
	core.has_phys_base = vmcore_info_number(&core, "NUMBER(phys_base)", &core.phys_base);
	*ret = core;
	return 0;
}

/* ------------------------------------------------------------------------------------ its memory */

static const struct vmcore_load *find_load(const struct vmcore *core, uint64_t vaddr, uint64_t *ret)
{
	for (size_t i = 0; i < core->n_loads; i++) {
		const struct vmcore_load *l = &core->loads[i];

		if (vaddr >= l->vaddr && vaddr - l->vaddr < l->mem_len) {
			*ret = vaddr - l->vaddr;
			return l;
		}
	}
	return NULL;
}

static const struct vmcore_load *find_load_of_paddr(const struct vmcore *core, phys_t paddr,
						    uint64_t *ret)
{
	for (size_t i = 0; i < core->n_loads; i++) {
		const struct vmcore_load *l = &core->loads[i];

		if (paddr >= l->paddr && paddr - l->paddr < l->mem_len) {
			*ret = paddr - l->paddr;
			return l;
		}
	}
	return NULL;
}

/* The segment that has the address, and where in it. Cores made by others than kexec may have no
 * virtual addresses: for the kernel's image there is another way. */
static const struct vmcore_load *locate(const struct vmcore *core, uint64_t vaddr, uint64_t *ret)
{
	const struct vmcore_load *l = find_load(core, vaddr, ret);

	if (l)
		return l;
	if (core->machine == EM_X86_64 && core->has_phys_base && vaddr >= X86_64_IMAGE_START &&
	    vaddr < X86_64_IMAGE_END)
		return find_load_of_paddr(core, vaddr - X86_64_IMAGE_START + core->phys_base, ret);
	if (core->machine == EM_386 && vaddr >= I386_LOWMEM_START && vaddr < I386_LOWMEM_END)
		return find_load_of_paddr(core, vaddr - I386_LOWMEM_START, ret);
	return NULL;
}

int vmcore_read(const struct vmcore *core, uint64_t vaddr, void *dst, size_t len)
{
	uint8_t *to = dst;

	while (len > 0) {
		uint64_t at, off, n;
		const struct vmcore_load *l = locate(core, vaddr, &at);
		int r;

		if (!l)
			return -ENXIO;
		n = min_u64(len, l->mem_len - at);
		if (at > l->file_len || n > l->file_len - at || !checked_add(l->off, at, &off))
			return -ENODATA;
		r = read_file(core, off, to, (size_t)n);
		if (r < 0)
			return r;
		to += n;
		vaddr += n;
		len -= (size_t)n;
	}
	return 0;
}

int vmcore_read_u32(const struct vmcore *core, uint64_t vaddr, uint32_t *ret)
{
	return vmcore_read(core, vaddr, ret, sizeof(*ret));
}

int vmcore_read_long(const struct vmcore *core, uint64_t vaddr, uint64_t *ret)
{
	uint32_t value = 0;
	int r;

	if (core->is_64)
		return vmcore_read(core, vaddr, ret, sizeof(*ret));
	r = vmcore_read_u32(core, vaddr, &value);
	if (r == 0)
		*ret = value;
	return r;
}

/* -------------------------------------------------------------------------- what it tells of itself */

/* The text behind "key=", up to the end of its line. */
static bool find_value(const struct vmcore *core, const char *key, struct span *ret)
{
	const size_t key_len = strlen(key);
	const uint8_t *at = core->info.data, *end = at + core->info.len;

	while (at < end) {
		const uint8_t *line_end = memchr(at, '\n', (size_t)(end - at));

		if (!line_end)
			line_end = end;
		if ((size_t)(line_end - at) > key_len && memcmp(at, key, key_len) == 0 &&
		    at[key_len] == '=') {
			at += key_len + 1;
			*ret = span_of(at, (size_t)(line_end - at));
			return true;
		}
		at = line_end + (line_end < end);
	}
	return false;
}

static bool read_digits(struct span text, unsigned int base, uint64_t *ret)
{
	uint64_t value = 0;

	if (text.len == 0)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		const char c = (char)text.data[i];
		const char *digits = "0123456789abcdef", *digit = memchr(digits, c, base);

		if (!digit || !checked_mul(value, base, &value) ||
		    !checked_add(value, (uint64_t)(digit - digits), &value))
			return false;
	}
	*ret = value;
	return true;
}

bool vmcore_info_hex(const struct vmcore *core, const char *key, uint64_t *ret)
{
	struct span text;

	return find_value(core, key, &text) && read_digits(text, 16, ret);
}

/* phys_base can be negative: it comes out as the two's complement, which adds up. */
bool vmcore_info_number(const struct vmcore *core, const char *key, uint64_t *ret)
{
	struct span text, digits;

	if (!find_value(core, key, &text))
		return false;
	if (!span_starts_with(text, "-", 1))
		return read_digits(text, 10, ret);
	if (!span_sub(text, 1, text.len - 1, &digits) || !read_digits(digits, 10, ret))
		return false;
	*ret = 0 - *ret;
	return true;
}
