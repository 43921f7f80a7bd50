/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What we call of libxenctrl, which is looked for at run time: no header of it is needed to build, and
 * a machine without Xen needs no library. The one place where any of it is declared.
 *
 * Source: xen/include/public/kexec.h, tools/include/xenctrl.h of Xen 4.17.
 */
#ifndef KEXEC_NG_XENCTRL_H
#define KEXEC_NG_XENCTRL_H

#include "base.h"

#define XEN_KEXEC_DEFAULT	0	/* type: for the next boot ... */
#define XEN_KEXEC_CRASH		1	/* ... and for a panic of Xen */
#define XEN_KEXEC_SEGMENTS_MAX	16	/* KEXEC_SEGMENT_MAX of xen/include/xen/kimage.h */

/* Memory that a hypercall may read. All is the library's own business but the size. */
struct xen_buffer {
	void *bytes;
	struct xen_buffer *shadow;
	int direction;
	void *user;
	size_t len;
};

/* xen_kexec_segment_t. Without bytes it is only mapped. */
struct xen_segment {
	uint64_t bytes;		/* an address of ours, in such memory */
	uint64_t len;
	uint64_t addr;
	uint64_t mem_len;
};
_Static_assert(sizeof(struct xen_segment) == 32, "xen_kexec_segment_t");

/* struct e820entry */
struct xen_map_entry {
	uint64_t addr;
	uint64_t len;
	uint32_t type;
} __attribute__((packed));

struct xen_interface;
struct xen_buffer_array;

struct xenctrl {
	struct xen_interface *(*interface_open)(void *logger, void *builder_logger, unsigned int flags);
	int (*interface_close)(struct xen_interface *x);
	int (*get_machine_memory_map)(struct xen_interface *x, struct xen_map_entry *entries,
				      uint32_t n_max);
	struct xen_buffer_array *(*buffer_array_create)(struct xen_interface *x, unsigned int n);
	void *(*buffer_array_alloc)(struct xen_interface *x, struct xen_buffer_array *array,
				    unsigned int i, struct xen_buffer *buffer, size_t len);
	void (*buffer_array_destroy)(struct xen_interface *x, struct xen_buffer_array *array);
	int (*kexec_load)(struct xen_interface *x, uint8_t type, uint16_t arch, uint64_t entry,
			  uint32_t n_segments, struct xen_segment *segments);
	int (*kexec_unload)(struct xen_interface *x, int type);
	int (*kexec_exec)(struct xen_interface *x, int type);
	int (*kexec_status)(struct xen_interface *x, int type);
};

#endif
