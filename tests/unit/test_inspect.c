// SPDX-License-Identifier: GPL-2.0-or-later
/* What is said of images: fields, notes, entries, and that what they need is what a plan asks for. */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/inspect_image.h"
#include "elf_note.h"
#include "lib_elf.h"
#include "lib_image.h"
#include "lib_payload.h"
#include "lib_pe.h"
#include "lib_plan.h"
#include "report_inspect.h"
#include "unit.h"
#include "wire/pe.h"

static struct arena arena;
static struct diag diag;
static struct inspection in;
static struct inspect_memory memory;
static struct bytes file;

static int fresh(void **state)
{
	(void)state;
	diag_init(&diag, &arena);
	return 0;
}

static int done(void **state)
{
	(void)state;
	inspect_memory_free(&memory);
	bytes_free(&file);
	arena_free(&arena);
	return 0;
}

static void look_at(struct span bytes)
{
	assert_int_equal(inspect_image(bytes, "image", NULL, &arena, &memory, &in, &diag), 0);
	assert_false(in.is_short);
}

/* The item at the end of a path such as "elf/notes"; a number is a place in a list. */
static const struct item *at(const char *path)
{
	const struct item *item = in.top;

	while (*path != '\0' && item) {
		size_t len = strcspn(path, "/");

		if (*path >= '0' && *path <= '9') {
			item = item->first;
			for (int n = *path - '0'; n > 0 && item; n--)
				item = item->next;
		} else {
			item = inspect_find(item, arena_strndup(&arena, path, len));
		}
		path += len + (path[len] == '/');
	}
	return item;
}

static const char *text_at(const char *path)
{
	const struct item *item = at(path);

	assert_non_null(item);
	assert_int_equal(item->kind, ITEM_TEXT);
	return item->text;
}

static uint64_t number_at(const char *path)
{
	const struct item *item = at(path);

	assert_non_null(item);
	return item->number;
}

/* The value of a field of the setup header. */
static const struct item *field(const char *name)
{
	for (const struct item *o = at("setup_header")->first; o; o = o->next)
		if (strcmp(inspect_find(o, "name")->text, name) == 0)
			return o;
	return NULL;
}

static const struct way *way(const char *name)
{
	for (size_t i = 0; i < in.n_ways; i++)
		if (strcmp(in.ways[i].name, name) == 0)
			return &in.ways[i];
	return NULL;
}

static const struct need *need(const struct way *w, const char *name)
{
	for (size_t i = 0; i < w->n_needs; i++)
		if (strcmp(w->needs[i].name, name) == 0)
			return &w->needs[i];
	return NULL;
}

/* ---- bzImage ---- */

static void test_header(void **state)
{
	static uint8_t image[TEST_IMAGE_LEN];

	(void)state;
	make_bzimage(image);
	look_at(span_of(image, sizeof(image)));
	assert_string_equal(text_at("type"), "bzImage");
	assert_int_equal(inspect_find(field("version"), "value")->number, 0x020f);
	assert_string_equal(inspect_find(field("version"), "meaning")->text, "boot protocol 2.15");
	assert_int_equal(inspect_find(field("init_size"), "value")->number, TEST_INIT_SIZE);
	assert_int_equal(inspect_find(field("kernel_info_offset"), "off")->number, 0x268);
	assert_int_equal(number_at("sizes/setup_len"), TEST_SETUP_LEN);
	assert_int_equal(number_at("payload/unpacked_len"), TEST_OUT_LEN);
	assert_int_equal(number_at("payload/off"), TEST_SETUP_LEN + TEST_PAYLOAD_OFF);
}

/* A field is only there from its protocol on. */
static void test_old_protocol(void **state)
{
	static uint8_t image[TEST_IMAGE_LEN];

	(void)state;
	make_bzimage(image);
	set16(image, HDR_VERSION, 0x0204);
	look_at(span_of(image, sizeof(image)));
	assert_non_null(field("initrd_addr_max"));
	assert_null(field("relocatable_kernel"));
	assert_null(field("init_size"));
	assert_non_null(way("64")->obstacle);
	assert_null(way("32")->obstacle);
}

static void test_broken(void **state)
{
	static uint8_t image[TEST_IMAGE_LEN];

	(void)state;
	make_bzimage(image);
	set32(image, HDR_KERNEL_ALIGNMENT, 3);
	look_at(span_of(image, sizeof(image)));
	assert_string_equal(text_at("error/id"), "bzimage/alignment");
	assert_non_null(field("init_size"));
	assert_int_equal(in.n_ways, 0);
}

static void test_payload_damaged(void **state)
{
	static uint8_t image[TEST_IMAGE_LEN];

	(void)state;
	make_bzimage(image);	/* its payload is no real one */
	look_at(span_of(image, sizeof(image)));
	assert_false(number_at("payload/unpacks"));
	assert_non_null(strstr(text_at("payload/error/id"), "unpack/"));
	assert_non_null(way("direct")->obstacle);
	assert_null(way("64")->obstacle);
	assert_string_equal(text_at("abilities/kaslr"), "unknown");
}

/* What a plan asks for is what was said to be needed. */
static void compare(const char *name, enum enter enter, struct span image)
{
	const struct way *w = way(name);
	const struct need *kernel = need(w, enter == ENTER_DIRECT ? "kernel" : "window");
	const struct need *params = need(w, "boot_params"), *initrd = need(w, "initrd");
	static uint8_t ramdisk[PAGE_LEN];
	const struct segment *s;
	struct facts facts;
	struct request req;
	struct plan plan;

	make_facts(&facts, &arena, 8 * GIB);
	make_request(&req, image.data, image.len);
	req.cmdline = "nokaslr";
	req.initrd = span_of(ramdisk, sizeof(ramdisk));
	req.enter = enter;
	assert_string_equal(plan_result(&req, &facts, &arena, &plan, &diag), "ok");
	s = plan_find(&plan, "kernel");
	assert_int_equal(s->min, kernel->min);
	assert_int_equal(s->end, kernel->end);
	assert_int_equal(s->align, kernel->align);
	assert_int_equal(s->reserve_len, (kernel->len + PAGE_LEN - 1) & ~(PAGE_LEN - 1));
	assert_int_equal(plan.jump_entry - s->addr, w->off);
	s = plan_find(&plan, "params");
	assert_int_equal(s->min, params->min);
	assert_int_equal(s->end, params->end);
	s = plan_find(&plan, "initrd");
	assert_int_equal(s->min, initrd->min);
	assert_int_equal(s->end, initrd->end);
}

static void test_needs_are_the_plans(void **state)
{
	static uint8_t image[TEST_IMAGE_LEN];
	const struct span bytes = span_of(image, sizeof(image));

	(void)state;
	make_bzimage(image);
	set64(image, HDR_PAYLOAD_OFFSET, 0);	/* and its length */
	look_at(bytes);
	compare("64", ENTER_64, bytes);
	compare("32", ENTER_32, bytes);
	assert_int_equal(need(way("64"), "window")->map, MAP_IDENTITY);
	assert_int_equal(need(way("32"), "window")->map, MAP_PHYSICAL);
	assert_non_null(need(way("64"), "low memory"));
	assert_null(need(way("32"), "low memory"));
	set8(image, HDR_RELOCATABLE_KERNEL, 0);
	look_at(bytes);
	assert_true(need(way("64"), "window")->is_fixed);
	set16(image, HDR_XLOADFLAGS, XLF_KERNEL_64);
	look_at(bytes);
	assert_null(need(way("64"), "low memory"));
	assert_int_equal(need(way("64"), "initrd")->end, 0x80000000);
}

/* ---- ELF and its notes ---- */

#define LINK		UINT64_C(0x1000000)
#define NOTES_OFF	0x800	/* in the file, before the bytes of the load */

static void add_note(uint8_t *notes, size_t *len, const char *owner, uint32_t type,
		     const void *desc, uint32_t desc_len)
{
	const uint32_t head[3] = { (uint32_t)strlen(owner) + 1, desc_len, type };

	memcpy(notes + *len, head, sizeof(head));
	memcpy(notes + *len + 12, owner, head[0]);
	*len += 12 + (head[0] + 3) / 4 * 4;
	memcpy(notes + *len, desc, desc_len);
	*len += (desc_len + 3) / 4 * 4;
}

/* A vmlinux of one PT_LOAD and a PT_NOTE. */
static void make_kernel(const uint8_t *notes, size_t notes_len)
{
	const struct test_load loads[2] = {
		{ .paddr = LINK, .vaddr = 0xffffffff81000000, .file_len = 0x4000, .mem_len = 0x200000 },
		{ .paddr = 0, .file_len = 0, .mem_len = 0 },
	};
	Elf64_Phdr p = { PT_NOTE, 0, NOTES_OFF, 0, 0, notes_len, notes_len, 4 };

	bytes_free(&file);
	make_elf_file(true, LINK + 0x10, loads, 2, &file);
	memcpy(file.data + TEST_ELF_LOADS_OFF + 0x100, "Linux version 6.9.0\n", 21);
	memcpy(file.data + sizeof(Elf64_Ehdr) + sizeof(p), &p, sizeof(p));
	memcpy(file.data + NOTES_OFF, notes, notes_len);
}

static void test_pvh(void **state)
{
	const uint64_t entry = LINK + 0x850;
	const uint32_t range[3] = { 0x200000, LINK, 0x3fffffff };
	uint8_t notes[256] = { 0 };
	size_t len = 0;

	(void)state;
	add_note(notes, &len, "Xen", XEN_NOTE_PHYS32_ENTRY, &entry, 8);
	add_note(notes, &len, "Xen", 6, "linux", 6);
	make_kernel(notes, len);
	look_at(bytes_span(&file));
	assert_string_equal(text_at("elf/notes/0/name"), "PHYS32_ENTRY");
	assert_string_equal(text_at("elf/notes/0/value"), "0x1000850");
	assert_string_equal(text_at("elf/notes/1/value"), "linux");
	assert_null(text_at("elf/notes/1/error"));
	assert_string_equal(text_at("elf/relocations/layout"), "none: built without KASLR");
	assert_int_equal(way("pvh")->addr, entry);
	assert_true(need(way("pvh"), "kernel")->is_fixed);
	assert_true(need(way("direct"), "kernel")->is_fixed);
	add_note(notes, &len, "Xen", XEN_NOTE_PHYS32_RELOC, range, sizeof(range));
	make_kernel(notes, len);
	look_at(bytes_span(&file));
	assert_false(need(way("pvh"), "kernel")->is_fixed);
	assert_int_equal(need(way("pvh"), "kernel")->end, 0x40000000);
}

static void test_notes_are_strict(void **state)
{
	const uint64_t outside = LINK + 0x4000;
	const uint32_t no_align[3] = { 3, LINK, 0x3fffffff };
	uint8_t notes[256] = { 0 };
	size_t len = 0;

	(void)state;
	add_note(notes, &len, "Xen", XEN_NOTE_PHYS32_ENTRY, &outside, 8);
	add_note(notes, &len, "Xen", XEN_NOTE_PHYS32_ENTRY, &outside, 6);
	add_note(notes, &len, "Xen", XEN_NOTE_PHYS32_RELOC, no_align, 12);
	add_note(notes, &len, "Xen", 6, "li\0ux", 6);
	add_note(notes, &len, "Nobody", 6, "x", 1);
	make_kernel(notes, len);
	look_at(bytes_span(&file));
	assert_string_equal(text_at("elf/notes/0/error"),
			    "the entry lies in no PT_LOAD of the kernel");
	assert_non_null(text_at("elf/notes/1/error"));
	assert_non_null(text_at("elf/notes/2/error"));
	assert_non_null(text_at("elf/notes/3/error"));
	assert_null(text_at("elf/notes/4/error"));
	assert_null(text_at("elf/notes/4/name"));
	assert_non_null(way("pvh")->obstacle);
}

static void test_notes_truncated(void **state)
{
	uint8_t notes[256] = { 0 };
	size_t len = 0;

	(void)state;
	add_note(notes, &len, "Xen", 6, "linux", 6);
	make_kernel(notes, len - 4);
	look_at(bytes_span(&file));
	assert_string_equal(text_at("elf/notes_error/id"), "elf-note/truncated");
	notes[12 + 3] = 'x';
	make_kernel(notes, len);
	look_at(bytes_span(&file));
	assert_string_equal(text_at("elf/notes_error/id"), "elf-note/owner");
}

/* ---- the rest ---- */

static void test_uki(void **state)
{
	static uint8_t image[TEST_IMAGE_LEN];
	const struct test_section sections[] = {
		{ ".linux", image, sizeof(image) },
		TEXT_SECTION(".cmdline", "quiet"),
		TEXT_SECTION(".profile", "ID=one\n"),
		TEXT_SECTION(".profile", "ID=two\nTITLE=Second\n"),
		TEXT_SECTION(".cmdline", "loud"),
	};
	uint8_t *made;
	size_t len;

	(void)state;
	make_bzimage(image);
	made = make_pe(PE_MACHINE_X86_64, sections, array_len(sections), &len);
	bytes_add(&file, made, len);
	free(made);
	look_at(bytes_span(&file));
	assert_string_equal(text_at("wrapped_in/0/name"), "uki");
	assert_string_equal(text_at("wrapped_in/0/pe/sections/0/name"), ".linux");
	assert_string_equal(text_at("wrapped_in/0/uki/cmdline"), "quiet");
	assert_string_equal(text_at("wrapped_in/0/uki/profiles/1/title"), "Second");
	assert_string_equal(text_at("wrapped_in/0/uki/profiles/1/cmdline"), "loud");
	assert_string_equal(text_at("type"), "bzImage");
	assert_int_equal(number_at("image_len"), TEST_IMAGE_LEN);
}

static void test_no_image(void **state)
{
	(void)state;
	assert_int_equal(inspect_image(span_of("hello", 5), "x", NULL, &arena, &memory, &in, &diag),
			 -ENOEXEC);
	assert_string_equal(diag.id, "inspect/no-image");
}

/* What a file says must not get at the terminal. */
static void test_printed_clean(void **state)
{
	const struct test_section sections[] = {
		TEXT_SECTION(".cmdline", "a\033[2Jb\xc2\x9b" "1m"),
	};
	char *out = NULL;
	size_t len, out_len;
	uint8_t *made;
	FILE *f;

	(void)state;
	made = make_pe(PE_MACHINE_X86_64, sections, 1, &len);
	bytes_add(&file, made, len);
	free(made);
	look_at(bytes_span(&file));	/* an addon */
	assert_string_equal(text_at("type"), "addon");
	f = open_memstream(&out, &out_len);
	report_inspection(f, &in, 80);
	fclose(f);
	assert_non_null(strstr(out, "a?[2Jb??1m"));
	assert_null(strchr(out, '\033'));
	free(out);
}

static void test_no_memory(void **state)
{
	static uint8_t image[TEST_IMAGE_LEN];
	struct arena limited = { 0 };
	size_t n;

	(void)state;
	make_bzimage(image);
	assert_int_equal(inspect_image(span_of(image, sizeof(image)), "x", NULL, &limited, &memory,
				       &in, &diag), 0);
	n = limited.n_allocations;
	arena_free(&limited);
	for (size_t i = 1; i <= n; i += 7) {
		limited = (struct arena){ .fail_at = i };
		diag_init(&diag, NULL);
		assert_int_equal(inspect_image(span_of(image, sizeof(image)), "x", NULL, &limited,
					       &memory, &in, &diag), -ENOMEM);
		arena_free(&limited);
	}
}

#define TEST(f)	cmocka_unit_test_setup_teardown(f, fresh, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_header), TEST(test_old_protocol), TEST(test_broken),
		TEST(test_payload_damaged), TEST(test_needs_are_the_plans), TEST(test_pvh),
		TEST(test_notes_are_strict), TEST(test_notes_truncated), TEST(test_uki),
		TEST(test_no_image), TEST(test_printed_clean), TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
