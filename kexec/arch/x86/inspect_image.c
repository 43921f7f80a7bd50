// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "arch/x86/elf_image.h"
#include "arch/x86/flat.h"
#include "arch/x86/inspect_image.h"
#include "arch/x86/multiboot.h"
#include "arch/x86/multiboot2.h"
#include "arch/x86/uki_container.h"
#include "arch/x86/vmlinux.h"
#include "arch/x86/x86.h"
#include "elf.h"
#include "pe.h"
#include "wire/multiboot.h"

/* Without relocations there is no KASLR. 32-bit kernels have them also without it. */
static const char *kaslr_text(bool is_64, const struct elf_findings *f)
{
	return !f->has_relocs ? "no" : is_64 ? "yes" : "unknown";
}

/* ---- bzImage ---- */

static void put_payload(struct inspection *in, const struct bzimage *image, struct span file,
			const struct span *unpacked, const struct diag *why)
{
	struct item *o = inspect_group(in, in->top, "payload");

	inspect_bool(in, o, "there", image->has_payload);
	if (!image->has_payload)
		return;
	inspect_text(in, o, "format", image->payload_format);
	inspect_addr(in, o, "off", (uint64_t)(image->payload.data - file.data));
	inspect_len(in, o, "len", image->payload.len);
	inspect_len(in, o, "unpacked_len",
		    image->payload_out_len ? image->payload_out_len : image->payload.len);
	inspect_bool(in, o, "unpacks", unpacked->len > 0);
	if (unpacked->len == 0 && why->id)
		inspect_failure(in, o, "error", why);
}

static void put_abilities(struct inspection *in, const struct bzimage *image, bool is_read,
			  const struct elf_findings *f)
{
	const uint16_t xlf = image->xloadflags;
	const bool is_64 = xlf & XLF_KERNEL_64;
	struct item *o = inspect_group(in, in->top, "abilities"), *efi;
	uint32_t handover = 0;

	inspect_bool(in, o, "relocatable", image->is_relocatable);
	inspect_bool(in, o, "above_4gib", xlf & XLF_CAN_BE_LOADED_ABOVE_4G);
	inspect_text(in, o, "kaslr", is_read ? kaslr_text(is_64, f) : "unknown");
	inspect_bool(in, o, "stub_knows_5_level", xlf & XLF_5LEVEL);
	inspect_text(in, o, "kernel_runs_5_level", xlf & XLF_5LEVEL_ENABLED ? "yes" : "no");
	if (image->version >= 0x020b &&
	    !span_le32(image->header, HDR_HANDOVER_OFFSET - HDR_SETUP_SECTS, &handover))
		handover = 0;
	efi = inspect_group(in, o, "efi");
	inspect_bool(in, efi, "handover_64", handover && (xlf & XLF_EFI_HANDOVER_64));
	inspect_bool(in, efi, "handover_32", handover && (xlf & XLF_EFI_HANDOVER_32));
	inspect_bool(in, efi, "mixed_mode", is_64 && handover && (xlf & XLF_EFI_HANDOVER_32));
	inspect_bool(in, efi, "survives_kexec", xlf & XLF_EFI_KEXEC);
	/* Of the protected mode code; they need the firmware's boot services, which a kexec has not. */
	if (handover && (xlf & XLF_EFI_HANDOVER_32))
		inspect_addr(in, efi, "handover_32_off", handover);
	if (handover && (xlf & XLF_EFI_HANDOVER_64))
		inspect_addr(in, efi, "handover_64_off", (uint64_t)handover + ENTRY_64_OFF);
}

static void put_kernel_info(struct inspection *in, const struct bzimage *image)
{
	struct item *o;

	if (image->setup_type_max == 0)
		return;
	o = inspect_group(in, in->top, "kernel_info");
	inspect_addr(in, o, "setup_type_max", image->setup_type_max);
}

static void find_parts(struct inspection *in, const struct bzimage *image, struct span file)
{
	const uint64_t kernel_end = image->setup_len + image->kernel.len;
	uint64_t stub = image->setup_len;

	inspect_part(in, "boot sector", 0, 512);
	inspect_part(in, "setup code", 512, image->setup_len - 512);
	if (image->has_payload) {
		const uint64_t at = (uint64_t)(image->payload.data - file.data);

		inspect_part(in, "stub, head", stub, at - stub);
		inspect_part(in, "payload", at, image->payload.len);
		stub = at + image->payload.len;
	}
	inspect_part(in, "stub", stub, kernel_end - stub);
	inspect_part(in, "signatures", kernel_end, file.len - kernel_end);
}

static void put_limits(struct inspection *in, const struct bzimage *image)
{
	struct item *o = inspect_group(in, in->top, "sizes");

	inspect_len(in, o, "setup_len", image->setup_len);
	inspect_len(in, o, "kernel_len", image->kernel.len);
	inspect_len(in, o, "window_len", image->window_len);
	inspect_addr(in, o, "pref_address", image->pref_address);
	inspect_addr(in, o, "alignment", image->alignment);
	inspect_number(in, o, "cmdline_max", image->cmdline_max);
	inspect_addr(in, o, "initrd_end", image->initrd_end);
}

static const char *put_banner(struct inspection *in, const struct elf *elf)
{
	const char *banner;
	struct diag why;

	diag_init(&why, NULL);
	if (vmlinux_banner(elf, in->arena, &banner, &why) < 0)
		in->is_short = true;
	inspect_text(in, in->top, "banner", banner);
	return banner;
}

/* The payload, as far as it can be read; false: only the header says what there is. */
static bool put_kernel(struct inspection *in, const struct bzimage *image, struct span file,
		       struct elf *elf, struct elf_findings *f, struct diag *why)
{
	struct span unpacked = { 0 };
	bool is_read = false;

	if (!direct_image_obstacle(image, in->arena) || image->has_payload) {
		if (direct_payload(image, in->arena, &unpacked, why) < 0)
			unpacked = (struct span){ 0 };
	}
	put_payload(in, image, file, &unpacked, why);
	if (unpacked.len > 0)
		is_read = inspect_elf(in, in->top, unpacked, elf, f);
	if (is_read)
		put_banner(in, elf);
	return is_read;
}

void inspect_bzimage(struct inspection *in, struct span file)
{
	struct elf_findings findings = { 0 };
	struct bzimage image;
	struct direct direct;
	const char *obstacle;
	struct diag why;
	struct elf elf;
	bool is_read, has_direct = false;

	diag_init(&why, NULL);
	inspect_setup_header(in, file);
	inspect_pe(in, in->top, file, false);
	if (bzimage_parse(file, in->arena, &image, &why) < 0) {
		inspect_failure(in, in->top, "error", &why);
		return;
	}
	inspect_text(in, in->top, "kernel_version", image.kernel_version);
	put_limits(in, &image);
	put_kernel_info(in, &image);
	find_parts(in, &image, file);
	is_read = put_kernel(in, &image, file, &elf, &findings, &why);
	put_abilities(in, &image, is_read, &findings);
	obstacle = direct_image_obstacle(&image, in->arena);
	if (!obstacle && is_read)
		has_direct = direct_read(&image, elf.file, in->arena, &direct, &why) == 0;
	if (!obstacle && !has_direct)
		obstacle = arena_printf(in->arena, "%s [%s]", why.text, why.id ? why.id : "unknown");
	inspect_ways(in, &image, has_direct ? &direct : NULL, obstacle);
	if (is_read)
		inspect_way_pvh(in, &elf, &findings);
}

/* ---- ELF files that are no bzImage ---- */

static void put_vmlinux(struct inspection *in, const struct elf *elf, const char *banner,
			const struct elf_findings *f)
{
	struct span payload;
	struct bzimage image;
	struct direct direct;
	struct item *o;
	struct diag why;

	diag_init(&why, NULL);
	if (vmlinux_header(elf, banner, in->arena, &image, &payload, &why) < 0 ||
	    direct_read(&image, payload, in->arena, &direct, &why) < 0) {
		inspect_failure(in, in->top, "error", &why);
		return;
	}
	o = inspect_group(in, in->top, "abilities");
	inspect_bool(in, o, "relocatable", image.is_relocatable);
	inspect_text(in, o, "kaslr", kaslr_text(elf->is_64, f));
	/* Without a setup header only the release says it. */
	inspect_text(in, o, "kernel_runs_5_level",
		     image.xloadflags & XLF_5LEVEL_ENABLED ? "yes" :
		     elf->is_64 ? "unknown" : "no");
	if (!image.is_relocatable)
		direct.base = direct.link_start;
	inspect_way_direct(in, &image, &direct, NULL);
}

/* A program: what is linked where. */
static void put_program(struct inspection *in, const struct flat *flat, phys_t entry,
			const char *name, const char *mode, const char *registers)
{
	struct way *w = inspect_way(in, name);

	if (!w)
		return;
	w->addr = entry;
	w->off = flat->n > 0 && entry >= flat->pieces[0].start ? entry - flat->pieces[0].start : 0;
	w->mode = mode;
	w->registers = registers;
	w->tables = "none of its own until it makes some";
	for (size_t i = 0; i < flat->n; i++)
		way_need(w, &(struct need){
				    .name = "program", .min = flat->pieces[i].start,
				    .end = flat->pieces[i].start + flat->pieces[i].mem_len,
				    .is_fixed = true, .len = flat->pieces[i].mem_len,
				    .align = PAGE_LEN, .map = MAP_PHYSICAL, .is_written = true,
				    .why = "as linked, .bss zeroed by whoever loads it" });
}

void inspect_elf_file(struct inspection *in, struct span file)
{
	struct elf_findings findings;
	const char *banner;
	struct flat flat;
	struct diag why;
	struct elf elf;

	if (!inspect_elf(in, in->top, file, &elf, &findings))
		return;
	for (size_t i = 0; i < elf.n_loads; i++)
		inspect_part(in, "PT_LOAD", elf.loads[i].off, elf.loads[i].file_len);
	inspect_part(in, "behind the ELF file", elf.len, file.len - elf.len);
	banner = put_banner(in, &elf);
	diag_init(&why, NULL);
	if (banner) {
		put_vmlinux(in, &elf, banner, &findings);
		inspect_way_pvh(in, &elf, &findings);
	} else if (flat_from_elf(&elf, false, in->arena, &flat, &why) < 0) {
		inspect_failure(in, in->top, "error", &why);
	} else {
		put_program(in, &flat, elf.entry, "elf",
			    elf.is_64 ? "long mode, identity map" : "protected mode, paging off",
			    "as --args- says");
	}
}

/* ---- multiboot ---- */

static int flat_of(struct inspection *in, struct span file, bool has_addresses, struct span bytes,
		   phys_t load_addr, uint64_t mem_len, phys_t *entry, struct flat *ret,
		   struct diag *why)
{
	struct elf_findings findings;
	struct elf elf;

	if (has_addresses)
		return flat_from_bytes(bytes, load_addr, mem_len, in->arena, ret, why);
	if (!inspect_elf(in, in->top, file, &elf, &findings))
		return fail(why, EINVAL, "inspect/no-elf", "neither addresses nor an ELF file");
	if (*entry == 0)
		*entry = elf.entry;
	return flat_from_elf(&elf, false, in->arena, ret, why);
}

void inspect_multiboot(struct inspection *in, struct span file, bool is_2)
{
	const char *const mode = "protected mode, paging off, flat segments, interrupts off";
	struct item *o = inspect_group(in, in->top, "multiboot");
	struct multiboot2_image two = { 0 };
	struct multiboot_image one = { 0 };
	struct flat flat;
	struct diag why;
	phys_t entry;
	int r;

	diag_init(&why, NULL);
	r = is_2 ? multiboot2_parse(file, &two, &why) : multiboot_parse(file, &one, &why);
	if (r < 0) {
		inspect_failure(in, o, "error", &why);
		return;
	}
	inspect_number(in, o, "version", is_2 ? 2 : 1);
	inspect_addr(in, o, "header_off", is_2 ? two.off : one.off);
	if (!is_2)
		inspect_addr(in, o, "flags", one.flags);
	inspect_bool(in, o, "has_addresses", is_2 ? two.has_addresses : one.has_addresses);
	inspect_bool(in, o, "relocatable", two.is_relocatable);
	if (two.is_relocatable) {
		inspect_addr(in, o, "min", two.where.min_addr);
		inspect_addr(in, o, "max", two.where.max_addr);
		inspect_addr(in, o, "align", two.where.align);
	}
	entry = is_2 ? (two.has_entry ? two.entry : 0) : one.entry;
	r = is_2 ? flat_of(in, file, two.has_addresses, two.bytes, two.load_addr, two.mem_len,
			   &entry, &flat, &why) :
		   flat_of(in, file, one.has_addresses, one.bytes, one.load_addr, one.mem_len,
			   &entry, &flat, &why);
	if (r < 0)
		inspect_failure(in, o, "error", &why);
	else
		put_program(in, &flat, entry, "multiboot", mode,
			    is_2 ? "eax = 0x36d76289, ebx = the information" :
				   "eax = 0x2badb002, ebx = the information");
}

/* ---- the file ---- */

/* Does it only say that the file is something else altogether? */
static int open_layer(struct inspection *in, struct item *layers, const struct container *c,
		      struct request *req, struct unpack_buffer *memory, struct diag *diag)
{
	static const struct facts no_facts;
	struct item *o = inspect_group(in, layers, NULL);
	struct request inner = *req;
	int r;

	inspect_text(in, o, "name", container_name(c, req->kernel));
	inspect_len(in, o, "len", req->kernel.len);
	if (c == &uki_container)
		inspect_pe(in, o, req->kernel, true);
	r = c->open(&inner, &no_facts, in->arena, memory, diag);
	if (r == 0)
		*req = inner;
	return r;
}

/* Opens layers until a format is found; *ret is NULL when what is inside is no kernel, and that is said
 * in the tree. */
static int unwrap(struct inspection *in, struct request *req, struct inspect_memory *memory,
		  const struct image_type **ret, struct diag *diag)
{
	struct item *layers = inspect_list(in, in->top, "wrapped_in");
	const struct container *c;
	struct diag why;

	diag_init(&why, NULL);
	for (size_t n = 0; !(*ret = x86_find_format(req->kernel, NULL, &why)); n++) {
		int r;

		c = n < INSPECT_LAYERS_MAX ? x86_find_container(req->kernel) : NULL;
		if (!c)
			return fail(diag, ENOEXEC, "inspect/no-image",
				    "'%s' is no kernel image: %s [%s]", req->kernel_path, why.text,
				    why.id);
		r = open_layer(in, layers, c, req, &memory->layers[n], diag);
		/* An addon is one half of an image. */
		if (r < 0 && strcmp(diag->id, "uki/is-addon") == 0) {
			inspect_failure(in, in->top, "error", diag);
			diag_clear(diag);
			return 0;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

int inspect_image(struct span file, const char *path, const char *profile, struct arena *a,
		  struct inspect_memory *memory, struct inspection *ret, struct diag *diag)
{
	struct request req = { .kernel = file, .kernel_path = path, .profile = profile };
	const struct image_type *type = NULL;
	struct inspection *in = ret;
	int r = inspection_init(in, a, diag);

	if (r < 0)
		return r;
	*memory = (struct inspect_memory){ 0 };
	inspect_len(in, in->top, "file_len", file.len);
	r = unwrap(in, &req, memory, &type, diag);
	if (r < 0)
		return r;
	in->type = type ? type->name : "addon";
	in->file_len = req.kernel.len;
	inspect_text(in, in->top, "type", in->type);
	if (type)
		inspect_len(in, in->top, "image_len", req.kernel.len);
	if (type == &bzimage_type)
		inspect_bzimage(in, req.kernel);
	else if (type == &multiboot_type || type == &multiboot2_type)
		inspect_multiboot(in, req.kernel, type == &multiboot2_type);
	else if (type)
		inspect_elf_file(in, req.kernel);
	inspect_put_parts(in);
	inspect_put_ways(in);
	return in->is_short ? fail_nomem(diag) : 0;
}

void inspect_memory_free(struct inspect_memory *memory)
{
	for (size_t i = 0; i < INSPECT_LAYERS_MAX; i++)
		unpack_buffer_free(&memory->layers[i]);
}
