// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How a failure ends: never in silence, and never in a spin that only a power button ends, unless
 * the user asked for a halt.
 */
#include "console.h"
#include "purgatory.h"
#include "ring0.h"

#define KBC_STATUS		0x64	/* 8042 keyboard controller */
#define KBC_INPUT_FULL		0x02
#define KBC_COMMAND		0x64
#define KBC_PULSE_RESET		0xfe
#define KBC_POLLS		10000	/* about 10 ms of port reads */

#define RESET_CONTROL		0xcf9	/* PCI chip sets: bit 1 selects a hard reset, bit 2 starts it */
#define RESET_HARD		0x02
#define RESET_START		0x04

#define RESET_TAKES_MS		50	/* before the next way is tried */

static _Noreturn void reset(void)
{
	for (uint32_t i = 0; i < KBC_POLLS && (inb(KBC_STATUS) & KBC_INPUT_FULL); i++)
		__builtin_ia32_pause();
	outb(KBC_COMMAND, KBC_PULSE_RESET);
	wait_ms(RESET_TAKES_MS, handoff.tsc_khz);

	outb(RESET_CONTROL, RESET_HARD);
	outb(RESET_CONTROL, RESET_HARD | RESET_START);
	wait_ms(RESET_TAKES_MS, handoff.tsc_khz);

	triple_fault();
}

static void say_when(void)
{
	say("kexec: resetting in ");
	if (handoff.tsc_khz == 0)
		say("at least ");
	if (handoff.fail_delay_ms % 1000 == 0) {
		say_number(handoff.fail_delay_ms / 1000);
		say(" s\n");
	} else {
		say_number(handoff.fail_delay_ms);
		say(" ms\n");
	}
}

void failure_end(enum handoff_verdict verdict)
{
	handoff.verdict = verdict;
	if (!is_ring0())
		leave_to_process();

	if (handoff.flags & HANDOFF_HALT) {
		say("kexec: halted\n");
		console_finish();
		for (;;)
			halt();
	}
	say_when();
	console_finish();
	wait_ms(handoff.fail_delay_ms, handoff.tsc_khz);
	reset();
}
