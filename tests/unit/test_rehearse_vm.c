// SPDX-License-Identifier: GPL-2.0-or-later
/* What a virtual machine says of its memory and of its kernel, and the file that it is given. */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "arch/x86/vm_entry.h"
#include "arch/x86/vm_image.h"
#include "rehearse_console.h"
#include "unit.h"
#include "wire/pvh.h"

static struct arena arena;
static struct diag diag;
static struct console console;
static struct {
	struct pvh_start_info info;
	struct pvh_memory map[3];
	uint8_t rsdp[RSDP_LEN_MAX];
} report;

static int fresh(void **state)
{
	(void)state;
	memset(&arena, 0, sizeof(arena));
	memset(&console, 0, sizeof(console));
	memset(&report, 0, sizeof(report));
	diag_init(&diag, &arena);
	report.info = (struct pvh_start_info){
		.magic = PVH_START_MAGIC, .version = 1, .n_memory = 3, .rsdp = 0xf5000,
	};
	report.map[0] = (struct pvh_memory){ .addr = 0, .len = 0x9fc00, .type = MEM_RAM };
	report.map[1] = (struct pvh_memory){ .addr = MIB, .len = 1023 * MIB, .type = MEM_RAM };
	report.map[2] = (struct pvh_memory){ .addr = 4 * GIB, .len = GIB, .type = MEM_RAM };
	return 0;
}

static int done(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static void say(const char *text)
{
	console_read(&console, text, strlen(text));
}

static void test_map(void **state)
{
	struct vm_map map;

	(void)state;
	report.rsdp[15] = 2;
	assert_int_equal(vm_map_read(span_of(&report, sizeof(report)), &arena, &map, &diag), 0);
	assert_int_equal(map.n_map, 3);
	assert_int_equal(map.low.end, GIB);
	assert_int_equal(map.top, 5 * GIB);
	assert_int_equal(map.vm_base, GIB - VM_FIRMWARE_LEN - VM_OWN_LEN);
	assert_int_equal(map.rsdp, 0xf5000);
	assert_int_equal(map.rsdp_len, RSDP_LEN_MAX);
}

static void test_broken_map(void **state)
{
	struct vm_map map;

	(void)state;
	for (size_t len = 0; len < sizeof(report.info) + sizeof(report.map); len++) {
		diag_init(&diag, &arena);
		assert_int_equal(vm_map_read(span_of(&report, len), &arena, &map, &diag), -EINVAL);
		assert_string_equal(diag.id, "rehearse/vm-map");
	}
	diag_init(&diag, &arena);
	report.map[1].len = 16 * MIB;
	assert_int_equal(vm_map_read(span_of(&report, sizeof(report)), &arena, &map, &diag), -EINVAL);
}

/* The bytes of a file, as it would be written. */
static const uint8_t *join(const struct export_file *f)
{
	uint8_t *all = arena_alloc(&arena, (size_t)f->len), *to = all;

	for (size_t i = 0; i < f->n; i++) {
		memcpy(to, f->pieces[i].data, f->pieces[i].len);
		to += f->pieces[i].len;
	}
	return all;
}

static void test_image(void **state)
{
	const struct segment_wish low = { .name = "low" }, high = { .name = "high" };
	struct export_file file;
	struct segment *a, *b;
	struct vm_entry_head head;
	struct vm_map map;
	struct plan plan;
	const uint8_t *bytes;
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr;

	(void)state;
	assert_int_equal(vm_map_read(span_of(&report, sizeof(report)), &arena, &map, &diag), 0);
	plan_init(&plan, &arena);
	assert_int_equal(plan_add_own(&plan, &low, 100, &a, &diag), 0);
	a->addr = 0x10000;
	assert_int_equal(plan_add_own(&plan, &high, 5000, &b, &diag), 0);
	b->addr = 4 * GIB + MIB;
	memset(b->own, 0x55, 5000);
	plan.entry = 4 * GIB + MIB + 0x20;
	assert_int_equal(vm_image_make(&plan, false, &map, &arena, &file, &diag), 0);
	bytes = join(&file);
	memcpy(&ehdr, bytes, sizeof(ehdr));
	assert_int_equal(ehdr.e_phnum, 4);
	memcpy(&phdr, bytes + ehdr.e_phoff + sizeof(phdr), sizeof(phdr));
	assert_int_equal(phdr.p_paddr, map.vm_base);
	memcpy(&head, bytes + phdr.p_offset, sizeof(head));
	assert_int_equal(head.entry, plan.entry);
	assert_int_equal(head.jumps, VM_JUMPS_64);
	assert_int_equal(head.n_gib, 5);
	assert_int_equal(head.copy_to, 0x10000);
	assert_int_equal(head.copy_len, PAGE_LEN);
	assert_true(head.tables + (2 + head.n_gib) * PAGE_LEN <= phdr.p_paddr + phdr.p_memsz);
	/* mov $base, %ebp */
	assert_int_equal(bytes[phdr.p_offset + VM_ENTRY_SELF - 1], 0xbd);
	assert_memory_equal(bytes + phdr.p_offset + VM_ENTRY_SELF, &map.vm_base, 4);
	memcpy(&phdr, bytes + ehdr.e_phoff + 3 * sizeof(phdr), sizeof(phdr));
	assert_int_equal(phdr.p_paddr, b->addr);
	assert_int_equal(phdr.p_memsz, 2 * PAGE_LEN);
	assert_memory_equal(bytes + phdr.p_offset, b->own, 5000);
	/* One segment below 1 MiB, no more. */
	b->addr = 0x20000;
	assert_int_equal(vm_image_make(&plan, false, &map, &arena, &file, &diag), -EOPNOTSUPP);
	assert_string_equal(diag.id, "rehearse/vm-low");
}

/* What goes wrong after purgatory's last word is not purgatory's. */
static void test_after_purgatory(void **state)
{
	(void)state;
	say("kexec: 3 segments intact, starting kernel\r\nkexec: exception 14 at 0x1000\r\n");
	assert_true(console.is_intact);
	assert_int_equal(console.end, CONSOLE_EXCEPTION);
	assert_string_equal(console.purgatory, "kexec: 3 segments intact, starting kernel");
	assert_string_equal(console.trouble, "kexec: exception 14 at 0x1000");
}

/* A kernel without root= gives its initramfs half of the memory. */
static void test_no_room(void **state)
{
	(void)state;
	say("Linux version 6\nInitramfs unpacking failed: write error\n");
	assert_true(console.has_no_room && console.has_bad_initrd);
}

/* The setup code's words, on a CPU that it cannot do with. */
static void test_wrong_cpu(void **state)
{
	(void)state;
	say("kexec: 3 segments intact, starting kernel\r\n"
	    "This kernel requires an x86-64 CPU, but only detected an i686 CPU.\r\n"
	    "Unable to boot - please use a kernel appropriate for your CPU.\r\n");
	assert_int_equal(console.end, CONSOLE_EXCEPTION);
	assert_string_equal(console.trouble,
			    "This kernel requires an x86-64 CPU, but only detected an i686 CPU.");
}

static void test_to_init(void **state)
{
	(void)state;
	say("\x1b[2J\x1b[1;1Hkexec: 3 segm");
	say("ents intact, starting kernel\r\n");
	assert_true(console.is_intact);
	assert_false(console.has_kernel);
	say("[    0.000000] Linux version 6.1.0 (x)\r\n[    3.04] Run /init as init process\n");
	assert_true(console.has_kernel && console.has_init);
	assert_int_equal(console.end, CONSOLE_NONE);
	say("\ndebian login: ");
	assert_false(console.has_login);
	console_flush(&console);
	assert_true(console.has_login);
}

static void test_panics(void **state)
{
	static const struct {
		const char *text;
		enum console_end end;
	} cases[] = {
		{ "System is deadlocked on memory", CONSOLE_NO_MEMORY },
		{ "VFS: Unable to mount root fs on unknown-block(0,0)", CONSOLE_NO_ROOT },
		{ "Attempted to kill init! exitcode=0x00000100", CONSOLE_PANIC },
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		memset(&console, 0, sizeof(console));
		say("[ 1.0] Linux version 1\n[    1.0] Kernel panic - not syncing: ");
		say(cases[i].text);
		say("\n[ 1.1] ---[ end Kernel panic - not syncing: once more ]---\n");
		assert_int_equal(console.end, cases[i].end);
		assert_non_null(strstr(console.trouble, cases[i].text));
	}
}

/* The panic that follows says less than what led to it. */
static void test_bad_initrd(void **state)
{
	(void)state;
	say("Linux version 1\n[ 1.0] Initramfs unpacking failed: write error\n"
	    "[ 1.1] Kernel panic - not syncing: No working init found.\n");
	assert_true(console.has_bad_initrd);
	assert_non_null(strstr(console.trouble, "write error"));
}

static void test_damage(void **state)
{
	(void)state;
	say("kexec: segment kernel is damaged: at 0x1000, length 5\n");
	assert_true(console.is_damaged && !console.is_intact);
}

/* A kernel's own lines do not pass for purgatory's, nor the other way round. */
static void test_who_speaks(void **state)
{
	(void)state;
	say("kexec: Run /init as init process\n");
	assert_false(console.has_init);
	say("Linux version 6\nkexec: 3 segments intact, starting kernel\n");
	assert_false(console.is_intact);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define UNIT(test)	cmocka_unit_test_setup_teardown(test, fresh, done)
		UNIT(test_map),
		UNIT(test_broken_map),
		UNIT(test_image),
		UNIT(test_after_purgatory),
		UNIT(test_no_room),
		UNIT(test_wrong_cpu),
		UNIT(test_to_init),
		UNIT(test_panics),
		UNIT(test_bad_initrd),
		UNIT(test_damage),
		UNIT(test_who_speaks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
