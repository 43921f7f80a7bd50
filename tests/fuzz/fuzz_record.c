// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as a record of a load. */
#include <stdlib.h>
#include <string.h>

#include "record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct arena a = { 0 };
	struct record r;
	struct diag diag;

	diag_init(&diag, &a);
	if (record_parse(span_of(data, len), &a, &r, &diag) == 0) {
		if (r.n_files > RECORD_FILES_MAX || r.n_segments > RECORD_SEGMENTS_MAX ||
		    strlen(r.cmdline) > RECORD_TEXT_MAX || !r.loader || !r.call || !r.release)
			abort();
		for (size_t i = 0; i < r.n_files; i++)
			record_compare(&(struct record_file){ .path = "", .role = r.files[i].role });
	} else if (!diag.id) {
		abort();
	}
	arena_free(&a);
	return 0;
}
