// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a dump of this kernel is made from, and what it does about one itself.
 */
#include <errno.h>

#include "host_parts.h"
#include "host_text.h"
#include "kcore.h"
#include "memmap.h"
#include "srat.h"

#define CPUS	"sys/devices/system/cpu"
/* x86 kernels are built for at most 8192. */
#define CPUS_MAX	65536
/* Of kernels that do not tell; what follows a CPU's notes there reads as their end. */
#define NOTES_LEN_DEFAULT	1024
/* A line for each of at most eight ranges. */
#define CMA_LEN_MAX	PAGE_LEN

/* "crash_notes" is a physical address in hexadecimal, "crash_notes_size" decimal. */
static bool read_notes(const struct host_tree *t, uint32_t cpu, struct range *ret)
{
	struct host_attr attr;
	struct range r;
	uint64_t len;

	if (host_attr_read(t, &attr, CPUS "/cpu%u/crash_notes", cpu) < 0 ||
	    !text_hex(attr.text, &r.start) || r.start == 0)
		return false;
	if (host_number_read(t, &len, CPUS "/cpu%u/crash_notes_size", cpu) < 0)
		len = NOTES_LEN_DEFAULT;
	if (len == 0 || !memmap_range(r.start, r.start + len - 1, &r))
		return false;
	*ret = r;
	return true;
}

static int read_cpus(const struct host_tree *t, struct arena *a, struct crash_facts *crash)
{
	struct host_numbers cpus;
	struct range *notes;
	int r;

	r = host_list(t, a, CPUS, "cpu", CPUS_MAX, &cpus);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	notes = arena_alloc_array(a, cpus.n, sizeof(*notes));
	if (!notes)
		return -ENOMEM;
	for (size_t i = 0; i < cpus.n; i++)
		if (read_notes(t, cpus.v[i], &notes[crash->n_notes]))
			crash->n_notes++;
	crash->notes = notes;
	return 0;
}

/* "0-7", or a list of such: the highest number comes last. */
static uint32_t count_possible(const struct host_tree *t)
{
	struct host_attr attr;
	struct span last;
	uint64_t n;
	size_t at;

	if (host_attr_read(t, &attr, CPUS "/possible") < 0)
		return 0;
	at = attr.text.len;
	while (at > 0 && attr.text.data[at - 1] >= '0' && attr.text.data[at - 1] <= '9')
		at--;
	if (!span_sub(attr.text, at, attr.text.len - at, &last) || !text_number(last, &n) ||
	    n >= CPUS_MAX)
		return 0;
	return (uint32_t)n + 1;
}

/* "0x000000007f9b4000 1024": the second number is hexadecimal too. */
static void read_vmcoreinfo(const struct host_tree *t, struct crash_facts *crash)
{
	struct host_attr attr;
	struct span rest, word;
	uint64_t start, len;

	if (host_attr_read(t, &attr, "sys/kernel/vmcoreinfo") < 0)
		return;
	rest = attr.text;
	if (text_next_word(&rest, &word) && text_number(word, &start) &&
	    text_next_word(&rest, &word) && text_hex(word, &len) && len > 0 && start > 0 &&
	    !memmap_range(start, start + len - 1, &crash->vmcoreinfo))
		crash->vmcoreinfo = (struct range){ 0 };
}

/* Lockdown in its mode "confidentiality" hides it, and some kernels are built without. */
static int read_kcore(const struct host_tree *t, struct arena *a, struct crash_facts *crash)
{
	struct kcore kcore = { 0 };
	struct span text;
	size_t len;
	int r;

	r = host_file_read_start(t, a, KCORE_HEAD_LEN, &text, "proc/kcore");
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	len = kcore_headers_len(text);
	if (len == 0)
		return 0;
	r = host_file_read_start(t, a, len, &text, "proc/kcore");
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	kcore_read(text, &kcore);
	crash->has_page_offset = kcore.has_page_offset;
	crash->page_offset = kcore.page_offset;
	crash->text = kcore.text;
	crash->text_vaddr = kcore.text_vaddr;
	return 0;
}

static int read_srat(const struct host_tree *t, struct arena *a, struct crash_facts *crash)
{
	struct span table;
	int r = host_file_read(t, a, SRAT_LEN_MAX, &table, "sys/firmware/acpi/tables/SRAT");

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	crash->memory = srat_read(table);
	return 0;
}

/* Linux 7 moved these into a directory and left links behind for some time. */
static bool read_kexec_number(const struct host_tree *t, const char *name, uint64_t *ret)
{
	return host_number_read(t, ret, "sys/kernel/kexec/%s", name) == 0 ||
	       host_number_read(t, ret, "sys/kernel/kexec_%s", name) == 0 ||
	       host_number_read(t, ret, "sys/kernel/%s", name) == 0;
}

/* Both where both can change: a kernel without memory hotplug has no file for it. */
static bool is_kept_current(const struct host_tree *t)
{
	uint64_t cpu, memory = 1;

	if (host_number_read(t, &cpu, CPUS "/crash_hotplug") < 0)
		return false;
	if (host_number_read(t, &memory, "sys/devices/system/memory/crash_hotplug") < 0)
		memory = 1;
	return cpu == 1 && memory == 1;
}

static bool may_be_kept_current(const struct host_tree *t)
{
	uint64_t v;

	return host_number_read(t, &v, CPUS "/crash_hotplug") == 0 ||
	       host_number_read(t, &v, "sys/devices/system/memory/crash_hotplug") == 0;
}

/* "%08llx-%08llx\n" for each, ends inclusive. */
static int read_cma(const struct host_tree *t, struct arena *a, struct crash_facts *crash)
{
	struct span text, line;
	int r = host_file_read(t, a, CMA_LEN_MAX, &text, "sys/kernel/kexec/crash_cma_ranges");

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	while (r == 0 && text_next_line(&text, &line)) {
		struct range range;
		struct span first, last;
		size_t dash = 0;
		uint64_t start, end;

		while (dash < line.len && line.data[dash] != '-')
			dash++;
		if (span_sub(line, 0, dash, &first) &&
		    span_sub(line, dash + 1, line.len - dash - 1, &last) &&
		    text_hex(first, &start) && text_hex(text_trim(last), &end) &&
		    memmap_range(start, end, &range))
			r = range_list_add(&crash->cma, range);
	}
	range_list_normalize(&crash->cma);
	return r;
}

int host_read_crash(const struct host_tree *t, struct arena *a, struct facts *f, struct diag *diag)
{
	struct crash_facts *crash = &f->crash;
	uint64_t v;
	int r;

	(void)diag;
	r = read_cpus(t, a, crash);
	if (r == 0)
		r = read_kcore(t, a, crash);
	if (r == 0)
		r = read_cma(t, a, crash);
	if (r == 0)
		r = read_srat(t, a, crash);
	if (r < 0)
		return r;
	read_vmcoreinfo(t, crash);
	crash->n_possible = count_possible(t);
	crash->is_loaded = read_kexec_number(t, "crash_loaded", &v) && v == 1;
	crash->is_kept_current = crash->is_loaded && is_kept_current(t);
	if (may_be_kept_current(t) && read_kexec_number(t, "crash_elfcorehdr_size", &v))
		crash->elfcorehdr_len = v;
	return 0;
}
