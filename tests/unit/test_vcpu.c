// SPDX-License-Identifier: GPL-2.0-or-later
/* The CPU of a rehearsal: what it reads as an instruction, and what that does as in ring 0. */
#include <string.h>

#include "arch/x86/vcpu.h"
#include "unit.h"

#define RAM_LEN		(4 * MIB)
#define CODE		0x1000
#define GDT		0x2000
#define IDT		0x3000
#define STACK		0x8000
#define PML4		0x10000
#define DATA		0x9000
#define CODE64		0x00af9b000000ffffULL
#define CODE32		0x00cf9b000000ffffULL
#define DATA32		0x00cf93000000ffffULL
#define CODE16		0x00009b000000ffffULL

struct machine {
	struct vcpu cpu;
	struct guest_ram ram;
	struct ports ports;
	char text[PORTS_TEXT_LEN];
};

static uint8_t memory[RAM_LEN];

static void put64(uint64_t at, uint64_t value)
{
	memcpy(memory + at, &value, sizeof(value));
}

/* Long mode with 4 levels, of which each maps 2 MiB to itself; selectors 8 (64-bit code), 0x10 (32-bit
 * code), 0x18 (data), 0x20 (16-bit code). */
static void start(struct machine *m)
{
	static const uint64_t gdt[] = { 0, CODE64, CODE32, DATA32, CODE16 };

	memset(memory, 0, sizeof(memory));
	memset(m, 0, sizeof(*m));
	m->ram = (struct guest_ram){ memory, RAM_LEN };
	ports_start(&m->ports, m->text, 0);
	vcpu_start(&m->cpu, CODE, false, false);
	memcpy(memory + GDT, gdt, sizeof(gdt));
	m->cpu.gdt = (struct vcpu_table){ GDT, sizeof(gdt) - 1 };
	m->cpu.r[REG_SP] = STACK;
	m->cpu.is_identity = false;
	m->cpu.cr3 = PML4;
	put64(PML4, (PML4 + 0x1000) | 3);
	put64(PML4 + 0x1000, (PML4 + 0x2000) | 3);
	put64(PML4 + 0x2000, 0x83);
}

static enum vcpu_outcome execute(struct machine *m, const char *code, size_t len)
{
	uint8_t bytes[INSN_LEN_MAX];
	struct insn insn;
	size_t n;

	memcpy(memory + m->cpu.rip, code, len);
	n = vcpu_fetch(&m->cpu, m->ram, bytes);
	assert_true(insn_decode(span_of(bytes, n), m->cpu.is_64, &insn));
	if (insn.kind != INSN_UNKNOWN)
		assert_int_equal(insn.len, len);
	return vcpu_execute(&m->cpu, m->ram, &m->ports, &insn);
}
#define EXECUTE(m, code)	execute(m, code, sizeof(code) - 1)

/* ---- decoding ---- */

struct decoding {
	const char *bytes;
	size_t len;
	bool is_32;
	enum insn_kind kind;
};
#define D(bytes, kind)		{ bytes, sizeof(bytes) - 1, false, kind }
#define D32(bytes, kind)	{ bytes, sizeof(bytes) - 1, true, kind }

static void test_decode(void **state)
{
	static const struct decoding list[] = {
		D("\xfa", INSN_CLI), D("\xfb", INSN_STI), D("\xf4", INSN_HLT),
		D("\xec", INSN_IN), D("\xe4\x64", INSN_IN), D("\x66\xed", INSN_IN),
		D("\xee", INSN_OUT), D("\xe6\x80", INSN_OUT),
		D("\x48\xcb", INSN_FAR_RETURN), D("\xcb", INSN_FAR_RETURN),
		D("\x48\xcf", INSN_INTERRUPT_RETURN), D("\xcd\x20", INSN_INTERRUPT),
		D("\x8c\xc8", INSN_READ_SEGMENT), D("\x8e\xd0", INSN_WRITE_SEGMENT),
		D("\x41\x8e\xd8", INSN_WRITE_SEGMENT),
		D("\x0f\x01\x54\x24\xf6", INSN_LGDT), D("\x0f\x01\x1d\x01\x02\x03\x04", INSN_LIDT),
		D("\x0f\x00\xd0", INSN_LLDT), D("\x0f\x00\xd8", INSN_LTR),
		D("\x0f\x01\xf0", INSN_LMSW), D("\x0f\x01\x38", INSN_INVLPG),
		D("\x0f\x01\xf9", INSN_RDTSCP), D("\x0f\x31", INSN_RDTSC),
		D("\x0f\x06", INSN_CLTS), D("\x0f\x09", INSN_CACHE),
		D("\x0f\x20\xc0", INSN_READ_CR), D("\x44\x0f\x22\xc0", INSN_WRITE_CR),
		D("\x0f\x21\xf8", INSN_READ_DR), D("\x0f\x23\xf8", INSN_WRITE_DR),
		D("\x0f\x32", INSN_RDMSR), D("\x0f\x30", INSN_WRMSR),
		D("\x0f\xb7\x04\x25\x0e\x04\x00\x00", INSN_LOAD_ZERO),
		D("\x48\x0f\xbe\x03", INSN_LOAD_SIGN),
		D("\x8b\x84\xc8\x00\x10\x00\x00", INSN_LOAD), D("\x88\x07", INSN_STORE),
		D("\xc7\x05\x00\x00\x00\x00\x01\x02\x03\x04", INSN_STORE_IMM),
		D("\x66\xc7\x00\x01\x02", INSN_STORE_IMM),
		D("\xf3\xa4", INSN_MOVE_STRING), D("\xf3\x48\xab", INSN_STORE_STRING),
		D("\xff\x2d\x00\x00\x00\x00", INSN_FAR_JUMP_MEMORY),
		D32("\xea\x01\x02\x03\x04\x10\x00", INSN_FAR_JUMP),
		D32("\x0f\x01\x17", INSN_LGDT), D32("\x40\xfa", INSN_UNKNOWN),
		/* Neither is here. */
		D("\xea\x01\x02\x03\x04\x10\x00", INSN_UNKNOWN), D("\x90", INSN_UNKNOWN),
		D("\xff\x20", INSN_UNKNOWN), D("\x0f\x33", INSN_UNKNOWN), D("\x8c\xf8", INSN_UNKNOWN),
		D("\x0f\x01\xd1", INSN_UNKNOWN), D("\x8b\xc0", INSN_UNKNOWN),
	};

	(void)state;
	for (size_t i = 0; i < array_len(list); i++) {
		struct insn insn;

		assert_true(insn_decode(span_of(list[i].bytes, list[i].len), !list[i].is_32, &insn));
		assert_int_equal(insn.kind, list[i].kind);
		if (insn.kind == INSN_UNKNOWN)
			continue;
		assert_int_equal(insn.len, list[i].len);
		assert_non_null(insn_name(insn.kind));
		/* One byte less is too short, at any place. */
		for (size_t n = 0; n < list[i].len; n++)
			assert_false(insn_decode(span_of(list[i].bytes, n), !list[i].is_32, &insn) &&
				     insn.kind == list[i].kind && insn.len > n);
	}
}

static void test_operands(void **state)
{
	struct insn insn;

	(void)state;
	/* movzwl 0x1234(%r9,%r10,4), %r11d */
	assert_true(insn_decode(span_of("\x47\x0f\xb7\x9c\x91\x34\x12\x00\x00", 9), true, &insn));
	assert_int_equal(insn.base, REG_9);
	assert_int_equal(insn.index, REG_10);
	assert_int_equal(insn.scale, 2);
	assert_int_equal(insn.displacement, 0x1234);
	assert_int_equal(insn.reg, REG_11);
	assert_int_equal(insn.source_len, 2);
	/* mov -8(%rsp), %rax */
	assert_true(insn_decode(span_of("\x48\x8b\x44\x24\xf8", 5), true, &insn));
	assert_int_equal(insn.base, REG_SP);
	assert_int_equal(insn.index, INSN_NO_REG);
	assert_int_equal(insn.displacement, -8);
	assert_int_equal(insn.operand_len, 8);
}

/* ---- ring 0 ---- */

static void test_control_registers(void **state)
{
	struct machine m;

	(void)state;
	start(&m);
	assert_int_equal(EXECUTE(&m, "\x0f\x20\xd8"), VCPU_DONE);	/* mov %cr3, %rax */
	assert_int_equal(m.cpu.r[REG_AX], PML4);
	assert_int_equal(EXECUTE(&m, "\x0f\x22\xd8"), VCPU_REMAP);
	assert_int_equal(m.cpu.rip, CODE + 6);

	/* 64-bit code cannot turn paging off, nor change its depth or PAE while it is on. */
	m.cpu.r[REG_AX] = CR0_PE;
	assert_int_equal(EXECUTE(&m, "\x0f\x22\xc0"), VCPU_EXCEPTION);
	assert_int_equal(m.cpu.vector, VECTOR_GP);
	m.cpu.r[REG_AX] = CR4_PAE | CR4_LA57;
	assert_int_equal(EXECUTE(&m, "\x0f\x22\xe0"), VCPU_EXCEPTION);
	m.cpu.r[REG_AX] = 0;
	assert_int_equal(EXECUTE(&m, "\x0f\x22\xe0"), VCPU_EXCEPTION);
	assert_int_equal(m.cpu.cr4, CR4_PAE);
	assert_int_equal(m.cpu.rip, CODE + 6);
}

/* As purgatory changes the depth of paging. */
static void test_way_through_32_bits(void **state)
{
	struct machine m;

	(void)state;
	start(&m);
	put64(STACK - 16, 0x1800);
	put64(STACK - 8, 0x10);
	m.cpu.r[REG_SP] = STACK - 16;
	assert_int_equal(EXECUTE(&m, "\x48\xcb"), VCPU_DONE);
	assert_false(m.cpu.is_64);
	assert_int_equal(m.cpu.rip, 0x1800);
	assert_int_equal(m.cpu.r[REG_SP], STACK);
	assert_int_equal(m.cpu.selectors[SEG_CS], 0x10);

	m.cpu.r[REG_AX] = CR0_PE;
	assert_int_equal(EXECUTE(&m, "\x0f\x22\xc0"), VCPU_REMAP);
	assert_int_equal(vcpu_paging_levels(&m.cpu), 0);
	assert_int_equal(m.cpu.efer & EFER_LMA, 0);
	m.cpu.r[REG_AX] = CR4_PAE | CR4_LA57;
	assert_int_equal(EXECUTE(&m, "\x0f\x22\xe0"), VCPU_REMAP);
	m.cpu.r[REG_AX] = CR0_PE | CR0_PG;
	assert_int_equal(EXECUTE(&m, "\x0f\x22\xc0"), VCPU_REMAP);
	assert_int_equal(vcpu_paging_levels(&m.cpu), 5);
	assert_true(m.cpu.efer & EFER_LMA);

	/* Without PAE, or without LME, there is no such way back. */
	start(&m);
	m.cpu.is_64 = false;
	m.cpu.cr0 = CR0_PE;
	m.cpu.cr4 = 0;
	m.cpu.efer = EFER_LME;
	m.cpu.r[REG_AX] = CR0_PE | CR0_PG;
	assert_int_equal(EXECUTE(&m, "\x0f\x22\xc0"), VCPU_EXCEPTION);
	m.cpu.efer = 0;
	assert_int_equal(EXECUTE(&m, "\x0f\x22\xc0"), VCPU_STUCK);
}

static void test_segments(void **state)
{
	struct machine m;

	(void)state;
	start(&m);
	m.cpu.r[REG_AX] = 0x18;
	assert_int_equal(EXECUTE(&m, "\x8e\xd8"), VCPU_DONE);
	assert_int_equal(m.cpu.selectors[SEG_DS], 0x18);
	assert_int_equal(EXECUTE(&m, "\x8c\xdb"), VCPU_DONE);
	assert_int_equal(m.cpu.r[REG_BX], 0x18);
	m.cpu.r[REG_AX] = 0x28;		/* beyond the limit */
	assert_int_equal(EXECUTE(&m, "\x8e\xd8"), VCPU_EXCEPTION);
	assert_int_equal(m.cpu.error_code, 0x28);
	m.cpu.r[REG_AX] = 8;		/* CS by mov */
	assert_int_equal(EXECUTE(&m, "\x8e\xc8"), VCPU_EXCEPTION);
	assert_int_equal(m.cpu.vector, VECTOR_UD);
	/* To data, to nothing, and to what is not emulated. */
	assert_int_equal(vcpu_far_transfer(&m.cpu, m.ram, 0x18, 0), VCPU_EXCEPTION);
	assert_int_equal(vcpu_far_transfer(&m.cpu, m.ram, 0, 0), VCPU_EXCEPTION);
	assert_int_equal(vcpu_far_transfer(&m.cpu, m.ram, 0x20, 0), VCPU_STUCK);

	/* lgdt from above 4 GiB is found by 32-bit code too. */
	m.cpu.gdt.base = 3 * GIB;
	put64(PML4 + 0x1000 + 3 * 8, (PML4 + 0x3000) | 3);
	put64(PML4 + 0x3000, 0x83);
	m.cpu.gdt.base += GDT;
	m.cpu.is_64 = false;
	assert_int_equal(vcpu_far_transfer(&m.cpu, m.ram, 8, 0x1234), VCPU_DONE);
	assert_true(m.cpu.is_64);
}

static void test_exceptions(void **state)
{
	struct machine m;
	uint64_t frame[6];

	(void)state;
	start(&m);
	assert_false(vcpu_raise(&m.cpu, m.ram, VECTOR_UD, 0));
	start(&m);
	m.cpu.idt = (struct vcpu_table){ IDT, 15 * 16 - 1 };
	/* An interrupt gate for #PF to 0x2345678. */
	put64(IDT + 14 * 16, 0x02348e0000085678);
	m.cpu.r[REG_SP] = STACK - 3;
	m.cpu.rflags |= RFLAGS_IF;
	assert_true(vcpu_raise(&m.cpu, m.ram, VECTOR_PF, 2));
	assert_int_equal(m.cpu.rip, 0x2345678);
	assert_int_equal(m.cpu.r[REG_SP], STACK - 16 - 48);
	assert_int_equal(m.cpu.rflags & RFLAGS_IF, 0);
	assert_int_equal(m.cpu.fault_rip, CODE);
	memcpy(frame, memory + m.cpu.r[REG_SP], sizeof(frame));
	assert_int_equal(frame[0], 2);
	assert_int_equal(frame[1], CODE);
	assert_int_equal(frame[2], 0x10);
	assert_int_equal(frame[4], STACK - 3);
	/* Back: behind the error code. */
	m.cpu.r[REG_SP] += 8;
	m.cpu.rip = CODE;
	put64(m.cpu.r[REG_SP] + 8, 8);
	assert_int_equal(EXECUTE(&m, "\x48\xcf"), VCPU_DONE);
	assert_int_equal(m.cpu.r[REG_SP], STACK - 3);
	assert_true(m.cpu.rflags & RFLAGS_IF);
	/* A vector beyond the table, and a stack that is not mapped. */
	assert_false(vcpu_raise(&m.cpu, m.ram, 15, 0));
	m.cpu.r[REG_SP] = 0x7000000000;
	assert_false(vcpu_raise(&m.cpu, m.ram, VECTOR_PF, 0));
}

static void test_page_tables(void **state)
{
	struct vcpu_page page;
	struct machine m;
	uint64_t value;

	(void)state;
	start(&m);
	assert_true(vcpu_translate(&m.cpu, m.ram, 0x123456, &page));
	assert_int_equal(page.phys, 0x123456);
	assert_int_equal(page.virt, 0);
	assert_int_equal(page.len, 2 * MIB);
	assert_true(page.is_executable);
	assert_false(vcpu_translate(&m.cpu, m.ram, 2 * MIB, &page));
	assert_false(vcpu_translate(&m.cpu, m.ram, UINT64_C(1) << 47, &page));
	assert_false(vcpu_read(&m.cpu, m.ram, 2 * MIB - 4, &value, sizeof(value)));

	/* A page of 4 KiB, read only, not for code, elsewhere. */
	put64(PML4 + 0x2000 + 8, (PML4 + 0x4000) | 3);
	put64(PML4 + 0x4000 + 8, UINT64_C(0x8000000000000000) | DATA | 1);
	assert_true(vcpu_translate(&m.cpu, m.ram, 2 * MIB + PAGE_LEN + 5, &page));
	assert_int_equal(page.phys, DATA + 5);
	assert_int_equal(page.len, PAGE_LEN);
	assert_false(page.is_executable);
	assert_true(page.is_writable);
	m.cpu.cr0 |= CR0_WP;
	assert_true(vcpu_translate(&m.cpu, m.ram, 2 * MIB + PAGE_LEN + 5, &page));
	assert_false(page.is_writable);
	assert_false(vcpu_write(&m.cpu, m.ram, 2 * MIB + PAGE_LEN, &value, 1));
	/* A table that is nowhere. */
	m.cpu.cr3 = RAM_LEN;
	assert_false(vcpu_translate(&m.cpu, m.ram, 0, &page));
	m.cpu.is_identity = true;
	assert_true(vcpu_translate(&m.cpu, m.ram, 0x7654321, &page));
	assert_int_equal(page.phys, 0x7654321);
}

/* ---- memory, ports, clock ---- */

static void test_moves(void **state)
{
	struct machine m;

	(void)state;
	start(&m);
	put64(DATA, 0xfedcba9876543280);
	m.cpu.r[REG_BX] = DATA;
	m.cpu.r[REG_AX] = UINT64_MAX;
	assert_int_equal(EXECUTE(&m, "\x0f\xb7\x03"), VCPU_DONE);	/* movzwl (%rbx), %eax */
	assert_int_equal(m.cpu.r[REG_AX], 0x3280);
	assert_int_equal(EXECUTE(&m, "\x48\x0f\xbe\x03"), VCPU_DONE);	/* movsbq (%rbx), %rax */
	assert_int_equal(m.cpu.r[REG_AX], 0xffffffffffffff80);
	assert_int_equal(EXECUTE(&m, "\x8a\x23"), VCPU_DONE);		/* mov (%rbx), %ah */
	assert_int_equal(m.cpu.r[REG_AX], 0xffffffffffff8080);
	assert_int_equal(EXECUTE(&m, "\x88\x63\x08"), VCPU_DONE);	/* mov %ah, 8(%rbx) */
	assert_int_equal(memory[DATA + 8], 0x80);
	assert_int_equal(EXECUTE(&m, "\x66\xc7\x43\x10\x34\x12"), VCPU_DONE);
	assert_int_equal(memory[DATA + 0x11], 0x12);
	m.cpu.r[REG_BX] = 3 * MIB;
	assert_int_equal(EXECUTE(&m, "\x8b\x03"), VCPU_EXCEPTION);
	assert_int_equal(m.cpu.vector, VECTOR_PF);
	assert_int_equal(m.cpu.cr2, 3 * MIB);
	m.cpu.is_identity = true;
	m.cpu.r[REG_BX] = RAM_LEN + 4;
	assert_int_equal(EXECUTE(&m, "\x8b\x03"), VCPU_WILD);
	assert_int_equal(m.cpu.wild, RAM_LEN + 4);
	assert_int_equal(EXECUTE(&m, "\x65\x8b\x03"), VCPU_STUCK);	/* through GS */
}

static void test_strings(void **state)
{
	struct machine m;

	(void)state;
	start(&m);
	memcpy(memory + DATA, "kexec", 5);
	m.cpu.r[REG_SI] = DATA;
	m.cpu.r[REG_DI] = DATA + 0x100;
	m.cpu.r[REG_CX] = 5;
	assert_int_equal(EXECUTE(&m, "\xf3\xa4"), VCPU_DONE);
	assert_memory_equal(memory + DATA + 0x100, "kexec", 5);
	assert_int_equal(m.cpu.r[REG_CX], 0);
	assert_int_equal(m.cpu.r[REG_SI], DATA + 5);
	/* Downwards into what is not mapped: it stops where the CPU would. */
	m.cpu.rflags |= RFLAGS_DF;
	m.cpu.r[REG_DI] = 8;
	m.cpu.r[REG_CX] = 5;
	m.cpu.r[REG_AX] = UINT64_MAX;
	assert_int_equal(EXECUTE(&m, "\xf3\x48\xab"), VCPU_EXCEPTION);
	assert_int_equal(m.cpu.r[REG_CX], 3);
	assert_int_equal(m.cpu.r[REG_DI], -8);
	assert_int_equal(memory[0], 0xff);
	/* A long one gives the caller a turn in between. */
	m.cpu.rflags &= ~RFLAGS_DF;
	m.cpu.r[REG_DI] = MIB;
	m.cpu.r[REG_CX] = 100 * KIB;
	m.cpu.rip = CODE;
	assert_int_equal(EXECUTE(&m, "\xf3\xaa"), VCPU_DONE);
	assert_int_equal(m.cpu.rip, CODE);
	assert_int_equal(m.cpu.r[REG_CX], 36 * KIB);
}

static void test_ports(void **state)
{
	struct machine m;

	(void)state;
	start(&m);
	m.cpu.r[REG_DX] = 0x3fd;
	m.cpu.r[REG_AX] = UINT64_MAX;
	assert_int_equal(EXECUTE(&m, "\xec"), VCPU_DONE);
	assert_int_equal(m.cpu.r[REG_AX], 0xffffffffffffff60);
	m.cpu.r[REG_DX] = 0x3f8;
	m.cpu.r[REG_AX] = 'k';
	assert_int_equal(EXECUTE(&m, "\xee"), VCPU_DONE);
	/* A divisor is no text. */
	ports_out(&m.ports, 0x3fb, 1, 0x83);
	assert_int_equal(EXECUTE(&m, "\xee"), VCPU_DONE);
	assert_int_equal(m.ports.text_len, 1);
	assert_int_equal(m.text[0], 'k');
	ports_start(&m.ports, m.text, 0x1000);
	ports_out(&m.ports, 0x1000, 1, 'x');
	assert_int_equal(m.text[0], 'x');
	assert_int_equal(ports_in(&m.ports, 0x1234, 4), UINT32_MAX);
	m.cpu.r[REG_AX] = 0xfe;
	assert_int_equal(EXECUTE(&m, "\xe6\x64"), VCPU_RESET);
	assert_non_null(m.ports.reset_by);
	for (size_t i = 0; i <= PORTS_TEXT_LEN; i++)
		ports_out(&m.ports, 0x3f8, 1, 'y');
	assert_int_equal(m.ports.text_len, PORTS_TEXT_LEN);
	assert_int_equal(m.ports.n_lost, 2);
}

/* A loop that waits five seconds of a 5 GHz TSC takes some hundred readings. */
static void test_clock(void **state)
{
	struct machine m;
	uint64_t first, n = 0;

	(void)state;
	start(&m);
	first = m.cpu.tsc;
	for (; m.cpu.tsc - first < UINT64_C(25000000000); n++) {
		m.cpu.rip = CODE;
		assert_int_equal(EXECUTE(&m, "\x0f\x31"), VCPU_DONE);
	}
	assert_in_range(n, 100, 1000);
	m.cpu.r[REG_CX] = 0xc0000080;
	assert_int_equal(EXECUTE(&m, "\x0f\x32"), VCPU_DONE);
	assert_int_equal(m.cpu.r[REG_AX], m.cpu.efer);
	/* LME cannot go while paging is on. */
	m.cpu.r[REG_AX] = 0;
	assert_int_equal(EXECUTE(&m, "\x0f\x30"), VCPU_EXCEPTION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_operands),
		cmocka_unit_test(test_control_registers),
		cmocka_unit_test(test_way_through_32_bits),
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_exceptions),
		cmocka_unit_test(test_page_tables),
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
