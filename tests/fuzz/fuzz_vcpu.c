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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool condition)
{
	if (!condition)
		__builtin_trap();
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
	must(insn.len > 0 && insn.len <= n);
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
	memcpy(memory, data, min_size(len, RAM_LEN));
	ports_start(&ports, text, 0);
	vcpu_start(&v, 0, data[0] & 1, data[0] & 2);
	memcpy(v.r, data, min_size(len, sizeof(v.r)));
	v.is_identity = data[0] & 4;
	v.cr3 = (uint64_t)data[1] << 12;
	v.gdt = (struct vcpu_table){ data[1], 0xffff };
	v.idt = (struct vcpu_table){ 2 * (uint64_t)data[1], 0xffff };
	v.rip = len / 2;
	for (int i = 0; i < STEPS; i++)
		step(&v, ram, &ports);
	return 0;
}
