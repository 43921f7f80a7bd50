/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of host_read(), in the order they run: later ones use the facts of earlier ones. Each
 * returns 0, -ENOMEM, or what host.h promises.
 */
#ifndef KEXEC_NG_HOST_PARTS_H
#define KEXEC_NG_HOST_PARTS_H

#include "diag.h"
#include "facts.h"
#include "host_tree.h"

/* cmdline, release, is_32bit_kernel, ram_total */
must_check int host_read_kernel(const struct host_tree *t, struct arena *a, struct facts *f,
				struct diag *diag);
/* boot_params, setup, efi, rsdp */
must_check int host_read_firmware(const struct host_tree *t, struct arena *a, struct facts *f,
				  struct diag *diag);
/* map, ram, crash_kernel, crash.ram */
must_check int host_read_memory(const struct host_tree *t, struct arena *a, struct facts *f,
				struct diag *diag);
/* crash but its ram */
must_check int host_read_crash(const struct host_tree *t, struct arena *a, struct facts *f,
			       struct diag *diag);
/* display, display_driver */
must_check int host_read_display(const struct host_tree *t, struct arena *a, struct facts *f,
				 struct diag *diag);
/* console */
must_check int host_read_console(const struct host_tree *t, struct arena *a, struct facts *f,
				 struct diag *diag);
/* cpu */
must_check int host_read_cpu(const struct host_tree *t, struct arena *a, struct facts *f,
			     struct diag *diag);
/* policy */
must_check int host_read_policy(const struct host_tree *t, struct arena *a, struct facts *f,
				struct diag *diag);

/* xen */
must_check int host_read_xen(const struct host_tree *t, struct arena *a, struct facts *f,
			     struct diag *diag);

/* What could not be read is not what is not there: a memory map with a hole would look like a map.
 * "host/unreadable", or 0 with a note if it is nothing that a plan depends on. */
must_check int host_judge_trouble(const struct host_trouble *trouble, struct diag *diag);

/* Takes the tables that an EFI configuration table (list: its entries) names out of ram. -ENOMEM */
must_check int host_withhold_listed(struct span list, struct facts *f, struct diag *diag);

/* Length of the ACPI root pointer that begins the bytes, 20 or 36; 0 if it is none. */
size_t host_rsdp_len(struct span bytes);

#endif
