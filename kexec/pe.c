// SPDX-License-Identifier: GPL-2.0-or-later
#include "pe.h"

#include <errno.h>
#include <string.h>

bool pe_is_one(struct span file)
{
	struct span signature;
	uint32_t off;

	return span_starts_with(file, PE_DOS_MAGIC, strlen(PE_DOS_MAGIC)) &&
	       span_le32(file, PE_DOS_LFANEW, &off) &&
	       span_sub(file, off, PE_SIGNATURE_LEN, &signature) &&
	       span_starts_with(signature, PE_SIGNATURE, PE_SIGNATURE_LEN);
}

static int read_coff(struct span file, struct pe_coff_header *ret, uint64_t *ret_optional_off,
		     struct diag *diag)
{
	uint32_t off;

	if (!pe_is_one(file) || !span_le32(file, PE_DOS_LFANEW, &off))
		return fail(diag, ENOEXEC, "pe/no-magic",
			    "a PE file begins with \"MZ\" and has at 0x3c the offset of \"PE\\0\\0\"");
	if (off < PE_DOS_LEN)
		return fail(diag, EINVAL, "pe/header-overlap",
			    "expected the PE header behind the %d bytes of the DOS header, found it at "
			    "%u",
			    PE_DOS_LEN, off);
	if (!span_copy(file, (uint64_t)off + PE_SIGNATURE_LEN, ret, sizeof(*ret)))
		return fail(diag, EINVAL, "pe/header-truncated",
			    "the file ends inside its PE header (%zu bytes)", file.len);
	*ret_optional_off = (uint64_t)off + PE_SIGNATURE_LEN + sizeof(*ret);
	return 0;
}

/* A directory that is announced and not there is as good as absent: older files end earlier. */
static int read_certificates(struct pe *pe, struct span optional, struct diag *diag)
{
	const uint64_t n_dirs_off = pe->is_pe32_plus ? PE_OPT_N_DIRS_PE32_PLUS : PE_OPT_N_DIRS_PE32;
	const uint64_t dir_off = (pe->is_pe32_plus ? PE_OPT_DIRS_PE32_PLUS : PE_OPT_DIRS_PE32) +
				 PE_DIR_CERTIFICATES * PE_DIR_LEN;
	uint32_t n_dirs, off, len;
	struct span certificates;

	if (!span_le32(optional, n_dirs_off, &n_dirs) || n_dirs <= PE_DIR_CERTIFICATES ||
	    !span_le32(optional, dir_off, &off) || !span_le32(optional, dir_off + 4, &len) ||
	    len == 0)
		return 0;
	if (!span_sub(pe->file, off, len, &certificates))
		return fail(diag, EINVAL, "pe/certificates-outside",
			    "%u bytes of signatures at %#x lie outside the file's %zu", len, off,
			    pe->file.len);
	pe->has_certificates = true;
	return 0;
}

static int read_optional(struct pe *pe, const struct pe_coff_header *coff, uint64_t off,
			 struct diag *diag)
{
	struct span optional;
	uint16_t magic;

	if (!span_sub(pe->file, off, coff->optional_len, &optional))
		return fail(diag, EINVAL, "pe/header-truncated",
			    "an optional header of %u bytes at %#llx lies outside the file's %zu",
			    coff->optional_len, (unsigned long long)off, pe->file.len);
	if (!span_le16(optional, PE_OPT_MAGIC, &magic) ||
	    !span_le16(optional, PE_OPT_SUBSYSTEM, &pe->subsystem))
		return fail(diag, EINVAL, "pe/optional-header",
			    "expected an optional header of at least %d bytes, found %u",
			    PE_OPT_SUBSYSTEM + 2, coff->optional_len);
	if (magic != PE_OPT_MAGIC_PE32 && magic != PE_OPT_MAGIC_PE32_PLUS)
		return fail(diag, EINVAL, "pe/optional-header",
			    "expected a PE32 (0x10b) or PE32+ (0x20b) file, found 0x%x", magic);
	pe->is_pe32_plus = magic == PE_OPT_MAGIC_PE32_PLUS;
	return read_certificates(pe, optional, diag);
}

static int read_section(struct span file, const struct pe_section_header *h,
			struct pe_section *ret, struct diag *diag)
{
	/* The file's part of it is padded to FileAlignment, which VirtualSize takes off again. */
	const uint32_t len = h->file_len < h->mem_len ? h->file_len : h->mem_len;

	memcpy(ret->name, h->name, sizeof(h->name));
	if (h->file_off == 0 || len == 0)
		return 0;
	if (!span_sub(file, h->file_off, len, &ret->bytes))
		return fail(diag, EINVAL, "pe/section-outside",
			    "section %s, %u bytes at %#x, lies outside the file's %zu", ret->name, len,
			    h->file_off, file.len);
	return 0;
}

static int read_sections(struct pe *pe, size_t n, uint64_t off, struct arena *a, struct diag *diag)
{
	struct pe_section_header h;
	struct span table;

	if (n == 0)
		return fail(diag, EINVAL, "pe/no-sections", "the PE file has no sections");
	if (n > PE_SECTIONS_MAX)
		return fail(diag, EINVAL, "pe/too-many-sections",
			    "expected at most %d sections, found %zu", PE_SECTIONS_MAX, n);
	if (!span_sub(pe->file, off, n * sizeof(h), &table))
		return fail(diag, EINVAL, "pe/table-outside",
			    "a table of %zu sections at %#llx lies outside the file's %zu bytes", n,
			    (unsigned long long)off, pe->file.len);
	pe->sections = arena_alloc_array(a, n, sizeof(*pe->sections));
	if (!pe->sections)
		return fail_nomem(diag);
	for (; span_copy(table, pe->n_sections * sizeof(h), &h, sizeof(h)); pe->n_sections++) {
		int r = read_section(pe->file, &h, &pe->sections[pe->n_sections], diag);

		if (r < 0)
			return r;
	}
	return 0;
}

int pe_parse(struct span file, struct arena *a, struct pe *ret, struct diag *diag)
{
	struct pe pe = { .file = file };
	struct pe_coff_header coff = { 0 };
	uint64_t optional_off = 0;
	int r = read_coff(file, &coff, &optional_off, diag);

	if (r == 0)
		r = read_optional(&pe, &coff, optional_off, diag);
	if (r == 0)
		r = read_sections(&pe, coff.n_sections, optional_off + coff.optional_len, a, diag);
	if (r < 0)
		return r;
	pe.machine = coff.machine;
	*ret = pe;
	return 0;
}

const char *pe_machine_name(uint16_t machine, struct arena *a)
{
	const char *name;

	switch (machine) {
	case PE_MACHINE_X86_64:
		return "x86-64";
	case PE_MACHINE_I386:
		return "i386";
	case PE_MACHINE_ARM64:
		return "arm64";
	default:
		name = arena_printf(a, "0x%x", machine);
		return name ? name : "unknown";
	}
}
