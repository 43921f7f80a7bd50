/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Marks: instructions of a guest that do nothing there, and that phases.c sees. A mark is the long
 * form of nop, whose 32-bit operand no compiler makes up: its low byte says which mark it is.
 */
#ifndef KEXEC_NG_MARK_H
#define KEXEC_NG_MARK_H

#define MARK_MAGIC	0x6b786e00	/* + which */

enum mark {
	MARK_REBOOT = 1,	/* next comes the reboot system call */
	MARK_INIT,		/* the second kernel's init */
	MARK_BEGIN,		/* a program begins, a program has ended */
	MARK_END,
};

/* nopl MARK_MAGIC + which(%rax) */
#define MARK(which) __asm__ volatile(".byte 0x0f, 0x1f, 0x80; .long %c0" : : "i"(MARK_MAGIC + (which)))

#endif
