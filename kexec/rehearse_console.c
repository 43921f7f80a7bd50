// SPDX-License-Identifier: GPL-2.0-or-later
#include "rehearse_console.h"

#include <string.h>

#define PURGATORY	"kexec: "
#define ESCAPE		0x1b

static void keep(char *to, const char *line)
{
	const size_t len = strnlen(line, CONSOLE_LINE_LEN - 1);

	memcpy(to, line, len);
	to[len] = '\0';
}

/* Without the time that the kernel puts in front. */
static const char *after_time(const char *line)
{
	const char *end;

	if (line[0] != '[')
		return line;
	end = strchr(line, ']');
	return end && end[1] == ' ' ? end + 2 : line;
}

static void note_trouble(struct console *c, const char *line)
{
	if (c->trouble[0] == '\0')
		keep(c->trouble, line);
}

static void note_panic(struct console *c, const char *line)
{
	if (strstr(line, "deadlocked on memory") || strstr(line, "Out of memory") ||
	    strstr(line, "out of memory") || strstr(line, "annot allocate") ||
	    strstr(line, "an not allocate") || strstr(line, "Failed to allocate"))
		c->end = CONSOLE_NO_MEMORY;
	else if (strstr(line, "Unable to mount root fs") && !c->has_init)
		c->end = CONSOLE_NO_ROOT;
	else
		c->end = CONSOLE_PANIC;
	/* The panic is what counts, unless a bad initrd led to it. */
	if (!c->has_bad_initrd)
		keep(c->trouble, line);
}

static void read_purgatory(struct console *c, const char *line)
{
	const bool was_intact = c->is_intact;

	c->has_purgatory = true;
	if (strstr(line, " is damaged") || strstr(line, "handoff is unusable") ||
	    strstr(line, "no BIOS for")) {
		c->is_damaged = true;
		note_trouble(c, line);
	}
	if (strstr(line, "exception ")) {
		c->end = CONSOLE_EXCEPTION;
		note_trouble(c, line);
	}
	if (strstr(line, "starting kernel") || strstr(line, "starting program"))
		c->is_intact = true;
	/* What comes after its last word is the kernel's affair: that jumped into the void. */
	if (!was_intact)
		keep(c->purgatory, line);
}

static void read_kernel(struct console *c, const char *line)
{
	if (strncmp(line, "Linux version ", 14) == 0) {
		c->has_kernel = true;
		keep(c->version, line);
	} else if (strncmp(line, "Run ", 4) == 0 && strstr(line, " as init process")) {
		c->has_init = true;
		keep(c->init, line);
	} else if (strstr(line, "Kernel panic - not syncing")) {
		if (c->end == CONSOLE_NONE)
			note_panic(c, line);
	} else if (strstr(line, "Initramfs unpacking failed")) {
		/* Of a file in memory: there is none left, or no more of it may be used. */
		c->has_no_room |= strstr(line, "unpacking failed: write error") != NULL;
		c->has_bad_initrd = true;
		note_trouble(c, line);
	} else if (strstr(line, "Kdump: vmcore not initialized")) {
		c->has_no_vmcore = true;
		note_trouble(c, line);
	} else if (strstr(line, "Out of memory: Killed process")) {
		c->has_killed = true;
		note_trouble(c, line);
	} else if (strstr(line, "PANIC: early exception") || strstr(line, " -- System halted") ||
		   strncmp(line, "This kernel requires ", 21) == 0) {
		c->end = CONSOLE_EXCEPTION;
		note_trouble(c, line);
	}
}

static void read_line(struct console *c)
{
	const char *line;

	c->line[c->len] = '\0';
	line = after_time(c->line);
	if (!c->has_kernel && strncmp(line, PURGATORY, strlen(PURGATORY)) == 0)
		read_purgatory(c, line);
	else
		read_kernel(c, line);
	/* getty's prompt. */
	if (c->has_init && strstr(line, " login: "))
		c->has_login = true;
}

void console_read(struct console *c, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		const unsigned char b = (unsigned char)text[i];

		if (b == '\n' || b == '\r') {
			if (c->len > 0)
				read_line(c);
			c->len = 0;
		} else if (b == ESCAPE || c->is_after_escape) {
			/* A sequence ends in a letter. */
			c->is_after_escape = b == ESCAPE ||
					     !((b | 0x20) >= 'a' && (b | 0x20) <= 'z');
		} else if (c->len + 1 < sizeof(c->line)) {
			c->line[c->len++] = b >= ' ' && b < 0x7f ? (char)b : '?';
		}
	}
}

void console_flush(struct console *c)
{
	if (c->len > 0)
		read_line(c);
}
