// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A buffer of whole pages that mremap() enlarges: the kernel moves page tables, not bytes, and a
 * page takes no memory before something is written to it. So 125 MB of output need 125 MB.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "checked.h"
#include "unpack.h"

#define FIRST_LEN	MIB	/* of an empty buffer, when it is first asked for less */

static void *map_pages(struct unpack_buffer *buf, size_t map_len)
{
	if (buf->region) {
		void *pages = region_grow(buf->region, buf->data, buf->map_len, map_len);

		return pages ? pages : MAP_FAILED;
	}
	if (!buf->data)
		return mmap(NULL, map_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return mremap(buf->data, buf->map_len, map_len, MREMAP_MAYMOVE);
}

int unpack_buffer_reserve(struct unpack_buffer *buf, size_t len, struct diag *diag)
{
	uint64_t need;
	size_t map_len;
	void *data;

	if (!checked_add(buf->len, len, &need) || !checked_align_up(need, PAGE_LEN, &need) ||
	    need > PTRDIFF_MAX)
		return fail_nomem(diag);
	if (need <= buf->map_len)
		return 0;
	/* Half as much again, so that growing is rare; or just enough where memory is counted when it
	 * is mapped (vm.overcommit_memory = 2). */
	map_len = max_size(FIRST_LEN, buf->map_len + (size_t)align_down(buf->map_len / 2, PAGE_LEN));
	map_len = max_size(map_len, (size_t)need);
	data = map_pages(buf, map_len);
	if (data == MAP_FAILED) {
		map_len = (size_t)need;
		data = map_pages(buf, map_len);
	}
	if (data == MAP_FAILED)
		return fail_nomem(diag);
	buf->data = data;
	buf->map_len = map_len;
	return 0;
}

int unpack_buffer_append(struct unpack_buffer *buf, struct span bytes, struct diag *diag)
{
	int r = unpack_buffer_reserve(buf, bytes.len, diag);

	if (r < 0)
		return r;
	if (bytes.len > 0)
		memcpy(buf->data + buf->len, bytes.data, bytes.len);
	buf->len += bytes.len;
	return 0;
}

void unpack_buffer_trim(struct unpack_buffer *buf)
{
	size_t keep = (size_t)align_down(buf->len + PAGE_LEN - 1, PAGE_LEN);

	if (keep == 0) {
		unpack_buffer_free(buf);
	} else if (buf->region) {
		region_release(buf->region, buf->data, keep, buf->map_len);
		buf->map_len = keep;
	} else if (keep < buf->map_len && munmap(buf->data + keep, buf->map_len - keep) == 0) {
		buf->map_len = keep;
	}
}

void unpack_buffer_free(struct unpack_buffer *buf)
{
	if (buf->data && buf->region)
		region_release(buf->region, buf->data, 0, buf->map_len);
	else if (buf->data)
		munmap(buf->data, buf->map_len);
	*buf = (struct unpack_buffer){ .region = buf->region };
}
