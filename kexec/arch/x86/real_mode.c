// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch/x86/real_mode.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/boot_params.h"
#include "arch/x86/subarch.h"
#include "boot_note.h"
#include "handoff.h"

/* The setup code with its data ends here (arch/x86/boot/setup.ld); then comes its heap. */
#define SETUP_END		0x8000
#define ENTRY_OFF		0x200	/* behind the boot sector */
#define CMDLINE_OFF		HANDOFF_REAL_LEN

/* Linux keeps off the first 64 KiB, which some BIOSes write to, and so do boot loaders. Above 0x9a000
 * they may use memory that they do not tell of. */
#define LOWEST			(64 * KIB)
#define LOW_END			0x9a000

#define LOADFLAG_CAN_USE_HEAP	(1U << 7)
#define HEAP_END_PTR		(HANDOFF_REAL_STACK - 0x200)	/* as the protocol counts it */

/* vid_mode, where it is no number of a mode. */
#define VID_MODE_NORMAL		0xffff
#define VID_MODE_EXT		0xfffe
#define VID_MODE_ASK		0xfffd

#define NODE_HEAD_LEN		16	/* next, type, len */
#define EFI_SIGNATURE_OFF	0x1c0	/* in boot_params: "EL64" or "EL32" */

static void put16(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, sizeof(v));
}

static void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
}

static void put64(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, sizeof(v));
}

/* Why no BIOS would answer the setup code; NULL if nothing says so. */
static const char *why_no_bios(const struct facts *facts)
{
	const uint8_t *params = facts->boot_params;
	static const uint8_t none[4];

	if (facts->efi.is_booted)
		return "this machine was started by EFI firmware";
	if (facts->has_boot_params && memcmp(params + EFI_SIGNATURE_OFF, "EL", 2) == 0)
		return "the running kernel was started by EFI firmware";
	if (facts->has_boot_params && memcmp(params + HDR_HARDWARE_SUBARCH, none, 4) != 0)
		return "this machine is no PC (hardware_subarch)";
	if (facts->rsdp >= MIB)
		return "the ACPI root pointer is above 1 MiB, where a BIOS does not put it";
	if (facts->cpu.is_confidential_guest)
		return "this is a confidential guest";
	return NULL;
}

static int check_machine(const struct request *req, const struct facts *facts, struct diag *diag)
{
	const char *why = why_no_bios(facts);

	if (why) {
		fail(diag, EINVAL, "real-mode/no-bios",
		     "the real mode entry needs a BIOS, and there is none: %s", why);
		return fail_advise(diag, "leave --enter=16 or --real-mode away");
	}
	if (req->is_crash)
		return fail(diag, EINVAL, "real-mode/crash",
			    "a kernel for a panic cannot be entered in real mode: its memory is "
			    "reserved elsewhere, and no BIOS is to be relied on then");
	if (req->dtb.len > 0)
		return fail(diag, EINVAL, "real-mode/device-tree",
			    "the real mode entry hands no device tree (--dtb) on");
	if (req->mem_min > LOWEST)
		return fail(diag, EINVAL, "real-mode/mem-min",
			    "the real mode entry needs memory below 1 MiB, --mem-min forbids "
			    "what is below %#" PRIx64,
			    req->mem_min);
	return 0;
}

static int check_image(const struct bzimage *image, struct diag *diag)
{
	if (image->setup_len > SETUP_END)
		return fail(diag, EINVAL, "real-mode/setup-too-long",
			    "boot sector and setup code take %zu bytes; real mode has room for %d",
			    image->setup_len, SETUP_END);
	/* Where it is to be entered is where it is loaded, unless the image says something else. */
	if (image->code32_start != 0 && image->code32_start != MIB &&
	    image->code32_start != image->pref_address)
		return fail(diag, EINVAL, "real-mode/code32-start",
			    "the setup code of this image would go on at %#x, which is not where "
			    "its kernel begins",
			    image->code32_start);
	return 0;
}

/* What is behind the last word that begins with key; NULL if there is none. */
static const char *last_value(const char *cmdline, const char *key)
{
	const char *found = NULL;

	for (const char *at = cmdline; (at = strstr(at, key)) != NULL; at += strlen(key))
		if (at == cmdline || at[-1] == ' ')
			found = at + strlen(key);
	return found;
}

/* vga= is the boot loader's word: the setup code finds it in the header. *ret stays as it is if it
 * was not said. */
static int read_vid_mode(const char *cmdline, uint16_t *ret, struct diag *diag)
{
	static const struct {
		const char *name;
		uint16_t mode;
	} names[] = {
		{ "normal", VID_MODE_NORMAL }, { "ext", VID_MODE_EXT }, { "ask", VID_MODE_ASK },
	};
	const char *value = last_value(cmdline, "vga=");
	size_t len = value ? strcspn(value, " ") : 0;
	unsigned long number;
	char *after;

	if (!value)
		return 0;
	for (size_t i = 0; i < array_len(names); i++) {
		if (strlen(names[i].name) != len || memcmp(value, names[i].name, len) != 0)
			continue;
		*ret = names[i].mode;
		return 0;
	}
	number = strtoul(value, &after, 0);
	if (*value < '0' || *value > '9' || after != value + len || number > UINT16_MAX)
		return fail(diag, EINVAL, "real-mode/vga",
			    "vga=%.*s: expected normal, ext, ask or the number of a video mode",
			    (int)min_u64(len, 40), value);
	*ret = (uint16_t)number;
	return 0;
}

static size_t node_off(const struct request *req)
{
	size_t end = CMDLINE_OFF + max_size(strlen(req->cmdline) + 1, COMMAND_LINE_SIZE);

	return (size_t)align_down(end + 15, 16);
}

static bool has_nodes(const struct bzimage *image)
{
	return image->version >= 0x0209;
}

/* The note is in the first node, the seed in the second. */
#define SEED_NODE_OFF	(NODE_HEAD_LEN + sizeof(struct boot_note))

static size_t nodes_len(const struct bzimage *image, const struct request *req)
{
	if (!has_nodes(image))
		return 0;
	return SEED_NODE_OFF + (req->has_seed ? NODE_HEAD_LEN + SEED_LEN : 0);
}

int real_mode_plan(const struct bzimage *image, const struct request *req,
		   const struct facts *facts, struct plan *plan, struct diag *diag)
{
	const struct segment_wish wish = {
		.name = REAL_MODE_SEGMENT,
		.min = LOWEST,
		.end = LOW_END,
		.wants_lowest = true,
		.is_digested = true,
	};
	size_t len = node_off(req) + nodes_len(image, req);
	struct segment *s;
	uint16_t vid_mode = 0;
	int r;

	r = check_machine(req, facts, diag);
	if (r == 0)
		r = check_image(image, diag);
	if (r == 0)
		r = params_check_cmdline(image, req, diag);
	if (r == 0 && !span_le16(req->kernel, HDR_VID_MODE, &vid_mode))
		r = fail(diag, EINVAL, "real-mode/header-outside", "the file has no setup header");
	if (r == 0)
		r = read_vid_mode(req->cmdline, &vid_mode, diag);
	if (r == 0)
		r = plan_add_own(plan, &wish, len, &s, diag);
	if (r == 0 && !span_copy(req->kernel, 0, s->own, image->setup_len))
		r = fail(diag, EINVAL, "real-mode/setup-outside", "the setup code is not in the file");
	if (r < 0)
		return r;
	put16(s->own + HDR_VID_MODE, vid_mode);
	plan->jump_mode = JUMP_16;
	note(diag, "real-mode/by-bios",
	     "memory and display are what the BIOS says when the setup code asks it");
	/* SeaBIOS waits 32 s for an AHCI disk that Linux has used. */
	if (!last_value(req->cmdline, "edd="))
		warn(diag, "real-mode/edd",
		     "the setup code will ask the BIOS for its disks, whose controllers Linux has "
		     "reprogrammed: it may wait for half a minute for each, or for ever; edd=off on "
		     "the new kernel's command line keeps it from asking");
	return 0;
}

static void write_header(const struct bzimage *image, const struct request *req,
			 const struct facts *facts, struct plan *plan,
			 const struct segment *setup)
{
	const struct segment *kernel = plan_find(plan, "kernel");
	const struct segment *initrd = plan_find(plan, "initrd");
	uint8_t *buf = setup->own;

	buf[HDR_TYPE_OF_LOADER] = TYPE_OF_LOADER;
	buf[HDR_EXT_LOADER_VER] = 0;
	buf[HDR_EXT_LOADER_TYPE] = 0;
	buf[HDR_LOADFLAGS] =
		(uint8_t)((image->loadflags & LOADFLAG_LOADED_HIGH) | LOADFLAG_CAN_USE_HEAP);
	put32(buf + HDR_CODE32_START, (uint32_t)kernel->addr);
	put32(buf + HDR_RAMDISK_IMAGE, initrd ? (uint32_t)initrd->addr : 0);
	put32(buf + HDR_RAMDISK_SIZE, initrd ? (uint32_t)initrd->bytes.len : 0);
	put16(buf + HDR_HEAP_END_PTR, HEAP_END_PTR);
	put32(buf + HDR_CMD_LINE_PTR, (uint32_t)(setup->addr + CMDLINE_OFF));
	subarch_write(image, req, facts, buf);
}

static void put_node(uint8_t *node, phys_t next, uint32_t type, size_t len)
{
	put64(node, next);
	put32(node + 8, type);
	put32(node + 12, (uint32_t)len);
}

static void write_nodes(const struct request *req, const struct facts *facts, struct plan *plan,
			const struct segment *setup)
{
	const phys_t at = setup->addr + node_off(req);
	uint8_t *node = setup->own + node_off(req);

	put64(setup->own + HDR_SETUP_DATA, at);
	put_node(node, req->has_seed ? at + SEED_NODE_OFF : 0, SETUP_NONE, sizeof(struct boot_note));
	params_write_note(req, facts, node + NODE_HEAD_LEN);
	plan->boot_note = at + NODE_HEAD_LEN;
	if (!req->has_seed)
		return;
	put_node(node + SEED_NODE_OFF, 0, SETUP_RNG_SEED, SEED_LEN);
	params_seed(req, node + SEED_NODE_OFF + NODE_HEAD_LEN);
}

void real_mode_finish(const struct bzimage *image, const struct request *req,
		      const struct facts *facts, struct plan *plan)
{
	const struct segment *setup = plan_find(plan, REAL_MODE_SEGMENT);

	write_header(image, req, facts, plan, setup);
	memcpy(setup->own + CMDLINE_OFF, req->cmdline, strlen(req->cmdline));
	if (has_nodes(image))
		write_nodes(req, facts, plan, setup);
	plan->jump_arg = setup->addr;
	plan->jump_entry = setup->addr + ENTRY_OFF;
	plan->cmdline_addr = setup->addr + CMDLINE_OFF;
}
