// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Purgatory: what runs between two kernels. It stands on its own feet first (stack, GDT, IDT),
 * verifies itself (core.c), takes its own page tables, then verifies every byte the loader put in
 * place, says so in one line, and jumps.
 */
#include "boot_note.h"
#include "console.h"
#include "cpuid.h"
#include "crc32c.h"
#include "purgatory.h"
#include "report.h"
#include "ring0.h"
#include "sha256.h"

struct handoff handoff;

/* Of a kernel that comes back; else there is one run. */
static bool is_first_run;

static bool is_below_4gib(uint64_t start, uint64_t len)
{
	return start <= 4 * GIB && len <= 4 * GIB - start;
}

/* Is it in our segment, behind the image? */
static bool is_own_table(uint64_t start, uint64_t len)
{
	const uint64_t min = (uintptr_t)image_end, end = handoff.self + handoff.self_len;

	return start >= min && start <= end && len <= end - start;
}

static const char *find_flaw_in_digests(void)
{
	const bool is_sha = handoff.digest == HANDOFF_DIGEST_SHA256;
	const uint64_t digest_len = is_sha ? SHA256_LEN : CRC32C_LEN;

	if (handoff.digest == HANDOFF_DIGEST_NONE)
		return NULL;
	if (!is_sha && handoff.digest != HANDOFF_DIGEST_CRC32C)
		return "unknown digest";
	if (handoff.chunk_len == 0 || handoff.chunk_len % SHA256_BLOCK != 0)
		return "chunks of a length that cannot be";
	if (!is_own_table(handoff.digests, handoff.n_chunks * digest_len))
		return "the digests are not in purgatory's segment";
	for (uint32_t i = 0; i < handoff.n_regions; i++) {
		const struct handoff_region *r = &handoff.regions[i];
		const uint64_t n = r->len / handoff.chunk_len + (r->len % handoff.chunk_len != 0);

		if (r->len > UINT64_MAX - r->start)
			return "a segment that wraps";
		if (r->first_chunk > handoff.n_chunks || n > handoff.n_chunks - r->first_chunk)
			return "a segment without digests";
	}
	return NULL;
}

static const char *find_flaw_in_paging(void)
{
	const phys_t roots[] = { handoff.cr3_4level, handoff.cr3_5level };
	const bool is_wish = handoff.paging != HANDOFF_PAGING_KEEP;

	if (handoff.paging > HANDOFF_PAGING_5_LEVEL || (is_wish && handoff.leave != LEAVE_64))
		return "unknown paging mode";
	if (is_wish && !is_below_4gib(handoff.self, handoff.self_len))
		return "paging mode to be set, but purgatory is above 4 GiB";
	for (size_t i = 0; i < array_len(roots); i++)
		if ((is_wish || roots[i] != 0) && !is_own_table(roots[i], PAGE_LEN))
			return "the page tables are not in purgatory's segment";
	return NULL;
}

static const char *find_flaw_in_leave16(void)
{
	if (!is_below_4gib(handoff.self, (uint64_t)(image_end - image_start)))
		return "real mode entry, but purgatory is above 4 GiB";
	if (handoff.arg % 16 != 0 || handoff.arg > MIB - HANDOFF_REAL_LEN)
		return "real mode entry, but the setup code is not below 1 MiB";
	if (handoff.entry % 16 != 0 || handoff.entry - handoff.arg >= HANDOFF_REAL_LEN)
		return "real mode entry, but it is not in the setup code";
	if (!is_ring0())
		return "real mode entry, but this is a process";
	return NULL;
}

static const char *find_flaw_in_leave(void)
{
	if (handoff.leave == LEAVE_64)
		return NULL;
	if (handoff.leave == LEAVE_16)
		return find_flaw_in_leave16();
	if (handoff.leave != LEAVE_32)
		return "unknown way to leave";
	if (!is_below_4gib(handoff.self, (uint64_t)(image_end - image_start)))
		return "32-bit entry, but purgatory is above 4 GiB";
	if (!is_below_4gib(handoff.entry, 1) || !is_below_4gib(handoff.arg, 1) ||
	    !is_below_4gib(handoff.c_arg, 1))
		return "32-bit entry, but kernel or parameters are above 4 GiB";
	if (!is_ring0() && handoff.ring3_cs32 == 0)
		return "32-bit entry, but no 32-bit code segment";
	return NULL;
}

static const char *find_flaw_in_copy(void)
{
	const uint64_t start = handoff.copy_to, len = handoff.copy_len;

	if (len == 0)
		return NULL;
	if (len > UINT64_MAX - start || len > UINT64_MAX - handoff.copy_from)
		return "a copy that wraps";
	if (start < handoff.self + handoff.self_len && handoff.self < start + len)
		return "a copy over purgatory";
	return NULL;
}

static const char *find_flaw_in_note(void)
{
	const uint64_t start = handoff.boot_note, end = start + sizeof(struct boot_note);

	if (start == 0)
		return NULL;
	if (end < start)
		return "a boot note that wraps";
	if (start < handoff.self + handoff.self_len && handoff.self < end)
		return "a boot note in purgatory";
	return NULL;
}

static const char *find_flaw_in_coming_back(void)
{
	const bool has_text = handoff.come_back_text != 0;
	const bool is_count = handoff.n_runs_inverted == (handoff.n_runs == 0 ? 0 : ~handoff.n_runs);

	if (handoff.come_back == COME_BACK_NEVER)
		return NULL;
	if (handoff.come_back > COME_BACK_PEER || has_text != (handoff.come_back == COME_BACK_KERNEL))
		return "unknown way to come back";
	if (!is_count)
		return "the number of its runs is damaged";
	if (handoff.leave != LEAVE_64)
		return "to come back, but not from a 64-bit entry";
	if (handoff.come_back != COME_BACK_PROGRAM && !is_ring0())
		return "to come back to a kernel, but this is a process";
	return NULL;
}

/* NULL, or what is wrong with the handoff. */
static const char *find_flaw(void)
{
	const char *flaw;

	if (handoff.self != (uintptr_t)image_start)
		return "purgatory is not where the loader put it";
	if (handoff.self_len < (uint64_t)(image_end - image_start) ||
	    handoff.self_len > UINT64_MAX - handoff.self)
		return "purgatory's segment is shorter than purgatory";
	if (handoff.n_regions > HANDOFF_REGIONS_MAX)
		return "too many segments";
	flaw = find_flaw_in_leave();
	if (!flaw)
		flaw = find_flaw_in_paging();
	if (!flaw)
		flaw = find_flaw_in_copy();
	if (!flaw)
		flaw = find_flaw_in_note();
	if (!flaw)
		flaw = find_flaw_in_coming_back();
	return flaw ? flaw : find_flaw_in_digests();
}

static _Noreturn void refuse(const char *flaw)
{
	console_start();
	say("kexec: the loader's handoff is unusable: ");
	say(flaw);
	say("\n");
	failure_end(VERDICT_BAD_HANDOFF);
}

void refuse_handoff(void)
{
	distrust_handoff();
	refuse("it is not of this version");
}

static void check_handoff(void)
{
	const char *flaw = find_flaw();

	if (flaw)
		refuse(flaw);
}

/* Our page tables, and the paging mode that the new kernel is to have. Ring 0 only. */
static void set_paging(void)
{
	const uint64_t cr4 = read_cr4();
	const bool is_5level = cr4 & CR4_LA57;
	bool wants_5level = is_5level;
	phys_t root;

	if (handoff.paging == HANDOFF_PAGING_4_LEVEL)
		wants_5level = false;
	else if (handoff.paging == HANDOFF_PAGING_5_LEVEL)
		wants_5level = is_5level || (cpuid_read(7).ecx & CPUID_7_ECX_LA57);
	root = wants_5level ? handoff.cr3_5level : handoff.cr3_4level;
	handoff.n_levels = wants_5level ? 5 : 4;

	if (wants_5level != is_5level) {
		traps_prepare_unpaged(SEL_CODE32);
		paging_switch((uint32_t)(cr4 ^ CR4_LA57), (uint32_t)root);
	} else if (root != 0) {
		write_cr3(root);
	}
}

static void say_count(uint64_t n, const char *one, const char *many)
{
	say_number(n);
	say(" ");
	say(n == 1 ? one : many);
}

static const char *next_step(void)
{
	if (handoff.come_back == COME_BACK_PROGRAM)
		return "starting program\n";
	return handoff.come_back == COME_BACK_PEER ? "jumping back\n" : "starting kernel\n";
}

/* 61 characters at most, so that 115200 baud take less than 6 ms. */
static void say_success(void)
{
	const uint32_t n_nmis = __atomic_load_n(&handoff.n_nmis, __ATOMIC_RELAXED);

	if (handoff.flags & HANDOFF_QUIET)
		return;
	say("kexec: ");
	if (!is_first_run)
		say("once more, ");
	else if (handoff.come_back == COME_BACK_PEER)
		say("intact, ");
	else if (handoff.verdict == VERDICT_UNCHECKED)
		say("nothing checked, ");
	else
		say_count(handoff.n_regions, "segment intact, ", "segments intact, ");
	if (n_nmis > 0)
		say_count(n_nmis, "NMI, ", "NMIs, ");
	say(next_step());
	console_finish();
}

/* The dead kernel's lowest memory, which the next one starts its other CPUs in. */
static void save_memory(void)
{
	__builtin_memcpy((void *)(uintptr_t)handoff.copy_to,
			 (const void *)(uintptr_t)handoff.copy_from, handoff.copy_len);
}

/* For the next kernel. Its segment has been verified, nothing compares it again. */
static void leave_marks(uint64_t entered, uint64_t verified)
{
	struct boot_note *note = (struct boot_note *)(uintptr_t)handoff.boot_note;

	if (!note || note->magic != BOOT_NOTE_MAGIC || note->len != sizeof(*note))
		return;
	note->entered = entered;
	note->verified = verified;
	note->verdict = handoff.verdict;
	note->n_nmis = __atomic_load_n(&handoff.n_nmis, __ATOMIC_RELAXED);
	note->left = read_tsc();
}

static void write_digits(uint64_t at, uint64_t value)
{
	static const char digits[] = "0123456789abcdef";
	char *text = (char *)(uintptr_t)at;

	for (uint32_t i = 0; i < COME_BACK_DIGITS; i++)
		text[i] = digits[value >> (60 - 4 * i) & 15];
}

/* For the next kernel's command line, where the loader has left room. */
static void tell_return(void)
{
	write_digits(handoff.come_back_text, handoff.host_return);
	write_digits(handoff.come_back_text + COME_BACK_DIGITS + sizeof(COME_BACK_GDT) - 1,
		     handoff.host_gdt);
}

/* Does not return but for COME_BACK_KERNEL, which leaves as ever. */
static void leave_to_come_back(void)
{
	if (handoff.come_back == COME_BACK_PROGRAM)
		call_program();
	if (handoff.come_back == COME_BACK_PEER)
		jump_to_peer();
}

/* A jump that damage has led past something that verifies ends here. */
static void check_verdict(void)
{
	if (take_proof_of_self() && handoff.verdict != VERDICT_NONE)
		return;
	handoff.bad_region = HANDOFF_SELF;
	console_start();
	say("kexec: segment purgatory is damaged: it came here by another way\n");
	failure_end(VERDICT_MISMATCH);
}

/* The same kernel may jump here again, and finds what the last run has left. */
static void start_run(void)
{
	is_first_run = true;
	if (handoff.come_back == COME_BACK_NEVER) {
		handoff.log_len = 0;
		return;
	}
	is_first_run = handoff.n_runs == 0;
	handoff.n_runs++;
	handoff.n_runs_inverted = ~handoff.n_runs;
	if (is_first_run)
		handoff.peer = handoff.entry;
	else
		handoff.log_len = 0;
	if (is_ring0())
		handoff.host_gdt = traps_find_host_gdt();
}

void purgatory_go_on(uint64_t entered)
{
	uint64_t verified;

	check_handoff();
	start_run();
	if (is_ring0() && (handoff.flags & HANDOFF_RESET_VGA))
		vga_set_text_mode();
	console_start();
	verify_self();
	if (is_ring0())
		set_paging();
	/* After the first run they are what the program has made of them. */
	if (is_first_run)
		verify_regions();
	verified = read_tsc();
	save_memory();
	if (handoff.come_back == COME_BACK_KERNEL)
		tell_return();
	if (handoff.leave == LEAVE_16)
		real_mode_check_bios();
	say_success();
	leave_marks(entered, verified);
	check_verdict();

	leave_to_come_back();
	if (handoff.leave == LEAVE_64)
		leave64();
	if (is_ring0())
		traps_prepare_32bit();
	if (handoff.leave == LEAVE_32)
		leave32();
	real_mode_prepare();
	leave16();
}
