// SPDX-License-Identifier: GPL-2.0-or-later
#include "file_join.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "checked.h"

#define PART_ALIGN	4	/* a cpio archive begins at such a multiple */

/* Bytes of the part's first page that belong to somebody else. */
static size_t head_len(const struct file_part *p)
{
	return p->file && p->off % PART_ALIGN == 0 ? (size_t)(p->off % PAGE_LEN) : 0;
}

static bool is_copied(const struct file_part *p)
{
	return !p->file || p->off % PART_ALIGN != 0;
}

static uint64_t page_end(uint64_t len)
{
	return align_down(len + PAGE_LEN - 1, PAGE_LEN);
}

static int fail_map(struct diag *diag)
{
	return fail(diag, errno, "file/join", "cannot map the parts of the initrd: %s",
		    strerror(errno));
}

/* Zeros in at[from, to), which is mapped for reading, private, and within one page. */
static int blank(uint8_t *at, size_t from, size_t to, struct diag *diag)
{
	uint8_t *page = at + align_down(from, PAGE_LEN);

	if (from == to)
		return 0;
	if (mprotect(page, PAGE_LEN, PROT_READ | PROT_WRITE) < 0)
		return fail_map(diag);
	memset(at + from, 0, to - from);
	return mprotect(page, PAGE_LEN, PROT_READ) < 0 ? fail_map(diag) : 0;
}

/* at: a page boundary in the reserved range. */
static int lay(const struct file_part *p, uint8_t *at, struct diag *diag)
{
	const size_t head = head_len(p), end = head + p->bytes.len;
	int r;

	if (is_copied(p)) {
		if (mmap(at, end, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			 -1, 0) == MAP_FAILED)
			return fail_map(diag);
		memcpy(at, p->bytes.data, p->bytes.len);
		return 0;
	}
	if (mmap(at, end, PROT_READ, MAP_PRIVATE | MAP_FIXED, p->file->fd,
		 (off_t)(p->off - head)) == MAP_FAILED)
		return fail_map(diag);
	r = blank(at, 0, head, diag);
	return r < 0 ? r : blank(at, end, (size_t)page_end(end), diag);
}

static int total_len(const struct file_part *parts, size_t n, size_t *ret, struct diag *diag)
{
	uint64_t total = 0;

	for (size_t i = 0; i < n; i++)
		if (!checked_add(total, head_len(&parts[i]) + parts[i].bytes.len, &total) ||
		    !checked_align_up(total, PAGE_LEN, &total))
			return fail(diag, EFBIG, "file/too-large",
				    "the parts of the initrd are too large together");
	*ret = (size_t)total;
	return 0;
}

int file_join(const struct file_part *parts, size_t n, struct file_join *ret, struct diag *diag)
{
	struct file_join j = { 0 };
	size_t end = 0, at = 0;
	int r;

	if (n <= 1) {
		j.bytes = n == 1 ? parts[0].bytes : j.bytes;
		*ret = j;
		return 0;
	}
	r = total_len(parts, n, &j.map_len, diag);
	if (r < 0)
		return r;
	j.map = mmap(NULL, j.map_len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (j.map == MAP_FAILED)
		return fail_map(diag);
	for (size_t i = 0; i < n && r == 0; i++) {
		r = lay(&parts[i], (uint8_t *)j.map + at, diag);
		end = at + head_len(&parts[i]) + parts[i].bytes.len;
		at = (size_t)page_end(end);
	}
	if (r < 0) {
		file_join_free(&j);
		return r;
	}
	j.bytes = span_of((uint8_t *)j.map + head_len(&parts[0]), end - head_len(&parts[0]));
	*ret = j;
	return 0;
}

void file_join_free(struct file_join *j)
{
	if (j->map)
		munmap(j->map, j->map_len);
	*j = (struct file_join){ 0 };
}
