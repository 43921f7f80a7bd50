// SPDX-License-Identifier: GPL-2.0-or-later
/* What a rehearsal compares at the end of a leg: a small kernel, right, then with one thing wrong. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "arch/x86/arrival.h"
#include "arch/x86/purgatory.h"
#include "boot_note.h"
#include "unit.h"

#define RAM_LEN		(8 * MIB)
#define BASE		(4 * MIB)
#define IMAGE_LEN	0x3000
#define FILE_END	0x4000	/* zeros behind the image belong to the file too */
#define LINK		UINT64_C(0xffffffff81000000)
#define RELOC_32	0x100
#define RELOC_64	0x200
#define RELOC_LAST	0x2000
#define DELTA		UINT64_C(0x1200000)

struct test {
	struct arena arena;
	struct diag diag;
	struct direct direct;
	struct guest_ram ram;
	struct plan plan;
	struct vcpu cpu;
	uint8_t image[IMAGE_LEN];
	uint32_t words[2], word64;
};

static uint8_t memory[RAM_LEN];

static void add32(uint8_t *at, uint32_t delta)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	v += delta;
	memcpy(at, &v, sizeof(v));
}

static void add64(uint8_t *at, uint64_t delta)
{
	uint64_t v;

	memcpy(&v, at, sizeof(v));
	v += delta;
	memcpy(at, &v, sizeof(v));
}

/* A kernel, and memory in which a stub has put it, moved by DELTA. */
static void start(struct test *t)
{
	memset(t, 0, sizeof(*t));
	diag_init(&t->diag, &t->arena);
	memset(memory, 0xa5, sizeof(memory));
	for (size_t i = 0; i < IMAGE_LEN; i++)
		t->image[i] = (uint8_t)(i * 7 + i / 256);
	t->words[0] = (uint32_t)LINK + RELOC_32;
	t->words[1] = (uint32_t)LINK + RELOC_LAST;
	t->word64 = (uint32_t)LINK + RELOC_64;
	t->direct = (struct direct){
		.is_64 = true,
		.image = t->image,
		.image_len = IMAGE_LEN,
		.window_len = MIB,
		.alignment = 2 * MIB,
		.link_start = 16 * MIB,
		.link_vaddr = LINK,
		.entry_off = 0x40,
		.loads = { { 0, 0x1800 }, { 0x1f00, FILE_END } },
		.n_loads = 2,
		.relocs = { .r32 = { span_of(t->words, sizeof(t->words)), 2 },
			    .r64 = { span_of(&t->word64, sizeof(t->word64)), 1 } },
	};
	t->ram = (struct guest_ram){ memory, RAM_LEN };
	memcpy(memory + BASE, t->image, IMAGE_LEN);
	memset(memory + BASE + IMAGE_LEN, 0, FILE_END - IMAGE_LEN);
	add32(memory + BASE + RELOC_32, (uint32_t)DELTA);
	add32(memory + BASE + RELOC_LAST, (uint32_t)DELTA);
	add64(memory + BASE + RELOC_64, DELTA);
}

static void assert_id(struct test *t, int r, int expected, const char *id)
{
	assert_int_equal(r, expected);
	assert_string_equal(t->diag.id, id);
	diag_clear(&t->diag);
}

static int compare(struct test *t, uint64_t direct_delta, bool is_fixed, struct arrival_match *m)
{
	return arrival_compare(&t->direct, direct_delta, t->ram, BASE, is_fixed, &t->arena, m,
			       &t->diag);
}

static void test_same(void **state)
{
	struct arrival_match m;
	struct test t;

	(void)state;
	start(&t);
	/* Between the two pieces of the file a stub leaves what was there. */
	memset(memory + BASE + 0x1800, 0x11, 0x1f00 - 0x1800);
	assert_int_equal(compare(&t, 0, false, &m), 0);
	assert_int_equal(m.delta, DELTA);
	assert_int_equal(m.n_relocations, 3);
	assert_int_equal(m.n_compared, 0x1800 + FILE_END - 0x1f00);

	/* Ours had been moved farther already. */
	add32(t.image + RELOC_32, (uint32_t)(3 * DELTA));
	add32(t.image + RELOC_LAST, (uint32_t)(3 * DELTA));
	add64(t.image + RELOC_64, 3 * DELTA);
	assert_int_equal(compare(&t, 3 * DELTA, false, &m), 0);
	assert_int_equal(m.delta, DELTA);
	/* Without KASLR it must not be moved. */
	assert_id(&t, compare(&t, 3 * DELTA, true, &m), -EINVAL, "rehearse/moved");
	arena_free(&t.arena);
}

static void test_one_byte(void **state)
{
	static const size_t offs[] = { 0, RELOC_64, RELOC_64 + 7, 0x17ff, 0x1f00, RELOC_LAST,
				       IMAGE_LEN - 1, IMAGE_LEN, FILE_END - 1 };
	struct arrival_match m;
	struct test t;

	(void)state;
	for (size_t i = 0; i < array_len(offs); i++) {
		char where[24];

		start(&t);
		memory[BASE + offs[i]] ^= 0x40;
		assert_int_equal(compare(&t, 0, false, &m), -EINVAL);
		snprintf(where, sizeof(where), "at +%#zx", offs[i]);
		assert_non_null(strstr(t.diag.text, where));
		assert_id(&t, -EINVAL, -EINVAL, "rehearse/kernel-differs");
		arena_free(&t.arena);
	}
	/* Beyond the file is .bss, which nobody has cleared yet. */
	start(&t);
	memory[BASE + FILE_END] ^= 1;
	assert_int_equal(compare(&t, 0, false, &m), 0);
	arena_free(&t.arena);
}

/* ---- the jump ---- */

static void make_plan(struct test *t)
{
	static const char *const names[] = { "kernel", "initrd", PURGATORY_SEGMENT };
	struct vcpu *v = &t->cpu;

	start(t);
	plan_init(&t->plan, &t->arena);
	t->plan.jump_entry = BASE;
	t->plan.jump_arg = 0x123000;
	for (size_t i = 0; i < array_len(names); i++) {
		struct segment *s = &t->plan.segments[t->plan.n_segments++];

		strcpy(s->name, names[i]);
		s->addr = BASE + i * MIB;
		s->bytes = span_of(t->image, IMAGE_LEN - 1);
		s->mem_len = s->reserve_len = IMAGE_LEN;
		memset(memory + s->addr, 0, s->mem_len);
		memcpy(memory + s->addr, t->image, IMAGE_LEN - 1);
	}
	vcpu_start(v, BASE, false, false);
	v->r[REG_SI] = t->plan.jump_arg;
	v->selectors[SEG_CS] = SEL_CODE;
}

static int check_cpu(struct test *t)
{
	return arrival_check_cpu(&t->plan, &t->cpu, t->ram, &t->diag);
}

static void test_cpu(void **state)
{
	struct test t;

	(void)state;
	make_plan(&t);
	assert_int_equal(check_cpu(&t), 0);
	t.cpu.r[REG_9] = 1;
	assert_id(&t, check_cpu(&t), -EINVAL, "rehearse/registers");
	t.cpu.r[REG_9] = 0;
	t.cpu.r[REG_SI]++;
	assert_id(&t, check_cpu(&t), -EINVAL, "rehearse/registers");
	t.cpu.r[REG_SI]--;
	t.cpu.rflags |= RFLAGS_IF;
	assert_id(&t, check_cpu(&t), -EINVAL, "rehearse/registers");
	t.cpu.rflags &= ~RFLAGS_IF;
	t.cpu.selectors[SEG_SS] = 0x20;
	assert_id(&t, check_cpu(&t), -EINVAL, "rehearse/registers");
	t.cpu.selectors[SEG_SS] = SEL_DATA;
	t.plan.paging = PAGING_4_LEVEL;
	assert_int_equal(check_cpu(&t), 0);
	t.cpu.cr4 |= CR4_LA57;
	assert_id(&t, check_cpu(&t), -EINVAL, "rehearse/paging-mode");
	t.cpu.is_64 = false;
	assert_id(&t, check_cpu(&t), -EINVAL, "rehearse/mode");
	make_plan(&t);
	t.cpu.is_identity = false;
	t.cpu.cr3 = 0x1000;
	memset(memory, 0, 0x10000);
	assert_id(&t, check_cpu(&t), -EINVAL, "rehearse/not-mapped");
	make_plan(&t);
	t.plan.jump_mode = JUMP_32;
	assert_id(&t, check_cpu(&t), -EINVAL, "rehearse/mode");
	t.cpu.is_64 = false;
	t.cpu.cr0 = CR0_PE;
	t.cpu.cr4 = t.cpu.efer = 0;
	assert_int_equal(check_cpu(&t), 0);
}

static void test_segments(void **state)
{
	struct test t;

	(void)state;
	make_plan(&t);
	assert_int_equal(arrival_check_segments(&t.plan, t.ram, &t.diag), 0);
	memory[BASE + 2 * MIB] ^= 1;	/* purgatory's own affair */
	assert_int_equal(arrival_check_segments(&t.plan, t.ram, &t.diag), 0);
	memory[BASE] ^= 1;
	assert_int_equal(arrival_check_kept(&t.plan, t.ram, &t.diag), 0);
	assert_id(&t, arrival_check_segments(&t.plan, t.ram, &t.diag), -EINVAL,
		  "rehearse/segment-changed");
	memory[BASE] ^= 1;
	memory[BASE + MIB + IMAGE_LEN - 1] = 1;	/* behind its end */
	assert_id(&t, arrival_check_segments(&t.plan, t.ram, &t.diag), -EINVAL,
		  "rehearse/segment-changed");
	assert_id(&t, arrival_check_kept(&t.plan, t.ram, &t.diag), -EINVAL,
		  "rehearse/segment-changed");
	t.plan.segments[1].addr = RAM_LEN;
	assert_id(&t, arrival_check_segments(&t.plan, t.ram, &t.diag), -EINVAL,
		  "rehearse/segment-outside");
}

/* What purgatory leaves for the next kernel's --last, and nothing else of the note. */
static void test_marks(void **state)
{
	struct test t;

	(void)state;
	make_plan(&t);
	t.plan.boot_note = BASE + MIB + 16;
	memory[t.plan.boot_note + offsetof(struct boot_note, entered)] ^= 1;
	memory[t.plan.boot_note + sizeof(struct boot_note) - 1] ^= 1;
	assert_int_equal(arrival_check_segments(&t.plan, t.ram, &t.diag), 0);
	memory[t.plan.boot_note + sizeof(struct boot_note)] ^= 1;
	assert_id(&t, arrival_check_segments(&t.plan, t.ram, &t.diag), -EINVAL,
		  "rehearse/segment-changed");
	memory[t.plan.boot_note + sizeof(struct boot_note)] ^= 1;
	memory[t.plan.boot_note] ^= 1;
	assert_id(&t, arrival_check_segments(&t.plan, t.ram, &t.diag), -EINVAL,
		  "rehearse/segment-changed");
}

static void test_kernel_entry(void **state)
{
	struct range_list ram;
	struct test t;
	phys_t base = 0;

	(void)state;
	make_plan(&t);
	range_list_init(&ram, &t.arena);
	assert_int_equal(range_list_add(&ram, (struct range){ MIB, RAM_LEN }), 0);
#define CHECK(is_fixed) \
	arrival_check_kernel(&t.plan, &t.direct, &t.cpu, &ram, is_fixed, &base, &t.diag)
	t.cpu.rip = BASE + t.direct.entry_off;
	assert_int_equal(CHECK(true), 0);
	assert_int_equal(base, BASE);
	t.cpu.rip++;
	assert_id(&t, CHECK(false), -EINVAL, "rehearse/wild-arrival");
	t.cpu.rip += 2 * MIB - 1;
	assert_int_equal(CHECK(false), 0);
	assert_id(&t, CHECK(true), -EINVAL, "rehearse/wild-arrival");
	t.cpu.rip = RAM_LEN + t.direct.entry_off;
	assert_id(&t, CHECK(false), -EINVAL, "rehearse/wild-arrival");
	t.cpu.rip = t.direct.entry_off;		/* no RAM there */
	assert_id(&t, CHECK(false), -EINVAL, "rehearse/wild-arrival");
	t.cpu.rip = 0;
	assert_id(&t, CHECK(false), -EINVAL, "rehearse/wild-arrival");
	t.cpu.rip = BASE + t.direct.entry_off;
	t.cpu.r[REG_SI] = 0;
	assert_id(&t, CHECK(false), -EINVAL, "rehearse/wild-arrival");
	t.cpu.r[REG_SI] = t.plan.jump_arg;
	t.cpu.is_64 = false;
	assert_id(&t, CHECK(false), -EINVAL, "rehearse/wild-arrival");
	arena_free(&t.arena);
}

static void test_copy_of_the_stub(void **state)
{
	static uint8_t kernel[0x1000];
	struct bzimage image = { .kernel = span_of(kernel, sizeof(kernel)), .has_payload = true,
				 .payload = span_of(kernel + 0x100, 0x700) };
	struct range code;
	uint32_t noise = 1;

	(void)state;
	for (size_t i = 0; i < 0xc00; i++) {
		noise = noise * 1664525 + 1013904223;
		kernel[i] = (uint8_t)(noise >> 24);
	}
	assert_true(arrival_find_copy(&image, span_of(kernel + 0x900, 0x100), 0x50900, &code));
	assert_int_equal(code.start, 0x50800);
	assert_int_equal(code.end, 0x51000);
	/* Not of the payload, not with too little, not where it would begin below 0. */
	assert_false(arrival_find_copy(&image, span_of(kernel + 0x200, 0x100), 0x50200, &code));
	assert_false(arrival_find_copy(&image, span_of(kernel + 0x900, 47), 0x50900, &code));
	assert_false(arrival_find_copy(&image, span_of(kernel + 0x900, 0x100), 0x800, &code));
	/* Empty memory is in every file. */
	assert_false(arrival_find_copy(&image, span_of(kernel + 0xe00, 0x100), 0x50e00, &code));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_one_byte),
		cmocka_unit_test(test_cpu),
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_kernel_entry),
		cmocka_unit_test(test_copy_of_the_stub),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
