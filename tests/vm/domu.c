// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * domu pv|pvh KERNEL INITRD MIB COMMAND-LINE: builds a domain with Xen's own domain builder,
 * libxenguest, in dom0, starts it, and copies what it writes to its console until it is gone, or
 * LIMIT seconds long.
 * With - for INITRD there is none.
 *
 * There is no xenstored here: a domain without an event channel to one goes on without.
 */
#define XC_WANT_COMPAT_MAP_FOREIGN_API
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <xenctrl.h>
#include <xenguest.h>
#include <xen/hvm/params.h>
#include <xen/io/console.h>

#define LIMIT		200
#define TABLE_MIB	16	/* for nested page tables */

static void need(int r, const char *what)
{
	if (r == 0)
		return;
	perror(what);
	exit(1);
}

/* All of the ring that is new. */
static void copy_console(volatile struct xencons_interface *ring)
{
	XENCONS_RING_IDX from = ring->out_cons, to = ring->out_prod;

	__sync_synchronize();
	for (; from != to; from++)
		putchar(ring->out[MASK_XENCONS_IDX(from, ring->out)]);
	__sync_synchronize();
	ring->out_cons = from;
	fflush(stdout);
}

static int is_alive(xc_interface *xc, uint32_t id)
{
	xc_dominfo_t info;

	return xc_domain_getinfo(xc, id, 1, &info) == 1 && info.domid == id && !info.shutdown &&
	       !info.dying && !info.crashed;
}

struct wish {
	bool is_pvh;
	const char *kernel, *initrd;
	unsigned int mib;
	const char *cmdline;
};

static uint32_t make_domain(xc_interface *xc, const struct wish *w)
{
	struct xen_domctl_createdomain config = {
		.flags = w->is_pvh ? XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap : 0,
		.max_vcpus = 1,
		.max_evtchn_port = 255,
		.max_grant_frames = 32,
		.max_maptrack_frames = 32,
		.grant_opts = XEN_DOMCTL_GRANT_version(1),
		.arch.emulation_flags = w->is_pvh ? XEN_X86_EMU_LAPIC : 0,
	};
	unsigned int table_mib = TABLE_MIB;
	uint32_t id = 0;

	need(xc_domain_create(xc, &id, &config), "xc_domain_create");
	need(xc_domain_max_vcpus(xc, id, 1), "xc_domain_max_vcpus");
	need(xc_domain_setmaxmem(xc, id, w->mib * 1024ULL + 1024), "xc_domain_setmaxmem");
	if (w->is_pvh)
		need(xc_shadow_control(xc, id, XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION, &table_mib, 0),
		     "xc_shadow_control");
	return id;
}

/* What libxl does for a domain in a container of the CPU's, as far as one without devices needs it. */
static void make_pvh(xc_interface *xc, uint32_t id, const struct wish *w, struct xc_dom_image *dom)
{
	static struct e820entry map[2];

	map[0] = (struct e820entry){ .addr = 0, .size = (uint64_t)w->mib << 20, .type = E820_RAM };
	map[1] = (struct e820entry){ .addr = 0xfc000000, .size = 0x4000000, .type = E820_RESERVED };
	dom->container_type = XC_DOM_HVM_CONTAINER;
	dom->e820 = map;
	dom->e820_entries = 2;
	dom->target_pages = (xen_pfn_t)w->mib << 8;
	dom->lowmem_end = (uint64_t)w->mib << 20;
	dom->mmio_start = 0xf0000000;
	dom->mmio_size = 0x10000000;
	need(xc_domain_set_memory_map(xc, id, map, 2), "xc_domain_set_memory_map");
}

static struct xc_dom_image *build(xc_interface *xc, uint32_t id, const struct wish *w)
{
	struct xc_dom_image *dom = xc_dom_allocate(xc, w->cmdline, NULL);
	int port = xc_evtchn_alloc_unbound(xc, id, 0);

	need(dom && port > 0 ? 0 : -1, "xc_dom_allocate");
	dom->container_type = XC_DOM_PV_CONTAINER;
	dom->max_vcpus = 1;
	dom->console_evtchn = (unsigned int)port;
	if (w->is_pvh)
		make_pvh(xc, id, w, dom);
	need(xc_dom_kernel_file(dom, w->kernel), "xc_dom_kernel_file");
	if (strcmp(w->initrd, "-") != 0)
		need(xc_dom_module_file(dom, w->initrd, NULL), "xc_dom_module_file");
	need(xc_dom_boot_xen_init(dom, xc, id), "xc_dom_boot_xen_init");
	need(xc_dom_parse_image(dom), "xc_dom_parse_image");
	need(xc_dom_mem_init(dom, w->mib), "xc_dom_mem_init");
	need(xc_dom_boot_mem_init(dom), "xc_dom_boot_mem_init");
	need(xc_dom_build_image(dom), "xc_dom_build_image");
	need(xc_dom_boot_image(dom), "xc_dom_boot_image");
	need(xc_dom_gnttab_init(dom), "xc_dom_gnttab_init");
	if (w->is_pvh)
		need(xc_hvm_param_set(xc, id, HVM_PARAM_CONSOLE_EVTCHN, (uint64_t)port),
		     "CONSOLE_EVTCHN");
	/* The builder made a page for xenstored; nobody answers there. */
	if (w->is_pvh)
		need(xc_hvm_param_set(xc, id, HVM_PARAM_STORE_PFN, 0), "STORE_PFN");
	return dom;
}

/* Its number for whoever maps it: of a PV domain the machine's, else the domain's own. */
static struct xencons_interface *map_console(xc_interface *xc, uint32_t id, const struct wish *w,
					     struct xc_dom_image *dom)
{
	uint64_t frame = xc_dom_p2m(dom, dom->console_pfn);

	if (w->is_pvh)
		need(xc_hvm_param_get(xc, id, HVM_PARAM_CONSOLE_PFN, &frame), "CONSOLE_PFN");
	return xc_map_foreign_range(xc, (int)id, XC_PAGE_SIZE, PROT_READ | PROT_WRITE, frame);
}

int main(int argc, char *argv[])
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	struct xencons_interface *ring;
	struct xc_dom_image *dom;
	xc_interface *xc;
	struct wish w;
	time_t end;
	uint32_t id;

	need(argc == 6 ? 0 : -1, "domu pv|pvh KERNEL INITRD MIB COMMAND-LINE");
	w = (struct wish){ strcmp(argv[1], "pvh") == 0, argv[2], argv[3],
			   (unsigned int)atoi(argv[4]), argv[5] };
	xc = xc_interface_open(NULL, NULL, 0);
	need(xc ? 0 : -1, "xc_interface_open");
	id = make_domain(xc, &w);
	dom = build(xc, id, &w);
	ring = map_console(xc, id, &w, dom);
	need(ring ? 0 : -1, "xc_map_foreign_range");
	need(xc_domain_unpause(xc, id), "xc_domain_unpause");
	for (end = time(NULL) + LIMIT; is_alive(xc, id) && time(NULL) < end;) {
		copy_console(ring);
		nanosleep(&pause, NULL);
	}
	copy_console(ring);
	xc_domain_destroy(xc, id);
	return time(NULL) < end ? 0 : 1;
}
