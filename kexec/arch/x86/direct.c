// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch/x86/direct.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "checked.h"
#include "unpack.h"

/* The virtual space of a kernel image with RANDOMIZE_BASE (KERNEL_IMAGE_SIZE), from
 * __START_KERNEL_map on; and on i386, where physical and virtual move together, the stub's upper
 * limit. */
#define KERNEL_IMAGE_LEN_64	GIB
#define KERNEL_IMAGE_LEN_32	(512 * MIB)
#define START_KERNEL_MAP	UINT64_C(0xffffffff80000000)
/* Alignment below which an x86-64 kernel refuses to run (PMD_SIZE). */
#define ALIGNMENT_64		(2 * MIB)
#define PHYSICAL_END		(64 * TIB)
/* The stub looks from here on even where pref_address is higher. */
#define KASLR_LOWEST_MAX	(512 * MIB)
/* Draws until one leaves room for the other segments. */
#define DRAWS_MAX		64

bool cmdline_has_word(const char *cmdline, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = cmdline; (at = strstr(at, word)) != NULL; at += len)
		if ((at == cmdline || at[-1] == ' ') && (at[len] == '\0' || at[len] == ' '))
			return true;
	return false;
}

/*
 * Is there memory for the payload unpacked, the kernel laid out and the running kernel's copy of
 * that; and for the initrd, which may be unpacked too, and its copy? Without this the OOM killer
 * would look for some, perhaps not here.
 */
static bool has_memory(const struct bzimage *image, const struct request *req,
		       const struct facts *facts)
{
	const struct codec *codec = unpack_find(image->payload);
	size_t len = image->payload.len, n_copies = 2;
	uint64_t kernel_len, initrd_len, needed;
	struct span packed;
	struct diag ignored;

	diag_init(&ignored, NULL);
	if (facts->ram_available == 0)
		return true;	/* unknown */
	if (codec && strcmp(image->payload_format, "elf") != 0 &&
	    unpack_split(codec, image->payload, &packed, &len, &ignored) == 0)
		n_copies = 3;
	/* No true length is above init_size; a false one is for direct_unpack() to refuse. */
	return checked_mul(min_u64(len, image->window_len), n_copies, &kernel_len) &&
	       checked_mul(req->initrd.len, 2, &initrd_len) &&
	       checked_add(kernel_len, initrd_len, &needed) && needed <= facts->ram_available;
}

static const char *missing_library(const struct codec *codec, struct arena *a)
{
	const char *text = arena_printf(a, "its payload is packed with %s, and this kexec was "
					   "built without %s", codec->name, codec->library);

	return text ? text : "this kexec was built without the library that unpacks its payload";
}

const char *direct_image_obstacle(const struct bzimage *image, struct arena *a)
{
	const struct codec *codec;

	if (!image->has_payload)
		return "the image has no payload";
	if (!image->is_relocatable)
		return "the kernel is not relocatable";
	if (image->version < 0x020c)
		return "the boot protocol is too old to say what the kernel is";
	codec = unpack_find(image->payload);
	if (codec && !codec->is_built)
		return missing_library(codec, a);
	return NULL;
}

const char *direct_obstacle(const struct bzimage *image, const struct request *req,
			    const struct facts *facts, struct arena *a)
{
	const char *obstacle = direct_image_obstacle(image, a);

	if (obstacle)
		return obstacle;
	if (facts->cpu.is_confidential_guest)
		return "this is a confidential guest, which only the image's own stub knows to "
		       "start";
	if (facts->has_unaccepted_memory)
		return "some memory is not accepted yet, which only the image's own stub can do";
	if (cmdline_has_word(req->cmdline, "mem_encrypt=on"))
		return "mem_encrypt=on needs the image's own stub";
	if (!has_memory(image, req, facts))
		return "the machine has less memory available than unpacking the kernel takes";
	return NULL;
}

int direct_payload(const struct bzimage *image, struct arena *a, struct span *ret,
		   struct diag *diag)
{
	const struct codec *codec = unpack_find(image->payload);
	struct span packed;
	size_t out_len;
	uint8_t *out;
	int r;

	if (strcmp(image->payload_format, "elf") == 0) {
		*ret = image->payload;
		return 0;
	}
	if (!codec)
		return fail(diag, EINVAL, "direct/payload-unknown",
			    "the payload begins with no known compression format");
	r = unpack_split(codec, image->payload, &packed, &out_len, diag);
	if (r < 0)
		return r;
	out = arena_alloc(a, out_len);
	if (!out)
		return fail_nomem(diag);
	r = unpack_exact(codec, packed, out, out_len, diag);
	if (r == 0)
		*ret = span_of(out, out_len);
	return r;
}

/* Beyond this offset everything is zero, and the kernel clears it itself. */
static uint64_t trimmed_len(const struct elf *elf)
{
	uint64_t keep = elf->bss_start ? elf->bss_start - elf->start : elf->end - elf->start;

	for (size_t i = elf->n_loads; i-- > 0;) {
		const struct elf_load *l = &elf->loads[i];
		uint64_t off = l->paddr - elf->start, n = l->file_len;

		if (off + l->file_len <= keep)
			continue;
		while (n > 0 && elf->file.data[l->off + n - 1] == 0)
			n--;
		if (n > 0)
			return max_u64(keep, off + n);
	}
	return keep;
}

static int lay_out(const struct elf *elf, struct arena *a, struct direct *d, struct diag *diag)
{
	d->image_len = (size_t)trimmed_len(elf);
	d->image = arena_alloc(a, d->image_len);
	if (!d->image)
		return fail_nomem(diag);
	for (size_t i = 0; i < elf->n_loads; i++) {
		const struct elf_load *l = &elf->loads[i];
		uint64_t off = l->paddr - elf->start;

		d->loads[d->n_loads++] = (struct range){ off, off + l->file_len };
		if (off >= d->image_len)
			continue;
		if (!span_copy(elf->file, l->off, d->image + off,
			       (size_t)min_u64(l->file_len, d->image_len - off)))
			return fail(diag, EINVAL, "direct/load-outside",
				    "a PT_LOAD lies outside the payload");
	}
	return 0;
}

static int check_elf(const struct bzimage *image, const struct elf *elf, struct diag *diag)
{
	bool is_64 = image->xloadflags & XLF_KERNEL_64;
	uint64_t len = elf->end - elf->start;

	if (elf->is_64 != is_64)
		return fail(diag, EINVAL, "direct/class",
			    "the payload is a %s kernel, the header says %s",
			    elf->is_64 ? "64-bit" : "32-bit", is_64 ? "64-bit" : "32-bit");
	if (elf->start != image->pref_address)
		return fail(diag, EINVAL, "direct/link-address",
			    "the kernel is linked for %#" PRIx64
			    ", the header's pref_address is %#" PRIx64,
			    elf->start, image->pref_address);
	if (len > image->window_len)
		return fail(diag, EINVAL, "direct/too-long",
			    "the kernel takes %" PRIu64 " bytes, init_size is %" PRIu64, len,
			    image->window_len);
	if (elf->entry < elf->start || elf->entry >= elf->end)
		return fail(diag, EINVAL, "direct/entry-outside",
			    "the kernel's entry %#" PRIx64 " lies outside its %#" PRIx64
			    "-%#" PRIx64,
			    elf->entry, elf->start, elf->end);
	if (is_64 && !is_aligned(elf->start, ALIGNMENT_64))
		return fail(diag, EINVAL, "direct/link-alignment",
			    "the kernel is linked for %#" PRIx64 ", no multiple of 2 MiB",
			    elf->start);
	return 0;
}

int direct_read(const struct bzimage *image, struct span payload, struct arena *a,
		struct direct *ret, struct diag *diag)
{
	struct direct d = {
		.is_64 = image->xloadflags & XLF_KERNEL_64,
		.alignment = image->alignment,
	};
	struct span table;
	struct elf elf;
	int r = elf_parse(payload, &elf, diag);

	if (r == 0)
		r = check_elf(image, &elf, diag);
	if (r < 0)
		return r;
	if (!span_sub(payload, elf.len, payload.len - elf.len, &table))
		return fail(diag, EINVAL, "direct/table", "the payload ends inside its ELF file");
	r = reloc_parse(table, &elf, &d.relocs, diag);
	if (r == 0)
		r = lay_out(&elf, a, &d, diag);
	if (r < 0)
		return r;
	if (d.is_64)
		d.alignment = max_u64(d.alignment, ALIGNMENT_64);
	d.link_start = elf.start;
	d.link_vaddr = elf.loads[0].vaddr;
	d.entry_off = elf.entry - elf.start;
	d.window_len = elf.end - elf.start;
	*ret = d;
	return 0;
}

int direct_unpack(const struct bzimage *image, struct arena *a, struct direct *ret,
		  struct diag *diag)
{
	struct span payload = { 0 };
	int r = direct_payload(image, a, &payload, diag);

	return r < 0 ? r : direct_read(image, payload, a, ret, diag);
}

/* RAM that the stub's KASLR would look at. */
static int candidates(const struct request *req, const struct facts *facts,
		      const struct kaslr_limits *limits, struct arena *a, struct range_list *ret)
{
	uint64_t n_gib = limits->n_gib_pages;

	if (range_list_copy(&facts->ram, a, ret) < 0 ||
	    range_list_subtract(ret, (struct range){ 0, req->mem_min }) < 0 ||
	    range_list_subtract(
		    ret, (struct range){ min_u64(req->mem_end, limits->end), UINT64_MAX }) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < limits->avoid.n; i++)
		if (range_list_subtract(ret, limits->avoid.r[i]) < 0)
			return -ENOMEM;
	/* The first whole GiBs are for huge pages, as the stub leaves them. */
	for (size_t i = 0; i < facts->ram.n && n_gib > 0; i++) {
		phys_t at;

		if (!checked_align_up(facts->ram.r[i].start, GIB, &at))
			continue;
		for (; n_gib > 0 && at < facts->ram.r[i].end && facts->ram.r[i].end - at >= GIB;
		     at += GIB, n_gib--)
			if (range_list_subtract(ret, (struct range){ at, at + GIB }) < 0)
				return -ENOMEM;
	}
	return 0;
}

/* Would the rest of RAM still take the other segments, each in one piece? */
static bool leaves_room(const struct facts *facts, struct range kernel, uint64_t initrd_len,
			phys_t initrd_end, struct arena *a)
{
	const uint64_t others_len = 16 * MIB;	/* params and purgatory, generously */
	struct range_list rest;
	uint64_t largest = 0;

	if (range_list_copy(&facts->ram, a, &rest) < 0 || range_list_subtract(&rest, kernel) < 0)
		return true;
	for (size_t i = 0; i < rest.n; i++)
		if (rest.r[i].start < initrd_end)
			largest = max_u64(largest,
					  min_u64(rest.r[i].end, initrd_end) - rest.r[i].start);
	return largest >= initrd_len + others_len;
}

static phys_t physical_end(const struct bzimage *image)
{
	if (!(image->xloadflags & XLF_KERNEL_64))
		return KERNEL_IMAGE_LEN_32;
	return (image->xloadflags & XLF_CAN_BE_LOADED_ABOVE_4G) ? PHYSICAL_END : 4 * GIB;
}

static int draw_physical(const struct bzimage *image, const struct request *req,
			 const struct facts *facts, const struct kaslr_limits *limits,
			 struct arena *a, struct direct *d)
{
	phys_t min = min_u64(image->pref_address, KASLR_LOWEST_MAX), end = physical_end(image);
	phys_t initrd_end = d->is_64 ? PHYSICAL_END : image->initrd_end;
	struct range_list ram;

	if (candidates(req, facts, limits, a, &ram) < 0)
		return -ENOMEM;
	min = max_u64(min, image->pref_address);
	for (uint32_t round = 0; round < DRAWS_MAX; round++) {
		phys_t base;

		if (!kaslr_pick_physical(&ram, min, end, d->window_len, d->alignment,
					 kaslr_draw(req->seed, "physical", round), &base))
			return 0;
		if (!leaves_room(facts, (struct range){ base, base + d->window_len },
				 req->initrd.len, initrd_end, a))
			continue;
		d->base = base;
		return 0;
	}
	return 0;
}

int direct_choose_base(const struct bzimage *image, const struct request *req,
		       const struct facts *facts, struct arena *a, struct direct *d,
		       struct diag *diag)
{
	uint64_t link = d->link_vaddr - START_KERNEL_MAP;
	struct kaslr_limits limits;

	if (!image->is_relocatable) {
		d->base = d->link_start;
		return 0;
	}
	if (kaslr_read_cmdline(req->cmdline, a, &limits) < 0)
		return fail_nomem(diag);
	if (kaslr_count_physical(&facts->ram, image->pref_address, physical_end(image),
				 d->window_len, d->alignment) == 0)
		return fail(diag, EADDRNOTAVAIL, "direct/no-room",
			    "no free piece of RAM takes the unpacked kernel's %" PRIu64 " bytes",
			    d->window_len);
	/* Without a table the kernel was built without KASLR; and an i386 kernel, whose virtual
	 * addresses move with the physical ones, then runs where it was linked. */
	if (!d->is_64 && d->relocs.is_empty)
		d->base = d->link_start;
	if (limits.is_off || d->relocs.is_empty)
		return 0;
	/* Also where there is no physical place to draw from: so has the stub it. */
	d->is_randomized = true;
	if (!limits.is_physical_off && draw_physical(image, req, facts, &limits, a, d) < 0)
		return fail_nomem(diag);
	if (d->is_64 && d->link_vaddr >= START_KERNEL_MAP && link < KERNEL_IMAGE_LEN_64)
		d->vaddr_delta = kaslr_pick_virtual(link, KERNEL_IMAGE_LEN_64, d->window_len,
						    d->alignment,
						    kaslr_draw(req->seed, "virtual", 0)) - link;
	return 0;
}

int direct_relocate(struct direct *d, phys_t base, struct diag *diag)
{
	uint64_t delta = d->is_64 ? d->vaddr_delta : base - d->link_start;

	if (delta != 0 && d->relocs.is_empty)
		return fail(diag, EINVAL, "direct/no-relocations",
			    "the kernel has no relocation table and cannot run at %#" PRIx64, base);
	return reloc_apply(&d->relocs, d->image, d->image_len, d->link_vaddr, delta, diag);
}
