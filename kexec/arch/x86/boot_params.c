// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch/x86/boot_params.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "arch/x86/subarch.h"
#include "boot_note.h"

/* Offsets in the zero page. */
enum zero_page_off {
	ZP_SCREEN_INFO = 0x000,
	ZP_EXT_MEM_K = 0x002,
	ZP_ORIG_VIDEO_ISVGA = 0x00f,
	ZP_ACPI_RSDP_ADDR = 0x070,
	ZP_EXT_RAMDISK_IMAGE = 0x0c0,
	ZP_EXT_RAMDISK_SIZE = 0x0c4,
	ZP_EXT_CMD_LINE_PTR = 0x0c8,
	ZP_EDID_INFO = 0x140,
	ZP_EFI_INFO = 0x1c0,
	ZP_ALT_MEM_K = 0x1e0,
	ZP_E820_ENTRIES = 0x1e8,
	ZP_EDDBUF_ENTRIES = 0x1e9,
	ZP_EDD_MBR_SIG_ENTRIES = 0x1ea,
	ZP_SECURE_BOOT = 0x1ec,
	ZP_SETUP_HEADER = 0x1f1,
	ZP_EDD_MBR_SIG = 0x290,
	ZP_E820_TABLE = 0x2d0,
	ZP_EDDBUF = 0xd00,
};

#define SCREEN_INFO_LEN		0x40
#define EDID_INFO_LEN		0x80
#define EDD_ENTRIES_MAX		6
#define EDD_ENTRY_LEN		82
#define EDD_MBR_SIG_MAX		16
#define SECURE_BOOT_MAX		3

#define E820_ENTRY_LEN		20
#define SETUP_NODE_HEAD_LEN	16	/* next, type, len */
_Static_assert(SEED_LEN == SHA256_LEN, "the seed that is handed on is a digest");

/* struct efi_info in the zero page. */
enum efi_info_off {
	EFI_INFO_SIGNATURE = 0x00,
	EFI_INFO_SYSTAB = 0x04,
	EFI_INFO_MEMDESC_SIZE = 0x08,
	EFI_INFO_MEMDESC_VERSION = 0x0c,
	EFI_INFO_MEMMAP = 0x10,
	EFI_INFO_MEMMAP_SIZE = 0x14,
	EFI_INFO_SYSTAB_HI = 0x18,
	EFI_INFO_MEMMAP_HI = 0x1c,
};

#define EFI_MEMDESC_LEN		40
#define EFI_SETUP_LEN		96	/* struct efi_setup_data: four addresses, eight reserved */
#define EFI_MAP_MAX		4096	/* descriptors; firmware has a few hundred at most */

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

static uint32_t old32(const struct facts *facts, size_t off)
{
	uint32_t v;

	memcpy(&v, facts->boot_params + off, sizeof(v));
	return v;
}

/*
 * Kernels before 6.2 or so take a table with fewer than two entries for none at all: a single entry
 * is cut in two.
 */
static int split_lonely_entry(const struct facts *facts, struct arena *a, struct params_layout *l)
{
	struct mem_entry *two = arena_alloc_array(a, 2, sizeof(*two));
	const struct mem_entry *one = facts->map;
	phys_t middle;

	if (!two)
		return -ENOMEM;
	middle = align_down(one->range.start + range_len(one->range) / 2, PAGE_LEN);
	two[0] = (struct mem_entry){ { one->range.start, middle }, one->type };
	two[1] = (struct mem_entry){ { middle, one->range.end }, one->type };
	l->e820 = two;
	l->n_e820 = 2;
	return 0;
}

static int choose_e820(const struct bzimage *image, const struct facts *facts, struct arena *a,
		       struct params_layout *l, struct diag *diag)
{
	if (facts->n_map == 0)
		return fail(diag, EINVAL, "params/no-memory-map",
			    "this machine's memory map is not known: nothing to hand on as e820");
	l->e820 = facts->map;
	l->n_e820 = facts->n_map;
	if (facts->n_map == 1)
		return split_lonely_entry(facts, a, l) < 0 ? fail_nomem(diag) : 0;
	if (facts->n_map > E820_TABLE_MAX && image->version < 0x0209) {
		warn(diag, "params/e820-cut",
		     "protocol %u.%02u takes %d memory ranges, this machine has %zu: the highest "
		     "are left out",
		     image->version >> 8, image->version & 0xff, E820_TABLE_MAX, facts->n_map);
		l->n_e820 = E820_TABLE_MAX;
	}
	return 0;
}

const char *params_efi_obstacle(const struct facts *facts)
{
	const struct efi_facts *efi = &facts->efi;

	if (efi->bits != 64)
		return "the firmware is not known to be 64-bit";
	if (!facts->has_boot_params ||
	    memcmp(facts->boot_params + ZP_EFI_INFO + EFI_INFO_SIGNATURE, "EL64", 4) != 0)
		return "the running kernel's boot parameters name no 64-bit EFI system table";
	if (old32(facts, ZP_EFI_INFO + EFI_INFO_MEMDESC_VERSION) != 1)
		return "the EFI memory descriptors have an unknown version";
	if (efi->n_map == 0)
		return "the running kernel shows no /sys/firmware/efi/runtime-map";
	if (efi->n_map > EFI_MAP_MAX)
		return "/sys/firmware/efi/runtime-map has too many entries";
	if (efi->fw_vendor == 0 || efi->config_table == 0)
		return "/sys/firmware/efi does not tell fw_vendor and config_table";
	if (!efi->has_systab)
		return "/sys/firmware/efi/systab cannot be read";
	return NULL;
}

static const char *efi_obstacle(const struct bzimage *image, const struct facts *facts)
{
	if (!(image->xloadflags & XLF_EFI_KEXEC))
		return "the image cannot take them over (no XLF_EFI_KEXEC)";
	return params_efi_obstacle(facts);
}

static struct params_piece add_piece(struct params_layout *l, size_t len)
{
	struct params_piece piece = { .off = l->len, .len = len };

	l->len = (size_t)align_down(l->len + len + 15, 16);
	return piece;
}

static struct params_piece add_node(struct params_layout *l, size_t len)
{
	l->len += SETUP_NODE_HEAD_LEN;
	return add_piece(l, len);
}

static void lay_out_efi(const struct bzimage *image, const struct request *req,
			const struct facts *facts, struct params_layout *l, struct diag *diag)
{
	const char *obstacle = efi_obstacle(image, facts);

	if (!facts->efi.is_booted && req->no_efi)
		note(diag, "params/no-efi",
		     "--noefi changes nothing: this machine was not booted by EFI");
	if (!facts->efi.is_booted)
		return;
	if (req->no_efi) {
		note(diag, "params/efi-unwanted",
		     "EFI runtime services are not handed on, as --noefi asks");
		return;
	}
	if (obstacle) {
		warn(diag, "params/efi-dropped",
		     "EFI runtime services are not handed on: %s; the next kernel boots as with "
		     "noefi",
		     obstacle);
		return;
	}
	l->efi = add_node(l, EFI_SETUP_LEN);
	l->efi_map = add_node(l, facts->efi.n_map * EFI_MEMDESC_LEN);
}

/* Who asks for it with --reuse-video-type knows better what the hardware still shows. */
bool params_display_is_handed_on(const struct request *req, const struct facts *facts)
{
	return facts->has_boot_params &&
	       (facts->display != DISPLAY_NATIVE || req->reuse_video_type);
}

static void note_what_is_lost(const struct request *req, const struct facts *facts,
			      struct diag *diag)
{
	if (!facts->has_boot_params)
		note(diag, "params/no-boot-params",
		     "/sys/kernel/boot_params cannot be read: no display, EDD or secure boot state "
		     "is handed on");
	else if (!params_display_is_handed_on(req, facts) &&
		 facts->boot_params[ZP_ORIG_VIDEO_ISVGA] != 0)
		note(diag, "params/display-cleared",
		     "the display is driven by %s, which reprogrammed it: the next kernel shows "
		     "nothing on it until its own driver loads",
		     facts->display_driver ? facts->display_driver : "a native driver");
	if (facts->rsdp == 0 && facts->efi.is_booted)
		warn(diag, "params/no-rsdp",
		     "the ACPI root pointer is not known although this machine has EFI: the next "
		     "kernel may find no ACPI");
}

/* Source: Devicetree Specification 0.4, 5.2: big endian, the magic and then the length of it all. */
static int check_dtb(const struct bzimage *image, const struct request *req, struct diag *diag)
{
	const uint32_t magic = 0xd00dfeed;
	uint32_t found = 0, len = 0;

	if (req->dtb.len == 0)
		return 0;
	if (!span_copy(req->dtb, 0, &found, sizeof(found)) ||
	    !span_copy(req->dtb, 4, &len, sizeof(len)) || __builtin_bswap32(found) != magic)
		return fail(diag, EINVAL, "params/no-device-tree",
			    "what --dtb names is no flattened device tree: it begins with %08x, not "
			    "%08x", __builtin_bswap32(found), magic);
	if (__builtin_bswap32(len) > req->dtb.len)
		return fail(diag, EINVAL, "params/device-tree-truncated",
			    "the device tree says that it has %u bytes, the file has %zu",
			    __builtin_bswap32(len), req->dtb.len);
	if (image->version < 0x0209)
		return fail(diag, EINVAL, "params/no-setup-data",
			    "a kernel of boot protocol %u.%02u takes no device tree: it came with "
			    "2.09", image->version >> 8, image->version & 0xff);
	return 0;
}

int params_check_cmdline(const struct bzimage *image, const struct request *req,
			 struct diag *diag)
{
	size_t len = strlen(req->cmdline);

	if (len <= image->cmdline_max)
		return 0;
	fail(diag, EINVAL, "params/cmdline-too-long",
	     "the command line has %zu characters, this kernel takes %u", len, image->cmdline_max);
	return fail_advise(diag,
			   "shorten --append by %zu character%s; nothing is ever cut off silently",
			   len - image->cmdline_max, len - image->cmdline_max == 1 ? "" : "s");
}

int params_lay_out(const struct bzimage *image, const struct request *req,
		   const struct facts *facts, struct arena *a, struct params_layout *ret,
		   struct diag *diag)
{
	struct params_layout l = { .len = BOOT_PARAMS_LEN };
	int r;

	r = params_check_cmdline(image, req, diag);
	if (r < 0)
		return r;
	r = choose_e820(image, facts, a, &l, diag);
	if (r == 0)
		r = check_dtb(image, req, diag);
	if (r < 0)
		return r;
	l.cmdline = add_piece(&l, max_size(strlen(req->cmdline) + 1, COMMAND_LINE_SIZE));
	if (image->version >= 0x0209) {
		if (l.n_e820 > E820_TABLE_MAX)
			l.e820_ext = add_node(&l, (l.n_e820 - E820_TABLE_MAX) * E820_ENTRY_LEN);
		lay_out_efi(image, req, facts, &l, diag);
		if (req->has_seed)
			l.rng_seed = add_node(&l, SEED_LEN);
		if (req->dtb.len > 0)
			l.dtb = add_node(&l, req->dtb.len);
		l.note = add_node(&l, sizeof(struct boot_note));
	}
	note_what_is_lost(req, facts, diag);
	*ret = l;
	return 0;
}

static void put_e820(uint8_t *p, const struct mem_entry *e)
{
	put64(p, e->range.start);
	put64(p + 8, range_len(e->range));
	put32(p + 16, e->type);
}

static void write_e820(const struct params_layout *l, uint8_t *buf)
{
	size_t n_here = (size_t)min_u64(l->n_e820, E820_TABLE_MAX);

	buf[ZP_E820_ENTRIES] = (uint8_t)n_here;
	for (size_t i = 0; i < n_here; i++)
		put_e820(buf + ZP_E820_TABLE + i * E820_ENTRY_LEN, &l->e820[i]);
	for (size_t i = 0; i * E820_ENTRY_LEN < l->e820_ext.len; i++)
		put_e820(buf + l->e820_ext.off + i * E820_ENTRY_LEN, &l->e820[E820_TABLE_MAX + i]);
}

/* The kernel's last resort when it finds no e820: RAM from 1 MiB up, in KiB. */
static void write_memory_sizes(const struct params_layout *l, uint8_t *buf)
{
	for (size_t i = 0; i < l->n_e820; i++) {
		struct range r = l->e820[i].range;
		uint64_t above_kib;

		if (l->e820[i].type != MEM_RAM || r.start > MIB || r.end <= MIB)
			continue;
		above_kib = (r.end - MIB) / KIB;
		put16(buf + ZP_EXT_MEM_K, (uint16_t)min_u64(above_kib, 0xfc00));
		put32(buf + ZP_ALT_MEM_K, (uint32_t)min_u64(above_kib, UINT32_MAX));
	}
}

static void write_firmware_facts(const struct request *req, const struct facts *facts,
				 uint8_t *buf)
{
	const uint8_t *old = facts->boot_params;

	put64(buf + ZP_ACPI_RSDP_ADDR, facts->rsdp);
	if (params_display_is_handed_on(req, facts)) {
		memcpy(buf + ZP_SCREEN_INFO, old + ZP_SCREEN_INFO, SCREEN_INFO_LEN);
		memcpy(buf + ZP_EDID_INFO, old + ZP_EDID_INFO, EDID_INFO_LEN);
	}
	if (!facts->has_boot_params)
		return;
	if (old[ZP_EDDBUF_ENTRIES] <= EDD_ENTRIES_MAX) {
		buf[ZP_EDDBUF_ENTRIES] = old[ZP_EDDBUF_ENTRIES];
		memcpy(buf + ZP_EDDBUF, old + ZP_EDDBUF,
		       (size_t)old[ZP_EDDBUF_ENTRIES] * EDD_ENTRY_LEN);
	}
	if (old[ZP_EDD_MBR_SIG_ENTRIES] <= EDD_MBR_SIG_MAX) {
		buf[ZP_EDD_MBR_SIG_ENTRIES] = old[ZP_EDD_MBR_SIG_ENTRIES];
		memcpy(buf + ZP_EDD_MBR_SIG, old + ZP_EDD_MBR_SIG,
		       (size_t)old[ZP_EDD_MBR_SIG_ENTRIES] * sizeof(uint32_t));
	}
	if (old[ZP_SECURE_BOOT] <= SECURE_BOOT_MAX)
		buf[ZP_SECURE_BOOT] = old[ZP_SECURE_BOOT];
}

void params_write_header(const struct bzimage *image, const struct params_addresses *at,
			 phys_t cmdline, uint8_t *buf)
{
	memcpy(buf + ZP_SETUP_HEADER, image->header.data, image->header.len);
	buf[HDR_TYPE_OF_LOADER] = TYPE_OF_LOADER;
	buf[HDR_EXT_LOADER_VER] = 0;
	buf[HDR_EXT_LOADER_TYPE] = 0;
	/* All other flags are for the loader to set, and none applies. */
	buf[HDR_LOADFLAGS] = (uint8_t)((image->loadflags & LOADFLAG_LOADED_HIGH) |
				       (at->is_randomized ? LOADFLAG_KASLR : 0));
	put32(buf + HDR_CMD_LINE_PTR, (uint32_t)cmdline);
	put32(buf + ZP_EXT_CMD_LINE_PTR, (uint32_t)(cmdline >> 32));
	put32(buf + HDR_RAMDISK_IMAGE, (uint32_t)at->initrd);
	put32(buf + HDR_RAMDISK_SIZE, (uint32_t)at->initrd_len);
	put32(buf + ZP_EXT_RAMDISK_IMAGE, (uint32_t)(at->initrd >> 32));
	put32(buf + ZP_EXT_RAMDISK_SIZE, (uint32_t)(at->initrd_len >> 32));
}

static void write_efi(const struct params_layout *l, const struct facts *facts, phys_t params,
		      uint8_t *buf)
{
	const uint8_t *old = facts->boot_params + ZP_EFI_INFO;
	phys_t map = params + l->efi_map.off;
	uint8_t *info = buf + ZP_EFI_INFO, *node = buf + l->efi.off;

	if (l->efi.len == 0)
		return;
	memcpy(info, old, 8);	/* signature and low half of the system table's address */
	memcpy(info + EFI_INFO_SYSTAB_HI, old + EFI_INFO_SYSTAB_HI, 4);
	put32(info + EFI_INFO_MEMDESC_SIZE, EFI_MEMDESC_LEN);
	put32(info + EFI_INFO_MEMDESC_VERSION, 1);
	put32(info + EFI_INFO_MEMMAP, (uint32_t)map);
	put32(info + EFI_INFO_MEMMAP_HI, (uint32_t)(map >> 32));
	put32(info + EFI_INFO_MEMMAP_SIZE, (uint32_t)l->efi_map.len);
	put64(node, facts->efi.fw_vendor);
	put64(node + 8, facts->efi.runtime);	/* kernels before 5.7 call it there */
	put64(node + 16, facts->efi.config_table);
	put64(node + 24, facts->efi.smbios);
	for (size_t i = 0; i < facts->efi.n_map; i++) {
		const struct efi_runtime_entry *e = &facts->efi.map[i];
		uint8_t *p = buf + l->efi_map.off + i * EFI_MEMDESC_LEN;

		put32(p, e->type);
		put64(p + 8, e->phys);
		put64(p + 16, e->virt);
		put64(p + 24, e->n_pages);
		put64(p + 32, e->attribute);
	}
}

/* Not the seed itself: the kernel's place was drawn from that. */
void params_seed(const struct request *req, uint8_t *ret)
{
	static const char label[] = "SETUP_RNG_SEED";
	struct sha256 h;

	sha256_start(&h);
	sha256_add(&h, req->seed, SEED_LEN);
	sha256_add(&h, label, sizeof(label));
	sha256_finish(&h, ret);
}

void params_write_note(const struct request *req, const struct facts *facts, uint8_t *ret)
{
	struct boot_note n = {
		.magic = BOOT_NOTE_MAGIC,
		.len = sizeof(n),
		.flags = req->is_crash ? BOOT_NOTE_CRASH : 0,
		.loaded = req->load_tsc,
		.loader = "kexec-ng " KEXEC_NG_VERSION,
	};

	if (facts->release)
		strncpy(n.release, facts->release, sizeof(n.release) - 1);
	memcpy(ret, &n, sizeof(n));
}

static void link_node(const struct params_piece *piece, uint32_t type, phys_t params, phys_t *head,
		      uint8_t *buf)
{
	uint8_t *node = buf + piece->off - SETUP_NODE_HEAD_LEN;

	if (piece->len == 0)
		return;
	put64(node, *head);
	put32(node + 8, type);
	put32(node + 12, (uint32_t)piece->len);
	*head = params + piece->off - SETUP_NODE_HEAD_LEN;
}

void params_write(const struct bzimage *image, const struct params_layout *l,
		  const struct request *req, const struct facts *facts,
		  const struct params_addresses *at, uint8_t *buf)
{
	phys_t head = 0;

	write_firmware_facts(req, facts, buf);
	params_write_header(image, at, at->params + l->cmdline.off, buf);
	subarch_write(image, req, facts, buf);
	write_e820(l, buf);
	write_memory_sizes(l, buf);
	memcpy(buf + l->cmdline.off, req->cmdline, strlen(req->cmdline));
	write_efi(l, facts, at->params, buf);
	if (l->rng_seed.len != 0)
		params_seed(req, buf + l->rng_seed.off);
	if (l->dtb.len > 0)
		memcpy(buf + l->dtb.off, req->dtb.data, l->dtb.len);
	if (l->note.len > 0)
		params_write_note(req, facts, buf + l->note.off);
	link_node(&l->note, SETUP_NONE, at->params, &head, buf);
	link_node(&l->dtb, SETUP_DTB, at->params, &head, buf);
	link_node(&l->rng_seed, SETUP_RNG_SEED, at->params, &head, buf);
	link_node(&l->efi_map, SETUP_NONE, at->params, &head, buf);
	link_node(&l->efi, SETUP_EFI, at->params, &head, buf);
	link_node(&l->e820_ext, SETUP_E820_EXT, at->params, &head, buf);
	if (image->version >= 0x0209)
		put64(buf + HDR_SETUP_DATA, head);
}
