/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Made-up cores of kernels that died: an ELF header, VMCOREINFO and one piece of memory, with a log
 * in it as the kernel writes it. Valid ones; a test breaks one thing.
 */
#ifndef KEXEC_NG_LIB_CORE_H
#define KEXEC_NG_LIB_CORE_H

#include "printk_log.h"

#define CORE_MEMORY_OFF	0x4000	/* in the file */
#define CORE_MEMORY_LEN	0x10000
#define CORE_INFO_OFF	0x1000	/* of VMCOREINFO's text */
#define CORE_PADDR	UINT64_C(0x1000000)
#define CORE_VADDR_64	UINT64_C(0xffffffff81000000)
#define CORE_VADDR_32	UINT64_C(0xc1000000)

struct core {
	struct arena *arena;
	bool is_64;		/* both the file and the kernel in it */
	uint8_t *bytes;
	size_t len;
	char *info;		/* what becomes the text of VMCOREINFO */
	/* The ring: */
	unsigned int count_bits, size_bits;
	bool fits_exactly;	/* as 6.18 does it */
	uint64_t head, begin;	/* id of the newest record, logical position of the next text */
	/* The records: */
	uint32_t next, first;
};

void core_init(struct core *c, struct arena *a, bool is_64);
/* The kernel's memory at an offset, and the virtual address of that. */
uint8_t *core_at(struct core *c, size_t off);
uint64_t core_vaddr(const struct core *c, size_t off);
void core_put_long(struct core *c, size_t off, uint64_t value);
void core_put_u32(struct core *c, size_t off, uint32_t value);
/* A line of VMCOREINFO. */
printf_like(2, 3) void core_tell(struct core *c, const char *fmt, ...);
/* Writes the headers and the note; call it last. */
void core_finish(struct core *c);
/* The program header of the memory, of class 64 or 32. */
uint8_t *core_load_header(struct core *c);
uint8_t *core_note_header(struct core *c);

/* The lockless ring: 2^count_bits records in 2^size_bits bytes. */
void core_ring_init(struct core *c, unsigned int count_bits, unsigned int size_bits);
void core_ring_add(struct core *c, uint64_t ts_nsec, const char *text);
/* The descriptor of record id, for breaking it. */
size_t core_ring_desc_off(const struct core *c, uint64_t id);
size_t core_ring_head_off(void);
size_t core_ring_tail_off(void);
size_t core_ring_count_bits_off(void);

/* Records of 3.5 to 5.9, in a buffer of len bytes. name: "printk_log" or "log". */
void core_records_init(struct core *c, const char *name, uint32_t len);
void core_records_add(struct core *c, uint64_t ts_nsec, const char *text);
#define CORE_RECORDS_OFF	0x1000	/* where they begin */

/* The characters before 3.5. */
void core_plain_init(struct core *c, uint32_t len);
void core_plain_add(struct core *c, const char *text);

#endif
