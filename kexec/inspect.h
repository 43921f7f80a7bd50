/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a file holds, whoever asks and wherever: a tree of named values, which the faces print as text
 * and as JSON without knowing what they mean; and, typed since they are drawn, the parts of the file
 * and the memory that each entry of the kernel needs.
 *
 * A tree is short of memory as a whole or not at all: builders never fail, inspect_is_whole() tells.
 */
#ifndef KEXEC_NG_INSPECT_H
#define KEXEC_NG_INSPECT_H

#include "diag.h"
#include "range.h"
#include "span.h"

enum item_kind {
	ITEM_GROUP,	/* named values */
	ITEM_LIST,	/* groups, without names */
	ITEM_TEXT,	/* any bytes but NUL; NULL: there is none */
	ITEM_NUMBER,
	ITEM_LEN,	/* a number: bytes */
	ITEM_ADDR,	/* a number that is shown in hex: an address, an offset, flags */
	ITEM_BOOL,
};

struct item {
	struct item *next;
	const char *key;	/* as in doc/json.md; NULL in a list */
	enum item_kind kind;
	const char *text;
	uint64_t number;	/* a bool: 0 or 1 */
	struct item *first;	/* of groups and lists */
	struct item *last;
};

/* Bytes of a file that mean something. */
struct image_part {
	const char *name;
	uint64_t off;
	uint64_t len;
};
#define IMAGE_PARTS_MAX	12

enum need_map {
	MAP_PHYSICAL,	/* paging is off */
	MAP_IDENTITY,	/* mapped, virtual = physical */
	MAP_LATER,	/* RAM that must stay as it is; whoever needs it maps it himself */
};

/* A range of memory that must be there before an entry's first instruction. */
struct need {
	const char *name;
	phys_t min;		/* its first byte is not below; if is_fixed, there */
	phys_t end;		/* its last byte is below */
	bool is_fixed;
	uint64_t len;
	uint64_t align;
	enum need_map map;
	bool is_written;
	const char *why;
};
#define NEEDS_MAX	12

/* One way into a kernel. */
struct way {
	const char *name;	/* as in --enter= where that has it */
	const char *obstacle;	/* why the image does not have it; NULL: it does */
	bool has_file_off;	/* of its first instruction in the file; else it is in what unpacks */
	uint64_t file_off;
	uint64_t off;		/* from where the kernel begins in memory */
	phys_t addr;		/* with the kernel where its header prefers it */
	const char *mode;	/* of the CPU */
	const char *registers;	/* what they must hold */
	const char *tables;	/* what becomes of page tables */
	struct need needs[NEEDS_MAX];
	size_t n_needs;
};
#define WAYS_MAX	8

struct inspection {
	struct arena *arena;
	struct item *top;
	bool is_short;		/* of memory */
	const char *type;	/* "bzImage", ... */
	struct image_part parts[IMAGE_PARTS_MAX];	/* of what is inside, by offset */
	size_t n_parts;
	uint64_t file_len;	/* of what is inside */
	struct way ways[WAYS_MAX];
	size_t n_ways;
};

must_check int inspection_init(struct inspection *in, struct arena *a, struct diag *diag);

/* Each adds a value to a group (with a key) or a list (key NULL), at the end. A parent of NULL is
 * what a builder returned that found no memory. */
struct item *inspect_group(struct inspection *in, struct item *to, const char *key);
struct item *inspect_list(struct inspection *in, struct item *to, const char *key);
void inspect_text(struct inspection *in, struct item *to, const char *key, const char *text);
printf_like(4, 5) void inspect_printf(struct inspection *in, struct item *to, const char *key,
				      const char *fmt, ...);
void inspect_number(struct inspection *in, struct item *to, const char *key, uint64_t v);
void inspect_len(struct inspection *in, struct item *to, const char *key, uint64_t v);
void inspect_addr(struct inspection *in, struct item *to, const char *key, uint64_t v);
void inspect_bool(struct inspection *in, struct item *to, const char *key, bool v);
/* { "id", "text" }; with advice if there is one. */
void inspect_failure(struct inspection *in, struct item *to, const char *key,
		     const struct diag *why);

/* The value of that key in a group, or NULL. */
const struct item *inspect_find(const struct item *group, const char *key);

/* Keeps the parts sorted; one too many is left out. */
void inspect_part(struct inspection *in, const char *name, uint64_t off, uint64_t len);
/* NULL: there are too many. */
struct way *inspect_way(struct inspection *in, const char *name);
/* One too many is left out. */
void way_need(struct way *w, const struct need *need);
/* The ways and parts as items of the tree, once all are known. */
void inspect_put_ways(struct inspection *in);
void inspect_put_parts(struct inspection *in);
const char *need_map_text(enum need_map map);

#endif
