// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A whole file, as it is: unwrap, probe, plan, place, finish, check. What comes out as a plan keeps the
 * promises that make a load safe, and comes out again from the same file and seed.
 *
 * The mutator knows the setup header: half of the time it changes a field of it to a value at a border.
 * Seeds are the images of tests/corpus.
 */
#include <string.h>

#include "arch/x86/bzimage.h"
#include "lib_check.h"
#include "lib_image.h"
#include "lib_plan.h"
#include "lib_safe.h"
#include "probe.h"
#include "sha256.h"

#define FILE_MAX	(96 * KIB)
#define SPARE		(8 * MIB)	/* of memory: bombs end at half of it */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max_len, unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t len, size_t max_len);

static bool is_linux(const struct plan *plan)
{
	return plan->jump_mode == JUMP_16 || (plan->jump_arg != 0 && plan->jump_ebx == 0 &&
					      strncmp(plan->type, "multiboot", 9) != 0);
}

/* True if it was planned; then its hash. */
static bool plan_file(const uint8_t *data, size_t len, uint8_t choice, uint8_t ret[SHA256_LEN])
{
	static const uint8_t ramdisk[PAGE_LEN + 1];
	struct unwrapped unwrapped = { 0 };
	struct arena arena = { 0 };
	struct facts facts;
	struct request req;
	struct plan plan;
	struct diag diag;
	int r;

	diag_init(&diag, &arena);
	/* An ELF kernel may have a GiB of .bss, which the kernel has time for and a fuzzer has not. */
	make_facts(&facts, &arena, choice & 1 || span_starts_with(span_of(data, len), "\177ELF", 4) ?
			   256 * MIB : 5 * GIB);
	facts.ram_available = SPARE;
	facts.cpu.is_la57_on = choice & 2;
	make_request(&req, data, len);
	req.kernel_path = "image";
	req.has_seed = choice & 4;
	if (choice & 8)
		req.initrd = span_of(ramdisk, sizeof(ramdisk));
	r = probe_unwrap(&req, &facts, &arena, &unwrapped, &diag);
	if (r == 0) {
		facts.ram_available = 0;
		r = plan_request(&req, &facts, &arena, &plan, &diag);
	}
	CHECK((r < 0) == (diag.id != NULL) && (r == 0 || (diag.error > 0 && diag.text[0])));
	if (r == 0) {
		require_safe_plan(&plan, &req, &facts);
		if (is_linux(&plan))
			require_safe_pointers(&plan, &req);
		hash_plan(&plan, ret);
	}
	unwrapped_free(&unwrapped);
	arena_free(&arena);
	return r == 0;
}

/* Window sizes and unpacked lengths may name a GiB, which the kernel has and a fuzzer should not. */
static bool is_too_costly(const uint8_t *data, size_t len)
{
	return len > FILE_MAX || (len > HDR_INIT_SIZE + 4 && at32(data, HDR_INIT_SIZE) > 64 * MIB);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t one[SHA256_LEN] = { 0 }, two[SHA256_LEN] = { 0 };
	uint8_t choice = len > 0 ? data[len / 2] : 0;

	if (is_too_costly(data, len))
		return 0;
	CHECK(plan_file(data, len, choice, one) == plan_file(data, len, choice, two));
	CHECK(memcmp(one, two, sizeof(one)) == 0);
	return 0;
}

/* ---- the mutator ---- */

static const struct {
	uint16_t off;
	uint8_t len;
} fields[] = {
	{ HDR_SETUP_SECTS, 1 },	     { HDR_SYSSIZE, 4 },	 { HDR_BOOT_FLAG, 2 },
	{ HDR_JUMP + 1, 1 },	     { HDR_VERSION, 2 },	 { HDR_KERNEL_VERSION, 2 },
	{ HDR_LOADFLAGS, 1 },	     { HDR_CODE32_START, 4 },	 { HDR_INITRD_ADDR_MAX, 4 },
	{ HDR_KERNEL_ALIGNMENT, 4 }, { HDR_RELOCATABLE_KERNEL, 1 }, { HDR_MIN_ALIGNMENT, 1 },
	{ HDR_XLOADFLAGS, 2 },	     { HDR_CMDLINE_SIZE, 4 },	 { HDR_PAYLOAD_OFFSET, 4 },
	{ HDR_PAYLOAD_LENGTH, 4 },   { HDR_SETUP_DATA, 8 },	 { HDR_PREF_ADDRESS, 8 },
	{ HDR_INIT_SIZE, 4 },	     { HDR_KERNEL_INFO_OFFSET, 4 },
};

static uint64_t border(uint64_t old, size_t file_len, unsigned int which)
{
	const uint64_t values[] = { 0,	     1,		  old + 1,	old - 1,	old ^ 0x80,
				    old * 2, UINT32_MAX,  UINT64_MAX,	INT32_MAX,	file_len,
				    old / 2, file_len - 512, PAGE_LEN, 2 * MIB, old + PAGE_LEN };

	return values[which % array_len(values)];
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max_len, unsigned int seed)
{
	size_t i = seed / 2 % array_len(fields);
	uint64_t old = 0, new;

	if (seed % 2 || len < HDR_KERNEL_INFO_OFFSET + 4)
		return LLVMFuzzerMutate(data, len, max_len);
	memcpy(&old, data + fields[i].off, fields[i].len);
	new = border(old, len, seed / 64);
	memcpy(data + fields[i].off, &new, fields[i].len);
	return len;
}
