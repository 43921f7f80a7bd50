// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch/x86/insn.h"

#define REX_W	8
#define REX_R	4
#define REX_X	2
#define REX_B	1

/* How far the bytes have been read, and what the prefixes said. */
struct reader {
	struct span bytes;
	size_t at;
	bool is_64;
	bool is_short;		/* they ended too early */
	bool has_16bit_operand, has_other_address, has_repeat;
	uint8_t rex;
	struct insn insn;
};

static uint64_t next(struct reader *r, size_t len)
{
	uint64_t v = 0;

	if (!span_copy(r->bytes, r->at, &v, len))
		r->is_short = true;
	else
		r->at += len;
	return v;
}

static uint64_t next_signed(struct reader *r, size_t len)
{
	const uint64_t v = next(r, len);
	const unsigned int unused = 64 - 8 * (unsigned int)len;

	return (uint64_t)((int64_t)(v << unused) >> unused);
}

static uint8_t next_u8(struct reader *r)
{
	return (uint8_t)next(r, 1);
}

static void read_prefixes(struct reader *r)
{
	static const struct {
		uint8_t byte;
		enum insn_segment segment;
	} segments[] = {
		{ 0x26, SEG_ES }, { 0x2e, SEG_CS }, { 0x36, SEG_SS },
		{ 0x3e, SEG_DS }, { 0x64, SEG_FS }, { 0x65, SEG_GS },
	};
	uint8_t c;

	r->insn.segment = N_SEGMENTS;
	while (r->at < INSN_LEN_MAX && span_u8(r->bytes, r->at, &c)) {
		bool is_prefix = c == 0x66 || c == 0x67 || c == 0xf2 || c == 0xf3;

		for (size_t i = 0; i < array_len(segments); i++) {
			if (segments[i].byte != c)
				continue;
			is_prefix = true;
			r->insn.segment = (uint8_t)segments[i].segment;
		}
		if (!is_prefix)
			break;
		r->has_16bit_operand |= c == 0x66;
		r->has_other_address |= c == 0x67;
		r->has_repeat |= c == 0xf2 || c == 0xf3;
		r->at++;
	}
	if (r->is_64 && span_u8(r->bytes, r->at, &c) && (c & 0xf0) == 0x40) {
		r->rex = c;
		r->insn.has_rex = true;
		r->at++;
	}
	r->insn.is_repeated = r->has_repeat;
	r->insn.operand_len = r->rex & REX_W ? 8 : r->has_16bit_operand ? 2 : 4;
	r->insn.address_len = r->is_64 && !r->has_other_address ? 8 : 4;
}

static void read_sib(struct reader *r, uint8_t mod)
{
	const uint8_t sib = next_u8(r);

	r->insn.scale = sib >> 6;
	r->insn.index = (uint8_t)((sib >> 3 & 7) | (r->rex & REX_X ? 8 : 0));
	if (r->insn.index == 4)
		r->insn.index = INSN_NO_REG;
	r->insn.base = (uint8_t)((sib & 7) | (r->rex & REX_B ? 8 : 0));
	if ((sib & 7) != 5 || mod != 0)
		return;
	r->insn.base = INSN_NO_REG;
	r->insn.displacement = (int32_t)next_signed(r, 4);
}

/* The mod-reg-rm byte and what belongs to it. */
static void read_modrm(struct reader *r)
{
	const uint8_t modrm = next_u8(r), mod = modrm >> 6, rm = modrm & 7;
	struct insn *insn = &r->insn;

	insn->reg = (uint8_t)((modrm >> 3 & 7) | (r->rex & REX_R ? 8 : 0));
	insn->rm = (uint8_t)(rm | (r->rex & REX_B ? 8 : 0));
	insn->base = insn->index = INSN_NO_REG;
	insn->is_memory = mod != 3;
	if (!insn->is_memory)
		return;
	if (rm == 4) {
		read_sib(r, mod);
	} else if (rm == 5 && mod == 0) {
		insn->is_rip_relative = r->is_64;
		insn->displacement = (int32_t)next_signed(r, 4);
	} else {
		insn->base = insn->rm;
	}
	if (mod != 0)
		insn->displacement = (int32_t)next_signed(r, mod == 1 ? 1 : 4);
}

/* Bit 0 of many opcodes: clear for bytes. */
static void set_width(struct reader *r, uint8_t opcode)
{
	if (!(opcode & 1))
		r->insn.operand_len = 1;
}

static enum insn_kind read_port(struct reader *r, uint8_t opcode)
{
	set_width(r, opcode);
	if (r->insn.operand_len == 8)
		r->insn.operand_len = 4;
	/* By number or, without bit 3, in dx: then imm stays beyond any port. */
	r->insn.imm = opcode & 8 ? UINT64_MAX : next(r, 1);
	return opcode & 2 ? INSN_OUT : INSN_IN;
}

static enum insn_kind read_far_jump(struct reader *r)
{
	if (r->is_64)
		return INSN_UNKNOWN;
	r->insn.imm = next(r, r->insn.operand_len);
	r->insn.imm_selector = (uint16_t)next(r, 2);
	return INSN_FAR_JUMP;
}

static enum insn_kind read_store_imm(struct reader *r, uint8_t opcode)
{
	set_width(r, opcode);
	read_modrm(r);
	r->insn.imm = next_signed(r, r->insn.operand_len == 8 ? 4 : r->insn.operand_len);
	return (r->insn.reg & 7) == 0 ? INSN_STORE_IMM : INSN_UNKNOWN;
}

static enum insn_kind read_memory_form(struct reader *r, enum insn_kind kind)
{
	read_modrm(r);
	return r->insn.is_memory ? kind : INSN_UNKNOWN;
}

/* lgdt and its neighbours, 0f 01. */
static enum insn_kind read_system_table(struct reader *r)
{
	uint8_t c = 0;

	if (span_u8(r->bytes, r->at, &c) && c == 0xf9) {
		r->at++;
		return INSN_RDTSCP;
	}
	read_modrm(r);
	switch (r->insn.reg & 7) {
	case 2:
		return r->insn.is_memory ? INSN_LGDT : INSN_UNKNOWN;
	case 3:
		return r->insn.is_memory ? INSN_LIDT : INSN_UNKNOWN;
	case 6:
		return INSN_LMSW;
	case 7:
		return r->insn.is_memory ? INSN_INVLPG : INSN_UNKNOWN;
	default:
		return INSN_UNKNOWN;
	}
}

static enum insn_kind read_control(struct reader *r, enum insn_kind kind)
{
	read_modrm(r);
	/* Whatever mod says, rm is a register (SDM, MOV to and from control registers). */
	if (r->insn.is_memory)
		return INSN_UNKNOWN;
	r->insn.operand_len = r->is_64 ? 8 : 4;
	return kind;
}

/* Opcodes of two bytes. */
static enum insn_kind read_0f(struct reader *r)
{
	const uint8_t opcode = next_u8(r);

	switch (opcode) {
	case 0x00:
		read_modrm(r);
		return (r->insn.reg & 7) == 2 ? INSN_LLDT :
		       (r->insn.reg & 7) == 3 ? INSN_LTR : INSN_UNKNOWN;
	case 0x01:
		return read_system_table(r);
	case 0x06:
		return INSN_CLTS;
	case 0x08:
	case 0x09:
		return INSN_CACHE;
	case 0x20:
		return read_control(r, INSN_READ_CR);
	case 0x21:
		return read_control(r, INSN_READ_DR);
	case 0x22:
		return read_control(r, INSN_WRITE_CR);
	case 0x23:
		return read_control(r, INSN_WRITE_DR);
	case 0x30:
		return INSN_WRMSR;
	case 0x31:
		return INSN_RDTSC;
	case 0x32:
		return INSN_RDMSR;
	case 0xb6:
	case 0xb7:
	case 0xbe:
	case 0xbf:
		r->insn.source_len = opcode & 1 ? 2 : 1;
		return read_memory_form(r, opcode < 0xb8 ? INSN_LOAD_ZERO : INSN_LOAD_SIGN);
	default:
		return INSN_UNKNOWN;
	}
}

static enum insn_kind read_opcode(struct reader *r)
{
	const uint8_t opcode = next_u8(r);

	switch (opcode) {
	case 0x0f:
		return read_0f(r);
	case 0x88:
	case 0x89:
		set_width(r, opcode);
		return read_memory_form(r, INSN_STORE);
	case 0x8a:
	case 0x8b:
		set_width(r, opcode);
		return read_memory_form(r, INSN_LOAD);
	case 0x8c:
	case 0x8e:
		read_modrm(r);
		if (r->insn.is_memory || (r->insn.reg & 7) >= N_SEGMENTS)
			return INSN_UNKNOWN;
		r->insn.reg &= 7;
		return opcode == 0x8c ? INSN_READ_SEGMENT : INSN_WRITE_SEGMENT;
	case 0xa4:
	case 0xa5:
		set_width(r, opcode);
		return INSN_MOVE_STRING;
	case 0xaa:
	case 0xab:
		set_width(r, opcode);
		return INSN_STORE_STRING;
	case 0xc6:
	case 0xc7:
		return read_store_imm(r, opcode);
	case 0xcb:
		return INSN_FAR_RETURN;
	case 0xcd:
		r->insn.imm = next(r, 1);
		return INSN_INTERRUPT;
	case 0xcf:
		return INSN_INTERRUPT_RETURN;
	case 0xe4:
	case 0xe5:
	case 0xe6:
	case 0xe7:
	case 0xec:
	case 0xed:
	case 0xee:
	case 0xef:
		return read_port(r, opcode);
	case 0xea:
		return read_far_jump(r);
	case 0xf4:
		return INSN_HLT;
	case 0xfa:
		return INSN_CLI;
	case 0xfb:
		return INSN_STI;
	case 0xff:
		return read_memory_form(r, INSN_FAR_JUMP_MEMORY);
	default:
		return INSN_UNKNOWN;
	}
}

bool insn_decode(struct span bytes, bool is_64, struct insn *ret)
{
	struct reader r = {
		.bytes = span_of(bytes.data, min_size(bytes.len, INSN_LEN_MAX)),
		.is_64 = is_64,
	};

	read_prefixes(&r);
	r.insn.kind = read_opcode(&r);
	if (r.is_short)
		return false;
	/* Group 5: of its forms only /5 is a far jump; and 16-bit addresses nobody uses here. */
	if ((r.insn.kind == INSN_FAR_JUMP_MEMORY && (r.insn.reg & 7) != 5) ||
	    (!is_64 && r.has_other_address))
		r.insn.kind = INSN_UNKNOWN;
	r.insn.len = (uint8_t)r.at;
	*ret = r.insn.kind != INSN_UNKNOWN ? r.insn : (struct insn){ .kind = INSN_UNKNOWN };
	return true;
}

const char *insn_name(enum insn_kind kind)
{
	static const char *const names[N_INSN_KINDS] = {
		[INSN_UNKNOWN] = "unknown",
		[INSN_CLI] = "cli",
		[INSN_STI] = "sti",
		[INSN_HLT] = "hlt",
		[INSN_IN] = "in",
		[INSN_OUT] = "out",
		[INSN_FAR_RETURN] = "lret",
		[INSN_INTERRUPT_RETURN] = "iret",
		[INSN_FAR_JUMP] = "ljmp",
		[INSN_FAR_JUMP_MEMORY] = "ljmp from memory",
		[INSN_INTERRUPT] = "int",
		[INSN_READ_SEGMENT] = "mov from a segment register",
		[INSN_WRITE_SEGMENT] = "mov to a segment register",
		[INSN_LGDT] = "lgdt",
		[INSN_LIDT] = "lidt",
		[INSN_LLDT] = "lldt",
		[INSN_LTR] = "ltr",
		[INSN_LMSW] = "lmsw",
		[INSN_INVLPG] = "invlpg",
		[INSN_CLTS] = "clts",
		[INSN_CACHE] = "wbinvd",
		[INSN_READ_CR] = "mov from a control register",
		[INSN_WRITE_CR] = "mov to a control register",
		[INSN_READ_DR] = "mov from a debug register",
		[INSN_WRITE_DR] = "mov to a debug register",
		[INSN_RDMSR] = "rdmsr",
		[INSN_WRMSR] = "wrmsr",
		[INSN_RDTSC] = "rdtsc",
		[INSN_RDTSCP] = "rdtscp",
		[INSN_LOAD] = "mov from memory",
		[INSN_LOAD_ZERO] = "movzx",
		[INSN_LOAD_SIGN] = "movsx",
		[INSN_STORE] = "mov to memory",
		[INSN_STORE_IMM] = "mov of a constant to memory",
		[INSN_MOVE_STRING] = "movs",
		[INSN_STORE_STRING] = "stos",
	};

	return kind < N_INSN_KINDS ? names[kind] : names[INSN_UNKNOWN];
}
