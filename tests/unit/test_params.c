// SPDX-License-Identifier: GPL-2.0-or-later
/* The zero page, command line and setup_data of a planned bzImage, read back as a kernel would. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/boot_params.h"
#include "last.h"
#include "lib_image.h"
#include "place.h"
#include "unit.h"

static uint8_t image[TEST_IMAGE_LEN];
static struct arena arena;
static struct diag diag;
static struct facts facts;
static struct request req;
static struct plan plan;

static int fresh(void **state)
{
	(void)state;
	arena_free(&arena);
	memset(&arena, 0, sizeof(arena));
	diag_init(&diag, &arena);
	make_bzimage(image);
	/* Without a payload it is the stub that is entered. */
	set64(image, HDR_PAYLOAD_OFFSET, 0);
	make_facts(&facts, &arena, 5 * GIB);
	make_request(&req, image, sizeof(image));
	req.cmdline = "root=/dev/sda1 quiet";
	req.has_seed = true;
	memset(req.seed, 0x5a, sizeof(req.seed));
	return 0;
}

static int done(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static int try_plan(void)
{
	int r;

	plan_init(&plan, &arena);
	diag_clear(&diag);
	r = bzimage_type.plan(&req, &facts, &plan, &diag);
	if (r == 0)
		r = place(&plan, &facts, req.mem_min, req.mem_end, &diag);
	if (r == 0)
		r = bzimage_type.finish(&req, &facts, &plan, &diag);
	return r;
}

static const uint8_t *params_of_plan(void)
{
	assert_int_equal(try_plan(), 0);
	return plan_find(&plan, "params")->own;
}

static void expect_id(const char *id)
{
	assert_true(try_plan() < 0);
	assert_string_equal(diag.id, id);
}

/* The node of a type in the chain, by walking it as the kernel does; NULL if there is none. */
static const uint8_t *node_of(const uint8_t *params, uint32_t type, size_t *ret_len)
{
	const struct segment *s = plan_find(&plan, "params");
	phys_t at = at64(params, HDR_SETUP_DATA);

	for (int n = 0; at != 0; n++) {
		const uint8_t *node = params + (at - s->addr);

		assert_true(n < 10);
		assert_true(at >= s->addr && at - s->addr <= s->bytes.len - 16);
		assert_true(at32(node, 12) <= s->bytes.len - 16 - (at - s->addr));
		*ret_len = at32(node, 12);
		if (at32(node, 8) == type)
			return node + 16;
		at = at64(node, 0);
	}
	return NULL;
}

/* For the next kernel's --last; purgatory writes its marks to plan.boot_note. */
static void test_note(void **state)
{
	const uint8_t *zp, *node;
	struct boot_note note;
	size_t len = 0;

	(void)state;
	facts.release = "6.1.0-1-test";
	zp = params_of_plan();
	node = node_of(zp, SETUP_NONE, &len);
	assert_true(last_read_note(span_of(node, len), &note));
	assert_int_equal(plan.boot_note, plan_find(&plan, "params")->addr + (size_t)(node - zp));
	assert_string_equal(note.release, "6.1.0-1-test");
	assert_int_equal(note.flags | note.loaded | note.entered | note.left, 0);
	req.load_tsc = 12345;
	zp = params_of_plan();
	assert_true(last_read_note(span_of(node_of(zp, SETUP_NONE, &len), len), &note));
	assert_int_equal(note.loaded, 12345);
	set16(image, HDR_VERSION, 0x0208);	/* no setup_data */
	assert_int_equal(try_plan(), 0);
	assert_int_equal(plan.boot_note, 0);
}

static void test_header_and_pointers(void **state)
{
	static uint8_t ramdisk[3 * PAGE_LEN + 5];
	const struct segment *params, *initrd, *kernel;
	const uint8_t *zp;
	size_t len;

	(void)state;
	req.initrd = span_of(ramdisk, sizeof(ramdisk));
	zp = params_of_plan();
	params = plan_find(&plan, "params");
	initrd = plan_find(&plan, "initrd");
	kernel = plan_find(&plan, "kernel");
	assert_true(params->addr > 4 * GIB);
	assert_int_equal(at32(zp, 0x202), 0x53726448);
	assert_int_equal(at8(zp, 0x210), 0xd1);
	assert_int_equal(at8(zp, 0x211), 1);
	assert_int_equal(at8(zp, 0x1ef), 0);	/* the sentinel must not be copied */
	assert_int_equal(at32(zp, 0x260), TEST_INIT_SIZE);
	assert_int_equal(at32(zp, 0x218) | (uint64_t)at32(zp, 0x0c0) << 32, initrd->addr);
	assert_int_equal(at32(zp, 0x21c) | (uint64_t)at32(zp, 0x0c4) << 32, sizeof(ramdisk));
	assert_int_equal(at32(zp, 0x228) | (uint64_t)at32(zp, 0x0c8) << 32, plan.cmdline_addr);
	assert_string_equal((const char *)zp + (plan.cmdline_addr - params->addr), req.cmdline);
	assert_true(params->bytes.len - (plan.cmdline_addr - params->addr) >= 2048);
	assert_int_equal(at64(zp, 0x70), facts.rsdp);
	assert_int_equal(plan.jump_arg, params->addr);
	assert_int_equal(plan.jump_entry, kernel->addr + 0x200);
	assert_non_null(node_of(zp, SETUP_RNG_SEED, &len));
	assert_memory_not_equal(node_of(zp, SETUP_RNG_SEED, &len), req.seed, SEED_LEN);
	assert_int_equal(len, SEED_LEN);
	assert_null(node_of(zp, SETUP_EFI, &len));
	assert_null(node_of(zp, SETUP_E820_EXT, &len));
}

static void test_e820(void **state)
{
	const uint8_t *zp = params_of_plan();

	(void)state;
	assert_int_equal(at8(zp, 0x1e8), 5);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(at64(zp, 0x2d0 + 20 * i), facts.map[i].range.start);
		assert_int_equal(at64(zp, 0x2d8 + 20 * i), range_len(facts.map[i].range));
		assert_int_equal(at32(zp, 0x2e0 + 20 * i), facts.map[i].type);
	}
	assert_int_equal(at32(zp, 0x1e0), (3 * GIB - 0x20000 - MIB) / KIB);
	assert_int_equal(at16(zp, 0x002), 0xfc00);
}

static void make_big_map(size_t n)
{
	struct mem_entry *map = arena_alloc_array(&arena, n, sizeof(*map));

	for (size_t i = 0; i < n; i++)
		map[i] = (struct mem_entry){ { i * MIB, i * MIB + 0x80000 },
					     i % 2 ? MEM_RESERVED : MEM_RAM };
	map[n - 1].range = (struct range){ n * MIB, 5 * GIB };
	map[n - 1].type = MEM_RAM;
	facts.map = map;
	facts.n_map = n;
}

static void test_more_than_128_entries(void **state)
{
	static const size_t counts[] = { 127, 128, 129, 300, 5000 };
	size_t len;

	(void)state;
	for (size_t i = 0; i < array_len(counts); i++) {
		const uint8_t *zp, *ext;
		size_t n_ext = counts[i] > 128 ? counts[i] - 128 : 0;

		make_big_map(counts[i]);
		zp = params_of_plan();
		assert_int_equal(at8(zp, 0x1e8), counts[i] - n_ext);
		ext = node_of(zp, SETUP_E820_EXT, &len);
		if (n_ext == 0) {
			assert_null(ext);
			continue;
		}
		assert_int_equal(len, n_ext * 20);
		for (size_t k = 0; k < n_ext; k++)
			assert_int_equal(at64(ext, 20 * k), facts.map[128 + k].range.start);
	}
	set16(image, HDR_VERSION, 0x0208);	/* no setup_data: said, not lost in silence */
	assert_int_equal(at8(params_of_plan(), 0x1e8), 128);
	assert_non_null(diag_find_note(&diag, "params/e820-cut"));
}

static void test_a_lonely_entry_is_cut_in_two(void **state)
{
	const uint8_t *zp;

	(void)state;
	facts.n_map = 1;
	facts.map = &facts.map[2];
	zp = params_of_plan();
	assert_int_equal(at8(zp, 0x1e8), 2);
	assert_int_equal(at64(zp, 0x2d0), MIB);
	assert_int_equal(at64(zp, 0x2d0) + at64(zp, 0x2d8), at64(zp, 0x2d0 + 20));
	assert_int_equal(at64(zp, 0x2d0 + 20) + at64(zp, 0x2d8 + 20), 3 * GIB - 0x20000);
	facts.n_map = 0;
	expect_id("params/no-memory-map");
}

static void make_efi(struct efi_runtime_entry map[2])
{
	map[0] = (struct efi_runtime_entry){ 6, 0x7f000000, 0xfffffffef0000000, 16,
					     0x800000000000000f };
	map[1] = (struct efi_runtime_entry){ 5, 0x7f100000, 0xfffffffef0100000, 4, 15 };
	facts.efi = (struct efi_facts){
		.is_booted = true,
		.bits = 64,
		.fw_vendor = 0x7f001000,
		.runtime = 0x7f002000,
		.config_table = 0x7f003000,
		.smbios = 0x7f004000,
		.has_systab = true,
		.map = map,
		.n_map = 2,
	};
	memcpy(facts.boot_params + 0x1c0, "EL64", 4);
	set32(facts.boot_params, 0x1c4, 0x7f005000);
	set32(facts.boot_params, 0x1d8, 1);
	set32(facts.boot_params, 0x1cc, 1);
}

static void test_efi_is_carried_over(void **state)
{
	struct efi_runtime_entry map[2];
	const uint8_t *zp, *efi, *none;
	size_t len, map_len;

	(void)state;
	make_efi(map);
	zp = params_of_plan();
	efi = node_of(zp, SETUP_EFI, &len);
	none = node_of(zp, SETUP_NONE, &map_len);
	assert_non_null(efi);
	assert_non_null(none);
	assert_int_equal(len, 96);
	assert_int_equal(map_len, 80);
	assert_int_equal(at64(efi, 0), 0x7f001000);
	assert_int_equal(at64(efi, 8), 0x7f002000);
	assert_int_equal(at64(efi, 16), 0x7f003000);
	assert_int_equal(at64(efi, 24), 0x7f004000);
	assert_memory_equal(zp + 0x1c0, "EL64", 4);
	assert_int_equal(at32(zp, 0x1c4) | (uint64_t)at32(zp, 0x1d8) << 32, 0x17f005000);
	assert_int_equal(at32(zp, 0x1c8), 40);
	assert_int_equal(at32(zp, 0x1cc), 1);
	assert_int_equal(at32(zp, 0x1d4), 80);
	assert_int_equal(at32(zp, 0x1d0) | (uint64_t)at32(zp, 0x1dc) << 32,
			 plan_find(&plan, "params")->addr + (phys_t)(none - zp));
	assert_int_equal(at64(none, 8), map[0].phys);
	assert_int_equal(at64(none, 16), map[0].virt);
	assert_int_equal(at64(none, 40 + 24), map[1].n_pages);
	assert_int_equal(at64(none, 32), map[0].attribute);
}

/* Each missing piece drops all of it, with a warning, and leaves no half of it behind. */
static void test_efi_is_dropped_whole(void **state)
{
	struct efi_runtime_entry map[2];

	(void)state;
	for (int missing = 0; missing < 8; missing++) {
		const uint8_t *zp;
		size_t len;

		fresh(NULL);
		make_efi(map);
		if (missing == 0)
			facts.efi.bits = 32;
		if (missing == 1)
			facts.efi.n_map = 0;
		if (missing == 2)
			facts.efi.fw_vendor = 0;
		if (missing == 3)
			facts.efi.has_systab = false;
		if (missing == 4)
			memcpy(facts.boot_params + 0x1c0, "EL32", 4);
		if (missing == 5)
			set16(image, HDR_XLOADFLAGS, 0x6f);
		if (missing == 6)
			set32(facts.boot_params, 0x1cc, 2);
		if (missing == 7)
			facts.has_boot_params = false;
		zp = params_of_plan();
		assert_null(node_of(zp, SETUP_EFI, &len));
		assert_int_equal(at32(zp, 0x1c0), 0);
		assert_non_null(diag_find_note(&diag, "params/efi-dropped"));
		arena_free(&arena);
	}
	fresh(NULL);
	make_efi(map);
	req.no_efi = true;
	assert_int_equal(at32(params_of_plan(), 0x1c0), 0);
	assert_null(diag_find_note(&diag, "params/efi-dropped"));
	facts.efi.is_booted = false;
	assert_int_equal(at32(params_of_plan(), 0x1c0), 0);
	assert_non_null(diag_find_note(&diag, "params/no-efi"));
}

static void test_display(void **state)
{
	const uint8_t *zp;

	(void)state;
	memset(facts.boot_params, 0x11, 0x40);
	facts.boot_params[0x0f] = 0x70;
	zp = params_of_plan();
	assert_int_equal(at8(zp, 0x0f), 0x70);
	assert_int_equal(at8(zp, 0x3f), 0x11);
	facts.display = DISPLAY_NATIVE;
	facts.display_driver = "i915";
	zp = params_of_plan();
	assert_int_equal(at8(zp, 0x0f), 0);
	assert_int_equal(at8(zp, 0x3f), 0);
	assert_non_null(diag_find_note(&diag, "params/display-cleared"));
	assert_non_null(strstr(diag_find_note(&diag, "params/display-cleared")->text, "i915"));
}

static void test_display_reused(void **state)
{
	const uint8_t *zp;

	(void)state;
	memset(facts.boot_params, 0x11, 0x40);
	facts.boot_params[0x0f] = 0x70;
	facts.display = DISPLAY_NATIVE;
	req.reuse_video_type = true;
	zp = params_of_plan();
	assert_int_equal(at8(zp, 0x0f), 0x70);
	assert_int_equal(at8(zp, 0x3f), 0x11);
	assert_null(diag_find_note(&diag, "params/display-cleared"));
}

static void test_device_tree(void **state)
{
	uint8_t tree[48] = { 0xd0, 0x0d, 0xfe, 0xed, 0, 0, 0, 44 };
	const uint8_t *node;
	size_t len;

	(void)state;
	tree[43] = 0x77;
	req.dtb = span_of(tree, sizeof(tree));
	node = node_of(params_of_plan(), SETUP_DTB, &len);
	assert_non_null(node);
	assert_int_equal(len, sizeof(tree));
	assert_memory_equal(node, tree, sizeof(tree));
	tree[7] = 49;
	expect_id("params/device-tree-truncated");
	tree[0] = 0xd1;
	expect_id("params/no-device-tree");
	tree[0] = 0xd0;
	req.dtb.len = 7;
	expect_id("params/no-device-tree");
	tree[7] = 48;
	req.dtb.len = sizeof(tree);
	assert_int_equal(try_plan(), 0);
	set16(image, HDR_VERSION, 0x0208);
	expect_id("params/no-setup-data");
}

static void test_nothing_else_is_inherited(void **state)
{
	const uint8_t *zp;

	(void)state;
	memset(facts.boot_params, 0xcc, BOOT_PARAMS_LEN);
	facts.display = DISPLAY_NATIVE;
	zp = params_of_plan();
	/* 0xcc is no valid count, so EDD is left out too: nothing of the old page may show. */
	for (size_t off = 0; off < 0x1ef; off++)
		assert_true(zp[off] != 0xcc || (off >= 0x70 && off < 0x78));
	for (size_t off = 0x26c; off < 0x2d0; off++)
		assert_int_equal(zp[off], 0);
	for (size_t off = 0xd00; off < 0xeec; off++)
		assert_int_equal(zp[off], 0);
	assert_int_equal(at32(zp, 0x23c), 0);
}

static void test_edd_secure_boot_and_subarch(void **state)
{
	const uint8_t *zp;

	(void)state;
	facts.boot_params[0x1e9] = 6;
	facts.boot_params[0x1ea] = 16;
	memset(facts.boot_params + 0xd00, 0xed, 6 * 82);
	memset(facts.boot_params + 0x290, 0xee, 64);
	facts.boot_params[0x1ec] = 3;
	set32(facts.boot_params, 0x23c, 3);
	zp = params_of_plan();
	assert_int_equal(zp[0x1e9], 6);
	assert_int_equal(zp[0xd00 + 6 * 82 - 1], 0xed);
	assert_int_equal(zp[0x1ea], 16);
	assert_int_equal(zp[0x2cf], 0xee);
	assert_int_equal(zp[0x1ec], 3);
	assert_int_equal(at32(zp, 0x23c), 3);
	set32(facts.boot_params, 0x23c, 2);	/* Xen: not of the machine */
	assert_int_equal(at32(params_of_plan(), 0x23c), 0);
}

static void test_command_line_limits(void **state)
{
	static char line[4096];

	(void)state;
	memset(line, 'x', 2047);
	req.cmdline = line;
	assert_int_equal(try_plan(), 0);
	line[2047] = 'x';
	expect_id("params/cmdline-too-long");
	assert_true(diag.advice[0] != '\0');
	set32(image, HDR_CMDLINE_SIZE, 4000);
	assert_int_equal(try_plan(), 0);
	assert_int_equal(strlen((const char *)plan_find(&plan, "params")->own +
				(plan.cmdline_addr - plan_find(&plan, "params")->addr)), 2048);
}

static void test_entries(void **state)
{
	const struct segment *kernel;

	(void)state;
	req.enter = ENTER_32;
	assert_int_equal(try_plan(), 0);
	kernel = plan_find(&plan, "kernel");
	assert_int_equal(plan.jump_mode, JUMP_32);
	assert_int_equal(plan.jump_entry, kernel->addr);
	assert_true(kernel->addr + kernel->reserve_len <= 4 * GIB);
	assert_true(plan_find(&plan, "params")->addr < 4 * GIB);
	req.enter = ENTER_AUTO;
	facts.cpu.is_la57_on = true;
	assert_int_equal(try_plan(), 0);
	assert_int_equal(plan.jump_mode, JUMP_64);
	set16(image, HDR_XLOADFLAGS, 0x1f);
	assert_int_equal(try_plan(), 0);
	assert_int_equal(plan.jump_mode, JUMP_32);
	assert_non_null(diag_find_note(&diag, "bzimage/entered-by-32"));
	req.enter = ENTER_64;
	expect_id("bzimage/no-5-level");
	facts.cpu.is_la57_on = false;
	assert_int_equal(try_plan(), 0);
	set16(image, HDR_XLOADFLAGS, 0);
	expect_id("bzimage/no-64-bit-entry");
	make_bzimage(image);
	set64(image, HDR_PAYLOAD_OFFSET, 0);
	facts.cpu.has_long_mode = false;
	req.enter = ENTER_AUTO;
	expect_id("bzimage/cpu-is-32-bit");
}

static void test_below_4_gib_unless_the_image_says_so(void **state)
{
	(void)state;
	set16(image, HDR_XLOADFLAGS, XLF_KERNEL_64);
	assert_int_equal(try_plan(), 0);
	assert_int_equal(plan.jump_mode, JUMP_64);
	for (size_t i = 0; i < plan.n_segments; i++)
		assert_true(plan.segments[i].addr + plan.segments[i].reserve_len <= 4 * GIB);
}

static void test_i386(void **state)
{
	static uint8_t ramdisk[PAGE_LEN];
	const struct segment *kernel, *initrd;

	(void)state;
	make_bzimage_32(image);
	set64(image, HDR_PAYLOAD_OFFSET, 0);
	set32(image, HDR_INITRD_ADDR_MAX, 0x37ffffff);
	req.initrd = span_of(ramdisk, sizeof(ramdisk));
	assert_int_equal(try_plan(), 0);
	kernel = plan_find(&plan, "kernel");
	initrd = plan_find(&plan, "initrd");
	assert_int_equal(plan.jump_mode, JUMP_32);
	assert_int_equal(kernel->addr, 0x1000000);
	assert_int_equal(initrd->addr + initrd->mem_len, 0x38000000);
}

static void test_fixed_address(void **state)
{
	(void)state;
	set8(image, HDR_RELOCATABLE_KERNEL, 0);
	assert_int_equal(try_plan(), 0);
	assert_int_equal(plan_find(&plan, "kernel")->addr, 0x1000000);
	assert_non_null(diag_find_note(&diag, "bzimage/fixed-address"));
	set64(image, HDR_PREF_ADDRESS, 3 * GIB);
	expect_id("place/no-hole");
	set64(image, HDR_PREF_ADDRESS, 0x8000);
	expect_id("bzimage/fixed-address-low");
	make_bzimage(image);
	set64(image, HDR_PAYLOAD_OFFSET, 0);
	set16(image, HDR_VERSION, 0x0204);	/* before relocatable kernels */
	assert_int_equal(try_plan(), 0);
	assert_int_equal(plan_find(&plan, "kernel")->addr, MIB);
	assert_int_equal(plan.jump_mode, JUMP_32);
	assert_int_equal(at64(plan_find(&plan, "params")->own, HDR_SETUP_DATA),
			 at64(image, HDR_SETUP_DATA));
}

static void test_equal_input_equal_plan(void **state)
{
	uint8_t *first;
	size_t len;

	(void)state;
	assert_int_equal(try_plan(), 0);
	first = plan_find(&plan, "params")->own;
	len = plan_find(&plan, "params")->bytes.len;
	assert_int_equal(try_plan(), 0);
	assert_memory_equal(plan_find(&plan, "params")->own, first, len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_header_and_pointers, fresh, done),
		cmocka_unit_test_setup_teardown(test_note, fresh, done),
		cmocka_unit_test_setup_teardown(test_e820, fresh, done),
		cmocka_unit_test_setup_teardown(test_more_than_128_entries, fresh, done),
		cmocka_unit_test_setup_teardown(test_a_lonely_entry_is_cut_in_two, fresh, done),
		cmocka_unit_test_setup_teardown(test_efi_is_carried_over, fresh, done),
		cmocka_unit_test_setup_teardown(test_efi_is_dropped_whole, fresh, done),
		cmocka_unit_test_setup_teardown(test_display, fresh, done),
		cmocka_unit_test_setup_teardown(test_display_reused, fresh, done),
		cmocka_unit_test_setup_teardown(test_device_tree, fresh, done),
		cmocka_unit_test_setup_teardown(test_nothing_else_is_inherited, fresh, done),
		cmocka_unit_test_setup_teardown(test_edd_secure_boot_and_subarch, fresh, done),
		cmocka_unit_test_setup_teardown(test_command_line_limits, fresh, done),
		cmocka_unit_test_setup_teardown(test_entries, fresh, done),
		cmocka_unit_test_setup_teardown(test_below_4_gib_unless_the_image_says_so, fresh,
						done),
		cmocka_unit_test_setup_teardown(test_i386, fresh, done),
		cmocka_unit_test_setup_teardown(test_fixed_address, fresh, done),
		cmocka_unit_test_setup_teardown(test_equal_input_equal_plan, fresh, done),
	};

	return cmocka_run_group_tests_name("params", tests, NULL, NULL);
}
