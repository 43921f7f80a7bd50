// SPDX-License-Identifier: GPL-2.0-or-later
/* A plan for each kind of image, when memory is short from the n-th allocation on, or for that
 * alone. */
#include <errno.h>
#include <string.h>

#include "elf_note.h"
#include "lib_elf.h"
#include "lib_image.h"
#include "lib_plan.h"
#include "lib_safe.h"
#include "unit.h"
#include "wire/multiboot.h"
#include "wire/pvh.h"

#define PADDR		UINT64_C(0x1000000)
#define VADDR		UINT64_C(0xffffffff81000000)
#define LOAD_LEN	0x5000
#define NOTES_OFF	(TEST_ELF_LOADS_OFF + 0x1000)

static uint8_t ramdisk[PAGE_LEN + 7];

static void make_64(struct bytes *file)
{
	uint8_t image[TEST_IMAGE_LEN];

	make_bzimage(image);
	bytes_add(file, image, sizeof(image));
}

static void make_32(struct bytes *file)
{
	uint8_t image[TEST_IMAGE_LEN];

	make_bzimage_32(image);
	bytes_add(file, image, sizeof(image));
}

/* One that can be entered by PVH, and whose lists of relocations have nothing in them. */
static void make_vmlinux(struct bytes *file)
{
	const struct test_load load = { PADDR, VADDR, LOAD_LEN, 2 * LOAD_LEN, 1 };
	const uint64_t entry = PADDR + 0x850;
	uint8_t *at;

	make_elf_file(true, PADDR + 0x123, &load, 1, file);
	at = file->data + NOTES_OFF;
	memset(at, 0, 0x100);
	put_elf_note(&at, "Xen", XEN_NOTE_PHYS32_ENTRY, &entry, 8);
	elf_add_notes(true, 1, NOTES_OFF, (size_t)(at - file->data) - NOTES_OFF, file);
	memcpy(file->data + TEST_ELF_LOADS_OFF + 0x800, "Linux version 6.1.0", 20);
}

static void make_packed(struct bytes *file)
{
	struct bytes vmlinux = { 0 }, payload = { 0 };
	uint8_t image[TEST_IMAGE_LEN];

	make_vmlinux(&vmlinux);
	bytes_add_zeros(&vmlinux, 3 * sizeof(uint32_t));
	assert_true(pack_payload("gzip", bytes_span(&vmlinux), &payload));
	make_bzimage(image);
	make_bzimage_with_payload(span_of(image, sizeof(image)), bytes_span(&payload), vmlinux.len,
				  file);
	bytes_free(&payload);
	bytes_free(&vmlinux);
}

static void make_multiboot(struct bytes *file)
{
	const struct test_load load = { PADDR, PADDR, LOAD_LEN, 2 * LOAD_LEN, 1 };
	const struct multiboot_header h = { .magic = MULTIBOOT_HEADER_MAGIC,
					    .checksum = 0U - MULTIBOOT_HEADER_MAGIC };

	make_elf_file(false, PADDR + 0x123, &load, 1, file);
	memcpy(file->data + TEST_ELF_LOADS_OFF, &h, sizeof(h));
}

static const struct kind {
	const char *name;
	void (*make)(struct bytes *file);
	enum enter enter;
} kinds[] = {
	{ "bzImage by its 64-bit entry", make_64, ENTER_64 },
	{ "bzImage by its 32-bit entry", make_64, ENTER_32 },
	{ "32-bit bzImage", make_32, ENTER_32 },
	{ "bzImage, unpacked", make_packed, ENTER_DIRECT },
	{ "bzImage by PVH", make_packed, ENTER_PVH },
	{ "vmlinux", make_vmlinux, ENTER_AUTO },
	{ "vmlinux by PVH", make_vmlinux, ENTER_PVH },
	{ "Multiboot", make_multiboot, ENTER_AUTO },
};

/* The number of allocations that it took, whatever it came to. */
static size_t plan_it(const struct kind *k, struct span file, size_t fail_at, bool fails_once,
		      const char **ret, uint8_t ret_hash[SHA256_LEN])
{
	struct arena machine = { 0 };
	struct arena arena = { .fail_at = fail_at, .fails_once = fails_once };
	struct facts facts;
	struct request req;
	struct plan plan;
	struct diag diag;
	size_t n;

	make_facts(&facts, &machine, 5 * GIB);
	make_request(&req, file.data, file.len);
	req.kernel_path = "image";
	req.cmdline = "console=ttyS0";
	req.enter = k->enter;
	if (k->make != make_multiboot)
		req.initrd = span_of(ramdisk, sizeof(ramdisk));
	diag_init(&diag, &arena);
	*ret = plan_result(&req, &facts, &arena, &plan, &diag);
	if (strcmp(*ret, "ok") != 0 && (fail_at == 0 || diag.error != ENOMEM))
		print_error("%s, allocation %zu: %s (%s)\n", k->name, fail_at, *ret, diag.text);
	if (strcmp(*ret, "ok") == 0)
		hash_plan(&plan, ret_hash);
	n = arena.n_allocations;
	arena_free(&arena);
	arena_free(&machine);
	return n;
}

static void test_plans(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_len(kinds); i++) {
		struct bytes file = { 0 };
		uint8_t whole[SHA256_LEN], found[SHA256_LEN];
		const char *result;
		size_t n;

		kinds[i].make(&file);
		n = plan_it(&kinds[i], bytes_span(&file), 0, false, &result, whole);
		assert_string_equal(result, "ok");
		assert_true(n > 3);
		for (size_t at = 1; at <= 2 * n; at++) {
			plan_it(&kinds[i], bytes_span(&file), (at + 1) / 2, at % 2, &result,
				found);
			/* What is only said of a plan may be missing, if that alone failed. */
			if (strcmp(result, "ok") == 0 && at % 2)
				assert_memory_equal(found, whole, SHA256_LEN);
			else
				assert_string_equal(result, "memory/exhausted");
		}
		bytes_free(&file);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
