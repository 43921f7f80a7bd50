/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The "params" segment: the zero page, the command line and the setup_data chain, in one piece.
 * Laid out when the plan is made (lengths are known), written when addresses are.
 *
 * The stub's KASLR keeps off the zero page, the command line and every setup_data node, and off
 * nothing else: so whatever the next kernel reads later is one of these. The EFI memory map, which
 * is none, travels inside a node of type SETUP_NONE, and so does the note of boot_note.h.
 *
 * Source: Documentation/arch/x86/{boot,zero-page}.rst, arch/x86/include/uapi/asm/bootparam.h.
 */
#ifndef KEXEC_NG_X86_BOOT_PARAMS_H
#define KEXEC_NG_X86_BOOT_PARAMS_H

#include "arch/x86/bzimage.h"

enum setup_type {
	SETUP_NONE = 0,
	SETUP_E820_EXT = 1,
	SETUP_DTB = 2,
	SETUP_EFI = 4,
	SETUP_RNG_SEED = 9,
};

#define E820_TABLE_MAX	128	/* entries in the zero page */

/* Offsets in the segment; a length of 0 says that the piece is not there. */
struct params_piece {
	size_t off;
	size_t len;	/* of the data, without a node's header */
};

struct params_layout {
	struct params_piece cmdline;	/* room for COMMAND_LINE_SIZE, which kernels copy whole */
	struct params_piece e820_ext;
	struct params_piece efi;
	struct params_piece efi_map;
	struct params_piece rng_seed;
	struct params_piece dtb;
	struct params_piece note;	/* boot_note.h */
	size_t len;
	const struct mem_entry *e820;	/* all entries that are handed on */
	size_t n_e820;
};

struct params_addresses {
	phys_t params;
	phys_t initrd;
	uint64_t initrd_len;
	bool is_randomized;	/* KASLR_FLAG: set by the stub, or by us in its place */
};

/* 0xD is what kexec loaders are registered with; version 1 tells ours from kexec-tools' 0. */
#define TYPE_OF_LOADER		0xd1
#define COMMAND_LINE_SIZE	2048 /* bytes that a kernel copies, whatever the string's length */

/* -EINVAL "params/cmdline-too-long". */
must_check int params_check_cmdline(const struct bzimage *image, const struct request *req,
				    struct diag *diag);
/* What the next kernel gets for its random numbers, SEED_LEN bytes: not the seed itself. */
void params_seed(const struct request *req, uint8_t *ret);

/* Writes a struct boot_note. */
void params_write_note(const struct request *req, const struct facts *facts, uint8_t *ret);

/* Does what is in screen_info still describe what the hardware shows, or does the user say so? */
bool params_display_is_handed_on(const struct request *req, const struct facts *facts);

/* Why this machine's EFI runtime services cannot be carried over; NULL if they can. */
const char *params_efi_obstacle(const struct facts *facts);
/* Decides what is handed on and says, by notes, what is not. */
must_check int params_lay_out(const struct bzimage *image, const struct request *req,
			      const struct facts *facts, struct arena *a,
			      struct params_layout *ret, struct diag *diag);
/* The part of params_write() that the image alone decides: the setup header, and where command line and
 * initrd are. buf has BOOT_PARAMS_LEN zeroed bytes. */
void params_write_header(const struct bzimage *image, const struct params_addresses *at,
			 phys_t cmdline, uint8_t *buf);
/* buf has layout->len zeroed bytes. */
void params_write(const struct bzimage *image, const struct params_layout *layout,
		  const struct request *req, const struct facts *facts,
		  const struct params_addresses *at, uint8_t *buf);

#endif
