// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An ELF file whose headers and notes are patched, looked into, and entered by PVH: what comes out as a
 * plan is safe, has its entry in the kernel and all that the start info tells of in the segments.
 */
#include <string.h>

#include "arch/x86/elf_image.h"
#include "arch/x86/export_image.h"
#include "arch/x86/subarch.h"
#include "elf_note.h"
#include "lib_check.h"
#include "lib_elf.h"
#include "lib_image.h"
#include "lib_plan.h"
#include "lib_safe.h"
#include "wire/pvh.h"

#define PADDR		UINT64_C(0x1000000)
#define NOTES_OFF	(TEST_ELF_LOADS_OFF + 0x100)
#define NOTES_LEN	0x100

static struct span make_file(const uint8_t *data, size_t len, struct bytes *b)
{
	const struct test_load load = { PADDR, UINT64_C(0xffffffff81000000), 0x1000, 0x3000, 1 };
	const uint32_t reloc[3] = { 0x200000, 0x1000000, 0x3fffffff };
	const uint64_t entry = PADDR + 0x100;
	static const char *const owners[] = { "Xen", "GNU", EXPORT_NOTE_OWNER, "Linux" };
	bool is_64 = data[0] & 1;
	uint8_t *at;

	make_elf_file(is_64, PADDR, &load, 1, b);
	elf_add_notes(is_64, 1, NOTES_OFF, NOTES_LEN, b);
	at = b->data + NOTES_OFF;
	memset(at, 0, NOTES_LEN);
	put_elf_note(&at, "Xen", XEN_NOTE_PHYS32_ENTRY, &entry, data[0] & 2 ? 4 : 8);
	if (data[0] & 4)
		put_elf_note(&at, "Xen", XEN_NOTE_PHYS32_RELOC, reloc, data[1] % 4 * 4U);
	for (size_t i = 4; i + 2 <= len && (data[0] & 32) && at - b->data < NOTES_OFF + 0xb0; i += 2)
		put_elf_note(&at, owners[data[i] >> 5 & 3], data[i] & 31, data + i + 2,
			     min_size(data[i + 1] % 40, len - i - 2));
	elf_add_notes(is_64, 1, NOTES_OFF, (size_t)(at - b->data) - NOTES_OFF, b);
	if (data[0] & 8)
		memcpy(b->data + TEST_ELF_LOADS_OFF, "Linux version 6.1.0", 20);
	for (size_t i = 4; i + 3 <= len; i += 3) {
		size_t off = data[i] & 0x80 ? NOTES_OFF + data[i + 1] % NOTES_LEN :
					      (data[i] % 2U) << 8 | data[i + 1];

		b->data[off] = data[i + 2];
	}
	return span_of(b->data, data[0] & 16 ? b->len - data[1] : b->len);
}

static void export_it(struct span file)
{
	const struct export_wish wish = { .kind = EXPORT_ELF, .payload = "elf" };
	const struct request req = { .kernel = file, .kernel_path = "file", .cmdline = "quiet" };
	struct export_file out = { 0 };
	struct arena arena = { 0 };
	struct diag diag;

	diag_init(&diag, &arena);
	if (export_image(&wish, &req, &arena, &out, &diag) < 0)
		CHECK(diag.id && diag.error > 0 && diag.text[0]);
	unpack_buffer_free(&out.memory);
	arena_free(&arena);
}

static bool is_inside(const struct segment *s, phys_t addr, uint64_t len)
{
	return addr >= s->addr && addr - s->addr <= s->mem_len &&
	       len <= s->mem_len - (addr - s->addr);
}

static void check(struct plan *plan)
{
	const struct segment *params = plan_find(plan, "params");
	const struct segment *kernel = plan_find(plan, "kernel");
	const struct segment *initrd = plan_find(plan, "initrd");
	struct pvh_start_info info;
	struct pvh_module module;

	CHECK(is_inside(kernel, plan->jump_entry, 1) && plan->jump_ebx == params->addr);
	CHECK(params->addr + params->mem_len <= GIB && kernel->addr + kernel->mem_len <= 4 * GIB);
	memcpy(&info, params->own, sizeof(info));
	CHECK(info.magic == PVH_START_MAGIC && info.n_memory > 0 && info.n_memory <= 127);
	CHECK(is_inside(params, info.memory_map, info.n_memory * sizeof(struct pvh_memory)));
	CHECK(is_inside(params, info.cmdline, 2048));
	CHECK(info.n_modules == (initrd ? 1 : 0));
	if (!initrd)
		return;
	CHECK(is_inside(params, info.modules, sizeof(module)));
	memcpy(&module, params->own + (info.modules - params->addr), sizeof(module));
	CHECK(module.addr == initrd->addr && module.len == initrd->bytes.len);
	CHECK(initrd->addr + initrd->mem_len <= 4 * GIB);
}

/* What this entry has no place for, or no room. */
static void add_oddity(struct request *req, struct facts *facts, uint8_t which, struct arena *a)
{
	char *longest;

	switch (which % 16) {
	case 0:
		facts->cpu.has_long_mode = false;
		break;
	case 1:
		facts->cpu.is_confidential_guest = true;
		break;
	case 2:
		req->dtb = span_of("x", 1);
		break;
	case 3:
		longest = arena_alloc(a, 5000);
		CHECK(longest);
		memset(longest, 'x', 4999);
		req->cmdline = longest;
		break;
	case 4:
		facts->n_map = 0;
		break;
	case 5:
		facts->efi.is_booted = true;
		facts->cpu.is_la57_on = true;
		break;
	default:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t ramdisk[PAGE_LEN + 1];
	const struct image_type *type;
	struct bytes file = { 0 };
	struct span made;
	struct arena arena = { 0 };
	struct facts facts;
	struct request req;
	struct plan plan;
	struct diag diag;

	if (len < 4)
		return 0;
	diag_init(&diag, &arena);
	make_facts(&facts, &arena, data[2] & 1 ? 2 * GIB : 64 * GIB);
	made = make_file(data, len, &file);
	require_safe_inspection(made);
	export_it(made);
	make_request(&req, made.data, made.len);
	req.enter = ENTER_PVH;
	req.has_subarch = data[2] & 2;
	req.subarch = data[3] % 6;
	if (data[2] & 4)
		req.initrd = span_of(ramdisk, sizeof(ramdisk));
	add_oddity(&req, &facts, data[1], &arena);
	type = data[0] & 1 ? &elf_x86_64_type : &elf_x86_type;
	if (type->probe(req.kernel, &diag) == 0 &&
	    plan_of_type(type, &req, &facts, &arena, &plan, &diag) == 0) {
		check(&plan);
		require_safe_plan(&plan, &req, &facts);
	} else {
		CHECK(diag.id && diag.error > 0 && diag.text[0]);
	}
	arena_free(&arena);
	bytes_free(&file);
	return 0;
}
