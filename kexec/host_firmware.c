// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What firmware and boot loader left to the running kernel: boot_params, setup_data, EFI, RSDP.
 */
#include <asm/bootparam.h>
#include <errno.h>
#include <string.h>

#include "checked.h"
#include "host_parts.h"
#include "host_text.h"

/* An EFI boot makes one node per PCI option ROM and a few more. */
#define SETUP_NODES_MAX		256
/* Option ROMs are the largest payload, commonly below 1 MiB. */
#define SETUP_DATA_LEN_MAX	(4 * MIB)
#define SETUP_TOTAL_LEN_MAX	(32 * MIB)
/* Firmware has some hundred memory descriptors, those with a run time use are a part of them. */
#define RUNTIME_MAP_MAX		4096

static int read_boot_params(const struct host_tree *t, struct arena *a, struct facts *f,
			    struct diag *diag)
{
	struct span data;
	int r;

	r = host_file_read(t, a, BOOT_PARAMS_LEN, &data, "sys/kernel/boot_params/data");
	if (r == -ENOMEM)
		return r;
	if (r == 0 && data.len == BOOT_PARAMS_LEN) {
		f->has_boot_params = span_copy(data, 0, f->boot_params, BOOT_PARAMS_LEN);
		return 0;
	}
	if (r < 0 && r != -EFBIG)
		note(diag, "host/boot-params",
		     "/sys/kernel/boot_params/data: %s; the next kernel gets no screen_info, EDD "
		     "and secure boot state", strerror(-r));
	else
		note(diag, "host/boot-params",
		     "/sys/kernel/boot_params/data does not have the %d bytes of a boot_params; "
		     "it is not used", BOOT_PARAMS_LEN);
	return 0;
}

/* A node whose data cannot be had keeps its type: that alone says what the kernel was given. */
static int read_setup_node(const struct host_tree *t, struct arena *a, uint32_t number,
			   uint64_t *total_len, struct facts *f, struct setup_node *ret_room)
{
	struct setup_node node = { 0 };
	uint64_t type;
	int r, problem;

	problem = host_number_read(t, &type, "sys/kernel/boot_params/setup_data/%u/type", number);
	if (problem < 0)
		return problem;
	if (type > UINT32_MAX)
		return -EINVAL;
	node.type = (uint32_t)type;
	r = host_file_read(t, a, (size_t)min_u64(SETUP_DATA_LEN_MAX,
						 SETUP_TOTAL_LEN_MAX - *total_len),
			   &node.data, "sys/kernel/boot_params/setup_data/%u/data", number);
	*total_len += node.data.len;
	ret_room[f->n_setup++] = node;
	return r;
}

static int read_setup_data(const struct host_tree *t, struct arena *a, struct facts *f,
			   struct diag *diag)
{
	struct host_numbers numbers = { 0 };
	struct setup_node *nodes;
	size_t n_bad = 0;
	uint64_t total_len = 0;
	int r;

	r = host_list(t, a, "sys/kernel/boot_params/setup_data", "", SETUP_NODES_MAX, &numbers);
	if (r == -ENOMEM)
		return r;
	if (r == -E2BIG)
		note(diag, "host/setup-data-count",
		     "/sys/kernel/boot_params/setup_data has more than %d nodes; none is used",
		     SETUP_NODES_MAX);
	nodes = arena_alloc_array(a, numbers.n, sizeof(*nodes));
	if (!nodes)
		return -ENOMEM;
	for (size_t i = 0; i < numbers.n; i++) {
		r = read_setup_node(t, a, numbers.v[i], &total_len, f, nodes);
		if (r == -ENOMEM)
			return r;
		if (r < 0)
			n_bad++;
	}
	if (n_bad > 0)
		note(diag, "host/setup-data",
		     "%zu nodes of /sys/kernel/boot_params/setup_data could not be read", n_bad);
	f->setup = nodes;
	return 0;
}

/* ---- EFI ------------------------------------------------------------------------------------ */

/* "ACPI20=0x7fb7e014" and the like, a line each. */
static int read_systab(const struct host_tree *t, struct efi_facts *efi)
{
	const struct {
		const char *key;
		phys_t *addr;
	} known[] = {
		{ "ACPI20=", &efi->acpi20 },
		{ "ACPI=", &efi->acpi },
		{ "SMBIOS3=", &efi->smbios3 },
		{ "SMBIOS=", &efi->smbios },
	};
	struct host_attr attr;
	struct span line, value;
	int r;

	r = host_attr_read(t, &attr, "sys/firmware/efi/systab");
	if (r < 0)
		return r;
	efi->has_systab = true;
	while (text_next_line(&attr.text, &line))
		for (size_t i = 0; i < array_len(known); i++)
			if (text_starts_with(line, known[i].key, &value) &&
			    !text_number(text_trim(value), known[i].addr))
				*known[i].addr = 0;
	return 0;
}

static int read_runtime_entry(const struct host_tree *t, uint32_t number,
			      struct efi_runtime_entry *ret)
{
	struct efi_runtime_entry entry = { 0 };
	uint64_t type = 0, len, end;
	const struct {
		const char *name;
		uint64_t *v;
	} attributes[] = {
		{ "type", &type },
		{ "phys_addr", &entry.phys },
		{ "virt_addr", &entry.virt },
		{ "num_pages", &entry.n_pages },
		{ "attribute", &entry.attribute },
	};

	for (size_t i = 0; i < array_len(attributes); i++) {
		int r = host_number_read(t, attributes[i].v, "sys/firmware/efi/runtime-map/%u/%s",
					 number, attributes[i].name);

		if (r < 0)
			return r;
	}
	if (type > UINT32_MAX || !checked_mul(entry.n_pages, PAGE_LEN, &len) ||
	    !checked_add(entry.phys, len, &end) || !checked_add(entry.virt, len, &end))
		return -ERANGE;
	entry.type = (uint32_t)type;
	*ret = entry;
	return 0;
}

/* All or nothing: with a part of it the next kernel would call into firmware that is not mapped. */
static int read_runtime_map(const struct host_tree *t, struct arena *a, struct efi_facts *efi)
{
	struct host_numbers numbers;
	struct efi_runtime_entry *map;
	int r;

	r = host_list(t, a, "sys/firmware/efi/runtime-map", "", RUNTIME_MAP_MAX, &numbers);
	if (r < 0)
		return r;
	map = arena_alloc_array(a, numbers.n, sizeof(*map));
	if (!map)
		return -ENOMEM;
	for (size_t i = 0; i < numbers.n; i++) {
		r = read_runtime_entry(t, numbers.v[i], &map[i]);
		if (r < 0)
			return r;
	}
	efi->map = map;
	efi->n_map = numbers.n;
	return 0;
}

static int read_efi(const struct host_tree *t, struct arena *a, struct efi_facts *efi,
		    struct diag *diag)
{
	const struct {
		const char *name;
		phys_t *addr;
	} addresses[] = {
		{ "fw_vendor", &efi->fw_vendor },
		{ "runtime", &efi->runtime },
		{ "config_table", &efi->config_table },
	};
	uint64_t bits;
	int r;

	efi->is_booted = host_has_directory(t, "sys/firmware/efi");
	if (!efi->is_booted)
		return 0;
	if (host_number_read(t, &bits, "sys/firmware/efi/fw_platform_size") == 0 &&
	    (bits == 32 || bits == 64))
		efi->bits = (unsigned int)bits;
	for (size_t i = 0; i < array_len(addresses); i++)
		if (host_number_read(t, addresses[i].addr, "sys/firmware/efi/%s",
				     addresses[i].name) < 0)
			*addresses[i].addr = 0;
	if (read_systab(t, efi) < 0)
		efi->has_systab = false;
	r = read_runtime_map(t, a, efi);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		note(diag, "host/efi-runtime-map",
		     "/sys/firmware/efi/runtime-map: %s; EFI cannot be carried over", strerror(-r));
	return 0;
}

static void choose_rsdp(struct facts *f, struct diag *diag)
{
	uint64_t rsdp = 0;

	if (f->has_boot_params &&
	    span_le64(span_of(f->boot_params, BOOT_PARAMS_LEN),
		      offsetof(struct boot_params, acpi_rsdp_addr), &rsdp) && rsdp != 0) {
		f->rsdp = rsdp;
		f->rsdp_source = RSDP_BOOT_PARAMS;
	} else if (f->efi.acpi20 != 0 || f->efi.acpi != 0) {
		f->rsdp = f->efi.acpi20 != 0 ? f->efi.acpi20 : f->efi.acpi;
		f->rsdp_source = RSDP_EFI;
	} else if (f->efi.is_booted) {
		/* Without EFI the next kernel finds it as this one did, by a search below 1 MiB. */
		note(diag, "host/rsdp-unknown",
		     "neither boot_params nor /sys/firmware/efi/systab (readable by root) tells "
		     "where the ACPI RSDP is; the next kernel has no ACPI unless EFI is carried "
		     "over or acpi_rsdp= is on its command line");
	}
}

int host_read_firmware(const struct host_tree *t, struct arena *a, struct facts *f,
		       struct diag *diag)
{
	int r;

	r = read_boot_params(t, a, f, diag);
	if (r == 0)
		r = read_setup_data(t, a, f, diag);
	if (r == 0)
		r = read_efi(t, a, &f->efi, diag);
	if (r == 0)
		choose_rsdp(f, diag);
	return r;
}
