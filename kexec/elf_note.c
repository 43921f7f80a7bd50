// SPDX-License-Identifier: GPL-2.0-or-later
#include "elf_note.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "checked.h"

#define HEAD_LEN	12	/* length of owner and of contents, type */

int elf_note_bytes(const struct elf *elf, const struct elf_phdr *p, struct span *ret,
		   struct diag *diag)
{
	if (span_sub(elf->file, p->off, p->file_len, ret))
		return 0;
	return fail(diag, EINVAL, "elf-note/outside",
		    "a PT_NOTE of %" PRIu64 " bytes at %#" PRIx64 " lies outside the file's %zu",
		    p->file_len, p->off, elf->file.len);
}

static int read_owner(struct span owner, struct elf_note *ret, struct diag *diag)
{
	if (owner.len > ELF_NOTE_OWNER_MAX + 1)
		return fail(diag, EINVAL, "elf-note/owner",
			    "the owner of a note has %zu characters, no known one more than %d",
			    owner.len, ELF_NOTE_OWNER_MAX);
	if (owner.len > 0 && owner.data[owner.len - 1] != '\0')
		return fail(diag, EINVAL, "elf-note/owner", "the owner of a note has no NUL");
	memset(ret->owner, 0, sizeof(ret->owner));
	if (owner.len > 0)
		memcpy(ret->owner, owner.data, owner.len);
	return 0;
}

int elf_note_next(struct span notes, uint64_t align, uint64_t *off, struct elf_note *ret,
		  struct diag *diag)
{
	uint32_t owner_len = 0, desc_len = 0;
	struct elf_note note = { 0 };
	struct span owner = { 0 };
	uint64_t at, end;
	int r;

	if (align < 4)
		align = 4;
	if (align != 4 && align != 8)
		return fail(diag, EINVAL, "elf-note/align",
			    "notes are aligned by 4 or by 8, this PT_NOTE says %" PRIu64, align);
	if (!span_le32(notes, *off, &owner_len) || !span_le32(notes, *off + 4, &desc_len) ||
	    !span_le32(notes, *off + 8, &note.type) ||
	    !span_sub(notes, *off + HEAD_LEN, owner_len, &owner) ||
	    !checked_align_up(*off + HEAD_LEN + owner_len, align, &at) ||
	    !span_sub(notes, at, desc_len, &note.desc))
		return fail(diag, EINVAL, "elf-note/truncated",
			    "the note at %" PRIu64 " (owner %u bytes, contents %u) does not end "
			    "within the notes' %zu bytes",
			    *off, owner_len, desc_len, notes.len);
	r = read_owner(owner, &note, diag);
	if (r < 0)
		return r;
	note.off = at;
	/* What would pad the last one need not be there. */
	*off = checked_align_up(at + desc_len, align, &end) ? min_u64(end, notes.len) : notes.len;
	*ret = note;
	return 0;
}
