// SPDX-License-Identifier: GPL-2.0-or-later
/* What a rehearsal finds wrong with what a program is handed by PVH and by both versions of Multiboot:
 * the real thing, then with one thing wrong. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/handed.h"
#include "arch/x86/purgatory.h"
#include "elf_note.h"
#include "lib_elf.h"
#include "lib_image.h"
#include "lib_plan.h"
#include "unit.h"
#include "wire/multiboot.h"
#include "wire/multiboot2.h"
#include "wire/pvh.h"

#define RAM_LEN		(64 * MIB)
#define GDT		0x2000
#define START		UINT64_C(0x1000000)
#define FILE_LEN	0x3000
#define MEM_LEN		UINT64_C(0x5000)
#define HEADER_OFF	(TEST_ELF_LOADS_OFF + 0x40)
#define NOTES_OFF	(TEST_ELF_LOADS_OFF + 0x1000)
#define NOTES_LEN	0x100
#define CODE		UINT64_C(0x00cf9b000000ffff)
#define DATA		UINT64_C(0x00cf93000000ffff)

static uint8_t bytes_of_modules[2 * PAGE_LEN + 9];
static const struct module modules[] = { { PAGE_LEN + 1, "first a b" }, { 9, "second" } };

static struct arena arena;
static struct diag diag;
static struct facts facts;
static struct request req;
static struct plan plan;
static struct bytes file;
static struct vcpu cpu;
static struct guest_ram ram;
static uint8_t *info;	/* in ram */

static void put_descriptor(uint16_t selector, uint64_t d)
{
	memcpy(ram.bytes + GDT + selector, &d, sizeof(d));
}

/* Memory and CPU as they are when purgatory has jumped. */
static void arrive(void)
{
	diag_clear(&diag);
	assert_string_equal(plan_result(&req, &facts, &arena, &plan, &diag), "ok");
	memset(ram.bytes, 0, RAM_LEN);
	for (size_t i = 0; i < plan.n_segments; i++) {
		const struct segment *s = &plan.segments[i];

		assert_true(s->addr + s->reserve_len <= RAM_LEN);
		memcpy(ram.bytes + s->addr, s->bytes.data, s->bytes.len);
	}
	memset(&cpu, 0, sizeof(cpu));
	cpu.cr0 = CR0_PE;
	cpu.gdt = (struct vcpu_table){ GDT, 0x3f };
	for (size_t i = 0; i < N_SEGMENTS; i++)
		cpu.selectors[i] = SEL_DATA;
	cpu.selectors[SEG_CS] = SEL_CODE;
	put_descriptor(SEL_CODE, CODE);
	put_descriptor(SEL_DATA, DATA);
	cpu.r[REG_AX] = plan.jump_eax;
	cpu.r[REG_BX] = plan.jump_ebx;
	info = ram.bytes + plan.jump_ebx;
}

static void ask(void)
{
	make_request(&req, file.data, file.len);
	req.kernel_path = "/boot/program";
	req.cmdline = "quiet x=1";
	req.mem_end = RAM_LEN;
}

static void ask_with_modules(void)
{
	ask();
	req.modules = span_of(bytes_of_modules, sizeof(bytes_of_modules));
	req.module_list = modules;
	req.n_modules = array_len(modules);
}

static void make_file(bool is_64)
{
	const struct test_load load = { START, is_64 ? UINT64_C(0xffffffff81000000) : START, FILE_LEN,
					MEM_LEN, 1 };

	bytes_free(&file);
	make_elf_file(is_64, START + 0x10, &load, 1, &file);
}

static void arrive_by_pvh(void)
{
	const uint32_t entry = START + 0x20;
	uint8_t *at;

	make_file(true);
	elf_add_notes(true, 1, NOTES_OFF, NOTES_LEN, &file);
	memset(file.data + NOTES_OFF, 0, NOTES_LEN);
	at = file.data + NOTES_OFF;
	put_elf_note(&at, "Xen", XEN_NOTE_PHYS32_ENTRY, &entry, sizeof(entry));
	set64(file.data, 64 + 56 + 32, (uint64_t)(at - file.data) - NOTES_OFF);
	memcpy(file.data + TEST_ELF_LOADS_OFF + 0x800, "Linux version 6.12.0-test\n", 27);
	ask();
	req.enter = ENTER_PVH;
	req.initrd = span_of(bytes_of_modules, sizeof(bytes_of_modules));
	facts.rsdp = 0xf5a10;
	arrive();
}

static void arrive_by_multiboot(void)
{
	make_file(false);
	set32(file.data, HEADER_OFF, MULTIBOOT_HEADER_MAGIC);
	set32(file.data, HEADER_OFF + 4, 3);
	set32(file.data, HEADER_OFF + 8, (uint32_t)0 - MULTIBOOT_HEADER_MAGIC - 3);
	ask_with_modules();
	arrive();
}

static void arrive_by_multiboot2(void)
{
	const uint32_t len = sizeof(struct multiboot2_header) + 8;

	make_file(false);
	set32(file.data, HEADER_OFF, MULTIBOOT2_HEADER_MAGIC);
	set32(file.data, HEADER_OFF + 4, 0);
	set32(file.data, HEADER_OFF + 8, len);
	set32(file.data, HEADER_OFF + 12, (uint32_t)0 - MULTIBOOT2_HEADER_MAGIC - len);
	set64(file.data, HEADER_OFF + 16, UINT64_C(8) << 32);
	ask_with_modules();
	facts.rsdp = 0xf5a10;
	facts.rsdp_len = 36;
	memset(facts.rsdp_bytes, 0x5c, sizeof(facts.rsdp_bytes));
	arrive();
}

static int fresh(void **state)
{
	(void)state;
	diag_init(&diag, &arena);
	make_facts(&facts, &arena, 5 * GIB);
	facts.boot_params[0x0f] = 0;	/* no display */
	for (size_t i = 0; i < sizeof(bytes_of_modules); i++)
		bytes_of_modules[i] = (uint8_t)(i * 5 + i / 251);
	ram = (struct guest_ram){ malloc(RAM_LEN), RAM_LEN };
	assert_non_null(ram.bytes);
	return 0;
}

static int done(void **state)
{
	(void)state;
	free(ram.bytes);
	bytes_free(&file);
	arena_free(&arena);
	return 0;
}

static void good(const char *says)
{
	const char *text = NULL;

	diag_clear(&diag);
	assert_true(handed_is_known(&plan));
	assert_int_equal(handed_check(&plan, &req, &facts, &cpu, ram, &text, &diag), 0);
	assert_non_null(strstr(text, says));
}

static void bad(const char *id)
{
	const char *text = NULL;

	diag_clear(&diag);
	assert_int_equal(handed_check(&plan, &req, &facts, &cpu, ram, &text, &diag), -EINVAL);
	assert_string_equal(diag.id, id);
}

/* The same with one bit of a byte the other way, and back. */
static void bad_bit(uint8_t *at, const char *id)
{
	*at ^= 0x10;
	bad(id);
	*at ^= 0x10;
}

static void bad_u64(uint64_t *at, uint64_t value, const char *id)
{
	const uint64_t old = *at;

	*at = value;
	bad(id);
	*at = old;
}

static uint32_t word(size_t off)
{
	uint32_t v;

	memcpy(&v, info + off, sizeof(v));
	return v;
}

static void check_state(uint32_t eax)
{
	static const uint64_t no_data[] = {
		0x00cf9a000000ffff,	/* code */
		0x00cf90000000ffff,	/* not writable */
		0x004f92000000ffff,	/* 1 MiB */
		0x008f92000000ffff,	/* 16 bits */
		0x00cf92000000fffe, 0x00ce92000000ffff,
		0x00cf92000100ffff, 0x01cf92000000ffff,
		0x00cff2000000ffff,	/* of ring 3 */
		0x00cf12000000ffff,	/* not present */
	};

	for (size_t i = 0; i < array_len(no_data); i++) {
		put_descriptor(SEL_DATA, no_data[i]);
		bad("rehearse/handed-segment");
	}
	put_descriptor(SEL_DATA, DATA);
	put_descriptor(SEL_CODE, DATA);
	bad("rehearse/handed-segment");
	put_descriptor(SEL_CODE, CODE);
	cpu.selectors[SEG_ES] = 0;
	bad("rehearse/handed-segment");
	cpu.selectors[SEG_ES] = SEL_DATA;
	bad_u64(&cpu.rflags, UINT64_C(1) << 8, "rehearse/handed-flags");
	bad_u64(&cpu.rflags, RFLAGS_IF, "rehearse/handed-flags");
	bad_u64(&cpu.rflags, UINT64_C(1) << 17, "rehearse/handed-flags");
	bad_u64(&cpu.cr0, 0, "rehearse/handed-mode");
	bad_u64(&cpu.cr4, CR4_PAE, "rehearse/handed-mode");
	if (eax != 0)
		bad_u64(&cpu.r[REG_AX], eax + 1, "rehearse/handed-magic");
	bad_u64(&cpu.r[REG_BX], 0, "rehearse/handed-pointer");
	bad_u64(&cpu.r[REG_BX], 0x3000, "rehearse/handed-pointer");
}

static void test_pvh(void **state)
{
	struct mem_entry reserved[32];
	struct pvh_start_info *s;

	(void)state;
	arrive_by_pvh();
	assert_true(plan.n_e820 <= array_len(reserved));
	good("memory ranges, command line, initrd, RSDP at 0xf5a10");
	check_state(0);
	s = (struct pvh_start_info *)(void *)info;
	bad_bit((uint8_t *)&s->magic, "rehearse/handed-magic");
	bad_bit((uint8_t *)&s->version, "rehearse/handed-magic");
	bad_bit((uint8_t *)&s->flags, "rehearse/handed-magic");
	bad_bit((uint8_t *)&s->rsdp, "rehearse/handed-rsdp");
	bad_bit((uint8_t *)&s->n_modules, "rehearse/handed-module");
	bad_bit((uint8_t *)&s->n_memory, "rehearse/handed-memory");
	bad_u64(&s->modules, 0x3000, "rehearse/handed-pointer");
	bad_u64(&s->cmdline, UINT64_C(0x100000000) + s->cmdline, "rehearse/handed-pointer");
	bad_u64(&s->cmdline, s->cmdline + 1, "rehearse/handed-text");
	bad_u64(&s->memory_map, 0x3000, "rehearse/handed-pointer");
	bad_u64(&s->memory_map, s->memory_map + 8, "rehearse/handed-memory");
	for (size_t off = 0; off <= 16; off += 8)
		bad_bit(ram.bytes + s->memory_map + 24 + off, "rehearse/handed-memory");
	bad_bit(ram.bytes + s->modules, "rehearse/handed-module");
	bad_bit(ram.bytes + s->modules + 8, "rehearse/handed-module");
	bad_bit(ram.bytes + plan_find(&plan, "initrd")->addr + PAGE_LEN, "rehearse/handed-module");
	/* The map is the one of the plan, and what was loaded is not in it. */
	for (size_t i = 0; i < plan.n_e820; i++)
		reserved[i] = (struct mem_entry){ plan.e820[i].range, MEM_RESERVED };
	for (size_t i = 0; i < plan.n_e820; i++)
		ram.bytes[s->memory_map + i * sizeof(struct pvh_memory) + 16] = MEM_RESERVED;
	plan.e820 = reserved;
	bad("rehearse/handed-memory");
	assert_non_null(strstr(diag.text, "there is no RAM"));
}

static void test_multiboot(void **state)
{
	struct multiboot_info *m;
	uint8_t *list;

	(void)state;
	arrive_by_multiboot();
	good("command line, 2 modules");
	check_state(MULTIBOOT_LOADER_MAGIC);
	m = (struct multiboot_info *)(void *)info;
	info[0] ^= MULTIBOOT_INFO_MEMORY_MAP;
	bad("rehearse/handed-magic");
	info[0] ^= MULTIBOOT_INFO_MEMORY_MAP;
	bad_bit(ram.bytes + m->cmdline, "rehearse/handed-text");
	bad_bit(ram.bytes + m->loader_name, "rehearse/handed-text");
	bad_bit(info + offsetof(struct multiboot_info, n_modules), "rehearse/handed-module");
	bad_bit(info + offsetof(struct multiboot_info, modules) + 3, "rehearse/handed-pointer");
	bad_bit(info + offsetof(struct multiboot_info, cmdline) + 3, "rehearse/handed-pointer");
	bad_bit(info + offsetof(struct multiboot_info, memory_map) + 3, "rehearse/handed-pointer");
	bad_bit(info + offsetof(struct multiboot_info, memory_map_len), "rehearse/handed-memory");
	for (size_t off = 0; off < 24; off += 4)
		bad_bit(ram.bytes + m->memory_map + off, "rehearse/handed-memory");
	list = ram.bytes + m->modules + sizeof(struct multiboot_module);
	bad_bit(list + offsetof(struct multiboot_module, end), "rehearse/handed-module");
	bad_bit(list + offsetof(struct multiboot_module, string), "rehearse/handed-text");
	bad_bit(ram.bytes + plan_find(&plan, "modules")->addr, "rehearse/handed-module");
}

/* Where the body of a tag is; the information begins with 8 bytes. */
static uint8_t *tag(uint32_t type)
{
	size_t off = 8;

	while (word(off) != type && word(off) != MULTIBOOT2_TAG_END)
		off += align_down((size_t)word(off + 4) + 7, 8);
	assert_int_equal(word(off), type);
	return info + off + 8;
}

static void test_multiboot2(void **state)
{
	(void)state;
	arrive_by_multiboot2();
	good("command line, 2 modules");
	check_state(MULTIBOOT2_LOADER_MAGIC);
	bad_u64(&cpu.r[REG_BX], cpu.r[REG_BX] + 4, "rehearse/handed-pointer");
	info[0] += 8;
	bad("rehearse/handed-tag");
	info[0] -= 8;
	bad_bit(tag(MULTIBOOT2_TAG_CMDLINE), "rehearse/handed-text");
	bad_bit(tag(MULTIBOOT2_TAG_CMDLINE) - 1, "rehearse/handed-tag");
	bad_bit(tag(MULTIBOOT2_TAG_CMDLINE) - 8, "rehearse/handed-tag");
	bad_bit(tag(MULTIBOOT2_TAG_MEMORY_MAP), "rehearse/handed-memory");
	bad_bit(tag(MULTIBOOT2_TAG_MEMORY_MAP) + 8, "rehearse/handed-memory");
	bad_bit(tag(MULTIBOOT2_TAG_MEMORY_MAP) + 24, "rehearse/handed-memory");
	bad_bit(tag(MULTIBOOT2_TAG_MODULE) + 1, "rehearse/handed-module");
	bad_bit(tag(MULTIBOOT2_TAG_MODULE) + 4, "rehearse/handed-module");
	bad_bit(tag(MULTIBOOT2_TAG_MODULE) + 8, "rehearse/handed-text");
	bad_bit(tag(MULTIBOOT2_TAG_RSDP_NEW), "rehearse/handed-rsdp");
	bad_bit(ram.bytes + plan_find(&plan, "modules")->addr + PAGE_LEN, "rehearse/handed-module");
	req.n_modules = 1;
	bad("rehearse/handed-module");
	req.n_modules = 3;
	bad("rehearse/handed-module");
}

static void test_program(void **state)
{
	static const size_t offs[] = { 0, 0x1234, FILE_LEN - 1, FILE_LEN, MEM_LEN - 1 };
	uint64_t len = 0;
	struct elf elf;
	uint8_t *kernel;

	(void)state;
	arrive_by_multiboot();
	assert_int_equal(elf_parse(req.kernel, &elf, &diag), 0);
	assert_int_equal(handed_check_program(&plan, &elf, ram, &len, &diag), 0);
	assert_int_equal(len, FILE_LEN);
	kernel = ram.bytes + plan_find(&plan, "kernel")->addr;
	for (size_t i = 0; i < array_len(offs); i++) {
		diag_clear(&diag);
		kernel[offs[i]] ^= 1;
		assert_int_equal(handed_check_program(&plan, &elf, ram, &len, &diag), -EINVAL);
		assert_string_equal(diag.id, "rehearse/program-differs");
		kernel[offs[i]] ^= 1;
	}
	/* Less memory than the program wants was declared for it. */
	diag_clear(&diag);
	plan_find(&plan, "kernel")->mem_len -= PAGE_LEN;
	assert_int_equal(handed_check_program(&plan, &elf, ram, &len, &diag), -EINVAL);
	assert_string_equal(diag.id, "rehearse/handed-pointer");
}

static void test_others(void **state)
{
	(void)state;
	arrive_by_multiboot();
	plan.jump_eax = 0;
	assert_false(handed_is_known(&plan));
	plan.entry_name = "32";
	plan.jump_eax = MULTIBOOT_LOADER_MAGIC;
	assert_false(handed_is_known(&plan));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pvh, fresh, done),
		cmocka_unit_test_setup_teardown(test_multiboot, fresh, done),
		cmocka_unit_test_setup_teardown(test_multiboot2, fresh, done),
		cmocka_unit_test_setup_teardown(test_program, fresh, done),
		cmocka_unit_test_setup_teardown(test_others, fresh, done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
