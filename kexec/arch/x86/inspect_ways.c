// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What each entry needs in memory before its first instruction. Places are those that the plan would
 * ask for (bzimage_wish.h); the rest is what the code behind the entry does before it has page tables
 * of its own. Source: arch/x86/boot/compressed/head_{64,32}.S, pgtable_64.c, ident_map_64.c;
 * arch/x86/kernel/head_{64,32}.S, head64.c; arch/x86/platform/pvh/head.S.
 */
#include "arch/x86/boot_params.h"
#include "arch/x86/bzimage_wish.h"
#include "arch/x86/inspect_image.h"
#include "arch/x86/real_mode.h"
#include "handoff.h"

#define LOW_MEMORY_LEN	MIB
#define HALTED		"the stub halts: the image was given another payload"
#define START_INFO_LEN	56	/* struct hvm_start_info, version 1 */

static void need_wish(struct way *w, const struct segment_wish *wish, uint64_t len,
		      const struct need *what)
{
	struct need n = *what;

	n.min = wish->min;
	n.end = wish->end;
	n.len = len;
	if (n.align == 0)
		n.align = wish->align ? wish->align : PAGE_LEN;
	n.is_fixed = n.end - n.min < len + n.align && n.end - n.min >= len;
	way_need(w, &n);
}

/* Zero page, command line, initrd: of every entry but the real mode one. */
static void need_params(struct way *w, const struct bzimage *image, enum jump_mode mode,
			const char *zero_page_why, const char *cmdline_why)
{
	const struct segment_wish params = bzimage_wish_params(image, mode);
	const struct segment_wish initrd = bzimage_wish_initrd(image, mode);
	const enum need_map map = mode == JUMP_64 ? MAP_IDENTITY : MAP_PHYSICAL;

	need_wish(w, &params, BOOT_PARAMS_LEN,
		  &(struct need){ .name = "boot_params", .map = map, .is_written = true,
				  .why = zero_page_why });
	need_wish(w, &params, COMMAND_LINE_SIZE,
		  &(struct need){ .name = "command line", .map = map, .align = 1,
				  .why = cmdline_why });
	need_wish(w, &initrd, 0,
		  &(struct need){ .name = "initrd", .map = MAP_LATER,
				  .why = "as long as it is; the kernel maps it when it has page "
					 "tables" });
}

static void need_stub_memory(struct way *w, const struct bzimage *image, enum jump_mode mode)
{
	const struct segment_wish wish = bzimage_wish_kernel(image, NULL, mode);
	const enum need_map map = mode == JUMP_64 ? MAP_IDENTITY : MAP_PHYSICAL;

	need_wish(w, &wish, image->kernel.len,
		  &(struct need){ .name = "image", .map = map,
				  .why = "the stub as it is loaded, which copies itself to the end "
					 "of the window" });
	need_wish(w, &wish, wish.reserve_len,
		  &(struct need){ .name = "window", .map = map, .is_written = true,
				  .why = image->is_relocatable ?
					       "from the image's address, rounded up to the "
					       "alignment, on: init_size bytes to unpack in" :
					       "init_size bytes to unpack in, at the preferred "
					       "address" });
}

/* A stub that can change the paging mode does so through code below 1 MiB, without a handler for page
 * faults. */
static void need_low_memory(struct way *w)
{
	way_need(w, &(struct need){
			    .name = "low memory", .min = 0, .end = LOW_MEMORY_LEN, .is_fixed = true,
			    .len = LOW_MEMORY_LEN, .align = PAGE_LEN, .map = MAP_IDENTITY,
			    .is_written = true,
			    .why = "only where the CPU can do 5-level paging and the mode has to "
				   "change: the stub puts two pages of code there, and "
				   "restores what was there" });
	way_need(w, &(struct need){
			    .name = "page tables", .min = BZIMAGE_LOWEST, .end = 4 * GIB,
			    .len = PAGE_LEN, .align = PAGE_LEN, .map = MAP_IDENTITY,
			    .why = "only there, too: the stub reads the top level that CR3 has" });
}

static void way_64(struct inspection *in, const struct bzimage *image)
{
	struct way *w = inspect_way(in, "64");

	if (!w)
		return;
	if (!(image->xloadflags & XLF_KERNEL_64))
		w->obstacle = image->version < 0x020c ? "protocols before 2.12 do not tell of one" :
							"a 32-bit kernel";
	if (image->is_stub_halted)
		w->obstacle = HALTED;
	w->has_file_off = true;
	w->file_off = image->setup_len + ENTRY_64_OFF;
	w->off = ENTRY_64_OFF;
	w->addr = image->pref_address + ENTRY_64_OFF;
	w->mode = image->xloadflags & XLF_5LEVEL ?
			  "long mode, paging on with 4 or 5 levels, interrupts off" :
			  "long mode, paging on with 4 levels, interrupts off";
	w->registers = "rsi = boot_params; cs a 64-bit segment; no stack, GDT or IDT needed";
	w->tables = "not written; used until the stub has its own, in the window, a few hundred "
		    "instructions later";
	need_stub_memory(w, image, JUMP_64);
	need_params(w, image, JUMP_64, "read and written by the stub",
		    "read by the stub (no5lvl, nokaslr, memmap=, ...)");
	if (image->xloadflags & XLF_5LEVEL_ENABLED)
		need_low_memory(w);
}

static void way_32(struct inspection *in, const struct bzimage *image)
{
	struct way *w = inspect_way(in, "32");

	if (!w)
		return;
	if (image->is_stub_halted)
		w->obstacle = HALTED;
	w->has_file_off = true;
	w->file_off = image->setup_len;
	w->addr = image->pref_address;
	w->mode = "protected mode, paging off, flat segments, interrupts off";
	w->registers = "esi = boot_params; cs 0x10, ds, es, ss 0x18; ebp, edi, ebx 0";
	w->tables = image->xloadflags & XLF_KERNEL_64 ?
			    "none needed: the stub maps the first 4 GiB, in the window" :
			    "none needed: paging stays off until the kernel itself turns it on";
	need_stub_memory(w, image, JUMP_32);
	need_params(w, image, JUMP_32, "written: four bytes of it are the stub's first stack",
		    "read by the stub");
}

static void way_16(struct inspection *in, const struct bzimage *image)
{
	struct way *w = inspect_way(in, "16");

	if (!w)
		return;
	if (image->is_stub_halted)
		w->obstacle = HALTED;
	w->has_file_off = true;
	w->file_off = HDR_JUMP;
	w->off = HDR_JUMP;
	w->addr = 0x90000 + HDR_JUMP;	/* where boot sectors used to put it */
	w->mode = "real mode, interrupts off, with a BIOS";
	w->registers = "ds, es, fs, gs, ss = address / 16, cs = that + 0x20, ip 0";
	w->tables = "none: real mode; then as for the 32-bit entry, where the setup code goes";
	way_need(w, &(struct need){
			    .name = "setup", .min = 0x10000, .end = 0xa0000,
			    .len = HANDOFF_REAL_LEN, .align = 16, .map = MAP_PHYSICAL,
			    .is_written = true,
			    .why = "boot sector, setup code, its heap and stack" });
	way_need(w, &(struct need){
			    .name = "command line", .min = 0x10000, .end = 0xa0000,
			    .len = (uint64_t)image->cmdline_max + 1, .align = 1,
			    .map = MAP_PHYSICAL, .why = "read by the setup code and the stub" });
	need_stub_memory(w, image, JUMP_32);
}

void inspect_way_direct(struct inspection *in, const struct bzimage *image,
			const struct direct *direct, const char *why_not)
{
	const enum jump_mode mode = direct && !direct->is_64 ? JUMP_32 : JUMP_64;
	struct way *w = inspect_way(in, "direct");
	struct segment_wish wish;

	if (!w)
		return;
	w->obstacle = why_not;
	if (!direct)
		return;
	wish = bzimage_wish_kernel(image, direct, mode);
	w->off = direct->entry_off;
	w->addr = direct->link_start + direct->entry_off;
	if (mode == JUMP_64) {
		w->mode = image->xloadflags & XLF_5LEVEL_ENABLED ?
				  "long mode, paging on with 4 or 5 levels, interrupts off" :
				  "long mode, paging on with 4 levels, interrupts off";
		w->registers = "rsi = boot_params; cs a 64-bit segment; DF clear; no stack, GDT or "
			       "IDT needed";
		w->tables = "not written; the kernel fixes its own up, which are in its image, and "
			    "leaves these as soon as it is mapped at its virtual address";
	} else {
		w->mode = "protected mode, paging off, flat segments, interrupts off";
		w->registers = "esi = boot_params";
		w->tables = "none needed: the kernel makes its own, in its .brk";
	}
	need_wish(w, &wish, direct->window_len,
		  &(struct need){ .name = "kernel",
				  .map = mode == JUMP_64 ? MAP_IDENTITY : MAP_PHYSICAL,
				  .is_written = true,
				  .why = "unpacked, with .bss and .brk; its virtual addresses are at a "
					 "constant offset from there, in its own tables" });
	need_params(w, image, mode, "read and written by the kernel",
		    "COMMAND_LINE_SIZE bytes are copied, whatever its length");
}

void inspect_way_pvh(struct inspection *in, const struct elf *elf, const struct elf_findings *f)
{
	struct way *w = inspect_way(in, "pvh");

	if (!w)
		return;
	if (!f->has_pvh) {
		w->obstacle = "no Xen note PHYS32_ENTRY";
		return;
	}
	w->off = f->pvh_entry - elf->start;
	w->addr = f->pvh_entry;
	w->mode = "protected mode, paging off, flat segments, CR4 0, interrupts off";
	w->registers = "ebx = hvm_start_info; TR a valid 32-bit TSS";
	w->tables = elf->is_64 ? "none needed: the entry brings its own, for the first GiB" :
				 "none needed: paging stays off until the kernel itself turns it on";
	way_need(w, &(struct need){
			    .name = "kernel",
			    .min = f->has_pvh_range ? f->pvh_min : elf->start,
			    .end = f->has_pvh_range ? f->pvh_last + 1 : elf->end,
			    .is_fixed = !f->has_pvh_range, .len = elf->end - elf->start,
			    .align = f->has_pvh_range ? f->pvh_align : PAGE_LEN,
			    .map = MAP_PHYSICAL, .is_written = true,
			    .why = f->has_pvh_range ? "every PT_LOAD, moved as one" :
						      "every PT_LOAD, as linked" });
	way_need(w, &(struct need){
			    .name = "hvm_start_info", .min = 0, .end = 4 * GIB,
			    .len = START_INFO_LEN, .align = 4, .map = MAP_PHYSICAL,
			    .is_written = true,
			    .why = "newer kernels use its first words as a stack" });
	way_need(w, &(struct need){
			    .name = "memory map, modules, command line", .min = 0, .end = 4 * GIB,
			    .align = 4, .map = MAP_PHYSICAL,
			    .why = "what hvm_start_info points to" });
}

void inspect_ways(struct inspection *in, const struct bzimage *image, const struct direct *direct,
		  const char *why_not)
{
	inspect_way_direct(in, image, direct, why_not);
	way_64(in, image);
	way_32(in, image);
	way_16(in, image);
}
