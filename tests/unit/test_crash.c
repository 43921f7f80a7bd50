// SPDX-License-Identifier: GPL-2.0-or-later
/* A load for a panic: the headers of the dump, what the capture kernel sees, what /proc/kcore says. */
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "arch/x86/bzimage.h"
#include "arch/x86/crash.h"
#include "arch/x86/elfcorehdr.h"
#include "arch/x86/purgatory.h"
#include "arch/x86/x86.h"
#include "kcore.h"
#include "lib_image.h"
#include "place.h"
#include "unit.h"

#define REGION_START	(1 * GIB)
#define REGION_END	(1 * GIB + 256 * MIB)
#define PAGE_OFFSET	UINT64_C(0xffff9a0f40000000)
#define TEXT_VADDR	UINT64_C(0xffffffffa4200000)

static struct arena arena;
static struct diag diag;
static struct facts facts, capture;
static struct request req, crash_req;
static const struct crash_plan *crash;
static uint8_t image[TEST_IMAGE_LEN];
static struct range notes[4096];

static void add(struct range_list *l, phys_t start, phys_t end)
{
	assert_int_equal(range_list_add(l, (struct range){ start, end }), 0);
}

/* A machine of 5 GiB with 256 MiB reserved at 1 GiB and three CPUs whose numbers have gaps. */
static int fresh(void **state)
{
	(void)state;
	memset(&arena, 0, sizeof(arena));
	diag_init(&diag, &arena);
	make_facts(&facts, &arena, 5 * GIB);
	add(&facts.crash_kernel, REGION_START, REGION_END);
	range_list_init(&facts.crash.ram, &arena);
	range_list_init(&facts.crash.cma, &arena);
	range_list_init(&facts.withheld, &arena);
	add(&facts.crash.ram, 0x1000, 0x9fc00);
	add(&facts.crash.ram, MIB, 3 * GIB - 0x20000);
	add(&facts.crash.ram, 4 * GIB, 6 * GIB);
	for (size_t i = 0; i < array_len(notes); i++)
		notes[i] = (struct range){ 0x3000000 + i * 0x1000, 0x3000000 + i * 0x1000 + 368 };
	notes[2] = (struct range){ 0x3007064, 0x3007064 + 368 };
	facts.crash.notes = notes;
	facts.crash.n_notes = 3;
	facts.crash.vmcoreinfo = (struct range){ 0x2000000, 0x2001024 };
	facts.release = "6.1.0-test";
	facts.crash.has_page_offset = true;
	facts.crash.page_offset = PAGE_OFFSET;
	facts.crash.text = (struct range){ 0x5200000, 0x7c00000 };
	facts.crash.text_vaddr = TEXT_VADDR;
	make_bzimage(image);
	set64(image, HDR_PAYLOAD_OFFSET, 0);
	make_request(&req, image, sizeof(image));
	req.is_crash = true;
	return 0;
}

static int done(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static void prepare(void)
{
	int r = crash_prepare(&req, &facts, &arena, &crash_req, &capture, &crash, &diag);

	if (r < 0)
		print_error("%s: %s\n", diag.id, diag.text);
	assert_int_equal(r, 0);
}

static void refuses(int error, const char *id)
{
	int r = crash_prepare(&req, &facts, &arena, &crash_req, &capture, &crash, &diag);

	assert_int_equal(r, -error);
	assert_string_equal(diag.id, id);
	assert_true(diag.advice[0] != '\0' || error == EADDRNOTAVAIL);
	diag_clear(&diag);
}

static Elf64_Ehdr head_of(struct span s)
{
	Elf64_Ehdr e = { 0 };

	assert_true(span_copy(s, 0, &e, sizeof(e)));
	return e;
}

static Elf64_Phdr phdr_of(struct span s, size_t i)
{
	Elf64_Phdr p = { 0 };

	assert_true(span_copy(s, sizeof(Elf64_Ehdr) + i * sizeof(p), &p, sizeof(p)));
	return p;
}

static void phdr_is(struct span s, size_t i, uint32_t type, struct range r, uint64_t vaddr)
{
	const Elf64_Phdr p = phdr_of(s, i);

	assert_int_equal(p.p_type, type);
	assert_int_equal(p.p_paddr, r.start);
	assert_int_equal(p.p_offset, r.start);
	assert_int_equal(p.p_filesz, range_len(r));
	assert_int_equal(p.p_memsz, range_len(r));
	assert_int_equal(p.p_vaddr, vaddr);
}

/* ---- the headers -------------------------------------------------------------------------- */

static void test_headers(void **state)
{
	Elf64_Ehdr e;

	(void)state;
	prepare();
	e = head_of(crash->headers);
	assert_memory_equal(e.e_ident, ELFMAG, SELFMAG);
	assert_int_equal(e.e_ident[EI_CLASS], ELFCLASS64);
	assert_int_equal(e.e_type, ET_CORE);
	assert_int_equal(e.e_machine, EM_X86_64);
	assert_int_equal(e.e_phentsize, sizeof(Elf64_Phdr));
	assert_int_equal(e.e_phnum, 3 + 1 + 1 + 3);
	assert_int_equal(crash->headers.len, 64 + 8 * 56);
	for (size_t i = 0; i < 3; i++)
		phdr_is(crash->headers, i, PT_NOTE, notes[i], 0);
	phdr_is(crash->headers, 3, PT_NOTE, facts.crash.vmcoreinfo, 0);
	phdr_is(crash->headers, 4, PT_LOAD, facts.crash.text, TEXT_VADDR);
	/* Without the first MiB, and around the region. */
	phdr_is(crash->headers, 5, PT_LOAD, (struct range){ MIB, REGION_START }, PAGE_OFFSET + MIB);
	phdr_is(crash->headers, 6, PT_LOAD, (struct range){ REGION_END, 3 * GIB - 0x20000 },
		PAGE_OFFSET + REGION_END);
	phdr_is(crash->headers, 7, PT_LOAD, (struct range){ 4 * GIB, 6 * GIB },
		PAGE_OFFSET + 4 * GIB);
	assert_null(diag.notes);
}

/* 4.19 has something of its own in low memory: it is dumped, from where purgatory has saved it. */
static void test_backup(void **state)
{
	static const char *const old[] = { "", "garbage", "4.19.0-27-amd64", "5.4.300", "3.16" };
	static const char *const new[] = { "5.5.0", "5.10.0-30-amd64", "6.1", "7.3.4", "10.0-rc1" };
	Elf64_Phdr p;

	(void)state;
	for (size_t i = 0; i < array_len(old); i++) {
		facts.release = old[i];
		prepare();
		assert_int_equal(crash->low.start, 0);
		assert_int_equal(crash->low.end, 0x9fc00);
		assert_int_equal(crash->ram.n, 4);
		p = phdr_of(crash->headers, 5);
		assert_int_equal(p.p_paddr, 0x1000);
		assert_int_equal(p.p_vaddr, PAGE_OFFSET + 0x1000);
		assert_int_equal(p.p_filesz, 0x9ec00);
		assert_int_equal(p.p_offset, crash->backup + 0x1000);
		assert_int_equal(crash->backup, crash->elfcorehdr - 0xa0000);
		assert_int_equal(capture.ram.r[0].end, crash->backup);
	}
	for (size_t i = 0; i < array_len(new); i++) {
		facts.release = new[i];
		prepare();
		assert_int_equal(range_len(crash->low), 0);
		assert_int_equal(crash->backup, crash->elfcorehdr);
	}
	facts.crash.elfcorehdr_len = 917616;
	req.backup = BACKUP_YES;
	prepare();
	assert_int_equal(crash->low.end, 0x9fc00);
	assert_false(crash->is_kept_current);
	assert_non_null(diag_find_note(&diag, "crash/backup-not-current"));
	facts.release = "4.19";
	req.backup = BACKUP_NO;
	prepare();
	assert_int_equal(range_len(crash->low), 0);
}

static void test_what_the_capture_kernel_has_is_not_dumped(void **state)
{
	(void)state;
	add(&facts.crash_kernel, 5 * GIB, 5 * GIB + 64 * MIB);
	add(&facts.crash.cma, 2 * GIB, 2 * GIB + 128 * MIB);
	prepare();
	assert_int_equal(crash->region.start, 5 * GIB);
	assert_int_equal(crash->ram.n, 5);
	for (size_t i = 0; i < crash->ram.n; i++) {
		assert_false(range_overlaps(crash->ram.r[i], crash->region));
		assert_false(range_overlaps(crash->ram.r[i], facts.crash_kernel.r[0]));
		assert_false(range_overlaps(crash->ram.r[i], facts.crash.cma.r[0]));
	}
}

/* Ends within a page, as EFI leaves them: nothing is rounded. */
static void test_holes_at_odd_addresses(void **state)
{
	(void)state;
	facts.crash.ram.n = 0;
	add(&facts.crash.ram, 0x100123, 0xbbfca018);
	add(&facts.crash.ram, 0xbbfca019, 0xbc007057);
	prepare();
	assert_int_equal(crash->ram.n, 3);
	phdr_is(crash->headers, 5, PT_LOAD, (struct range){ 0x100123, REGION_START },
		PAGE_OFFSET + 0x100123);
	phdr_is(crash->headers, 7, PT_LOAD, (struct range){ 0xbbfca019, 0xbc007057 },
		PAGE_OFFSET + 0xbbfca019);
}

static void test_many_ranges_and_cpus(void **state)
{
	(void)state;
	facts.crash.ram.n = 0;
	for (uint64_t i = 0; i < 300; i++)
		add(&facts.crash.ram, 8 * GIB + i * MIB, 8 * GIB + i * MIB + 64 * KIB + i);
	facts.crash.n_notes = array_len(notes);
	prepare();
	assert_int_equal(head_of(crash->headers).e_phnum, 4096 + 2 + 300);
	phdr_is(crash->headers, 4096 + 2 + 299, PT_LOAD,
		(struct range){ 8 * GIB + 299 * MIB, 8 * GIB + 299 * MIB + 64 * KIB + 299 },
		PAGE_OFFSET + 8 * GIB + 299 * MIB);
	assert_true(crash->elfcorehdr_len >= crash->headers.len);
	assert_int_equal(crash->elfcorehdr + crash->elfcorehdr_len, REGION_END);
}

static void test_more_ranges_than_an_elf_file_has_headers_for(void **state)
{
	(void)state;
	facts.crash.ram.n = 0;
	for (uint64_t i = 0; i < ELFCOREHDR_PHDRS_MAX; i++)
		add(&facts.crash.ram, 8 * GIB + i * 2 * PAGE_LEN, 8 * GIB + (i * 2 + 1) * PAGE_LEN);
	assert_int_equal(crash_prepare(&req, &facts, &arena, &crash_req, &capture, &crash, &diag),
			 -E2BIG);
	assert_string_equal(diag.id, "elfcorehdr/too-many-ranges");
}

static void test_32_bit_headers(void **state)
{
	Elf32_Ehdr e;
	Elf32_Phdr p;

	(void)state;
	req.core_class = CORE_32;
	refuses(ERANGE, "elfcorehdr/above-4gib");
	facts.crash.ram.n = 2;
	prepare();
	assert_true(span_copy(crash->headers, 0, &e, sizeof(e)));
	assert_int_equal(e.e_ident[EI_CLASS], ELFCLASS32);
	assert_int_equal(e.e_phnum, 6);
	assert_int_equal(crash->headers.len, sizeof(e) + 6 * sizeof(p));
	assert_true(span_copy(crash->headers, sizeof(e) + 5 * sizeof(p), &p, sizeof(p)));
	assert_int_equal(p.p_type, PT_LOAD);
	assert_int_equal(p.p_paddr, REGION_END);
	assert_int_equal(p.p_offset, REGION_END);
	assert_int_equal(p.p_vaddr, 0);
	assert_int_equal(p.p_filesz, 3 * GIB - 0x20000 - REGION_END);
}

/* What is not known is left out and said. */
static void test_what_is_missing_is_warned_about(void **state)
{
	static const char *const ids[] = { "crash/no-notes", "crash/no-vmcoreinfo",
					   "crash/no-kcore" };
	(void)state;
	facts.crash.n_notes = 0;
	facts.crash.vmcoreinfo = (struct range){ 0 };
	facts.crash.text = (struct range){ 0 };
	facts.crash.has_page_offset = false;
	prepare();
	assert_int_equal(head_of(crash->headers).e_phnum, 3);
	phdr_is(crash->headers, 0, PT_LOAD, (struct range){ MIB, REGION_START }, 0);
	for (size_t i = 0; i < array_len(ids); i++) {
		assert_non_null(diag_find_note(&diag, ids[i]));
		assert_true(diag_find_note(&diag, ids[i])->is_warning);
	}
}

/* ---- what the capture kernel sees --------------------------------------------------------- */

static uint32_t type_at(const struct facts *f, phys_t at)
{
	for (size_t i = 0; i < f->n_map; i++)
		if (at >= f->map[i].range.start && at < f->map[i].range.end)
			return f->map[i].type;
	return 0;
}

static void test_map(void **state)
{
	struct mem_entry map[8];

	(void)state;
	memcpy(map, facts.map, facts.n_map * sizeof(*map));
	map[facts.n_map++] = (struct mem_entry){ { 7 * GIB, 8 * GIB },
						 (uint32_t)MEM_SOFT_RESERVED };
	facts.map = map;
	add(&facts.crash.cma, 2 * GIB, 2 * GIB + 128 * MIB);
	prepare();
	assert_int_equal(type_at(&capture, 0x1000), MEM_RAM);
	assert_int_equal(type_at(&capture, 0x9fc00), MEM_RESERVED);
	assert_int_equal(type_at(&capture, MIB), 0);
	assert_int_equal(type_at(&capture, REGION_START - 1), 0);
	assert_int_equal(type_at(&capture, REGION_START), MEM_RAM);
	assert_int_equal(type_at(&capture, crash->elfcorehdr - 1), MEM_RAM);
	assert_int_equal(type_at(&capture, crash->elfcorehdr), 0);
	assert_int_equal(type_at(&capture, REGION_END - 1), 0);
	assert_int_equal(type_at(&capture, REGION_END), 0);
	assert_int_equal(type_at(&capture, 2 * GIB), MEM_RAM);
	assert_int_equal(type_at(&capture, 2 * GIB + 128 * MIB), 0);
	assert_int_equal(type_at(&capture, 3 * GIB - 0x20000), MEM_ACPI);
	assert_int_equal(type_at(&capture, 4 * GIB), 0);
	assert_int_equal(type_at(&capture, 7 * GIB), MEM_RESERVED);
	assert_int_equal(capture.ram.n, 1);
	assert_int_equal(capture.ram.r[0].start, REGION_START);
	assert_int_equal(capture.ram.r[0].end, crash->elfcorehdr);
	/* The machine itself is not touched. */
	assert_int_equal(facts.withheld.n, 0);
	assert_int_equal(type_at(&facts, 4 * GIB), MEM_RAM);
}

static void test_low_reservation_is_memory_but_no_destination(void **state)
{
	(void)state;
	add(&facts.crash_kernel, 5 * GIB, 5 * GIB + 256 * MIB);
	prepare();
	assert_int_equal(type_at(&capture, REGION_START), MEM_RAM);
	assert_int_equal(type_at(&capture, REGION_END - 1), MEM_RAM);
	assert_int_equal(type_at(&capture, 5 * GIB), MEM_RAM);
	assert_int_equal(capture.ram.n, 1);
	assert_int_equal(capture.ram.r[0].start, 5 * GIB);
}

static void test_cmdline(void **state)
{
	char expected[64];

	(void)state;
	req.cmdline = "quiet -- x";
	prepare();
	snprintf(expected, sizeof(expected), "elfcorehdr=0x%llx quiet -- x",
		 (unsigned long long)crash->elfcorehdr);
	assert_string_equal(crash_req.cmdline, expected);
	req.pass_memmap = true;
	prepare();
	assert_non_null(strstr(crash_req.cmdline, " memmap=exactmap memmap=0x9fc00@0 "));
	assert_non_null(strstr(crash_req.cmdline, " memmap=0x20000#0xbffe0000 "));
	assert_non_null(strstr(crash_req.cmdline, "@0x40000000 "));
}

/* Kernels before 5.0 read nothing in the boot parameters. */
static void test_memory_that_the_firmware_offers(void **state)
{
	(void)state;
	req.cmdline = "quiet";
	facts.crash.memory.memory_end = 64 * GIB;
	prepare();
	assert_null(strstr(crash_req.cmdline, "memhotplug"));
	facts.crash.memory.is_pluggable = true;
	prepare();
	assert_non_null(strstr(crash_req.cmdline, " acpi_no_memhotplug quiet"));
	req.cmdline = "acpi_no_memhotplug";
	prepare();
	assert_null(strstr(crash_req.cmdline, "acpi_no_memhotplug "));
}

static void test_rsdp_for_old_kernels(void **state)
{
	(void)state;
	facts.efi.is_booted = true;
	prepare();
	assert_null(strstr(crash_req.cmdline, "acpi_rsdp"));
	set16(image, HDR_VERSION, 0x020d);
	prepare();
	assert_non_null(strstr(crash_req.cmdline, " acpi_rsdp=0xf5a40"));
	facts.efi.is_booted = false;
	prepare();
	assert_null(strstr(crash_req.cmdline, "acpi_rsdp"));
}

static void test_room_for_updates(void **state)
{
	(void)state;
	req.hotplug = HOTPLUG_YES;
	facts.release = "6.1";
	refuses(EOPNOTSUPP, "crash/no-hotplug");
	facts.crash.elfcorehdr_len = 917616;
	prepare();
	assert_true(crash->is_kept_current);
	assert_true(crash->elfcorehdr_len >= 917616 + 64);
	assert_true(is_aligned(crash->elfcorehdr, PAGE_LEN));
	facts.crash.elfcorehdr_len = UINT64_MAX;
	refuses(ENOMEM, "crash/region-too-small");
	facts.crash.elfcorehdr_len = GIB;
	refuses(ENOMEM, "crash/region-too-small");
}

static void test_without_a_region(void **state)
{
	(void)state;
	req.mem_end = REGION_START;
	refuses(EADDRNOTAVAIL, "crash/region-limited");
	facts.crash_kernel.n = 0;
	refuses(ENOENT, "crash/no-reservation");
	facts.is_ram_from_iomem = false;
	refuses(EPERM, "crash/no-iomem");
}

/* ---- the plan ----------------------------------------------------------------------------- */

static int make_plan(struct plan *plan)
{
	const struct image_type *type = x86_formats[0];
	int r;

	plan_init(plan, &arena);
	r = type->plan(&crash_req, &capture, plan, &diag);
	if (r == 0)
		r = x86_plan_purgatory(&crash_req, &capture, plan, &diag);
	if (r == 0)
		r = x86_plan_crash(crash, plan, &diag);
	if (r == 0)
		r = place(plan, &capture, crash_req.mem_min, crash_req.mem_end, &diag);
	if (r == 0)
		r = type->finish(&crash_req, &capture, plan, &diag);
	if (r == 0)
		r = x86_finish_purgatory(&crash_req, &capture, plan, &diag);
	if (r == 0)
		r = plan_check(plan, &capture, crash_req.mem_min, crash_req.mem_end, &diag);
	return r;
}

static void test_plan(void **state)
{
	struct segment *s;
	struct plan plan;

	(void)state;
	prepare();
	assert_int_equal(make_plan(&plan), 0);
	for (size_t i = 0; i < plan.n_segments; i++)
		assert_true(range_contains(crash->region,
					   (struct range){ plan.segments[i].addr,
							   plan.segments[i].addr +
								   plan.segments[i].reserve_len }));
	s = &plan.segments[plan.n_segments - 1];
	assert_string_equal(s->name, ELFCOREHDR_SEGMENT);
	assert_int_equal(s->addr, crash->elfcorehdr);
	assert_int_equal(s->mem_len, crash->elfcorehdr_len);
	assert_true(s->is_digested);
}

static void test_plan_with_a_backup(void **state)
{
	struct handoff handoff;
	struct segment *s;
	struct plan plan;

	(void)state;
	req.backup = BACKUP_YES;
	prepare();
	assert_int_equal(make_plan(&plan), 0);
	s = plan_find(&plan, BACKUP_SEGMENT);
	assert_non_null(s);
	assert_int_equal(s->bytes.len, 0);
	assert_int_equal(s->mem_len, 0xa0000);
	assert_int_equal(s->addr, crash->backup);
	s = plan_find(&plan, PURGATORY_SEGMENT);
	memcpy(&handoff, s->own + at32(s->own, offsetof(struct purgatory_head, handoff_off)),
	       sizeof(handoff));
	assert_int_equal(handoff.copy_from, 0);
	assert_int_equal(handoff.copy_len, 0x9fc00);
	assert_int_equal(handoff.copy_to, crash->backup);
}

static void test_updated_headers_are_not_verified(void **state)
{
	struct plan plan;

	(void)state;
	facts.crash.elfcorehdr_len = 917616;
	prepare();
	assert_int_equal(make_plan(&plan), 0);
	assert_false(plan.segments[plan.n_segments - 1].is_digested);
	assert_int_equal(plan.segments[plan.n_segments - 1].mem_len, crash->elfcorehdr_len);
}

static void check_fails(const struct plan *plan, int error, const char *id)
{
	assert_int_equal(plan_check(plan, &capture, 0, UINT64_MAX, &diag), -error);
	assert_string_equal(diag.id, id);
	diag_clear(&diag);
}

static void test_rules_for_a_panic(void **state)
{
	struct crash_plan other;
	struct segment *kernel;
	struct plan plan;
	uint8_t *elf;

	(void)state;
	prepare();
	assert_int_equal(make_plan(&plan), 0);
	kernel = plan_find(&plan, "kernel");
	elf = arena_alloc(&arena, kernel->bytes.len);
	assert_non_null(elf);
	memcpy(elf, ELFMAG, SELFMAG);
	kernel->bytes = span_of(elf, kernel->bytes.len);
	check_fails(&plan, EINVAL, "plan/two-elf");
	elf[0] = 0;
	assert_int_equal(plan_check(&plan, &capture, 0, UINT64_MAX, &diag), 0);
	other = *crash;
	other.control_len = range_len(crash->region) - plan_mem_len(&plan);
	plan.crash = &other;
	assert_int_equal(plan_check(&plan, &capture, 0, UINT64_MAX, &diag), 0);
	other.control_len++;
	check_fails(&plan, ENOMEM, "plan/no-control-pages");
	other = *crash;
	other.region.start = kernel->addr + PAGE_LEN;
	check_fails(&plan, EADDRNOTAVAIL, "plan/outside-region");
}

static void test_region_that_is_too_small(void **state)
{
	static uint8_t initrd[8 * MIB];
	struct plan plan;

	(void)state;
	facts.crash_kernel.r[0].end = REGION_START + 8 * MIB;
	req.initrd = span_of(initrd, sizeof(initrd));
	prepare();
	assert_int_equal(make_plan(&plan), -EADDRNOTAVAIL);
	assert_string_equal(diag.id, "place/no-hole");
	assert_non_null(strstr(diag.advice, "crashkernel="));
}

/* A page for each GiB where the CPU has no GiB pages: kimage_alloc_crash_control_pages(). */
static void test_control_pages(void **state)
{
	uint64_t with, without;

	(void)state;
	prepare();
	with = crash->control_len;
	facts.cpu.has_1gib_pages = false;
	prepare();
	without = crash->control_len;
	assert_int_equal(without - with, 1 * PAGE_LEN);
	add(&facts.crash.ram, 8 * GIB, 108 * GIB);
	prepare();
	assert_int_equal(crash->control_len - without, 100 * PAGE_LEN);
}

/* ---- /proc/kcore -------------------------------------------------------------------------- */

static struct span make_kcore(const Elf64_Phdr *loads, size_t n)
{
	size_t len = sizeof(Elf64_Ehdr) + n * sizeof(Elf64_Phdr);
	uint8_t *bytes = arena_alloc(&arena, len);
	Elf64_Ehdr e = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, 1 },
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
		.e_phoff = sizeof(e),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = (Elf64_Half)n,
	};

	assert_non_null(bytes);
	memcpy(bytes, &e, sizeof(e));
	memcpy(bytes + sizeof(e), loads, n * sizeof(*loads));
	return span_of(bytes, len);
}

static void test_kcore(void **state)
{
	const Elf64_Phdr loads[] = {
		{ .p_type = PT_NOTE },
		{ .p_type = PT_LOAD, .p_vaddr = 0xffffb00000000000, .p_paddr = UINT64_MAX,
		  .p_memsz = TIB },
		{ .p_type = PT_LOAD, .p_vaddr = 0xffffffffc0000000, .p_paddr = 0, .p_memsz = GIB },
		{ .p_type = PT_LOAD, .p_vaddr = TEXT_VADDR, .p_paddr = 0x5200000,
		  .p_memsz = 0x2a00000 },
		{ .p_type = PT_LOAD, .p_vaddr = PAGE_OFFSET + 0x1000, .p_paddr = 0x1000,
		  .p_memsz = 0x9e000 },
		{ .p_type = PT_LOAD, .p_vaddr = PAGE_OFFSET + 4 * GIB, .p_paddr = 4 * GIB,
		  .p_memsz = GIB },
	};
	struct span s = make_kcore(loads, array_len(loads));
	struct kcore k;

	(void)state;
	assert_int_equal(kcore_headers_len(span_of(s.data, KCORE_HEAD_LEN)), s.len);
	kcore_read(s, &k);
	assert_true(k.has_page_offset);
	assert_int_equal(k.page_offset, PAGE_OFFSET);
	assert_int_equal(k.text.start, 0x5200000);
	assert_int_equal(k.text.end, 0x7c00000);
	assert_int_equal(k.text_vaddr, TEXT_VADDR);
	/* Cut short: what is there counts. */
	kcore_read(span_of(s.data, s.len - 1), &k);
	assert_int_equal(k.page_offset, PAGE_OFFSET);
	kcore_read(span_of(s.data, sizeof(Elf64_Ehdr) + 3 * sizeof(Elf64_Phdr)), &k);
	assert_false(k.has_page_offset);
	assert_int_equal(range_len(k.text), 0);
}

static void test_what_is_no_kcore(void **state)
{
	const Elf64_Phdr load = { .p_type = PT_LOAD };
	struct span s = make_kcore(&load, 1);
	uint8_t *bytes = (uint8_t *)(uintptr_t)s.data;

	(void)state;
	assert_int_equal(kcore_headers_len(span_of(s.data, KCORE_HEAD_LEN - 1)), 0);
	bytes[EI_CLASS] = ELFCLASS32;
	assert_int_equal(kcore_headers_len(s), 0);
	bytes[EI_CLASS] = ELFCLASS64;
	bytes[offsetof(Elf64_Ehdr, e_phentsize)]++;
	assert_int_equal(kcore_headers_len(s), 0);
	bytes[offsetof(Elf64_Ehdr, e_phentsize)]--;
	memset(bytes + offsetof(Elf64_Ehdr, e_phoff), 0xff, 8);
	assert_int_equal(kcore_headers_len(s), 0);
}

#define TEST(f)	cmocka_unit_test_setup_teardown(f, fresh, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_headers),
		TEST(test_backup),
		TEST(test_what_the_capture_kernel_has_is_not_dumped),
		TEST(test_holes_at_odd_addresses),
		TEST(test_many_ranges_and_cpus),
		TEST(test_more_ranges_than_an_elf_file_has_headers_for),
		TEST(test_32_bit_headers),
		TEST(test_what_is_missing_is_warned_about),
		TEST(test_map),
		TEST(test_low_reservation_is_memory_but_no_destination),
		TEST(test_cmdline),
		TEST(test_memory_that_the_firmware_offers),
		TEST(test_rsdp_for_old_kernels),
		TEST(test_room_for_updates),
		TEST(test_without_a_region),
		TEST(test_plan),
		TEST(test_plan_with_a_backup),
		TEST(test_updated_headers_are_not_verified),
		TEST(test_rules_for_a_panic),
		TEST(test_region_that_is_too_small),
		TEST(test_control_pages),
		TEST(test_kcore),
		TEST(test_what_is_no_kcore),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
