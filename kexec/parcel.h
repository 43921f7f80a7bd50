/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values on their way between two processes that do not trust each other, as a row of bytes. One
 * function for each kind of value both packs and unpacks it, so that both sides agree on the order.
 *
 * What is unpacked is hostile: every number is bounded, every text is copied and ends, every span
 * lies in memory that was named before. The first thing that is wrong is kept, and everything after
 * it comes out as zeros; what was unpacked counts only if nothing was wrong at the end.
 */
#ifndef KEXEC_NG_PARCEL_H
#define KEXEC_NG_PARCEL_H

#include "arena.h"
#include "span.h"

struct parcel {
	bool is_packing;
	uint8_t *out;			/* packing: NULL only measures */
	struct span in;			/* unpacking */
	size_t off;			/* so far, of either */
	struct arena *arena;		/* where copies go */
	/* What spans may point into; what points elsewhere is packed as a copy. */
	const struct span *memory;
	size_t n_memory;
	const char *wrong;		/* NULL: nothing yet */
};

/* Everything was unpacked and nothing is left over? */
bool parcel_is_done(const struct parcel *p);
/* Says that something is wrong, unless something was before. */
void parcel_fail(struct parcel *p, const char *wrong);

void parcel_bytes(struct parcel *p, void *bytes, size_t len);
void parcel_u64(struct parcel *p, uint64_t *v);
void parcel_u32(struct parcel *p, uint32_t *v);
void parcel_bool(struct parcel *p, bool *v);
/* A number below n: v itself, or what was unpacked. */
unsigned int parcel_choice(struct parcel *p, unsigned int v, unsigned int n);
/* One that is at most max. */
size_t parcel_count(struct parcel *p, size_t v, size_t max);

enum parcel_text {
	TEXT_ANY,		/* what came from a file; who prints it must clean it */
	TEXT_PRINTABLE,		/* ASCII without control characters */
	TEXT_ID,		/* "bzimage/no-payload" */
};
/* Any of them may be NULL. */
void parcel_text(struct parcel *p, const char **text, enum parcel_text kind);
/* A NUL terminated one of its own. */
void parcel_array(struct parcel *p, char *text, size_t len, enum parcel_text kind);
void parcel_span(struct parcel *p, struct span *s);

#endif
