// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Relocation tables of any bytes, and of lists that the bytes choose; a kernel moved by them and found
 * out again. And the command line as KASLR reads it: what is drawn keeps off what it forbids.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/x86/relocate.h"
#include "lib_check.h"
#include "lib_image.h"
#include "lib_payload.h"

#define VADDR_64	UINT64_C(0xffffffff81000000)
#define VADDR_32	UINT64_C(0xc1000000)
#define IMAGE_LEN	0x1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void move(const struct reloc_table *t, uint64_t vaddr, uint64_t delta)
{
	uint8_t *image = malloc(IMAGE_LEN), *moved = malloc(IMAGE_LEN);
	uint64_t found = 0;
	struct diag diag;

	CHECK(image && moved);
	diag_init(&diag, NULL);
	for (size_t i = 0; i < IMAGE_LEN; i++)
		image[i] = (uint8_t)(i * 7);
	memcpy(moved, image, IMAGE_LEN);
	if (reloc_apply(t, moved, IMAGE_LEN, vaddr, delta, &diag) < 0)
		CHECK(diag.id && strcmp(diag.id, "reloc/outside") == 0);
	else if (t->r64.n == 0 && t->inv32.n == 0 && t->r32.n == 1 &&
		 reloc_infer(t, image, moved, IMAGE_LEN, vaddr, &found))
		CHECK((uint32_t)found == (uint32_t)delta);
	else if (reloc_infer(t, image, moved, IMAGE_LEN, vaddr, &found))
		CHECK(t->r32.n > 0);
	diag_clear(&diag);
	/* Backwards, and it is as it was. */
	if (!diag.id && reloc_apply(t, moved, IMAGE_LEN, vaddr, 0 - delta, &diag) == 0 &&
	    reloc_apply(t, moved, IMAGE_LEN, vaddr, delta, &diag) == 0 && delta == 0)
		CHECK(memcmp(moved, image, IMAGE_LEN) == 0);
	free(image);
	free(moved);
}

static void try_table(struct span table, bool is_64, bool has_zero)
{
	const uint64_t vaddr = is_64 ? VADDR_64 : VADDR_32;
	struct elf elf = { .is_64 = is_64, .n_loads = 2,
			   .loads = { { .vaddr = vaddr }, { .vaddr = has_zero ? 0 : vaddr + 1 } } };
	struct reloc_table t;
	struct diag diag;

	diag_init(&diag, NULL);
	if (reloc_parse(table, &elf, &t, &diag) < 0) {
		CHECK(diag.id && diag.error > 0);
		return;
	}
	CHECK(t.r64.n + t.inv32.n + t.r32.n <= table.len / 4);
	CHECK(t.is_empty == (table.len == 0));
	move(&t, vaddr, 0);
	move(&t, vaddr, 0x7600000);
	move(&t, vaddr, UINT64_C(0) - 0x200000);
}

/* A zero before each list; every two bytes are how far a word is above the one before it. */
static void try_lists(const uint8_t *data, size_t len, bool is_64, bool has_zero)
{
	const uint32_t first = (uint32_t)(is_64 ? VADDR_64 : VADDR_32);
	struct bytes b = { 0 };
	uint32_t word = first;

	bytes_add_zeros(&b, 4);
	for (size_t i = 0; i + 2 <= len && b.len < 4096; i += 2) {
		const uint32_t step = data[i] | (data[i + 1] & 0xfU) << 8;

		if (data[i + 1] & 0x80) {
			bytes_add_zeros(&b, 4);
			word = first;
			continue;
		}
		word += step;
		bytes_add(&b, &word, sizeof(word));
	}
	try_table(bytes_span(&b), is_64, has_zero);
	bytes_free(&b);
}

static void try_cmdline(const uint8_t *data, size_t len)
{
	const uint64_t align = 2 * MIB, want = 16 * MIB;
	struct kaslr_limits limits;
	struct arena arena = { 0 };
	char *text = malloc(len + 1);
	struct facts *f = arena_alloc(&arena, sizeof(*f));
	phys_t addr = 0;

	CHECK(text && f);
	memcpy(text, data, len);
	text[len] = '\0';
	make_facts(f, &arena, 5 * GIB);
	CHECK(kaslr_read_cmdline(text, &arena, &limits) == 0);
	for (size_t i = 0; i < limits.avoid.n; i++)
		CHECK(limits.avoid.r[i].start <= limits.avoid.r[i].end);
	if (kaslr_pick_physical(&f->ram, MIB, limits.end, want, align, len, &addr))
		CHECK(addr % align == 0 && addr + want <= limits.end &&
		      kaslr_count_physical(&f->ram, MIB, limits.end, want, align) > 0);
	else
		CHECK(kaslr_count_physical(&f->ram, MIB, limits.end, want, align) == 0);
	addr = kaslr_pick_virtual(align, limits.end, want, align, len << 56);
	CHECK(addr % align == 0 && (addr == align || addr + want <= limits.end));
	free(text);
	arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len < 1)
		return 0;
	if (data[0] & 4) {
		try_cmdline(data + 1, len - 1);
		return 0;
	}
	try_table(span_of(data + 1, len - 1), data[0] & 1, data[0] & 2);
	try_lists(data + 1, len - 1, data[0] & 1, data[0] & 2);
	return 0;
}
