/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads /proc and /sys, of this machine or of a tree captured from one, into struct facts.
 *
 * Nothing that is absent, unreadable, too long or garbage stops it: the fact stays unknown (see
 * facts.h), with a note where a load will be poorer for it. The one thing that must be there is a
 * memory map.
 *
 * Sources, in the order of trust:
 *   map          /sys/firmware/memmap; boot_params with SETUP_E820_EXT; /proc/iomem
 *   ram          System RAM of /proc/iomem without "Crash kernel" and driver managed memory; if it
 *                cannot be read, RAM of the map. Always within RAM of the map and above 1 MiB
 *   rsdp         boot_params; /sys/firmware/efi/systab
 *   crash        /sys/devices/system/cpu; /sys/kernel/vmcoreinfo; headers of /proc/kcore;
 *                /sys/kernel/kexec, or /sys/kernel where kernels before 7 have its files;
 *                /sys/firmware/acpi/tables/SRAT
 *   display      /sys/class/drm; /sys/class/graphics; /proc/fb
 *   console      /proc/consoles; console= in /proc/cmdline; then /sys/class/tty
 *   tsc_khz      /sys/devices/system/cpu/cpu0/tsc_freq_khz; "cpu MHz" of /proc/cpuinfo
 *   xen          /sys/hypervisor; /proc/xen/capabilities
 *
 * Notes: "host/iomem-unprivileged", "host/iomem-no-ram", "host/no-destination",
 * "host/memmap-entry", "host/memmap-type", "host/memmap-too-many", "host/boot-params",
 * "host/setup-data", "host/setup-data-count", "host/rsdp-unknown", "host/efi-runtime-map",
 * "host/cpu-unknown", "host/cmdline", and those of memmap.h.
 */
#ifndef KEXEC_NG_HOST_H
#define KEXEC_NG_HOST_H

#include "arena.h"
#include "diag.h"
#include "facts.h"

/*
 * root is "" or "/" for this machine, else a directory with proc/ and sys/ in it; symbolic links in
 * such a tree cannot lead out of it. Everything in *ret lives in the arena. diag must hold no
 * failure. -ENOMEM; "host/unreadable" when a file that there is cannot be read (-EIO, -EMFILE, ...);
 * "host/no-memory-map" (-ENOENT); "host/root" when root cannot be opened,
 * "host/root-unconfined" (-ENOSYS) when the kernel lacks openat2() to read a captured tree with.
 */
must_check int host_read(const char *root, struct arena *a, struct facts *ret, struct diag *diag);

/* Fills in rsdp_bytes and rsdp_len, where rsdp is known and this machine lets its memory be read; of
 * a captured tree nothing. */
void host_read_rsdp(const char *root, struct facts *f);

/* Takes out of ram what EFI stubs left in it and kernels write to when they start; of this machine
 * only, where it lets its memory be read. -ENOMEM. */
must_check int host_withhold_efi_tables(const char *root, struct facts *f, struct diag *diag);

/* Is a kernel loaded, for the next boot or (crash) for a panic? -ENOENT when the kernel does not
 * say: /sys/kernel/kexec_loaded is not there or not readable, or is neither 0 nor 1. */
must_check int host_is_loaded(const char *root, bool crash, bool *ret);

/* Only facts->policy, of this moment: limits count down, and somebody may have locked it down. What
 * cannot be read, though it is there, leaves all of it as it was. */
void host_read_policy_again(const char *root, struct facts *f);

/* Only facts->xen. False: this is no dom0 of a Xen host. */
bool host_find_xen(const char *root, struct arena *a, struct facts *f);

#endif
