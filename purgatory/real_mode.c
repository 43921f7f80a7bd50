// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What real mode needs besides being entered. The image's setup code enables interrupts at once and
 * calls the BIOS, which expects interrupt controllers and timer as it left them; Linux had them for
 * itself (arch/x86/kernel/i8259.c moves the vectors to 0x30 and masks all, i8253.c stops the timer).
 */
#include "console.h"
#include "purgatory.h"
#include "ring0.h"

/* The descriptors, Intel SDM volume 3, "Segment Descriptors". */
#define FLAT_CODE64		0x00af9b000000ffffULL
#define FLAT_CODE32		0x00cf9b000000ffffULL
#define FLAT_DATA		0x00cf93000000ffffULL
#define CODE_64KIB		0x00009b000000ffffULL	/* 16-bit code; the base is to be added */
#define DATA_64KIB		0x000093000000ffffULL
#define BASE_SHIFT		16			/* bits 0 to 23 of the base, which are all */

/* Intel 8259A, two of them as in every PC. */
#define PIC1			0x20
#define PIC2			0xa0
#define PIC_ICW1		0x11	/* edge triggered, cascaded, four words */
#define PIC_ICW4		0x01	/* 8086 mode */
#define PIC1_VECTOR		0x08	/* where a BIOS has IRQ 0 ... */
#define PIC2_VECTOR		0x70	/* ... and IRQ 8 */
#define PIC_CASCADE		2
#define PIC1_MASK		0xf8	/* timer, keyboard and cascade may interrupt */
#define PIC2_MASK		0xff

/* Intel 8254. */
#define PIT_CHANNEL0		0x40
#define PIT_CONTROL		0x43
#define PIT_RATE		0x34	/* channel 0, both bytes, mode 2, binary */

#define LONGEST_DELAY_PORT	0x80	/* a write there takes about 1 us on any PC */

#define VECTORS_END		0x400	/* of the interrupt vectors, four bytes each from 0 on */
#define LOW_MEMORY_END		(MIB + 64 * KIB)

/* leave16.S loads it. */
struct table_register gdtr16 __attribute__((visibility("hidden")));
static uint64_t gdt16[6];

/* The compiler takes what is at 0 for a null pointer. */
static const volatile uint8_t *at_phys(uint64_t addr)
{
	__asm__("" : "+r"(addr));
	return (const volatile uint8_t *)(uintptr_t)addr;
}

static uint32_t vector_target(uint32_t vector)
{
	const volatile uint8_t *p = at_phys(vector * 4);
	const uint32_t offset = (uint32_t)(p[0] | p[1] << 8), segment = (uint32_t)(p[2] | p[3] << 8);

	return segment * 16 + offset;
}

/* Is it anything but the bytes of memory that is empty, or of none? */
static bool is_code(uint32_t addr)
{
	const volatile uint8_t *p = at_phys(addr);
	const uint32_t word = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
			      (uint32_t)p[3] << 24;

	return word != 0 && word != UINT32_MAX;
}

void real_mode_check_bios(void)
{
	/* Display, memory, keyboard: each is called by every setup code. */
	static const uint8_t vectors[] = { 0x10, 0x15, 0x16 };

	for (uint32_t i = 0; i < array_len(vectors); i++) {
		const uint32_t target = vector_target(vectors[i]);

		if (target >= VECTORS_END && target + 4 <= LOW_MEMORY_END && is_code(target) &&
		    target - handoff.arg >= HANDOFF_REAL_LEN)
			continue;
		say("kexec: no BIOS for the real mode entry: interrupt ");
		say_hex(vectors[i]);
		say(" leads to ");
		say_hex(target);
		say("\n");
		failure_end(VERDICT_NO_BIOS);
	}
}

/* An old 8259 needs time between two writes. */
static void out_slowly(uint16_t port, uint8_t value)
{
	outb(port, value);
	outb(LONGEST_DELAY_PORT, 0);
}

static void reset_pic(uint16_t port, uint8_t vector, uint8_t cascade, uint8_t mask)
{
	const uint16_t data = (uint16_t)(port + 1);

	out_slowly(port, PIC_ICW1);
	out_slowly(data, vector);
	out_slowly(data, cascade);
	out_slowly(data, PIC_ICW4);
	out_slowly(data, mask);
}

static void reset_timer(void)
{
	out_slowly(PIT_CONTROL, PIT_RATE);
	out_slowly(PIT_CHANNEL0, 0);	/* 65536: 18.2 Hz */
	out_slowly(PIT_CHANNEL0, 0);
}

static void put16(uint8_t *p, uint64_t value)
{
	p[0] = (uint8_t)value;
	p[1] = (uint8_t)(value >> 8);
}

static void place_trampoline(void)
{
	uint8_t *p = (uint8_t *)(uintptr_t)handoff.arg + HANDOFF_TRAMPOLINE;

	__builtin_memcpy(p, trampoline, (size_t)(trampoline_end - trampoline));
	put16(p + TRAMPOLINE_TO_REAL + 2, handoff.arg / 16);
	put16(p + TRAMPOLINE_TO_KERNEL, 0);
	put16(p + TRAMPOLINE_TO_KERNEL + 2, handoff.entry / 16);
}

void real_mode_prepare(void)
{
	gdt16[SEL_CODE64 / 8] = FLAT_CODE64;
	gdt16[SEL_CODE / 8] = FLAT_CODE32;
	gdt16[SEL_DATA / 8] = FLAT_DATA;
	gdt16[SEL_CODE16 / 8] = CODE_64KIB | handoff.arg << BASE_SHIFT;
	gdt16[SEL_DATA16 / 8] = DATA_64KIB | handoff.arg << BASE_SHIFT;
	gdtr16.limit = sizeof(gdt16) - 1;
	gdtr16.base = (uintptr_t)gdt16;
	place_trampoline();
	reset_pic(PIC1, PIC1_VECTOR, 1 << PIC_CASCADE, PIC1_MASK);
	reset_pic(PIC2, PIC2_VECTOR, PIC_CASCADE, PIC2_MASK);
	reset_timer();
}
