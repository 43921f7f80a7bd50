// SPDX-License-Identifier: GPL-2.0-or-later
/* Exported files: what is in them, where, and that our own readers take them. */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/export_image.h"
#include "arch/x86/inspect_image.h"
#include "lib_elf.h"
#include "lib_image.h"
#include "lib_payload.h"
#include "lib_plan.h"
#include "trampoline.h"
#include "unit.h"
#include "wire/pe.h"

#define LINK		UINT64_C(0x1000000)
#define VADDR		UINT64_C(0xffffffff81000000)
#define ENTRY_OFF	0x123
#define DATA_OFF	0x4000		/* of the second load */

static struct arena arena;
static struct diag diag;
static struct request req;
static struct export_file out;
static struct bytes payload, image, whole;
static const struct test_load loads[] = {
	{ .paddr = LINK, .vaddr = VADDR, .file_len = 0x3210, .mem_len = 0x3210, .seed = 1 },
	{ .paddr = LINK + DATA_OFF, .vaddr = VADDR + DATA_OFF, .file_len = 0x1000, .mem_len = 0x5000,
	  .seed = 9 },
};

static int done(void **state)
{
	(void)state;
	unpack_buffer_free(&out.memory);
	out = (struct export_file){ 0 };
	bytes_free(&payload);
	bytes_free(&image);
	bytes_free(&whole);
	arena_free(&arena);
	return 0;
}

/* A bzImage around a kernel that has one relocation of each kind. */
static int fresh(void **state)
{
	static uint8_t base[TEST_IMAGE_LEN];
	const uint32_t table[] = { 0, 0x81000100, 0, 0x81000200 };
	struct bytes packed = { 0 };

	(void)state;
	diag_init(&diag, &arena);
	make_elf_file(true, LINK + ENTRY_OFF, loads, array_len(loads), &payload);
	memcpy(payload.data + TEST_ELF_LOADS_OFF + 0x800, "Linux version 6.9.0", 20);
	bytes_add(&payload, table, sizeof(table));
	make_bzimage(base);
	pack_payload("gzip", bytes_span(&payload), &packed);
	make_bzimage_with_payload(span_of(base, sizeof(base)), bytes_span(&packed), payload.len,
				  &image);
	bytes_free(&packed);
	make_request(&req, image.data, image.len);
	return 0;
}

static int export(const struct export_wish *wish)
{
	int r = export_image(wish, &req, &arena, &out, &diag);

	bytes_free(&whole);
	for (size_t i = 0; i < out.n; i++)
		bytes_add(&whole, out.pieces[i].data, out.pieces[i].len);
	if (r == 0)
		assert_int_equal(whole.len, out.len);
	return r;
}

static void export_ok(const struct export_wish *wish)
{
	assert_int_equal(export(wish), 0);
}

static void export_fails(const struct export_wish *wish, const char *id)
{
	assert_true(export(wish) < 0);
	assert_string_equal(diag.id, id);
	diag_clear(&diag);
}

static struct elf parsed(void)
{
	struct elf elf;

	assert_int_equal(elf_parse(bytes_span(&whole), &elf, &diag), 0);
	return elf;
}

static const uint8_t *at_address(const struct elf *elf, phys_t addr)
{
	for (size_t i = 0; i < elf->n_loads; i++)
		if (addr >= elf->loads[i].paddr && addr - elf->loads[i].paddr < elf->loads[i].file_len)
			return whole.data + elf->loads[i].off + (addr - elf->loads[i].paddr);
	return NULL;
}

static void test_vmlinux(void **state)
{
	(void)state;
	export_ok(&(struct export_wish){ .kind = EXPORT_VMLINUX });
	assert_int_equal(whole.len, payload.len);
	assert_memory_equal(whole.data, payload.data, whole.len);
}

static void test_elf(void **state)
{
	static uint8_t ramdisk[5000] = { 7 };
	const struct export_wish wish = { .kind = EXPORT_ELF };
	const struct trampoline *t;
	struct elf_phdr p;
	struct elf elf;
	const uint8_t *zp;

	(void)state;
	req.cmdline = "quiet";
	req.initrd = span_of(ramdisk, sizeof(ramdisk));
	export_ok(&wish);
	elf = parsed();
	assert_int_equal(elf.n_loads, 5);
	assert_int_equal(elf.entry, LINK + ENTRY_OFF);
	for (size_t i = 0; elf_phdr(&elf, i, &p); i++)
		if (p.type == PT_LOAD) {
			assert_int_equal(p.vaddr, p.paddr);
			assert_int_equal(p.off % PAGE_LEN, p.paddr % PAGE_LEN);
		}
	assert_int_equal(elf.loads[0].mem_len, 0x3210);
	assert_int_equal(elf.loads[1].mem_len, 0x5000);
	assert_int_equal(*at_address(&elf, LINK + DATA_OFF + 5), elf_byte(&loads[1], 5));
	t = (const void *)at_address(&elf, elf.loads[2].paddr);
	assert_int_equal(t->magic, TRAMPOLINE_MAGIC);
	assert_int_equal(t->entry, LINK + ENTRY_OFF);
	assert_int_equal(t->boot_params, elf.loads[3].paddr);
	assert_int_equal(t->flags, TRAMPOLINE_64 | TRAMPOLINE_HAS_INITRD | TRAMPOLINE_HAS_CMDLINE);
	assert_int_equal(t->scratch + SCRATCH_LEN, elf.loads[3].paddr + elf.loads[3].mem_len);
	zp = at_address(&elf, t->boot_params);
	assert_string_equal((const char *)at_address(&elf, at32(zp, HDR_CMD_LINE_PTR)), "quiet");
	assert_int_equal(at32(zp, HDR_RAMDISK_IMAGE), elf.loads[4].paddr);
	assert_int_equal(at32(zp, HDR_RAMDISK_SIZE), sizeof(ramdisk));
	assert_int_equal(at8(zp, HDR_LOADFLAGS), LOADFLAG_LOADED_HIGH);
	assert_int_equal(zp[0x1e8], 0);	/* no memory map: whoever starts it has one */
	assert_int_equal(*at_address(&elf, elf.loads[4].paddr), 7);
}

static void test_moved(void **state)
{
	const struct export_wish wish = { .kind = EXPORT_ELF, .has_base = true, .base = 3 * LINK,
					  .has_virt_offset = true, .virt_offset = 0x600000 };
	const uint8_t *was = payload.data + TEST_ELF_LOADS_OFF;
	const uint8_t *is;
	struct elf elf;

	(void)state;
	export_ok(&wish);
	elf = parsed();
	assert_int_equal(elf.start, 3 * LINK);
	assert_int_equal(elf.entry, 3 * LINK + ENTRY_OFF);
	is = at_address(&elf, 3 * LINK);
	assert_int_equal(at64(is, 0x100), at64(was, 0x100) + 0x600000);
	assert_int_equal(at32(is, 0x200), at32(was, 0x200) + 0x600000);
	assert_int_equal(at64(is, 0x300), at64(was, 0x300));
	assert_int_equal(at8(at_address(&elf, elf.loads[3].paddr), HDR_LOADFLAGS),
			 LOADFLAG_LOADED_HIGH | LOADFLAG_KASLR);
}

static void test_where_it_cannot_be(void **state)
{
	struct export_wish w = { .kind = EXPORT_ELF, .has_base = true };

	(void)state;
	w.base = LINK + 0x1000;
	export_fails(&w, "export/base");
	w.base = 0;
	export_fails(&w, "export/base");
	w.base = 4 * GIB;
	export_fails(&w, "export/no-room");
	w = (struct export_wish){ .kind = EXPORT_ELF, .has_virt_offset = true, .virt_offset = 1 };
	export_fails(&w, "export/virt-offset");
	w.virt_offset = GIB - LINK;
	export_fails(&w, "export/virt-offset");
	w.virt_offset = UINT64_MAX & ~(2 * MIB - 1);
	export_fails(&w, "export/virt-offset");
}

/* The list of what it needs is that of the program headers; and --inspect reads the note. */
static void test_needs(void **state)
{
	struct inspect_memory memory;
	struct inspection in;
	struct export_needs needs;
	const uint8_t *note;
	struct elf elf;

	(void)state;
	export_ok(&(struct export_wish){ .kind = EXPORT_ELF });
	elf = parsed();
	note = memmem(whole.data, whole.len, EXPORT_NOTE_OWNER, sizeof(EXPORT_NOTE_OWNER));
	assert_non_null(note);
	memcpy(&needs, note + 12, sizeof(needs));
	assert_int_equal(needs.version, EXPORT_NEEDS_VERSION);
	assert_int_equal(needs.n, elf.n_loads);
	assert_int_equal(needs.entry, elf.entry);
	assert_int_equal(needs.boot_params, elf.loads[3].paddr);
	for (size_t i = 0; i < needs.n; i++) {
		struct export_need n;

		memcpy(&n, note + 12 + sizeof(needs) + i * sizeof(n), sizeof(n));
		assert_int_equal(n.addr, elf.loads[i].paddr);
		assert_int_equal(n.len, elf.loads[i].mem_len);
		assert_true(n.flags & EXPORT_NEED_MAPPED);
	}
	assert_int_equal(inspect_image(bytes_span(&whole), "x", NULL, &arena, &memory, &in, &diag), 0);
	assert_string_equal(in.ways[1].name, "pvh");
	assert_null(in.ways[1].obstacle);
	assert_int_equal(in.ways[1].addr, needs.pvh_entry);
	inspect_memory_free(&memory);
}

/* Every format is taken again, by the direct entry and by no other. */
static void test_payloads(void **state)
{
	static const char *const formats[] = { "elf", "gzip", "bzip2", "lzma", "xz", "lzo", "lz4",
					       "zstd" };

	(void)state;
	for (size_t i = 0; i < array_len(formats); i++) {
		struct facts facts;
		struct request again;
		struct bzimage b;
		struct plan plan;
		struct span unpacked;

		export_ok(&(struct export_wish){ .kind = EXPORT_BZIMAGE, .payload = formats[i] });
		assert_int_equal(bzimage_parse(bytes_span(&whole), &arena, &b, &diag), 0);
		assert_string_equal(b.payload_format, formats[i]);
		assert_true(b.is_stub_halted);
		assert_int_equal(at32(whole.data, HDR_SYSSIZE) * 16, whole.len - b.setup_len);
		assert_int_equal(direct_payload(&b, &arena, &unpacked, &diag), 0);
		assert_int_equal(unpacked.len, payload.len);
		assert_memory_equal(unpacked.data, payload.data, payload.len);
		make_facts(&facts, &arena, 2 * GIB);
		make_request(&again, whole.data, whole.len);
		assert_string_equal(plan_result(&again, &facts, &arena, &plan, &diag), "ok");
		assert_string_equal(plan.entry_name, "direct");
		again.enter = ENTER_64;
		assert_string_equal(plan_result(&again, &facts, &arena, &plan, &diag),
				    "bzimage/no-stub");
		again.enter = ENTER_16;
		diag_clear(&diag);
		assert_string_equal(plan_result(&again, &facts, &arena, &plan, &diag),
				    "bzimage/no-stub");
		diag_clear(&diag);
		unpack_buffer_free(&out.memory);
		out = (struct export_file){ 0 };
	}
}

static void test_what_cannot_be_exported(void **state)
{
	static const uint8_t text[] = "nothing";

	(void)state;
	export_fails(&(struct export_wish){ .kind = EXPORT_BZIMAGE, .payload = "rar" },
		     "pack/unknown-format");
	make_request(&req, payload.data, payload.len);
	export_fails(&(struct export_wish){ .kind = EXPORT_BZIMAGE, .payload = "elf" },
		     "export/no-bzimage");
	export_ok(&(struct export_wish){ .kind = EXPORT_ELF });
	memcpy(payload.data + TEST_ELF_LOADS_OFF + 0x800, "xxxxx", 5);
	export_fails(&(struct export_wish){ .kind = EXPORT_VMLINUX }, "export/no-linux");
	make_request(&req, text, sizeof(text));
	export_fails(&(struct export_wish){ .kind = EXPORT_VMLINUX }, "elf/no-magic");
}

static void test_no_memory(void **state)
{
	const struct export_wish wish = { .kind = EXPORT_ELF };
	struct arena limited = { 0 };
	size_t n;

	(void)state;
	assert_int_equal(export_image(&wish, &req, &limited, &out, &diag), 0);
	n = limited.n_allocations;
	arena_free(&limited);
	for (size_t i = 1; i <= n; i++) {
		limited = (struct arena){ .fail_at = i };
		out = (struct export_file){ 0 };
		diag_init(&diag, NULL);
		assert_int_equal(export_image(&wish, &req, &limited, &out, &diag), -ENOMEM);
		arena_free(&limited);
	}
}

#define TEST(f)	cmocka_unit_test_setup_teardown(f, fresh, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_vmlinux), TEST(test_elf), TEST(test_moved), TEST(test_where_it_cannot_be),
		TEST(test_needs), TEST(test_payloads), TEST(test_what_cannot_be_exported),
		TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
