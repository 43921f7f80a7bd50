/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loads on a Xen host: in its dom0 the kernel's own calls can load nothing, the hypervisor does.
 * Through libxenctrl, which must be there at run time. It is of the same version as the hypervisor, and
 * is looked for by that.
 *
 * Each returns 0 or a negative errno; failures that have a reason of their own are in diag, with ids
 * "xen/...".
 */
#ifndef KEXEC_NG_XEN_H
#define KEXEC_NG_XEN_H

#include "plan.h"
#include "xenctrl.h"

struct xen {
	void *library;
	struct xenctrl call;
	struct xen_interface *interface;
};

/* facts->xen.is_dom0. "xen/static", "xen/no-library", "xen/no-interface". */
must_check int xen_open(const struct facts *facts, struct xen *ret, struct diag *diag);
void xen_close(struct xen *x);

/* The machine, of which dom0 knows its own part only: map, ram, low_ram, ram_total. "xen/no-map". */
must_check int xen_read_map(const struct xen *x, struct arena *a, struct facts *f,
			    struct diag *diag);

must_check int xen_load(const struct xen *x, const struct plan *plan, struct arena *a,
			struct diag *diag);
must_check int xen_unload(const struct xen *x, bool crash, struct diag *diag);
must_check int xen_is_loaded(const struct xen *x, bool crash, bool *ret, struct diag *diag);
/* Returns only on failure. */
must_check int xen_exec(const struct xen *x, struct diag *diag);

#endif
