// SPDX-License-Identifier: GPL-2.0-or-later
/* The PVH entry: the notes that tell of it, what is handed over, who is refused. And --subarch, whose
 * table decides between it and the others. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/boot_params.h"
#include "arch/x86/pvh.h"
#include "arch/x86/subarch.h"
#include "elf_note.h"
#include "lib_elf.h"
#include "lib_image.h"
#include "lib_plan.h"
#include "unit.h"
#include "wire/pvh.h"

#define PADDR		UINT64_C(0x1000000)
#define ENTRY		(PADDR + 0x850)
#define FILE_LEN	0x5000
#define MEM_LEN		UINT64_C(0x201000)
#define BANNER_OFF	0x800	/* in the load */
#define NOTES_OFF	(TEST_ELF_LOADS_OFF + 0x1000)
#define NOTES_LEN	0x200

static uint8_t ramdisk[PAGE_LEN + 7], image[TEST_IMAGE_LEN];
static struct arena arena;
static struct diag diag;
static struct facts facts;
static struct request req;
static struct plan plan;
static struct bytes file;
static uint8_t *at;	/* where the next note goes */

static void request_file(void)
{
	make_request(&req, file.data, file.len);
	req.kernel_path = "vmlinux";
	req.cmdline = "console=ttyS0";
	req.enter = ENTER_PVH;
	req.initrd = span_of(ramdisk, sizeof(ramdisk));
}

/* A kernel with room for notes and the note of a Xen that nobody looks at. */
static void make_kernel(bool is_64, const char *banner)
{
	const struct test_load load = { PADDR, is_64 ? UINT64_C(0xffffffff81000000) : 0xc1000000,
					FILE_LEN, MEM_LEN, 1 };

	bytes_free(&file);
	make_elf_file(is_64, PADDR + 0x123, &load, 1, &file);
	elf_add_notes(is_64, 1, NOTES_OFF, NOTES_LEN, &file);
	memcpy(file.data + TEST_ELF_LOADS_OFF + BANNER_OFF, banner, strlen(banner) + 1);
	memset(file.data + NOTES_OFF, 0, NOTES_LEN);
	at = file.data + NOTES_OFF;
	put_elf_note(&at, "Xen", 6, "linux", 6);
	put_elf_note(&at, "GNU", XEN_NOTE_PHYS32_ENTRY, "abc", 3);
	request_file();
}

static void put_entry(uint64_t entry, size_t len)
{
	put_elf_note(&at, "Xen", XEN_NOTE_PHYS32_ENTRY, &entry, len);
}

static void put_reloc(uint32_t align, uint32_t min, uint32_t max, size_t len)
{
	const uint32_t values[3] = { align, min, max };

	put_elf_note(&at, "Xen", XEN_NOTE_PHYS32_RELOC, values, len);
}

static int fresh(void **state)
{
	(void)state;
	diag_init(&diag, &arena);
	make_facts(&facts, &arena, 5 * GIB);
	make_kernel(true, "Linux version 6.12.0-test (x) #1\n");
	return 0;
}

static int done(void **state)
{
	(void)state;
	bytes_free(&file);
	arena_free(&arena);
	return 0;
}

/* The notes end behind the last one. */
static void expect(const char *id)
{
	const uint64_t len = at ? (uint64_t)(at - file.data) - NOTES_OFF : 0;

	if (at && file.data[4] == 2)
		set64(file.data, 64 + 56 + 32, len);
	else if (at)
		set32(file.data, 52 + 32 + 16, (uint32_t)len);
	diag_clear(&diag);
	diag_init(&diag, &arena);
	assert_string_equal(plan_result(&req, &facts, &arena, &plan, &diag), id);
}

static struct pvh_start_info start_info(const struct segment *params)
{
	struct pvh_start_info info;

	memcpy(&info, params->own, sizeof(info));
	return info;
}

static void test_as_linked(void **state)
{
	const struct segment *kernel;

	(void)state;
	put_entry(ENTRY, 8);
	expect("ok");
	kernel = plan_find(&plan, "kernel");
	assert_int_equal(kernel->addr, PADDR);
	assert_int_equal(kernel->mem_len, MEM_LEN);	/* .bss is zeroed for it */
	assert_int_equal(plan.jump_mode, JUMP_32);
	assert_int_equal(plan.jump_entry, ENTRY);
	assert_int_equal(plan.jump_arg | plan.jump_c_arg, 0);
	assert_int_equal(plan.jump_ebx, plan_find(&plan, "params")->addr);
	assert_string_equal(plan.entry_name, "pvh");
	assert_string_equal(plan.subarch, "pc");
	assert_false(plan.is_randomized);
	assert_non_null(diag_find_note(&diag, "pvh/as-linked"));
	assert_non_null(diag_find_note(&diag, "pvh/no-kaslr"));
	assert_non_null(diag_find_note(&diag, "pvh/handed-on"));
	req.cmdline = "nokaslr";
	expect("ok");
	assert_null(diag_find_note(&diag, "pvh/no-kaslr"));
}

static void test_moved(void **state)
{
	const struct segment *kernel;

	(void)state;
	put_entry(ENTRY, 4);
	put_reloc(0x400000, 0x2000000, 0x3fffffff, 12);
	expect("ok");
	kernel = plan_find(&plan, "kernel");
	assert_int_equal(kernel->addr, GIB - 0x400000);
	assert_int_equal(plan.jump_entry, kernel->addr + 0x850);
	assert_memory_equal(kernel->bytes.data, file.data + TEST_ELF_LOADS_OFF, FILE_LEN);
	req.mem_end = 0x2800000;
	expect("ok");
	assert_int_equal(plan_find(&plan, "kernel")->addr, 0x2400000);
	req.mem_end = 0x2000000;
	expect("place/no-hole");
	/* What the note leaves out. */
	request_file();
	make_kernel(true, "Linux version 6.12.0-test\n");
	put_entry(ENTRY, 4);
	put_reloc(0, 0, 0, 0);
	expect("ok");
	assert_true(plan_find(&plan, "kernel")->addr >= GIB);
	assert_true(is_aligned(plan_find(&plan, "kernel")->addr, 2 * MIB));
}

static void test_start_info(void **state)
{
	const struct segment *params, *initrd;
	struct pvh_start_info info;
	struct pvh_module module;
	struct pvh_memory memory;

	(void)state;
	facts.rsdp = 0xf5a30;
	put_entry(ENTRY, 8);
	expect("ok");
	params = plan_find(&plan, "params");
	initrd = plan_find(&plan, "initrd");
	info = start_info(params);
	assert_true(params->addr + params->mem_len <= GIB);	/* Linux' first page tables */
	assert_true(initrd->addr + initrd->mem_len <= 4 * GIB);
	assert_int_equal(info.magic, 0x336ec578);
	assert_int_equal(info.version, 1);
	assert_int_equal(info.flags | info.reserved, 0);
	assert_int_equal(info.rsdp, 0xf5a30);
	assert_int_equal(info.n_memory, facts.n_map);
	for (size_t i = 0; i < facts.n_map; i++) {
		memcpy(&memory, params->own + (info.memory_map - params->addr) + i * sizeof(memory),
		       sizeof(memory));
		assert_int_equal(memory.addr, facts.map[i].range.start);
		assert_int_equal(memory.len, range_len(facts.map[i].range));
		assert_int_equal(memory.type, facts.map[i].type);
	}
	assert_int_equal(info.n_modules, 1);
	memcpy(&module, params->own + (info.modules - params->addr), sizeof(module));
	assert_int_equal(module.addr, initrd->addr);
	assert_int_equal(module.len, sizeof(ramdisk));
	assert_string_equal((const char *)params->own + (info.cmdline - params->addr),
			    "console=ttyS0");
	assert_int_equal(info.cmdline, plan.cmdline_addr);
	assert_true(params->bytes.len - (info.cmdline - params->addr) >= COMMAND_LINE_SIZE);
	req.initrd = span_of(NULL, 0);
	expect("ok");
	info = start_info(plan_find(&plan, "params"));
	assert_int_equal(info.n_modules | info.modules, 0);
	assert_null(plan_find(&plan, "initrd"));
}

static void test_long_memory_map(void **state)
{
	struct mem_entry *map = arena_alloc_array(&arena, 200, sizeof(*map));

	(void)state;
	memcpy(map, facts.map, facts.n_map * sizeof(*map));
	for (size_t i = facts.n_map; i < 200; i++)
		map[i] = (struct mem_entry){ { (8 + i) * GIB, (8 + i) * GIB + MIB }, MEM_RAM };
	facts.map = map;
	facts.n_map = 200;
	put_entry(ENTRY, 8);
	expect("ok");
	assert_int_equal(start_info(plan_find(&plan, "params")).n_memory, 127);
	assert_int_equal(plan.n_e820, 127);
	assert_non_null(diag_find_note(&diag, "pvh/memory-map-cut"));
}

static void test_notes_that_are_wrong(void **state)
{
	(void)state;
	expect("pvh/no-entry");
	put_entry(ENTRY, 3);
	expect("pvh/entry-note");
	make_kernel(true, "Linux version 6\n");
	put_entry(ENTRY | UINT64_C(1) << 32, 8);
	expect("pvh/entry-note");
	make_kernel(true, "Linux version 6\n");
	put_entry(PADDR + MEM_LEN, 8);
	expect("pvh/entry-outside");
	make_kernel(true, "Linux version 6\n");
	put_entry(ENTRY, 8);
	put_reloc(0x200000, 0, 0, 7);
	expect("pvh/reloc-note");
	make_kernel(true, "Linux version 6\n");
	put_entry(ENTRY, 8);
	put_reloc(0x300000, 0, 0x3fffffff, 12);
	expect("pvh/reloc-values");
	make_kernel(true, "Linux version 6\n");
	put_entry(ENTRY, 8);
	put_reloc(0x200000, 0x40000000, 0x3fffffff, 12);
	expect("pvh/reloc-values");
	/* A note that ends beyond all. */
	make_kernel(true, "Linux version 6\n");
	put_entry(ENTRY, 8);
	memset(at, 0xff, 12);
	at += 12;
	expect("elf-note/truncated");
}

static void test_refusals(void **state)
{
	char line[4000];

	(void)state;
	put_entry(ENTRY, 8);
	req.dtb = span_of(ramdisk, 8);
	expect("pvh/device-tree");
	req.dtb = span_of(NULL, 0);
	facts.cpu.is_confidential_guest = true;
	expect("vmlinux/needs-stub");
	facts.cpu.is_confidential_guest = false;
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\0';
	req.cmdline = line;
	expect("pvh/cmdline-too-long");
	req.cmdline = "";
	facts.n_map = 0;
	expect("pvh/no-memory-map");
}

static void test_what_is_lost(void **state)
{
	(void)state;
	put_entry(ENTRY, 8);
	facts.efi.is_booted = true;
	facts.cpu.is_la57_on = true;
	expect("ok");
	assert_true(diag_find_note(&diag, "pvh/efi-dropped")->is_warning);
	assert_non_null(diag_find_note(&diag, "pvh/4-level"));
	req.no_efi = true;
	expect("ok");
	assert_null(diag_find_note(&diag, "pvh/efi-dropped"));
}

/* A 32-bit Linux reads what it is told through page tables that end soon after it. */
static void test_32_bit_linux(void **state)
{
	const struct segment *params;

	(void)state;
	make_kernel(false, "Linux version 6.1.0-test (x) #1\n");
	put_entry(ENTRY, 4);
	facts.cpu.is_la57_on = true;
	expect("ok");
	params = plan_find(&plan, "params");
	assert_true(params->addr >= MIB && params->addr + params->mem_len <= PADDR);
	assert_int_equal(plan.jump_ebx, params->addr);
	assert_int_equal(plan_find(&plan, "kernel")->addr, PADDR);
	assert_non_null(diag_find_note(&diag, "pvh/32-bit"));
	assert_null(diag_find_note(&diag, "pvh/4-level"));
	/* Another program says nothing of page tables: theirs may be anywhere. */
	make_kernel(false, "Another kernel\n");
	put_entry(ENTRY, 4);
	expect("ok");
	assert_true(plan_find(&plan, "params")->addr > PADDR + MEM_LEN);
	assert_null(diag_find_note(&diag, "pvh/32-bit"));
}

static void test_other_programs(void **state)
{
	(void)state;
	make_kernel(false, "Another kernel\n");
	put_entry(ENTRY, 4);
	expect("ok");
	assert_string_equal(plan.entry_name, "pvh");
	assert_null(plan.kernel_version);
	req.is_crash = true;
	expect("ok");
	assert_non_null(diag_find_note(&diag, "elf/crash"));
	req.is_crash = false;
	req.has_subarch = true;
	expect("elf/pvh-linux-only");
	req.has_subarch = false;
	req.args = ARGS_ELF;
	req.initrd = span_of(NULL, 0);
	expect("elf/enter");
}

/* A bzImage whose payload is that kernel. */
static void test_bzimage(void **state)
{
	struct bytes packed = { 0 }, whole = { 0 };

	(void)state;
	put_entry(ENTRY, 8);
	put_reloc(0x200000, 0, 0x3fffffff, 12);
	expect("ok");
	at = NULL;
	make_bzimage(image);
	assert_true(pack_payload("elf", bytes_span(&file), &packed));
	make_bzimage_with_payload(span_of(image, sizeof(image)), bytes_span(&packed), MEM_LEN, &whole);
	req.kernel = bytes_span(&whole);
	expect("ok");
	assert_string_equal(plan.type, "bzImage");
	assert_string_equal(plan.entry_name, "pvh");
	assert_int_equal(plan.jump_ebx, plan_find(&plan, "params")->addr);
	req.enter = ENTER_AUTO;
	req.has_subarch = true;
	req.subarch = SUBARCH_XEN;
	expect("ok");
	assert_string_equal(plan.entry_name, "pvh");
	assert_string_equal(plan.subarch, "xen");
	req.enter = ENTER_64;
	expect("subarch/entry");
	req.enter = ENTER_AUTO;
	req.has_subarch_data = true;
	expect("subarch/data");
	req.has_subarch = false;
	expect("ok");	/* pc, with data: that has a header to be in */
	set32(whole.data, HDR_PAYLOAD_OFFSET, 0);
	set32(whole.data, HDR_PAYLOAD_LENGTH, 0);
	req.enter = ENTER_PVH;
	req.has_subarch_data = false;
	expect("bzimage/no-payload");
	bytes_free(&packed);
	bytes_free(&whole);
}

/* ---- the table ---- */

static void use_bzimage(bool is_64)
{
	at = NULL;
	if (is_64)
		make_bzimage(image);
	else
		make_bzimage_32(image);
	make_request(&req, image, sizeof(image));
	req.enter = ENTER_64;
	req.has_subarch = true;
}

static uint32_t subarch_written(void)
{
	return at32(plan_find(&plan, "params")->own, HDR_HARDWARE_SUBARCH);
}

static void test_written(void **state)
{
	(void)state;
	use_bzimage(true);
	req.subarch = SUBARCH_INTEL_MID;
	req.has_subarch_data = true;
	req.subarch_data = UINT64_C(0x123456789abcdef0);
	expect("ok");
	assert_int_equal(subarch_written(), SUBARCH_INTEL_MID);
	assert_true(at64(plan_find(&plan, "params")->own, HDR_HARDWARE_SUBARCH_DATA) ==
		    req.subarch_data);
	assert_string_equal(plan.subarch, "intel-mid");
	req.subarch = 77;
	expect("ok");
	assert_int_equal(subarch_written(), 77);
	assert_string_equal(plan.subarch, "number 77");
	/* What the running kernel is told, and what is said against it. */
	facts.has_boot_params = true;
	set32(facts.boot_params, HDR_HARDWARE_SUBARCH, SUBARCH_INTEL_MID);
	req.has_subarch = false;
	expect("ok");
	assert_int_equal(subarch_written(), SUBARCH_INTEL_MID);
	req.has_subarch = true;
	req.subarch = SUBARCH_PC;
	expect("ok");
	assert_int_equal(subarch_written(), SUBARCH_PC);
	/* In the real mode kernel's header too. */
	use_bzimage(true);
	memset(facts.boot_params, 0, sizeof(facts.boot_params));
	req.enter = ENTER_16;
	req.subarch = 77;
	expect("ok");
	assert_int_equal(at32(plan_find(&plan, "setup")->own, HDR_HARDWARE_SUBARCH), 77);
}

static void test_table(void **state)
{
	(void)state;
	use_bzimage(true);
	req.subarch = SUBARCH_LGUEST;
	for (req.enter = ENTER_AUTO; req.enter <= ENTER_PVH; req.enter++)
		expect("subarch/not-here");
	req.subarch = SUBARCH_CE4100;
	req.enter = ENTER_AUTO;
	expect("subarch/needs-32-bit");
	req.subarch = SUBARCH_INTEL_MID;
	req.enter = ENTER_16;
	expect("subarch/entry");
	req.enter = ENTER_PVH;
	expect("subarch/entry");
	req.subarch = 77;
	expect("subarch/entry");
	use_bzimage(false);
	req.enter = ENTER_32;
	req.subarch = SUBARCH_CE4100;
	expect("ok");
	assert_int_equal(subarch_written(), SUBARCH_CE4100);
	assert_true(diag_find_note(&diag, "subarch/paravirt")->is_warning);
	req.enter = ENTER_64;
	expect("subarch/entry");
	use_bzimage(true);
	set16(image, HDR_VERSION, 0x0206);
	req.subarch = 77;
	req.enter = ENTER_32;
	expect("subarch/protocol");
	req.subarch = SUBARCH_PC;
	expect("ok");
	req.has_subarch_data = true;
	expect("subarch/protocol");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_as_linked, fresh, done),
		cmocka_unit_test_setup_teardown(test_moved, fresh, done),
		cmocka_unit_test_setup_teardown(test_start_info, fresh, done),
		cmocka_unit_test_setup_teardown(test_long_memory_map, fresh, done),
		cmocka_unit_test_setup_teardown(test_notes_that_are_wrong, fresh, done),
		cmocka_unit_test_setup_teardown(test_refusals, fresh, done),
		cmocka_unit_test_setup_teardown(test_what_is_lost, fresh, done),
		cmocka_unit_test_setup_teardown(test_32_bit_linux, fresh, done),
		cmocka_unit_test_setup_teardown(test_other_programs, fresh, done),
		cmocka_unit_test_setup_teardown(test_bzimage, fresh, done),
		cmocka_unit_test_setup_teardown(test_written, fresh, done),
		cmocka_unit_test_setup_teardown(test_table, fresh, done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
