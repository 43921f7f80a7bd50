// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A CPU in an arbitrary state with arbitrary memory executes what it is given: foreign code has the
 * choice of all of that. Nothing outside the memory is touched, and what is read of an instruction is
 * never more than there is.
 */
#include <string.h>

#include "arch/x86/vcpu.h"

#define RAM_LEN		(64 * KIB)
#define STEPS		32
/* Places of tables. */
#define GDT		0x1000
#define IDT		0x1200
#define HANDLER		0x1800
#define PAGE_TABLES	0x2000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool condition)
{
	if (!condition)
		__builtin_trap();
}

/* Descriptor tables, gates and page tables that are right, but for what the input writes over them. */
static void make_tables(struct vcpu *v, uint8_t *memory)
{
	static const uint64_t gdt[] = { 0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff,
					0x00cf9b000000ffff, 0x000f9b000000ffff };

	memcpy(memory + GDT, gdt, sizeof(gdt));
	for (size_t i = 0; i < 32; i++) {
		const uint64_t gate[2] = { 0x00008e0000100000 | (HANDLER + i), 0 };

		memcpy(memory + IDT + i * sizeof(gate), gate, sizeof(gate));
	}
	for (uint64_t at = PAGE_TABLES; at < PAGE_TABLES + 3 * PAGE_LEN; at += PAGE_LEN) {
		const uint64_t entry = at == PAGE_TABLES + 2 * PAGE_LEN ? 0x83 : (at + PAGE_LEN) | 3;

		memcpy(memory + at, &entry, sizeof(entry));
	}
	v->cr3 = PAGE_TABLES;
	v->gdt = (struct vcpu_table){ GDT, sizeof(gdt) - 1 };
	v->idt = (struct vcpu_table){ IDT, 0x1ff };
	v->efer |= EFER_LMA | EFER_LME;
	v->r[REG_SP] = RAM_LEN - 64;
}

static void step(struct vcpu *v, struct guest_ram ram, struct ports *ports)
{
	uint8_t bytes[INSN_LEN_MAX];
	const size_t n = vcpu_fetch(v, ram, bytes);
	struct insn insn;

	must(n <= INSN_LEN_MAX);
	if (!insn_decode(span_of(bytes, n), v->is_64, &insn) || insn.kind == INSN_UNKNOWN) {
		v->rip++;
		return;
	}
	must(insn.len > 0 && insn.len <= n && insn_name(insn.kind));
	switch (vcpu_execute(v, ram, ports, &insn)) {
	case VCPU_EXCEPTION:
		if (!vcpu_raise(v, ram, v->vector, v->error_code))
			v->rip++;
		break;
	case VCPU_STUCK:
		must(v->stuck_at != NULL);
		v->rip++;
		break;
	case VCPU_WILD:
		must(v->wild >= ram.len);
		v->rip++;
		break;
	case VCPU_RESET:
		must(ports->reset_by != NULL);
		ports->reset_by = NULL;
		break;
	default:
		break;
	}
	must(ports->text_len <= PORTS_TEXT_LEN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t memory[RAM_LEN];
	static char text[PORTS_TEXT_LEN];
	const struct guest_ram ram = { memory, RAM_LEN };
	struct ports ports;
	struct vcpu v;

	if (len < 2)
		return 0;
	memset(memory, 0, sizeof(memory));
	ports_start(&ports, text, 0);
	vcpu_start(&v, 0, data[0] & 1, data[0] & 2);
	memcpy(v.r, data, min_size(len, sizeof(v.r)));
	v.is_identity = data[0] & 4;
	v.cr3 = (uint64_t)data[1] << 12;
	v.gdt = (struct vcpu_table){ data[1], 0xffff };
	v.idt = (struct vcpu_table){ 2 * (uint64_t)data[1], 0xffff };
	v.rip = len / 2;
	if (data[0] & 8)
		make_tables(&v, memory);
	/* In whole pages from here on the input is over tables. */
	memcpy(memory + (data[0] & 16 ? PAGE_LEN * (data[1] % 4U) : 0), data,
	       min_size(len, RAM_LEN / 2));
	for (int i = 0; i < STEPS; i++)
		step(&v, ram, &ports);
	return 0;
}
