// SPDX-License-Identifier: GPL-2.0-or-later
/* Kernels that come as ELF files: recognised, described, planned, handed what a bzImage is handed. */
#include <errno.h>
#include <string.h>

#include "arch/x86/elf_image.h"
#include "arch/x86/vmlinux.h"
#include "lib_elf.h"
#include "lib_image.h"
#include "lib_plan.h"
#include "probe.h"
#include "unit.h"

#define PADDR_64	UINT64_C(0x1000000)
#define VADDR_64	UINT64_C(0xffffffff81000000)
#define VADDR_32	UINT64_C(0xc1000000)
#define FILE_LEN	0x5000
#define MEM_LEN		0x200000
#define BANNER_OFF	0x800	/* in the load */

static struct arena arena;
static struct diag diag;
static struct facts facts;
static struct request req;
static struct plan plan;
static struct bytes file;

static int fresh(void **state)
{
	(void)state;
	diag_init(&diag, &arena);
	make_facts(&facts, &arena, 2 * GIB);
	return 0;
}

static int done(void **state)
{
	(void)state;
	bytes_free(&file);
	arena_free(&arena);
	return 0;
}

static void make_vmlinux(bool is_64, const char *banner)
{
	const struct test_load load = {
		.paddr = PADDR_64,
		.vaddr = is_64 ? VADDR_64 : VADDR_32,
		.file_len = FILE_LEN,
		.mem_len = MEM_LEN,
		.seed = 1,
	};

	bytes_free(&file);
	make_elf_file(is_64, PADDR_64 + 0x123, &load, 1, &file);
	memcpy(file.data + TEST_ELF_LOADS_OFF + BANNER_OFF, banner, strlen(banner) + 1);
	make_request(&req, file.data, file.len);
	req.kernel_path = "vmlinux";
	req.cmdline = "console=ttyS0";
}

static const struct image_type *taker(void)
{
	struct unwrapped unwrapped = { 0 };
	const struct image_type *type = NULL;

	return probe_format(&req, &unwrapped, &type, &diag) == 0 ? type : NULL;
}

static void expect(const char *id)
{
	assert_string_equal(plan_result(&req, &facts, &arena, &plan, &diag), id);
}

static void test_64(void **state)
{
	const struct segment *kernel, *params;

	(void)state;
	make_vmlinux(true, "Linux version 6.1.0-test (x) #1\n");
	expect("ok");
	kernel = plan_find(&plan, "kernel");
	params = plan_find(&plan, "params");
	assert_int_equal(kernel->addr, PADDR_64);	/* as linked */
	assert_int_equal(kernel->reserve_len, MEM_LEN);
	assert_int_equal(kernel->bytes.len, MEM_LEN);	/* no section says where .bss begins */
	assert_memory_equal(kernel->bytes.data, file.data + TEST_ELF_LOADS_OFF, FILE_LEN);
	assert_int_equal(plan.jump_mode, JUMP_64);
	assert_int_equal(plan.jump_entry, PADDR_64 + 0x123);
	assert_int_equal(plan.jump_arg, params->addr);
	assert_string_equal(plan.kernel_version, "6.1.0-test (x) #1");
	assert_non_null(diag_find_note(&diag, "vmlinux/as-linked"));
	/* The zero page as around a bzImage. */
	assert_int_equal(at32(params->own, HDR_MAGIC), 0x53726448);
	assert_int_equal(at16(params->own, HDR_BOOT_FLAG), 0xaa55);
	assert_int_equal(at16(params->own, HDR_VERSION), 0x020d);
	assert_int_equal(at8(params->own, HDR_TYPE_OF_LOADER), 0xd1);
	assert_int_equal(at8(params->own, HDR_LOADFLAGS), LOADFLAG_LOADED_HIGH);
	assert_int_equal(at32(params->own, HDR_INIT_SIZE), MEM_LEN);
	assert_int_equal(at64(params->own, HDR_PREF_ADDRESS), PADDR_64);
	assert_int_equal(at32(params->own, HDR_CMDLINE_SIZE), 2047);
	assert_int_equal(at8(params->own, 0x1ef), 0);
	assert_string_equal((const char *)params->own + plan.cmdline_addr - params->addr,
			    "console=ttyS0");
}

static void test_32(void **state)
{
	static const uint8_t ramdisk[100];
	const struct segment *initrd;

	(void)state;
	make_vmlinux(false, "Linux version 5.10.0-686 (x)\n");
	req.initrd = span_of(ramdisk, sizeof(ramdisk));
	expect("ok");
	initrd = plan_find(&plan, "initrd");
	assert_int_equal(plan_find(&plan, "kernel")->addr, PADDR_64);
	assert_int_equal(plan.jump_mode, JUMP_32);
	assert_int_equal(plan.jump_entry, PADDR_64 + 0x123);
	assert_true(initrd->addr + initrd->mem_len <= 0x38000000);
	assert_int_equal(at16(plan_find(&plan, "params")->own, HDR_XLOADFLAGS), 0);
}

/* What the releases could do, since no header says it. */
static void test_releases(void **state)
{
	static const struct {
		const char *banner;
		uint16_t flags;
	} cases[] = {
		{ "Linux version 2.6.32", XLF_KERNEL_64 },
		{ "Linux version 3.10.0", XLF_KERNEL_64 | XLF_CAN_BE_LOADED_ABOVE_4G },
		{ "Linux version 3.14", XLF_KERNEL_64 | XLF_CAN_BE_LOADED_ABOVE_4G | XLF_EFI_KEXEC },
		{ "Linux version 6.19.1", XLF_KERNEL_64 | XLF_CAN_BE_LOADED_ABOVE_4G | XLF_EFI_KEXEC },
		{ "Linux version 7.2.13", XLF_KERNEL_64 | XLF_CAN_BE_LOADED_ABOVE_4G | XLF_EFI_KEXEC |
						  XLF_5LEVEL | XLF_5LEVEL_ENABLED },
		{ "Linux version 4", XLF_KERNEL_64 | XLF_CAN_BE_LOADED_ABOVE_4G | XLF_EFI_KEXEC },
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		make_vmlinux(true, cases[i].banner);
		expect("ok");
		assert_int_equal(at16(plan_find(&plan, "params")->own, HDR_XLOADFLAGS),
				 cases[i].flags);
	}
}

static void test_5_level(void **state)
{
	(void)state;
	facts.cpu.is_la57_on = true;
	make_vmlinux(true, "Linux version 6.1.0");
	expect("ok");
	assert_int_equal(plan.paging, PAGING_4_LEVEL);
	make_vmlinux(true, "Linux version 7.2.0");
	expect("ok");
	assert_int_equal(plan.paging, PAGING_KEEP);
	req.cmdline = "no5lvl";
	expect("ok");
	assert_int_equal(plan.paging, PAGING_4_LEVEL);
}

/* The table that a build appends to the ELF file in a bzImage: 0, R64..., 0, R32... */
static void test_relocations(void **state)
{
	const uint32_t table[] = { 0, (uint32_t)VADDR_64 + 0x100, 0, (uint32_t)VADDR_64 + 0x200 };
	uint64_t delta;
	const uint8_t *image;

	(void)state;
	make_vmlinux(true, "Linux version 7.2.0");
	bytes_add(&file, table, sizeof(table));
	req.kernel = bytes_span(&file);
	req.has_seed = true;
	req.seed[0] = 7;
	expect("ok");
	assert_null(diag_find_note(&diag, "vmlinux/as-linked"));
	assert_true(plan.is_randomized);
	assert_int_equal(at8(plan_find(&plan, "params")->own, HDR_LOADFLAGS),
			 LOADFLAG_LOADED_HIGH | LOADFLAG_KASLR);
	delta = plan.vaddr_delta;
	image = plan_find(&plan, "kernel")->own;
	assert_int_equal(at64(image, 0x100) - at64(file.data, TEST_ELF_LOADS_OFF + 0x100), delta);
	req.cmdline = "nokaslr";
	expect("ok");
	assert_false(plan.is_randomized);
	/* What is no table is something of somebody else's. */
	file.data[file.len - sizeof(table)] = 1;
	expect("ok");
	assert_int_equal(plan_find(&plan, "kernel")->addr, PADDR_64);
	assert_non_null(diag_find_note(&diag, "vmlinux/as-linked"));
}

static void test_refused(void **state)
{
	(void)state;
	make_vmlinux(true, "no kernel");
	expect("elf/not-linux");
	make_vmlinux(true, "Linux version %s (%s)\n");	/* /proc/version's format is no banner */
	expect("elf/not-linux");
	make_vmlinux(true, "Linux version 6.1.0");
	req.enter = ENTER_64;
	expect("vmlinux/no-stub");
	req.enter = ENTER_DIRECT;
	expect("ok");
	facts.cpu.is_confidential_guest = true;
	expect("vmlinux/needs-stub");
	facts.cpu.is_confidential_guest = false;
	req.cmdline = "quiet mem_encrypt=on";
	expect("vmlinux/needs-stub");
	req.cmdline = "";
	facts.cpu.has_long_mode = false;
	expect("vmlinux/cpu-is-32-bit");
	facts.cpu.has_long_mode = true;
	set64(file.data, 64 + 24, UINT64_C(0x1000000000));	/* p_paddr */
	expect("vmlinux/place");
}

static void test_taken(void **state)
{
	(void)state;
	make_vmlinux(true, "Linux version 6.1.0");
	assert_ptr_equal(taker(), &elf_x86_64_type);
	req.type = "elf-x86";
	diag_clear(&diag);
	assert_null(taker());
	assert_string_equal(diag.id, "probe/type-differs");
	make_vmlinux(false, "Linux version 6.1.0");
	assert_ptr_equal(taker(), &elf_x86_type);
	set32(file.data, 52, 3);	/* PT_INTERP */
	diag_clear(&diag);
	expect("elf/no-loads");
	set16(file.data, 18, 40);	/* ARM */
	diag_clear(&diag);
	assert_null(taker());
	assert_string_equal(diag.id, "probe/unknown-type");
}

/* ---- ELF programs that are no Linux ---- */

static uint32_t sum_of(const uint8_t *data, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i += 2)
		sum += at16(data, i);
	return (sum & 0xffff) + (sum >> 16);
}

static void test_boot_notes(void **state)
{
	static const struct test_load loads[] = {
		{ 0x200000, 0x200000, 0x1000, 0x3000, 1 },
		{ 0x800000, 0x800000, 0x10, 0x10, 2 },
	};
	const struct segment *notes;

	(void)state;
	for (int is_64 = 0; is_64 <= 1; is_64++) {
		bytes_free(&file);
		make_elf_file(is_64, 0x200123, loads, 2, &file);
		make_request(&req, file.data, file.len);
		req.cmdline = "a b";
		expect("elf/not-linux");
		req.args = ARGS_ELF;
		expect("ok");
		notes = plan_find(&plan, "params");
		assert_int_equal(plan.jump_mode, is_64 ? JUMP_64 : JUMP_32);
		assert_int_equal(plan.jump_entry, 0x200123);
		assert_int_equal(plan.jump_c_arg, notes->addr);
		assert_int_equal(plan.jump_arg | plan.jump_ebx | plan.jump_eax, 0);
		assert_int_equal(plan_find(&plan, "kernel")->mem_len, 0x3000);
		assert_int_equal(plan_find(&plan, "kernel.2")->addr, 0x800000);
		assert_int_equal(at32(notes->own, 0), ELF_BOOT_MAGIC);
		assert_int_equal(at32(notes->own, 4), notes->bytes.len);
		assert_int_equal(at16(notes->own, 10), 3);
		assert_int_equal(sum_of(notes->own, notes->bytes.len), 0xffff);
		assert_int_equal(at32(notes->own, 12), 0);
		assert_int_equal(at32(notes->own, 16), 9);
		assert_int_equal(at32(notes->own, 20), ELF_BOOT_LOADER_NAME);
		assert_string_equal(notes->own + 24, "kexec-ng");
		assert_int_equal(at32(notes->own, notes->bytes.len - 8), ELF_BOOT_CMDLINE);
		assert_string_equal(notes->own + notes->bytes.len - 4, "a b");
		req.args = ARGS_NONE;
		expect("ok");
		assert_null(plan_find(&plan, "params"));
		assert_int_equal(plan.jump_c_arg, 0);
	}
}

static void test_program_refused(void **state)
{
	static const uint8_t ramdisk[8];

	(void)state;
	make_vmlinux(true, "no kernel");
	req.args = ARGS_ELF, req.initrd = span_of(ramdisk, sizeof(ramdisk));
	expect("elf/linux-only");
	req.initrd.len = 0, req.is_crash = true, expect("ok");
	assert_non_null(diag_find_note(&diag, "elf/crash"));
	req.is_crash = false, req.enter = ENTER_32, expect("elf/enter");
	req.enter = ENTER_AUTO, set64(file.data, 24, 0x100), expect("elf/entry-outside");
	set64(file.data, 24, PADDR_64), expect("ok");
	facts.cpu.has_long_mode = false, expect("elf/cpu-is-32-bit");
	/* What is said to be Linux gets Linux arguments, banner or not. */
	facts.cpu.has_long_mode = true, req.args = ARGS_LINUX, expect("ok");
	assert_int_equal(at32(plan_find(&plan, "params")->own, HDR_MAGIC), 0x53726448);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_64, fresh, done),
		cmocka_unit_test_setup_teardown(test_32, fresh, done),
		cmocka_unit_test_setup_teardown(test_releases, fresh, done),
		cmocka_unit_test_setup_teardown(test_5_level, fresh, done),
		cmocka_unit_test_setup_teardown(test_relocations, fresh, done),
		cmocka_unit_test_setup_teardown(test_refused, fresh, done),
		cmocka_unit_test_setup_teardown(test_taken, fresh, done),
		cmocka_unit_test_setup_teardown(test_boot_notes, fresh, done),
		cmocka_unit_test_setup_teardown(test_program_refused, fresh, done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
