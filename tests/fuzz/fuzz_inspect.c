// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Arbitrary bytes, and a valid bzImage and a valid vmlinux with patches, looked into and printed: what
 * is said of places is inside the file, and every memory range is one. Then the same files exported.
 */
#include <stdio.h>
#include <string.h>

#include "arch/x86/export_image.h"
#include "arch/x86/inspect_image.h"
#include "lib_check.h"
#include "lib_elf.h"
#include "lib_image.h"
#include "report_inspect.h"

static void look_at(struct span file)
{
	struct inspect_memory memory = { 0 };
	struct arena arena = { 0 };
	struct inspection in;
	struct diag diag;
	FILE *out;

	diag_init(&diag, &arena);
	if (inspect_image(file, "file", NULL, &arena, &memory, &in, &diag) < 0) {
		CHECK(diag.id && diag.error > 0 && diag.text[0]);
	} else {
		for (size_t i = 0; i < in.n_parts; i++)
			CHECK(in.parts[i].off <= in.file_len &&
			      in.parts[i].len <= in.file_len - in.parts[i].off);
		for (size_t i = 0; i < in.n_ways; i++)
			for (size_t k = 0; k < in.ways[i].n_needs; k++)
				CHECK(in.ways[i].needs[k].name && in.ways[i].needs[k].why &&
				      in.ways[i].needs[k].align > 0);
		out = fopen("/dev/null", "w");
		CHECK(out);
		report_inspection(out, &in, 80);
		if (report_inspection_json(out, &in, &diag) < 0)
			CHECK(diag.id && strcmp(diag.id, "json/not-built") == 0);
		fclose(out);
	}
	inspect_memory_free(&memory);
	arena_free(&arena);
}

/* The same file as somebody else's: whatever comes out is as long as it says. */
static void export_it(struct span file, enum export_kind kind, uint8_t choice)
{
	static const uint8_t ramdisk[100];
	static const uint64_t bases[] = { 0x1000000, 0x2000000, 0x2000100, 0xfff00000 };
	const struct export_wish wish = { .kind = kind,
					  .payload = "elf",
					  .has_base = choice & 1,
					  .base = bases[choice >> 1 & 3],
					  .has_virt_offset = choice & 8,
					  .virt_offset = choice & 16 ? 0x200000 : choice & 32 };
	const struct request req = { .kernel = file,
				     .kernel_path = "file",
				     .cmdline = "quiet",
				     .initrd = span_of(ramdisk, choice & 64 ? sizeof(ramdisk) : 0) };
	struct export_file out = { 0 };
	struct arena arena = { 0 };
	struct diag diag;
	uint64_t len = 0;

	diag_init(&diag, &arena);
	if (export_image(&wish, &req, &arena, &out, &diag) < 0) {
		CHECK(diag.id && diag.error > 0 && diag.text[0]);
	} else {
		for (size_t i = 0; i < out.n; i++) {
			len += out.pieces[i].len;
			for (size_t k = 0; k < out.pieces[i].len; k += PAGE_LEN)
				CHECK(out.pieces[i].data[k] <= UINT8_MAX);
		}
		CHECK(len == out.len && len > 0);
	}
	unpack_buffer_free(&out.memory);
	arena_free(&arena);
}

static void use(struct span file, uint8_t choice)
{
	look_at(file);
	export_it(file, EXPORT_ELF, choice);
	export_it(file, EXPORT_BZIMAGE, 0);
	export_it(file, EXPORT_VMLINUX, 0);
}

/* Three bytes each: where, and what to put there. */
static void patch(uint8_t *file, size_t head, size_t file_len, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i + 3 <= len; i += 3) {
		size_t off = (size_t)(data[i] | data[i + 1] << 8);

		file[off < 0x8000 ? off % head : off % file_len] = data[i + 2];
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct test_load loads[] = {
		{ .paddr = 0x1000000, .vaddr = 0xffffffff81000000, .file_len = 0x800,
		  .mem_len = 0x900 },
		{ .paddr = 0x1001000, .vaddr = 0xffffffff81001000, .file_len = 0x10,
		  .mem_len = 0x10 },
	};
	static uint8_t image[TEST_IMAGE_LEN];
	struct bytes elf = { 0 }, whole = { 0 };

	look_at(span_of(data, len));
	if (len < 1)
		return 0;
	if (data[0] & 1) {
		make_bzimage(image);
		if (data[0] & 2)
			set64(image, HDR_PAYLOAD_OFFSET, 0);
		patch(image + 0x1f1, 0x80, sizeof(image) - 0x1f1, data + 1, len - 1);
		use(span_of(image, sizeof(image)), data[len / 2]);
		return 0;
	}
	make_elf_file(data[0] & 4, 0x1000000, loads, array_len(loads), &elf);
	memcpy(elf.data + TEST_ELF_LOADS_OFF, "Linux version 6", 16);
	bytes_add(&elf, "\0\0\0\0\1\0\0\201\0\0\0\0\2\0\0\201", 16);
	patch(elf.data, 0x100, elf.len, data + 1, len - 1);
	use(bytes_span(&elf), data[len / 2]);
	if (data[0] & 8) {	/* the same as a bzImage's payload, not packed */
		make_bzimage(image);
		make_bzimage_with_payload(span_of(image, sizeof(image)), bytes_span(&elf), elf.len,
					  &whole);
		use(bytes_span(&whole), data[len / 2]);
		bytes_free(&whole);
	}
	bytes_free(&elf);
	return 0;
}
