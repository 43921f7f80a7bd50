// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The ACPI root pointer itself, from physical memory. Linux shows where it is and not what it says;
 * multiboot2 hands on a copy. Source: ACPI Specification 6.5, 5.2.5.3.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "host_parts.h"

#define RSDP_LEN_1	20	/* ACPI 1.0; the first checksum is of so many bytes in all versions */
#define RSDP_REVISION	15
#define RSDP_LENGTH	20	/* 32 bits, from revision 2 on */

static bool sums_to_zero(struct span s)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < s.len; i++)
		sum = (uint8_t)(sum + s.data[i]);
	return sum == 0;
}

size_t host_rsdp_len(struct span bytes)
{
	struct span part;
	uint8_t revision;
	uint32_t len;

	if (!span_starts_with(bytes, "RSD PTR ", 8) || !span_sub(bytes, 0, RSDP_LEN_1, &part) ||
	    !sums_to_zero(part) || !span_u8(bytes, RSDP_REVISION, &revision))
		return 0;
	if (revision < 2)
		return RSDP_LEN_1;
	if (!span_le32(bytes, RSDP_LENGTH, &len) || len != RSDP_LEN_MAX ||
	    !span_sub(bytes, 0, len, &part) || !sums_to_zero(part))
		return 0;
	return len;
}

void host_read_rsdp(const char *root, struct facts *f)
{
	const bool is_machine = *root == '\0' || strcmp(root, "/") == 0;
	ssize_t got;
	int fd;

	/* A locked down kernel would refuse, and write that down. */
	if (!is_machine || f->rsdp == 0 || facts_locked_down(f))
		return;
	fd = open("/dev/mem", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	got = pread(fd, f->rsdp_bytes, RSDP_LEN_MAX, (off_t)f->rsdp);
	close(fd);
	f->rsdp_len = got > 0 ? host_rsdp_len(span_of(f->rsdp_bytes, (size_t)got)) : 0;
}
