/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is loaded, by whom and from which files: a kernel does not tell, so each load leaves a record,
 * /run/kexec-ng/{load,panic}.json, readable by root. It is written after the load has succeeded, by
 * renaming, and goes with an unload. Whoever reads it takes it for what anybody may have written.
 */
#ifndef KEXEC_NG_RECORD_H
#define KEXEC_NG_RECORD_H

#include "arena.h"
#include "diag.h"
#include "span.h"

#define RECORD_FILES_MAX	256
#define RECORD_SEGMENTS_MAX	64
#define RECORD_LEN_MAX		(512 * KIB)	/* a command line and 256 paths */
#define RECORD_TEXT_MAX		(64 * KIB)	/* of one text in it */

struct record_file {
	const char *role;	/* "kernel", "initrd", "module", "dtb", "addon" */
	const char *path;	/* absolute where that could be found out */
	uint64_t len;
	uint64_t mtime_ns;	/* since 1970 */
	uint64_t inode;
};

struct record_segment {
	const char *name;
	phys_t addr;
	uint64_t len;
	uint64_t mem_len;
};

struct record {
	bool is_crash;
	const char *loader;	/* "kexec-ng 0.1" */
	const char *call;	/* "kexec_load" or "kexec_file_load" */
	uint64_t time;		/* seconds since 1970 */
	uint64_t uid;
	bool has_login;		/* who logged in, if somebody did */
	uint64_t login_uid;
	const char *sudo_user;	/* or NULL */
	uint64_t pid;
	const char *parent;	/* name of the process that ran kexec, or NULL */
	const char *boot_id;	/* of the kernel that it was loaded into; or NULL */
	const char *release;
	const char *type;	/* "bzImage in xz" */
	const char *kernel_version;	/* or NULL */
	const char *cmdline;
	/* kernel.kexec_load_limit_* after the load; every later call counts it down. */
	bool has_limit;
	int64_t limit;
	const struct record_file *files;
	size_t n_files;
	const struct record_segment *segments;	/* none of kexec_file_load */
	size_t n_segments;
};

/* Of a foreign text; what it has too much of, is too long or of the wrong type is
 * "record/damaged". Texts are printable with report_clean(). -EINVAL, -ENOMEM, -EOPNOTSUPP. */
must_check int record_parse(struct span text, struct arena *a, struct record *ret,
			    struct diag *diag);
/* -ENOENT: there is none; -EACCES: this user may not read it; or what record_parse() says. */
must_check int record_read(const char *root, bool is_crash, struct arena *a, struct record *ret,
			   struct diag *diag);
/* "record/not-written", and then there is none. */
must_check int record_write(const struct record *r, struct diag *diag);
/* Is there none then? False where that cannot be known. */
bool record_remove(bool is_crash);

/*
 * A load changes the kernel, then the record. Meanwhile other loads wait, five seconds at most, and a
 * mark beside the record says that it may be of another load: so it does, too, when a process does not
 * live to the end. Zeroed it has not begun; to begin again, or to end what has not, does nothing.
 */
struct record_turn {
	bool is_begun;
	bool is_crash;
	bool is_mark_mine;	/* there was none left by somebody before */
	int folder;		/* locked; negative: there is no /run, and no record either */
};

void record_turn_begin(struct record_turn *t, bool is_crash);
/* is_settled: record and kernel agree again; else nothing has changed. */
void record_turn_end(struct record_turn *t, bool is_settled);
/* Neither: the mark stays. */
void record_turn_leave(struct record_turn *t);
/* Is such a mark there? Also if that cannot be found out. */
bool record_is_unsettled(const char *root, bool is_crash);

/* Fills in who and when: time to boot_id, limit. Texts live in the arena. */
void record_sign(struct record *r, struct arena *a);
/* This kernel's, or NULL. */
const char *record_boot_id(const char *root, struct arena *a);
/* The limit that counts this record's calls now; false: there is none. */
bool record_limit(const char *root, bool is_crash, int64_t *ret);

enum record_file_state {
	RECORD_FILE_UNKNOWN,
	RECORD_FILE_SAME,
	RECORD_FILE_CHANGED,
	RECORD_FILE_GONE,
};
/* On this machine. */
enum record_file_state record_compare(const struct record_file *f);

#endif
