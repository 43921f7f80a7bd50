// SPDX-License-Identifier: GPL-2.0-or-later
/* What the trampoline of an exported kernel makes of hvm_start_info: its C, compiled for this test, on
 * memory below 4 GiB. */
#include <string.h>
#include <sys/mman.h>

#include "../../purgatory/trampoline/prepare.c"
#include "lib_image.h"
#include "unit.h"

#define ARENA_LEN	(128 * 1024)

static uint8_t *low;		/* of ARENA_LEN bytes */
static uint8_t *zero_page, *scratch;
static struct trampoline *head;
static struct pvh_start_info *info;
static struct pvh_memory *map;
static struct pvh_module *module;

static int fresh(void **state)
{
	(void)state;
	low = mmap(NULL, ARENA_LEN, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	assert_true(low != MAP_FAILED);
	scratch = low;
	zero_page = low + SCRATCH_LEN;
	head = (void *)(zero_page + PAGE_LEN);
	info = (void *)(zero_page + 2 * PAGE_LEN);
	module = (void *)(zero_page + 3 * PAGE_LEN);
	map = (void *)(zero_page + 4 * PAGE_LEN);
	*head = (struct trampoline){ .scratch = (uint32_t)(uintptr_t)scratch,
				     .boot_params = (uint32_t)(uintptr_t)zero_page };
	*info = (struct pvh_start_info){ .magic = PVH_START_MAGIC, .version = 1, .rsdp = 0xf5a00,
					 .memory_map = (uintptr_t)map };
	return 0;
}

static int done(void **state)
{
	(void)state;
	return munmap(low, ARENA_LEN);
}

static void ranges(uint32_t n)
{
	info->n_memory = n;
	for (uint32_t i = 0; i < n; i++)
		map[i] = (struct pvh_memory){ i * MIB, MIB, 1 + i % 5, 0 };
	trampoline_prepare(head, info);
}

static void expect_entry(const uint8_t *entry, uint32_t i)
{
	assert_int_equal(at64(entry, 0), i * MIB);
	assert_int_equal(at64(entry, 8), MIB);
	assert_int_equal(at32(entry, 16), 1 + i % 5);
}

static void test_map_and_rsdp(void **state)
{
	(void)state;
	ranges(7);
	assert_int_equal(zero_page[E820_ENTRIES], 7);
	for (uint32_t i = 0; i < 7; i++)
		expect_entry(zero_page + E820_TABLE + i * E820_ENTRY_LEN, i);
	assert_int_equal(at64(zero_page, ACPI_RSDP_ADDR), 0xf5a00);
	assert_int_equal(at64(zero_page, SETUP_DATA), 0);
}

static void test_one_range_is_two(void **state)
{
	(void)state;
	ranges(1);
	assert_int_equal(zero_page[E820_ENTRIES], 2);
	assert_int_equal(at64(zero_page, E820_TABLE + 8), MIB / 2);
	assert_int_equal(at64(zero_page, E820_TABLE + E820_ENTRY_LEN), MIB / 2);
	assert_int_equal(at64(zero_page, E820_TABLE + E820_ENTRY_LEN + 8), MIB / 2);
}

/* What has no room in the zero page is in a node before those that are there. */
static void test_many_ranges(void **state)
{
	const uint32_t n = E820_TABLE_MAX + SCRATCH_E820_MAX;
	const uint8_t *node = scratch + SCRATCH_E820;

	(void)state;
	set64(zero_page, SETUP_DATA, 0x1234);
	ranges(n);
	assert_int_equal(zero_page[E820_ENTRIES], E820_TABLE_MAX);
	expect_entry(zero_page + E820_TABLE + 127 * E820_ENTRY_LEN, 127);
	assert_int_equal(at64(zero_page, SETUP_DATA), (uintptr_t)node);
	assert_int_equal(at64(node, 0), 0x1234);
	assert_int_equal(at32(node, 8), SETUP_E820_EXT);
	assert_int_equal(at32(node, 12), SCRATCH_E820_MAX * E820_ENTRY_LEN);
	expect_entry(node + NODE_HEAD_LEN + 255 * E820_ENTRY_LEN, n - 1);
	assert_int_equal(zero_page[E820_TABLE + E820_TABLE_MAX * E820_ENTRY_LEN], 0);
}

/* Of what the loader has, the file's own goes first. */
static void test_embedded_counts(void **state)
{
	(void)state;
	*module = (struct pvh_module){ 0x120000000, 0x5000, 0, 0 };
	info->n_modules = 1;
	info->modules = (uintptr_t)module;
	info->cmdline = 0x110000040;
	head->flags = TRAMPOLINE_HAS_INITRD | TRAMPOLINE_HAS_CMDLINE;
	ranges(2);
	assert_int_equal(at32(zero_page, RAMDISK_SIZE), 0);
	assert_int_equal(at32(zero_page, CMD_LINE_PTR), 0);
	head->flags = 0;
	ranges(2);
	assert_int_equal(at32(zero_page, RAMDISK_IMAGE), 0x20000000);
	assert_int_equal(at32(zero_page, EXT_RAMDISK_IMAGE), 1);
	assert_int_equal(at32(zero_page, RAMDISK_SIZE), 0x5000);
	assert_int_equal(at32(zero_page, CMD_LINE_PTR), 0x10000040);
	assert_int_equal(at32(zero_page, EXT_CMD_LINE_PTR), 1);
}

#define TEST(f)	cmocka_unit_test_setup_teardown(f, fresh, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_map_and_rsdp), TEST(test_one_range_is_two), TEST(test_many_ranges),
		TEST(test_embedded_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
