// SPDX-License-Identifier: GPL-2.0-or-later
#include "export.h"

#include <errno.h>

static const uint8_t zeros[PAGE_LEN];

int export_add(struct export_file *f, struct span piece, struct diag *diag)
{
	if (piece.len == 0)
		return 0;
	if (f->n == EXPORT_PIECES_MAX)
		return fail(diag, E2BIG, "export/too-many-pieces",
			    "the file would have more than %d pieces", EXPORT_PIECES_MAX);
	f->pieces[f->n++] = piece;
	f->len += piece.len;
	return 0;
}

int export_pad(struct export_file *f, uint64_t off, struct diag *diag)
{
	if (off < f->len || off - f->len > sizeof(zeros))
		return fail(diag, EINVAL, "export/padding",
			    "no padding leads from %llu to %llu", (unsigned long long)f->len,
			    (unsigned long long)off);
	return export_add(f, span_of(zeros, (size_t)(off - f->len)), diag);
}
