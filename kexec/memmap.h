/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory maps: what the texts and tables in which Linux describes physical memory mean. Pure: the
 * bytes come in a span, the result is an array of struct mem_entry or a range_list.
 *
 * A map is normal when it is sorted, free of empty and overlapping entries, and neighbours that
 * touch differ in type. Where entries overlap the higher type number wins, as in the kernel
 * (arch/x86/kernel/e820.c: e820__update_table()).
 */
#ifndef KEXEC_NG_MEMMAP_H
#define KEXEC_NG_MEMMAP_H

#include "diag.h"
#include "facts.h"

/* Linux keeps at most 128 + 3 * 1024 e820 entries; hot-plugged memory adds a few to /sys. */
#define MEMMAP_ENTRIES_MAX	16384

struct memmap {
	struct arena *arena;
	struct mem_entry *entries;
	size_t n;
	size_t n_max;
};

void memmap_init(struct memmap *m, struct arena *a);
/*
 * Appends; the map may not be normal afterwards. What the kernel would not keep is left out: empty
 * ranges and type 0. Type 128, the kernel's own name for RAM that it used early, becomes RAM.
 * -ENOMEM; -E2BIG "memmap/too-many-entries".
 */
must_check int memmap_add(struct memmap *m, struct range r, uint32_t type, struct diag *diag);
/* Makes it normal. Entries of type PRAM and SOFT_RESERVED are not merged with their neighbours:
 * their borders mean something to the kernel (NUMA nodes, devices). -ENOMEM. */
must_check int memmap_normalize(struct memmap *m, struct diag *diag);
/* The ranges of one type; a normal list from a normal map. -ENOMEM. */
must_check int memmap_ranges(const struct mem_entry *map, size_t n, uint32_t type,
			     struct arena *a, struct range_list *ret, struct diag *diag);
/* Where the highest of them ends. */
phys_t memmap_end(const struct mem_entry *map, size_t n);

/* An inclusive end, as /proc and /sys print it, becomes a half open range. False for a start beyond
 * the end and for the one end that has no successor. */
must_check bool memmap_range(uint64_t first, uint64_t last, struct range *ret);
/* The name of a type in /proc/iomem and /sys/firmware/memmap; letter case does not count.
 * MEM_RESERVED and false for a name that is not one of them. */
bool memmap_type(struct span name, uint32_t *ret);

/*
 * Appends the e820 table of a boot_params (the count at 0x1e8, the entries at 0x2d0), or the
 * payload of a SETUP_E820_EXT node. Tolerated with a note: "memmap/e820-count" (more entries than
 * the table has, it is read to its end), "memmap/e820-wrap" (entries that wrap are left out),
 * "memmap/e820-tail" (a payload that ends within an entry). -EINVAL "memmap/e820-truncated" when
 * the span is too short for a boot_params, and the errors of memmap_add().
 */
must_check int memmap_add_boot_params(struct memmap *m, struct span boot_params, struct diag *diag);
must_check int memmap_add_e820_ext(struct memmap *m, struct span payload, struct diag *diag);

struct iomem {
	bool is_masked;			/* every address reads 0: the reader lacked CAP_SYS_ADMIN */
	struct range_list ram;		/* System RAM, with the crash kernel's; normal */
	struct range_list crash_kernel;	/* "Crash kernel"; normal */
	struct range_list driver_managed; /* "System RAM (kmem)", "(virtio_mem)", ...; normal */
	struct memmap map;		/* all that has a type; normal */
};

/*
 * Reads the text of /proc/iomem. RAM is what is called "System RAM" at the top level, where the
 * kernel puts all that is its own; below a device it is driver managed. The other types and "Crash
 * kernel" count at any depth. Lines that are not "START-END : NAME" are left out with the note
 * "memmap/iomem-line". -ENOMEM; -E2BIG "memmap/too-many-ranges" or
 * "memmap/too-many-entries".
 */
must_check int memmap_read_iomem(struct span text, struct arena *a, struct iomem *ret,
				 struct diag *diag);

#endif
