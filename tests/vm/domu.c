// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * domu KERNEL INITRD MIB COMMAND-LINE: builds a PV domain with Xen's own domain builder (libxenguest), in
 * dom0, starts it, and copies what it writes to its console until it is gone, or LIMIT seconds long.
 *
 * There is no xenstored here: a domain without an event channel to one goes on without.
 */
#define XC_WANT_COMPAT_MAP_FOREIGN_API
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <xenctrl.h>
#include <xenguest.h>
#include <xen/io/console.h>

#define LIMIT	120

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

static uint32_t make_domain(xc_interface *xc, unsigned int mib)
{
	struct xen_domctl_createdomain config = {
		.max_vcpus = 1,
		.max_evtchn_port = 255,
		.max_grant_frames = 32,
		.max_maptrack_frames = 32,
		.grant_opts = XEN_DOMCTL_GRANT_version(1),
		.arch.emulation_flags = 0,
	};
	uint32_t id = 0;

	need(xc_domain_create(xc, &id, &config), "xc_domain_create");
	need(xc_domain_max_vcpus(xc, id, 1), "xc_domain_max_vcpus");
	need(xc_domain_setmaxmem(xc, id, mib * 1024ULL + 1024), "xc_domain_setmaxmem");
	return id;
}

static struct xc_dom_image *build(xc_interface *xc, uint32_t id, char *const argv[])
{
	struct xc_dom_image *dom = xc_dom_allocate(xc, argv[4], NULL);
	int port = xc_evtchn_alloc_unbound(xc, id, 0);

	need(dom && port > 0 ? 0 : -1, "xc_dom_allocate");
	dom->container_type = XC_DOM_PV_CONTAINER;
	dom->max_vcpus = 1;
	dom->console_evtchn = (unsigned int)port;
	need(xc_dom_kernel_file(dom, argv[1]), "xc_dom_kernel_file");
	need(xc_dom_module_file(dom, argv[2], NULL), "xc_dom_module_file");
	need(xc_dom_boot_xen_init(dom, xc, id), "xc_dom_boot_xen_init");
	need(xc_dom_parse_image(dom), "xc_dom_parse_image");
	need(xc_dom_mem_init(dom, (unsigned int)atoi(argv[3])), "xc_dom_mem_init");
	need(xc_dom_boot_mem_init(dom), "xc_dom_boot_mem_init");
	need(xc_dom_build_image(dom), "xc_dom_build_image");
	need(xc_dom_boot_image(dom), "xc_dom_boot_image");
	need(xc_dom_gnttab_init(dom), "xc_dom_gnttab_init");
	return dom;
}

int main(int argc, char *argv[])
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	struct xencons_interface *ring;
	struct xc_dom_image *dom;
	xc_interface *xc;
	time_t end;
	uint32_t id;

	need(argc == 5 ? 0 : -1, "domu KERNEL INITRD MIB COMMAND-LINE");
	xc = xc_interface_open(NULL, NULL, 0);
	need(xc ? 0 : -1, "xc_interface_open");
	id = make_domain(xc, (unsigned int)atoi(argv[3]));
	dom = build(xc, id, argv);
	ring = xc_map_foreign_range(xc, id, XC_PAGE_SIZE, PROT_READ | PROT_WRITE,
				    xc_dom_p2m(dom, dom->console_pfn));
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
