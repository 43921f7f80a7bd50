// SPDX-License-Identifier: GPL-2.0-or-later
/* The setup header of arbitrary bytes: whatever is accepted lies inside the file. */
#include "arch/x86/bzimage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span file = span_of(data, len);
	struct arena arena = { 0 };
	struct bzimage b;
	struct diag diag;

	diag_init(&diag, &arena);
	if (bzimage_parse(file, &arena, &b, &diag) == 0) {
		if (b.kernel.data < data || b.kernel.len > (size_t)(data + len - b.kernel.data))
			__builtin_trap();
		if (b.has_payload && (b.payload.data < b.kernel.data || b.payload.len > b.kernel.len))
			__builtin_trap();
		if (bzimage_check_payload(&b, &diag) < 0 && !diag.id)
			__builtin_trap();
		if (b.header_end > b.setup_len || b.header_end > 0x290)
			__builtin_trap();
	} else if (!diag.id) {
		__builtin_trap();
	}
	arena_free(&arena);
	return 0;
}
