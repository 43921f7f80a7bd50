// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes as a core; and a valid core of each kind, with bytes of it changed and its end cut off as
 * the input says. Whatever comes out is bounded by what went in.
 */
#include <stdlib.h>
#include <string.h>

#include "lib_core.h"

#define PATCH_LEN	10	/* two bytes where, eight what */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool is_true)
{
	if (!is_true)
		abort();
}

static int read_span(void *context, uint64_t off, void *dst, size_t len)
{
	const struct span *bytes = context;
	bool is_inside = span_copy(*bytes, off, dst, len);

	require(is_inside);
	return 0;
}

static int count_bytes(void *context, const void *bytes, size_t len)
{
	size_t *total = context;
	const uint8_t *text = bytes;

	/* All of it must be initialised. */
	for (size_t i = 0; i < len; i++)
		*total += 1 + (text[i] == 0xff);
	return 0;
}

static void try_core(struct span bytes, struct arena *a)
{
	const struct vmcore_source source = { read_span, &bytes, bytes.len };
	size_t total = 0;
	const struct printk_sink sink = { count_bytes, &total };
	struct printk_count count;
	struct vmcore core;
	struct diag diag;

	diag_init(&diag, a);
	if (vmcore_open(&source, a, &core, &diag) < 0) {
		require(diag.id != NULL && diag.text[0] != '\0');
		return;
	}
	if (printk_log_print(&core, &sink, &count, &diag) < 0)
		require(diag.id != NULL && diag.text[0] != '\0');
	else
		require(count.n_missing == 0);
	/* A record takes at least a byte of the file; characters come in chunks. */
	require(count.n_printed + count.n_missing <= bytes.len + 4096);
	/* Texts are at most as long as the file, but for the last; each byte is four escaped. */
	require(total / 8 <= 2 * (bytes.len + 65536) + 32 * count.n_printed);
}

static void make_core(struct core *c, struct arena *a, unsigned int kind)
{
	core_init(c, a, !(kind & 1));
	kind >>= 1;
	if (kind % 3 == 0) {
		core_ring_init(c, 4, 9);
		for (int i = 0; i < 20; i++)
			core_ring_add(c, (uint64_t)i << 30, "some text of a record");
	} else if (kind % 3 == 1) {
		core_records_init(c, "printk_log", 1024);
		for (int i = 0; i < 30; i++)
			core_records_add(c, (uint64_t)i << 30, "some text of a record");
	} else {
		core_plain_init(c, 256);
		for (int i = 0; i < 30; i++)
			core_plain_add(c, "<6>some text of a record\n");
	}
	core_finish(c);
}

/* Into the headers, VMCOREINFO or the first 64 KiB of the file: all that matters is there. */
static void patch(struct core *c, const uint8_t *data, size_t len)
{
	for (; len >= PATCH_LEN; data += PATCH_LEN, len -= PATCH_LEN) {
		uint16_t off;

		memcpy(&off, data, sizeof(off));
		if ((size_t)off + 8 <= c->len)
			memcpy(c->bytes + off, data + 2, 8);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct arena a = { 0 };
	struct core c;
	uint16_t cut;

	try_core(span_of(data, len), &a);
	if (len >= 3) {
		make_core(&c, &a, data[0]);
		memcpy(&cut, data + 1, sizeof(cut));
		patch(&c, data + 3, len - 3);
		try_core(span_of(c.bytes, c.len - cut), &a);
	}
	arena_free(&a);
	return 0;
}
