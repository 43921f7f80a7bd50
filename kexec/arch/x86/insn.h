/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads one instruction of those that a kernel's first code executes and a process may not: the
 * privileged ones, and the plain moves that touch the memory below 64 KiB, which no process can map.
 * Anything else is INSN_UNKNOWN: what is not in this list runs on the CPU itself.
 *
 * Source: Intel SDM volume 2, "Instruction Format" and appendix A (opcode map).
 */
#ifndef KEXEC_NG_X86_INSN_H
#define KEXEC_NG_X86_INSN_H

#include "span.h"

#define INSN_LEN_MAX	15

enum insn_kind {
	INSN_UNKNOWN,
	INSN_CLI,
	INSN_STI,
	INSN_HLT,
	INSN_IN,
	INSN_OUT,
	INSN_FAR_RETURN,	/* lret */
	INSN_INTERRUPT_RETURN,	/* iret */
	INSN_FAR_JUMP,		/* to imm_selector:imm */
	INSN_FAR_JUMP_MEMORY,
	INSN_INTERRUPT,		/* int imm */
	INSN_READ_SEGMENT,	/* mov from segment register reg */
	INSN_WRITE_SEGMENT,
	INSN_LGDT,
	INSN_LIDT,
	INSN_LLDT,
	INSN_LTR,
	INSN_LMSW,
	INSN_INVLPG,
	INSN_CLTS,
	INSN_CACHE,		/* invd, wbinvd */
	INSN_READ_CR,		/* to rm from control register reg */
	INSN_WRITE_CR,
	INSN_READ_DR,
	INSN_WRITE_DR,
	INSN_RDMSR,
	INSN_WRMSR,
	INSN_RDTSC,
	INSN_RDTSCP,
	/* What reads and writes memory: between rm and reg, or rm and imm. */
	INSN_LOAD,		/* reg = rm */
	INSN_LOAD_ZERO,		/* movzx: source_len bytes */
	INSN_LOAD_SIGN,		/* movsx */
	INSN_STORE,		/* rm = reg */
	INSN_STORE_IMM,		/* rm = imm */
	INSN_MOVE_STRING,	/* movs */
	INSN_STORE_STRING,	/* stos */
	N_INSN_KINDS,
};

enum insn_segment {
	SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, N_SEGMENTS,
};

#define INSN_NO_REG	0xff

struct insn {
	enum insn_kind kind;
	uint8_t len;		/* of it all, in bytes */
	uint8_t operand_len;	/* 1, 2, 4, 8 */
	uint8_t source_len;	/* of INSN_LOAD_ZERO and _SIGN */
	bool is_repeated;
	bool has_rex;		/* byte registers 4 to 7 are the low halves then */
	uint8_t reg;
	uint8_t rm;		/* a register, if !is_memory */
	bool is_memory;
	bool is_rip_relative;
	uint8_t base, index, scale;	/* INSN_NO_REG: none; scale is a shift */
	uint8_t segment;	/* by prefix; N_SEGMENTS: none */
	uint8_t address_len;	/* 4 or 8 */
	int32_t displacement;
	uint64_t imm;		/* sign extended where the CPU does that */
	uint16_t imm_selector;
};

/*
 * bytes begins with an instruction of 64-bit code or, if !is_64, of 32-bit code. False if it is cut
 * off. Kind INSN_UNKNOWN has no other field set.
 */
must_check bool insn_decode(struct span bytes, bool is_64, struct insn *ret);
/* As it is written: "mov to cr3". */
const char *insn_name(enum insn_kind kind);

#endif
