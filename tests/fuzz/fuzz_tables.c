// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What firmware and kernel leave in memory, of any bytes: EFI's list of tables, ACPI's root pointer, a
 * page of perf about the TSC. The first byte says how wide pointers are.
 */
#include <linux/perf_event.h>
#include <string.h>

#include "host_parts.h"
#include "lib_check.h"
#include "lib_image.h"
#include "tsc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static uint64_t ram_len(const struct facts *f)
{
	uint64_t len = 0;

	for (size_t i = 0; i < f->ram.n; i++) {
		CHECK(f->ram.r[i].start < f->ram.r[i].end && f->ram.r[i].start % PAGE_LEN == 0 &&
		      f->ram.r[i].end % PAGE_LEN == 0);
		CHECK(i == 0 || f->ram.r[i - 1].end <= f->ram.r[i].start);
		len += range_len(f->ram.r[i]);
	}
	return len;
}

/* What is left is RAM as before, and no more than the pages of 64 tables is gone. */
static void read_efi(struct span list, unsigned int bits)
{
	static const uint8_t initrd_guid[] = { 0x27, 0xe4, 0x68, 0x55, 0xfc, 0x68, 0x3d, 0x4f,
					       0xac, 0x74, 0xca, 0x55, 0x52, 0x31, 0xcc, 0x68 };
	const size_t step = sizeof(initrd_guid) + bits / 8;
	uint8_t named[4096];
	struct arena arena = { 0 };
	struct facts *f = arena_alloc(&arena, sizeof(*f));
	struct diag diag;
	uint64_t before;

	CHECK(f);
	diag_init(&diag, &arena);
	make_facts(f, &arena, 5 * GIB);
	f->efi.bits = bits;
	before = ram_len(f);
	CHECK(host_withhold_listed(list, f, &diag) == 0);
	/* The same with names that are known. */
	list.len = min_size(list.len, sizeof(named));
	memcpy(named, list.data, list.len);
	for (size_t at = 0; bits > 0 && at + step <= list.len; at += step)
		if (named[at] & 1)
			memcpy(named + at, initrd_guid, sizeof(initrd_guid));
	CHECK(host_withhold_listed(span_of(named, list.len), f, &diag) == 0);
	CHECK(ram_len(f) <= before && before - ram_len(f) <= UINT64_C(2) * 64 * 2 * PAGE_LEN);
	arena_free(&arena);
}

static void read_rsdp(struct span bytes)
{
	uint8_t copy[RSDP_LEN_MAX];
	uint8_t sum = 0;
	size_t len = host_rsdp_len(bytes);

	CHECK(len == 0 || (len <= bytes.len && (len == 20 || len == RSDP_LEN_MAX)));
	if (bytes.len < sizeof(copy))
		return;
	/* With a name and sums that are right. */
	memcpy(copy, bytes.data, sizeof(copy));
	memcpy(copy, "RSD PTR ", 8);
	copy[8] = 0;
	for (size_t i = 0; i < 20; i++)
		sum = (uint8_t)(sum + copy[i]);
	copy[8] = (uint8_t)-sum;
	copy[20] = copy[20] & 1 ? RSDP_LEN_MAX : copy[20];
	copy[21] = copy[22] = copy[23] = 0;
	copy[32] = sum = 0;
	for (size_t i = 0; i < sizeof(copy); i++)
		sum = (uint8_t)(sum + copy[i]);
	copy[32] = (uint8_t)-sum;
	len = host_rsdp_len(span_of(copy, sizeof(copy)));
	CHECK(len == (copy[15] < 2 ? 20 : copy[20] == RSDP_LEN_MAX ? RSDP_LEN_MAX : 0));
}

static void read_page(struct span bytes)
{
	struct perf_event_mmap_page page = { .lock = 0 };
	struct tsc_clock clock = { .khz = 0 };
	uint64_t at = 0;

	if (!span_copy(bytes, 0, &page.lock, 4))
		page.lock = 2;
	page.cap_user_time_zero = bytes.len > 4 && bytes.data[4] != 0;
	if (span_copy(bytes, 5, &page.time_mult, 4) && span_copy(bytes, 9, &page.time_shift, 2) &&
	    span_copy(bytes, 11, &at, 8))
		page.time_zero = at;
	tsc_use_page(&page, &clock);
	CHECK(clock.khz == 0 || clock.khz_source);
	CHECK(!clock.has_start || (clock.khz > 0 && clock.start_source));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const unsigned int bits[] = { 64, 32, 0 };

	if (len < 1)
		return 0;
	read_efi(span_of(data + 1, len - 1), bits[data[0] % 3]);
	read_rsdp(span_of(data + 1, len - 1));
	read_page(span_of(data + 1, len - 1));
	return 0;
}
