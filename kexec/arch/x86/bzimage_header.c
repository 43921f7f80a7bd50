// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "arch/x86/bzimage.h"
#include "checked.h"
#include "unpack.h"

#define BOOT_FLAG		0xaa55
#define HEADER_MAGIC		0x53726448	/* "HdrS" */
#define KERNEL_INFO_MAGIC	0x506f544c	/* "LToP" */
#define KERNEL_INFO_LEN		16

#define PROTOCOL_OLDEST		0x0202		/* the first with cmd_line_ptr */
#define PROTOCOL_NEWEST_KNOWN	0x020f

/* More than any kernel needs: KERNEL_IMAGE_SIZE, the virtual space of a kernel image. */
#define INIT_SIZE_MAX		GIB
/* Where kernels run that do not say: the traditional bzImage address. */
#define OLD_KERNEL_ADDRESS	MIB
/* Before 2.10 an image does not say what it needs. Three times its own length held for all. */
#define OLD_WINDOW_FACTOR	3
#define OLD_WINDOW_MIN		(64 * MIB)
/* Lowmem of an i386 kernel with the usual 3 GiB / 1 GiB split, less its vmalloc reserve. */
#define OLD_INITRD_END		UINT64_C(0x38000000)
/* The build rounds syssize up to paragraphs and need not pad the file to it. */
#define SYSSIZE_UNIT		16


static uint8_t get8(struct span file, uint64_t off)
{
	uint8_t v = 0;

	return span_u8(file, off, &v) ? v : 0;
}

static uint16_t get16(struct span file, uint64_t off)
{
	uint16_t v = 0;

	return span_le16(file, off, &v) ? v : 0;
}

static uint32_t get32(struct span file, uint64_t off)
{
	uint32_t v = 0;

	return span_le32(file, off, &v) ? v : 0;
}

static uint64_t get64(struct span file, uint64_t off)
{
	uint64_t v = 0;

	return span_le64(file, off, &v) ? v : 0;
}

int bzimage_probe(struct span file, struct diag *why)
{
	uint32_t magic;
	uint16_t flag;

	if (!span_le16(file, HDR_BOOT_FLAG, &flag) || !span_le32(file, HDR_MAGIC, &magic))
		return fail(why, ENOEXEC, "bzimage/too-short",
			    "a bzImage has a setup header at 0x1f1, the file has %zu bytes",
			    file.len);
	if (flag != BOOT_FLAG)
		return fail(why, ENOEXEC, "bzimage/no-boot-flag",
			    "a bzImage has the boot flag 0xaa55 at 0x1fe, found %#x", flag);
	if (magic != HEADER_MAGIC)
		return fail(why, ENOEXEC, "bzimage/no-magic",
			    "a bzImage has \"HdrS\" at 0x202, found %#x", magic);
	return 0;
}

/* The end of the last field that a protocol version promises. */
static size_t header_end_promised(uint16_t version)
{
	static const struct {
		uint16_t version;
		uint16_t end;
	} promises[] = {
		{ 0x020f, 0x26c }, { 0x020b, 0x268 }, { 0x020a, 0x264 }, { 0x0209, 0x258 },
		{ 0x0208, 0x250 }, { 0x0207, 0x248 }, { 0x0206, 0x23c }, { 0x0205, 0x235 },
		{ 0x0203, 0x230 }, { 0x0202, 0x22c },
	};

	for (size_t i = 0; i < array_len(promises); i++)
		if (version >= promises[i].version)
			return promises[i].end;
	return 0;
}

static int read_extent(struct span file, struct bzimage *image, struct diag *diag)
{
	uint8_t opcode = get8(file, HDR_JUMP), distance = get8(file, HDR_JUMP + 1);
	size_t promised;

	if (!span_le16(file, HDR_VERSION, &image->version))
		return fail(diag, EINVAL, "bzimage/version-outside",
			    "the file ends at %zu bytes, before its boot protocol version",
			    file.len);
	if (image->version < PROTOCOL_OLDEST)
		return fail(diag, EINVAL, "bzimage/protocol-too-old",
			    "boot protocol %u.%02u; 2.02 is the oldest that can be handed a "
			    "command line",
			    image->version >> 8, image->version & 0xff);
	if (opcode != 0xeb)
		return fail(diag, EINVAL, "bzimage/no-jump",
			    "expected a short jump (0xeb) at 0x200, found %#x: damaged header",
			    opcode);
	if (distance >= 0x80)
		return fail(diag, EINVAL, "bzimage/jump-backwards",
			    "the jump at 0x200 gives the header's length; %#x leads backwards",
			    distance);
	image->header_end = HDR_MAGIC + (size_t)distance;
	promised = header_end_promised(image->version);
	if (image->header_end < promised)
		return fail(diag, EINVAL, "bzimage/header-short",
			    "protocol %u.%02u promises a header up to %#zx, this one ends at %#zx",
			    image->version >> 8, image->version & 0xff, promised,
			    image->header_end);
	if (!span_sub(file, HDR_SETUP_SECTS, image->header_end - HDR_SETUP_SECTS, &image->header))
		return fail(diag, EINVAL, "bzimage/setup-truncated",
			    "the setup header ends at %#zx, the file has %zu bytes",
			    image->header_end, file.len);
	return 0;
}

static int read_parts(struct span file, struct bzimage *image, struct diag *diag)
{
	uint64_t n_sectors = get8(file, HDR_SETUP_SECTS);
	uint64_t kernel_len, present;

	if (n_sectors == 0)
		n_sectors = 4;
	image->setup_len = (size_t)(n_sectors + 1) * 512;
	if (image->setup_len >= file.len) {
		fail(diag, EINVAL, "bzimage/setup-truncated",
		     "boot sector and setup code take %zu bytes, the file has %zu",
		     image->setup_len, file.len);
		return fail_advise(diag, "get the image again: this copy is incomplete");
	}
	present = file.len - image->setup_len;
	/* Two bytes before 2.04, and wrapped for any modern size: not usable. */
	kernel_len = image->version >= 0x0204 ? (uint64_t)get32(file, HDR_SYSSIZE) * SYSSIZE_UNIT :
						present;
	if (kernel_len == 0)
		return fail(diag, EINVAL, "bzimage/no-kernel",
			    "syssize is 0: the header says that there is no kernel in the image");
	if (kernel_len > present && kernel_len - present >= SYSSIZE_UNIT) {
		fail(diag, EINVAL, "bzimage/kernel-truncated",
		     "syssize promises %" PRIu64
		     " bytes of kernel after the setup code, the file has %" PRIu64,
		     kernel_len, present);
		return fail_advise(diag, "get the image again: this copy is incomplete");
	}
	if (!span_sub(file, image->setup_len, min_u64(kernel_len, present), &image->kernel))
		return fail(diag, EINVAL, "bzimage/kernel-outside",
			    "the kernel is not inside the file");
	return 0;
}

static int read_flags(struct span file, struct bzimage *image, struct diag *diag)
{
	image->is_stub_halted = span_starts_with(image->kernel, HALTED_STUB, HALTED_STUB_LEN);
	image->loadflags = get8(file, HDR_LOADFLAGS);
	image->code32_start = get32(file, HDR_CODE32_START);
	image->xloadflags = image->version >= 0x020c ? get16(file, HDR_XLOADFLAGS) : 0;
	if (!(image->loadflags & LOADFLAG_LOADED_HIGH)) {
		fail(diag, EINVAL, "bzimage/loads-low",
		     "this is a zImage: its kernel wants to be loaded below 1 MiB (loadflags %#x)",
		     image->loadflags);
		return fail_advise(diag, "build the kernel as a bzImage");
	}
	if ((image->xloadflags & XLF_KERNEL_64) && image->kernel.len <= ENTRY_64_OFF)
		return fail(diag, EINVAL, "bzimage/entry-64-outside",
			    "the 64-bit entry lies at %#x, the kernel has %zu bytes", ENTRY_64_OFF,
			    image->kernel.len);
	if ((image->xloadflags & XLF_CAN_BE_LOADED_ABOVE_4G) &&
	    !(image->xloadflags & XLF_KERNEL_64))
		return fail(diag, EINVAL, "bzimage/xloadflags-disagree",
			    "xloadflags %#x: loadable above 4 GiB, but without a 64-bit entry",
			    image->xloadflags);
	if (image->version >= 0x0209 && get64(file, HDR_SETUP_DATA) != 0)
		return fail(diag, EINVAL, "bzimage/foreign-setup-data",
			    "setup_data must be 0 in a file, found %#" PRIx64
			    ": it would point anywhere",
			    get64(file, HDR_SETUP_DATA));
	return 0;
}

static void read_limits(struct span file, struct bzimage *image)
{
	image->cmdline_max = image->version >= 0x0206 ? get32(file, HDR_CMDLINE_SIZE) : 255;
	image->initrd_end = image->version >= 0x0203 ?
				    (uint64_t)get32(file, HDR_INITRD_ADDR_MAX) + 1 : OLD_INITRD_END;
}

static int read_alignment(struct span file, struct bzimage *image, struct diag *diag)
{
	uint8_t min_alignment = image->version >= 0x020a ? get8(file, HDR_MIN_ALIGNMENT) : 0;

	image->is_relocatable = image->version >= 0x0205 && get8(file, HDR_RELOCATABLE_KERNEL) != 0;
	image->alignment = PAGE_LEN;
	if (!image->is_relocatable)
		return 0;
	image->alignment = get32(file, HDR_KERNEL_ALIGNMENT);
	if (!is_power_of_two(image->alignment))
		return fail(diag, EINVAL, "bzimage/alignment",
			    "kernel_alignment must be a power of two, found %#" PRIx64,
			    image->alignment);
	if (min_alignment >= 32 || (UINT64_C(1) << min_alignment) > image->alignment)
		return fail(diag, EINVAL, "bzimage/min-alignment",
			    "min_alignment 2^%u is above kernel_alignment %#" PRIx64, min_alignment,
			    image->alignment);
	return 0;
}

static int read_window(struct span file, struct bzimage *image, struct diag *diag)
{
	phys_t end;

	if (image->version >= 0x020a) {
		image->pref_address = get64(file, HDR_PREF_ADDRESS);
		image->window_len = get32(file, HDR_INIT_SIZE);
		if (image->pref_address == 0 && !image->is_relocatable)
			image->pref_address = image->code32_start;
	} else {
		image->pref_address = OLD_KERNEL_ADDRESS;
		if (image->version < 0x0205 && image->code32_start != 0)
			image->pref_address = image->code32_start;
		image->window_len = max_u64(OLD_WINDOW_FACTOR * image->kernel.len, OLD_WINDOW_MIN);
	}
	if (image->version >= 0x020a && image->window_len > INIT_SIZE_MAX)
		return fail(diag, EINVAL, "bzimage/init-size-too-large",
			    "init_size is %" PRIu64
			    " bytes, a kernel has at most 1 GiB of address space",
			    image->window_len);
	if (image->version >= 0x020a && image->window_len < image->kernel.len)
		return fail(diag, EINVAL, "bzimage/init-size-too-small",
			    "init_size is %" PRIu64 " bytes, the kernel in the file alone has %zu",
			    image->window_len, image->kernel.len);
	if (!is_aligned(image->pref_address, PAGE_LEN) ||
	    !checked_add(image->pref_address, image->window_len, &end))
		return fail(diag, EINVAL, "bzimage/pref-address",
			    "pref_address %#" PRIx64 " is not a place for a kernel of %" PRIu64
			    " bytes",
			    image->pref_address, image->window_len);
	return 0;
}

int bzimage_check_payload(const struct bzimage *image, struct diag *diag)
{
	if (!image->has_payload)
		return 0;
	if (strcmp(image->payload_format, "unknown") == 0)
		return fail(diag, EINVAL, "bzimage/payload-unknown",
			    "the payload begins with %#x: no compression format of the boot "
			    "protocol",
			    get32(image->payload, 0));
	if (strcmp(image->payload_format, "elf") != 0 && image->payload_out_len == 0)
		return fail(diag, EINVAL, "bzimage/payload-trailer",
			    "the payload's last four bytes must be its unpacked length, found 0");
	return 0;
}

static int read_payload(struct span file, struct bzimage *image, struct diag *diag)
{
	const struct codec *codec;
	uint32_t off, len;

	image->payload_format = "none";
	if (image->version < 0x0208)
		return 0;
	off = get32(file, HDR_PAYLOAD_OFFSET);
	len = get32(file, HDR_PAYLOAD_LENGTH);
	if (off == 0 && len == 0)
		return 0;
	if (off == 0 || len < 4)
		return fail(diag, EINVAL, "bzimage/payload-incomplete",
			    "payload_offset is %#x and payload_length %#x: expected both, or none "
			    "of them",
			    off, len);
	if (!span_sub(image->kernel, off, len, &image->payload))
		return fail(diag, EINVAL, "bzimage/payload-outside",
			    "the payload of %u bytes at %#x reaches beyond the kernel's %zu bytes",
			    len, off, image->kernel.len);
	image->has_payload = true;
	codec = unpack_find(image->payload);
	image->payload_format = codec ? codec->name : "unknown";
	if (!codec || strcmp(codec->name, "elf") == 0)
		return 0;
	/* In every compressed format the last four bytes are the length of what comes out. */
	image->payload_out_len = get32(image->payload, image->payload.len - 4);
	if (image->version >= 0x020a && image->payload_out_len > image->window_len)
		return fail(diag, EINVAL, "bzimage/init-size-below-payload",
			    "init_size is %" PRIu64 " bytes, the payload unpacks to %u",
			    image->window_len, image->payload_out_len);
	return 0;
}

static int read_kernel_info(struct span file, struct bzimage *image, struct diag *diag)
{
	uint32_t off = image->version >= 0x020f ? get32(file, HDR_KERNEL_INFO_OFFSET) : 0;
	struct span info;

	if (off == 0)
		return 0;
	if (!span_sub(image->kernel, off, KERNEL_INFO_LEN, &info))
		return fail(diag, EINVAL, "bzimage/kernel-info-outside",
			    "kernel_info at %#x lies beyond the kernel's %zu bytes", off,
			    image->kernel.len);
	if (get32(info, 0) != KERNEL_INFO_MAGIC || get32(info, 4) < KERNEL_INFO_LEN ||
	    get32(info, 8) < get32(info, 4))
		return fail(diag, EINVAL, "bzimage/kernel-info",
			    "kernel_info at %#x must begin with \"LToP\" and its lengths, found "
			    "%#x %u %u",
			    off, get32(info, 0), get32(info, 4), get32(info, 8));
	image->setup_type_max = get32(info, 12);
	return 0;
}

static int read_version_string(struct span file, struct arena *a, struct bzimage *image,
			       struct diag *diag)
{
	uint16_t off = get16(file, HDR_KERNEL_VERSION);
	struct span setup, text;
	const uint8_t *nul;

	image->kernel_version = "";
	if (off == 0)
		return 0;
	if (!span_sub(file, 0, image->setup_len, &setup) ||
	    !span_sub(setup, (uint64_t)off + 0x200, 1, &text))
		return fail(diag, EINVAL, "bzimage/version-string",
			    "the version string at %#x lies beyond the setup code's %zu bytes",
			    off + 0x200, image->setup_len);
	text = span_of(text.data, setup.len - off - 0x200);
	nul = memchr(text.data, 0, text.len);
	if (!nul)
		return fail(diag, EINVAL, "bzimage/version-string",
			    "the version string at %#x has no end inside the setup code",
			    off + 0x200);
	image->kernel_version =
		arena_strndup(a, (const char *)text.data, (size_t)(nul - text.data));
	return image->kernel_version ? 0 : fail_nomem(diag);
}

int bzimage_parse(struct span file, struct arena *a, struct bzimage *ret, struct diag *diag)
{
	struct bzimage image = { 0 };
	int r = bzimage_probe(file, diag);

	if (r == 0)
		r = read_extent(file, &image, diag);
	if (r == 0)
		r = read_parts(file, &image, diag);
	if (r == 0)
		r = read_flags(file, &image, diag);
	if (r == 0)
		r = read_alignment(file, &image, diag);
	if (r == 0)
		r = read_window(file, &image, diag);
	if (r == 0)
		r = read_payload(file, &image, diag);
	if (r == 0)
		r = read_kernel_info(file, &image, diag);
	if (r == 0)
		r = read_version_string(file, a, &image, diag);
	if (r < 0)
		return r;
	read_limits(file, &image);
	if (image.version > PROTOCOL_NEWEST_KNOWN)
		note(diag, "bzimage/protocol-newer",
		     "boot protocol %u.%02u is newer than 2.15, the newest known here",
		     image.version >> 8, image.version & 0xff);
	*ret = image;
	return 0;
}
