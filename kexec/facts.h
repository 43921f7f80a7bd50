/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is true of the machine a kernel is loaded on: plain data, read from /proc and /sys by
 * host_read(), written by hand in tests. Nothing here decides anything.
 */
#ifndef KEXEC_NG_FACTS_H
#define KEXEC_NG_FACTS_H

#include "range.h"
#include "span.h"
#include "srat.h"

#define BOOT_PARAMS_LEN	4096
#define RSDP_LEN_MAX	36

/* e820 types, as the boot protocol numbers them (<asm/e820.h> is not exported by the kernel). */
enum mem_type {
	MEM_RAM = 1,
	MEM_RESERVED = 2,
	MEM_ACPI = 3,
	MEM_NVS = 4,
	MEM_UNUSABLE = 5,
	MEM_PMEM = 7,
	MEM_PRAM = 12,
	MEM_SOFT_RESERVED = (int)0xefffffff,
};

struct mem_entry {
	struct range range;
	uint32_t type;		/* enum mem_type, or what the firmware said */
};

enum map_source {
	MAP_NONE,
	MAP_FIRMWARE,		/* /sys/firmware/memmap */
	MAP_BOOT_PARAMS,	/* /sys/kernel/boot_params: e820 table and SETUP_E820_EXT */
	MAP_IOMEM,		/* /proc/iomem */
};

/* A setup_data node of the running kernel, header stripped. */
struct setup_node {
	uint32_t type;
	struct span data;
};

struct efi_runtime_entry {
	uint32_t type;
	uint64_t phys;
	uint64_t virt;
	uint64_t n_pages;
	uint64_t attribute;
};

struct efi_facts {
	bool is_booted;		/* /sys/firmware/efi is there */
	unsigned int bits;	/* fw_platform_size: 64, 32, 0 unknown */
	/* Physical addresses, 0 where not known. */
	phys_t fw_vendor, runtime, config_table, smbios, smbios3, acpi, acpi20;
	bool has_systab;	/* the systab attribute could be read (root only) */
	const struct efi_runtime_entry *map;	/* runtime-map, by number */
	size_t n_map;
};

enum display_owner {
	DISPLAY_UNKNOWN, /* nothing in /sys says */
	DISPLAY_FIRMWARE, /* what the firmware set up still drives it: simpledrm, efifb, vesafb,
			     text */
	DISPLAY_NATIVE, /* a driver that reprogrammed the hardware */
};

enum rsdp_source {
	RSDP_NONE,
	RSDP_BOOT_PARAMS,
	RSDP_EFI,
};

enum lockdown {
	LOCKDOWN_UNKNOWN,	/* no securityfs or no lockdown LSM */
	LOCKDOWN_NONE,
	LOCKDOWN_INTEGRITY,
	LOCKDOWN_CONFIDENTIALITY,
};

struct policy_facts {
	enum lockdown lockdown;
	bool is_load_disabled;		/* kernel.kexec_load_disabled = 1 */
	bool has_load_limit;		/* kernel.kexec_load_limit_reboot exists ... */
	int64_t load_limit;		/* ... and this is it; -1: unlimited */
	bool has_panic_limit;		/* the same of kernel.kexec_load_limit_panic */
	int64_t panic_limit;
	bool is_kho_active;		/* Kexec Handover: only the file path carries it */
	bool is_ima_active;		/* IMA measures: only the file path carries the list */
};

struct console_facts {
	uint16_t serial_port; /* I/O port of an 8250 that is a console of the running kernel; 0:
				 none */
	bool has_vga_text;	/* tty0 is a console and the display is in VGA text mode */
	const char *
		serial_skipped; /* a serial console that has no I/O port ("ttyS4: MMIO"), or NULL */
};

struct cpu_facts {
	bool has_long_mode;
	bool has_1gib_pages;
	bool is_la57_on;	/* the running kernel uses 5-level paging */
	bool is_confidential_guest;	/* SEV or TDX: memory is encrypted from the host */
	uint32_t tsc_khz;	/* 0: unknown */
};

/* What a dump is made from, should this kernel panic. */
struct crash_facts {
	struct range_list ram;	/* System RAM, driver managed too; unaligned, normal */
	struct range_list cma;	/* crashkernel=SIZE,cma: RAM of the capture kernel too; normal */
	/* Where the kernel leaves the registers of each CPU, by its number: present CPUs, online or
	 * not. */
	const struct range *notes;
	size_t n_notes;
	uint32_t n_possible;	/* CPUs that there may ever be; 0: unknown */
	struct srat memory;	/* that there may ever be, as the firmware has it */
	struct range vmcoreinfo;	/* its note; empty: unknown */
	bool has_page_offset;
	uint64_t page_offset;		/* virtual address of physical 0 in the direct map */
	struct range text;		/* _text to _end, physical; empty: unknown ... */
	uint64_t text_vaddr;		/* ... and where it is mapped */
	/* What the kernel wants for an elfcorehdr that it keeps up to date when CPUs and memory come
	 * and go; 0: it does not do that. */
	uint64_t elfcorehdr_len;
	bool is_loaded;
	bool is_kept_current;		/* it is being done for what is loaded */
};

/* Beneath the running kernel is Xen, and what the kernel knows of the machine is its own part only. */
struct xen_facts {
	bool is_dom0;			/* the domain that controls the host */
	const char *version;		/* "4.17"; NULL: unknown, or no Xen */
};

struct facts {
	/* The map that is handed on as e820: sorted by address, not merged across types. */
	enum map_source map_source;
	const struct mem_entry *map;
	size_t n_map;

	/* Where a segment may land: System RAM, merged, page aligned inward, without crash kernel
	 * reservations and driver managed memory. Normal. */
	struct range_list ram;
	/* System RAM below 1 MiB that is a whole page, and no BIOS data: for a real mode kernel only.
	 * Normal. */
	struct range_list low_ram;
	bool is_ram_from_iomem;		/* false: from the firmware map, iomem was not readable */
	struct range_list crash_kernel;	/* "Crash kernel" in /proc/iomem */
	struct crash_facts crash;
	/* RAM that the map leaves out, for segments that the next kernel must not take for free
	 * memory: elfcorehdr. Empty on a real machine; arch/x86/crash.h makes it. */
	struct range_list withheld;
	uint64_t ram_total; /* bytes the running kernel manages (MemTotal); 0: unknown */
	uint64_t ram_available;		/* MemAvailable; 0: unknown */
	bool has_unaccepted_memory;	/* of a confidential guest */

	bool has_boot_params;
	uint8_t boot_params[BOOT_PARAMS_LEN];
	const struct setup_node *setup;
	size_t n_setup;

	phys_t rsdp;
	enum rsdp_source rsdp_source;
	uint8_t rsdp_bytes[RSDP_LEN_MAX];	/* what is there: 20 bytes, from ACPI 2.0 on 36 */
	size_t rsdp_len;		/* 0: could not be read */
	struct efi_facts efi;
	enum display_owner display;
	const char *display_driver;	/* e.g. "simpledrm", "i915"; NULL unknown */
	struct console_facts console;
	struct cpu_facts cpu;
	struct policy_facts policy;
	struct xen_facts xen;
	bool has_cmdline;		/* /proc/cmdline could be read */
	const char *cmdline;		/* without its newline; "" if unreadable */
	bool is_32bit_kernel;		/* the running one; false if nothing says so */
	const char *release;		/* /proc/sys/kernel/osrelease; "" if unreadable */
};

/* Either kind of lockdown: no kexec_load(), no /dev/mem. */
static inline bool facts_locked_down(const struct facts *f)
{
	return f->policy.lockdown == LOCKDOWN_INTEGRITY ||
	       f->policy.lockdown == LOCKDOWN_CONFIDENTIALITY;
}

#endif
