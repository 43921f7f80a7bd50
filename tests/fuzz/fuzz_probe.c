// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unwrapping and probing of arbitrary bytes, and of a small image in two layers of which a part was
 * overwritten. What is unpacked stays within the limit, and every failure has a name.
 */
#include <string.h>

#include "lib_image.h"
#include "lib_payload.h"
#include "probe.h"

#define AVAILABLE	MIB	/* half of it is the limit */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool condition)
{
	if (!condition)
		__builtin_trap();
}

/* type: as in --type=; NULL: none */
static void probe_file(struct span file, const char *type_name)
{
	const struct image_type *type = NULL;
	struct unwrapped unwrapped;
	struct arena arena = { 0 };
	struct facts facts;
	struct request req;
	struct diag diag;
	int r;

	diag_init(&diag, &arena);
	make_facts(&facts, &arena, GIB);
	facts.ram_available = AVAILABLE;
	make_request(&req, file.data, file.len);
	req.kernel_path = "image";
	req.type = type_name;
	r = probe_unwrap(&req, &facts, &arena, &unwrapped, &diag);
	if (r == 0)
		r = probe_format(&req, &unwrapped, &type, &diag);
	must((r < 0) == (diag.id != NULL));
	must(r < 0 || type);
	for (size_t i = 0; i < unwrapped.n; i++)
		must(unwrapped.names[i] && unwrapped.memory[i].len <= AVAILABLE / 2);
	unwrapped_free(&unwrapped);
	arena_free(&arena);
}

/* One of the last layer's formats around a layer whose bytes the fuzzer changes. */
static void probe_layers(const uint8_t *data, size_t len)
{
	static const char *const formats[] = { "gzip", "bzip2", "lzma",	     "xz",
					       "lzo",  "lz4",	"lz4-frame", "zstd" };
	static uint8_t image[TEST_IMAGE_LEN];
	struct bytes inner = { 0 }, outer = { 0 };
	size_t off;

	make_bzimage(image);
	if (!pack(formats[data[0] % array_len(formats)], span_of(image, 4096), &inner))
		return;
	off = (size_t)(data[2] | data[3] << 8) % inner.len;
	memcpy(inner.data + off, data + 4, min_u64(len - 4, inner.len - off));
	if (pack(formats[data[1] % array_len(formats)], bytes_span(&inner), &outer))
		probe_file(bytes_span(&outer), NULL);
	bytes_free(&inner);
	bytes_free(&outer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const types[] = { "bzImage", "elf-x86_64", "multiboot2-x86", "uki", "x",
					     "vmlinux", "multiboot-x86" };

	probe_file(span_of(data, len), NULL);
	if (len > 0)
		probe_file(span_of(data, len), types[data[len - 1] % array_len(types)]);
	if (len > 4)
		probe_layers(data, len);
	return 0;
}
