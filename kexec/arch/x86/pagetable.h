/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Identity page tables of x86-64, for 4- and for 5-level paging at once, in two steps: how long
 * they are, then their bytes for a given physical address.
 *
 * Pages are 2 MiB long, and 1 GiB where the CPU has them and a range covers a whole aligned GiB;
 * present, writable, executable, supervisor, write-back by the type that PAT keeps at index 0.
 */
#ifndef KEXEC_NG_PAGETABLE_H
#define KEXEC_NG_PAGETABLE_H

#include "diag.h"
#include "range.h"

/* Where virtual addresses of 4-level paging turn negative: nothing from here on can be mapped. */
#define PAGETABLE_END	(128 * TIB)

struct pagetable_roots {
	phys_t level4;		/* for CR3 while CR4.LA57 is clear */
	phys_t level5;		/* and while it is set */
};

/* Makes any list the normal list of what will be mapped for it: every range grown to 2 MiB, cut at
 * PAGETABLE_END. False if something was cut. */
bool pagetable_round(struct range_list *ranges);
/* Bytes, whole pages, for a list that pagetable_round() has seen. Adding a range that lies inside
 * the list changes neither the list nor the length. */
uint64_t pagetable_len(const struct range_list *ranges, bool has_1gib_pages);
/* Writes pagetable_len() bytes to buf, which will be at the physical address at, a multiple of 4 KiB.
 * "pagetable/no-room" if that is more than len. */
must_check int pagetable_build(const struct range_list *ranges, bool has_1gib_pages, uint8_t *buf,
			       size_t len, phys_t at, struct pagetable_roots *ret,
			       struct diag *diag);

#endif
