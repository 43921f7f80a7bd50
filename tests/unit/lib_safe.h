/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What makes a finished plan safe to load, said once more and by other means than plan_check() does it.
 * Fuzz targets call these with whatever came out as a plan; what is wrong ends the program.
 */
#ifndef KEXEC_NG_LIB_SAFE_H
#define KEXEC_NG_LIB_SAFE_H

#include "facts.h"
#include "image.h"
#include "plan.h"

/*
 * Segments: page aligned, disjoint, in RAM, in the limits, at most half of what the machine has;
 * entries and arguments lie in them. What purgatory will verify is every segment but itself, from its
 * first byte to its last, with the digests that these bytes have (of a long one: its first chunks and
 * its last); its own checksums are right.
 */
void require_safe_plan(struct plan *plan, const struct request *req, const struct facts *facts);
/*
 * For a Linux kernel by the boot protocol: every pointer in its zero page (command line, initrd,
 * EFI memory map, each node of setup_data) leads into a segment, with as many bytes as it claims.
 */
void require_safe_pointers(struct plan *plan, const struct request *req);

/* Looks into a file as --inspect does: a failure has its reasons, and what is said of places is inside
 * the file. */
void require_safe_inspection(struct span file);

/* SHA-256 of all that the kernel and the next one would see. */
void hash_plan(const struct plan *plan, uint8_t ret[SHA256_LEN]);

/* Is [addr, addr + len) inside of one segment's bytes and the zeros behind them? */
bool is_in_a_segment(const struct plan *plan, phys_t addr, uint64_t len);

#endif
