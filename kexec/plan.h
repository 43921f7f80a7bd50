/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What will be where: the segments of one load, what each asks for, what it got, and how the
 * machine is to jump. Built by a format (plan), addressed by place, completed by the format
 * (finish), checked against the kernel's own rules, then loaded, reported or rehearsed.
 */
#ifndef KEXEC_NG_PLAN_H
#define KEXEC_NG_PLAN_H

#include "arena.h"
#include "diag.h"
#include "facts.h"
#include "sha256.h"
#include "span.h"

#define PLAN_SEGMENTS_MAX	16	/* KEXEC_SEGMENT_MAX of the kernel */
#define SEGMENT_NAME_LEN	12	/* with its NUL; purgatory prints it */

struct segment {
	char name[SEGMENT_NAME_LEN];	/* "kernel", "initrd", "params", "purgatory" */

	/* The real bytes. bytes.data == own for segments that are built by us. */
	struct span bytes;
	uint8_t *own;
	/* Bytes handed to the kernel: whole pages, >= bytes.len; what is beyond bytes.len is zero.
	 */
	uint64_t mem_len;
	/* Bytes kept free of other segments and inside RAM, >= mem_len: a kernel's window. */
	uint64_t reserve_len;

	/* The wish: addr is a multiple of align, min <= addr, addr + reserve_len <= end. */
	uint64_t align;		/* power of two, >= a page */
	phys_t min;
	phys_t end;		/* up to 1 MiB: it goes into facts->low_ram, else into facts->ram */
	bool wants_lowest;	/* the lowest address that fits, not the highest */

	phys_t addr;		/* where it got placed */
	bool is_placed;
	bool is_fixed;		/* at min, in facts->withheld: nothing was to be chosen */
	bool is_digested;	/* purgatory verifies bytes.len bytes at addr, by digests: */
	const uint8_t *digests;	/* digest.h; one for each HANDOFF_CHUNK_LEN bytes */
};

enum jump_mode {
	JUMP_64,	/* long mode, identity map, rsi = arg */
	JUMP_32,	/* protected mode, paging off, esi = arg */
	JUMP_16,	/* real mode, segments at arg, cs:ip = entry */
};

/* Paging mode of a kernel entered at JUMP_64; to change it purgatory goes through 32-bit mode. */
enum paging {
	PAGING_KEEP,		/* as the running kernel had it */
	PAGING_4_LEVEL,
	PAGING_5_LEVEL,		/* if the CPU can, else 4-level */
};

/* What becomes of the running kernel, if it means to go on later: arch/x86/jump_back.h. */
enum come_back {
	BACK_NEVER,
	BACK_FROM_PROGRAM,	/* which returns like a function */
	BACK_FROM_KERNEL,	/* which is told where to jump to, at come_back_text */
	BACK_TO_PEER,		/* the other side: what is jumped to waits like that */
};

/* The part of a load for a panic that any format has in common. */
struct crash_plan {
	struct range region;		/* the reservation that segments go to */
	phys_t elfcorehdr;
	struct span headers;		/* its contents */
	uint64_t elfcorehdr_len;	/* with the room that the running kernel wants to update it */
	bool is_kept_current;		/* the running kernel does so */
	struct range low;		/* memory that purgatory saves ... */
	phys_t backup;			/* ... to there; nothing if it is empty */
	size_t n_cpus;
	struct range_list ram;		/* what a dump has, by physical address */
	uint64_t control_len;		/* what must stay free in the region for the running kernel */
};

struct plan {
	struct arena *arena;
	const struct crash_plan *crash;	/* NULL: a load for the next boot */
	const char *type;		/* name of the image_type */
	const char *type_text;		/* for reports: with what it was wrapped in; may be NULL */
	const char *entry_name;		/* "direct", "64", "32", "16" or "pvh", as in --enter= */
	const char *subarch;		/* what the kernel is told that the machine is; NULL: nothing */
	struct segment segments[PLAN_SEGMENTS_MAX];
	size_t n_segments;

	phys_t entry;			/* handed to kexec_load: purgatory's first instruction */
	enum jump_mode jump_mode;
	enum paging paging;
	phys_t jump_entry;		/* where purgatory leaves to */
	phys_t jump_arg;		/* boot_params, in rsi; 0: none; in real mode the segments */
	uint32_t jump_eax;		/* what formats that are no Linux want in registers ... */
	uint32_t jump_ebx;
	uint64_t jump_c_arg;		/* ... and as the first argument of a C function */
	enum come_back come_back;	/* but for BACK_NEVER the running kernel keeps its context */
	phys_t come_back_text;
	uint64_t peer_gdt;		/* of BACK_TO_PEER; 0: unknown */

	/* What the format has words for: an option about anything else has no effect. */
	bool takes_dtb;
	bool takes_efi;
	bool takes_display;

	/* For reports; all optional. */
	const char *kernel_version;	/* the string in the image */
	const struct mem_entry *e820;	/* as handed on */
	size_t n_e820;
	phys_t cmdline_addr;
	phys_t rsdp;
	bool is_randomized;		/* KASLR: the kernel's place was drawn by us */
	uint64_t vaddr_delta;		/* direct entry: virtual shift of the kernel */
	const char *console;		/* where purgatory will talk: "ttyS 0x3f8, vga", "none" */
	phys_t boot_note;		/* where the format put a struct boot_note; 0: nowhere */
	void *format;			/* the format's own, from plan to finish */
};

void plan_init(struct plan *plan, struct arena *a);

/*
 * Adds a segment whose first bytes.len bytes are given. mem_len becomes bytes.len rounded up to
 * whole pages, reserve_len the larger of that and reserve_len rounded up; align 0 means a page; end
 * 0 means no limit. -E2BIG when the plan is full, -EINVAL when a length wraps.
 */
struct segment_wish {
	const char *name;
	struct span bytes;
	uint64_t reserve_len;
	uint64_t align;
	phys_t min;
	phys_t end;
	bool wants_lowest;
	bool is_fixed;
	bool is_digested;
};
must_check int plan_add(struct plan *plan, const struct segment_wish *wish, struct segment **ret,
			struct diag *diag);
/* The same with len zeroed bytes of its own. */
must_check int plan_add_own(struct plan *plan, const struct segment_wish *wish, size_t len,
			    struct segment **ret, struct diag *diag);
/* Does its wish keep it below 1 MiB? */
static inline bool segment_is_low(const struct segment *s)
{
	return s->end <= MIB;
}

/* NULL if there is none of that name. */
struct segment *plan_find(struct plan *plan, const char *name);
/* Sum of mem_len. */
uint64_t plan_mem_len(const struct plan *plan);

/*
 * The kernel's own rules and those it does not check, restated before the kernel sees the plan:
 * page aligned, disjoint windows, inside facts->ram or low_ram (fixed ones: facts->withheld) and
 * [mem_min, mem_end), below the architecture's limit, each and all at most half of RAM, entry
 * inside a segment. For a panic: inside the region, with room for the kernel's own pages there, and
 * one segment at most that begins like an ELF file, as that is what the kernel takes it for.
 */
must_check int plan_check(const struct plan *plan, const struct facts *facts, phys_t mem_min,
			  phys_t mem_end, struct diag *diag);

#endif
