// SPDX-License-Identifier: GPL-2.0-or-later
/* The header of a multiboot2 image, read strictly. */
#include <errno.h>
#include <inttypes.h>

#include "arch/x86/multiboot2.h"
#include "checked.h"

#define TAGS_MAX	64	/* an image has about ten */

static bool find_header(struct span file, size_t *ret_off, struct span *ret)
{
	for (size_t off = 0; off + sizeof(struct multiboot2_header) <= MULTIBOOT2_SEARCH_LEN;
	     off += MULTIBOOT2_ALIGN) {
		struct multiboot2_header h;

		if (!span_copy(file, off, &h, sizeof(h)))
			return false;
		if (h.magic != MULTIBOOT2_HEADER_MAGIC ||
		    h.architecture != MULTIBOOT2_ARCH_I386 ||
		    h.magic + h.architecture + h.len + h.checksum != 0)
			continue;
		*ret_off = off;
		/* One that is too long passes, so that it can be named as broken. */
		if (!span_sub(file, off, h.len, ret))
			*ret = (struct span){ 0 };
		return true;
	}
	return false;
}

static bool can_give(uint32_t type)
{
	static const uint32_t types[] = {
		MULTIBOOT2_TAG_CMDLINE,	    MULTIBOOT2_TAG_LOADER_NAME, MULTIBOOT2_TAG_MODULE,
		MULTIBOOT2_TAG_MEMORY,	    MULTIBOOT2_TAG_MEMORY_MAP,	MULTIBOOT2_TAG_FRAMEBUFFER,
		MULTIBOOT2_TAG_EFI64,	    MULTIBOOT2_TAG_RSDP_OLD,	MULTIBOOT2_TAG_RSDP_NEW,
		MULTIBOOT2_TAG_LOAD_BASE,
	};

	for (size_t i = 0; i < array_len(types); i++)
		if (types[i] == type)
			return true;
	return false;
}

static int read_request(struct span body, bool is_optional, struct multiboot2_image *image,
			struct diag *diag)
{
	uint32_t type;

	for (uint64_t off = 0; span_le32(body, off, &type); off += sizeof(type)) {
		if (type == MULTIBOOT2_TAG_EFI64)
			image->wants_efi64 = true;
		if (!is_optional && !can_give(type))
			return fail(diag, ENOTSUP, "multiboot2/request",
				    "the image insists on information of type %u, which is not "
				    "known here",
				    type);
	}
	return 0;
}

static int read_address(struct span file, struct span body, struct multiboot2_image *image,
			struct diag *diag)
{
	struct multiboot2_address a;
	uint64_t off = 0, len;

	if (!span_copy(body, 0, &a, sizeof(a)))
		return fail(diag, EINVAL, "multiboot2/address-truncated",
			    "the address tag has %zu bytes, too few", body.len);
	if (a.load_addr == MULTIBOOT2_FROM_START) {
		if (a.header_addr < image->off)
			return fail(diag, EINVAL, "multiboot2/load-address",
				    "the header at %#zx is for address %#x: the file would begin "
				    "below 0",
				    image->off, a.header_addr);
		a.load_addr = (uint32_t)(a.header_addr - image->off);
	} else {
		if (a.load_addr > a.header_addr || a.header_addr - a.load_addr > image->off)
			return fail(diag, EINVAL, "multiboot2/load-address",
				    "the header at %#zx is for address %#x, which does not go with "
				    "load address %#x",
				    image->off, a.header_addr, a.load_addr);
		off = image->off - (a.header_addr - a.load_addr);
	}
	len = a.load_end_addr != 0 ? (uint64_t)a.load_end_addr - a.load_addr : file.len - off;
	if ((a.load_end_addr != 0 && a.load_end_addr < a.load_addr) ||
	    !span_sub(file, off, len, &image->bytes))
		return fail(diag, EINVAL, "multiboot2/load-end",
			    "load_addr %#x and load_end_addr %#x want bytes that the file's %zu do "
			    "not have",
			    a.load_addr, a.load_end_addr, file.len);
	if (a.bss_end_addr != 0 && a.bss_end_addr < a.load_addr + len)
		return fail(diag, EINVAL, "multiboot2/bss-end",
			    "bss_end_addr %#x lies before the end of what is loaded",
			    a.bss_end_addr);
	image->load_addr = a.load_addr;
	image->mem_len = a.bss_end_addr != 0 ? a.bss_end_addr - a.load_addr : len;
	image->has_addresses = true;
	return 0;
}

static int read_relocatable(struct span body, struct multiboot2_image *image, struct diag *diag)
{
	if (!span_copy(body, 0, &image->where, sizeof(image->where)))
		return fail(diag, EINVAL, "multiboot2/relocatable-truncated",
			    "the relocatable tag has %zu bytes, too few", body.len);
	if (!is_power_of_two(image->where.align) || image->where.min_addr > image->where.max_addr)
		return fail(diag, EINVAL, "multiboot2/relocatable",
			    "the relocatable tag asks for an alignment of %#x between %#x and %#x",
			    image->where.align, image->where.min_addr, image->where.max_addr);
	image->is_relocatable = true;
	return 0;
}

static int read_entry(struct span body, struct multiboot2_image *image, struct diag *diag)
{
	uint32_t entry;

	if (!span_le32(body, 0, &entry))
		return fail(diag, EINVAL, "multiboot2/entry-truncated",
			    "the entry address tag has %zu bytes, too few", body.len);
	image->entry = entry;
	image->has_entry = true;
	return 0;
}

static int read_tag(struct span file, const struct multiboot2_header_tag *tag, struct span body,
		    struct multiboot2_image *image, struct diag *diag)
{
	const bool is_optional = tag->flags & MULTIBOOT2_HEADER_OPTIONAL;

	switch (tag->type) {
	case MULTIBOOT2_HEADER_REQUEST:
		return read_request(body, is_optional, image, diag);
	case MULTIBOOT2_HEADER_ADDRESS:
		return read_address(file, body, image, diag);
	case MULTIBOOT2_HEADER_ENTRY:
		return read_entry(body, image, diag);
	case MULTIBOOT2_HEADER_RELOCATABLE:
		return read_relocatable(body, image, diag);
	case MULTIBOOT2_HEADER_CONSOLE:
	case MULTIBOOT2_HEADER_FRAMEBUFFER:	/* a wish: the display stays as it is */
	case MULTIBOOT2_HEADER_MODULE_ALIGN:	/* always */
	case MULTIBOOT2_HEADER_ENTRY_EFI32:	/* mean something with boot services only */
	case MULTIBOOT2_HEADER_ENTRY_EFI64:
		return 0;
	case MULTIBOOT2_HEADER_EFI_BOOT_SERVICES:
		if (is_optional)
			return 0;
		return fail(diag, ENOTSUP, "multiboot2/boot-services",
			    "the image insists on the firmware's boot services, which ended when "
			    "the running kernel started");
	default:
		if (is_optional)
			return 0;
		return fail(diag, ENOTSUP, "multiboot2/tag",
			    "the image insists on header tag %u, which is not known here",
			    tag->type);
	}
}

static int read_tags(struct span file, struct span header, struct multiboot2_image *image,
		     struct diag *diag)
{
	uint64_t off = sizeof(struct multiboot2_header);

	for (size_t n = 0; n < TAGS_MAX; n++) {
		struct multiboot2_header_tag tag;
		struct span body;
		int r;

		if (!span_copy(header, off, &tag, sizeof(tag)) || tag.len < sizeof(tag) ||
		    !span_sub(header, off + sizeof(tag), tag.len - sizeof(tag), &body))
			return fail(diag, EINVAL, "multiboot2/tags",
				    "the header of %zu bytes has no whole tag at %#" PRIx64
				    ", and no end tag before it",
				    header.len, off);
		if (tag.type == MULTIBOOT2_HEADER_END)
			return 0;
		r = read_tag(file, &tag, body, image, diag);
		if (r < 0)
			return r;
		if (!checked_align_up(off + tag.len, MULTIBOOT2_ALIGN, &off))
			break;
	}
	return fail(diag, EINVAL, "multiboot2/too-many-tags", "the header has more than %d tags",
		    TAGS_MAX);
}

int multiboot2_parse(struct span file, struct multiboot2_image *ret, struct diag *diag)
{
	struct multiboot2_image image = { 0 };
	struct span header = { 0 };
	int r;

	if (!find_header(file, &image.off, &header))
		return fail(diag, ENOEXEC, "multiboot2/no-magic",
			    "a multiboot2 image has 0xe85250d6 and its checksum in its first 32 KiB");
	if (header.len == 0)
		return fail(diag, EINVAL, "multiboot2/header-truncated",
			    "the multiboot2 header at %#zx is longer than the rest of the file",
			    image.off);
	r = read_tags(file, header, &image, diag);
	if (r < 0)
		return r;
	if (image.has_addresses && !image.has_entry)
		return fail(diag, EINVAL, "multiboot2/no-entry",
			    "the header has an address tag and no entry address tag");
	*ret = image;
	return 0;
}
