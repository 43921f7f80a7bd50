// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Is this the domain that controls a Xen host? Sources: Documentation/ABI/stable/sysfs-hypervisor-xen
 * of Linux; drivers/xen/xenfs/super.c, which writes the capabilities.
 */
#include <errno.h>
#include <string.h>

#include "host_parts.h"
#include "host_text.h"

/* A guest has one that is not zero. */
#define DOM0_UUID	"00000000-0000-0000-0000-000000000000"

static bool is_dom0(const struct host_tree *t)
{
	struct host_attr attr;

	/* Only where xenfs is mounted. */
	if (host_attr_read(t, &attr, "proc/xen/capabilities") == 0)
		return memmem(attr.text.data, attr.text.len, "control_d", 9) != NULL;
	return host_attr_read(t, &attr, "sys/hypervisor/uuid") == 0 && text_is(attr.text, DOM0_UUID);
}

int host_read_xen(const struct host_tree *t, struct arena *a, struct facts *f, struct diag *diag)
{
	struct host_attr attr;
	uint64_t major, minor;

	(void)diag;
	if (host_attr_read(t, &attr, "sys/hypervisor/type") < 0 || !text_is(attr.text, "xen"))
		return 0;
	f->xen.is_dom0 = is_dom0(t);
	if (host_number_read(t, &major, "sys/hypervisor/version/major") < 0 ||
	    host_number_read(t, &minor, "sys/hypervisor/version/minor") < 0)
		return 0;
	f->xen.version = arena_printf(a, "%u.%u", (unsigned int)major, (unsigned int)minor);
	return f->xen.version ? 0 : -ENOMEM;
}
