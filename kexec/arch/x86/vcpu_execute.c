// SPDX-License-Identifier: GPL-2.0-or-later
/* What the instructions of insn.h do. */
#include <string.h>

#include "arch/x86/vcpu.h"

#define MSR_EFER		0xc0000080
#define MSR_MISC_ENABLE		0x1a0
#define MISC_ENABLE_FAST_STRING	1
#define EFER_WRITABLE		(UINT64_C(1) | EFER_LME | EFER_NXE)

#define STRING_STEPS		(64 * KIB)	/* then the CPU goes on, or comes back here */
/* Each reading of the TSC that closely follows another takes twice as long, up to this. */
#define TICKS_MIN		64
#define TICKS_MAX		(UINT64_C(1) << 26)

/* ---- operands ---- */

static uint64_t mask_of(size_t len)
{
	return len >= 8 ? UINT64_MAX : (UINT64_C(1) << 8 * len) - 1;
}

static uint64_t get_register(const struct vcpu *v, const struct insn *insn, uint8_t reg, size_t len)
{
	if (len == 1 && !insn->has_rex && reg >= 4 && reg < 8)
		return v->r[reg - 4] >> 8 & 0xff;
	return v->r[reg] & mask_of(len);
}

static void set_register(struct vcpu *v, const struct insn *insn, uint8_t reg, size_t len,
			 uint64_t value)
{
	if (len == 1 && !insn->has_rex && reg >= 4 && reg < 8)
		v->r[reg - 4] = (v->r[reg - 4] & ~UINT64_C(0xff00)) | (value & 0xff) << 8;
	else if (len >= 4)
		v->r[reg] = value & mask_of(len);
	else
		v->r[reg] = (v->r[reg] & ~mask_of(len)) | (value & mask_of(len));
}

static uint64_t address_of(const struct vcpu *v, const struct insn *insn)
{
	uint64_t addr = (uint64_t)(int64_t)insn->displacement;

	if (insn->base != INSN_NO_REG)
		addr += v->r[insn->base];
	if (insn->index != INSN_NO_REG)
		addr += v->r[insn->index] << insn->scale;
	if (insn->is_rip_relative)
		addr += v->rip + insn->len;
	return insn->address_len == 4 ? (uint32_t)addr : addr;
}

static enum vcpu_outcome stuck(struct vcpu *v, const char *at)
{
	v->stuck_at = at;
	return VCPU_STUCK;
}

/* FS and GS may have a base that nobody here knows. */
static bool has_unknown_base(const struct insn *insn)
{
	return insn->segment == SEG_FS || insn->segment == SEG_GS;
}

static enum vcpu_outcome done(struct vcpu *v, const struct insn *insn)
{
	v->rip += insn->len;
	if (!v->is_64)
		v->rip = (uint32_t)v->rip;
	return VCPU_DONE;
}

/* ---- far transfers ---- */

static enum vcpu_outcome far_return(struct vcpu *v, struct guest_ram ram, const struct insn *insn)
{
	const uint64_t sp = v->is_64 ? v->r[REG_SP] : (uint32_t)v->r[REG_SP];
	const size_t len = insn->operand_len;
	uint64_t rip = 0;
	uint16_t selector;
	enum vcpu_outcome r;

	if (!vcpu_read(v, ram, sp, &rip, len) || !vcpu_read(v, ram, sp + len, &selector, 2))
		return vcpu_memory_fault(v, ram, sp, 2 * len, false);
	r = vcpu_far_transfer(v, ram, selector, rip);
	if (r == VCPU_DONE)
		v->r[REG_SP] = sp + 2 * len;
	return r;
}

static enum vcpu_outcome interrupt_return(struct vcpu *v, struct guest_ram ram,
					  const struct insn *insn)
{
	uint64_t frame[5];	/* rip, cs, rflags, rsp, ss */
	enum vcpu_outcome r;

	if (!v->is_64 || insn->operand_len != 8)
		return stuck(v, "iret outside 64-bit code");
	if (!vcpu_read(v, ram, v->r[REG_SP], frame, sizeof(frame)))
		return vcpu_memory_fault(v, ram, v->r[REG_SP], sizeof(frame), false);
	r = vcpu_far_transfer(v, ram, (uint16_t)frame[1], frame[0]);
	if (r != VCPU_DONE)
		return r;
	v->rflags = frame[2];
	v->r[REG_SP] = frame[3];
	v->selectors[SEG_SS] = (uint16_t)frame[4];
	return VCPU_DONE;
}

static enum vcpu_outcome far_jump_memory(struct vcpu *v, struct guest_ram ram,
					 const struct insn *insn)
{
	const uint64_t addr = address_of(v, insn);
	const size_t len = insn->operand_len;
	uint64_t rip = 0;
	uint16_t selector;

	if (has_unknown_base(insn))
		return stuck(v, "a far jump through FS or GS");
	if (!vcpu_read(v, ram, addr, &rip, len) || !vcpu_read(v, ram, addr + len, &selector, 2))
		return vcpu_memory_fault(v, ram, addr, len + 2, false);
	return vcpu_far_transfer(v, ram, selector, rip);
}

/* ---- descriptor tables and segments ---- */

static enum vcpu_outcome load_table(struct vcpu *v, struct guest_ram ram, const struct insn *insn,
				    struct vcpu_table *table)
{
	const uint64_t addr = address_of(v, insn);
	const size_t len = v->is_64 ? 8 : 4;
	struct vcpu_table t = { 0 };

	if (has_unknown_base(insn))
		return stuck(v, "a descriptor table through FS or GS");
	if (!vcpu_read(v, ram, addr, &t.limit, 2) || !vcpu_read(v, ram, addr + 2, &t.base, len))
		return vcpu_memory_fault(v, ram, addr, 2 + len, false);
	*table = t;
	return done(v, insn);
}

static enum vcpu_outcome write_segment(struct vcpu *v, struct guest_ram ram,
				       const struct insn *insn)
{
	const uint16_t selector = (uint16_t)v->r[insn->rm];
	uint64_t descriptor;

	if (insn->reg == SEG_CS)
		return vcpu_fault(v, VECTOR_UD, 0);
	if ((selector & ~3) != 0 && !vcpu_read_descriptor(v, ram, selector, &descriptor))
		return vcpu_fault(v, VECTOR_GP, selector & ~7U);
	v->selectors[insn->reg] = selector;
	return done(v, insn);
}

/* ---- control registers ---- */

static enum vcpu_outcome write_cr0(struct vcpu *v, const struct insn *insn, uint64_t value)
{
	const bool was_on = v->cr0 & CR0_PG, is_on = value & CR0_PG;

	if (value >> 32 || (is_on && !(value & CR0_PE)))
		return vcpu_fault(v, VECTOR_GP, 0);
	if (!was_on && is_on) {
		if (!(v->efer & EFER_LME))
			return stuck(v, "paging of 32-bit code");
		if (!(v->cr4 & CR4_PAE))
			return vcpu_fault(v, VECTOR_GP, 0);
		v->efer |= EFER_LMA;
	}
	if (was_on && !is_on) {
		/* Only compatibility mode may do that. */
		if (v->is_64)
			return vcpu_fault(v, VECTOR_GP, 0);
		v->efer &= ~EFER_LMA;
	}
	v->cr0 = value | 0x10;
	done(v, insn);
	return VCPU_REMAP;
}

static enum vcpu_outcome write_cr4(struct vcpu *v, const struct insn *insn, uint64_t value)
{
	const uint64_t changed = v->cr4 ^ value;

	if ((v->efer & EFER_LMA) && (changed & (CR4_LA57 | CR4_PAE)))
		return vcpu_fault(v, VECTOR_GP, 0);
	v->cr4 = value;
	done(v, insn);
	return VCPU_REMAP;
}

static enum vcpu_outcome write_cr(struct vcpu *v, const struct insn *insn)
{
	const uint64_t value = get_register(v, insn, insn->rm, insn->operand_len);

	switch (insn->reg) {
	case 0:
		return write_cr0(v, insn, value);
	case 2:
		v->cr2 = value;
		return done(v, insn);
	case 3:
		v->cr3 = value;
		v->is_identity = false;
		done(v, insn);
		return VCPU_REMAP;
	case 4:
		return write_cr4(v, insn, value);
	case 8:
		return done(v, insn);
	default:
		return vcpu_fault(v, VECTOR_UD, 0);
	}
}

static enum vcpu_outcome read_cr(struct vcpu *v, const struct insn *insn)
{
	uint64_t value = 0;

	switch (insn->reg) {
	case 0:
		value = v->cr0;
		break;
	case 2:
		value = v->cr2;
		break;
	case 3:
		if (v->is_identity)
			return stuck(v, "the page tables of the running kernel");
		value = v->cr3;
		break;
	case 4:
		value = v->cr4;
		break;
	case 8:
		break;
	default:
		return vcpu_fault(v, VECTOR_UD, 0);
	}
	set_register(v, insn, insn->rm, insn->operand_len, value);
	return done(v, insn);
}

/* ---- model specific registers and the clock ---- */

static enum vcpu_outcome read_msr(struct vcpu *v, const struct insn *insn)
{
	const uint32_t number = (uint32_t)v->r[REG_CX];
	uint64_t value = 0;

	if (number == MSR_EFER)
		value = v->efer;
	else if (number == MSR_MISC_ENABLE)
		value = MISC_ENABLE_FAST_STRING;
	v->r[REG_AX] = (uint32_t)value;
	v->r[REG_DX] = value >> 32;
	return done(v, insn);
}

static enum vcpu_outcome write_msr(struct vcpu *v, const struct insn *insn)
{
	const uint64_t value = (uint32_t)v->r[REG_AX] | v->r[REG_DX] << 32;

	if ((uint32_t)v->r[REG_CX] != MSR_EFER)
		return done(v, insn);
	if ((v->cr0 & CR0_PG) && ((v->efer ^ value) & EFER_LME))
		return vcpu_fault(v, VECTOR_GP, 0);
	v->efer = (v->efer & EFER_LMA) | (value & EFER_WRITABLE);
	done(v, insn);
	return VCPU_REMAP;
}

/* A loop that waits by the TSC shall not take the time that it waits for. */
static enum vcpu_outcome read_tsc(struct vcpu *v, const struct insn *insn)
{
	v->n_ticks = min_u64(max_u64(v->n_ticks * 2, TICKS_MIN), TICKS_MAX);
	v->tsc += v->n_ticks;
	v->r[REG_AX] = (uint32_t)v->tsc;
	v->r[REG_DX] = v->tsc >> 32;
	if (insn->kind == INSN_RDTSCP)
		v->r[REG_CX] = 0;
	return done(v, insn);
}

/* ---- memory ---- */

static enum vcpu_outcome load(struct vcpu *v, struct guest_ram ram, const struct insn *insn)
{
	const uint64_t addr = address_of(v, insn);
	const size_t len = insn->kind == INSN_LOAD ? insn->operand_len : insn->source_len;
	const unsigned int unused = 64 - 8 * (unsigned int)len;
	uint64_t value = 0;

	if (!vcpu_read(v, ram, addr, &value, len))
		return vcpu_memory_fault(v, ram, addr, len, false);
	if (insn->kind == INSN_LOAD_SIGN)
		value = (uint64_t)((int64_t)(value << unused) >> unused);
	set_register(v, insn, insn->reg, insn->operand_len, value);
	return done(v, insn);
}

static enum vcpu_outcome store(struct vcpu *v, struct guest_ram ram, const struct insn *insn)
{
	const uint64_t addr = address_of(v, insn);
	const uint64_t value = insn->kind == INSN_STORE_IMM ?
				       insn->imm :
				       get_register(v, insn, insn->reg, insn->operand_len);

	if (!insn->is_memory)
		return stuck(v, "mov of a constant to a register");
	if (!vcpu_write(v, ram, addr, &value, insn->operand_len))
		return vcpu_memory_fault(v, ram, addr, insn->operand_len, true);
	return done(v, insn);
}

/* movs and stos, step by step as the CPU does it: an exception in the middle leaves the counts. */
static enum vcpu_outcome string(struct vcpu *v, struct guest_ram ram, const struct insn *insn)
{
	const uint64_t mask = mask_of(insn->address_len);
	const size_t len = insn->operand_len;
	const uint64_t step = v->rflags & RFLAGS_DF ? -(uint64_t)len : len;

	for (uint64_t i = 0; i < STRING_STEPS; i++) {
		const uint64_t to = v->r[REG_DI] & mask, from = v->r[REG_SI] & mask;
		uint64_t value = v->r[REG_AX];

		if (insn->is_repeated && (v->r[REG_CX] & mask) == 0)
			return done(v, insn);
		if (insn->kind == INSN_MOVE_STRING && !vcpu_read(v, ram, from, &value, len))
			return vcpu_memory_fault(v, ram, from, len, false);
		if (!vcpu_write(v, ram, to, &value, len))
			return vcpu_memory_fault(v, ram, to, len, true);
		v->r[REG_DI] = (to + step) & mask;
		if (insn->kind == INSN_MOVE_STRING)
			v->r[REG_SI] = (from + step) & mask;
		if (!insn->is_repeated)
			return done(v, insn);
		v->r[REG_CX] = ((v->r[REG_CX] & mask) - 1) & mask;
	}
	return VCPU_DONE;
}

static enum vcpu_outcome memory(struct vcpu *v, struct guest_ram ram, const struct insn *insn)
{
	if (has_unknown_base(insn))
		return stuck(v, "memory through FS or GS");
	switch (insn->kind) {
	case INSN_LOAD:
	case INSN_LOAD_ZERO:
	case INSN_LOAD_SIGN:
		return load(v, ram, insn);
	case INSN_STORE:
	case INSN_STORE_IMM:
		return store(v, ram, insn);
	default:
		return string(v, ram, insn);
	}
}

/* ---- ports ---- */

static enum vcpu_outcome port_io(struct vcpu *v, struct ports *ports, const struct insn *insn)
{
	const uint16_t port = (uint16_t)(insn->imm <= UINT8_MAX ? insn->imm : v->r[REG_DX]);
	const size_t len = insn->operand_len;

	if (insn->kind == INSN_IN) {
		set_register(v, insn, REG_AX, len, ports_in(ports, port, len));
		return done(v, insn);
	}
	ports_out(ports, port, len, (uint32_t)(v->r[REG_AX] & mask_of(len)));
	done(v, insn);
	return ports->reset_by ? VCPU_RESET : VCPU_DONE;
}

static enum vcpu_outcome execute_system(struct vcpu *v, struct guest_ram ram,
					const struct insn *insn)
{
	switch (insn->kind) {
	case INSN_LGDT:
		return load_table(v, ram, insn, &v->gdt);
	case INSN_LIDT:
		return load_table(v, ram, insn, &v->idt);
	case INSN_READ_SEGMENT:
		set_register(v, insn, insn->rm, insn->operand_len, v->selectors[insn->reg]);
		return done(v, insn);
	case INSN_WRITE_SEGMENT:
		return write_segment(v, ram, insn);
	case INSN_READ_CR:
		return read_cr(v, insn);
	case INSN_WRITE_CR:
		return write_cr(v, insn);
	case INSN_READ_DR:
		set_register(v, insn, insn->rm, insn->operand_len, 0);
		return done(v, insn);
	case INSN_CLTS:
		v->cr0 &= ~CR0_TS;
		return done(v, insn);
	case INSN_LMSW:
		return stuck(v, "lmsw");
	case INSN_INVLPG:
		done(v, insn);
		return VCPU_REMAP;
	case INSN_RDMSR:
		return read_msr(v, insn);
	case INSN_WRMSR:
		return write_msr(v, insn);
	default:
		return done(v, insn);	/* lldt, ltr, wbinvd, debug registers: nothing shows */
	}
}

enum vcpu_outcome vcpu_execute(struct vcpu *v, struct guest_ram ram, struct ports *ports,
			       const struct insn *insn)
{
	v->counts[insn->kind < N_INSN_KINDS ? insn->kind : INSN_UNKNOWN]++;
	if (insn->kind != INSN_RDTSC && insn->kind != INSN_RDTSCP)
		v->n_ticks = 0;
	switch (insn->kind) {
	case INSN_UNKNOWN:
		return stuck(v, "an instruction");
	case INSN_CLI:
		v->rflags &= ~RFLAGS_IF;
		return done(v, insn);
	case INSN_STI:
		v->rflags |= RFLAGS_IF;
		return done(v, insn);
	case INSN_HLT:
		return VCPU_HALTED;
	case INSN_IN:
	case INSN_OUT:
		return port_io(v, ports, insn);
	case INSN_FAR_RETURN:
		return far_return(v, ram, insn);
	case INSN_INTERRUPT_RETURN:
		return interrupt_return(v, ram, insn);
	case INSN_FAR_JUMP:
		return vcpu_far_transfer(v, ram, insn->imm_selector, insn->imm);
	case INSN_FAR_JUMP_MEMORY:
		return far_jump_memory(v, ram, insn);
	case INSN_INTERRUPT:
		v->rip += insn->len;
		return vcpu_fault(v, (unsigned int)insn->imm, 0);
	case INSN_RDTSC:
	case INSN_RDTSCP:
		return read_tsc(v, insn);
	case INSN_LOAD:
	case INSN_LOAD_ZERO:
	case INSN_LOAD_SIGN:
	case INSN_STORE:
	case INSN_STORE_IMM:
	case INSN_MOVE_STRING:
	case INSN_STORE_STRING:
		return memory(v, ram, insn);
	default:
		return execute_system(v, ram, insn);
	}
}
