// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as what a loader left in setup_data, and as records of the kernel's log. */
#include <stdlib.h>
#include <string.h>

#include "kmsg.h"
#include "last.h"
#include "tsc.h"

static void read_log(const uint8_t *data, size_t len)
{
	struct tsc_log log = { 0 };
	struct kmsg_record r;

	if (kmsg_parse(span_of(data, len), &r))
		tsc_scan_log(r.text, r.us, &log);
	tsc_scan_log(span_of(data, len), 0, &log);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint64_t magic = BOOT_NOTE_MAGIC;
	struct setup_node node = { .type = 0 };
	struct tsc_clock clock = { .start_source = "fuzz", .init_source = "fuzz" };
	struct facts *facts = calloc(1, sizeof(*facts));
	uint8_t *copy = malloc(len + 1);
	struct last last;

	if (!copy || !facts)
		abort();
	memcpy(copy, data, len);
	if (len > 8 && data[len - 1] & 1)
		memcpy(copy, &magic, sizeof(magic));
	if (len >= 40) {
		memcpy(&clock.khz, data + len - 8, 4);
		memcpy(&clock.start, data + len - 16, 8);
		clock.has_start = true;
		clock.start_error_us = data[len - 17];
	}
	node.data = span_of(copy, len);
	facts->setup = &node;
	facts->n_setup = 1;
	last_compute(facts, &clock, &last);
	if (last.kind == LAST_NOTED)
		for (int i = 0; i < N_LAST_STEPS; i++)
			if (last.steps[i].state == LAST_STEP_UNKNOWN && !last.steps[i].why)
				abort();
	read_log(copy, len);
	free(copy);
	free(facts);
	return 0;
}
