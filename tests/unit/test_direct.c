// SPDX-License-Identifier: GPL-2.0-or-later
/* ELF files, relocation tables, the draws of KASLR, and a kernel taken apart by them. */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/direct.h"
#include "lib_image.h"
#include "unpack.h"
#include "unit.h"

#define VADDR		UINT64_C(0xffffffff81000000)
#define PADDR		UINT64_C(0x1000000)
#define TEXT_LEN	0x3000
#define DATA_LEN	0x2000
#define BSS_LEN		0x1000
#define ELF_LEN		0x8000
#define N_RELOCS	24	/* words, with their zeros */

static struct arena arena;
static struct diag diag;

static int fresh(void **state)
{
	(void)state;
	arena_free(&arena);
	memset(&arena, 0, sizeof(arena));
	diag_init(&diag, &arena);
	return 0;
}

static int done(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

/* Two PT_LOADs, section headers with a .bss in the second, then whatever follows. */
static uint8_t *make_elf(size_t tail)
{
	static const char names[] = "\0.text\0.data\0.bss\0.shstrtab";
	uint8_t *file = arena_alloc(&arena, ELF_LEN + tail);
	Elf64_Shdr *sections = (void *)(file + ELF_LEN - 5 * sizeof(Elf64_Shdr));
	Elf64_Phdr *loads = (void *)(file + sizeof(Elf64_Ehdr));
	Elf64_Ehdr *header = (void *)file;

	*header = (Elf64_Ehdr){
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_entry = PADDR + 0x123,
		.e_phoff = sizeof(*header),
		.e_ehsize = sizeof(*header),
		.e_phentsize = sizeof(*loads),
		.e_phnum = 2,
		.e_shoff = ELF_LEN - 5 * sizeof(*sections),
		.e_shentsize = sizeof(*sections),
		.e_shnum = 5,
		.e_shstrndx = 4,
	};
	memcpy(header->e_ident, ELFMAG, SELFMAG);
	header->e_ident[EI_CLASS] = ELFCLASS64;
	header->e_ident[EI_DATA] = ELFDATA2LSB;
	header->e_ident[EI_VERSION] = EV_CURRENT;
	loads[0] = (Elf64_Phdr){ PT_LOAD, 5, 0x1000, VADDR, PADDR, TEXT_LEN, TEXT_LEN, 0x1000 };
	/* .bss is in the file as zeros, as where AMD_MEM_ENCRYPT is configured. */
	loads[1] = (Elf64_Phdr){ PT_LOAD, 6, 0x1000 + TEXT_LEN, VADDR + TEXT_LEN, PADDR + TEXT_LEN,
				 DATA_LEN + BSS_LEN, DATA_LEN + BSS_LEN, 0x1000 };
	memcpy(file + 0x800, names, sizeof(names));
	sections[3] = (Elf64_Shdr){ .sh_name = 13, .sh_type = SHT_NOBITS,
				    .sh_addr = VADDR + TEXT_LEN + DATA_LEN, .sh_size = BSS_LEN };
	sections[4] = (Elf64_Shdr){ .sh_name = 18, .sh_type = SHT_STRTAB, .sh_offset = 0x800,
				    .sh_size = sizeof(names) };
	for (size_t i = 0; i < TEXT_LEN + DATA_LEN - 0x1000; i++)
		file[0x1000 + i] = (uint8_t)(i % 251 + 1);
	return file;	/* the last page of data is zero: it must be there all the same */
}

static Elf64_Phdr *load_of(uint8_t *file, size_t n)
{
	return (Elf64_Phdr *)(void *)(file + sizeof(Elf64_Ehdr)) + n;
}

static void test_elf(void **state)
{
	struct elf elf;

	(void)state;
	assert_int_equal(elf_parse(span_of(make_elf(100), ELF_LEN + 100), &elf, &diag), 0);
	assert_true(elf.is_64);
	assert_int_equal(elf.n_loads, 2);
	assert_int_equal(elf.start, PADDR);
	assert_int_equal(elf.end, PADDR + TEXT_LEN + DATA_LEN + BSS_LEN);
	assert_int_equal(elf.entry, PADDR + 0x123);
	assert_int_equal(elf.len, ELF_LEN);
	assert_int_equal(elf.bss_start, PADDR + TEXT_LEN + DATA_LEN);
}

static void expect_elf(uint8_t *file, size_t len, const char *id)
{
	struct elf elf;

	diag_clear(&diag);
	assert_true(elf_parse(span_of(file, len), &elf, &diag) < 0);
	assert_string_equal(diag.id, id);
}

static void test_broken_elf(void **state)
{
	uint8_t *f;

	(void)state;
	f = make_elf(0), f[1] = 'e', expect_elf(f, ELF_LEN, "elf/no-magic");
	f = make_elf(0), f[EI_CLASS] = 3, expect_elf(f, ELF_LEN, "elf/class");
	f = make_elf(0), expect_elf(f, 40, "elf/header-truncated");
	f = make_elf(0), set16(f, 18, EM_ARM), expect_elf(f, ELF_LEN, "elf/machine");
	f = make_elf(0), set16(f, 16, ET_REL), expect_elf(f, ELF_LEN, "elf/type");
	f = make_elf(0), set16(f, 54, 55), expect_elf(f, ELF_LEN, "elf/program-headers");
	f = make_elf(0), set16(f, 56, 0), expect_elf(f, ELF_LEN, "elf/program-headers");
	f = make_elf(0), set64(f, 32, UINT64_MAX - 10),
	expect_elf(f, ELF_LEN, "elf/program-headers-outside");
	f = make_elf(0), load_of(f, 0)->p_filesz = TEXT_LEN + 1,
	expect_elf(f, ELF_LEN, "elf/load-lengths");
	f = make_elf(0), load_of(f, 1)->p_offset = UINT64_MAX - 1,
	expect_elf(f, ELF_LEN, "elf/load-outside");
	f = make_elf(0), load_of(f, 1)->p_paddr = UINT64_MAX - 1,
	expect_elf(f, ELF_LEN, "elf/load-wraps");
	f = make_elf(0), load_of(f, 1)->p_paddr = PADDR + 1,
	expect_elf(f, ELF_LEN, "elf/loads-overlap");
	f = make_elf(0), load_of(f, 0)->p_type = load_of(f, 1)->p_type = PT_NOTE;
	expect_elf(f, ELF_LEN, "elf/no-loads");
	f = make_elf(0), expect_elf(f, ELF_LEN - 1, "elf/section-headers-outside");
}

/* The table of a 64-bit kernel: three lists, or two. */
static size_t make_table(uint8_t *at, bool has_inverse)
{
	size_t n = 0;

	set32(at, 4 * n++, 0);
	for (uint32_t i = 0; i < 5; i++)
		set32(at, 4 * n++, (uint32_t)VADDR + 0x100 + 16 * i);
	if (has_inverse) {
		set32(at, 4 * n++, 0);
		set32(at, 4 * n++, (uint32_t)VADDR + 0x800);
	}
	set32(at, 4 * n++, 0);
	for (uint32_t i = 0; i < 3; i++)
		set32(at, 4 * n++, (uint32_t)VADDR + 0x200 + 8 * i);
	return 4 * n;
}

static void test_relocations(void **state)
{
	const uint64_t delta = 0x7600000;

	(void)state;
	for (int has_inverse = 0; has_inverse < 2; has_inverse++) {
		uint8_t *image = arena_alloc(&arena, 0x1000), table[4 * N_RELOCS];
		size_t len = make_table(table, has_inverse);
		struct elf elf = { .is_64 = true, .n_loads = 1, .loads = { { .vaddr = VADDR } } };
		struct reloc_table t;

		set64(image, 0x100, VADDR + 0x42);
		set32(image, 0x208, (uint32_t)VADDR + 0x43);
		set32(image, 0x800, 0x1000);
		assert_int_equal(reloc_parse(span_of(table, len), &elf, &t, &diag), 0);
		assert_int_equal(t.r64.n, 5);
		assert_int_equal(t.inv32.n, has_inverse);
		assert_int_equal(t.r32.n, 3);
		assert_int_equal(reloc_apply(&t, image, 0x1000, VADDR, delta, &diag), 0);
		assert_int_equal(at64(image, 0x100), VADDR + 0x42 + delta);
		assert_int_equal(at64(image, 0x110), delta);
		assert_int_equal(at32(image, 0x208), (uint32_t)VADDR + 0x43 + (uint32_t)delta);
		assert_int_equal(at32(image, 0x800),
				 has_inverse ? 0x1000 - (uint32_t)delta : 0x1000);
		assert_int_equal(reloc_apply(&t, image, 0x1000, VADDR, 0, &diag), 0);
		assert_int_equal(at64(image, 0x110), delta);
		assert_int_equal(reloc_apply(&t, image, 0x147, VADDR, delta, &diag), -EINVAL);
		assert_string_equal(diag.id, "reloc/outside");
		diag_clear(&diag);
	}
}

static void expect_table(const uint8_t *table, size_t len, const struct elf *elf, const char *id)
{
	struct reloc_table t;

	diag_clear(&diag);
	assert_true(reloc_parse(span_of(table, len), elf, &t, &diag) < 0);
	assert_string_equal(diag.id, id);
}

static void test_broken_tables(void **state)
{
	struct elf elf = { .is_64 = true, .n_loads = 1, .loads = { { .vaddr = VADDR } } };
	uint8_t table[4 * N_RELOCS] = { 0 };
	size_t len = make_table(table, true);
	struct reloc_table t;

	(void)state;
	expect_table(table, len - 1, &elf, "reloc/no-table");
	expect_table(table + 4, len - 4, &elf, "reloc/no-table");
	expect_table(table, 8, &elf, "reloc/layout");
	set32(table, 8, 0x1);
	expect_table(table, len, &elf, "reloc/not-sorted");
	len = make_table(table, true);
	set32(table, 8, 0);	/* a fourth list */
	expect_table(table, len, &elf, "reloc/layout");
	len = make_table(table, false);
	elf.loads[0].vaddr = 0;
	expect_table(table, len, &elf, "reloc/no-inverse-list");
	elf.is_64 = false;
	expect_table(table, len, &elf, "reloc/layout");
	assert_int_equal(reloc_parse(span_of(table, 0), &elf, &t, &diag), 0);
	assert_true(t.is_empty);
}

/* The whole way: a payload of ELF and table in a bzImage, stored plain. */
static struct bzimage image_with(uint8_t *payload, size_t len)
{
	return (struct bzimage){
		.version = 0x020f, .xloadflags = 0x7f, .is_relocatable = true, .alignment = 2 * MIB,
		.pref_address = PADDR, .window_len = 4 * MIB, .has_payload = true,
		.payload = span_of(payload, len), .payload_format = "elf", .initrd_end = 0x80000000,
	};
}

static void test_direct(void **state)
{
	uint8_t *payload = make_elf(4 * N_RELOCS);
	size_t len = ELF_LEN + make_table(payload + ELF_LEN, true);
	struct bzimage image = image_with(payload, len);
	struct facts facts;
	struct request req;
	struct direct d;

	(void)state;
	make_facts(&facts, &arena, 5 * GIB);
	make_request(&req, payload, len);
	memset(req.seed, 7, sizeof(req.seed));
	assert_null(direct_obstacle(&image, &req, &facts, &arena));
	assert_int_equal(direct_unpack(&image, &arena, &d, &diag), 0);
	/* All up to .bss, its all-zero last page too; nothing of .bss. */
	assert_int_equal(d.image_len, TEXT_LEN + DATA_LEN);
	assert_memory_equal(d.image, payload + 0x1000, d.image_len);
	assert_int_equal(d.window_len, TEXT_LEN + DATA_LEN + BSS_LEN);
	assert_int_equal(d.entry_off, 0x123);
	assert_int_equal(direct_choose_base(&image, &req, &facts, &arena, &d, &diag), 0);
	assert_true(d.is_randomized);
	assert_true(is_aligned(d.base, 2 * MIB) && d.base >= PADDR);
	assert_true(is_aligned(d.vaddr_delta, 2 * MIB));
	assert_int_equal(direct_relocate(&d, d.base, &diag), 0);
	assert_int_equal(at64(d.image, 0x100), at64(payload + 0x1000, 0x100) + d.vaddr_delta);
	req.cmdline = "quiet nokaslr";
	assert_int_equal(direct_unpack(&image, &arena, &d, &diag), 0);
	assert_int_equal(direct_choose_base(&image, &req, &facts, &arena, &d, &diag), 0);
	assert_false(d.is_randomized);
	assert_int_equal(d.base, 0);
	assert_int_equal(d.vaddr_delta, 0);
}

static void test_5_level_machine_and_4_level_kernel(void **state)
{
	uint8_t *payload = make_elf(4 * N_RELOCS);
	struct bzimage image = image_with(payload, ELF_LEN);
	struct facts facts;
	struct request req;

	(void)state;
	make_facts(&facts, &arena, 5 * GIB);
	make_request(&req, payload, ELF_LEN);
	facts.cpu.is_la57_on = true;
	image.xloadflags = 0x1f;	/* purgatory turns it off for such a kernel */
	assert_null(direct_obstacle(&image, &req, &facts, &arena));
}

static void test_nonzero_bytes_after_bss_stay(void **state)
{
	uint8_t *payload = make_elf(4 * N_RELOCS);
	size_t len = ELF_LEN + make_table(payload + ELF_LEN, true);
	struct bzimage image = image_with(payload, len);
	struct direct d;

	(void)state;
	payload[0x1000 + TEXT_LEN + DATA_LEN + 17] = 1;
	assert_int_equal(direct_unpack(&image, &arena, &d, &diag), 0);
	assert_int_equal(d.image_len, TEXT_LEN + DATA_LEN + 18);
}

static void expect_direct(struct bzimage *image, const char *id)
{
	struct direct d;

	diag_clear(&diag);
	assert_true(direct_unpack(image, &arena, &d, &diag) < 0);
	assert_string_equal(diag.id, id);
}

static void test_header_and_payload_must_agree(void **state)
{
	uint8_t *payload = make_elf(4 * N_RELOCS);
	size_t len = ELF_LEN + make_table(payload + ELF_LEN, true);
	struct bzimage image = image_with(payload, len);

	(void)state;
	image.xloadflags = 0x04, expect_direct(&image, "direct/class");
	image = image_with(payload, len), image.pref_address = 2 * PADDR;
	expect_direct(&image, "direct/link-address");
	image = image_with(payload, len), image.window_len = 0x5fff;
	expect_direct(&image, "direct/too-long");
	image = image_with(payload, len - 1), expect_direct(&image, "reloc/no-table");
	image = image_with(payload, len), set64(payload, 24, PADDR - 1);
	expect_direct(&image, "direct/entry-outside");
}

static void test_obstacles(void **state)
{
	uint8_t *payload = make_elf(4 * N_RELOCS);
	struct bzimage image = image_with(payload, ELF_LEN);
	struct facts facts;
	struct request req;

	(void)state;
	make_facts(&facts, &arena, 5 * GIB);
	make_request(&req, payload, ELF_LEN);
	facts.cpu.is_confidential_guest = true;
	assert_non_null(direct_obstacle(&image, &req, &facts, &arena));
	facts.cpu.is_confidential_guest = false;
	facts.has_unaccepted_memory = true;
	assert_non_null(direct_obstacle(&image, &req, &facts, &arena));
	facts.has_unaccepted_memory = false;
	req.cmdline = "a mem_encrypt=on b";
	assert_non_null(direct_obstacle(&image, &req, &facts, &arena));
	req.cmdline = "a mem_encrypt=only";
	assert_null(direct_obstacle(&image, &req, &facts, &arena));
	image.is_relocatable = false;
	assert_non_null(direct_obstacle(&image, &req, &facts, &arena));
	image.is_relocatable = true;
	image.has_payload = false;
	assert_non_null(direct_obstacle(&image, &req, &facts, &arena));
}

/* Unpacking must not send the OOM killer after somebody. */
static void test_memory_to_unpack_in(void **state)
{
	uint8_t *payload = make_elf(4 * N_RELOCS);
	struct bzimage image = image_with(payload, ELF_LEN);
	struct facts facts;
	struct request req;

	(void)state;
	make_facts(&facts, &arena, 5 * GIB);
	make_request(&req, payload, ELF_LEN);
	facts.ram_available = 2 * ELF_LEN;	/* the kernel laid out, and loaded */
	assert_null(direct_obstacle(&image, &req, &facts, &arena));
	facts.ram_available--;
	assert_non_null(direct_obstacle(&image, &req, &facts, &arena));
	facts.ram_available = 2 * ELF_LEN + 200;
	req.initrd = span_of(payload, 100);
	assert_null(direct_obstacle(&image, &req, &facts, &arena));
	facts.ram_available--;
	assert_non_null(direct_obstacle(&image, &req, &facts, &arena));
	facts.ram_available = 0;
	assert_null(direct_obstacle(&image, &req, &facts, &arena));
	/* Packed, it is unpacked first: its last word says how long it is then. */
	req.initrd = span_of(NULL, 0);
	memcpy(payload, "\x02\x21\x4c\x18", 4);
	set32(payload, ELF_LEN - 4, 3 * MIB);
	if (!unpack_find(image.payload)->is_built)
		skip();
	image.payload_format = "lz4";
	facts.ram_available = 9 * MIB;
	assert_null(direct_obstacle(&image, &req, &facts, &arena));
	facts.ram_available--;
	assert_non_null(direct_obstacle(&image, &req, &facts, &arena));
	/* Longer than init_size cannot be true, and is no reason to leave it to the stub. */
	set32(payload, ELF_LEN - 4, 0xffffffff);
	facts.ram_available = 3 * image.window_len;
	assert_null(direct_obstacle(&image, &req, &facts, &arena));
}

static void test_command_line(void **state)
{
	struct kaslr_limits l;

	(void)state;
	assert_int_equal(kaslr_read_cmdline("a=1 nokaslr b", &arena, &l), 0);
	assert_true(l.is_off);
	assert_int_equal(kaslr_read_cmdline("xnokaslr nokaslrx -- nokaslr", &arena, &l), 0);
	assert_false(l.is_off);
	assert_int_equal(l.end, UINT64_MAX);
	assert_int_equal(kaslr_read_cmdline("mem=2G", &arena, &l), 0);
	assert_int_equal(l.end, 2 * GIB);
	assert_int_equal(kaslr_read_cmdline("memmap=512M,64M$1G,1M@3G,8M#0x50000000", &arena, &l),
			 0);
	assert_int_equal(l.end, 512 * MIB);
	assert_int_equal(l.avoid.n, 2);
	assert_int_equal(l.avoid.r[0].start, GIB);
	assert_int_equal(l.avoid.r[0].end, GIB + 64 * MIB);
	assert_false(l.is_physical_off);
	assert_int_equal(kaslr_read_cmdline("memmap=1M$1G,1M$2G,1M$3G,1M$4G,1M$5G", &arena, &l), 0);
	assert_true(l.is_physical_off);
	assert_int_equal(kaslr_read_cmdline("hugepagesz=1G hugepages=3 hugepagesz=2M hugepages=9",
					    &arena, &l), 0);
	assert_int_equal(l.n_gib_pages, 3);
	assert_int_equal(kaslr_read_cmdline("mem= memmap= memmap=,,$ "
					    "memmap=99999999999999999999G$5",
					    &arena, &l),
			 0);
}

static void test_limits_are_respected(void **state)
{
	uint8_t *payload = make_elf(4 * N_RELOCS);
	size_t len = ELF_LEN + make_table(payload + ELF_LEN, true);
	struct bzimage image = image_with(payload, len);
	struct facts facts;
	struct request req;
	struct direct d;

	(void)state;
	make_facts(&facts, &arena, 5 * GIB);
	make_request(&req, payload, len);
	for (int i = 0; i < 200; i++) {
		memset(req.seed, i, sizeof(req.seed));
		assert_int_equal(direct_unpack(&image, &arena, &d, &diag), 0);
		req.cmdline = "mem=1G memmap=256M$256M";
		assert_int_equal(direct_choose_base(&image, &req, &facts, &arena, &d, &diag), 0);
		assert_true(d.base >= PADDR && d.base + d.window_len <= GIB);
		assert_true(d.base + d.window_len <= 256 * MIB || d.base >= 512 * MIB);
		req.cmdline = "hugepagesz=1G hugepages=2";
		assert_int_equal(direct_choose_base(&image, &req, &facts, &arena, &d, &diag), 0);
		/* The two whole GiBs that come first: 1 to 2, 4 to 5. */
		assert_true(d.base + d.window_len <= GIB || d.base >= 2 * GIB);
		assert_true(d.base + d.window_len <= 4 * GIB || d.base >= 5 * GIB);
		req.cmdline = "";
		req.mem_min = GIB;
		req.mem_end = 2 * GIB;
		assert_int_equal(direct_choose_base(&image, &req, &facts, &arena, &d, &diag), 0);
		assert_true(d.base >= GIB && d.base + d.window_len <= 2 * GIB);
		req.mem_min = 0;
		req.mem_end = UINT64_MAX;
		arena_free(&arena);
		make_facts(&facts, &arena, 5 * GIB);
		payload = make_elf(4 * N_RELOCS);
		len = ELF_LEN + make_table(payload + ELF_LEN, true);
		image = image_with(payload, len);
	}
}

/* Pearson's statistic against its normal approximation: above 4.5 sigma once in 300,000. */
static void assert_uniform(const unsigned int *counts, size_t n_cells, unsigned int n_draws)
{
	double expected = (double)n_draws / (double)n_cells, statistic = 0;

	for (size_t i = 0; i < n_cells; i++)
		statistic += (counts[i] - expected) * (counts[i] - expected) / expected;
	statistic -= (double)(n_cells - 1);
	assert_true(statistic * statistic < 4.5 * 4.5 * 2 * (double)(n_cells - 1));
}

/* 1000 loads with seeds of their own: every slot is as likely, below and above 4 GiB, and the
 * virtual draws are independent of the physical ones. */
static void test_draws_are_uniform(void **state)
{
	enum { N_DRAWS = 1000, N_CELLS = 50 };
	unsigned int physical[N_CELLS] = { 0 }, virtual[N_CELLS] = { 0 }, both[4] = { 0 };
	const uint64_t len = 48 * MIB, align = 2 * MIB;
	unsigned int n_high = 0;
	struct facts facts;
	uint64_t n_slots;

	(void)state;
	make_facts(&facts, &arena, 5 * GIB);
	n_slots = kaslr_count_physical(&facts.ram, PADDR, 64 * TIB, len, align);
	assert_int_equal(n_slots, (3 * GIB - 2 * MIB - PADDR - len) / align + 1 +
				  (2 * GIB - len) / align + 1);
	for (uint32_t i = 0; i < N_DRAWS; i++) {
		uint8_t seed[SEED_LEN] = { 0 };
		uint64_t rank, low_slots = (3 * GIB - 2 * MIB - PADDR - len) / align + 1, v;
		phys_t base;

		set32(seed, 5, i);
		assert_true(kaslr_pick_physical(&facts.ram, PADDR, 64 * TIB, len, align,
						kaslr_draw(seed, "physical", 0), &base));
		assert_true(range_list_contains(&facts.ram, (struct range){ base, base + len }));
		n_high += base >= 4 * GIB;
		rank = base < 4 * GIB ? (base - PADDR) / align :
					low_slots + (base - 4 * GIB) / align;
		assert_true(rank < n_slots);
		v = kaslr_pick_virtual(PADDR, GIB, len, align, kaslr_draw(seed, "virtual", 0));
		assert_true(v >= PADDR && v + len <= GIB && is_aligned(v, align));
		v = (v - PADDR) / align;
		physical[rank * N_CELLS / n_slots]++;
		virtual[v * N_CELLS / ((GIB - PADDR - len) / align + 1)]++;
		both[(rank >= n_slots / 2) * 2 + (v >= ((GIB - PADDR - len) / align + 1) / 2)]++;
	}
	assert_uniform(physical, N_CELLS, N_DRAWS);
	assert_uniform(virtual, N_CELLS, N_DRAWS);
	assert_uniform(both, 4, N_DRAWS);
	assert_true(n_high > 300 && n_high < 500);
}

/* Slots that are few are all hit, and the first and last are among them. */
static void test_every_slot_is_drawn(void **state)
{
	unsigned int counts[24] = { 0 };
	struct range_list ram;

	(void)state;
	range_list_init(&ram, &arena);
	assert_int_equal(range_list_add(&ram, (struct range){ MIB, 21 * MIB }), 0);
	assert_int_equal(range_list_add(&ram, (struct range){ 4 * GIB + 1, 4 * GIB + 31 * MIB }),
			 0);
	assert_int_equal(kaslr_count_physical(&ram, 0, 64 * TIB, 4 * MIB, 2 * MIB), 8 + 13);
	for (uint32_t i = 0; i < 2100; i++) {
		uint8_t seed[SEED_LEN] = { 1 };
		phys_t base;

		set32(seed, 9, i);
		assert_true(kaslr_pick_physical(&ram, 0, 64 * TIB, 4 * MIB, 2 * MIB,
						kaslr_draw(seed, "x", 0), &base));
		counts[base < GIB ? (base - 2 * MIB) / (2 * MIB) :
				    8 + (base - 4 * GIB - 2 * MIB) / (2 * MIB)]++;
	}
	for (size_t i = 0; i < 21; i++)
		assert_true(counts[i] > 50 && counts[i] < 170);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_elf, fresh, done),
		cmocka_unit_test_setup_teardown(test_broken_elf, fresh, done),
		cmocka_unit_test_setup_teardown(test_relocations, fresh, done),
		cmocka_unit_test_setup_teardown(test_broken_tables, fresh, done),
		cmocka_unit_test_setup_teardown(test_direct, fresh, done),
		cmocka_unit_test_setup_teardown(test_5_level_machine_and_4_level_kernel, fresh, done),
		cmocka_unit_test_setup_teardown(test_nonzero_bytes_after_bss_stay, fresh, done),
		cmocka_unit_test_setup_teardown(test_header_and_payload_must_agree, fresh, done),
		cmocka_unit_test_setup_teardown(test_obstacles, fresh, done),
		cmocka_unit_test_setup_teardown(test_memory_to_unpack_in, fresh, done),
		cmocka_unit_test_setup_teardown(test_command_line, fresh, done),
		cmocka_unit_test_setup_teardown(test_limits_are_respected, fresh, done),
		cmocka_unit_test_setup_teardown(test_draws_are_uniform, fresh, done),
		cmocka_unit_test_setup_teardown(test_every_slot_is_drawn, fresh, done),
	};

	return cmocka_run_group_tests_name("direct", tests, NULL, NULL);
}
