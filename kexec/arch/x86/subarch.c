// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch/x86/subarch.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define PROTOCOL_MIN	0x0207	/* before it there is no hardware_subarch */

static const struct subarch table[] = {
	[SUBARCH_PC] = {
		.name = "pc",
		.entries = { ENTER_DIRECT, ENTER_64, ENTER_32 },
		.also = { ENTER_16, ENTER_PVH },
	},
	[SUBARCH_LGUEST] = {
		.name = "lguest",
		.why = "its first instruction calls the lguest hypervisor, which is not there (Linux "
		       "had it until 4.13)",
	},
	/* The PV entry of such a kernel needs a hypervisor beneath it; PVH is its other one. */
	[SUBARCH_XEN] = {
		.name = "xen",
		.entries = { ENTER_PVH },
		.why = "a kernel for Xen is started by the entry in its Xen notes: PVH, as the other "
		       "one (PV) needs a hypervisor beneath it",
	},
	[SUBARCH_INTEL_MID] = {
		.name = "intel-mid",
		.entries = { ENTER_DIRECT, ENTER_64, ENTER_32 },
		.why = "such a machine has no BIOS for the 16-bit setup code, and the PVH entry has no "
		       "place to say what the machine is",
	},
	[SUBARCH_CE4100] = {
		.name = "ce4100",
		.entries = { ENTER_DIRECT, ENTER_32 },
		.why = "such a machine has a 32-bit CPU and no BIOS for the 16-bit setup code, and the "
		       "PVH entry has no place to say what the machine is",
	},
};

/* A number of somebody's own: entered as a PC, and told. */
static const struct subarch other = {
	.entries = { ENTER_DIRECT, ENTER_64, ENTER_32 },
	.also = { ENTER_16 },
	.why = "the PVH entry has no place to say what the machine is",
};

uint32_t subarch_number(const struct request *req, const struct facts *facts)
{
	uint32_t running;

	if (req->has_subarch)
		return req->subarch;
	if (!facts->has_boot_params)
		return SUBARCH_PC;
	memcpy(&running, facts->boot_params + HDR_HARDWARE_SUBARCH, sizeof(running));
	return running == SUBARCH_INTEL_MID || running == SUBARCH_CE4100 ? running : SUBARCH_PC;
}

void subarch_write(const struct bzimage *image, const struct request *req,
		   const struct facts *facts, uint8_t *zero_page)
{
	const uint32_t number = subarch_number(req, facts);

	if (image->version < PROTOCOL_MIN)
		return;
	if (number != SUBARCH_PC || req->has_subarch)
		memcpy(zero_page + HDR_HARDWARE_SUBARCH, &number, sizeof(number));
	if (req->has_subarch_data)
		memcpy(zero_page + HDR_HARDWARE_SUBARCH_DATA, &req->subarch_data,
		       sizeof(req->subarch_data));
}

const struct subarch *subarch_find(uint32_t number)
{
	return number < array_len(table) ? &table[number] : &other;
}

const char *subarch_text(uint32_t number, struct arena *a)
{
	const char *text = subarch_find(number)->name;

	if (!text)
		text = arena_printf(a, "number %" PRIu32, number);
	return text ? text : "?";
}

static const char *enter_text(enum enter enter)
{
	static const char *const texts[] = {
		[ENTER_AUTO] = "auto", [ENTER_DIRECT] = "direct", [ENTER_64] = "64",
		[ENTER_32] = "32", [ENTER_16] = "16", [ENTER_PVH] = "pvh",
	};

	return texts[enter];
}

static bool has_entry(const enum enter *list, enum enter enter)
{
	while (*list != ENTER_AUTO && *list != enter)
		list++;
	return *list == enter;
}

/* What the number means to this kernel. */
static int check_kernel(const struct bzimage *image, uint32_t number, bool has_data,
			struct diag *diag)
{
	const bool is_64 = image->xloadflags & XLF_KERNEL_64;

	if (number == SUBARCH_PC && !has_data)
		return 0;
	if (image->version < PROTOCOL_MIN)
		return fail(diag, EINVAL, "subarch/protocol",
			    "a kernel of boot protocol %u.%02u cannot be told its subarchitecture: "
			    "that came with 2.07",
			    image->version >> 8, image->version & 0xff);
	if (number == SUBARCH_CE4100 && is_64)
		return fail(diag, EINVAL, "subarch/needs-32-bit",
			    "this is a 64-bit kernel, and only 32-bit ones know the CE4100");
	if (!is_64 && number != SUBARCH_XEN && number != SUBARCH_PC)
		warn(diag, "subarch/paravirt",
		     "32-bit kernels built with CONFIG_PARAVIRT, as those of distributions are, may "
		     "stop in their first instructions when the subarchitecture is not pc");
	return 0;
}

static int refuse(const struct subarch *row, const char *name, enum enter enter, struct diag *diag)
{
	if (row->entries[0] == ENTER_AUTO)
		return fail(diag, EINVAL, "subarch/not-here",
			    "a kernel for subarchitecture %s cannot be started here: %s", name,
			    row->why);
	fail(diag, EINVAL, "subarch/entry",
	     "a kernel for subarchitecture %s is not entered by --enter=%s: %s", name,
	     enter_text(enter), row->why);
	return fail_advise(diag, "leave --enter=%s away: auto takes an entry that is possible",
			   enter_text(enter));
}

int subarch_entries(const struct bzimage *image, const struct request *req,
		    const struct facts *facts, struct arena *a, const enum enter **ret,
		    struct diag *diag)
{
	const uint32_t number = subarch_number(req, facts);
	const struct subarch *row = subarch_find(number);
	enum enter *asked;
	int r = check_kernel(image, number, req->has_subarch_data, diag);

	if (r < 0)
		return r;
	if (row->entries[0] == ENTER_AUTO)
		return refuse(row, subarch_text(number, a), req->enter, diag);
	*ret = row->entries;
	if (req->enter != ENTER_AUTO) {
		if (!has_entry(row->entries, req->enter) && !has_entry(row->also, req->enter))
			return refuse(row, subarch_text(number, a), req->enter, diag);
		asked = arena_alloc_array(a, 2, sizeof(*asked));
		if (!asked)
			return fail_nomem(diag);
		asked[0] = req->enter;
		asked[1] = ENTER_AUTO;
		*ret = asked;
	}
	if ((*ret)[0] == ENTER_PVH && req->has_subarch_data)
		return fail(diag, EINVAL, "subarch/data",
			    "--subarch-data goes into a setup header, and the PVH entry takes none");
	return 0;
}
