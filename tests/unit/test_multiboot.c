// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Multiboot images of both versions: headers read strictly, programs laid out, and what they are told
 * read back as such a program would read it.
 */
#include <errno.h>
#include <string.h>

#include "arch/x86/multiboot.h"
#include "arch/x86/multiboot2.h"
#include "lib_elf.h"
#include "lib_image.h"
#include "lib_plan.h"
#include "unit.h"
#include "wire/multiboot.h"

#define HEADER_OFF	(TEST_ELF_LOADS_OFF + 0x40)
#define ENTRY		0x200010

static struct arena arena;
static struct diag diag;
static struct facts facts;
static struct request req;
static struct plan plan;
static struct bytes file;

static const struct test_load loads[] = {
	{ 0x200000, 0x200000, 0x1800, 0x2000, 1 },
	{ 0x203000, 0x203000, 0x100, 0x3000, 2 },
};

static int fresh(void **state)
{
	(void)state;
	diag_init(&diag, &arena);
	make_facts(&facts, &arena, 5 * GIB);
	facts.boot_params[0x0f] = 0;	/* no display */
	return 0;
}

static int done(void **state)
{
	(void)state;
	bytes_free(&file);
	arena_free(&arena);
	return 0;
}

static void ask_for(void)
{
	make_request(&req, file.data, file.len);
	req.kernel_path = "/boot/xen";
	req.cmdline = "a=1 b";
}

static void make_elf(void)
{
	bytes_free(&file);
	make_elf_file(false, ENTRY, loads, array_len(loads), &file);
}

static void put_header1(size_t off, uint32_t flags)
{
	set32(file.data, off, MULTIBOOT_HEADER_MAGIC);
	set32(file.data, off + 4, flags);
	set32(file.data, off + 8, (uint32_t)0 - MULTIBOOT_HEADER_MAGIC - flags);
}

/* An ELF program with a version 1 header that wants what Xen wants. */
static void make_1(void)
{
	make_elf();
	put_header1(HEADER_OFF, MULTIBOOT_PAGE_ALIGN | MULTIBOOT_MEMORY_INFO);
	ask_for();
}

struct tag {
	uint16_t type, flags;
	size_t len;		/* of the body */
	uint32_t body[4];
};

static void make_2(const struct tag *tags, size_t n)
{
	size_t at = HEADER_OFF + sizeof(struct multiboot2_header);

	make_elf();
	for (size_t i = 0; i < n; i++) {
		set16(file.data, at, tags[i].type);
		set16(file.data, at + 2, tags[i].flags);
		set32(file.data, at + 4, (uint32_t)(8 + tags[i].len));
		memcpy(file.data + at + 8, tags[i].body, tags[i].len);
		at += align_down(8 + tags[i].len + 7, 8);
	}
	set64(file.data, at, UINT64_C(8) << 32);
	at += 8;
	set32(file.data, HEADER_OFF, MULTIBOOT2_HEADER_MAGIC);
	set32(file.data, HEADER_OFF + 4, 0);
	set32(file.data, HEADER_OFF + 8, (uint32_t)(at - HEADER_OFF));
	set32(file.data, HEADER_OFF + 12,
	      (uint32_t)0 - MULTIBOOT2_HEADER_MAGIC - (uint32_t)(at - HEADER_OFF));
	ask_for();
}

static void add_modules(void)
{
	static uint8_t bytes[3 * PAGE_LEN + 5];
	static const struct module modules[] = {
		{ PAGE_LEN + 1, "/boot/vmlinuz console=hvc0" },
		{ 5, "/boot/initrd" },
	};

	memset(bytes, 0xa5, PAGE_LEN + 1);
	req.modules = span_of(bytes, 2 * PAGE_LEN + 5);
	req.module_list = modules;
	req.n_modules = 2;
}

static void expect(const char *id)
{
	assert_string_equal(plan_result(&req, &facts, &arena, &plan, &diag), id);
}

/* The bytes at an address of the machine that boots next. */
static const uint8_t *at_address(phys_t addr)
{
	for (size_t i = 0; i < plan.n_segments; i++)
		if (addr >= plan.segments[i].addr &&
		    addr - plan.segments[i].addr < plan.segments[i].bytes.len)
			return plan.segments[i].bytes.data + (addr - plan.segments[i].addr);
	assert_null("an address that is in no segment");
	return NULL;
}

static void check_program(phys_t base)
{
	const struct segment *kernel = plan_find(&plan, "kernel");

	assert_int_equal(kernel->addr, base);
	assert_int_equal(kernel->mem_len, 0x6000);	/* with all .bss: 0x200000 to 0x206000 */
	for (size_t i = 0; i < array_len(loads); i++)
		for (size_t k = 0; k < loads[i].file_len; k += 997)
			if (i > 0 || k < HEADER_OFF - TEST_ELF_LOADS_OFF || k > 0x200)
				assert_int_equal(*at_address(base + loads[i].paddr - 0x200000 + k),
						 elf_byte(&loads[i], k));
	assert_int_equal(*at_address(base + 0x1800), 0);
	assert_int_equal(*at_address(base + 0x2fff), 0);
}

static void test_1(void **state)
{
	const struct multiboot_info *info;
	const struct multiboot_module *modules;
	const struct multiboot_memory *map;

	(void)state;
	make_1();
	add_modules();
	expect("ok");
	assert_string_equal(plan.type, "multiboot-x86");
	check_program(0x200000);
	assert_int_equal(plan.jump_mode, JUMP_32);
	assert_int_equal(plan.jump_entry, ENTRY);
	assert_int_equal(plan.jump_eax, 0x2badb002);
	assert_int_equal(plan.jump_arg, 0);
	info = (const void *)at_address(plan.jump_ebx);
	assert_int_equal(info->flags, 0x24d);
	assert_int_equal(info->mem_lower, 639);
	assert_int_equal(info->mem_upper, (3 * GIB - 0x20000 - MIB) / KIB);
	assert_string_equal(at_address(info->cmdline), "/boot/xen a=1 b");
	assert_string_equal(at_address(info->loader_name), "kexec-ng");
	assert_int_equal(info->n_modules, 2);
	modules = (const void *)at_address(info->modules);
	assert_int_equal(modules[0].end - modules[0].start, PAGE_LEN + 1);
	assert_true(is_aligned(modules[0].start, PAGE_LEN));
	assert_int_equal(*at_address(modules[0].end - 1), 0xa5);
	assert_string_equal(at_address(modules[0].string), "/boot/vmlinuz console=hvc0");
	assert_int_equal(modules[1].start, modules[0].start + 2 * PAGE_LEN);
	assert_int_equal(modules[1].end - modules[1].start, 5);
	assert_string_equal(at_address(modules[1].string), "/boot/initrd");
	map = (const void *)at_address(info->memory_map);
	assert_int_equal(info->memory_map_len, 5 * sizeof(*map));
	assert_int_equal(map[0].size, 20);
	assert_int_equal(map[1].type, MULTIBOOT_MEMORY_RESERVED);
	assert_int_equal(map[3].type, MULTIBOOT_MEMORY_ACPI);
	assert_int_equal(map[4].addr, 4 * GIB);
	assert_int_equal(map[4].len, 2 * GIB);
	for (size_t i = 0; i < plan.n_segments; i++)
		assert_true(plan.segments[i].addr + plan.segments[i].reserve_len <= 4 * GIB);
}

static void test_1_without_anything(void **state)
{
	const struct multiboot_info *info;

	(void)state;
	make_1();
	req.cmdline = "";
	expect("ok");
	info = (const void *)at_address(plan.jump_ebx);
	assert_int_equal(info->n_modules, 0);
	assert_string_equal(at_address(info->cmdline), "/boot/xen");
}

/* The header says where to load, whatever the file is: here it is no ELF file at all. */
static void test_1_addresses(void **state)
{
	(void)state;
	make_elf();
	memset(file.data, 0, TEST_ELF_LOADS_OFF);
	put_header1(HEADER_OFF, MULTIBOOT_ADDRESSES);
	set32(file.data, HEADER_OFF + 12, 0x300040);	/* header_addr */
	set32(file.data, HEADER_OFF + 16, 0x300000);	/* load_addr: of the first load's first byte */
	set32(file.data, HEADER_OFF + 20, 0x301000);	/* load_end_addr */
	set32(file.data, HEADER_OFF + 24, 0x305678);	/* bss_end_addr */
	set32(file.data, HEADER_OFF + 28, 0x300800);
	ask_for();
	expect("ok");
	assert_int_equal(plan.jump_entry, 0x300800);
	assert_int_equal(plan_find(&plan, "kernel")->bytes.len, 0x1000);
	assert_int_equal(plan_find(&plan, "kernel")->mem_len, 0x6000);
	assert_int_equal(*at_address(0x300fff), elf_byte(&loads[0], 0xfff));
	set32(file.data, HEADER_OFF + 28, 0x306000), expect("multiboot/entry-outside");
	set32(file.data, HEADER_OFF + 24, 0x300fff), expect("multiboot/bss-end");
	set32(file.data, HEADER_OFF + 20, 0x400000), expect("multiboot/load-end");
	set32(file.data, HEADER_OFF + 20, 0x2fffff), expect("multiboot/load-end");
	set32(file.data, HEADER_OFF + 16, 0x300041), expect("multiboot/load-address");
	set32(file.data, HEADER_OFF + 16, 0x200000), expect("multiboot/load-address");
}

static void test_1_refused(void **state)
{
	static const uint8_t ramdisk[10];

	(void)state;
	make_1();
	put_header1(HEADER_OFF, 1 << 3);
	expect("multiboot/flags");
	put_header1(HEADER_OFF, 0);
	expect("ok");
	req.initrd = span_of(ramdisk, sizeof(ramdisk)), expect("multiboot/initrd");
	req.initrd.len = 0, req.enter = ENTER_64, expect("multiboot/enter");
	req.enter = ENTER_AUTO, req.is_crash = true, expect("ok");
	assert_non_null(diag_find_note(&diag, "multiboot/crash"));
	req.is_crash = false;
	set32(file.data, 24, 0x300000), expect("multiboot/entry-outside");	/* e_entry */
	set32(file.data, HEADER_OFF + 8, 0);	/* the checksum: no header any more */
	expect("elf/not-linux");
}

static void test_search(void **state)
{
	struct multiboot_image image;
	struct multiboot2_image image2;
	static uint8_t big[40000];

	(void)state;
	bytes_free(&file);
	bytes_add(&file, big, sizeof(big));
	put_header1(MULTIBOOT_SEARCH_LEN - 12, 0);
	assert_int_equal(multiboot_parse(bytes_span(&file), &image, &diag), 0);
	assert_int_equal(image.off, MULTIBOOT_SEARCH_LEN - 12);
	put_header1(MULTIBOOT_SEARCH_LEN - 12, 1);
	assert_int_equal(multiboot_parse(span_of(file.data, MULTIBOOT_SEARCH_LEN - 1), &image, &diag),
			 -ENOEXEC);
	memset(file.data, 0, file.len);
	put_header1(MULTIBOOT_SEARCH_LEN - 8, 0);
	assert_int_equal(multiboot_parse(bytes_span(&file), &image, &diag), -ENOEXEC);
	put_header1(102, 0);	/* no multiple of 4 */
	assert_int_equal(multiboot_parse(bytes_span(&file), &image, &diag), -ENOEXEC);
	diag_clear(&diag);
	assert_int_equal(multiboot2_parse(bytes_span(&file), &image2, &diag), -ENOEXEC);
	assert_string_equal(diag.id, "multiboot2/no-magic");
}

/* The body of the first tag of a type, or NULL; every tag is walked over. */
static const uint8_t *find_tag(uint32_t type, uint32_t *ret_len)
{
	const uint8_t *info = at_address(plan.jump_ebx), *found = NULL;
	uint32_t total = at32(info, 0), at = 8;

	assert_int_equal(total, plan_find(&plan, "params")->bytes.len);
	for (;;) {
		uint32_t len = at32(info, at + 4);

		assert_true(len >= 8 && at + len <= total);
		if (at32(info, at) == type && !found) {
			found = info + at + 8;
			*ret_len = len - 8;
		}
		if (at32(info, at) == MULTIBOOT2_TAG_END)
			break;
		at += (uint32_t)align_down(len + 7, 8);
	}
	assert_int_equal(at + 8, total);
	return found;
}

static const struct tag xen_tags[] = {
	{ MULTIBOOT2_HEADER_REQUEST, 0, 8, { MULTIBOOT2_TAG_MEMORY, MULTIBOOT2_TAG_MEMORY_MAP } },
	{ MULTIBOOT2_HEADER_MODULE_ALIGN, 0, 0, { 0 } },
	{ MULTIBOOT2_HEADER_RELOCATABLE, 1, 16, { 0x200000, 0xffffffff, 0x200000, 2 } },
	{ MULTIBOOT2_HEADER_CONSOLE, 1, 4, { 2 } },
	{ MULTIBOOT2_HEADER_FRAMEBUFFER, 1, 12, { 0 } },
	{ MULTIBOOT2_HEADER_EFI_BOOT_SERVICES, 1, 0, { 0 } },
	{ MULTIBOOT2_HEADER_ENTRY_EFI64, 1, 4, { 0x3dd531 } },
};

static void test_2(void **state)
{
	const uint8_t *tag;
	uint32_t len, base;

	(void)state;
	make_2(xen_tags, array_len(xen_tags));
	add_modules();
	facts.rsdp_len = 36;
	memcpy(facts.rsdp_bytes, "RSD PTR ", 8);
	expect("ok");
	assert_string_equal(plan.type, "multiboot2-x86");
	base = (uint32_t)plan_find(&plan, "kernel")->addr;
	assert_true(is_aligned(base, 0x200000) && base > 0x200000);	/* as high as it gets */
	check_program(base);
	assert_int_equal(plan.jump_entry, base + 0x10);
	assert_int_equal(plan.jump_eax, 0x36d76289);
	assert_true(is_aligned(plan.jump_ebx, 8));
	tag = find_tag(MULTIBOOT2_TAG_CMDLINE, &len);
	assert_string_equal(tag, "/boot/xen a=1 b");
	assert_string_equal(find_tag(MULTIBOOT2_TAG_LOADER_NAME, &len), "kexec-ng");
	tag = find_tag(MULTIBOOT2_TAG_MEMORY, &len);
	assert_int_equal(at32(tag, 0), 639);
	tag = find_tag(MULTIBOOT2_TAG_MEMORY_MAP, &len);
	assert_int_equal(len, 8 + 5 * 24);
	assert_int_equal(at32(tag, 0), 24);
	assert_int_equal(at64(tag, 8 + 4 * 24), 4 * GIB);
	assert_int_equal(at32(tag, 8 + 3 * 24 + 16), MULTIBOOT_MEMORY_ACPI);
	tag = find_tag(MULTIBOOT2_TAG_MODULE, &len);
	assert_int_equal(at32(tag, 4) - at32(tag, 0), PAGE_LEN + 1);
	assert_int_equal(*at_address(at32(tag, 0)), 0xa5);
	assert_string_equal(tag + 8, "/boot/vmlinuz console=hvc0");
	tag = find_tag(MULTIBOOT2_TAG_LOAD_BASE, &len);
	assert_int_equal(at32(tag, 0), base);
	tag = find_tag(MULTIBOOT2_TAG_RSDP_NEW, &len);
	assert_int_equal(len, 36);
	assert_memory_equal(tag, "RSD PTR ", 8);
	assert_null(find_tag(MULTIBOOT2_TAG_RSDP_OLD, &len));
	assert_non_null(diag_find_note(&diag, "multiboot2/rsdp"));
	assert_null(find_tag(MULTIBOOT2_TAG_FRAMEBUFFER, &len));
	assert_null(find_tag(MULTIBOOT2_TAG_EFI64, &len));
}

/* Without the tag it stays where it is linked. */
static void test_2_fixed(void **state)
{
	const struct tag entry = { MULTIBOOT2_HEADER_ENTRY, 0, 4, { 0x200020 } };
	uint32_t len;

	(void)state;
	make_2(NULL, 0);
	expect("ok");
	check_program(0x200000);
	assert_int_equal(plan.jump_entry, ENTRY);
	assert_null(find_tag(MULTIBOOT2_TAG_LOAD_BASE, &len));
	make_2(&entry, 1);
	expect("ok");
	assert_int_equal(plan.jump_entry, 0x200020);
}

static void test_2_addresses(void **state)
{
	struct tag tags[] = {
		{ MULTIBOOT2_HEADER_ADDRESS, 0, 16, { 0x300040, 0x300000, 0x301000, 0x302000 } },
		{ MULTIBOOT2_HEADER_ENTRY, 0, 4, { 0x300100 } },
	};

	(void)state;
	make_2(tags, 2);
	memset(file.data, 0, 64);	/* no ELF file */
	expect("ok");
	assert_int_equal(plan_find(&plan, "kernel")->addr, 0x300000);
	assert_int_equal(plan_find(&plan, "kernel")->mem_len, 0x2000);
	assert_int_equal(*at_address(0x300fff), elf_byte(&loads[0], 0xfff));
	tags[0].body[0] = 0x300000 + HEADER_OFF;	/* the file from its first byte */
	tags[0].body[1] = MULTIBOOT2_FROM_START;
	make_2(tags, 2);
	expect("ok");
	assert_int_equal(plan_find(&plan, "kernel")->addr, 0x300000);
	assert_int_equal(*at_address(0x300000), 0x7f);
	make_2(tags, 1), expect("multiboot2/no-entry");
	tags[0].body[0] = HEADER_OFF - 1, make_2(tags, 2), expect("multiboot2/load-address");
	tags[0].body[0] = 0x300040, tags[0].body[1] = 0x300000;
	tags[0].body[2] = 0x400000, make_2(tags, 2), expect("multiboot2/load-end");
	tags[0].body[2] = 0x301000, tags[0].body[3] = 0x300fff, make_2(tags, 2);
	expect("multiboot2/bss-end");
	tags[0].len = 12, make_2(tags, 2), expect("multiboot2/address-truncated");
}

static void test_2_refused(void **state)
{
	struct tag tag = { 99, 0, 0, { 0 } };

	(void)state;
	make_2(&tag, 1), expect("multiboot2/tag");
	tag.flags = 1, make_2(&tag, 1), expect("ok");
	tag = (struct tag){ MULTIBOOT2_HEADER_EFI_BOOT_SERVICES, 0, 0, { 0 } };
	make_2(&tag, 1), expect("multiboot2/boot-services");
	tag = (struct tag){ MULTIBOOT2_HEADER_REQUEST, 0, 4, { 18 } };
	make_2(&tag, 1), expect("multiboot2/request");
	tag.flags = 1, make_2(&tag, 1), expect("ok");
	tag = (struct tag){ MULTIBOOT2_HEADER_RELOCATABLE, 0, 16, { 0x200000, 0xffffffff, 3, 0 } };
	make_2(&tag, 1), expect("multiboot2/relocatable");
	tag.body[2] = 0x1000, tag.body[1] = 0x100000, make_2(&tag, 1);
	expect("multiboot2/relocatable");
	tag.len = 12, make_2(&tag, 1), expect("multiboot2/relocatable-truncated");
	make_2(&tag, 1);
	set32(file.data, HEADER_OFF + 16 + 4, 4), expect("multiboot2/tags");
	set32(file.data, HEADER_OFF + 16 + 4, 0), expect("multiboot2/tags");
	set32(file.data, HEADER_OFF + 16 + 4, UINT32_MAX), expect("multiboot2/tags");
	make_2(NULL, 0);
	set32(file.data, HEADER_OFF + 16, 77 | 1 << 16);	/* no end tag */
	expect("multiboot2/tags");
	make_2(NULL, 0);
	set32(file.data, HEADER_OFF + 8, 0x10000);
	set32(file.data, HEADER_OFF + 12, (uint32_t)0 - MULTIBOOT2_HEADER_MAGIC - 0x10000);
	expect("multiboot2/header-truncated");
}

static void test_relocatable(void **state)
{
	struct tag tag = { MULTIBOOT2_HEADER_RELOCATABLE, 0, 16,
			   { 0x1000000, 0x2000000, 0x1000, 1 } };

	(void)state;
	make_2(&tag, 1), expect("ok");
	assert_int_equal(plan_find(&plan, "kernel")->addr, 0x1000000);
	tag.body[3] = 2, make_2(&tag, 1), expect("ok");
	assert_int_equal(plan_find(&plan, "kernel")->addr, 0x2000000 - 0x6000);
	tag.body[1] = 0x1000fff, make_2(&tag, 1), expect("place/no-hole");
}

static void test_type(void **state)
{
	(void)state;
	make_2(NULL, 0);
	put_header1(HEADER_OFF + 0x100, 0);
	expect("ok");
	assert_string_equal(plan.type, "multiboot2-x86");	/* of two it is the later one */
	req.type = "multiboot-x86", expect("ok");
	assert_string_equal(plan.type, "multiboot-x86");
	req.type = "elf-x86_64", expect("probe/type-differs");
}

/* The display as the running kernel has it from the firmware. */
static void test_screen(void **state)
{
	const struct multiboot_info *info;
	const uint8_t *tag;
	uint32_t len;

	(void)state;
	make_1();
	facts.boot_params[0x0f] = 1, facts.boot_params[0x07] = 80, facts.boot_params[0x0e] = 25;
	expect("ok");
	info = (const void *)at_address(plan.jump_ebx);
	assert_int_equal(info->flags & MULTIBOOT_INFO_FRAMEBUFFER, MULTIBOOT_INFO_FRAMEBUFFER);
	assert_int_equal(info->framebuffer_addr, 0xb8000);
	assert_int_equal(info->framebuffer_type, MULTIBOOT_FRAMEBUFFER_TEXT);
	assert_int_equal(info->framebuffer_pitch, 160);
	facts.boot_params[0x0f] = 0x70;	/* VIDEO_TYPE_EFI */
	set16(facts.boot_params, 0x12, 1024), set16(facts.boot_params, 0x14, 768);
	set16(facts.boot_params, 0x16, 32), set16(facts.boot_params, 0x24, 4096);
	set32(facts.boot_params, 0x18, 0xc0000000);
	facts.boot_params[0x26] = 8, facts.boot_params[0x27] = 16;
	make_2(NULL, 0), expect("ok");
	tag = find_tag(MULTIBOOT2_TAG_FRAMEBUFFER, &len);
	assert_int_equal(len, 30);
	assert_int_equal(at64(tag, 0), 0xc0000000);
	assert_int_equal(at32(tag, 8), 4096);
	assert_int_equal(at32(tag, 12), 1024);
	assert_int_equal(at8(tag, 20), 32);
	assert_int_equal(at8(tag, 21), MULTIBOOT_FRAMEBUFFER_RGB);
	assert_int_equal(at8(tag, 24), 16);	/* red: position, size */
	assert_int_equal(at8(tag, 25), 8);
	facts.display = DISPLAY_NATIVE, expect("ok");
	assert_null(find_tag(MULTIBOOT2_TAG_FRAMEBUFFER, &len));
}

/* Only who asks gets the EFI system table: its boot services are gone. */
static void test_efi(void **state)
{
	const struct tag ask = { MULTIBOOT2_HEADER_REQUEST, 1, 4, { MULTIBOOT2_TAG_EFI64 } };
	const uint8_t *tag;
	uint32_t len;

	(void)state;
	facts.efi.is_booted = true;
	facts.efi.bits = 64;
	set32(facts.boot_params, 0x1c4, 0x7e000000);
	make_2(NULL, 0), expect("ok");
	assert_null(find_tag(MULTIBOOT2_TAG_EFI64, &len));
	make_2(&ask, 1), expect("ok");
	tag = find_tag(MULTIBOOT2_TAG_EFI64, &len);
	assert_int_equal(at64(tag, 0), 0x7e000000);
	req.no_efi = true, expect("ok");
	assert_null(find_tag(MULTIBOOT2_TAG_EFI64, &len));
}

/* Far from each other they are segments of their own; what is between is not asked for. */
static void test_pieces(void **state)
{
	const struct test_load far[] = {
		{ 0x200000, 0x200000, 0x100, 0x100, 1 },
		{ 0x4000800, 0x4000800, 0x100, 0x100, 2 },
		{ 0x4001000, 0x4001000, 0, 0x1001, 3 },
	};

	(void)state;
	bytes_free(&file);
	make_elf_file(false, 0x200000, far, array_len(far), &file);
	put_header1(HEADER_OFF, 0);
	ask_for();
	expect("ok");
	assert_int_equal(plan_find(&plan, "kernel")->mem_len, 0x1000);
	assert_int_equal(plan_find(&plan, "kernel.2")->addr, 0x4000000);
	assert_int_equal(plan_find(&plan, "kernel.2")->bytes.len, 0x900);
	assert_int_equal(plan_find(&plan, "kernel.2")->mem_len, 0x3000);
	assert_int_equal(*at_address(0x4000800), elf_byte(&far[1], 0));
	assert_int_equal(*at_address(0x40007ff), 0);
}

/* e_entry as a virtual address, as some programs have it. */
static void test_virtual_entry(void **state)
{
	const struct test_load high = { 0x200000, 0xc0200000, 0x1000, 0x1000, 1 };

	(void)state;
	bytes_free(&file);
	make_elf_file(false, 0xc0200123, &high, 1, &file);
	put_header1(HEADER_OFF, 0);
	ask_for();
	expect("ok");
	assert_int_equal(plan.jump_entry, 0x200123);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_1, fresh, done),
		cmocka_unit_test_setup_teardown(test_1_without_anything, fresh, done),
		cmocka_unit_test_setup_teardown(test_1_addresses, fresh, done),
		cmocka_unit_test_setup_teardown(test_1_refused, fresh, done),
		cmocka_unit_test_setup_teardown(test_search, fresh, done),
		cmocka_unit_test_setup_teardown(test_2, fresh, done),
		cmocka_unit_test_setup_teardown(test_2_fixed, fresh, done),
		cmocka_unit_test_setup_teardown(test_2_addresses, fresh, done),
		cmocka_unit_test_setup_teardown(test_2_refused, fresh, done),
		cmocka_unit_test_setup_teardown(test_relocatable, fresh, done),
		cmocka_unit_test_setup_teardown(test_type, fresh, done),
		cmocka_unit_test_setup_teardown(test_screen, fresh, done),
		cmocka_unit_test_setup_teardown(test_efi, fresh, done),
		cmocka_unit_test_setup_teardown(test_pieces, fresh, done),
		cmocka_unit_test_setup_teardown(test_virtual_entry, fresh, done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
