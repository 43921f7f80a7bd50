// SPDX-License-Identifier: GPL-2.0-or-later
/* The setup header, field by field. Source: Documentation/arch/x86/boot.rst, arch/x86/boot/header.S. */
#include "arch/x86/inspect_image.h"

#include <inttypes.h>

#define LAST_PROTOCOL	0x020f

/* What only the loader writes, or nobody uses any more. */
#define LOADER	"for the loader to write"
#define DEAD	"not used any more"

static const char *flags_text(struct inspection *in, uint64_t v, const char *const names[],
			      size_t n)
{
	const char *text = NULL;

	for (size_t i = 0; i < 64; i++) {
		if (!(v >> i & 1))
			continue;
		if (i < n && names[i])
			text = arena_printf(in->arena, "%s%s%s", text ? text : "",
					    text ? ", " : "", names[i]);
		else
			text = arena_printf(in->arena, "%s%sbit %zu", text ? text : "",
					    text ? ", " : "", i);
		in->is_short |= !text;
	}
	return text ? text : "none";
}

static const char *loadflags_text(struct inspection *in, uint64_t v)
{
	static const char *const names[] = {
		[0] = "loaded high: a bzImage", [1] = "KASLR (the stub's)", [5] = "quiet",
		[6] = "keep segments (dead)", [7] = "heap may be used (the loader's)",
	};

	return flags_text(in, v, names, array_len(names));
}

static const char *xloadflags_text(struct inspection *in, uint64_t v)
{
	static const char *const names[] = {
		"64-bit entry at 0x200", "loadable above 4 GiB", "32-bit EFI handover",
		"64-bit EFI handover", "EFI runtime services survive a kexec",
		"the stub knows 5-level paging", "the kernel can run with 5-level paging",
		"memory encryption (the stub's)",
	};

	return flags_text(in, v, names, array_len(names));
}

static const char *video_text(struct inspection *in, uint64_t v)
{
	switch (v) {
	case 0xffff:
		return "normal: 80x25 text";
	case 0xfffe:
		return "extended: 80x50 text";
	case 0xfffd:
		return "ask at boot";
	default:
		return arena_printf(in->arena, "VGA mode %" PRIu64, v);
	}
}

static const char *subarch_text(uint64_t v)
{
	static const char *const names[] = { "PC", "lguest (dead)", "Xen", "Intel MID", "CE4100" };

	return v < array_len(names) ? names[v] : "unknown";
}

static const char *size_text(struct inspection *in, uint64_t v, const char *what)
{
	return arena_printf(in->arena, "%" PRIu64 " bytes%s", v, what);
}

static const char *at_text(struct inspection *in, uint64_t v, const char *what)
{
	return v ? arena_printf(in->arena, "%s at %#" PRIx64, what, v) : "none";
}

/* What it says, of fields that say something in a file. */
static const char *meaning_of(struct inspection *in, unsigned int off, uint64_t v)
{
	struct arena *a = in->arena;

	switch (off) {
	case HDR_SETUP_SECTS:
		return arena_printf(a, "boot sector and setup code: %" PRIu64 " bytes",
				    ((v ? v : 4) + 1) * 512);
	case 0x1f2:
		return v ? "root is mounted read-only" : "root is mounted read-write";
	case HDR_SYSSIZE:
		return size_text(in, v * 16, " of kernel after the setup code");
	case HDR_VID_MODE:
		return video_text(in, v);
	case 0x1fc:
		return arena_printf(a, "default root device %" PRIu64 ":%" PRIu64, v >> 8, v & 0xff);
	case HDR_BOOT_FLAG:
		return v == 0xaa55 ? "as it must be" : "must be 0xaa55";
	case HDR_JUMP:
		return arena_printf(a, "the header ends at %#" PRIx64, HDR_MAGIC + (v >> 8));
	case HDR_MAGIC:
		return v == 0x53726448 ? "\"HdrS\"" : "must be \"HdrS\"";
	case HDR_VERSION:
		return arena_printf(a, "boot protocol %" PRIu64 ".%02" PRIu64, v >> 8, v & 0xff);
	case HDR_KERNEL_VERSION:
		return v ? arena_printf(a, "the version string is at %#" PRIx64, v + 0x200) :
			   "no version string";
	case HDR_LOADFLAGS:
		return loadflags_text(in, v);
	case HDR_CODE32_START:
		return "where the setup code jumps, unless the loader changes it";
	case HDR_INITRD_ADDR_MAX:
		return "highest byte of an initrd";
	case HDR_KERNEL_ALIGNMENT:
		return size_text(in, v, "");
	case HDR_RELOCATABLE_KERNEL:
		return v ? "runs anywhere" : "runs at its preferred address only";
	case HDR_MIN_ALIGNMENT:
		return arena_printf(a, "alignment of 2^%" PRIu64 " will do", v);
	case HDR_XLOADFLAGS:
		return xloadflags_text(in, v);
	case HDR_CMDLINE_SIZE:
		return arena_printf(a, "%" PRIu64 " characters of command line", v);
	case HDR_HARDWARE_SUBARCH:
		return subarch_text(v);
	case HDR_PAYLOAD_OFFSET:
		return v ? "from the start of the protected mode code" : "no payload";
	case HDR_PAYLOAD_LENGTH:
		return size_text(in, v, ", with the unpacked length at the end");
	case HDR_PREF_ADDRESS:
		return "preferred load address";
	case HDR_INIT_SIZE:
		return size_text(in, v, " that the kernel needs from there to unpack itself");
	case HDR_HANDOVER_OFFSET:
		return at_text(in, v, "EFI handover entry");
	case HDR_KERNEL_INFO_OFFSET:
		return at_text(in, v, "kernel_info");
	default:
		return LOADER;
	}
}

struct field {
	uint16_t off;
	uint8_t len;
	const char *name;
	uint16_t since;		/* protocol; 0: always */
	const char *meaning;	/* whatever it holds; NULL: meaning_of() */
};

static const struct field fields[] = {
	{ HDR_SETUP_SECTS, 1, "setup_sects", 0, NULL },
	{ 0x1f2, 2, "root_flags", 0, NULL },
	{ HDR_SYSSIZE, 4, "syssize", 0, NULL },
	{ 0x1f8, 2, "ram_size", 0, DEAD },
	{ HDR_VID_MODE, 2, "vid_mode", 0, NULL },
	{ 0x1fc, 2, "root_dev", 0, NULL },
	{ HDR_BOOT_FLAG, 2, "boot_flag", 0, NULL },
	{ HDR_JUMP, 2, "jump", 0x0200, NULL },
	{ HDR_MAGIC, 4, "header", 0x0200, NULL },
	{ HDR_VERSION, 2, "version", 0x0200, NULL },
	{ 0x208, 4, "realmode_swtch", 0x0200, "hook before protected mode, for the loader" },
	{ 0x20c, 2, "start_sys_seg", 0x0200, DEAD },
	{ HDR_KERNEL_VERSION, 2, "kernel_version", 0x0200, NULL },
	{ HDR_TYPE_OF_LOADER, 1, "type_of_loader", 0x0200, LOADER },
	{ HDR_LOADFLAGS, 1, "loadflags", 0x0200, NULL },
	{ 0x212, 2, "setup_move_size", 0x0200, DEAD },
	{ HDR_CODE32_START, 4, "code32_start", 0x0200, NULL },
	{ HDR_RAMDISK_IMAGE, 4, "ramdisk_image", 0x0200, LOADER },
	{ HDR_RAMDISK_SIZE, 4, "ramdisk_size", 0x0200, LOADER },
	{ 0x220, 4, "bootsect_kludge", 0x0200, DEAD },
	{ HDR_HEAP_END_PTR, 2, "heap_end_ptr", 0x0201, LOADER },
	{ HDR_EXT_LOADER_VER, 1, "ext_loader_ver", 0x0202, LOADER },
	{ HDR_EXT_LOADER_TYPE, 1, "ext_loader_type", 0x0202, LOADER },
	{ HDR_CMD_LINE_PTR, 4, "cmd_line_ptr", 0x0202, LOADER },
	{ HDR_INITRD_ADDR_MAX, 4, "initrd_addr_max", 0x0203, NULL },
	{ HDR_KERNEL_ALIGNMENT, 4, "kernel_alignment", 0x0205, NULL },
	{ HDR_RELOCATABLE_KERNEL, 1, "relocatable_kernel", 0x0205, NULL },
	{ HDR_MIN_ALIGNMENT, 1, "min_alignment", 0x020a, NULL },
	{ HDR_XLOADFLAGS, 2, "xloadflags", 0x020c, NULL },
	{ HDR_CMDLINE_SIZE, 4, "cmdline_size", 0x0206, NULL },
	{ HDR_HARDWARE_SUBARCH, 4, "hardware_subarch", 0x0207, NULL },
	{ HDR_HARDWARE_SUBARCH_DATA, 8, "hardware_subarch_data", 0x0207, LOADER },
	{ HDR_PAYLOAD_OFFSET, 4, "payload_offset", 0x0208, NULL },
	{ HDR_PAYLOAD_LENGTH, 4, "payload_length", 0x0208, NULL },
	{ HDR_SETUP_DATA, 8, "setup_data", 0x0209, LOADER },
	{ HDR_PREF_ADDRESS, 8, "pref_address", 0x020a, NULL },
	{ HDR_INIT_SIZE, 4, "init_size", 0x020a, NULL },
	{ HDR_HANDOVER_OFFSET, 4, "handover_offset", 0x020b, NULL },
	{ HDR_KERNEL_INFO_OFFSET, 4, "kernel_info_offset", 0x020f, NULL },
};

void inspect_setup_header(struct inspection *in, struct span file)
{
	struct item *list = inspect_list(in, in->top, "setup_header");
	uint16_t version = 0;

	if (!span_le16(file, HDR_VERSION, &version))
		return;
	for (size_t i = 0; i < array_len(fields); i++) {
		const struct field *f = &fields[i];
		struct item *o;
		uint64_t v = 0;

		if (f->since > version || !span_copy(file, f->off, &v, f->len))
			continue;
		o = inspect_group(in, list, NULL);
		inspect_addr(in, o, "off", f->off);
		inspect_number(in, o, "size", f->len);
		inspect_text(in, o, "name", f->name);
		inspect_addr(in, o, "value", v);
		inspect_text(in, o, "meaning", f->meaning ? f->meaning :
					       meaning_of(in, f->off, v));
	}
}
