// SPDX-License-Identifier: GPL-2.0-or-later
#include "budget.h"

#include <stdlib.h>
#include <string.h>

#include "arch/x86/x86.h"

/* One struct page (64 bytes) for each page of every memory section that has RAM in it, section by
 * section: Documentation/mm/memory-model.rst, SECTION_SIZE_BITS of x86-64. */
#define SECTION_LEN		(128 * MIB)
#define SECTION_MAP_LEN		(2 * MIB)
/* The first chunk of a CPU's per-CPU area is 240 to 260 KiB (dmesg: "percpu: Embedded"); the rest
 * is its threads' stacks, its slabs and page lists. */
#define PER_CPU_LEN		(1 * MIB)
/* An inode and a directory entry of ramfs. */
#define FILE_LEN		1024
/* What a packed initrd becomes, where its archives cannot be read. */
#define UNPACKED_RATIO		3
/* mm/swiotlb: IO_TLB_DEFAULT_SIZE, used when RAM ends above 4 GiB, or what the firmware's SRAT has of
 * memory: arch/x86/kernel/pci-dma.c, max_possible_pfn. swiotlb= counts these. */
#define SWIOTLB_LEN		(64 * MIB)
#define SWIOTLB_SLAB_LEN	(2 * KIB)
/* Slabs, hash tables, drivers, kernel threads, and what is kept free. */
#define KERNEL_AT_WORK_LEN	(28 * MIB)
/* A shell or init, makedumpfile and its buffers. */
#define USER_SPACE_LEN		(48 * MIB)
#define RECOMMEND_ALIGN		(16 * MIB)

static void add(struct budget *b, struct budget_item item)
{
	if (item.len == 0)
		return;
	b->items[b->n_items++] = item;
	if (item.is_at_boot)
		b->boot_len += item.len;
	if (item.is_at_dump)
		b->dump_len += item.len;
}

static void add_known(struct budget *b, const char *name, uint64_t len)
{
	add(b, (struct budget_item){ name, len, .is_at_boot = true, .is_at_dump = true });
}

static void add_estimate(struct budget *b, const char *name, uint64_t len)
{
	add(b, (struct budget_item){ name, len, .is_at_boot = true, .is_at_dump = true,
				     .is_estimate = true });
}

/* The number that the last word "name=..." of a command line begins with; false if none does. */
static bool read_number(const char *cmdline, const char *name, uint64_t *ret)
{
	const size_t len = strlen(name);
	bool is_found = false;

	for (const char *at = cmdline; (at = strstr(at, name)) != NULL; at += len) {
		if ((at != cmdline && at[-1] != ' ') || at[len] < '0' || at[len] > '9')
			continue;
		*ret = strtoull(at + len, NULL, 0);
		is_found = true;
	}
	return is_found;
}

/* The value of the last word "name=..." of a command line; NULL if there is none. */
static const char *find_word(const char *cmdline, const char *name)
{
	const char *found = NULL;

	for (const char *at = cmdline; (at = strstr(at, name)) != NULL; at += strlen(name))
		if (at == cmdline || at[-1] == ' ')
			found = at + strlen(name);
	return found;
}

/*
 * Does the kernel unpack its initrd into a tmpfs, which takes half of the memory at most, or into a
 * ramfs? init/do_mounts.c, init_rootfs(), of 6.1 to 7.2; from 6.18 on initramfs_options= may give
 * another limit.
 */
static bool is_rootfs_limited(const char *cmdline)
{
	const char *root = find_word(cmdline, "root="), *type = find_word(cmdline, "rootfstype=");
	const char *tmpfs = type ? strstr(type, "tmpfs") : NULL;

	if ((root && *root && *root != ' ') || find_word(cmdline, "initramfs_options="))
		return false;
	return !type || (tmpfs && tmpfs < type + strcspn(type, " "));
}

static uint64_t n_sections(struct range r)
{
	if (range_len(r) == 0)
		return 0;
	return (r.end - 1) / SECTION_LEN - r.start / SECTION_LEN + 1;
}

static uint64_t n_sections_of(const struct range_list *l)
{
	uint64_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += n_sections(l->r[i]);
	return n;
}

/* The first section, with RAM below 640 KiB, is always there. */
static uint64_t page_structures(const struct facts *facts)
{
	return (1 + n_sections_of(&facts->crash_kernel) + n_sections_of(&facts->crash.cma)) *
	       SECTION_MAP_LEN;
}

static uint64_t per_cpu(const struct budget_input *in)
{
	const struct crash_facts *crash = &in->facts->crash;
	uint64_t n = max_u64(crash->n_possible, max_u64(crash->n_notes, 1)), limit = 0;

	if (read_number(in->cmdline, "nr_cpus=", &limit) && limit > 0)
		n = min_u64(n, limit);
	return n * PER_CPU_LEN;
}

static bool is_any_above_4gib(const struct facts *facts)
{
	const struct range_list *lists[] = { &facts->crash_kernel, &facts->crash.cma };

	for (size_t i = 0; i < array_len(lists); i++)
		if (lists[i]->n > 0 && lists[i]->r[lists[i]->n - 1].end > 4 * GIB)
			return true;
	return facts->crash.memory.memory_end > 4 * GIB;
}

static uint64_t swiotlb(const struct budget_input *in)
{
	uint64_t n_slabs = 0;
	bool is_given = read_number(in->cmdline, "swiotlb=", &n_slabs);

	/* The kernel rounds more than there is down, too. */
	n_slabs = min_u64(n_slabs, GIB / SWIOTLB_SLAB_LEN);
	if (!is_any_above_4gib(in->facts) && !strstr(in->cmdline, "swiotlb=force"))
		return 0;
	return is_given && n_slabs > 0 ? n_slabs * SWIOTLB_SLAB_LEN : SWIOTLB_LEN;
}

static void add_initrd(struct budget *b, const struct segment *s, const struct budget_input *in)
{
	const uint64_t files_len = in->is_initrd_known ? in->files_len :
				   s ? s->bytes.len * UNPACKED_RATIO : 0;

	if (!s)
		return;
	add(b, (struct budget_item){ "initrd", s->reserve_len, .is_at_boot = true });
	if (in->is_initrd_known)
		add_known(b, "initrd, unpacked", files_len + in->n_files * FILE_LEN);
	else
		add_estimate(b, "initrd, unpacked", files_len);
	/* The tmpfs takes half of what the kernel manages: as much again has to be free, or the
	 * kernel's own at work. All else that counts here it does not manage. */
	if (is_rootfs_limited(in->cmdline) && files_len > KERNEL_AT_WORK_LEN)
		add(b, (struct budget_item){ "left free by rootfs", files_len - KERNEL_AT_WORK_LEN,
					     .is_at_boot = true, .is_estimate = true });
}

static const struct budget_item *largest(const struct budget *b)
{
	const bool is_boot = b->boot_len >= b->dump_len;
	const struct budget_item *found = NULL;

	for (size_t i = 0; i < b->n_items; i++) {
		const struct budget_item *item = &b->items[i];

		if ((is_boot ? item->is_at_boot : item->is_at_dump) &&
		    (!found || item->len > found->len))
			found = item;
	}
	return found;
}

void x86_estimate_budget(const struct plan *plan, const struct budget_input *in,
			 struct budget *ret)
{
	const struct segment *initrd = NULL;
	uint64_t kernel_len = 0, others_len = 0;

	*ret = (struct budget){
		.reserved_len = range_list_total(&in->facts->crash_kernel) +
				range_list_total(&in->facts->crash.cma),
	};
	for (size_t i = 0; i < plan->n_segments; i++) {
		const struct segment *s = &plan->segments[i];

		if (strcmp(s->name, "initrd") == 0)
			initrd = s;
		else if (strcmp(s->name, "kernel") == 0)
			kernel_len += s->reserve_len;
		else
			others_len += s->reserve_len;
	}
	add_known(ret, "kernel", kernel_len);
	add_initrd(ret, initrd, in);
	add_known(ret, "parameters, purgatory", others_len);
	add_estimate(ret, "page structures", page_structures(in->facts));
	add_estimate(ret, "per-CPU areas", per_cpu(in));
	add_estimate(ret, "swiotlb", swiotlb(in));
	add_estimate(ret, "kernel at work", KERNEL_AT_WORK_LEN);
	add(ret, (struct budget_item){ "user space", USER_SPACE_LEN, .is_at_dump = true,
				       .is_estimate = true });
	ret->needed_len = max_u64(ret->boot_len, ret->dump_len);
	ret->recommended_len = align_down(ret->needed_len + RECOMMEND_ALIGN - 1, RECOMMEND_ALIGN);
	ret->largest = largest(ret);
	ret->is_over = ret->needed_len > ret->reserved_len;
}
