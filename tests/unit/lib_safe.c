// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib_safe.h"

#include <string.h>

#include "arch/x86/bzimage.h"
#include "arch/x86/inspect_image.h"
#include "arch/x86/purgatory.h"
#include "crc32c.h"
#include "lib_check.h"
#include "lib_image.h"
#include "sha256.h"

#define NODES_MAX	16
#define NODE_LEN	16	/* of its header: the next one's address, type, length */
#define LIMIT		(64 * TIB)	/* of destinations, with 4-level page tables */

/* The zero page, where bzimage.h has no name: Documentation/arch/x86/zero-page.rst */
enum {
	ZP_RAMDISK_UPPER = 0x0c0,
	ZP_CMDLINE_UPPER = 0x0c8,
	ZP_EFI_SIGNATURE = 0x1c0,
	ZP_EFI_DESC_LEN = 0x1c8,
	ZP_EFI_MAP = 0x1d0,
	ZP_EFI_MAP_LEN = 0x1d4,
	ZP_EFI_MAP_UPPER = 0x1dc,
	ZP_E820_ENTRIES = 0x1e8,
	ZP_SENTINEL = 0x1ef,
};

bool is_in_a_segment(const struct plan *plan, phys_t addr, uint64_t len)
{
	for (size_t i = 0; i < plan->n_segments; i++) {
		const struct segment *s = &plan->segments[i];

		if (addr >= s->addr && addr - s->addr <= s->reserve_len &&
		    len <= s->reserve_len - (addr - s->addr))
			return true;
	}
	return false;
}

/* ---- segments ------------------------------------------------------------------------------- */

static bool is_in_ranges(const struct range_list *l, phys_t addr, uint64_t len)
{
	for (size_t i = 0; i < l->n; i++)
		if (addr >= l->r[i].start && addr < l->r[i].end && l->r[i].end - addr >= len)
			return true;
	return false;
}

static void check_place(const struct segment *s, const struct request *req,
			const struct facts *facts)
{
	const struct range_list *ram = s->is_fixed ? &facts->withheld :
				       s->end <= MIB ? &facts->low_ram : &facts->ram;

	CHECK(s->is_placed && s->addr % PAGE_LEN == 0 && s->mem_len % PAGE_LEN == 0);
	CHECK(s->bytes.len <= s->mem_len && s->mem_len <= s->reserve_len && s->reserve_len > 0);
	CHECK(s->align != 0 && s->addr % s->align == 0);
	CHECK(s->addr < LIMIT && s->reserve_len <= LIMIT - s->addr);
	CHECK(s->addr >= req->mem_min && s->addr + s->reserve_len <= req->mem_end);
	CHECK(s->addr >= s->min && s->addr + s->reserve_len <= s->end);
	CHECK(is_in_ranges(ram, s->addr, s->reserve_len));
}

static void check_segments(const struct plan *plan, const struct request *req,
			   const struct facts *facts)
{
	uint64_t total = 0;

	CHECK(plan->n_segments > 0 && plan->n_segments <= PLAN_SEGMENTS_MAX);
	for (size_t i = 0; i < plan->n_segments; i++) {
		const struct segment *s = &plan->segments[i];

		check_place(s, req, facts);
		total += s->mem_len;
		for (size_t k = 0; k < i; k++) {
			const struct segment *o = &plan->segments[k];

			CHECK(s->addr >= o->addr + o->reserve_len ||
			      o->addr >= s->addr + s->reserve_len);
		}
	}
	CHECK(facts->ram_total == 0 || total <= facts->ram_total / 2);
	CHECK(is_in_a_segment(plan, plan->entry, 1) && is_in_a_segment(plan, plan->jump_entry, 1));
	CHECK(plan->jump_arg == 0 || is_in_a_segment(plan, plan->jump_arg, 1));
	CHECK(plan->jump_ebx == 0 || is_in_a_segment(plan, plan->jump_ebx, 1));
	CHECK(plan->cmdline_addr == 0 || is_in_a_segment(plan, plan->cmdline_addr, 1));
}

/* ---- purgatory ------------------------------------------------------------------------------ */

/* May change after the load, so that no digest can be of it. */
static bool is_kept_by_the_kernel(const struct plan *plan, const struct segment *s)
{
	return plan->crash && plan->crash->is_kept_current && s->addr == plan->crash->elfcorehdr;
}

/* A backup is written by purgatory itself. */
static bool is_verified(const struct plan *plan, const struct segment *s)
{
	return strcmp(s->name, PURGATORY_SEGMENT) != 0 && !is_kept_by_the_kernel(plan, s) &&
	       s->bytes.len > 0;
}

static const struct handoff_region *find_region(const struct handoff *h, const struct segment *s)
{
	for (size_t i = 0; i < h->n_regions; i++)
		if (h->regions[i].start == s->addr)
			return &h->regions[i];
	return NULL;
}

/* Of a long segment, which has taken its time already, the first chunks and the last one. */
static void check_digests(const struct segment *s, const struct handoff *h,
			  const struct handoff_region *region, const uint8_t *table)
{
	const size_t one = h->digest == HANDOFF_DIGEST_SHA256 ? SHA256_LEN : CRC32C_LEN;
	const size_t n = (s->bytes.len + h->chunk_len - 1) / h->chunk_len;
	struct crc32c crc;

	CHECK(region->len == s->bytes.len && region->first_chunk + n <= h->n_chunks);
	crc32c_start(&crc);
	for (size_t i = 0; i < n; i = i == 1 && n > 3 ? n - 1 : i + 1) {
		const uint8_t *chunk = s->bytes.data + i * h->chunk_len;
		const size_t len = min_size(s->bytes.len - i * h->chunk_len, h->chunk_len);
		uint8_t found[SHA256_LEN];
		struct sha256 sha;

		if (h->digest == HANDOFF_DIGEST_SHA256) {
			sha256_start(&sha);
			sha256_add(&sha, chunk, len);
			sha256_finish(&sha, found);
		} else {
			crc32c_chunks(&crc, chunk, len, len, found);
		}
		CHECK(memcmp(found, table + (region->first_chunk + i) * one, one) == 0);
	}
}

static void check_purgatory(struct plan *plan, const struct request *req)
{
	const struct segment *self = plan_find(plan, PURGATORY_SEGMENT);
	struct purgatory_head head;
	struct handoff h;
	struct crc32c crc;

	CHECK(self && span_copy(self->bytes, 0, &head, sizeof(head)));
	CHECK(span_copy(self->bytes, head.handoff_off, &h, sizeof(h)));
	crc32c_start(&crc);
	CHECK(h.magic == HANDOFF_MAGIC && h.len == sizeof(h) && h.self == self->addr);
	CHECK(crc32c_add(&crc, 0, &h, offsetof(struct handoff, crc)) == h.crc);
	CHECK(crc32c_add(&crc, 0, self->bytes.data + head.mem_len,
			 self->bytes.len - head.mem_len) == h.tables_crc);
	CHECK(crc32c_add(&crc, 0, self->bytes.data + head.report_off,
			 head.report_end - head.report_off) == h.report_crc);
	CHECK(h.entry == plan->jump_entry && h.arg == plan->jump_arg && h.ebx == plan->jump_ebx);
	for (size_t i = 0; i < 2; i++) {
		const phys_t root = i ? h.cr3_5level : h.cr3_4level;

		CHECK(root >= self->addr && root % PAGE_LEN == 0 &&
		      root + PAGE_LEN <= self->addr + self->bytes.len);
	}
	if (req->digest == DIGEST_NONE)
		return;
	CHECK(h.digest != HANDOFF_DIGEST_NONE && h.chunk_len > 0 && h.digests >= self->addr &&
	      h.digests < self->addr + self->bytes.len);
	for (size_t i = 0; i < plan->n_segments; i++) {
		const struct segment *s = &plan->segments[i];
		const struct handoff_region *region = find_region(&h, s);

		CHECK(!is_verified(plan, s) || region);
		if (region)
			check_digests(s, &h, region, self->bytes.data + (h.digests - self->addr));
	}
}

void require_safe_plan(struct plan *plan, const struct request *req, const struct facts *facts)
{
	check_segments(plan, req, facts);
	check_purgatory(plan, req);
}

/* ---- the zero page -------------------------------------------------------------------------- */

static const uint8_t *bytes_at(const struct plan *plan, phys_t addr, uint64_t len)
{
	for (size_t i = 0; i < plan->n_segments; i++) {
		const struct segment *s = &plan->segments[i];

		if (addr >= s->addr && addr - s->addr <= s->bytes.len &&
		    len <= s->bytes.len - (addr - s->addr))
			return s->bytes.data + (addr - s->addr);
	}
	return NULL;
}

/* The kernel reads the header of a node before it knows its length. */
static void check_setup_data(const struct plan *plan, phys_t node)
{
	for (int n = 0; node != 0; n++) {
		const uint8_t *head = bytes_at(plan, node, NODE_LEN);

		CHECK(n < NODES_MAX && head);
		CHECK(bytes_at(plan, node, NODE_LEN + at32(head, 12)));
		node = at64(head, 0);
	}
}

static void check_efi(const struct plan *plan, const uint8_t *zp)
{
	if (at32(zp, ZP_EFI_SIGNATURE) == 0)
		return;
	CHECK(at32(zp, ZP_EFI_DESC_LEN) > 0);
	CHECK(bytes_at(plan, at32(zp, ZP_EFI_MAP) | (uint64_t)at32(zp, ZP_EFI_MAP_UPPER) << 32,
		       at32(zp, ZP_EFI_MAP_LEN)));
}

void require_safe_pointers(struct plan *plan, const struct request *req)
{
	const bool is_real_mode = plan->jump_mode == JUMP_16;
	const struct segment *params = plan_find(plan, is_real_mode ? "setup" : "params");
	const struct segment *initrd = plan_find(plan, "initrd");
	/* What is above 4 GiB the setup header does not say, and its kernel is not there. */
	const uint64_t upper = is_real_mode ? 0 : UINT64_MAX;
	const uint8_t *zp;
	phys_t cmdline, ramdisk;

	CHECK(params && plan->jump_arg == params->addr && params->bytes.len >= 0x290);
	zp = params->bytes.data;
	cmdline = at32(zp, HDR_CMD_LINE_PTR) | ((uint64_t)at32(zp, ZP_CMDLINE_UPPER) << 32 & upper);
	ramdisk = at32(zp, HDR_RAMDISK_IMAGE) | ((uint64_t)at32(zp, ZP_RAMDISK_UPPER) << 32 & upper);
	CHECK(is_in_a_segment(plan, cmdline, 2048));
	CHECK((initrd != NULL) == (req->initrd.len > 0));
	CHECK(!initrd || (ramdisk == initrd->addr && at32(zp, HDR_RAMDISK_SIZE) != 0));
	if (at16(zp, HDR_VERSION) >= 0x0209)
		check_setup_data(plan, at64(zp, HDR_SETUP_DATA));
	if (is_real_mode) {
		CHECK(params->addr + params->mem_len <= MIB &&
		      is_in_a_segment(plan, at32(zp, HDR_CODE32_START), 1));
		return;
	}
	CHECK(params->bytes.len >= BOOT_PARAMS_LEN && at8(zp, ZP_SENTINEL) == 0);
	CHECK(at8(zp, ZP_E820_ENTRIES) > 0 && at8(zp, ZP_E820_ENTRIES) <= 128);
	check_efi(plan, zp);
}

void hash_plan(const struct plan *plan, uint8_t ret[SHA256_LEN])
{
	struct sha256 h;

	sha256_start(&h);
	for (size_t i = 0; i < plan->n_segments; i++) {
		const struct segment *s = &plan->segments[i];

		sha256_add(&h, s->name, sizeof(s->name));
		sha256_add(&h, &s->addr, sizeof(s->addr));
		sha256_add(&h, &s->mem_len, sizeof(s->mem_len));
		if (s->bytes.len > 0)
			sha256_add(&h, s->bytes.data, s->bytes.len);
	}
	sha256_add(&h, &plan->entry, sizeof(plan->entry));
	sha256_add(&h, &plan->jump_entry, sizeof(plan->jump_entry));
	sha256_add(&h, &plan->jump_arg, sizeof(plan->jump_arg));
	sha256_finish(&h, ret);
}

void require_safe_inspection(struct span file)
{
	struct inspect_memory memory = { 0 };
	struct arena arena = { 0 };
	struct inspection in;
	struct diag diag;

	diag_init(&diag, &arena);
	if (inspect_image(file, "file", NULL, &arena, &memory, &in, &diag) < 0)
		CHECK(diag.id && diag.error > 0 && diag.text[0]);
	else
		for (size_t i = 0; i < in.n_parts; i++)
			CHECK(in.parts[i].off <= in.file_len &&
			      in.parts[i].len <= in.file_len - in.parts[i].off);
	inspect_memory_free(&memory);
	arena_free(&arena);
}
