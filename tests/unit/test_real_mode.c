// SPDX-License-Identifier: GPL-2.0-or-later
/* The real mode entry: what the setup code will find, and who does not get there. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/boot_params.h"
#include "handoff.h"
#include "boot_note.h"
#include "lib_image.h"
#include "place.h"
#include "unit.h"

static uint8_t image[TEST_IMAGE_LEN], ramdisk[PAGE_LEN + 7];
static struct arena arena;
static struct diag diag;
static struct facts facts;
static struct request req;
static struct plan plan;

static int fresh(void **state)
{
	(void)state;
	memset(&arena, 0, sizeof(arena));
	diag_init(&diag, &arena);
	make_bzimage(image);
	make_facts(&facts, &arena, 5 * GIB);
	make_request(&req, image, sizeof(image));
	req.cmdline = "root=/dev/sda1 quiet";
	req.enter = ENTER_16;
	req.initrd = span_of(ramdisk, sizeof(ramdisk));
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

static const struct segment *setup_of_plan(void)
{
	assert_int_equal(try_plan(), 0);
	return plan_find(&plan, "setup");
}

static void expect_id(const char *id)
{
	assert_true(try_plan() < 0);
	assert_string_equal(diag.id, id);
}

static void test_plan_of_the_jump(void **state)
{
	const struct segment *setup = setup_of_plan();

	(void)state;
	assert_int_equal(plan.jump_mode, JUMP_16);
	assert_string_equal(plan.entry_name, "16");
	assert_int_equal(plan.jump_arg, setup->addr);
	assert_int_equal(plan.jump_entry, setup->addr + 0x200);
	assert_int_equal(setup->addr, 0x10000);
	assert_true(setup->addr + setup->mem_len <= 0x9a000);
	assert_true(setup->is_digested);
	assert_true(setup->bytes.len > HANDOFF_REAL_LEN);
	assert_null(plan_find(&plan, "params"));
	assert_int_equal(plan.n_e820, 0);
	for (size_t i = 0; i < plan.n_segments; i++)
		assert_true(plan.segments[i].addr + plan.segments[i].reserve_len <= 4 * GIB);
}

static void test_header(void **state)
{
	const struct segment *setup, *kernel, *initrd;
	const uint8_t *p;

	(void)state;
	set16(image, HDR_VID_MODE, 0xffff);
	memset(image + 0x270, 0xc3, 16);
	setup = setup_of_plan();
	p = setup->own;
	kernel = plan_find(&plan, "kernel");
	initrd = plan_find(&plan, "initrd");
	/* The code is the file's own. */
	assert_memory_equal(p, image, HDR_TYPE_OF_LOADER);
	assert_memory_equal(p + 0x26c, image + 0x26c, TEST_SETUP_LEN - 0x26c);
	assert_int_equal(at8(p, 0x210), 0xd1);
	assert_int_equal(at8(p, 0x211), 0x81);	/* LOADED_HIGH, CAN_USE_HEAP */
	assert_int_equal(at32(p, 0x214), kernel->addr);
	assert_int_equal(at32(p, 0x218), initrd->addr);
	assert_int_equal(at32(p, 0x21c), sizeof(ramdisk));
	assert_int_equal(at16(p, 0x224), 0xde00);
	assert_int_equal(at32(p, 0x228), plan.cmdline_addr);
	assert_int_equal(plan.cmdline_addr, setup->addr + 0x10000);
	assert_string_equal((const char *)p + 0x10000, req.cmdline);
	assert_true(setup->bytes.len - 0x10000 >= 2048);
	assert_memory_equal(kernel->bytes.data, image + TEST_SETUP_LEN, TEST_KERNEL_LEN);
	/* Heap, stack and trampoline begin empty. */
	for (size_t i = TEST_SETUP_LEN; i < 0x10000; i++)
		assert_int_equal(p[i], 0);
}

static void test_without_initrd(void **state)
{
	const struct segment *setup;

	(void)state;
	req.initrd = span_of(NULL, 0);
	set32(image, HDR_RAMDISK_IMAGE, 0x12345678);
	set32(image, HDR_RAMDISK_SIZE, 0x1234);
	setup = setup_of_plan();
	assert_int_equal(at32(setup->own, 0x218) | at32(setup->own, 0x21c), 0);
	assert_null(plan_find(&plan, "initrd"));
}

/* The note's node comes first, then the seed's. */
static void test_seed(void **state)
{
	const size_t seed_off = 16 + sizeof(struct boot_note);
	const struct segment *setup = setup_of_plan();
	uint64_t node = at64(setup->own, HDR_SETUP_DATA);

	(void)state;
	assert_true(is_aligned(node, 16));
	assert_true(node >= plan.cmdline_addr + 2048);
	assert_int_equal(node - setup->addr + seed_off + 16 + SEED_LEN, setup->bytes.len);
	assert_int_equal(plan.boot_note, node + 16);
	node -= setup->addr;
	assert_int_equal(at64(setup->own, node), setup->addr + node + seed_off);
	assert_int_equal(at32(setup->own, node + 8), SETUP_NONE);
	assert_int_equal(at32(setup->own, node + 12), sizeof(struct boot_note));
	assert_int_equal(at64(setup->own, node + 16), BOOT_NOTE_MAGIC);
	node += seed_off;
	assert_int_equal(at64(setup->own, node), 0);
	assert_int_equal(at32(setup->own, node + 8), SETUP_RNG_SEED);
	assert_int_equal(at32(setup->own, node + 12), SEED_LEN);
	assert_memory_not_equal(setup->own + node + 16, req.seed, SEED_LEN);
	req.has_seed = false;
	setup = setup_of_plan();
	node = at64(setup->own, HDR_SETUP_DATA) - setup->addr;
	assert_int_equal(at64(setup->own, node), 0);
	assert_int_equal(node + seed_off, setup->bytes.len);
	req.has_seed = true;
	set16(image, HDR_VERSION, 0x0208);	/* before setup_data: what is there is code */
	assert_memory_equal(setup_of_plan()->own + HDR_SETUP_DATA, image + HDR_SETUP_DATA, 8);
}

static void test_command_line(void **state)
{
	static char line[9000];

	(void)state;
	memset(line, 'x', 2047);
	req.cmdline = line;
	assert_int_equal(strlen((const char *)setup_of_plan()->own + 0x10000), 2047);
	line[2047] = 'x';
	expect_id("params/cmdline-too-long");
	set32(image, HDR_CMDLINE_SIZE, sizeof(line));
	memset(line, 'x', sizeof(line) - 1);
	assert_int_equal(strlen((const char *)setup_of_plan()->own + 0x10000), sizeof(line) - 1);
	assert_true(at64(plan_find(&plan, "setup")->own, HDR_SETUP_DATA) >=
		    plan.cmdline_addr + sizeof(line));
}

static void test_video_mode(void **state)
{
	static const struct {
		const char *cmdline;
		uint16_t mode;	/* 0: refused */
	} v[] = {
		{ "", 0x1234 }, { "vga=normal", 0xffff }, { "vga=ext quiet", 0xfffe },
		{ "a vga=ask", 0xfffd }, { "vga=791", 791 }, { "vga=0x317", 0x317 },
		{ "vga=1 vga=2", 2 }, { "xvga=1", 0x1234 }, { "vga=", 0 }, { "vga=nor", 0 },
		{ "vga=normally", 0 }, { "vga=65536", 0 }, { "vga=-1", 0 }, { "vga=1x", 0 },
		{ "vga= 1", 0 }, { "vga=0", 0xff },
	};

	(void)state;
	for (size_t i = 0; i < array_len(v); i++) {
		set16(image, HDR_VID_MODE, 0x1234);
		req.cmdline = v[i].cmdline;
		if (v[i].mode == 0)
			expect_id("real-mode/vga");
		else
			assert_int_equal(at16(setup_of_plan()->own, HDR_VID_MODE),
					 v[i].mode == 0xff ? 0 : v[i].mode);
	}
}

static void test_disks(void **state)
{
	(void)state;
	assert_int_equal(try_plan(), 0);
	assert_non_null(diag_find_note(&diag, "real-mode/edd"));
	assert_true(diag_find_note(&diag, "real-mode/edd")->is_warning);
	diag_init(&diag, &arena);
	req.cmdline = "quiet edd=skipmbr";
	assert_int_equal(try_plan(), 0);
	assert_null(diag_find_note(&diag, "real-mode/edd"));
}

static void test_no_bios(void **state)
{
	(void)state;
	facts.efi.is_booted = true;
	expect_id("real-mode/no-bios");
	assert_true(diag.advice[0] != '\0');
	facts.efi.is_booted = false;
	memcpy(facts.boot_params + 0x1c0, "EL64", 4);
	expect_id("real-mode/no-bios");
	memset(facts.boot_params + 0x1c0, 0, 4);
	set32(facts.boot_params, HDR_HARDWARE_SUBARCH, 3);
	expect_id("subarch/entry");
	set32(facts.boot_params, HDR_HARDWARE_SUBARCH, 7);
	expect_id("real-mode/no-bios");
	facts.has_boot_params = false;
	assert_int_equal(try_plan(), 0);
	facts.rsdp = 0x7fb00014;
	expect_id("real-mode/no-bios");
	facts.rsdp = 0;
	facts.cpu.is_confidential_guest = true;
	expect_id("real-mode/no-bios");
}

static void test_limits(void **state)
{
	(void)state;
	req.is_crash = true;
	expect_id("real-mode/crash");
	req.is_crash = false;
	req.dtb = span_of("\xd0\x0d\xfe\xed", 4);
	expect_id("real-mode/device-tree");
	req.dtb = span_of(NULL, 0);
	req.mem_min = 0x10000;
	assert_int_equal(try_plan(), 0);
	req.mem_min = 16 * MIB;
	expect_id("real-mode/mem-min");
	req.mem_min = 0;
	facts.low_ram.n = 0;
	expect_id("place/no-hole");
	assert_int_equal(range_list_add(&facts.low_ram, (struct range){ 0x10000, 0x20000 }), 0);
	expect_id("place/no-hole");
}

static void test_images(void **state)
{
	(void)state;
	set8(image, HDR_SETUP_SECTS, 64);
	set32(image, HDR_SYSSIZE, 0x8000 / 16);
	set64(image, HDR_PAYLOAD_OFFSET, 0);
	set32(image, HDR_KERNEL_INFO_OFFSET, 0);
	expect_id("real-mode/setup-too-long");
	make_bzimage(image);
	set32(image, HDR_CODE32_START, 0x200000);
	expect_id("real-mode/code32-start");
	make_bzimage_32(image);
	assert_int_equal(try_plan(), 0);
	facts.cpu.has_long_mode = false;
	assert_int_equal(try_plan(), 0);
	make_bzimage(image);
	expect_id("bzimage/cpu-is-32-bit");
	facts.cpu.has_long_mode = true;
	facts.cpu.is_la57_on = true;	/* paging will be off */
	set16(image, HDR_XLOADFLAGS, 0x1f);
	assert_int_equal(try_plan(), 0);
}

static void test_old_protocol(void **state)
{
	(void)state;
	set16(image, HDR_VERSION, 0x0202);
	set32(image, HDR_CODE32_START, 0x100000);
	assert_int_equal(at32(setup_of_plan()->own, 0x214), MIB);
	assert_int_equal(plan_find(&plan, "kernel")->addr, MIB);
	assert_int_equal(at16(plan_find(&plan, "setup")->own, 0x224), 0xde00);
	req.cmdline = "quiet";
	assert_string_equal((const char *)setup_of_plan()->own + 0x10000, "quiet");
}

static void test_never_by_itself(void **state)
{
	(void)state;
	set64(image, HDR_PAYLOAD_OFFSET, 0);
	req.enter = ENTER_AUTO;
	assert_int_equal(try_plan(), 0);
	assert_int_equal(plan.jump_mode, JUMP_64);
	make_bzimage_32(image);
	set64(image, HDR_PAYLOAD_OFFSET, 0);
	assert_int_equal(try_plan(), 0);
	assert_int_equal(plan.jump_mode, JUMP_32);
}

static void test_out_of_memory(void **state)
{
	size_t n;

	(void)state;
	assert_int_equal(try_plan(), 0);
	n = arena.n_allocations;
	for (size_t fail_at = 1; fail_at <= n; fail_at++) {
		done(NULL);
		fresh(NULL);
		if (fail_at <= arena.n_allocations)
			continue;
		arena.fail_at = fail_at;
		assert_int_equal(try_plan(), -ENOMEM);
	}
}

#define test(f) cmocka_unit_test_setup_teardown(f, fresh, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_plan_of_the_jump),
		test(test_header),
		test(test_without_initrd),
		test(test_seed),
		test(test_command_line),
		test(test_video_mode),
		test(test_disks),
		test(test_no_bios),
		test(test_limits),
		test(test_images),
		test(test_old_protocol),
		test(test_never_by_itself),
		test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
