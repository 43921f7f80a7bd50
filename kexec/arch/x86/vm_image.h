/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plan as one ELF file for QEMU's -kernel: each segment at its address, and the PVH entry of
 * vm_entry.S, which jumps to the plan's entry as the running kernel would. Without a plan the entry
 * reports what memory the machine has.
 */
#ifndef KEXEC_NG_VM_IMAGE_H
#define KEXEC_NG_VM_IMAGE_H

#include "export.h"
#include "plan.h"

/* What the entry needs for itself at vm_base, and what the firmware uses behind it. */
#define VM_OWN_LEN	(8 * MIB)
#define VM_NOTE_OFF	(6 * MIB)	/* from vm_base on: the registers of a CPU that died, ... */
#define VM_NOTE_LEN	1024		/* ... without which there is no /proc/vmcore */
#define VM_FIRMWARE_LEN	(32 * MIB)
#define VM_RAM_MAX	(256 * GIB)	/* that is mapped for the jump */
#define VM_PROBE_BASE	(16 * MIB)

/* What the machine reported. */
struct vm_map {
	struct mem_entry *map;
	size_t n_map;
	struct range low;	/* the RAM from 1 MiB on, below 4 GiB */
	phys_t top;		/* of all RAM */
	phys_t vm_base;		/* where the entry goes */
	phys_t rsdp;
	uint8_t rsdp_bytes[RSDP_LEN_MAX];
	size_t rsdp_len;
};

/* -EINVAL "rehearse/vm-map" for what is no report. */
must_check int vm_map_read(struct span report, struct arena *a, struct vm_map *ret,
			   struct diag *diag);
/* NULL instead of a plan: what reports. is_32: the plan's entry is 32-bit code. "rehearse/vm-low": what
 * is below 1 MiB does not fit. */
must_check int vm_image_make(const struct plan *plan, bool is_32, const struct vm_map *map,
			     struct arena *a, struct export_file *ret, struct diag *diag);

#endif
