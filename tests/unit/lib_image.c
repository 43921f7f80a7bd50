// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib_image.h"

#include <string.h>

#include "arch/x86/bzimage.h"

void set8(uint8_t *image, size_t off, uint8_t v)
{
	image[off] = v;
}

void set16(uint8_t *image, size_t off, uint16_t v)
{
	memcpy(image + off, &v, sizeof(v));
}

void set32(uint8_t *image, size_t off, uint32_t v)
{
	memcpy(image + off, &v, sizeof(v));
}

void set64(uint8_t *image, size_t off, uint64_t v)
{
	memcpy(image + off, &v, sizeof(v));
}

uint8_t at8(const uint8_t *image, size_t off)
{
	return image[off];
}

uint16_t at16(const uint8_t *image, size_t off)
{
	uint16_t v;

	memcpy(&v, image + off, sizeof(v));
	return v;
}

uint32_t at32(const uint8_t *image, size_t off)
{
	uint32_t v;

	memcpy(&v, image + off, sizeof(v));
	return v;
}

uint64_t at64(const uint8_t *image, size_t off)
{
	uint64_t v;

	memcpy(&v, image + off, sizeof(v));
	return v;
}

void make_bzimage(uint8_t image[TEST_IMAGE_LEN])
{
	static const char version[] = "6.1.0-test (kexec-ng) #1";
	uint8_t *kernel = image + TEST_SETUP_LEN;

	for (size_t i = 0; i < TEST_IMAGE_LEN; i++)
		image[i] = (uint8_t)(i * 7 + i / 251);
	memset(image + 0x1f1, 0, 0x26c - 0x1f1);
	set8(image, 0x1ef, 0xff);
	set8(image, HDR_SETUP_SECTS, TEST_SETUP_SECTS);
	set32(image, HDR_SYSSIZE, TEST_KERNEL_LEN / 16);
	set16(image, HDR_BOOT_FLAG, 0xaa55);
	set8(image, HDR_JUMP, 0xeb);
	set8(image, HDR_JUMP + 1, 0x26c - 0x202);
	set32(image, HDR_MAGIC, 0x53726448);
	set16(image, HDR_VERSION, 0x020f);
	set16(image, HDR_KERNEL_VERSION, 0x100);
	memcpy(image + 0x300, version, sizeof(version));
	set8(image, HDR_LOADFLAGS, 0x01);
	set32(image, HDR_CODE32_START, 0x100000);
	set32(image, HDR_INITRD_ADDR_MAX, 0x7fffffff);
	set32(image, HDR_KERNEL_ALIGNMENT, 0x200000);
	set8(image, HDR_RELOCATABLE_KERNEL, 1);
	set8(image, HDR_MIN_ALIGNMENT, 21);
	set16(image, HDR_XLOADFLAGS, 0x7f);
	set32(image, HDR_CMDLINE_SIZE, 2047);
	set32(image, HDR_PAYLOAD_OFFSET, TEST_PAYLOAD_OFF);
	set32(image, HDR_PAYLOAD_LENGTH, TEST_PAYLOAD_LEN);
	set64(image, HDR_PREF_ADDRESS, 0x1000000);
	set32(image, HDR_INIT_SIZE, TEST_INIT_SIZE);
	set32(image, HDR_KERNEL_INFO_OFFSET, TEST_KERNEL_INFO_OFF);
	set32(kernel, TEST_KERNEL_INFO_OFF, 0x506f544c);
	set32(kernel, TEST_KERNEL_INFO_OFF + 4, 16);
	set32(kernel, TEST_KERNEL_INFO_OFF + 8, 16);
	set32(kernel, TEST_KERNEL_INFO_OFF + 12, 0x80000009);
	memcpy(kernel + TEST_PAYLOAD_OFF, "\xfd" "7zXZ\x00", 6);
	set32(kernel, TEST_PAYLOAD_OFF + TEST_PAYLOAD_LEN - 4, TEST_OUT_LEN);
}

void make_bzimage_32(uint8_t image[TEST_IMAGE_LEN])
{
	make_bzimage(image);
	set16(image, HDR_XLOADFLAGS, 0x04);
	set32(image, HDR_KERNEL_ALIGNMENT, 0x1000000);
	set8(image, HDR_MIN_ALIGNMENT, 13);
}

void make_facts(struct facts *facts, struct arena *a, uint64_t ram_len)
{
	uint64_t below = min_u64(ram_len, 3 * GIB);
	struct mem_entry *map = arena_alloc_array(a, 5, sizeof(*map));

	memset(facts, 0, sizeof(*facts));
	map[0] = (struct mem_entry){ { 0, 0x9fc00 }, MEM_RAM };
	map[1] = (struct mem_entry){ { 0x9fc00, 0xa0000 }, MEM_RESERVED };
	map[2] = (struct mem_entry){ { MIB, below - 0x20000 }, MEM_RAM };
	map[3] = (struct mem_entry){ { below - 0x20000, below }, MEM_ACPI };
	map[4] = (struct mem_entry){ { 4 * GIB, 4 * GIB + ram_len - below }, MEM_RAM };
	facts->map_source = MAP_FIRMWARE;
	facts->map = map;
	facts->n_map = ram_len > below ? 5 : 4;
	range_list_init(&facts->ram, a);
	range_list_init(&facts->crash_kernel, a);
	if (range_list_add(&facts->ram, map[2].range) < 0 ||
	    (facts->n_map == 5 && range_list_add(&facts->ram, map[4].range) < 0))
		__builtin_trap();
	range_list_init(&facts->low_ram, a);
	if (range_list_add(&facts->low_ram, (struct range){ PAGE_LEN, 0x9f000 }) < 0)
		__builtin_trap();
	facts->is_ram_from_iomem = true;
	facts->ram_total = ram_len - 16 * MIB;
	facts->has_boot_params = true;
	facts->boot_params[0x0f] = 1;
	facts->rsdp = 0xf5a40;
	facts->rsdp_source = RSDP_BOOT_PARAMS;
	facts->display = DISPLAY_FIRMWARE;
	facts->console.serial_port = 0x3f8;
	facts->cpu = (struct cpu_facts){ .has_long_mode = true, .has_1gib_pages = true,
					 .tsc_khz = 2000000 };
	facts->cmdline = "";
	facts->release = "6.1.0-test";
}

void make_request(struct request *req, const uint8_t *image, size_t len)
{
	*req = (struct request){
		.kernel = span_of(image, len),
		.cmdline = "",
		.mem_end = UINT64_MAX,
		.console_serial = -1,
		.console_vga = -1,
	};
}
