/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The I/O ports of the machine that a rehearsal shows: UARTs that are always ready and keep what was
 * sent, and the two ways to reset a PC. The rest reads as an empty bus, as far as a kernel's first
 * code cares.
 */
#ifndef KEXEC_NG_X86_PORTS_H
#define KEXEC_NG_X86_PORTS_H

#include "base.h"

#define PORTS_UARTS	5
#define PORTS_TEXT_LEN	(64 * KIB)	/* kept of what was sent; the rest is counted */

struct ports_uart {
	uint16_t port;		/* its first; 0: none */
	uint8_t lcr, ier, mcr, scratch, divisor[2];
};

struct ports {
	struct ports_uart uarts[PORTS_UARTS];
	char *text;		/* what was sent on any of them, PORTS_TEXT_LEN bytes */
	size_t text_len;
	uint64_t n_lost;
	const char *reset_by;	/* "the keyboard controller"; NULL: nothing reset the machine */
	uint16_t pit;
	uint64_t n_accesses;
};

/* The four of a PC, and one more at serial_port (0: none). text has room for PORTS_TEXT_LEN. */
void ports_start(struct ports *p, char *text, uint16_t serial_port);
/* len is 1, 2 or 4. */
uint32_t ports_in(struct ports *p, uint16_t port, size_t len);
void ports_out(struct ports *p, uint16_t port, size_t len, uint32_t value);

#endif
