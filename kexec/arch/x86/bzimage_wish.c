// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch/x86/bzimage_wish.h"

#include "checked.h"

/* Highest byte of an i386 kernel's window: its lowmem less the vmalloc reserve. */
#define I386_KERNEL_END		UINT64_C(0x38000000)

bool bzimage_reaches_above_4gib(const struct bzimage *image, enum jump_mode mode)
{
	return mode == JUMP_64 && (image->xloadflags & XLF_CAN_BE_LOADED_ABOVE_4G);
}

static phys_t kernel_end(const struct bzimage *image, enum jump_mode mode)
{
	if (!(image->xloadflags & XLF_KERNEL_64))
		return min_u64(I386_KERNEL_END, image->initrd_end);
	return bzimage_reaches_above_4gib(image, mode) ? BZIMAGE_END : 4 * GIB;
}

/* The end of a window of whole pages; 0 if it wraps. */
static phys_t end_of(phys_t start, uint64_t len)
{
	phys_t end;

	return checked_add(start, len, &end) && checked_align_up(end, PAGE_LEN, &end) ? end : 0;
}

/*
 * The stub starts the kernel at its load address rounded up to the alignment and raised to
 * pref_address, and unpacks within window_len bytes from there. Loaded at an aligned address not
 * below pref_address, both are the same place.
 */
struct segment_wish bzimage_wish_kernel(const struct bzimage *image, const struct direct *direct,
					enum jump_mode mode)
{
	struct segment_wish wish = {
		.name = "kernel",
		.bytes = image->kernel,
		.reserve_len = max_u64(image->window_len, image->kernel.len),
		.align = image->alignment,
		.min = max_u64(image->pref_address, BZIMAGE_LOWEST),
		.end = kernel_end(image, mode),
		/* An i386 kernel builds its first page tables behind itself and dies (6.1, in
		 * native_pagetable_init) when they reach the end of lowmem. */
		.wants_lowest = !(image->xloadflags & XLF_KERNEL_64),
		.is_digested = true,
	};

	if (!image->is_relocatable && !direct)
		wish.end = end_of(image->pref_address, wish.reserve_len);
	if (!direct)
		return wish;
	wish.bytes = span_of(direct->image, direct->image_len);
	wish.reserve_len = direct->window_len;
	wish.align = direct->alignment;
	if (direct->base != 0) {
		wish.min = direct->base;
		wish.end = end_of(direct->base, direct->window_len);
	}
	return wish;
}

struct segment_wish bzimage_wish_initrd(const struct bzimage *image, enum jump_mode mode)
{
	return (struct segment_wish){
		.name = "initrd",
		.min = BZIMAGE_LOWEST,
		.end = bzimage_reaches_above_4gib(image, mode) ? BZIMAGE_END :
			       min_u64(4 * GIB, image->initrd_end),
		.is_digested = true,
	};
}

struct segment_wish bzimage_wish_params(const struct bzimage *image, enum jump_mode mode)
{
	return (struct segment_wish){
		.name = "params",
		.min = BZIMAGE_LOWEST,
		.end = bzimage_reaches_above_4gib(image, mode) ? BZIMAGE_END : 4 * GIB,
		.is_digested = true,
	};
}
