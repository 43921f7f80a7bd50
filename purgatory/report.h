/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reports of damage. They compute nothing that they report: what would do that may be what is damaged.
 */
#ifndef PURGATORY_REPORT_H
#define PURGATORY_REPORT_H

#include "base.h"

#pragma GCC visibility push(hidden)

/* Nothing in a handoff that we do not understand can be used, not even to complain. From here on it has
 * only what a report needs. */
void distrust_handoff(void);

/* What of purgatory has not the CRC-32C that it should have, and which it has. */
_Noreturn void report_handoff(uint32_t found);
_Noreturn void report_image(uint32_t found);
_Noreturn void report_tables(uint32_t found);

/* The line, and the beginning of the next one. */
void say_damaged(const char *name, uint64_t start, uint64_t len);
void say_crc(const uint8_t *digest);	/* CRC32C_LEN bytes, little endian */

#pragma GCC visibility pop

#endif
