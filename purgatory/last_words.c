// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How a failure ends whose report cannot be trusted: in as little code as that takes, which shares none
 * with the report.
 */
#include "purgatory.h"
#include "ring0.h"

#define UART_LSR		5	/* as in console.c, which may be what failed */
#define LSR_CAN_WRITE		0x20
#define UART_POLLS		10000

#define VGA_LAST_ROW		(24 * 80)
#define VGA_LIGHT_GREY		0x0700

static const char words[] = "kexec: segment purgatory is damaged, and so is its report";

static void put_serial(char c)
{
	for (uint32_t i = 0; i < UART_POLLS; i++)
		if (inb((uint16_t)(handoff.serial_port + UART_LSR)) & LSR_CAN_WRITE)
			break;
	outb(handoff.serial_port, (uint8_t)c);
}

static void say_last_words(void)
{
	volatile uint16_t *cell = (volatile uint16_t *)(uintptr_t)handoff.vga_text + VGA_LAST_ROW;

	if (handoff.flags & HANDOFF_SERIAL) {
		put_serial('\r');
		put_serial('\n');
	}
	for (const char *c = words; *c; c++) {
		if (handoff.flags & HANDOFF_SERIAL)
			put_serial(*c);
		if (handoff.flags & HANDOFF_VGA)
			*cell++ = (uint16_t)(VGA_LIGHT_GREY | (uint8_t)*c);
	}
	if (handoff.flags & HANDOFF_SERIAL) {
		put_serial('\r');
		put_serial('\n');
	}
}

void end_without_report(void)
{
	handoff.verdict = VERDICT_MISMATCH;
	handoff.bad_region = HANDOFF_SELF;
	if (!is_ring0())
		leave_to_process();
	say_last_words();
	while (handoff.flags & HANDOFF_HALT)
		halt();
	wait_ms(handoff.fail_delay_ms, handoff.tsc_khz);
	triple_fault();
}
