/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A throwaway QEMU: found, started, listened to, ended. Its kernel is a file in memory, what it writes
 * is in a folder of its own, and it dies with this process.
 */
#ifndef KEXEC_NG_QEMU_H
#define KEXEC_NG_QEMU_H

#include "base.h"
#include "diag.h"
#include "span.h"

#define QEMU_PROGRAM	"qemu-system-x86_64"
#define QEMU_CONSOLE	"console"	/* files in the folder */
#define QEMU_REPORT	"report"
#define QEMU_LOG	"qemu.log"
#define QEMU_ARGS_MAX	64

enum qemu_state {
	QEMU_RUNS,
	QEMU_RESET,	/* the guest reset the machine */
	QEMU_OFF,	/* the guest switched it off */
	QEMU_EXITED,	/* as isa-debug-exit does, or since it could not do what was asked */
};

struct qemu {
	int pid;		/* -1: none */
	int to, from;		/* its monitor */
	char said[4096];	/* by the monitor, the end of it; NUL terminated */
	size_t said_len;
	enum qemu_state state;
	/* The CPU waits for an interrupt and lets none in, so often in a row as it was asked. */
	unsigned int n_halted;
	uint64_t halted_at;	/* its instruction pointer */
	unsigned int version[3];	/* 0: not said yet */
};

/* Path of the program, or NULL: none in PATH. */
const char *qemu_find(struct arena *a);
/* May this user use /dev/kvm? */
bool qemu_has_kvm(void);
/* A new folder of this user alone, or NULL. */
const char *qemu_make_folder(struct arena *a, struct diag *diag);
void qemu_remove(const char *folder, const char *name);	/* NULL: the folder, if it is empty */
/* A file of these pieces that has no name, or -1. */
int qemu_write_kernel(const struct span *pieces, size_t n, struct diag *diag);

/* args end in NULL and say nothing of monitor, kernel and display. */
must_check int qemu_start(struct qemu *q, const char *program, const char *folder,
			  const char *const args[], int kernel, struct diag *diag);
/* Waits so long at most for it to say something or to end. */
enum qemu_state qemu_look(struct qemu *q, int milliseconds);
/* Asks what the CPU does; the answer comes with a later look. */
void qemu_ask_cpu(struct qemu *q);
void qemu_stop(struct qemu *q);

/* Up to len bytes from off; 0 where there is nothing. */
size_t qemu_read(const char *folder, const char *name, uint64_t off, char *to, size_t len);

#endif
