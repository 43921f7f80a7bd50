// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Strict where the kernel is lax: what it would skip, or stop at with a message, is a failure here,
 * and then nobody touches the initrd.
 */
#include "initramfs.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "checked.h"

/* newc, as buffer-format.rst has it: a magic of 6 characters, then 13 numbers of 8 hex digits. */
#define HEADER_LEN	110
#define MAGIC_LEN	6
#define FIELD_LEN	8
#define FILE_SIZE_FIELD	6
#define NAME_SIZE_FIELD	11
#define N_FIELDS	13
#define NAME_MAX_LEN	4096	/* PATH_MAX: the kernel skips files with longer names */
#define CPIO_ALIGN	4

static bool read_hex(struct span s, uint64_t off, uint32_t *ret)
{
	uint32_t v = 0;
	uint8_t c = 0;

	for (size_t i = 0; i < FIELD_LEN; i++) {
		if (!span_u8(s, off + i, &c))
			return false;
		if (c >= '0' && c <= '9')
			v = v << 4 | (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			v = v << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return false;
	}
	*ret = v;
	return true;
}

struct cpio_entry {
	struct span name;	/* with its NUL */
	uint64_t body_len;
	uint64_t end;		/* of the body */
};

/* What a walk over archives counts. */
struct census {
	uint64_t n_entries;
	uint64_t files_len;
};

static int read_header(struct span s, uint64_t off, uint32_t fields[N_FIELDS], struct diag *diag)
{
	struct span header;

	if (!span_sub(s, off, HEADER_LEN, &header))
		return fail(diag, EINVAL, "initramfs/cpio-truncated",
			    "the archive ends inside the header at %" PRIu64, off);
	if (!span_starts_with(header, "070701", MAGIC_LEN) &&
	    !span_starts_with(header, "070702", MAGIC_LEN))
		return fail(diag, EINVAL, "initramfs/cpio-header",
			    "expected a cpio header, 070701 or 070702, at %" PRIu64, off);
	for (size_t i = 0; i < N_FIELDS; i++)
		if (!read_hex(header, MAGIC_LEN + i * FIELD_LEN, &fields[i]))
			return fail(diag, EINVAL, "initramfs/cpio-header",
				    "the cpio header at %" PRIu64 " has other than hex digits in it",
				    off);
	return 0;
}

static int read_entry(struct span s, uint64_t off, struct cpio_entry *ret, struct diag *diag)
{
	uint32_t fields[N_FIELDS];
	uint64_t name_len, body;
	struct span name, contents;
	int r = read_header(s, off, fields, diag);

	if (r < 0)
		return r;
	name_len = fields[NAME_SIZE_FIELD];
	if (name_len == 0 || name_len > NAME_MAX_LEN)
		return fail(diag, EINVAL, "initramfs/cpio-name",
			    "expected a name of 1 to %d bytes at %" PRIu64 ", found %" PRIu64,
			    NAME_MAX_LEN, off, name_len);
	/* No overflow: off is inside the span, and all the rest are 32 bits. */
	body = off + HEADER_LEN + name_len;
	body = align_down(body + CPIO_ALIGN - 1, CPIO_ALIGN);
	if (!span_sub(s, off + HEADER_LEN, name_len, &name) ||
	    !span_sub(s, body, fields[FILE_SIZE_FIELD], &contents))
		return fail(diag, EINVAL, "initramfs/cpio-truncated",
			    "the archive ends inside the file at %" PRIu64, off);
	if (name.data[name.len - 1] != '\0')
		return fail(diag, EINVAL, "initramfs/cpio-name",
			    "the name at %" PRIu64 " is not terminated", off);
	*ret = (struct cpio_entry){
		.name = name,
		.body_len = fields[FILE_SIZE_FIELD],
		.end = body + fields[FILE_SIZE_FIELD],
	};
	return 0;
}

/* Files that the kernel takes from plain archives, long before it unpacks anything. */
static bool is_early_name(struct span name)
{
	static const char microcode[] = "kernel/x86/microcode/", acpi[] = "kernel/firmware/acpi/";

	return span_starts_with(name, microcode, sizeof(microcode) - 1) ||
	       span_starts_with(name, acpi, sizeof(acpi) - 1);
}

static bool is_entry_at(struct span s, uint64_t off)
{
	uint8_t c = 0;

	return is_aligned(off, CPIO_ALIGN) && span_u8(s, off, &c) && c == '0';
}

static uint64_t skip_zeros(struct span s, uint64_t off)
{
	uint8_t c = 0;

	while (span_u8(s, off, &c) && c == 0)
		off++;
	return off;
}

/* No overflow: what is counted lies in memory. */
static void count(struct census *census, const struct cpio_entry *entry)
{
	census->n_entries++;
	census->files_len += align_down(entry->body_len + PAGE_LEN - 1, PAGE_LEN);
}

/*
 * The archive at off, up to and with its trailer and padding, which may be missing at the very end;
 * an archive without a trailer ends where something else begins. is_early: files that the kernel
 * looks for early are welcome.
 */
static int walk_cpio(struct span s, uint64_t off, bool is_early, struct census *census,
		     uint64_t *ret_end, struct diag *diag)
{
	static const char trailer[] = "TRAILER!!!";
	struct cpio_entry entry = { 0 };

	bool is_trailer;

	do {
		int r = read_entry(s, off, &entry, diag);

		if (r < 0)
			return r;
		if (!is_early && is_early_name(entry.name))
			return fail(diag, EINVAL, "initramfs/early-files",
				    "microcode or ACPI tables are packed: unpacked, the kernel would "
				    "use them early");
		is_trailer = span_starts_with(entry.name, trailer, sizeof(trailer));
		if (!is_trailer)
			count(census, &entry);
		off = align_down(entry.end + CPIO_ALIGN - 1, CPIO_ALIGN);
	} while (!is_trailer && is_entry_at(s, off));
	*ret_end = off;
	return 0;
}

/* What came out of a packed member: archives and zeros, and nothing else. */
static int check_contents(struct span s, struct census *census, struct diag *diag)
{
	uint64_t off = skip_zeros(s, 0);
	int r;

	if (off == s.len)
		return fail(diag, EINVAL, "initramfs/not-cpio",
			    "%zu bytes are packed, but no file is among them", s.len);
	for (; off < s.len; off = skip_zeros(s, off)) {
		if (!is_entry_at(s, off))
			return fail(diag, EINVAL, "initramfs/not-cpio",
				    "expected a cpio archive at %" PRIu64 " of what is packed", off);
		r = walk_cpio(s, off, false, census, &off, diag);
		if (r < 0)
			return r;
	}
	/* The kernel calls an archive without its last padding junk, if it was packed. */
	if (off > s.len)
		return fail(diag, EINVAL, "initramfs/cpio-truncated",
			    "the archive lacks its padding at %zu", s.len);
	return 0;
}

struct walk {
	struct span in;
	uint64_t off;
	size_t max_len;
	struct initramfs out;
	struct census census;
	struct diag *diag;
};

static int add_member(struct walk *w, const struct codec *codec, uint64_t len, uint64_t plain_len)
{
	if (w->out.n_members == INITRAMFS_MEMBERS_MAX)
		return fail(w->diag, EINVAL, "initramfs/too-many-members",
			    "the initrd has more than %d members", INITRAMFS_MEMBERS_MAX);
	w->out.members[w->out.n_members++] = (struct initramfs_member){
		.off = w->off, .len = len, .codec = codec, .plain_len = plain_len,
	};
	w->out.n_packed += codec != NULL;
	w->off += len;
	return 0;
}

/* Appends bytes, and zeros up to where the next archive may begin. */
static int append(struct walk *w, struct span bytes)
{
	static const uint8_t zeros[CPIO_ALIGN];
	struct unpack_buffer *plain = &w->out.plain;
	size_t room = w->max_len - plain->len;
	int r;

	if (bytes.len > room || -(plain->len + bytes.len) % CPIO_ALIGN > room - bytes.len)
		return fail(w->diag, EFBIG, "initramfs/too-large",
			    "unpacked, the initrd has more than the %zu bytes that are allowed",
			    w->max_len);
	r = unpack_buffer_append(plain, bytes, w->diag);
	if (r < 0)
		return r;
	return unpack_buffer_append(plain, span_of(zeros, -plain->len % CPIO_ALIGN), w->diag);
}

static int add_plain(struct walk *w)
{
	bool is_early = w->out.n_packed == 0;
	struct span archive;
	uint64_t end;
	int r = walk_cpio(w->in, w->off, is_early, &w->census, &end, w->diag);

	if (r < 0)
		return r;
	end = min_u64(end, w->in.len);
	/* What is early is copied when the first packed member is found. */
	if (!is_early && span_sub(w->in, w->off, end - w->off, &archive)) {
		r = append(w, archive);
		if (r < 0)
			return r;
	}
	return add_member(w, NULL, end - w->off, end - w->off);
}

static int find_packed(const struct walk *w, struct span rest, const struct codec **ret)
{
	const struct initramfs *i = &w->out;
	bool is_after_plain = i->n_members > 0 && !i->members[i->n_members - 1].codec;
	const struct codec *codec = unpack_find(rest);

	if (!codec)
		return fail(w->diag, EINVAL, "initramfs/unknown-member",
			    "at %" PRIu64 " of the initrd there is neither a cpio archive nor a known "
			    "compression: it begins with %02x", w->off, rest.data[0]);
	/* The kernel calls that "broken padding". */
	if (is_after_plain && !is_aligned(w->off, CPIO_ALIGN))
		return fail(w->diag, EINVAL, "initramfs/misaligned",
			    "the %s member at %" PRIu64 " of the initrd must be at a multiple of %d",
			    codec->name, w->off, CPIO_ALIGN);
	*ret = codec;
	return 0;
}

static int add_packed(struct walk *w)
{
	struct unpack_buffer *plain = &w->out.plain;
	const size_t off = (size_t)w->off;	/* inside the span */
	struct span early = span_of(w->in.data, off);
	struct span rest = span_of(w->in.data + off, w->in.len - off);
	struct span contents = { 0 };
	const struct codec *codec = NULL;
	size_t start, len;
	int r = find_packed(w, rest, &codec);

	if (r == 0 && w->out.n_packed == 0)
		r = append(w, early);
	if (r < 0)
		return r;
	start = plain->len;
	r = unpack_stream(codec, rest, w->max_len - start, plain, &len, w->diag);
	if (r == 0 && span_sub(span_of(plain->data, plain->len), start, plain->len - start, &contents))
		r = check_contents(contents, &w->census, w->diag);
	if (r == 0)
		r = add_member(w, codec, len, plain->len - start);
	return r < 0 ? r : append(w, span_of(NULL, 0));
}

int initramfs_unpack(struct span initrd, size_t max_len, struct arena *a, struct initramfs *ret,
		     struct diag *diag)
{
	struct walk w = {
		.in = initrd,
		.max_len = max_len,
		.out.plain.region = a->region,
		.diag = diag,
	};
	int r = 0;

	w.out.members = arena_alloc_array(a, INITRAMFS_MEMBERS_MAX, sizeof(*w.out.members));
	if (!w.out.members)
		return fail_nomem(diag);
	while (r == 0 && (w.off = skip_zeros(w.in, w.off)) < w.in.len)
		r = is_entry_at(w.in, w.off) ? add_plain(&w) : add_packed(&w);
	if (r < 0) {
		unpack_buffer_free(&w.out.plain);
		return r;
	}
	unpack_buffer_trim(&w.out.plain);
	w.out.n_entries = w.census.n_entries;
	w.out.files_len = w.census.files_len;
	*ret = w.out;
	return 0;
}

void initramfs_free(struct initramfs *i)
{
	unpack_buffer_free(&i->plain);
}
