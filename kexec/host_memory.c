// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The memory map that is handed on, and where segments may land.
 */
#include <asm/bootparam.h>
#include <errno.h>
#include <string.h>

#include "host_parts.h"
#include "host_text.h"
#include "memmap.h"

/* A machine with every PCI function of every bus has below 100000 lines of some 40 bytes. */
#define IOMEM_LEN_MAX	(8 * MIB)

#define FIRMWARE_MAP	"sys/firmware/memmap"

#define CONVENTIONAL_END	(640 * KIB)

/* Makes a failure that only costs one source a note; what costs the load stays. */
static int tolerate(struct diag *diag, int r)
{
	if (r == -ENOMEM || r >= 0)
		return r;
	note(diag, diag->id, "%s", diag->text);
	diag_clear(diag);
	return 0;
}

/* ---- sources -------------------------------------------------------------------------------- */

/* -ENOMEM, or another error for an entry that is to be left out. */
static int add_firmware_entry(const struct host_tree *t, uint32_t number, struct memmap *m,
			      size_t *n_unknown, struct diag *diag)
{
	struct host_attr name;
	uint64_t first, last;
	struct range range;
	uint32_t type;
	int r;

	r = host_number_read(t, &first, FIRMWARE_MAP "/%u/start", number);
	if (r == 0)
		r = host_number_read(t, &last, FIRMWARE_MAP "/%u/end", number);
	if (r == 0)
		r = host_attr_read(t, &name, FIRMWARE_MAP "/%u/type", number);
	if (r < 0)
		return r;
	if (!memmap_range(first, last, &range) || name.text.len == 0)
		return -EINVAL;
	if (!memmap_type(name.text, &type))
		++*n_unknown;
	return memmap_add(m, range, type, diag);
}

static int read_firmware_map(const struct host_tree *t, struct memmap *m, struct diag *diag)
{
	struct host_numbers numbers;
	size_t n_bad = 0, n_unknown = 0;
	int r;

	r = host_list(t, m->arena, FIRMWARE_MAP, "", MEMMAP_ENTRIES_MAX, &numbers);
	if (r == -E2BIG)
		note(diag, "host/memmap-too-many", "/" FIRMWARE_MAP " has more than %d entries; "
		     "it is not used", MEMMAP_ENTRIES_MAX);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	for (size_t i = 0; i < numbers.n; i++) {
		r = add_firmware_entry(t, numbers.v[i], m, &n_unknown, diag);
		if (r == -ENOMEM)
			return r;
		if (r < 0)
			n_bad++;
	}
	if (n_bad > 0)
		note(diag, "host/memmap-entry",
		     "%zu entries of /" FIRMWARE_MAP " are unreadable or no range; they were left "
		     "out", n_bad);
	if (n_unknown > 0)
		note(diag, "host/memmap-type",
		     "%zu entries of /" FIRMWARE_MAP " have a type that is not known; they are "
		     "handed on as reserved", n_unknown);
	return 0;
}

static int read_boot_params_map(const struct facts *f, struct memmap *m, struct diag *diag)
{
	int r;

	if (!f->has_boot_params)
		return 0;
	r = memmap_add_boot_params(m, span_of(f->boot_params, BOOT_PARAMS_LEN), diag);
	for (size_t i = 0; r == 0 && i < f->n_setup; i++)
		if (f->setup[i].type == SETUP_E820_EXT)
			r = memmap_add_e820_ext(m, f->setup[i].data, diag);
	return tolerate(diag, r);
}

static bool has_ram(const struct memmap *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->entries[i].type == MEM_RAM)
			return true;
	return false;
}

static bool adopt_map(struct facts *f, const struct memmap *m, enum map_source source)
{
	if (!has_ram(m))
		return false;
	f->map = m->entries;
	f->n_map = m->n;
	f->map_source = source;
	return true;
}

static int choose_map(const struct host_tree *t, struct arena *a, const struct iomem *iomem,
		      struct facts *f, struct diag *diag)
{
	struct memmap m;
	int r;

	memmap_init(&m, a);
	r = read_firmware_map(t, &m, diag);
	if (r == 0)
		r = memmap_normalize(&m, diag);
	if (r < 0 || adopt_map(f, &m, MAP_FIRMWARE))
		return r;

	memmap_init(&m, a);
	r = read_boot_params_map(f, &m, diag);
	if (r == 0)
		r = memmap_normalize(&m, diag);
	if (r < 0 || adopt_map(f, &m, MAP_BOOT_PARAMS) ||
	    adopt_map(f, &iomem->map, MAP_IOMEM))
		return r;

	fail(diag, ENOENT, "host/no-memory-map",
	     "neither /sys/firmware/memmap nor /sys/kernel/boot_params nor /proc/iomem tells "
	     "where RAM is");
	return fail_advise(diag, "mount /proc and /sys, and run as root (others read zeros in "
			   "/proc/iomem)");
}

/* ---- destinations --------------------------------------------------------------------------- */

/* iomem stays empty when the file cannot be had. */
static int read_iomem(const struct host_tree *t, struct arena *a, struct iomem *iomem,
		      struct diag *diag)
{
	struct span text;
	int r;

	r = host_file_read(t, a, IOMEM_LEN_MAX, &text, "proc/iomem");
	if (r == -ENOMEM)
		return r;
	if (r == 0)
		r = tolerate(diag, memmap_read_iomem(text, a, iomem, diag));
	else
		iomem->is_masked = true;
	if (r == -ENOMEM || iomem->ram.n > 0)
		return r;
	if (iomem->is_masked)
		note(diag, "host/iomem-unprivileged",
		     "/proc/iomem does not show addresses (only root may see them); destinations "
		     "are checked against the firmware's memory map only");
	else
		note(diag, "host/iomem-no-ram",
		     "/proc/iomem has no System RAM; destinations are checked against the "
		     "firmware's memory map only");
	return 0;
}

/* All addresses that are in none of the ranges. */
static int invert(const struct range_list *l, struct arena *a, struct range_list *ret)
{
	struct range_list rest;
	phys_t at = 0;

	range_list_init(&rest, a);
	for (size_t i = 0; i < l->n; i++) {
		if (range_list_add(&rest, (struct range){ at, l->r[i].start }) < 0)
			return -ENOMEM;
		at = l->r[i].end;
	}
	if (range_list_add(&rest, (struct range){ at, UINT64_MAX }) < 0)
		return -ENOMEM;
	*ret = rest;
	return 0;
}

/* Everything that never is a destination, and its inverse in *ret. */
static int list_allowed(const struct iomem *iomem, struct arena *a, struct range_list *ret)
{
	const struct range_list *lists[] = { &iomem->crash_kernel, &iomem->driver_managed };
	struct range_list forbidden;

	range_list_init(&forbidden, a);
	/* Real mode, BIOS and VGA; every kernel reserves it all. */
	if (range_list_add(&forbidden, (struct range){ 0, MIB }) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < array_len(lists); i++)
		for (size_t k = 0; k < lists[i]->n; k++)
			if (range_list_add(&forbidden, lists[i]->r[k]) < 0)
				return -ENOMEM;
	range_list_normalize(&forbidden);
	return invert(&forbidden, a, ret);
}

/* All of real_ram that a real mode kernel could have: not the first page, with what the BIOS keeps
 * there, and nothing from the VGA window on. */
static int choose_low_ram(const struct range_list *real_ram, struct arena *a, struct facts *f)
{
	struct range_list conventional;

	range_list_init(&conventional, a);
	if (range_list_add(&conventional, (struct range){ PAGE_LEN, CONVENTIONAL_END }) < 0 ||
	    range_list_intersect(real_ram, &conventional, a, &f->low_ram) < 0)
		return -ENOMEM;
	range_list_align_inward(&f->low_ram, PAGE_LEN);
	return 0;
}

static int choose_ram(const struct iomem *iomem, struct arena *a, struct facts *f,
		      struct diag *diag)
{
	struct range_list map_ram, allowed;
	int r;

	r = memmap_ranges(f->map, f->n_map, MEM_RAM, a, &map_ram, diag);
	if (r == 0 && iomem->ram.n > 0) {
		f->is_ram_from_iomem = true;
		r = range_list_intersect(&map_ram, &iomem->ram, a, &map_ram);
	}
	if (r == 0)
		r = choose_low_ram(&map_ram, a, f);
	if (r == 0)
		r = list_allowed(iomem, a, &allowed);
	if (r == 0)
		r = range_list_intersect(&map_ram, &allowed, a, &f->ram);
	if (r < 0)
		return r;
	range_list_align_inward(&f->ram, PAGE_LEN);
	if (f->ram.n == 0)
		note(diag, "host/no-destination",
		     "no page of RAM above 1 MiB is in the memory map and in /proc/iomem");
	return range_list_copy(&iomem->crash_kernel, a, &f->crash_kernel);
}

/* What a dump is of. Whose driver it is does not matter to it. */
static int list_crash_ram(const struct iomem *iomem, struct arena *a, struct facts *f)
{
	int r = range_list_copy(&iomem->ram, a, &f->crash.ram);

	for (size_t i = 0; i < iomem->driver_managed.n && r == 0; i++)
		r = range_list_add(&f->crash.ram, iomem->driver_managed.r[i]);
	range_list_normalize(&f->crash.ram);
	return r;
}

int host_read_memory(const struct host_tree *t, struct arena *a, struct facts *f,
		     struct diag *diag)
{
	struct iomem iomem = { 0 };
	int r;

	r = read_iomem(t, a, &iomem, diag);
	if (r == 0)
		r = choose_map(t, a, &iomem, f, diag);
	if (r == 0)
		r = choose_ram(&iomem, a, f, diag);
	if (r == 0)
		r = list_crash_ram(&iomem, a, f);
	return r;
}
