// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch/x86/crash.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/boot_params.h"
#include "arch/x86/bzimage.h"
#include "arch/x86/elfcorehdr.h"
#include "checked.h"
#include "memmap.h"

#define LOW_MEMORY_END	MIB
#define BACKUP_END	(640 * KIB)	/* what is behind it is no RAM */
/* The kernel's count of program headers leaves the ELF header out. */
#define ELF_HEAD_LEN	64
/* Code, stack and top level page tables of the running kernel, and its copy of vmcoreinfo. */
#define CONTROL_PAGES	32

/* ---- the region --------------------------------------------------------------------------- */

static int fail_no_region(const struct facts *facts, struct diag *diag)
{
	if (!facts->is_ram_from_iomem) {
		fail(diag, EPERM, "crash/no-iomem",
		     "/proc/iomem does not show where memory is reserved for a crash kernel");
		return fail_advise(diag, "run it as root");
	}
	fail(diag, ENOENT, "crash/no-reservation",
	     "no memory is reserved for a crash kernel: the running kernel was booted without "
	     "crashkernel=, or could not reserve as much");
	return fail_advise(diag, "add crashkernel=256M to the running kernel's command line and "
				 "boot it again; dmesg | grep -i crashkernel says what became of "
				 "it");
}

/* kernel/crash_reserve.c: with ,high the second, lower one is for DMA only. */
static int choose_region(const struct request *req, const struct facts *facts, struct range *ret,
			 struct diag *diag)
{
	struct range_list region = { 0 };
	struct range r;

	if (facts->crash_kernel.n == 0)
		return fail_no_region(facts, diag);
	r = facts->crash_kernel.r[facts->crash_kernel.n - 1];
	r.start = max_u64(r.start, req->mem_min);
	r.end = min_u64(r.end, req->mem_end);
	region = (struct range_list){ .r = &r, .n = 1 };
	range_list_align_inward(&region, PAGE_LEN);
	if (region.n == 0)
		return fail(diag, EADDRNOTAVAIL, "crash/region-limited",
			    "--mem-min and --mem-max leave nothing of the crash region %#" PRIx64
			    "-%#" PRIx64,
			    facts->crash_kernel.r[facts->crash_kernel.n - 1].start,
			    facts->crash_kernel.r[facts->crash_kernel.n - 1].end);
	*ret = r;
	return 0;
}

/* arch/x86/kernel/machine_kexec_64.c, init_pgtable(): a page for each GiB that is not mapped as
 * one. */
static uint64_t control_len(const struct facts *facts)
{
	uint64_t n = CONTROL_PAGES;

	for (size_t i = 0; i < facts->crash.ram.n; i++) {
		struct range r = facts->crash.ram.r[i];
		uint64_t n_gib = (r.end - 1) / GIB - r.start / GIB + 1;

		n += facts->cpu.has_1gib_pages ? min_u64(n_gib, 2) : n_gib;
	}
	return n * PAGE_LEN;
}

/* ---- what is dumped ----------------------------------------------------------------------- */

/* 5.5: a kernel with crashkernel= keeps the first MiB free of anything of its own. */
static bool keeps_low_memory_free(const char *release)
{
	char *rest;
	unsigned long major = strtoul(release, &rest, 10);
	unsigned long minor = *rest == '.' ? strtoul(rest + 1, NULL, 10) : 0;

	return major > 5 || (major == 5 && minor >= 5);
}

/* What is RAM from address 0 on; a BIOS takes some of the last KiB. */
static struct range low_memory(const struct facts *facts)
{
	struct range low = { 0, 0 };

	for (size_t i = 0; i < facts->crash.ram.n; i++)
		if (facts->crash.ram.r[i].start < BACKUP_END)
			low.end = min_u64(facts->crash.ram.r[i].end, BACKUP_END);
	return low;
}

static void decide_backup(const struct request *req, const struct facts *facts,
			  struct crash_plan *crash, struct diag *diag)
{
	if (req->backup == BACKUP_NO ||
	    (req->backup == BACKUP_AUTO && keeps_low_memory_free(facts->release)))
		return;
	crash->low = low_memory(facts);
	if (!crash->is_kept_current)
		return;
	note(diag, "crash/backup-not-current",
	     "headers with a backup are nothing that the running kernel can update: load again when "
	     "CPUs or memory come or go");
	crash->is_kept_current = false;
}

/* All RAM but what the capture kernel has; of the first MiB what is saved. */
static int list_dumped(const struct facts *facts, const struct crash_plan *crash, struct arena *a,
		       struct range_list *ret)
{
	const struct range_list *left_out[] = { &facts->crash_kernel, &facts->crash.cma };
	int r = range_list_copy(&facts->crash.ram, a, ret);

	if (r == 0)
		r = range_list_subtract(ret, (struct range){ crash->low.end, LOW_MEMORY_END });
	for (size_t i = 0; i < array_len(left_out); i++)
		for (size_t k = 0; k < left_out[i]->n && r == 0; k++)
			r = range_list_subtract(ret, left_out[i]->r[k]);
	return r;
}

static void note_gaps(const struct facts *facts, struct diag *diag)
{
	if (facts->crash.n_notes == 0)
		warn(diag, "crash/no-notes",
		     "/sys/devices/system/cpu/cpu*/crash_notes cannot be read: the dump will have no "
		     "registers");
	if (range_len(facts->crash.vmcoreinfo) == 0)
		warn(diag, "crash/no-vmcoreinfo",
		     "/sys/kernel/vmcoreinfo cannot be read: makedumpfile and vmcore-dmesg will not "
		     "understand the dump by themselves");
	if (!facts->crash.has_page_offset || range_len(facts->crash.text) == 0)
		warn(diag, "crash/no-kcore",
		     "/proc/kcore does not tell where the running kernel is: the dump will have no "
		     "virtual addresses, which vmcore-dmesg wants");
}

static int decide_hotplug(const struct request *req, const struct facts *facts, bool *ret,
			  struct diag *diag)
{
	*ret = facts->crash.elfcorehdr_len > 0;
	if (*ret && req->core_class == CORE_32) {
		note(diag, "crash/no-hotplug-32",
		     "the running kernel updates ELF64 headers only: load again when CPUs or memory "
		     "come or go");
		*ret = false;
	}
	if (*ret || req->hotplug != HOTPLUG_YES)
		return 0;
	fail(diag, EOPNOTSUPP, "crash/no-hotplug",
	     "the running kernel (%s) does not update a loaded crash kernel when CPUs or memory "
	     "come or go",
	     facts->release);
	return fail_advise(diag, "leave --hotplug out, and load again after each change "
				 "(--reload)");
}

/* Where headers and backup are: at the end of the region. headers_len: without room for more. */
static int place_headers(const struct facts *facts, uint64_t headers_len, struct crash_plan *crash,
			 struct diag *diag)
{
	const uint64_t backup_len = align_down(crash->low.end + PAGE_LEN - 1, PAGE_LEN);
	uint64_t len = headers_len;

	/* More than there are addresses is too much like anything else. */
	if (crash->is_kept_current && !checked_add(facts->crash.elfcorehdr_len, ELF_HEAD_LEN, &len))
		len = UINT64_MAX;
	len = max_u64(len, headers_len);
	if (!checked_align_up(len, PAGE_LEN, &len) ||
	    len >= range_len(crash->region) || backup_len >= range_len(crash->region) - len) {
		fail(diag, ENOMEM, "crash/region-too-small",
		     "the crash region has %" PRIu64 " KiB, the headers of the dump alone take "
		     "%" PRIu64,
		     range_len(crash->region) / KIB, (len + backup_len) / KIB);
		return fail_advise(diag, "reserve more: crashkernel=256M");
	}
	crash->elfcorehdr_len = len;
	crash->elfcorehdr = crash->region.end - len;
	crash->backup = crash->elfcorehdr - backup_len;
	return 0;
}

static int make_headers(const struct request *req, const struct facts *facts, struct arena *a,
			struct crash_plan *crash, struct diag *diag)
{
	struct elfcorehdr e = { .core_class = req->core_class, .crash = &facts->crash };
	uint64_t len;
	uint8_t *headers;
	int r = decide_hotplug(req, facts, &crash->is_kept_current, diag);

	if (r < 0)
		return r;
	decide_backup(req, facts, crash, diag);
	if (list_dumped(facts, crash, a, &crash->ram) < 0)
		return fail_nomem(diag);
	e.ram = crash->ram;
	r = elfcorehdr_len(&e, &len, diag);
	if (r == 0)
		r = place_headers(facts, len, crash, diag);
	if (r < 0)
		return r;
	headers = arena_alloc(a, (size_t)len);
	if (!headers)
		return fail_nomem(diag);
	e.moved_from = crash->low;
	e.moved_to = crash->backup;
	elfcorehdr_write(&e, headers);
	crash->headers = span_of(headers, (size_t)len);
	crash->n_cpus = facts->crash.n_notes;
	return 0;
}

/* ---- what the capture kernel sees --------------------------------------------------------- */

/* RAM of the capture kernel: what was RAM in the first MiB, and what was kept for it. */
static int add_capture_ram(const struct facts *facts, struct memmap *m, struct arena *a,
			   struct diag *diag)
{
	const struct range_list *own[] = { &facts->crash_kernel, &facts->crash.cma };
	struct range_list l;
	int r = 0;

	range_list_init(&l, a);
	for (size_t i = 0; i < facts->n_map && r == 0; i++) {
		struct range low = facts->map[i].range;

		low.end = min_u64(low.end, LOW_MEMORY_END);
		if (facts->map[i].type == MEM_RAM)
			r = range_list_add(&l, low);
	}
	for (size_t i = 0; i < array_len(own); i++)
		for (size_t k = 0; k < own[i]->n && r == 0; k++)
			r = range_list_add(&l, own[i]->r[k]);
	range_list_normalize(&l);
	for (size_t i = 0; i < facts->withheld.n && r == 0; i++)
		r = range_list_subtract(&l, facts->withheld.r[i]);
	if (r < 0)
		return fail_nomem(diag);
	for (size_t i = 0; i < l.n && r == 0; i++)
		r = memmap_add(m, l.r[i], MEM_RAM, diag);
	return r;
}

/* Memory of devices stays with them: a capture kernel shall not make any of it its own. */
static uint32_t type_for_capture(uint32_t type)
{
	return type == (uint32_t)MEM_SOFT_RESERVED ? MEM_RESERVED : type;
}

/* A kernel that takes few ranges takes the first: of those it needs its RAM. */
static int put_ram_first(struct memmap *m, struct arena *a)
{
	struct mem_entry *old;
	size_t n = 0;

	if (m->n <= E820_TABLE_MAX)
		return 0;
	old = arena_alloc_array(a, m->n, sizeof(*old));
	if (!old)
		return -ENOMEM;
	memcpy(old, m->entries, m->n * sizeof(*old));
	for (int is_rest = 0; is_rest < 2; is_rest++)
		for (size_t i = 0; i < m->n; i++)
			if ((old[i].type != MEM_RAM) == is_rest)
				m->entries[n++] = old[i];
	return 0;
}

static int make_map(const struct facts *facts, struct arena *a, struct facts *capture,
		    struct diag *diag)
{
	struct memmap m;
	int r;

	memmap_init(&m, a);
	r = add_capture_ram(capture, &m, a, diag);
	for (size_t i = 0; i < facts->n_map && r == 0; i++)
		if (facts->map[i].type != MEM_RAM)
			r = memmap_add(&m, facts->map[i].range,
				       type_for_capture(facts->map[i].type), diag);
	if (r == 0)
		r = memmap_normalize(&m, diag);
	if (r == 0 && put_ram_first(&m, a) < 0)
		r = fail_nomem(diag);
	capture->map = m.entries;
	capture->n_map = m.n;
	return r;
}

static int make_capture(const struct facts *facts, const struct crash_plan *crash, struct arena *a,
			struct facts *ret, struct diag *diag)
{
	/* The backup is in front of the headers. */
	const struct range withheld = { crash->backup, crash->elfcorehdr + crash->elfcorehdr_len };
	struct facts capture = *facts;

	range_list_init(&capture.ram, a);
	range_list_init(&capture.withheld, a);
	if (range_list_add(&capture.withheld, withheld) < 0 ||
	    range_list_add(&capture.ram, crash->region) < 0 ||
	    range_list_subtract(&capture.ram, withheld) < 0)
		return fail_nomem(diag);
	*ret = capture;
	return make_map(facts, a, ret, diag);
}

/* memmap= words for the same map, as Documentation/admin-guide/kernel-parameters.txt has them. */
static const char *memmap_words(const struct facts *capture, struct arena *a)
{
	const char *words = " memmap=exactmap";

	for (size_t i = 0; i < capture->n_map && words; i++) {
		const struct mem_entry *e = &capture->map[i];
		char mark = e->type == MEM_RAM ? '@' :
			    e->type == MEM_ACPI || e->type == MEM_NVS ? '#' :
			    e->type == MEM_PRAM ? '!' : '\0';

		if (mark)
			words = arena_printf(a, "%s memmap=%#" PRIx64 "%c%#" PRIx64, words,
					     range_len(e->range), mark, e->range.start);
	}
	return words;
}

/*
 * Kernels from 5.0 on take the ACPI root pointer from the boot parameters; what they call their boot
 * protocol tells those from 5.5 on. Others on EFI machines find it by this word.
 */
static bool needs_rsdp_word(const struct request *req, const struct facts *facts)
{
	uint16_t version = 0;

	if (span_starts_with(req->kernel, "\177ELF", 4) ||
	    !span_le16(req->kernel, HDR_VERSION, &version))
		version = 0;
	return facts->efi.is_booted && facts->rsdp != 0 && version < 0x020f;
}

static const char *rsdp_word(const struct request *req, const struct facts *facts, struct arena *a)
{
	if (!needs_rsdp_word(req, facts))
		return "";
	return arena_printf(a, " acpi_rsdp=%#" PRIx64, facts->rsdp);
}

/*
 * A module of memory is no RAM in the map of a capture kernel, but the firmware still offers it: the
 * kernel would take it for new, and /proc/vmcore would not read what is in it (seen with Linux 6.1).
 */
static const char *memory_word(const struct request *req, const struct facts *facts)
{
	static const char word[] = " acpi_no_memhotplug";

	return facts->crash.memory.is_pluggable && !strstr(req->cmdline, word + 1) ? word : "";
}

/* In front, where no "--" keeps it from the kernel. */
static int make_cmdline(const struct request *req, const struct facts *capture,
			const struct crash_plan *crash, struct arena *a, struct request *ret,
			struct diag *diag)
{
	const char *words = req->pass_memmap ? memmap_words(capture, a) : "";
	const char *rsdp = rsdp_word(req, capture, a);
	const char *cmdline;

	if (!words || !rsdp)
		return fail_nomem(diag);
	cmdline = arena_printf(a, "elfcorehdr=%#" PRIx64 "%s%s%s%s%s", crash->elfcorehdr, rsdp,
			       memory_word(req, capture), words,
			       req->cmdline[0] != '\0' ? " " : "", req->cmdline);
	if (!cmdline)
		return fail_nomem(diag);
	*ret = *req;
	ret->cmdline = cmdline;
	return 0;
}

int crash_prepare(const struct request *req, const struct facts *facts, struct arena *a,
		  struct request *ret_req, struct facts *ret_facts, const struct crash_plan **ret,
		  struct diag *diag)
{
	struct crash_plan *crash = arena_alloc(a, sizeof(*crash));
	struct request new_req;
	struct facts capture;
	int r;

	if (!crash)
		return fail_nomem(diag);
	r = choose_region(req, facts, &crash->region, diag);
	if (r < 0)
		return r;
	crash->control_len = control_len(facts);
	note_gaps(facts, diag);
	r = make_headers(req, facts, a, crash, diag);
	if (r == 0)
		r = make_capture(facts, crash, a, &capture, diag);
	if (r == 0)
		r = make_cmdline(req, &capture, crash, a, &new_req, diag);
	if (r < 0)
		return r;
	*ret_req = new_req;
	*ret_facts = capture;
	*ret = crash;
	return 0;
}

static int plan_backup(const struct crash_plan *crash, struct plan *plan, struct diag *diag)
{
	const struct segment_wish wish = {
		.name = BACKUP_SEGMENT,
		.reserve_len = crash->elfcorehdr - crash->backup,
		.min = crash->backup,
		.end = crash->elfcorehdr,
		.is_fixed = true,
	};
	struct segment *s;
	int r = plan_add(plan, &wish, &s, diag);

	/* Nothing of the running kernel may be there when purgatory writes to it. */
	if (r == 0)
		s->mem_len = s->reserve_len;
	return r;
}

int crash_plan(const struct crash_plan *crash, struct plan *plan, struct diag *diag)
{
	const struct segment_wish wish = {
		.name = ELFCOREHDR_SEGMENT,
		.bytes = crash->headers,
		.min = crash->elfcorehdr,
		.end = crash->elfcorehdr + crash->elfcorehdr_len,
		.is_fixed = true,
		/* What the running kernel rewrites cannot be verified. */
		.is_digested = !crash->is_kept_current,
	};
	struct segment *s;
	int r = range_len(crash->low) > 0 ? plan_backup(crash, plan, diag) : 0;

	if (r == 0)
		r = plan_add(plan, &wish, &s, diag);
	if (r < 0)
		return r;
	/* The kernel writes no further than what is declared. */
	s->mem_len = crash->elfcorehdr_len;
	s->reserve_len = crash->elfcorehdr_len;
	plan->crash = crash;
	return 0;
}
