// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch/x86/purgatory.h"

#include <asm/bootparam.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "arch/x86/pagetable.h"
#include "checked.h"
#include "crc32c.h"
#include "digest.h"

#define LOW_MEMORY_END		(1 * MIB)	/* BDA, EBDA, VGA, ROMs */
#define VGA_TEXT		0xb8000
#define FAIL_DELAY_MS		5000
#define COM1			0x3f8
#define UART_BAUD_MAX		115200		/* of an 8250 with the usual clock: divisor 1 */
/* The length of the EFI tables is not among the facts; ten times what is found in the field. */
#define EFI_TABLE_LEN		(64 * KIB)

_Static_assert(HANDOFF_REGIONS_MAX >= PLAN_SEGMENTS_MAX, "every segment can be a region");
_Static_assert(HANDOFF_NAME_LEN >= SEGMENT_NAME_LEN, "every name fits");

extern const uint8_t purgatory_blob[], purgatory_blob_end[];

struct span purgatory_image(void)
{
	return span_of(purgatory_blob, (size_t)(purgatory_blob_end - purgatory_blob));
}

static int read_head(struct purgatory_head *ret, struct diag *diag)
{
	const struct span image = purgatory_image();
	struct purgatory_head head;

	if (!span_copy(image, 0, &head, sizeof(head)) || head.magic != PURGATORY_MAGIC ||
	    head.file_len != image.len || head.mem_len < image.len ||
	    head.mem_len > MIB || head.entry_off >= head.file_len ||
	    head.entry32_off >= head.file_len || head.report_off > head.report_end ||
	    head.report_end > head.file_len ||
	    head.handoff_off > head.mem_len ||
	    head.mem_len - head.handoff_off < sizeof(struct handoff)) {
		fail(diag, ENOEXEC, "purgatory/broken-image",
		     "the purgatory built into this program is not one (%zu bytes)", image.len);
		return fail_advise(diag, "this is a fault of the build: rebuild from clean sources");
	}
	*ret = head;
	return 0;
}

/* What follows the image in the segment. */
struct layout {
	uint64_t digests_off;
	uint64_t tables_off;
};

static struct layout lay_out(const struct purgatory_head *head, const struct plan *plan,
			     enum digest digest)
{
	const uint64_t end = head->mem_len + digest_table_len(plan, digest);

	return (struct layout){
		.digests_off = head->mem_len,
		.tables_off = align_down(end + PAGE_LEN - 1, PAGE_LEN),
	};
}

static int add_range(struct range_list *l, phys_t start, uint64_t len, struct diag *diag)
{
	struct range r = { .start = start };

	if (!checked_add(start, len, &r.end))
		r.end = UINT64_MAX;
	return range_list_add(l, r) < 0 ? fail_nomem(diag) : 0;
}

/* The running kernel's own pointer to the EFI system table, which the next one follows; 0: none. */
static phys_t efi_systab(const struct facts *facts)
{
	const struct boot_params *params = (const struct boot_params *)facts->boot_params;

	if (!facts->has_boot_params)
		return 0;
	return params->efi_info.efi_systab |
	       (uint64_t)params->efi_info.efi_systab_hi << 32;
}

static int add_efi(struct range_list *l, const struct facts *facts, struct diag *diag)
{
	const phys_t tables[] = { efi_systab(facts), facts->efi.config_table, facts->efi.fw_vendor };
	int r = 0;

	for (size_t i = 0; i < array_len(tables) && r == 0; i++)
		if (facts->efi.is_booted && tables[i] != 0)
			r = add_range(l, tables[i], EFI_TABLE_LEN, diag);
	return r;
}

static bool is_mapped_type(uint32_t type)
{
	return type == MEM_RAM || type == MEM_ACPI || type == MEM_NVS;
}

/* What the next kernel's first instructions may touch before they have page tables of their own. */
static int find_mapped(const struct facts *facts, struct arena *a, struct range_list *ret,
		       struct diag *diag)
{
	struct range_list l;
	int r;

	range_list_init(&l, a);
	r = add_range(&l, 0, LOW_MEMORY_END, diag);
	for (size_t i = 0; i < facts->n_map && r == 0; i++)
		if (is_mapped_type(facts->map[i].type))
			r = add_range(&l, facts->map[i].range.start, range_len(facts->map[i].range),
				      diag);
	for (size_t i = 0; i < facts->ram.n && r == 0; i++)
		r = add_range(&l, facts->ram.r[i].start, range_len(facts->ram.r[i]), diag);
	for (size_t i = 0; i < facts->withheld.n && r == 0; i++)
		r = add_range(&l, facts->withheld.r[i].start, range_len(facts->withheld.r[i]), diag);
	if (r == 0)
		r = add_efi(&l, facts, diag);
	if (r < 0)
		return r;
	if (!pagetable_round(&l))
		note(diag, "purgatory/memory-not-mapped",
		     "memory from %#" PRIx64 " on cannot be mapped by 4-level page tables; it is used "
		     "only after the new kernel has made its own", PAGETABLE_END);
	*ret = l;
	return 0;
}

/* Does purgatory run 32-bit code, to begin, to leave or to change the paging mode? */
static bool needs_32bit(const struct facts *facts, const struct plan *plan)
{
	return facts->is_32bit_kernel || plan->jump_mode != JUMP_64 ||
	       plan->paging != PAGING_KEEP;
}

int purgatory_plan(const struct request *req, const struct facts *facts, struct plan *plan,
		   struct diag *diag)
{
	const struct segment_wish wish = {
		.name = PURGATORY_SEGMENT,
		.align = PAGE_LEN,
		.min = LOW_MEMORY_END,
		.end = needs_32bit(facts, plan) ? 4 * GIB : PAGETABLE_END,
	};
	struct purgatory_head head;
	struct range_list mapped;
	struct segment *segment;
	uint64_t len;
	int r;

	if (facts->is_32bit_kernel && !facts->cpu.has_long_mode)
		return fail(diag, ENOEXEC, "purgatory/no-long-mode",
			    "purgatory is 64-bit code, and this CPU has no 64-bit mode");
	r = read_head(&head, diag);
	if (r < 0)
		return r;
	r = find_mapped(facts, plan->arena, &mapped, diag);
	if (r < 0)
		return r;
	if (plan->come_back == BACK_TO_PEER) {
		r = add_range(&mapped, align_down(plan->jump_entry, PAGE_LEN), PAGE_LEN, diag);
		if (r < 0)
			return r;
		pagetable_round(&mapped);
	}
	/* Segments lie in RAM, so their windows will add nothing to the tables. */
	len = lay_out(&head, plan, req->digest).tables_off +
	      pagetable_len(&mapped, facts->cpu.has_1gib_pages);
	r = plan_add_own(plan, &wish, (size_t)len, &segment, diag);
	if (r < 0)
		return r;
	memcpy(segment->own, purgatory_image().data, head.file_len);
	return 0;
}

static int build_tables(const struct facts *facts, struct plan *plan, const struct segment *self,
			uint64_t off, struct handoff *handoff, struct diag *diag)
{
	struct pagetable_roots roots;
	struct range_list mapped;
	int r;

	r = find_mapped(facts, plan->arena, &mapped, diag);
	if (r < 0)
		return r;
	for (size_t i = 0; i < plan->n_segments; i++) {
		const struct segment *s = &plan->segments[i];

		r = add_range(&mapped, s->addr, s->reserve_len, diag);
		if (r < 0)
			return r;
		if (mapped.r[mapped.n - 1].end > PAGETABLE_END)
			return fail(diag, EADDRNOTAVAIL, "purgatory/segment-not-mapped",
				    "segment '%s' at %#" PRIx64 " ends beyond %#" PRIx64
				    ", the last address of 4-level page tables",
				    s->name, s->addr, PAGETABLE_END);
	}
	if (plan->come_back == BACK_TO_PEER) {
		r = add_range(&mapped, align_down(plan->jump_entry, PAGE_LEN), PAGE_LEN, diag);
		if (r < 0)
			return r;
	}
	pagetable_round(&mapped);
	r = pagetable_build(&mapped, facts->cpu.has_1gib_pages, self->own + off,
			    self->bytes.len - (size_t)off, self->addr + off, &roots, diag);
	if (r < 0)
		return r;
	handoff->cr3_4level = roots.level4;
	handoff->cr3_5level = roots.level5;
	return 0;
}

/* That there is room for the table build_tables() has found out, which puts its own behind it. */
static void digest_segments(const struct request *req, struct plan *plan,
			    const struct segment *self, const struct layout *layout,
			    struct handoff *handoff)
{
	digest_plan(plan, req->digest, self->own + layout->digests_off);
	handoff->digest = digest_of_handoff(req->digest);
	handoff->chunk_len = HANDOFF_CHUNK_LEN;
	handoff->digests = self->addr + layout->digests_off;
	for (size_t i = 0; i < plan->n_segments; i++) {
		const struct segment *s = &plan->segments[i];
		struct handoff_region *region;

		if (!s->is_digested || req->digest == DIGEST_NONE)
			continue;
		region = &handoff->regions[handoff->n_regions++];
		region->start = s->addr;
		region->len = s->bytes.len;
		region->first_chunk = handoff->n_chunks;
		memcpy(region->name, s->name, SEGMENT_NAME_LEN);
		handoff->n_chunks += (uint32_t)digest_n_chunks(s->bytes.len);
	}
}

static int set_serial(const struct request *req, const struct facts *facts, struct handoff *handoff,
		      struct diag *diag)
{
	const bool is_wanted = req->console_serial < 0 ? facts->console.serial_port != 0 :
							 req->console_serial > 0;

	if (!is_wanted && (req->serial_port != 0 || req->serial_baud != 0))
		warn(diag, "purgatory/serial-unused",
		     "--serial and --serial-baud have no effect: the running kernel has no console "
		     "on a serial port, and --console-serial was not given");
	if (!is_wanted)
		return 0;
	handoff->flags |= HANDOFF_SERIAL;
	handoff->serial_port = facts->console.serial_port ? facts->console.serial_port : COM1;
	if (req->serial_port != 0)
		handoff->serial_port = req->serial_port;
	if (req->serial_baud == 0)
		return 0;
	if (UART_BAUD_MAX % req->serial_baud != 0 || UART_BAUD_MAX / req->serial_baud > UINT16_MAX) {
		fail(diag, EINVAL, "purgatory/serial-baud", "a serial port cannot do %" PRIu32 " baud",
		     req->serial_baud);
		return fail_advise(diag, "take 115200, 57600, 38400, 19200 or 9600, or give no rate: "
					 "then the port stays as the running kernel has set it");
	}
	handoff->serial_divisor = (uint16_t)(UART_BAUD_MAX / req->serial_baud);
	return 0;
}

/* For reports: "ttyS 0x3f8, vga text", "none (ttyS4: MMIO)". NULL if there is no memory. */
static const char *describe_consoles(const struct facts *facts, const struct handoff *handoff,
				     struct arena *a)
{
	const char *vga = handoff->flags & HANDOFF_VGA ? "vga text" : NULL;

	if (handoff->flags & HANDOFF_SERIAL)
		return arena_printf(a, "ttyS %#x%s%s", handoff->serial_port, vga ? ", " : "",
				    vga ? vga : "");
	if (facts->console.serial_skipped)
		return arena_printf(a, "%s (%s)", vga ? vga : "none",
				    facts->console.serial_skipped);
	return vga ? vga : "none";
}

static int set_consoles(const struct request *req, const struct facts *facts, struct plan *plan,
			struct handoff *handoff, struct diag *diag)
{
	int r = set_serial(req, facts, handoff, diag);

	if (r < 0)
		return r;
	if (req->console_vga < 0 ? facts->console.has_vga_text : req->console_vga > 0)
		handoff->flags |= HANDOFF_VGA;
	handoff->vga_text = VGA_TEXT;
	plan->console = describe_consoles(facts, handoff, plan->arena);
	return plan->console ? 0 : fail_nomem(diag);
}

static int set_paging(const struct plan *plan, const struct segment *self, struct handoff *handoff,
		      struct diag *diag)
{
	static const enum handoff_paging modes[] = {
		[PAGING_KEEP] = HANDOFF_PAGING_KEEP,
		[PAGING_4_LEVEL] = HANDOFF_PAGING_4_LEVEL,
		[PAGING_5_LEVEL] = HANDOFF_PAGING_5_LEVEL,
	};

	if (plan->jump_mode != JUMP_64)
		return 0;	/* there will be none */
	handoff->paging = modes[plan->paging];
	if (plan->paging != PAGING_KEEP && self->addr + self->bytes.len > 4 * GIB)
		return fail(diag, EADDRNOTAVAIL, "purgatory/paging-above-4gib",
			    "purgatory at %#" PRIx64 " cannot set the paging mode, which takes 32-bit "
			    "code, from above 4 GiB", self->addr);
	return 0;
}

static int set_leave(const struct plan *plan, struct handoff *handoff, struct diag *diag)
{
	static const uint32_t ways[] = {
		[JUMP_64] = LEAVE_64,
		[JUMP_32] = LEAVE_32,
		[JUMP_16] = LEAVE_16,
	};
	static const uint32_t ways_back[] = {
		[BACK_NEVER] = COME_BACK_NEVER,
		[BACK_FROM_PROGRAM] = COME_BACK_PROGRAM,
		[BACK_FROM_KERNEL] = COME_BACK_KERNEL,
		[BACK_TO_PEER] = COME_BACK_PEER,
	};

	handoff->leave = ways[plan->jump_mode];
	handoff->entry = plan->jump_entry;
	handoff->arg = plan->jump_arg;
	handoff->eax = plan->jump_eax;
	handoff->ebx = plan->jump_ebx;
	handoff->c_arg = plan->jump_c_arg;
	handoff->come_back = ways_back[plan->come_back];
	handoff->come_back_text = plan->come_back_text;
	handoff->peer_gdt = plan->peer_gdt;
	if (plan->jump_mode == JUMP_64)
		return 0;
	for (size_t i = 0; i < plan->n_segments; i++) {
		const struct segment *s = &plan->segments[i];

		if (s->addr < 4 * GIB && s->reserve_len <= 4 * GIB - s->addr)
			continue;
		return fail(diag, EADDRNOTAVAIL, "purgatory/above-4gib",
			    "segment '%s' at %#" PRIx64 " is out of reach for the %s entry, which "
			    "needs everything below 4 GiB", s->name, s->addr,
			    plan->jump_mode == JUMP_16 ? "real mode" : "32-bit");
	}
	if (plan->jump_entry >= 4 * GIB || plan->jump_arg >= 4 * GIB ||
	    plan->jump_c_arg >= 4 * GIB)
		return fail(diag, EADDRNOTAVAIL, "purgatory/entry-above-4gib",
			    "the 32-bit entry needs entry %#" PRIx64 " and parameters %#" PRIx64
			    " below 4 GiB", plan->jump_entry, plan->jump_arg);
	return 0;
}

static int fill_handoff(const struct request *req, const struct facts *facts, struct plan *plan,
			struct handoff *handoff, struct diag *diag)
{
	int r = set_leave(plan, handoff, diag);

	if (r < 0)
		return r;
	handoff->magic = HANDOFF_MAGIC;
	handoff->len = sizeof(*handoff);
	handoff->tsc_khz = facts->cpu.tsc_khz;
	handoff->fail_delay_ms = FAIL_DELAY_MS;
	if (req->quiet)
		handoff->flags |= HANDOFF_QUIET;
	if (req->on_failure == ON_FAILURE_HALT)
		handoff->flags |= HANDOFF_HALT;
	if (req->reset_vga)
		handoff->flags |= HANDOFF_RESET_VGA;
	if (plan->crash) {
		handoff->copy_from = plan->crash->low.start;
		handoff->copy_len = range_len(plan->crash->low);
		handoff->copy_to = plan->crash->backup;
	}
	handoff->boot_note = plan->boot_note;
	return set_consoles(req, facts, plan, handoff, diag);
}

static bool is_all_placed(const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_segments; i++)
		if (!plan->segments[i].is_placed)
			return false;
	return true;
}

/* Everything is there: what purgatory checks itself with. */
static void seal(struct segment *self, const struct purgatory_head *head, struct handoff *handoff)
{
	struct crc32c crc;

	crc32c_start(&crc);
	handoff->self = self->addr;
	handoff->self_len = self->bytes.len;
	handoff->image_crc = crc32c_add(&crc, 0, self->own, head->file_len);
	handoff->report_crc = crc32c_add(&crc, 0, self->own + head->report_off,
					 head->report_end - head->report_off);
	handoff->tables_crc = crc32c_add(&crc, 0, self->own + head->mem_len,
					 self->bytes.len - head->mem_len);
	handoff->crc = crc32c_add(&crc, 0, handoff, offsetof(struct handoff, crc));
	memcpy(self->own + head->handoff_off, handoff, sizeof(*handoff));
}

int purgatory_finish(const struct request *req, const struct facts *facts, struct plan *plan,
		     struct diag *diag)
{
	struct segment *self = plan_find(plan, PURGATORY_SEGMENT);
	struct handoff handoff = { 0 };
	struct purgatory_head head;
	struct layout layout;
	int r = read_head(&head, diag);

	if (r < 0)
		return r;
	if (!self || !is_all_placed(plan))
		return fail(diag, EINVAL, "purgatory/not-placed",
			    "purgatory can be completed only when every segment has its address");
	layout = lay_out(&head, plan, req->digest);
	r = fill_handoff(req, facts, plan, &handoff, diag);
	if (r == 0)
		r = set_paging(plan, self, &handoff, diag);
	if (r == 0)
		r = build_tables(facts, plan, self, layout.tables_off, &handoff, diag);
	if (r < 0)
		return r;
	digest_segments(req, plan, self, &layout, &handoff);
	seal(self, &head, &handoff);
	plan->entry = self->addr + (facts->is_32bit_kernel ? head.entry32_off : head.entry_off);
	return 0;
}
