// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The IDT: built at run time because only then addresses are known, and the ones that are entered
 * with are empty or in memory that belongs to nobody in the plan.
 */
#include "console.h"
#include "purgatory.h"
#include "ring0.h"

#define VECTOR_NMI		2
#define VECTOR_BREAKPOINT	3
#define VECTOR_PAGE_FAULT	14
#define GATE_INTERRUPT		0x8e	/* present, ring 0, interrupt gate: 32 bits in a 32-bit IDT */

#define TSS_IST1		0x24	/* Intel SDM volume 3, figure 8-11 */
#define LINUX_HALF		0xff00000000000000	/* of virtual addresses */
#define GDT_BEFORE_TSS		(2 * PAGE_LEN)

/* Intel SDM volume 3, figures 6-8 and 6-2. */
struct gate64 {
	uint16_t offset_0;
	uint16_t selector;
	uint8_t stack;		/* IST: 0, the stack that is in use */
	uint8_t type;
	uint16_t offset_16;
	uint32_t offset_32;
	uint32_t reserved;
};

struct gate32 {
	uint16_t offset_0;
	uint16_t selector;
	uint8_t reserved;
	uint8_t type;
	uint16_t offset_16;
};

_Static_assert(sizeof(struct gate64) == 16, "a gate of long mode");
_Static_assert(sizeof(struct gate32) == 8, "a gate of protected mode");

static struct gate64 idt[N_VECTORS];
static struct gate32 idt32[VECTOR_NMI + 1];
/* leave32.S and paging.S load them; in 32-bit code lidt reads the lower half of base. */
struct table_register idtr __attribute__((visibility("hidden")));
struct table_register idtr32 __attribute__((visibility("hidden")));
static uint32_t n_traps;

/* SEL_CODE: also a 64-bit code segment in the GDT that Linux loads before its IDT. */
static inline struct gate64 gate_to(uintptr_t at, uint8_t stack)
{
	return (struct gate64){
		.offset_0 = (uint16_t)at,
		.selector = SEL_CODE,
		.stack = stack,
		.type = GATE_INTERRUPT,
		.offset_16 = (uint16_t)(at >> 16),
		.offset_32 = (uint32_t)(at >> 32),
	};
}

CORE void traps_start(void)
{
	/* Not what memory has there: that nobody verifies. */
	n_traps = 0;
	handoff.n_nmis = 0;
	for (uint32_t i = 0; i < N_VECTORS; i++) {
		const uintptr_t at = (uintptr_t)(i == VECTOR_NMI ? nmi_stub :
								   trap_stubs + i * TRAP_STUB_LEN);

		idt[i] = gate_to(at, 0);
	}
	idtr.limit = sizeof(idt) - 1;
	idtr.base = (uintptr_t)idt;
	load_idt(idt, sizeof(idt));
}

/*
 * Linux (6.1, for one) empties the GDTR at the jump, and when it is back loads segments before it has a
 * GDT again. So it has to be given its own, whose address is nowhere. But the task register still is
 * what it was, and a gate with an IST makes the CPU read the TSS: that is a page fault, as only Linux
 * has it mapped, and CR2 says where. The GDT is two pages in front of it (struct cpu_entry_area,
 * arch/x86/include/asm/cpu_entry_area.h; since 4.15).
 */
uint64_t traps_find_host_gdt(void)
{
	const struct gate64 breakpoint = idt[VECTOR_BREAKPOINT], fault = idt[VECTOR_PAGE_FAULT];
	uint64_t found;

	idt[VECTOR_BREAKPOINT] = gate_to((uintptr_t)probe_tss_hit, 1);
	idt[VECTOR_PAGE_FAULT] = gate_to((uintptr_t)probe_tss_fault, 0);
	found = probe_tss();
	idt[VECTOR_BREAKPOINT] = breakpoint;
	idt[VECTOR_PAGE_FAULT] = fault;
	if (found < LINUX_HALF || found % PAGE_LEN != TSS_IST1)
		return 0;
	return found - TSS_IST1 - GDT_BEFORE_TSS;
}

void traps_prepare_32bit(void)
{
	/* In the GDT of leave32.S SEL_CODE is a 32-bit segment, which no gate of long mode may name. */
	for (uint32_t i = 0; i < N_VECTORS; i++)
		idt[i].selector = SEL_CODE64;
	/* ... and is also 32-bit code in the GDT that an i386 kernel loads before its IDT. */
	traps_prepare_unpaged(SEL_CODE);
}

void traps_prepare_unpaged(uint16_t code32)
{
	const uintptr_t at = (uintptr_t)nmi_stub32;

	idt32[VECTOR_NMI] = (struct gate32){
		.offset_0 = (uint16_t)at,
		.selector = code32,
		.type = GATE_INTERRUPT,
		.offset_16 = (uint16_t)(at >> 16),
	};
	idtr32.limit = sizeof(idt32) - 1;
	idtr32.base = (uintptr_t)idt32;
}

void trap_report(uint32_t vector, uint64_t error_code, uint64_t rip, uint64_t cr2)
{
	/* The report itself may trap: then once more without what it may have touched, then never; what
	 * it is made by may be what is damaged. */
	n_traps++;
	if (n_traps == 1) {
		handoff.vector = vector;
		handoff.error_code = error_code;
		handoff.rip = rip;
		handoff.cr2 = cr2;
	} else if (n_traps == 2) {
		handoff.flags &= ~(uint32_t)HANDOFF_VGA;
	} else if (n_traps == 3) {
		end_without_report();
	} else {
		triple_fault();
	}

	say("\nkexec: exception ");
	say_number(vector);
	say(" at ");
	say_hex(rip);
	if (rip - (uintptr_t)image_start < (uintptr_t)image_end - (uintptr_t)image_start) {
		say(" (purgatory+");
		say_hex(rip - (uintptr_t)image_start);
		say(")");
	}
	say(", error code ");
	say_hex(error_code);
	say(", CR2 ");
	say_hex(cr2);
	say("\n");
	failure_end(VERDICT_EXCEPTION);
}
