// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is said when purgatory itself is damaged. With console.c and failure.c, and nothing else that
 * these call, it is one piece of the image (purgatory.lds), so that it can be known to be intact where
 * other code is not.
 */
#include "report.h"

#include "console.h"
#include "crc32c.h"
#include "purgatory.h"

#define FALLBACK_PORT		0x3f8	/* COM1 */
#define FALLBACK_DELAY_MS	5000

void distrust_handoff(void)
{
	handoff.flags = HANDOFF_SERIAL;
	handoff.serial_port = FALLBACK_PORT;
	handoff.serial_divisor = 0;
	handoff.fail_delay_ms = FALLBACK_DELAY_MS;
	handoff.tsc_khz = 0;
	handoff.log_len = 0;
}

void say_damaged(const char *name, uint64_t start, uint64_t len)
{
	say("kexec: segment ");
	say_bounded(name, HANDOFF_NAME_LEN);
	say(" is damaged: at ");
	say_hex(start);
	say(", length ");
	say_hex(len);
	say("\nkexec: ");
}

void say_crc(const uint8_t *digest)
{
	for (uint32_t i = CRC32C_LEN; i > 0; i--)
		say_bytes(digest + i - 1, 1);
}

/* The part of purgatory from start on is not what it was. */
static _Noreturn void report(const char *what, const void *start, uint32_t expected, uint32_t found)
{
	handoff.bad_region = HANDOFF_SELF;
	handoff.bad_off = (uint64_t)((const uint8_t *)start - image_start);
	console_start();
	say_damaged("purgatory", (uintptr_t)image_start, (uint64_t)(image_end - image_start));
	say(what);
	say(": CRC32C expected ");
	say_crc((const uint8_t *)&expected);
	say(", found ");
	say_crc((const uint8_t *)&found);
	say("\n");
	failure_end(VERDICT_MISMATCH);
}

void report_handoff(uint32_t found)
{
	handoff.bad_region = HANDOFF_SELF;
	distrust_handoff();
	report("its handoff", &handoff, handoff.crc, found);
}

void report_image(uint32_t found)
{
	report("its code", image_start, handoff.image_crc, found);
}

void report_tables(uint32_t found)
{
	report("its tables", image_end, handoff.tables_crc, found);
}
