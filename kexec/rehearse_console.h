/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the serial line of a machine says about how far its kernel got. Values only. */
#ifndef KEXEC_NG_REHEARSE_CONSOLE_H
#define KEXEC_NG_REHEARSE_CONSOLE_H

#include "base.h"

#define CONSOLE_LINE_LEN	512	/* the rest of a line is left out */

enum console_end {
	CONSOLE_NONE,
	CONSOLE_PANIC,
	CONSOLE_NO_ROOT,	/* a panic since there is no root file system */
	CONSOLE_NO_MEMORY,	/* a panic for want of memory */
	CONSOLE_EXCEPTION,	/* of code before any handler, or it gave up: early, or in purgatory */
};

struct console {
	char line[CONSOLE_LINE_LEN];
	size_t len;
	bool is_after_escape;

	bool has_purgatory;		/* it spoke */
	bool is_intact;			/* and leaves for the kernel */
	bool is_damaged;
	bool has_kernel;		/* "Linux version" */
	bool has_init;			/* "Run /init as init process" */
	bool has_login;
	bool has_bad_initrd;
	bool has_no_room;		/* it is bad since it does not fit into memory */
	bool has_no_vmcore;
	bool has_killed;		/* a process, for want of memory */
	enum console_end end;
	char purgatory[CONSOLE_LINE_LEN];	/* its last line */
	char version[CONSOLE_LINE_LEN];
	char init[CONSOLE_LINE_LEN];
	char trouble[CONSOLE_LINE_LEN];		/* the line that says what went wrong, the first */
};

void console_read(struct console *c, const char *text, size_t len);
/* What stands in the line that is not over yet counts, too. */
void console_flush(struct console *c);

#endif
