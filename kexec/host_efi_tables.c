// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tables that a kernel's EFI stub leaves to the kernel, and to each that is kexec'd after it: the
 * firmware's list goes on naming them, though the memory they are in counts as free. Linux clears
 * the one with the initrd's address when it reads it, and the bits of the random seed, so what is
 * loaded there would be damaged by the kernel that starts, after purgatory has verified it.
 * Source: drivers/firmware/efi/efi.c, efi_config_parse_tables(); include/linux/efi.h; UEFI
 * Specification 2.10, 4.6.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "host_parts.h"

#define GUID_LEN	16
#define TABLES_MAX	64	/* firmware has a dozen */
#define HEAD_LEN	2048	/* of a table: the longest, a random seed, has some hundred bytes */

struct table_kind {
	uint8_t guid[GUID_LEN];
	const char *name;
};

static const struct table_kind kinds[] = {
	{ { 0x27, 0xe4, 0x68, 0x55, 0xfc, 0x68, 0x3d, 0x4f, 0xac, 0x74, 0xca, 0x55, 0x52, 0x31, 0xcc,
	    0x68 },
	  "the initrd's address" },
	{ { 0xbc, 0xe5, 0xe1, 0x1c, 0xeb, 0x7c, 0xf2, 0x42, 0x81, 0xe5, 0x8a, 0xad, 0xf1, 0x80, 0xf5,
	    0x7b },
	  "the random seed" },
	{ { 0xb0, 0x9c, 0x79, 0xb7, 0xa2, 0xec, 0x43, 0x49, 0x96, 0x67, 0x1f, 0xae, 0x07, 0xb7, 0x47,
	    0xfa },
	  "the TPM's event log" },
};

/* Entry i of the list, if it is one of the kinds. */
static const struct table_kind *read_entry(struct span list, size_t i, unsigned int bits,
					   phys_t *ret_addr)
{
	const size_t pointer_len = bits / 8, len = GUID_LEN + pointer_len;
	struct span entry;
	uint64_t addr = 0;

	if (!span_sub(list, i * len, len, &entry) ||
	    !span_copy(entry, GUID_LEN, &addr, pointer_len) || addr == 0 ||
	    addr > UINT64_MAX - HEAD_LEN - PAGE_LEN)
		return NULL;
	for (size_t k = 0; k < array_len(kinds); k++) {
		if (memcmp(entry.data, kinds[k].guid, GUID_LEN) == 0) {
			*ret_addr = addr;
			return &kinds[k];
		}
	}
	return NULL;
}

int host_withhold_listed(struct span list, struct facts *f, struct diag *diag)
{
	if (f->efi.bits != 32 && f->efi.bits != 64)
		return 0;
	for (size_t i = 0; i < TABLES_MAX; i++) {
		phys_t addr = 0;
		const struct table_kind *kind = read_entry(list, i, f->efi.bits, &addr);
		struct range pages = { align_down(addr, PAGE_LEN),
				       align_down(addr + HEAD_LEN + PAGE_LEN - 1, PAGE_LEN) };

		if (!kind)
			continue;
		if (range_list_subtract(&f->ram, pages) < 0)
			return fail_nomem(diag);
		note(diag, "host/efi-table", "nothing is loaded at %#" PRIx64 ", where %s is", addr,
		     kind->name);
	}
	return 0;
}

int host_withhold_efi_tables(const char *root, struct facts *f, struct diag *diag)
{
	const bool is_machine = *root == '\0' || strcmp(root, "/") == 0;
	uint8_t list[TABLES_MAX * (GUID_LEN + 8)];
	ssize_t got;
	int fd;

	/* A locked down kernel would refuse, and write that down; it takes no segments either. */
	if (!is_machine || f->efi.config_table == 0 || facts_locked_down(f))
		return 0;
	fd = open("/dev/mem", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	got = pread(fd, list, sizeof(list), (off_t)f->efi.config_table);
	close(fd);
	return got <= 0 ? 0 : host_withhold_listed(span_of(list, (size_t)got), f, diag);
}
