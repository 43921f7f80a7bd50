// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Purgatory: what runs between two kernels. It stands on its own feet first (stack, GDT, IDT, page
 * tables), then verifies every byte the loader put in place, says so in one line, and jumps.
 */
#include "console.h"
#include "purgatory.h"
#include "ring0.h"

#define DIGEST_SHOWN	8		/* bytes: enough to tell two digests apart */

#define FALLBACK_PORT		0x3f8	/* COM1 */
#define FALLBACK_DELAY_MS	5000

struct handoff handoff;

/* Nothing in a handoff that we do not understand can be used, not even to complain. */
static void distrust_handoff(void)
{
	handoff.flags = HANDOFF_SERIAL;
	handoff.serial_port = FALLBACK_PORT;
	handoff.serial_divisor = 0;
	handoff.fail_delay_ms = FALLBACK_DELAY_MS;
	handoff.tsc_khz = 0;
	handoff.log_len = 0;
}

static bool is_below_4gib(uint64_t start, uint64_t len)
{
	return start <= 4 * GIB && len <= 4 * GIB - start;
}

/* NULL, or what is wrong with the handoff. */
static const char *find_flaw(void)
{
	if (handoff.self != (uintptr_t)image_start)
		return "purgatory is not where the loader put it";
	if (handoff.n_regions > HANDOFF_REGIONS_MAX)
		return "too many segments";
	if (handoff.leave != LEAVE_64 && handoff.leave != LEAVE_32)
		return "unknown way to leave";
	if (handoff.leave == LEAVE_64)
		return NULL;

	if (!is_below_4gib(handoff.self, (uint64_t)(image_end - image_start)))
		return "32-bit entry, but purgatory is above 4 GiB";
	if (!is_below_4gib(handoff.entry, 1) || !is_below_4gib(handoff.arg, 1))
		return "32-bit entry, but kernel or parameters are above 4 GiB";
	if (!is_ring0() && handoff.ring3_cs32 == 0)
		return "32-bit entry, but no 32-bit code segment";
	return NULL;
}

static void check_handoff(void)
{
	const bool is_ours = handoff.magic == HANDOFF_MAGIC && handoff.len == sizeof(handoff);
	const char *flaw;

	if (!is_ours)
		distrust_handoff();
	flaw = is_ours ? find_flaw() : "it is not of this version";
	if (!flaw)
		return;

	console_start();
	say("kexec: the loader's handoff is unusable: ");
	say(flaw);
	say("\n");
	failure_end(VERDICT_BAD_HANDOFF);
}

static void load_page_tables(void)
{
	const phys_t root = read_cr4() & CR4_LA57 ? handoff.cr3_5level : handoff.cr3_4level;

	if (root != 0)
		write_cr3(root);
}

static void report_damage(const struct handoff_region *region, const uint8_t *found)
{
	say("kexec: segment ");
	say_bounded(region->name, sizeof(region->name));
	say(" is damaged: at ");
	say_hex(region->start);
	say(", length ");
	say_hex(region->len);
	say("\nkexec: SHA-256 expected ");
	say_bytes(region->sha256, DIGEST_SHOWN);
	say("..., found ");
	say_bytes(found, DIGEST_SHOWN);
	say("...\n");
}

static bool region_is_intact(const struct handoff_region *region)
{
	uint8_t found[SHA256_LEN];
	struct sha256 hash;

	sha256_start(&hash);
	sha256_add(&hash, (const void *)(uintptr_t)region->start, region->len);
	sha256_finish(&hash, found);
	if (__builtin_memcmp(found, region->sha256, SHA256_LEN) == 0)
		return true;
	report_damage(region, found);
	return false;
}

static void check_regions(void)
{
	uint32_t n_damaged = 0;

	if (handoff.flags & HANDOFF_NO_CHECKS) {
		handoff.verdict = VERDICT_UNCHECKED;
		return;
	}
	for (uint32_t i = 0; i < handoff.n_regions; i++) {
		if (region_is_intact(&handoff.regions[i]))
			continue;
		if (n_damaged++ == 0)
			handoff.bad_region = i;
	}
	if (n_damaged > 0)
		failure_end(VERDICT_MISMATCH);
	handoff.verdict = VERDICT_MATCH;
}

static void say_count(uint64_t n, const char *one, const char *many)
{
	say_number(n);
	say(" ");
	say(n == 1 ? one : many);
}

/* 61 characters at most, so that 115200 baud take less than 6 ms. */
static void say_success(void)
{
	const uint32_t n_nmis = __atomic_load_n(&handoff.n_nmis, __ATOMIC_RELAXED);

	if (handoff.flags & HANDOFF_QUIET)
		return;
	say("kexec: ");
	if (handoff.verdict == VERDICT_UNCHECKED)
		say("nothing checked, ");
	else
		say_count(handoff.n_regions, "segment intact, ", "segments intact, ");
	if (n_nmis > 0)
		say_count(n_nmis, "NMI, ", "NMIs, ");
	say("starting kernel\n");
	console_finish();
}

void purgatory_main(void)
{
	if (is_ring0())
		traps_start();
	check_handoff();
	if (is_ring0())
		load_page_tables();
	console_start();
	check_regions();
	say_success();

	if (handoff.leave == LEAVE_64)
		leave64();
	if (is_ring0())
		traps_prepare_32bit();
	leave32();
}
