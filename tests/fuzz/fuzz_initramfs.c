// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An initrd of arbitrary bytes, and one of small members that the bytes choose. Members lie in order
 * inside it; what was unpacked is a plain initrd itself, and stays what it is when unpacked again.
 */
#include <string.h>

#include "initramfs.h"
#include "lib_payload.h"

#define MAX_LEN	(512 * KIB)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool condition)
{
	if (!condition)
		__builtin_trap();
}

static void check(struct span initrd, const struct initramfs *i)
{
	uint64_t end = 0, plain_len = 0;

	must(i->n_members <= INITRAMFS_MEMBERS_MAX && i->n_packed <= i->n_members);
	must((i->n_packed == 0) == (i->plain.data == NULL));
	for (size_t n = 0; n < i->n_members; n++) {
		must(i->members[n].off >= end && i->members[n].len > 0);
		end = i->members[n].off + i->members[n].len;
		plain_len += i->members[n].plain_len;
	}
	must(end <= initrd.len && i->plain.len <= MAX_LEN);
	must(i->n_packed == 0 || i->plain.len >= plain_len);
}

static void unpack(struct span initrd)
{
	struct initramfs i = { 0 }, again = { 0 };
	struct arena arena = { 0 };
	struct diag diag;

	diag_init(&diag, &arena);
	if (initramfs_unpack(initrd, MAX_LEN, &arena, &i, &diag) == 0) {
		check(initrd, &i);
		if (i.n_packed > 0 &&
		    initramfs_unpack(span_of(i.plain.data, i.plain.len), MAX_LEN, &arena, &again,
				     &diag) == 0)
			must(again.n_packed == 0);
		/* Only a packed member of many archives can be too many when they are plain. */
		must(!diag.id || strcmp(diag.id, "initramfs/too-many-members") == 0);
	} else {
		must(diag.id != NULL);
	}
	initramfs_free(&i);
	arena_free(&arena);
}

/* Each byte chooses a piece; the rest of the input is what files contain. */
static void make_initrd(const uint8_t *data, size_t len, struct bytes *b)
{
	static const char *const formats[] = { "gzip", "lz4", "zstd", "xz", "lzo" };
	static const char *const names[] = { "init", "kernel/x86/microcode/x.bin", "TRAILER!!!", "" };
	struct bytes inner = { 0 };

	for (size_t i = 0; i < len && i < 24; i++) {
		const char *name = names[data[i] >> 3 & 3];
		size_t body_len = min_u64(data[i] >> 5, len - i);

		switch (data[i] & 7) {
		case 0:
			bytes_add_zeros(b, data[i] >> 3);
			break;
		case 1:
			bytes_align(b, 4);
			break;
		case 2:
		case 3:
			cpio_add(b, name, data + i, body_len);
			break;
		case 4:
			cpio_add(&inner, name, data + i, body_len);
			break;
		case 5:
			bytes_add_zeros(&inner, data[i] >> 3);
			break;
		case 6:
			bytes_add(b, data + i, body_len);
			break;
		default:
			pack(formats[(data[i] >> 3) % array_len(formats)], bytes_span(&inner), b);
			inner.len = 0;
		}
	}
	bytes_free(&inner);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct bytes b = { 0 };

	unpack(span_of(data, len));
	make_initrd(data, len, &b);
	unpack(bytes_span(&b));
	bytes_free(&b);
	return 0;
}
