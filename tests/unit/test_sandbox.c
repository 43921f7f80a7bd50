// SPDX-License-Identifier: GPL-2.0-or-later
/* The sandbox runs small pieces of code, and stops where it should. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sandbox.h"
#include "unit.h"

#define CODE		(2 * MIB)
#define CODE_LEN	PAGE_LEN
#define STACK		(3 * MIB)
#define MEMORY_END	(64 * MIB)
#define HOLE		(32 * MIB)	/* one MiB there is no memory */
#define TABLES		(4 * MIB)

struct test {
	struct arena arena;
	struct diag diag;
	struct range_list memory;
	struct sandbox sb;
};

static void start(struct test *t, const char *code, size_t len)
{
	memset(t, 0, sizeof(*t));
	diag_init(&t->diag, &t->arena);
	range_list_init(&t->memory, &t->arena);
	assert_int_equal(range_list_add(&t->memory, (struct range){ 0, HOLE }), 0);
	assert_int_equal(range_list_add(&t->memory, (struct range){ HOLE + MIB, MEMORY_END }), 0);
	assert_int_equal(sandbox_open(&t->sb, &t->memory, 2, 16 * MIB, &t->arena, &t->diag), 0);
	memcpy(t->sb.ram.bytes + CODE, code, len);
	vcpu_start(&t->sb.cpu, CODE, false, false);
	t->sb.cpu.r[REG_SP] = STACK;
	assert_true(sandbox_add_window(&t->sb, (struct range){ CODE, CODE + CODE_LEN }));
}
#define START(t, code)	start(t, code, sizeof(code) - 1)

static void end(struct test *t)
{
	sandbox_close(&t->sb);
	arena_free(&t->arena);
}

/* mov $5 MiB, %eax; movq $42, (%rax); push %rax; ret: to where it has no business. */
static void test_run(void **state)
{
	struct test t;
	uint64_t stored;

	(void)state;
	START(&t, "\xb8\x00\x00\x50\x00\x48\xc7\x00\x2a\x00\x00\x00\x50\xc3");
	t.sb.cpu.r[REG_12] = 0x1234567890abcdef;
	assert_int_equal(sandbox_run(&t.sb), SANDBOX_FETCH);
	assert_int_equal(t.sb.at, 5 * MIB);
	assert_int_equal(t.sb.cpu.rip, 5 * MIB);
	assert_int_equal(t.sb.cpu.r[REG_12], 0x1234567890abcdef);
	assert_int_equal(t.sb.cpu.r[REG_SP], STACK);
	memcpy(&stored, t.sb.ram.bytes + 5 * MIB, sizeof(stored));
	assert_int_equal(stored, 42);
	/* There is code now. */
	memcpy(t.sb.ram.bytes + 5 * MIB, "\x90\xf4", 2);
	assert_true(sandbox_add_window(&t.sb, (struct range){ 5 * MIB, 5 * MIB + 1 }));
	assert_int_equal(sandbox_run(&t.sb), SANDBOX_HALTED);
	assert_int_equal(t.sb.cpu.rip, 5 * MIB + 1);
	/* And no more. */
	sandbox_drop_windows(&t.sb);
	assert_int_equal(sandbox_run(&t.sb), SANDBOX_FETCH);
	end(&t);
}

/* An instruction whose second half is in no window. */
static void test_across_windows(void **state)
{
	struct test t;

	(void)state;
	START(&t, "");
	memcpy(t.sb.ram.bytes + CODE + CODE_LEN - 2, "\x48\xc7\xc0\x01\x00\x00\x00\xf4", 8);
	t.sb.cpu.rip = CODE + CODE_LEN - 2;
	assert_int_equal(sandbox_run(&t.sb), SANDBOX_FETCH);
	assert_int_equal(t.sb.at, CODE + CODE_LEN);
	assert_int_equal(t.sb.cpu.rip, CODE + CODE_LEN - 2);
	assert_true(sandbox_add_window(&t.sb, (struct range){ t.sb.at, t.sb.at + 1 }));
	assert_int_equal(sandbox_run(&t.sb), SANDBOX_HALTED);
	assert_int_equal(t.sb.cpu.r[REG_AX], 1);
	end(&t);
}

struct stop {
	const char *code;
	size_t len;
	enum sandbox_stop expected;
};
#define S(code, expected)	{ code, sizeof(code) - 1, expected }

static void test_stops(void **state)
{
	static const struct stop list[] = {
		S("\xf4", SANDBOX_HALTED),
		S("\x0f\x05", SANDBOX_SYSTEM_CALL),			/* syscall */
		S("\xcd\x80", SANDBOX_SYSTEM_CALL),			/* int $0x80 */
		S("\x0f\x0b", SANDBOX_TRIPLE_FAULT),			/* ud2 */
		S("\xcc", SANDBOX_TRIPLE_FAULT),			/* int3 */
		S("\x31\xc9\xf7\xf1", SANDBOX_TRIPLE_FAULT),		/* div by 0 */
		S("\xb0\xfe\xe6\x64", SANDBOX_RESET),
		S("\xa0\x00\x00\x00\x02\x00\x00\x00\x00", SANDBOX_WILD),	/* mov HOLE, %al */
		S("\x0f\x33", SANDBOX_NOT_EMULATED),			/* rdpmc */
		S("\xeb\xfe", SANDBOX_TIME),				/* jmp . */
		S("\xfa\xeb\xfd", SANDBOX_TIME),			/* cli; jmp */
		/* mov $9 MiB, %edi; mov $48 MiB, %ecx; rep stosb: more than it gets. */
		S("\xbf\x00\x00\x90\x00\xb9\x00\x00\x00\x01\xb0\x01\xf3\xaa\xf4",
		  SANDBOX_HALTED),
		S("\xbf\x00\x00\x90\x00\xb9\x00\x00\x60\x01\xf3\xaa\xf4", SANDBOX_MEMORY),
	};

	(void)state;
	for (size_t i = 0; i < array_len(list); i++) {
		struct test t;

		start(&t, list[i].code, list[i].len);
		if (list[i].expected == SANDBOX_HALTED)
			t.sb.memory_limit = 32 * MIB;
		assert_int_equal(sandbox_run(&t.sb), list[i].expected);
		end(&t);
	}
}

/* Page tables of the guest: what they do not map faults, what they map elsewhere is there, and what was
 * mapped before a new CR3 is forgotten. */
static void test_paging(void **state)
{
	struct test t;
	uint64_t *table;

	(void)state;
	/* mov %rbx, %cr3; mov 0x800000, %eax (by register); hlt */
	START(&t, "\x0f\x22\xdb\xb9\x00\x00\x80\x00\x8b\x01\xf4");
	table = (uint64_t *)(void *)(t.sb.ram.bytes + TABLES);
	table[0] = (TABLES + 0x1000) | 3;
	table[512] = (TABLES + 0x2000) | 3;
	table[1024] = 0x83;
	table[1025] = CODE | 0x83;
	t.sb.cpu.r[REG_BX] = TABLES;
	assert_int_equal(sandbox_run(&t.sb), SANDBOX_TRIPLE_FAULT);
	assert_int_equal(t.sb.cpu.vector, VECTOR_PF);
	assert_int_equal(t.sb.cpu.cr2, 8 * MIB);

	table[1028] = (16 * MIB) | 0x83;
	memcpy(t.sb.ram.bytes + 16 * MIB, "\x78\x56\x34\x12", 4);
	t.sb.cpu.is_64 = true;
	t.sb.cpu.rip = CODE;
	assert_int_equal(sandbox_run(&t.sb), SANDBOX_HALTED);
	assert_int_equal(t.sb.cpu.r[REG_AX], 0x12345678);

	/* Now read only, with CR0.WP: mov %eax, (%rcx) */
	table[1028] = (16 * MIB) | 0x81;
	memcpy(t.sb.ram.bytes + CODE, "\x0f\x22\xdb\x89\x01\xf4", 6);
	t.sb.cpu.cr0 |= CR0_WP;
	t.sb.cpu.rip = CODE;
	assert_int_equal(sandbox_run(&t.sb), SANDBOX_TRIPLE_FAULT);
	assert_int_equal(t.sb.cpu.vector, VECTOR_PF);
	assert_int_equal(t.sb.cpu.cr2, 8 * MIB);
	end(&t);
}

/* Memory that no process can map, and the look at what would show that this is one. */
static void test_low_memory_and_ring(void **state)
{
	struct test t;

	(void)state;
	/* movzwl 0x40e, %eax; mov %cs, %edx; mov %cs, %ebx; hlt */
	START(&t, "\x0f\xb7\x04\x25\x0e\x04\x00\x00\x8c\xca\x8c\xcb\xf4");
	memcpy(t.sb.ram.bytes + 0x40e, "\xc0\x9f", 2);
	t.sb.look_at = CODE;
	assert_int_equal(sandbox_run(&t.sb), SANDBOX_HALTED);
	assert_int_equal(t.sb.cpu.r[REG_AX], 0x9fc0);
	assert_int_equal(t.sb.cpu.r[REG_DX], 0x10);
	assert_int_equal(t.sb.cpu.r[REG_BX], 0x33);	/* only the first is looked at */
	end(&t);
}

static void test_too_high(void **state)
{
	struct test t = { 0 };

	(void)state;
	diag_init(&t.diag, &t.arena);
	range_list_init(&t.memory, &t.arena);
	assert_int_equal(range_list_add(&t.memory, (struct range){ 0, 100 * TIB }), 0);
	assert_int_equal(sandbox_open(&t.sb, &t.memory, 1, MIB, &t.arena, &t.diag),
			 -EADDRNOTAVAIL);
	assert_string_equal(t.diag.id, "rehearse/too-high");
	arena_free(&t.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_across_windows),
		cmocka_unit_test(test_stops),
		cmocka_unit_test(test_paging),
		cmocka_unit_test(test_low_memory_and_ring),
		cmocka_unit_test(test_too_high),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
