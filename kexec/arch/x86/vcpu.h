/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CPU that a rehearsed kernel believes to run on, as a value: registers, control registers,
 * descriptor tables, page tables in the guest's memory. A process executes what it may; what it may
 * not is done here, as ring 0 would do it. Nothing has an effect but on the arguments.
 *
 * Sources: Intel SDM volume 2 (each instruction) and volume 3: "Paging", "Interrupt and exception
 * handling", "Initializing IA-32e mode", "Control registers".
 */
#ifndef KEXEC_NG_X86_VCPU_H
#define KEXEC_NG_X86_VCPU_H

#include "arch/x86/insn.h"
#include "arch/x86/ports.h"

enum vcpu_register {
	REG_AX, REG_CX, REG_DX, REG_BX, REG_SP, REG_BP, REG_SI, REG_DI,
	REG_8, REG_9, REG_10, REG_11, REG_12, REG_13, REG_14, REG_15, N_REGISTERS,
};

#define CR0_PE		(UINT64_C(1) << 0)
#define CR0_TS		(UINT64_C(1) << 3)
#define CR0_WP		(UINT64_C(1) << 16)
#define CR0_PG		(UINT64_C(1) << 31)
#define CR4_PAE		(UINT64_C(1) << 5)
#define CR4_LA57	(UINT64_C(1) << 12)
#define EFER_LME	(UINT64_C(1) << 8)
#define EFER_LMA	(UINT64_C(1) << 10)
#define EFER_NXE	(UINT64_C(1) << 11)
#define RFLAGS_DF	(UINT64_C(1) << 10)
#define RFLAGS_IF	(UINT64_C(1) << 9)

#define VECTOR_DE	0
#define VECTOR_BP	3
#define VECTOR_UD	6
#define VECTOR_GP	13
#define VECTOR_PF	14

/* All that the guest has for memory: physical address 0 is bytes[0]. */
struct guest_ram {
	uint8_t *bytes;
	uint64_t len;
};

struct vcpu_table {
	uint64_t base;
	uint16_t limit;		/* of no table: 0 */
};

struct vcpu {
	uint64_t r[N_REGISTERS];
	uint64_t rip, rflags;
	uint64_t cr0, cr2, cr3, cr4, efer;
	struct vcpu_table gdt, idt;
	uint16_t selectors[N_SEGMENTS];	/* last loaded by an instruction that came here */
	bool is_64;		/* 64-bit code; else 32-bit */
	bool is_identity;	/* the tables in use map everything to itself: until cr3 is written */
	uint64_t tsc;
	uint64_t n_ticks;	/* by which the next reading of it is later */
	/* After VCPU_EXCEPTION, and of the last exception that was delivered: */
	unsigned int vector;
	uint64_t error_code;
	uint64_t fault_rip;
	uint64_t n_exceptions;	/* delivered so far */
	/* After VCPU_STUCK: what was to be done, as a person reads it; after VCPU_WILD the address. */
	const char *stuck_at;
	phys_t wild;
	uint64_t counts[N_INSN_KINDS];
};

enum vcpu_outcome {
	VCPU_DONE,		/* rip is at the next instruction */
	VCPU_REMAP,		/* the same, and the CPU's TLB was flushed */
	VCPU_HALTED,
	VCPU_RESET,		/* ports->reset_by */
	VCPU_EXCEPTION,		/* to be raised: vector, error_code; cr2 is set; rip as it was */
	VCPU_STUCK,		/* this is not emulated */
	VCPU_WILD,		/* it would touch an address where the guest has no memory */
};

/* One page, or a part of a larger one. */
struct vcpu_page {
	phys_t phys;		/* of the address that was asked for */
	uint64_t virt;		/* where the page begins ... */
	uint64_t len;		/* ... and how long it is */
	bool is_writable;
	bool is_executable;
};

/* By the page tables in use; false if it is not mapped. */
must_check bool vcpu_translate(const struct vcpu *v, struct guest_ram ram, uint64_t addr,
			       struct vcpu_page *ret);
/* 4, 5, or 0 with paging off. */
unsigned int vcpu_paging_levels(const struct vcpu *v);
/* len bytes at a virtual address; false if a part of it is not mapped to memory. */
must_check bool vcpu_read(const struct vcpu *v, struct guest_ram ram, uint64_t addr, void *buf,
			  size_t len);
/* The same for writing; false too where a page is not writable (with CR0.WP). */
must_check bool vcpu_write(const struct vcpu *v, struct guest_ram ram, uint64_t addr,
			   const void *buf, size_t len);
/* The bytes at rip, up to INSN_LEN_MAX; the number of them. */
size_t vcpu_fetch(const struct vcpu *v, struct guest_ram ram, uint8_t ret[INSN_LEN_MAX]);

enum vcpu_outcome vcpu_execute(struct vcpu *v, struct guest_ram ram, struct ports *ports,
			       const struct insn *insn);
/* Enters the guest's handler. False if it has none that can be entered: then a real machine resets. */
must_check bool vcpu_raise(struct vcpu *v, struct guest_ram ram, unsigned int vector,
			   uint64_t error_code);

/* A present code or data segment of the guest's GDT; the base of that may be anywhere in long mode. */
must_check bool vcpu_read_descriptor(const struct vcpu *v, struct guest_ram ram, uint16_t selector,
				     uint64_t *ret);
/* The second part of every far transfer: code segment selector by the guest's GDT, then rip. */
enum vcpu_outcome vcpu_far_transfer(struct vcpu *v, struct guest_ram ram, uint16_t selector,
				    uint64_t rip);
/* To be returned by what raises an exception. */
enum vcpu_outcome vcpu_fault(struct vcpu *v, unsigned int vector, uint64_t error_code);
/* To be returned after vcpu_read() or vcpu_write() of addr said false. */
enum vcpu_outcome vcpu_memory_fault(struct vcpu *v, struct guest_ram ram, uint64_t addr, size_t len,
				    bool is_write);

/* As Linux leaves the CPU when it jumps to what kexec loaded (arch/x86/kernel/relocate_kernel_64.S
 * and _32.S). */
void vcpu_start(struct vcpu *v, phys_t entry, bool is_32bit_kernel, bool is_la57_on);

#endif
