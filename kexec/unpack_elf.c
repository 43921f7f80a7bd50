// SPDX-License-Identifier: GPL-2.0-or-later
/* A kernel that nobody packed: its bytes are the output. */
#include <string.h>

#include "unpack_codec.h"

static int decode(struct span in, struct unpack_out *out, size_t *ret_consumed, struct diag *diag)
{
	uint8_t *next;
	size_t room;
	int r;

	if (in.len > out->max)
		return unpack_fail_overflow(out, diag);
	r = unpack_out_room(out, in.len, &next, &room, diag);
	if (r < 0)
		return r;
	if (in.len > 0)
		memcpy(next, in.data, in.len);
	*ret_consumed = in.len;
	return unpack_out_wrote(out, in.len, diag);
}

const struct codec unpack_elf = {
	.name = "elf",
	.magic = "\x7f" "ELF",
	.magic_len = 4,
	.is_built = true,
	.library = "",
	.package = "",
	.decode = decode,
};
