// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "arch/x86/x86.h"
#include "host_text.h"
#include "host_tree.h"
#include "memmap.h"
#include "rehearse_vm.h"

#define MEMORY_UNIT		(128 * MIB)
#define MEMORY_MIN		(512 * MIB)
#define MEMORY_MAX		(64 * GIB)	/* more takes long, and tells nothing more */
#define REGION_ALIGN		(16 * MIB)
#define CPUINFO_LEN		(16 * KIB)
#define CONVENTIONAL_START	PAGE_LEN
#define COM1			0x3f8

/* ---- memory and CPU ---- */

static uint64_t memory_of(const struct load *l)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < l->facts.n_map; i++)
		if (l->facts.map[i].type == MEM_RAM)
			sum += range_len(l->facts.map[i].range);
	return align_down(sum + MEMORY_UNIT - 1, MEMORY_UNIT);
}

/* What this machine can spare; a capture kernel has its reservation alone, however much there is. */
static uint64_t spare(const struct load *l)
{
	const long pages = sysconf(_SC_PHYS_PAGES);

	if (l->request.is_crash)
		return UINT64_MAX;
	if (!l->options->host_root && l->facts.ram_available != 0)
		return l->facts.ram_available / 4 * 3;
	return pages > 0 ? (uint64_t)pages * PAGE_LEN / 2 : MEMORY_MIN;
}

void vm_choose_memory(const struct load *l, struct vm_machine *m)
{
	const uint64_t all = max_u64(memory_of(l), MEMORY_MIN);

	m->len = min_u64(min_u64(all, spare(l)), MEMORY_MAX);
	m->len = max_u64(align_down(m->len, MEMORY_UNIT), MEMORY_MIN);
	m->is_smaller = m->len < all;
}

/* Names in /proc/cpuinfo and those of QEMU. */
static const struct {
	const char *flag, *qemu;
} features[] = {
	{ "cmov", "cmov" },	    { "fxsr", "fxsr" },	      { "sse", "sse" },
	{ "sse2", "sse2" },
	{ "lm", "lm" },		    { "la57", "la57" },	      { "pdpe1gb", "pdpe1gb" },
	{ "nx", "nx" },		    { "cx16", "cx16" },	      { "lahf_lm", "lahf_lm" },
	{ "popcnt", "popcnt" },	    { "pni", "pni" },	      { "ssse3", "ssse3" },
	{ "sse4_1", "sse4.1" },	    { "sse4_2", "sse4.2" },   { "avx", "avx" },
	{ "avx2", "avx2" },	    { "bmi1", "bmi1" },	      { "bmi2", "bmi2" },
	{ "f16c", "f16c" },	    { "fma", "fma" },	      { "abm", "abm" },
	{ "movbe", "movbe" },	    { "xsave", "xsave" },     { "aes", "aes" },
	{ "pclmulqdq", "pclmulqdq" }, { "sha_ni", "sha-ni" }, { "rdrand", "rdrand" },
	{ "rdseed", "rdseed" },	    { "smep", "smep" },	      { "smap", "smap" },
	{ "umip", "umip" },	    { "fsgsbase", "fsgsbase" }, { "pku", "pku" },
	{ "erms", "erms" },	    { "x2apic", "x2apic" },   { "clflushopt", "clflushopt" },
};

static bool read_flags(const struct load *l, struct span *ret)
{
	struct host_tree tree;
	struct span text, line;
	int r;

	if (host_tree_open(l->options->host_root ? l->options->host_root : "", &tree) < 0)
		return false;
	r = host_file_read_start(&tree, l->arena, CPUINFO_LEN, &text, "proc/cpuinfo");
	host_tree_close(&tree);
	while (r == 0 && text_next_line(&text, &line))
		if (text_value_of(line, "flags", ret))
			return true;
	return false;
}

/* A CPU as this one: KVM has just that; QEMU's own has all that it can do, less what this one cannot.
 */
int vm_choose_cpu(const struct load *l, struct vm_machine *m)
{
	struct span flags;

	m->cpu = m->is_kvm ? "host" : "max";
	m->without = "";
	if (m->is_kvm || !read_flags(l, &flags))
		return 0;
	for (size_t i = 0; i < array_len(features); i++) {
		if (text_has_word(flags, features[i].flag))
			continue;
		m->cpu = arena_printf(l->arena, "%s,%s=off", m->cpu, features[i].qemu);
		m->without = arena_printf(l->arena, "%s%s%s", m->without, *m->without ? " " : "",
					  features[i].flag);
		if (!m->cpu || !m->without)
			return -ENOMEM;
	}
	return 0;
}

/* ---- the machine as facts ---- */

/* RAM for segments: neither the reservation nor what entry and firmware need. */
static int find_ram(const struct vm_machine *m, struct facts *f, struct arena *a, struct diag *diag)
{
	const struct range own = { m->map.vm_base, m->map.low.end };
	const struct range low = { CONVENTIONAL_START, 640 * KIB };
	struct range_list all, conventional;
	int r = memmap_ranges(m->map.map, m->map.n_map, MEM_RAM, a, &all, diag);

	if (r < 0)
		return r;
	range_list_init(&conventional, a);
	if (range_list_add(&conventional, low) < 0 ||
	    range_list_intersect(&all, &conventional, a, &f->low_ram) < 0 ||
	    range_list_copy(&all, a, &f->crash.ram) < 0 ||
	    range_list_copy(&all, a, &f->ram) < 0 ||
	    range_list_subtract(&f->ram, (struct range){ 0, MIB }) < 0 ||
	    range_list_subtract(&f->ram, own) < 0)
		return fail_nomem(diag);
	range_list_align_inward(&f->low_ram, PAGE_LEN);
	range_list_align_inward(&f->ram, PAGE_LEN);
	return 0;
}

/* Of the same size: where it is here, else at the highest place there is. */
static int place_region(struct range *r, struct facts *f, bool *is_moved, struct diag *diag)
{
	const uint64_t len = range_len(*r);

	if (!range_list_contains(&f->ram, *r)) {
		phys_t at = 0;

		for (size_t i = 0; i < f->ram.n; i++) {
			const struct range *ram = &f->ram.r[i];

			if (range_len(*ram) >= len + REGION_ALIGN &&
			    align_down(ram->end - len, REGION_ALIGN) >= ram->start)
				at = align_down(ram->end - len, REGION_ALIGN);
		}
		if (at == 0)
			return fail(diag, EOPNOTSUPP, "rehearse/vm-region",
				    "the virtual machine has no place for a reservation of %" PRIu64
				    " MiB", len / MIB);
		*r = (struct range){ at, at + len };
		*is_moved = true;
	}
	return range_list_subtract(&f->ram, *r) < 0 ? fail_nomem(diag) : 0;
}

/* The dead kernel left one note, for all CPUs. */
static int make_crash_facts(const struct load *l, const struct vm_machine *m, struct vm_load *v,
			    struct diag *diag)
{
	struct facts *f = &v->load.facts;
	const phys_t at = m->map.vm_base + VM_NOTE_OFF;
	struct range *notes = arena_alloc_array(l->arena, f->crash.n_notes, sizeof(*notes));
	int r = notes ? range_list_copy(&l->facts.crash_kernel, l->arena, &f->crash_kernel) :
			-ENOMEM;

	if (r < 0)
		return fail_nomem(diag);
	for (size_t i = f->crash_kernel.n; i-- > 0 && r == 0;)
		r = place_region(&f->crash_kernel.r[i], f, &v->is_region_moved, diag);
	range_list_normalize(&f->crash_kernel);
	for (size_t i = 0; i < f->crash.n_notes; i++)
		notes[i] = (struct range){ at, at + VM_NOTE_LEN };
	f->crash.notes = notes;
	range_list_init(&f->crash.cma, l->arena);
	if (range_len(f->crash.vmcoreinfo) > 0)
		f->crash.vmcoreinfo = (struct range){ at + PAGE_LEN,
						      at + PAGE_LEN + VM_NOTE_LEN };
	return r;
}

static int make_facts(const struct load *l, const struct vm_machine *m, struct vm_load *v,
		      struct diag *diag)
{
	struct facts *f = &v->load.facts;
	int r;

	f->map_source = MAP_FIRMWARE;
	f->map = m->map.map;
	f->n_map = m->map.n_map;
	f->is_ram_from_iomem = true;
	range_list_init(&f->withheld, l->arena);
	range_list_init(&f->crash_kernel, l->arena);
	f->ram_total = m->len;
	f->has_unaccepted_memory = false;
	f->has_boot_params = false;
	f->setup = NULL;
	f->n_setup = 0;
	f->rsdp = m->map.rsdp;
	f->rsdp_source = m->map.rsdp ? RSDP_BOOT_PARAMS : RSDP_NONE;
	memcpy(f->rsdp_bytes, m->map.rsdp_bytes, sizeof(f->rsdp_bytes));
	f->rsdp_len = m->map.rsdp_len;
	f->efi = (struct efi_facts){ 0 };
	f->display = DISPLAY_UNKNOWN;
	f->display_driver = NULL;
	f->console = (struct console_facts){ .serial_port = COM1 };
	f->cpu.is_la57_on = false;
	f->cpu.is_confidential_guest = false;
	f->is_32bit_kernel = !f->cpu.has_long_mode;
	v->is_32 = f->is_32bit_kernel;
	r = find_ram(m, f, l->arena, diag);
	return r < 0 || !l->request.is_crash ? r : make_crash_facts(l, m, v, diag);
}

/* ---- the load ---- */

/* In front, so that the user's own last console= stays /dev/console. */
static const char *words_for(const struct load *l)
{
	const char *line = l->cmdline;
	const char *console = strstr(line, "console=ttyS0") ? "" : "console=ttyS0 ";
	const char *early = strstr(line, "earlyprintk=") || strstr(line, "earlycon") ?
				    "" : "earlyprintk=serial,ttyS0,115200 ";
	const char *level = strstr(line, "ignore_loglevel") ? "" :
			    strstr(line, "quiet") || strstr(line, "loglevel=") ?
							      "ignore_loglevel " : "";

	if (l->plan.kernel_version == NULL)
		return "";
	return arena_printf(l->arena, "%s%s%s", console, early, level);
}

static size_t count_moved(const struct plan *here, struct plan *there)
{
	size_t n = 0;

	for (size_t i = 0; i < here->n_segments; i++) {
		const struct segment *s = plan_find(there, here->segments[i].name);

		n += !s || s->addr != here->segments[i].addr;
	}
	return n;
}

/* --flip: what damage looks like. */
static int flip_bit(struct load *v, struct diag *diag)
{
	const struct options *o = v->options;
	struct segment *s;
	uint8_t *copy;

	if (!o->flip)
		return 0;
	s = plan_find(&v->plan, o->flip);
	if (!s || o->flip_off >= s->bytes.len)
		return fail(diag, EOPNOTSUPP, "rehearse/nothing-to-flip",
			    "--flip: there is no segment '%s' of more than %" PRIu64 " bytes",
			    o->flip, o->flip_off);
	copy = arena_alloc(v->arena, s->bytes.len);
	if (!copy)
		return fail_nomem(diag);
	memcpy(copy, s->bytes.data, s->bytes.len);
	copy[o->flip_off] ^= 1;
	s->bytes.data = copy;
	return 0;
}

int vm_plan(const struct load *l, const struct vm_machine *m, struct vm_load *ret,
	    struct diag *diag)
{
	struct load *v = &ret->load;
	struct request *req = &v->request;
	int r;

	*ret = (struct vm_load){ 0 };
	load_fork(v, l);
	ret->words = words_for(l);
	req->cmdline = ret->words ? arena_printf(l->arena, "%s%s", ret->words, l->cmdline) : NULL;
	if (!req->cmdline)
		return fail_nomem(diag);
	v->cmdline = req->cmdline;
	req->console_serial = 1;
	req->serial_port = COM1;
	req->quiet = false;
	req->no_efi = false;
	req->reuse_video_type = false;
	r = make_facts(l, m, ret, diag);
	if (r < 0)
		return r;
	v->target = v->facts;
	v->crash = NULL;
	if (req->is_crash)
		r = x86_prepare_crash(req, &v->facts, l->arena, req, &v->target, &v->crash, diag);
	if (r == 0)
		r = load_plan(v, diag);
	if (r == 0)
		r = flip_bit(v, diag);
	if (r == 0)
		ret->n_moved = count_moved(&l->plan, &v->plan);
	return r;
}
