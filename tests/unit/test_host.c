// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Host trees that the test builds: a valid BIOS machine in a temporary directory, then one thing
 * is broken. The tests run as root too, so what cannot be read is a directory or a dangling link.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host.h"
#include "host_parts.h"
#include "lib_image.h"
#include "unit.h"

static struct arena arena;
static struct diag diag;
static struct facts facts;
static char root[64];

/* ---- the tree ------------------------------------------------------------------------------- */

static void make_parents(const char *full)
{
	char path[512];

	snprintf(path, sizeof(path), "%s", full);
	for (char *at = path + strlen(root) + 1; (at = strchr(at, '/')) != NULL; at++) {
		*at = '\0';
		assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
		*at = '/';
	}
}

static const char *full_path(const char *path)
{
	static char full[512];

	assert_true(snprintf(full, sizeof(full), "%s/%s", root, path) < (int)sizeof(full));
	return full;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static void drop(const char *path)
{
	struct stat st;

	if (lstat(full_path(path), &st) == 0)
		assert_int_equal(nftw(full_path(path), remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static void put_bytes(const char *path, const void *data, size_t len)
{
	FILE *file;

	drop(path);
	make_parents(full_path(path));
	file = fopen(full_path(path), "w");
	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static void put(const char *path, const char *text)
{
	put_bytes(path, text, strlen(text));
}

static void put_link(const char *path, const char *target)
{
	drop(path);
	make_parents(full_path(path));
	assert_int_equal(symlink(target, full_path(path)), 0);
}

static void put_directory(const char *path)
{
	drop(path);
	make_parents(full_path(path));
	assert_int_equal(mkdir(full_path(path), 0755), 0);
}

static void put_memmap(unsigned int number, uint64_t start, uint64_t last, const char *type)
{
	char path[64], value[32];

	snprintf(path, sizeof(path), "sys/firmware/memmap/%u/start", number);
	snprintf(value, sizeof(value), "0x%llx\n", (unsigned long long)start);
	put(path, value);
	snprintf(path, sizeof(path), "sys/firmware/memmap/%u/end", number);
	snprintf(value, sizeof(value), "0x%llx\n", (unsigned long long)last);
	put(path, value);
	snprintf(path, sizeof(path), "sys/firmware/memmap/%u/type", number);
	put(path, type);
}

static void put_setup_node(unsigned int number, const char *type, const void *data, size_t len)
{
	char path[96];

	snprintf(path, sizeof(path), "sys/kernel/boot_params/setup_data/%u/type", number);
	put(path, type);
	snprintf(path, sizeof(path), "sys/kernel/boot_params/setup_data/%u/data", number);
	put_bytes(path, data, len);
}

/* As BIOS and GRUB leave it: 80x25 VGA text, two e820 entries, no RSDP. */
static void make_boot_params(uint8_t bp[BOOT_PARAMS_LEN])
{
	memset(bp, 0, BOOT_PARAMS_LEN);
	set8(bp, 0x06, 3);
	set8(bp, 0x07, 80);
	set8(bp, 0x0e, 25);
	set8(bp, 0x0f, 1);
	set8(bp, 0x1e8, 2);
	set64(bp, 0x2d0, 0);
	set64(bp, 0x2d8, 0x9fc00);
	set32(bp, 0x2e0, MEM_RAM);
	set64(bp, 0x2e4, MIB);
	set64(bp, 0x2ec, GIB - MIB);
	set32(bp, 0x2f4, MEM_RAM);
}

static const char good_iomem[] =
	"00000000-00000fff : Reserved\n"
	"00001000-0009fbff : System RAM\n"
	"0009fc00-000fffff : Reserved\n"
	"00100000-3fffffff : System RAM\n"
	"  01000000-02209987 : Kernel code\n"
	"  20000000-2fffffff : Crash kernel\n"
	"fec00000-fec003ff : IOAPIC 0\n";

static void make_tree(void)
{
	uint8_t bp[BOOT_PARAMS_LEN];

	put("proc/iomem", good_iomem);
	put("proc/cmdline", "BOOT_IMAGE=/vmlinuz root=/dev/vda1 console=tty0 console=ttyS0\n");
	put("proc/consoles", "ttyS0                -W- (EC  p a)    4:64\n"
			     "tty0                 -WU (E   p  )    4:1\n");
	put("proc/meminfo", "MemTotal:        1000000 kB\nMemFree:          900000 kB\n");
	put("proc/cpuinfo", "processor\t: 0\nmodel name\t: lm la57\ncpu MHz\t\t: 2596.122\n"
			    "flags\t\t: fpu pdpe1gb lm constant_tsc\n\n"
			    "processor\t: 1\nflags\t\t: fpu la57\n");
	put("proc/fb", "");
	put("proc/sys/kernel/osrelease", "6.1.0-55-amd64\n");
	put("proc/sys/kernel/kexec_load_disabled", "0\n");
	put_memmap(10, 0, 0x9fbff, "System RAM\n");
	put_memmap(2, MIB, GIB - 1, "System RAM\n");
	put_memmap(0, 0x9fc00, 0xfffff, "Reserved\n");
	make_boot_params(bp);
	put_bytes("sys/kernel/boot_params/data", bp, sizeof(bp));
	put("sys/kernel/kexec_loaded", "0\n");
	put("sys/kernel/kexec_crash_loaded", "1\n");
	put("sys/class/drm/version", "drm 1.1.0 20060810\n");
	put_directory("sys/class/graphics");
	put("sys/class/tty/ttyS0/io_type", "0\n");
	put("sys/class/tty/ttyS0/port", "0x3F8\n");
}

static int fresh(void **state)
{
	(void)state;
	memset(&arena, 0, sizeof(arena));
	diag_init(&diag, &arena);
	snprintf(root, sizeof(root), "/tmp/test_host.XXXXXX");
	assert_non_null(mkdtemp(root));
	make_tree();
	return 0;
}

static int done(void **state)
{
	(void)state;
	arena_free(&arena);
	return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- what is asserted ----------------------------------------------------------------------- */

static void read_again(void)
{
	arena_free(&arena);
	diag_init(&diag, &arena);
	assert_int_equal(host_read(root, &arena, &facts, &diag), 0);
	assert_null(diag.id);
}

static bool has_note(const char *id)
{
	return diag_find_note(&diag, id) != NULL;
}

static void assert_ram(size_t i, phys_t start, phys_t end)
{
	assert_true(i < facts.ram.n);
	assert_int_equal(facts.ram.r[i].start, start);
	assert_int_equal(facts.ram.r[i].end, end);
}

/* What holds of any machine, this one too. */
static void assert_plausible(void)
{
	assert_true(facts.n_map > 0);
	assert_true(facts.map_source != MAP_NONE);
	for (size_t i = 0; i < facts.n_map; i++) {
		assert_true(facts.map[i].range.start < facts.map[i].range.end);
		assert_true(i == 0 || facts.map[i - 1].range.end <= facts.map[i].range.start);
	}
	for (size_t i = 0; i < facts.ram.n; i++) {
		assert_true(facts.ram.r[i].start >= MIB);
		assert_true(facts.ram.r[i].start < facts.ram.r[i].end);
		assert_true(is_aligned(facts.ram.r[i].start | facts.ram.r[i].end, PAGE_LEN));
		assert_true(i == 0 || facts.ram.r[i - 1].end < facts.ram.r[i].start);
		for (size_t k = 0; k < facts.crash_kernel.n; k++)
			assert_false(range_overlaps(facts.ram.r[i], facts.crash_kernel.r[k]));
	}
	assert_non_null(facts.cmdline);
	assert_non_null(facts.release);
	assert_true((facts.rsdp != 0) == (facts.rsdp_source != RSDP_NONE));
	assert_true(facts.efi.bits == 0 || facts.efi.bits == 32 || facts.efi.bits == 64);
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void test_good_machine(void **state)
{
	(void)state;
	read_again();
	assert_plausible();
	assert_null(diag.notes);
	assert_int_equal(facts.map_source, MAP_FIRMWARE);
	assert_int_equal(facts.n_map, 3);
	assert_int_equal(facts.map[1].type, MEM_RESERVED);
	assert_true(facts.is_ram_from_iomem);
	assert_int_equal(facts.ram.n, 2);
	assert_ram(0, MIB, 0x20000000);
	assert_ram(1, 0x30000000, 0x40000000);
	assert_int_equal(facts.crash_kernel.n, 1);
	assert_int_equal(facts.ram_total, 1000000 * KIB);
	assert_true(facts.has_boot_params);
	assert_int_equal(facts.n_setup, 0);
	assert_int_equal(facts.rsdp_source, RSDP_NONE);
	assert_false(facts.efi.is_booted);
	assert_int_equal(facts.display, DISPLAY_FIRMWARE);
	assert_null(facts.display_driver);
	assert_int_equal(facts.console.serial_port, 0x3f8);
	assert_null(facts.console.serial_skipped);
	assert_true(facts.console.has_vga_text);
	assert_true(facts.cpu.has_long_mode && facts.cpu.has_1gib_pages);
	assert_false(facts.cpu.is_la57_on);
	assert_int_equal(facts.cpu.tsc_khz, 2596122);
	assert_int_equal(facts.policy.lockdown, LOCKDOWN_UNKNOWN);
	assert_false(facts.policy.is_load_disabled || facts.policy.has_load_limit);
	assert_false(facts.policy.is_kho_active || facts.policy.is_ima_active);
	assert_string_equal(facts.release, "6.1.0-55-amd64");
	assert_string_equal(facts.cmdline,
			    "BOOT_IMAGE=/vmlinuz root=/dev/vda1 console=tty0 console=ttyS0");
}

static void test_this_machine(void **state)
{
	int r;

	(void)state;
	r = host_read("", &arena, &facts, &diag);
	if (r < 0) {
		/* A sandbox without /sys and with a masked /proc/iomem has no map; that is said. */
		assert_string_equal(diag.id, "host/no-memory-map");
		return;
	}
	assert_plausible();
	assert_true(facts.release[0] != '\0');
#ifdef __x86_64__
	assert_true(facts.cpu.has_long_mode);
#endif
}

static void test_root_that_is_none(void **state)
{
	(void)state;
	assert_int_equal(host_read("/nonexistent", &arena, &facts, &diag), -ENOENT);
	assert_string_equal(diag.id, "host/root");
	diag_clear(&diag);
	assert_int_equal(host_read("/dev/null", &arena, &facts, &diag), -ENOTDIR);
	assert_string_equal(diag.id, "host/root");
}

static void test_empty_tree_has_no_memory_map(void **state)
{
	(void)state;
	drop("proc");
	drop("sys");
	assert_int_equal(host_read(root, &arena, &facts, &diag), -ENOENT);
	assert_string_equal(diag.id, "host/no-memory-map");
	assert_true(diag.advice[0] != '\0');
}

static void test_memory_map_alone_is_enough(void **state)
{
	(void)state;
	drop("proc");
	drop("sys");
	put_memmap(0, 0, GIB - 1, "System RAM");
	read_again();
	assert_plausible();
	assert_int_equal(facts.ram.n, 1);
	assert_ram(0, MIB, GIB);
	assert_string_equal(facts.cmdline, "");
	assert_string_equal(facts.release, "");
	assert_int_equal(facts.ram_total, 0);
	assert_int_equal(facts.cpu.tsc_khz, 0);
	assert_int_equal(facts.display, DISPLAY_UNKNOWN);
	assert_int_equal(facts.console.serial_port, 0);
	assert_false(facts.has_boot_params);
	assert_true(has_note("host/iomem-unprivileged"));
	assert_true(has_note("host/boot-params"));
	assert_true(has_note("host/cpu-unknown"));
}

/* Every single file, as a directory, as an empty file, as garbage, as a link to itself. */
static void test_any_one_file_broken(void **state)
{
	static const char *const files[] = {
		"proc/iomem", "proc/cmdline", "proc/consoles", "proc/meminfo", "proc/cpuinfo",
		"proc/fb", "proc/sys/kernel/osrelease", "proc/sys/kernel/kexec_load_disabled",
		"proc/sys/kernel/kexec_load_limit_reboot", "proc/kcore", "sys/kernel/vmcoreinfo",
		"sys/devices/system/cpu", "sys/devices/system/cpu/possible",
		"sys/firmware/acpi/tables/SRAT",
		"sys/devices/system/cpu/cpu0/crash_notes",
		"sys/devices/system/cpu/cpu0/crash_notes_size", "sys/kernel/kexec/crash_cma_ranges",
		"sys/kernel/kexec/crash_loaded", "sys/firmware/memmap/2/start",
		"sys/firmware/memmap/2/end", "sys/firmware/memmap/2/type", "sys/firmware/memmap",
		"sys/kernel/boot_params/data", "sys/kernel/boot_params/setup_data",
		"sys/kernel/boot_params", "sys/firmware/efi", "sys/firmware/efi/systab",
		"sys/firmware/efi/runtime-map", "sys/class/drm", "sys/class/graphics/fb0/name",
		"sys/class/tty/ttyS0/io_type", "sys/class/tty/ttyS0/port",
		"sys/kernel/security/lockdown", "sys/kernel/debug/kho/out/finalize",
		"sys/kernel/security/ima/runtime_measurements_count",
		"sys/devices/system/cpu/cpu0/tsc_freq_khz",
	};
	static const char garbage[] = "\xff\x00\x1b[2J-1 0x 99999999999999999999999 (((\n\"\n : ";

	for (size_t i = 0; i < array_len(files); i++) {
		for (int how = 0; how < 5; how++) {
			done(state);
			fresh(state);
			if (how == 0)
				put_directory(files[i]);
			else if (how == 1)
				put(files[i], "");
			else if (how == 2)
				put_bytes(files[i], garbage, sizeof(garbage));
			else if (how == 3)
				put_link(files[i], strrchr(files[i], '/') + 1);
			else
				put_link(files[i], "/etc/passwd");
			read_again();
			assert_plausible();
		}
	}
}

static void test_fifo_does_not_block(void **state)
{
	(void)state;
	drop("proc/iomem");
	assert_int_equal(mkfifo(full_path("proc/iomem"), 0600), 0);
	read_again();
	assert_true(has_note("host/iomem-unprivileged"));
}

static void test_huge_files_are_not_read(void **state)
{
	static const char *const files[] = { "proc/iomem", "proc/cmdline", "proc/consoles",
					     "proc/fb", "sys/firmware/memmap/0/type",
					     "sys/kernel/boot_params/data" };

	(void)state;
	for (size_t i = 0; i < array_len(files); i++) {
		put(files[i], "");
		assert_int_equal(truncate(full_path(files[i]), 1LL << 40), 0);
	}
	read_again();
	assert_plausible();
	assert_string_equal(facts.cmdline, "");
	assert_true(has_note("host/cmdline"));
	assert_true(has_note("host/boot-params"));
	assert_true(has_note("host/memmap-entry"));
	assert_true(has_note("host/iomem-unprivileged"));
}

static void test_links_stay_in_the_tree(void **state)
{
	(void)state;
	put("inside", "console=inside\n");
	put_link("proc/cmdline", "/inside");
	read_again();
	assert_string_equal(facts.cmdline, "console=inside");
	put_link("proc/cmdline", "../../../../../../../../inside");
	read_again();
	assert_string_equal(facts.cmdline, "console=inside");
	put_link("proc/cmdline", "/proc/sys/kernel/osrelease");
	read_again();
	assert_string_equal(facts.cmdline, "6.1.0-55-amd64");
	/* A directory on the way out. */
	put_link("proc/sys", "/proc/sys");
	read_again();
	assert_string_equal(facts.release, "");
}

/* ---- memory --------------------------------------------------------------------------------- */

static void test_iomem_masked(void **state)
{
	(void)state;
	put("proc/iomem", "00000000-00000000 : Reserved\n00000000-00000000 : System RAM\n");
	read_again();
	assert_false(facts.is_ram_from_iomem);
	assert_true(has_note("host/iomem-unprivileged"));
	assert_int_equal(facts.crash_kernel.n, 0);
	assert_int_equal(facts.ram.n, 1);
	assert_ram(0, MIB, GIB);
}

static void test_iomem_without_ram(void **state)
{
	(void)state;
	put("proc/iomem", "fec00000-fec003ff : IOAPIC 0\n20000000-2fffffff : Crash kernel\n");
	read_again();
	assert_false(facts.is_ram_from_iomem);
	assert_true(has_note("host/iomem-no-ram"));
	assert_false(has_note("host/iomem-unprivileged"));
	/* What it does say still counts. */
	assert_ram(0, MIB, 0x20000000);
}

static void test_ram_is_in_both_maps(void **state)
{
	(void)state;
	put("proc/iomem", "00001000-0009fbff : System RAM\n"
			  "00100000-10000017 : System RAM\n"
			  "10000018-1fff0fff : System RAM\n"
			  "1fff1800-23456788 : System RAM\n"
			  "50000000-5fffffff : System RAM\n");
	read_again();
	assert_int_equal(facts.ram.n, 2);
	assert_ram(0, MIB, 0x1fff1000);
	assert_ram(1, 0x1fff2000, 0x23456000);
}

static void test_ram_nowhere_in_both_maps(void **state)
{
	(void)state;
	put("proc/iomem", "50000000-5fffffff : System RAM\n");
	read_again();
	assert_int_equal(facts.ram.n, 0);
	assert_true(has_note("host/no-destination"));
}

/* Neither what the BIOS keeps in the first page nor its EBDA, and nothing that iomem does not have. */
static void test_low_ram(void **state)
{
	(void)state;
	put_memmap(0, 0, 0x9fbff, "System RAM\n");
	put("proc/iomem", "00000000-00000fff : Reserved\n"
			  "00001000-0009fbff : System RAM\n00100000-3fffffff : System RAM\n");
	read_again();
	assert_int_equal(facts.low_ram.n, 1);
	assert_int_equal(facts.low_ram.r[0].start, PAGE_LEN);
	assert_int_equal(facts.low_ram.r[0].end, 0x9f000);
	put("proc/iomem", "00008000-00080fff : System RAM\n00100000-3fffffff : System RAM\n");
	read_again();
	assert_int_equal(facts.low_ram.r[0].start, 0x8000);
	assert_int_equal(facts.low_ram.r[0].end, 0x81000);
	put_memmap(0, 0, 0xfffff, "System RAM\n");
	put("proc/iomem", "00000000-3fffffff : System RAM\n");
	read_again();
	assert_int_equal(facts.low_ram.n, 1);
	assert_int_equal(facts.low_ram.r[0].start, PAGE_LEN);
	assert_int_equal(facts.low_ram.r[0].end, 0xa0000);
}

static void test_ram_is_not_driver_managed(void **state)
{
	(void)state;
	put("proc/iomem", "00100000-3fffffff : System RAM\n"
			  "  10000000-1fffffff : System RAM (kmem)\n");
	read_again();
	assert_int_equal(facts.ram.n, 2);
	assert_ram(1, 0x20000000, GIB);
}

static void test_memmap_of_unknown_types(void **state)
{
	(void)state;
	put_memmap(3, 0x80000000, 0x8fffffff, "Moon dust\n");
	put_memmap(4, 0xa0000000, 0xa0000fff, "Soft Reserved\n");
	read_again();
	assert_true(has_note("host/memmap-type"));
	assert_int_equal(facts.n_map, 5);
	assert_int_equal(facts.map[3].type, MEM_RESERVED);
	assert_int_equal(facts.map[4].type, (uint32_t)MEM_SOFT_RESERVED);
}

static void test_memmap_entries_that_are_none(void **state)
{
	(void)state;
	put_memmap(3, 2 * GIB, GIB, "System RAM\n");
	put_memmap(4, 2 * GIB, UINT64_MAX, "System RAM\n");
	put("sys/firmware/memmap/5/start", "0x1000");
	put("sys/firmware/memmap/x7/start", "0x1000");
	put("sys/firmware/memmap/007/start", "0x1000");
	read_again();
	assert_true(has_note("host/memmap-entry"));
	assert_int_equal(facts.n_map, 3);
}

static void test_memmap_of_5000_entries(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 5000; i++)
		put_memmap(i + 11, 4 * GIB + i * 2 * MIB, 4 * GIB + i * 2 * MIB + MIB - 1,
			   "System RAM\n");
	drop("proc/iomem");
	read_again();
	assert_plausible();
	assert_int_equal(facts.n_map, 5003);
	assert_int_equal(facts.ram.n, 5001);
}

static void test_map_from_boot_params(void **state)
{
	uint8_t bp[BOOT_PARAMS_LEN], ext[3 * 20] = { 0 };

	(void)state;
	drop("sys/firmware/memmap");
	make_boot_params(bp);
	set8(bp, 0x1e8, 128);
	for (size_t i = 2; i < 128; i++) {
		set64(bp, 0x2d0 + i * 20, 2 * GIB + i * 2 * MIB);
		set64(bp, 0x2d8 + i * 20, MIB);
		set32(bp, 0x2e0 + i * 20, MEM_RAM);
	}
	put_bytes("sys/kernel/boot_params/data", bp, sizeof(bp));
	for (size_t i = 0; i < 3; i++) {
		set64(ext, i * 20, 8 * GIB + i * GIB * 2);
		set64(ext, i * 20 + 8, GIB);
		set32(ext, i * 20 + 16, MEM_RAM);
	}
	put_setup_node(0, "0x3\n", "rom", 3);
	put_setup_node(1, "0x1\n", ext, sizeof(ext));
	read_again();
	assert_plausible();
	assert_int_equal(facts.map_source, MAP_BOOT_PARAMS);
	assert_int_equal(facts.n_map, 131);
	assert_int_equal(facts.map[130].range.end, 13 * GIB);
	assert_int_equal(facts.n_setup, 2);
	assert_int_equal(facts.setup[0].type, 3);
	assert_int_equal(facts.setup[0].data.len, 3);
}

static void test_map_without_ram_is_no_map(void **state)
{
	(void)state;
	drop("sys/firmware/memmap");
	put_memmap(0, 0, GIB - 1, "Reserved\n");
	read_again();
	assert_int_equal(facts.map_source, MAP_BOOT_PARAMS);
	drop("sys/kernel/boot_params");
	read_again();
	assert_int_equal(facts.map_source, MAP_IOMEM);
	assert_true(facts.is_ram_from_iomem);
	assert_int_equal(facts.n_map, 4);
	assert_ram(1, 0x30000000, 0x40000000);
	drop("proc/iomem");
	assert_int_equal(host_read(root, &arena, &facts, &diag), -ENOENT);
	assert_string_equal(diag.id, "host/no-memory-map");
}

/* ---- firmware ------------------------------------------------------------------------------- */

static void test_boot_params_of_a_wrong_length(void **state)
{
	uint8_t bp[BOOT_PARAMS_LEN + 1] = { 0 };

	(void)state;
	put_bytes("sys/kernel/boot_params/data", bp, BOOT_PARAMS_LEN - 1);
	read_again();
	assert_false(facts.has_boot_params);
	assert_true(has_note("host/boot-params"));
	put_bytes("sys/kernel/boot_params/data", bp, BOOT_PARAMS_LEN + 1);
	read_again();
	assert_false(facts.has_boot_params);
	assert_true(has_note("host/boot-params"));
}

static void test_setup_data_that_is_broken(void **state)
{
	(void)state;
	put_setup_node(0, "0x9\n", "seed", 4);
	put_setup_node(1, "junk\n", "x", 1);
	put_setup_node(2, "0x100000000\n", "x", 1);
	put_setup_node(3, "0x3\n", "", 0);
	assert_int_equal(truncate(full_path("sys/kernel/boot_params/setup_data/3/data"),
				  4 * (off_t)MIB + 1), 0);
	put("sys/kernel/boot_params/setup_data/nodes", "");
	read_again();
	assert_int_equal(facts.n_setup, 2);
	assert_int_equal(facts.setup[0].type, 9);
	assert_memory_equal(facts.setup[0].data.data, "seed", 4);
	assert_int_equal(facts.setup[1].type, 3);
	assert_int_equal(facts.setup[1].data.len, 0);
	assert_true(has_note("host/setup-data"));
}

static void test_setup_data_has_limits(void **state)
{
	char path[96];

	(void)state;
	for (unsigned int i = 0; i < 10; i++) {
		put_setup_node(i, "0x3\n", "", 0);
		snprintf(path, sizeof(path), "sys/kernel/boot_params/setup_data/%u/data", i);
		assert_int_equal(truncate(full_path(path), 4 * (off_t)MIB), 0);
	}
	read_again();
	assert_int_equal(facts.n_setup, 10);
	assert_int_equal(facts.setup[7].data.len, 4 * MIB);
	assert_int_equal(facts.setup[8].data.len, 0);
	assert_true(has_note("host/setup-data"));
	for (unsigned int i = 10; i < 257; i++)
		put_setup_node(i, "0x3\n", "", 0);
	read_again();
	assert_int_equal(facts.n_setup, 0);
	assert_true(has_note("host/setup-data-count"));
}

static void put_runtime_entry(unsigned int number, const char *phys, const char *n_pages)
{
	const char *const files[][2] = {
		{ "type", "0x5\n" }, { "phys_addr", phys }, { "virt_addr", "0xfffffffefe000000\n" },
		{ "num_pages", n_pages }, { "attribute", "0x800000000000000f\n" },
	};
	char path[96];

	for (size_t i = 0; i < array_len(files); i++) {
		snprintf(path, sizeof(path), "sys/firmware/efi/runtime-map/%u/%s", number,
			 files[i][0]);
		put(path, files[i][1]);
	}
}

static void make_efi(void)
{
	put("sys/firmware/efi/fw_platform_size", "64\n");
	put("sys/firmware/efi/fw_vendor", "0xbf5ec018\n");
	put("sys/firmware/efi/runtime", "0xbf5ecb98\n");
	put("sys/firmware/efi/config_table", "0xbf5eb018\n");
	put("sys/firmware/efi/systab", "ACPI20=0xbf77e014\nACPI=0xbf77e000\nSMBIOS3=0xbf4d2000\n"
				       "SMBIOS=0xbf4d4000\nMPS=junk\n");
	put_runtime_entry(0, "0xbf4ed000\n", "0x100\n");
	put_runtime_entry(10, "0xbf6ed000\n", "0x3\n");
	put_runtime_entry(9, "0xbf5ed000\n", "0x2\n");
}

static void test_efi(void **state)
{
	(void)state;
	make_efi();
	read_again();
	assert_null(diag.notes);
	assert_true(facts.efi.is_booted && facts.efi.has_systab);
	assert_int_equal(facts.efi.bits, 64);
	assert_int_equal(facts.efi.fw_vendor, 0xbf5ec018);
	assert_int_equal(facts.efi.runtime, 0xbf5ecb98);
	assert_int_equal(facts.efi.config_table, 0xbf5eb018);
	assert_int_equal(facts.efi.smbios, 0xbf4d4000);
	assert_int_equal(facts.efi.smbios3, 0xbf4d2000);
	assert_int_equal(facts.rsdp, 0xbf77e014);
	assert_int_equal(facts.rsdp_source, RSDP_EFI);
	assert_int_equal(facts.efi.n_map, 3);
	assert_int_equal(facts.efi.map[1].phys, 0xbf5ed000);
	assert_int_equal(facts.efi.map[2].n_pages, 3);
	assert_int_equal(facts.efi.map[2].attribute, 0x800000000000000f);
	put("sys/firmware/efi/systab", "ACPI=0xbf77e000\n");
	read_again();
	assert_int_equal(facts.rsdp, 0xbf77e000);
}

static uint8_t sum(const uint8_t *bytes, size_t len)
{
	uint8_t v = 0;

	while (len > 0)
		v = (uint8_t)(v + bytes[--len]);
	return v;
}

static void test_rsdp_bytes(void **state)
{
	uint8_t b[36] = "RSD PTR xOEMOEM";

	(void)state;
	b[8] = 0, b[8] = (uint8_t)-sum(b, 20);
	assert_int_equal(host_rsdp_len(span_of(b, 36)), 20);
	assert_int_equal(host_rsdp_len(span_of(b, 20)), 20);
	assert_int_equal(host_rsdp_len(span_of(b, 19)), 0);
	b[15] = 2, b[20] = 36, b[8] = 0, b[8] = (uint8_t)-sum(b, 20);
	assert_int_equal(host_rsdp_len(span_of(b, 36)), 0);	/* the second checksum */
	b[32] = (uint8_t)-sum(b, 36);
	assert_int_equal(host_rsdp_len(span_of(b, 36)), 36);
	assert_int_equal(host_rsdp_len(span_of(b, 35)), 0);
	b[32]++, b[20] = 37;
	assert_int_equal(host_rsdp_len(span_of(b, 36)), 0);
	b[0] = 'X';
	assert_int_equal(host_rsdp_len(span_of(b, 36)), 0);
	memset(&facts, 0, sizeof(facts));
	facts.rsdp = 0x1000;
	host_read_rsdp("/nonexistent", &facts);	/* a captured tree has no memory */
	assert_int_equal(facts.rsdp_len, 0);
}

/* One of a kind that matters, among others; then lists that are cut or of another width. */
static void test_tables_that_kernels_write_to(void **state)
{
	static const uint8_t guid[16] = { 0x27, 0xe4, 0x68, 0x55, 0xfc, 0x68, 0x3d, 0x4f,
					  0xac, 0x74, 0xca, 0x55, 0x52, 0x31, 0xcc, 0x68 };
	uint8_t list[3 * 24] = { 1, 2, 3 };

	(void)state;
	memset(&facts, 0, sizeof(facts));
	range_list_init(&facts.ram, &arena);
	assert_int_equal(range_list_add(&facts.ram, (struct range){ MIB, GIB }), 0);
	memcpy(list + 24, guid, sizeof(guid));
	set64(list, 24 + 16, 0x7ffffd8);
	facts.efi.bits = 64;
	assert_int_equal(host_withhold_listed(span_of(list, sizeof(list)), &facts, &diag), 0);
	assert_int_equal(facts.ram.n, 2);
	assert_int_equal(facts.ram.r[0].end, 0x7fff000);
	assert_int_equal(facts.ram.r[1].start, 0x8001000);
	assert_non_null(diag_find_note(&diag, "host/efi-table"));
	assert_int_equal(host_withhold_listed(span_of(list, 24 + 23), &facts, &diag), 0);
	facts.efi.bits = 32;
	assert_int_equal(host_withhold_listed(span_of(list, sizeof(list)), &facts, &diag), 0);
	set64(list, 24 + 16, UINT64_MAX);
	facts.efi.bits = 64;
	assert_int_equal(host_withhold_listed(span_of(list, sizeof(list)), &facts, &diag), 0);
	assert_int_equal(facts.ram.n, 2);
	/* A captured tree has no memory. */
	facts.efi.config_table = 0x1000;
	assert_int_equal(host_withhold_efi_tables("/nonexistent", &facts, &diag), 0);
}

static void test_rsdp_of_boot_params_comes_first(void **state)
{
	uint8_t bp[BOOT_PARAMS_LEN];

	(void)state;
	make_efi();
	make_boot_params(bp);
	set64(bp, 0x70, 0xe0000);
	put_bytes("sys/kernel/boot_params/data", bp, sizeof(bp));
	read_again();
	assert_int_equal(facts.rsdp, 0xe0000);
	assert_int_equal(facts.rsdp_source, RSDP_BOOT_PARAMS);
}

static void test_efi_for_others_than_root(void **state)
{
	(void)state;
	make_efi();
	put_directory("sys/firmware/efi/systab");
	put_directory("sys/firmware/efi/runtime-map/9/type");
	read_again();
	assert_true(facts.efi.is_booted);
	assert_false(facts.efi.has_systab);
	assert_int_equal(facts.efi.n_map, 0);
	assert_true(has_note("host/rsdp-unknown"));
	assert_true(has_note("host/efi-runtime-map"));
}

static void test_efi_map_that_wraps(void **state)
{
	(void)state;
	make_efi();
	put_runtime_entry(9, "0xfffffffffffff000\n", "0x2\n");
	read_again();
	assert_int_equal(facts.efi.n_map, 0);
	assert_true(has_note("host/efi-runtime-map"));
	put_runtime_entry(9, "0x1000\n", "0x10000000000000\n");
	read_again();
	assert_int_equal(facts.efi.n_map, 0);
	put_runtime_entry(9, "0x1000\n", "0x1\n");
	put("sys/firmware/efi/runtime-map/9/virt_addr", "0xfffffffffffff000\n");
	read_again();
	assert_int_equal(facts.efi.n_map, 0);
}

static void test_efi_numbers_that_are_none(void **state)
{
	(void)state;
	make_efi();
	put("sys/firmware/efi/fw_platform_size", "128\n");
	put("sys/firmware/efi/fw_vendor", "0x\n");
	put("sys/firmware/efi/systab", "ACPI20=junk\nACPI=0x10000000000000000\n");
	read_again();
	assert_int_equal(facts.efi.bits, 0);
	assert_int_equal(facts.efi.fw_vendor, 0);
	assert_int_equal(facts.rsdp_source, RSDP_NONE);
	assert_true(facts.efi.has_systab);
}

/* ---- display and consoles ------------------------------------------------------------------- */

static void put_card(unsigned int number, const char *driver)
{
	char path[64], target[128];

	snprintf(path, sizeof(path), "sys/class/drm/card%u/device/driver", number);
	snprintf(target, sizeof(target), "../../../bus/pci/drivers/%s", driver);
	put_link(path, target);
}

static void assert_display(enum display_owner owner, const char *driver)
{
	read_again();
	assert_int_equal(facts.display, owner);
	if (driver)
		assert_string_equal(facts.display_driver, driver);
	else
		assert_null(facts.display_driver);
}

static void test_display_by_drm(void **state)
{
	static const char *const native[] = { "i915", "bochs-drm", "virtio_gpu", "nvidia", "??" };
	static const char *const firmware[] = { "simple-framebuffer", "efi-framebuffer",
						"vesa-framebuffer" };

	(void)state;
	for (size_t i = 0; i < array_len(native); i++) {
		put_card(0, native[i]);
		assert_display(DISPLAY_NATIVE, native[i]);
		assert_false(facts.console.has_vga_text);
	}
	for (size_t i = 0; i < array_len(firmware); i++) {
		put_card(0, firmware[i]);
		assert_display(DISPLAY_FIRMWARE, firmware[i]);
		assert_false(facts.console.has_vga_text);
	}
	/* A connector is no card. */
	put_link("sys/class/drm/card0-HDMI-A-1/device/driver", "../i915");
	assert_display(DISPLAY_FIRMWARE, "vesa-framebuffer");
	put_card(1, "ast");
	assert_display(DISPLAY_NATIVE, "ast");
}

static void test_display_by_frame_buffer(void **state)
{
	(void)state;
	put("proc/fb", "0 EFI VGA\n");
	assert_display(DISPLAY_FIRMWARE, "EFI VGA");
	put("sys/class/graphics/fb0/name", "VESA VGA\n");
	assert_display(DISPLAY_FIRMWARE, "VESA VGA");
	put("proc/fb", "0 VESA VGA\n1 matrox\n");
	assert_display(DISPLAY_NATIVE, "matrox");
}

static void test_display_that_is_virtual_only(void **state)
{
	(void)state;
	put_card(0, "vgem");
	assert_display(DISPLAY_FIRMWARE, NULL);
	assert_true(facts.console.has_vga_text);
}

static void test_display_that_nobody_tells(void **state)
{
	(void)state;
	/* A card without a driver link may be anything. */
	put("sys/class/drm/card0/dev", "226:0\n");
	assert_display(DISPLAY_UNKNOWN, NULL);
	assert_false(facts.console.has_vga_text);
	/* A kernel without DRM and fbdev has nobody to reprogram anything. */
	drop("sys/class/drm");
	drop("sys/class/graphics");
	drop("proc/fb");
	assert_display(DISPLAY_FIRMWARE, NULL);
	/* A tree without /sys/class does not tell. */
	drop("sys/class");
	assert_display(DISPLAY_UNKNOWN, NULL);
}

static void test_display_driver_is_printable(void **state)
{
	(void)state;
	put_card(0, "\x1b[2Jevil");
	assert_display(DISPLAY_UNKNOWN, NULL);
	drop("sys/class/drm/card0");
	put("proc/fb", "0 \x1b[2Jevil\n");
	assert_display(DISPLAY_UNKNOWN, NULL);
}

static void test_serial_by_mmio_is_skipped(void **state)
{
	(void)state;
	put("sys/class/tty/ttyS0/io_type", "2\n");
	put("proc/consoles", "ttyS0 -W- (EC  p a)    4:64\nttyS1 -W- (E   p a)    4:65\n");
	put("sys/class/tty/ttyS1/io_type", "0\n");
	put("sys/class/tty/ttyS1/port", "0x2F8\n");
	read_again();
	assert_int_equal(facts.console.serial_port, 0x2f8);
	assert_string_equal(facts.console.serial_skipped, "ttyS0: MMIO");
	assert_false(facts.console.has_vga_text);
}

static void test_serial_ports_that_are_none(void **state)
{
	static const char *const ports[] = { "0x0\n", "0xfff9\n", "0x103f8\n", "", "COM1\n" };

	(void)state;
	for (size_t i = 0; i < array_len(ports); i++) {
		put("sys/class/tty/ttyS0/port", ports[i]);
		read_again();
		assert_int_equal(facts.console.serial_port, 0);
		assert_non_null(facts.console.serial_skipped);
	}
}

static void test_consoles_that_are_not_enabled(void **state)
{
	(void)state;
	put("proc/consoles", "ttyS0 -W- ( C  p a)    4:64\ntty0 -WU (    p  )    4:1\n"
			     "ttySLM0 -W- (E    )    204:40\nhvc0 -W- (EC  )   229:0\n"
			     "tty -W- (E)\nttyS0x1 -W- (E)\nttyS00 -W- (E)\n");
	read_again();
	assert_int_equal(facts.console.serial_port, 0);
	assert_null(facts.console.serial_skipped);
	assert_false(facts.console.has_vga_text);
}

static void test_consoles_by_command_line(void **state)
{
	(void)state;
	drop("proc/consoles");
	put("sys/class/tty/ttyS1/io_type", "0\n");
	put("sys/class/tty/ttyS1/port", "0x2F8\n");
	put("proc/cmdline", "x=\"console=ttyS0 y\" console=ttyS1,115200n8 -- console=tty0\n");
	read_again();
	assert_int_equal(facts.console.serial_port, 0x2f8);
	assert_false(facts.console.has_vga_text);
	put("proc/cmdline", "quiet\n");
	read_again();
	assert_int_equal(facts.console.serial_port, 0);
	assert_true(facts.console.has_vga_text);
}

static void test_vga_text_only_in_that_mode(void **state)
{
	static const struct {
		size_t off;
		uint8_t v;
		bool is_text;
	} cases[] = {
		{ 0x0f, 0x22, true }, { 0x0f, 0x23, false }, { 0x0f, 0x70, false },
		{ 0x0f, 0, false }, { 0x07, 132, false }, { 0x06, 7, false },
	};
	uint8_t bp[BOOT_PARAMS_LEN];

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		make_boot_params(bp);
		set8(bp, cases[i].off, cases[i].v);
		put_bytes("sys/kernel/boot_params/data", bp, sizeof(bp));
		read_again();
		assert_int_equal(facts.console.has_vga_text, cases[i].is_text);
	}
}

/* ---- the kernel and its CPU ----------------------------------------------------------------- */

static void test_command_lines(void **state)
{
	char longest[65536 + 2];

	(void)state;
	memset(longest, 'a', sizeof(longest));
	put_bytes("proc/cmdline", longest, 65536);
	read_again();
	assert_int_equal(strlen(facts.cmdline), 65536);
	put_bytes("proc/cmdline", longest, 65537);
	read_again();
	assert_string_equal(facts.cmdline, "");
	assert_true(has_note("host/cmdline"));
	put_bytes("proc/cmdline", "a\0b\n", 4);
	read_again();
	assert_string_equal(facts.cmdline, "");
	assert_true(has_note("host/cmdline"));
	put("proc/cmdline", "no newline ");
	read_again();
	assert_string_equal(facts.cmdline, "no newline ");
}

static void test_cpu_with_five_levels(void **state)
{
	(void)state;
	put("proc/cpuinfo", "flags : la57 lm\ncpu MHz : unknown\n");
	put("sys/devices/system/cpu/cpu0/tsc_freq_khz", "2000000\n");
	read_again();
	assert_true(facts.cpu.is_la57_on && facts.cpu.has_long_mode);
	assert_false(facts.cpu.has_1gib_pages);
	assert_int_equal(facts.cpu.tsc_khz, 2000000);
}

static void test_cpu_speeds_that_are_none(void **state)
{
	static const char *const speeds[] = { "", ".", "2000", "2000.", "2000.1", "2000.1234",
					      "-5.000", "5000000.000", "1e3.000",
					      "99999999999999999999.000" };
	char text[128];

	(void)state;
	for (size_t i = 0; i < array_len(speeds); i++) {
		snprintf(text, sizeof(text), "cpu MHz\t\t: %s\nflags : lm\n", speeds[i]);
		put("proc/cpuinfo", text);
		read_again();
		assert_int_equal(facts.cpu.tsc_khz, i == 5 ? 2000123 : 0);
	}
}

static void test_ram_totals_that_are_none(void **state)
{
	static const char *const texts[] = { "MemTotal:\n", "MemTotal: 5\n", "MemTotal: x kB\n",
					     "MemTotal: 5 MB\n", "MemTotal: -5 kB\n",
					     "MemTotal: 18446744073709551615 kB\n" };

	(void)state;
	for (size_t i = 0; i < array_len(texts); i++) {
		put("proc/meminfo", texts[i]);
		read_again();
		assert_int_equal(facts.ram_total, 0);
	}
}

static void test_release_is_printable(void **state)
{
	(void)state;
	put("proc/sys/kernel/osrelease", "6.1 \x1b[2J\n");
	read_again();
	assert_string_equal(facts.release, "");
}

static void test_bits_of_the_kernel(void **state)
{
	(void)state;
	assert_false(facts.is_32bit_kernel);
	put("proc/sys/kernel/arch", "x86_64\n");
	read_again();
	assert_false(facts.is_32bit_kernel);
	put("proc/sys/kernel/arch", "i386\n");
	read_again();
	assert_true(facts.is_32bit_kernel);
}

static void test_lockdown(void **state)
{
	static const struct {
		const char *text;
		enum lockdown lockdown;
	} cases[] = {
		{ "[none] integrity confidentiality\n", LOCKDOWN_NONE },
		{ "none [integrity] confidentiality\n", LOCKDOWN_INTEGRITY },
		{ "none integrity [confidentiality]\n", LOCKDOWN_CONFIDENTIALITY },
		{ "none integrity confidentiality\n", LOCKDOWN_UNKNOWN },
		{ "", LOCKDOWN_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		put("sys/kernel/security/lockdown", cases[i].text);
		read_again();
		assert_int_equal(facts.policy.lockdown, cases[i].lockdown);
	}
}

static void test_load_limits(void **state)
{
	static const struct {
		const char *text;
		bool has_limit;
		int64_t limit;
	} cases[] = {
		{ "-1\n", true, -1 }, { "0\n", true, 0 }, { "17\n", true, 17 },
		{ "", false, 0 }, { "-", false, 0 }, { "many\n", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		put("proc/sys/kernel/kexec_load_limit_reboot", cases[i].text);
		read_again();
		assert_int_equal(facts.policy.has_load_limit, cases[i].has_limit);
		if (cases[i].has_limit)
			assert_int_equal(facts.policy.load_limit, cases[i].limit);
		assert_false(facts.policy.has_panic_limit);
	}
	put("proc/sys/kernel/kexec_load_limit_panic", "3\n");
	read_again();
	assert_true(facts.policy.has_panic_limit);
	assert_int_equal(facts.policy.panic_limit, 3);
	put("proc/sys/kernel/kexec_load_disabled", "1\n");
	read_again();
	assert_true(facts.policy.is_load_disabled);
}

/* Limits count down, and a lockdown comes, between the reading and the call. */
static void test_policy_again(void **state)
{
	(void)state;
	put("proc/sys/kernel/kexec_load_limit_reboot", "2\n");
	put("proc/cmdline", "kho=on quiet\n");
	read_again();
	put("proc/sys/kernel/kexec_load_limit_reboot", "1\n");
	put("sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	host_read_policy_again(root, &facts);
	assert_int_equal(facts.policy.load_limit, 1);
	assert_int_equal(facts.policy.lockdown, LOCKDOWN_INTEGRITY);
	assert_true(facts.policy.is_kho_active);
	host_read_policy_again("/nonexistent", &facts);
	assert_int_equal(facts.policy.load_limit, 1);
}

static void test_kho_by_command_line(void **state)
{
	static const struct {
		const char *cmdline;
		bool is_active;
	} cases[] = {
		{ "kho=on", true }, { "kho=1", true }, { "kho=y", true }, { "kho=true", true },
		{ "quiet kho", true }, { "kho=off", false }, { "kho=0", false }, { "kho=", false },
		{ "kho=on kho=off", false }, { "kho=off kho=on", true }, { "khoon", false },
		{ "kho_scratch=1%", false }, { "-- kho=on", false }, { "a=\"b kho=on\"", false },
		{ "kho=o", false },
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		put("proc/cmdline", cases[i].cmdline);
		read_again();
		assert_int_equal(facts.policy.is_kho_active, cases[i].is_active);
	}
}

static void test_kho_by_other_signs(void **state)
{
	(void)state;
	put("sys/kernel/debug/kho/out/finalize", "0\n");
	read_again();
	assert_false(facts.policy.is_kho_active);
	put("sys/kernel/debug/kho/out/finalize", "1\n");
	read_again();
	assert_true(facts.policy.is_kho_active);
	drop("sys/kernel/debug");
	put_setup_node(4, "0xa\n", "0123456789abcdef0123456789abcdef", 32);
	read_again();
	assert_true(facts.policy.is_kho_active);
}

static void test_ima(void **state)
{
	(void)state;
	put("sys/kernel/security/ima/runtime_measurements_count", "1\n");
	read_again();
	assert_false(facts.policy.is_ima_active);
	put("sys/kernel/security/ima/runtime_measurements_count", "2\n");
	read_again();
	assert_true(facts.policy.is_ima_active);
	drop("sys/kernel/security");
	put_setup_node(0, "0x8\n", "0123456789abcdef", 16);
	read_again();
	assert_true(facts.policy.is_ima_active);
}

/* ---- is a kernel loaded? -------------------------------------------------------------------- */

static void test_is_loaded(void **state)
{
	bool is_loaded = true;

	(void)state;
	assert_int_equal(host_is_loaded(root, false, &is_loaded), 0);
	assert_false(is_loaded);
	assert_int_equal(host_is_loaded(root, true, &is_loaded), 0);
	assert_true(is_loaded);
	/* Linux 7: a directory, with links to it or without. */
	drop("sys/kernel/kexec_loaded");
	put("sys/kernel/kexec/loaded", "1\n");
	is_loaded = false;
	assert_int_equal(host_is_loaded(root, false, &is_loaded), 0);
	assert_true(is_loaded);
	put_link("sys/kernel/kexec_loaded", "kexec/loaded");
	assert_int_equal(host_is_loaded(root, false, &is_loaded), 0);
	assert_true(is_loaded);
}

static void test_is_loaded_that_nobody_tells(void **state)
{
	static const char *const texts[] = { "", "2\n", "yes\n", "-1\n" };
	bool is_loaded = true;

	(void)state;
	for (size_t i = 0; i < array_len(texts); i++) {
		put("sys/kernel/kexec_loaded", texts[i]);
		assert_int_equal(host_is_loaded(root, false, &is_loaded), -ENOENT);
	}
	drop("sys/kernel/kexec_loaded");
	assert_int_equal(host_is_loaded(root, false, &is_loaded), -ENOENT);
	assert_int_equal(host_is_loaded("/nonexistent", false, &is_loaded), -ENOENT);
	assert_true(is_loaded);
}

static void test_without_memory_it_fails_cleanly(void **state)
{
	int r;

	(void)state;
	make_efi();
	put_card(0, "i915");
	put_setup_node(0, "0x1\n", "01234567890123456789", 20);
	put("sys/class/tty/ttyS0/io_type", "2\n");
	for (size_t at = 1;; at++) {
		arena_free(&arena);
		diag_init(&diag, &arena);
		arena.n_allocations = 0;
		arena.fail_at = at;
		memset(&facts, 0, sizeof(facts));
		r = host_read(root, &arena, &facts, &diag);
		if (r == 0)
			break;
		assert_int_equal(r, -ENOMEM);
		assert_string_equal(diag.id, "memory/exhausted");
		assert_null(facts.map);
	}
	arena.fail_at = 0;
	assert_plausible();
}

/* ---- a dump ------------------------------------------------------------------------------- */

static void put_notes(unsigned int cpu, const char *at, const char *size)
{
	char path[80];

	snprintf(path, sizeof(path), "sys/devices/system/cpu/cpu%u/crash_notes", cpu);
	put(path, at);
	snprintf(path, sizeof(path), "sys/devices/system/cpu/cpu%u/crash_notes_size", cpu);
	if (size)
		put(path, size);
}

static void assert_notes(size_t i, phys_t start, uint64_t len)
{
	assert_true(i < facts.crash.n_notes);
	assert_int_equal(facts.crash.notes[i].start, start);
	assert_int_equal(range_len(facts.crash.notes[i]), len);
}

static void test_cpus_with_any_numbers(void **state)
{
	(void)state;
	put_notes(0, "3f612a40\n", "368\n");
	put_notes(2, "bf712a40\n", "368\n");
	put_notes(7, "1bf712a40\n", NULL);
	put_notes(250, "0\n", "368\n");
	put_notes(251, "0x1000\n", "368\n");
	put_notes(252, "ffffffffffffffff\n", "368\n");
	put_directory("sys/devices/system/cpu/cpu4");
	put_directory("sys/devices/system/cpu/cpufreq");
	read_again();
	assert_int_equal(facts.crash.n_notes, 3);
	assert_notes(0, 0x3f612a40, 368);
	assert_notes(1, 0xbf712a40, 368);
	assert_notes(2, 0x1bf712a40, 1024);
}

static void test_possible_cpus(void **state)
{
	static const struct {
		const char *text;
		uint32_t n;
	} cases[] = {
		{ "0\n", 1 }, { "0-7\n", 8 }, { "0,2-255\n", 256 }, { "", 0 }, { "\n", 0 },
		{ "0-\n", 0 }, { "0-x\n", 0 }, { "0-65536\n", 0 },
		{ "0-99999999999999999999999\n", 0 },
	};

	(void)state;
	assert_int_equal(facts.crash.n_possible, 0);
	for (size_t i = 0; i < array_len(cases); i++) {
		put("sys/devices/system/cpu/possible", cases[i].text);
		read_again();
		assert_int_equal(facts.crash.n_possible, cases[i].n);
	}
}

static void put_srat(const uint8_t *entry, size_t len)
{
	uint8_t table[48 + 40 + 40 + 2] = "SRAT";

	/* A CPU's affinity first. */
	table[48 + 1] = 16;
	memcpy(table + 48 + 16, entry, len);
	put_bytes("sys/firmware/acpi/tables/SRAT", table, 48 + 16 + len);
	read_again();
}

static void test_memory_that_may_come(void **state)
{
	/* 256 MiB from 4 GiB on; enabled and pluggable. */
	uint8_t entry[40] = { 1, 40, [12] = 1, [19] = 0x10, [28] = 3 };

	(void)state;
	assert_int_equal(facts.crash.memory.memory_end, 0);
	put_srat(entry, sizeof(entry));
	assert_int_equal(facts.crash.memory.memory_end, 4 * GIB + 256 * MIB);
	assert_true(facts.crash.memory.is_pluggable);
	put_srat(entry, sizeof(entry) - 1);
	assert_int_equal(facts.crash.memory.memory_end, 0);
	entry[28] = 1;
	put_srat(entry, sizeof(entry));
	assert_int_equal(facts.crash.memory.memory_end, 4 * GIB + 256 * MIB);
	assert_false(facts.crash.memory.is_pluggable);
	entry[28] = 2;
	put_srat(entry, sizeof(entry));
	assert_int_equal(facts.crash.memory.memory_end, 0);
	entry[28] = 1;
	memset(entry + 8, 0xff, 8);
	put_srat(entry, sizeof(entry));
	assert_int_equal(facts.crash.memory.memory_end, 0);
	entry[1] = 0;
	put_srat(entry, sizeof(entry));
	put("sys/firmware/acpi/tables/SRAT", "");
	read_again();
	assert_false(facts.crash.memory.is_pluggable);
}

static void test_vmcoreinfo(void **state)
{
	static const char *const bad[] = { "", "0\n", "0x7f9b4000\n", "0x7f9b4000 0\n",
					   "0x7f9b4000 xyz\n", "0xffffffffffffffff 1024\n" };

	(void)state;
	put("sys/kernel/vmcoreinfo", "0x000000007f9b4000 1024\n");
	read_again();
	assert_int_equal(facts.crash.vmcoreinfo.start, 0x7f9b4000);
	assert_int_equal(range_len(facts.crash.vmcoreinfo), 0x1024);
	for (size_t i = 0; i < array_len(bad); i++) {
		put("sys/kernel/vmcoreinfo", bad[i]);
		read_again();
		assert_int_equal(range_len(facts.crash.vmcoreinfo), 0);
	}
}

/* Linux 7 has them in a directory; memory of drivers is dumped, and no destination. */
static void test_what_the_kernel_does_about_a_dump(void **state)
{
	(void)state;
	put("sys/devices/system/cpu/crash_hotplug", "1\n");
	read_again();
	assert_true(facts.crash.is_loaded && facts.crash.is_kept_current);
	assert_int_equal(facts.crash.elfcorehdr_len, 0);
	put("sys/kernel/crash_elfcorehdr_size", "917616\n");
	put("sys/devices/system/memory/crash_hotplug", "0\n");
	read_again();
	assert_false(facts.crash.is_kept_current);
	assert_int_equal(facts.crash.elfcorehdr_len, 917616);
	put("sys/kernel/kexec/crash_loaded", "0\n");
	put("sys/kernel/kexec/crash_elfcorehdr_size", "1835120\n");
	put("sys/kernel/kexec/crash_cma_ranges", "08000000-0fffffff\n100000000-13fffffff\nx-y\n");
	read_again();
	assert_false(facts.crash.is_loaded || facts.crash.is_kept_current);
	assert_int_equal(facts.crash.elfcorehdr_len, 1835120);
	assert_int_equal(facts.crash.cma.n, 2);
	assert_int_equal(facts.crash.cma.r[1].start, 4 * GIB);
	assert_int_equal(facts.crash.cma.r[1].end, 5 * GIB);
}

static void test_memory_of_drivers_is_dumped(void **state)
{
	(void)state;
	put("proc/iomem", "00001000-0009fbff : System RAM\n00100000-3fffffff : System RAM\n"
			  "100000000-13fffffff : System RAM (kmem)\n");
	read_again();
	assert_int_equal(facts.crash.ram.n, 3);
	assert_int_equal(facts.crash.ram.r[2].end, 5 * GIB);
	assert_int_equal(facts.ram.n, 1);
}

#define test(f) cmocka_unit_test_setup_teardown(f, fresh, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_good_machine),
		test(test_this_machine),
		test(test_root_that_is_none),
		test(test_empty_tree_has_no_memory_map),
		test(test_memory_map_alone_is_enough),
		test(test_any_one_file_broken),
		test(test_fifo_does_not_block),
		test(test_cpus_with_any_numbers),
		test(test_possible_cpus),
		test(test_memory_that_may_come),
		test(test_vmcoreinfo),
		test(test_what_the_kernel_does_about_a_dump),
		test(test_memory_of_drivers_is_dumped),
		test(test_huge_files_are_not_read),
		test(test_links_stay_in_the_tree),
		test(test_iomem_masked),
		test(test_iomem_without_ram),
		test(test_ram_is_in_both_maps),
		test(test_ram_nowhere_in_both_maps),
		test(test_low_ram),
		test(test_ram_is_not_driver_managed),
		test(test_memmap_of_unknown_types),
		test(test_memmap_entries_that_are_none),
		test(test_memmap_of_5000_entries),
		test(test_map_from_boot_params),
		test(test_map_without_ram_is_no_map),
		test(test_boot_params_of_a_wrong_length),
		test(test_setup_data_that_is_broken),
		test(test_setup_data_has_limits),
		test(test_efi),
		test(test_rsdp_bytes),
		test(test_tables_that_kernels_write_to),
		test(test_rsdp_of_boot_params_comes_first),
		test(test_efi_for_others_than_root),
		test(test_efi_map_that_wraps),
		test(test_efi_numbers_that_are_none),
		test(test_display_by_drm),
		test(test_display_by_frame_buffer),
		test(test_display_that_is_virtual_only),
		test(test_display_that_nobody_tells),
		test(test_display_driver_is_printable),
		test(test_serial_by_mmio_is_skipped),
		test(test_serial_ports_that_are_none),
		test(test_consoles_that_are_not_enabled),
		test(test_consoles_by_command_line),
		test(test_vga_text_only_in_that_mode),
		test(test_command_lines),
		test(test_cpu_with_five_levels),
		test(test_cpu_speeds_that_are_none),
		test(test_ram_totals_that_are_none),
		test(test_release_is_printable),
		test(test_bits_of_the_kernel),
		test(test_lockdown),
		test(test_load_limits),
		test(test_policy_again),
		test(test_kho_by_command_line),
		test(test_kho_by_other_signs),
		test(test_ima),
		test(test_is_loaded),
		test(test_is_loaded_that_nobody_tells),
		test(test_without_memory_it_fails_cleanly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
