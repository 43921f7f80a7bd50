/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where purgatory talks: always into handoff.log; also to the serial port (ring 0 only) and the VGA
 * text buffer, when the handoff says so.
 */
#ifndef PURGATORY_CONSOLE_H
#define PURGATORY_CONSOLE_H

#include "base.h"

#pragma GCC visibility push(hidden)

/* Looks at the devices that handoff.flags names. Before it only the log is written. */
void console_start(void);
void say(const char *text);
/* At most max_len characters, for text that may lack its NUL. */
void say_bounded(const char *text, size_t max_len);
void say_number(uint64_t value);			/* decimal */
void say_hex(uint64_t value);				/* 0x1f */
void say_bytes(const uint8_t *bytes, size_t len);	/* 001f */
/* Waits, not for long, until the serial port has sent everything: whoever comes next resets it. */
void console_finish(void);

#pragma GCC visibility pop

#endif
