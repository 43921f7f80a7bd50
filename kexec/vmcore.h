/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory of a dead kernel: /proc/vmcore, or a core that was saved from it. An ELF file whose
 * PT_LOADs say which part of it is which memory, by physical and by virtual address, and whose
 * note VMCOREINFO is what the dead kernel tells about itself ("SYMBOL(prb)=ffffffff82a5b1e0").
 *
 * It may be larger than memory, cut short, or made by an enemy: it is read piece by piece, and
 * every length is checked. Nothing is believed of page tables.
 *
 * Sources: System V ABI, chapters 4 and 5; Documentation/admin-guide/kdump/vmcoreinfo.rst.
 */
#ifndef KEXEC_NG_VMCORE_H
#define KEXEC_NG_VMCORE_H

#include "diag.h"
#include "span.h"

/* Where the bytes of a core come from. */
struct vmcore_source {
	/* Exactly len bytes from off on, all of them below this->len; 0 or a negative errno. */
	int (*read)(void *context, uint64_t off, void *dst, size_t len);
	void *context;
	uint64_t len;
};

struct vmcore_load {
	uint64_t off;		/* in the file */
	uint64_t file_len;
	uint64_t mem_len;	/* what is beyond file_len was left out when the core was saved */
	phys_t paddr;
	uint64_t vaddr;
};

struct vmcore {
	struct vmcore_source source;
	uint16_t machine;
	bool is_64;		/* the dead kernel's long has 64 bits, whatever the file's class */
	struct vmcore_load *loads;
	size_t n_loads;
	struct span info;	/* VMCOREINFO's text */
	uint64_t full_len;	/* bytes that the file must have; more than source.len: cut short */
	bool has_phys_base;
	uint64_t phys_base;	/* physical address of virtual __START_KERNEL_map */
};

/* ids "vmcore/...": -ENOEXEC when it is no core of a kernel, -EINVAL when it is broken. What is
 * allocated lives in the arena. */
must_check int vmcore_open(const struct vmcore_source *source, struct arena *a, struct vmcore *ret,
			   struct diag *diag);

/*
 * len bytes of the dead kernel's memory at a virtual address of its image or of its map of all
 * memory. 0; -ENXIO: no PT_LOAD has it; -ENODATA: it is not in the file, because it was left out
 * or the file is cut short; or what the source said.
 */
must_check int vmcore_read(const struct vmcore *core, uint64_t vaddr, void *dst, size_t len);
must_check int vmcore_read_u32(const struct vmcore *core, uint64_t vaddr, uint32_t *ret);
/* An unsigned long or a pointer, of 4 or 8 bytes. */
must_check int vmcore_read_long(const struct vmcore *core, uint64_t vaddr, uint64_t *ret);

/* The value of a line KEY=VALUE of VMCOREINFO; false if there is none, or it is no number. */
bool vmcore_info_hex(const struct vmcore *core, const char *key, uint64_t *ret);
bool vmcore_info_number(const struct vmcore *core, const char *key, uint64_t *ret);

#endif
