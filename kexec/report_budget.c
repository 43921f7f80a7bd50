// SPDX-License-Identifier: GPL-2.0-or-later
#include "report.h"

static const char *moment(const struct budget_item *item)
{
	if (item->is_at_boot && item->is_at_dump)
		return "";
	return item->is_at_boot ? "  until it is unpacked" : "  while the dump is written";
}

void report_budget(FILE *out, const struct budget *b)
{
	char needed[SIZE_TEXT_LEN], reserved[SIZE_TEXT_LEN], recommended[SIZE_TEXT_LEN];

	fprintf(out, "%-11s about %s of %s: %s; crashkernel=%uM would do\n", "budget",
		report_size(b->needed_len, needed), report_size(b->reserved_len, reserved),
		b->is_over ? "DOES NOT FIT" : "fits", (unsigned int)(b->recommended_len / MIB));
	for (size_t i = 0; i < b->n_items; i++) {
		const struct budget_item *item = &b->items[i];

		fprintf(out, "%11s %-22s %s%10s%s\n", "", item->name, item->is_estimate ? "~" : " ",
			report_size(item->len, recommended), moment(item));
	}
}
