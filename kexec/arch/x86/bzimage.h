/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The setup header of a bzImage, read strictly. Everything a loader acts on is here once it has been
 * checked against the file, the other fields and the protocol version.
 * Source: Documentation/arch/x86/boot.rst, arch/x86/boot/header.S.
 */
#ifndef KEXEC_NG_X86_BZIMAGE_H
#define KEXEC_NG_X86_BZIMAGE_H

#include "image.h"

/* Offsets in the file, which are those in boot_params. */
enum setup_header_off {
	HDR_SETUP_SECTS = 0x1f1,
	HDR_SYSSIZE = 0x1f4,
	HDR_VID_MODE = 0x1fa,
	HDR_BOOT_FLAG = 0x1fe,
	HDR_JUMP = 0x200,
	HDR_MAGIC = 0x202,
	HDR_VERSION = 0x206,
	HDR_KERNEL_VERSION = 0x20e,
	HDR_TYPE_OF_LOADER = 0x210,
	HDR_LOADFLAGS = 0x211,
	HDR_CODE32_START = 0x214,
	HDR_RAMDISK_IMAGE = 0x218,
	HDR_RAMDISK_SIZE = 0x21c,
	HDR_HEAP_END_PTR = 0x224,
	HDR_EXT_LOADER_VER = 0x226,
	HDR_EXT_LOADER_TYPE = 0x227,
	HDR_CMD_LINE_PTR = 0x228,
	HDR_INITRD_ADDR_MAX = 0x22c,
	HDR_KERNEL_ALIGNMENT = 0x230,
	HDR_RELOCATABLE_KERNEL = 0x234,
	HDR_MIN_ALIGNMENT = 0x235,
	HDR_XLOADFLAGS = 0x236,
	HDR_CMDLINE_SIZE = 0x238,
	HDR_HARDWARE_SUBARCH = 0x23c,
	HDR_HARDWARE_SUBARCH_DATA = 0x240,
	HDR_PAYLOAD_OFFSET = 0x248,
	HDR_PAYLOAD_LENGTH = 0x24c,
	HDR_SETUP_DATA = 0x250,
	HDR_PREF_ADDRESS = 0x258,
	HDR_INIT_SIZE = 0x260,
	HDR_HANDOVER_OFFSET = 0x264,
	HDR_KERNEL_INFO_OFFSET = 0x268,
};

#define LOADFLAG_LOADED_HIGH		(1U << 0)
#define LOADFLAG_KASLR			(1U << 1)

#define XLF_KERNEL_64			(1U << 0)
#define XLF_CAN_BE_LOADED_ABOVE_4G	(1U << 1)
#define XLF_EFI_HANDOVER_32		(1U << 2)
#define XLF_EFI_HANDOVER_64		(1U << 3)
#define XLF_EFI_KEXEC			(1U << 4)
#define XLF_5LEVEL			(1U << 5)
#define XLF_5LEVEL_ENABLED		(1U << 6)

#define ENTRY_64_OFF			0x200	/* of the 64-bit entry in the protected mode part */

/*
 * What both entries of a stub become when its payload is not its own any more (--export=bzimage): the
 * CPU halts. Only the direct entry starts such an image.
 */
#define HALTED_STUB		"\xf4\xeb\xfd"	/* hlt; jmp to it */
#define HALTED_STUB_LEN		3

struct bzimage {
	uint16_t version;	/* 0x020f is protocol 2.15 */
	size_t header_end;	/* offset of the first byte after the setup header */
	struct span header;	/* from HDR_SETUP_SECTS to there */
	size_t setup_len;	/* bytes of boot sector and real mode code */
	struct span kernel;	/* the protected mode part, without trailing signatures */
	const char *kernel_version;	/* "" if the image names none; in the arena */

	bool is_stub_halted;
	uint8_t loadflags;
	uint16_t xloadflags;	/* 0 before 2.12 */
	uint32_t code32_start;
	uint32_t cmdline_max;	/* characters without NUL */
	phys_t initrd_end;	/* one past the highest byte, by initrd_addr_max */
	bool is_relocatable;
	uint64_t alignment;	/* of the runtime start, if relocatable */
	phys_t pref_address;	/* lowest runtime start; the only one if not relocatable */
	uint64_t window_len;	/* bytes the kernel needs at its runtime start to unpack itself */
	uint32_t setup_type_max;	/* from kernel_info; 0: not known */

	bool has_payload;
	struct span payload;	/* compressed, with its length trailer */
	const char *payload_format;	/* "gzip", "xz", ...; "unknown" */
	uint32_t payload_out_len;	/* what the trailer says it unpacks to, 0 included */
};

/* 0, or -ENOEXEC: no bzImage. A bzImage that is broken passes. */
must_check int bzimage_probe(struct span file, struct diag *why);
/* Reads and checks the header; ids "bzimage/...". Lengths are positive and inside the file after it. */
must_check int bzimage_parse(struct span file, struct arena *a, struct bzimage *ret,
			     struct diag *diag);
/* Is the payload of a known format, with a length? "bzimage/payload-unknown",
 * "bzimage/payload-trailer". Of no interest to who leaves it to the image's stub. */
must_check int bzimage_check_payload(const struct bzimage *image, struct diag *diag);

/*
 * The part of planning that a kernel shares which comes without a setup header, as an ELF file: image
 * says what such a header would, direct is that kernel unpacked. Finished by bzimage_finish().
 */
struct direct;
must_check int bzimage_plan_direct(const struct bzimage *image, const struct direct *direct,
				   const struct request *req, const struct facts *facts,
				   struct plan *plan, struct diag *diag);
must_check int bzimage_finish(const struct request *req, const struct facts *facts,
			      struct plan *plan, struct diag *diag);

extern const struct image_type bzimage_type;

#endif
