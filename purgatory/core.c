// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The check core: with the beginning of entry.S and traps_start() all that runs before the image has
 * been looked at, and so all in which damage can do more than be found. It is as little as can be: a
 * CRC bit by bit, and nothing is called on the way but what ends it. verify.c looks once more, with
 * other code, which is verified by then: it sees damage here that has let us come so far.
 */
#include "purgatory.h"
#include "report.h"
#include "ring0.h"

#define POLYNOMIAL	0x82f63b78U	/* as in crc32c.c */

CORE static uint32_t core_crc(const void *data, size_t len)
{
	const uint8_t *p = (const uint8_t *)data;
	uint32_t crc = UINT32_MAX;

	while (len-- > 0) {
		crc ^= *p++;
		for (int n_bits = 8; n_bits > 0; n_bits--) {
			crc = crc >> 1 ^ (POLYNOMIAL & -(crc & 1));
			/* Or compilers unroll it. */
			__asm__("" : "+r"(n_bits));
		}
	}
	return ~crc;
}

CORE void purgatory_main(void)
{
	const uint64_t entered = read_tsc();
	uint32_t found;

	if (is_ring0())
		traps_start();
	if (handoff.magic != HANDOFF_MAGIC || handoff.len != sizeof(handoff))
		refuse_handoff();
	found = core_crc(&handoff, offsetof(struct handoff, crc));
	if (found != handoff.crc)
		report_handoff(found);
	found = core_crc(image_start, (size_t)(image_file_end - image_start));
	if (found != handoff.image_crc) {
		/* The handoff is right, so this tells whether there can be a report. */
		if (core_crc(report_start, (size_t)(report_end - report_start)) !=
		    handoff.report_crc)
			end_without_report();
		report_image(found);
	}
	purgatory_go_on(entered);
}
