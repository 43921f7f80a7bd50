/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is loaded, as the kernel says, and what the record of the load knows about it. */
#ifndef KEXEC_NG_SHOW_H
#define KEXEC_NG_SHOW_H

#include "record.h"

enum show_state {
	SHOW_UNKNOWN,		/* the kernel does not say whether one is loaded */
	SHOW_NOTHING,		/* nothing is loaded */
	SHOW_RECORDED,		/* loaded, and this is the record of it */
	SHOW_MAYBE,		/* loaded and recorded, but other calls were made after that load */
	SHOW_FOREIGN,		/* loaded by somebody who left no record */
	SHOW_UNREADABLE,	/* loaded; the record is for root, or damaged */
};

struct show_image {
	bool is_crash;
	enum show_state state;
	bool is_interrupted;	/* of SHOW_MAYBE: a later load did not end, or has not yet */
	bool is_stale;		/* there is a record, of what is not loaded any more */
	struct record record;	/* of SHOW_RECORDED and SHOW_MAYBE */
	enum record_file_state *files;	/* as many as it has */
	struct diag why;	/* of SHOW_UNREADABLE */
};

/* Files are compared on this machine only (root is "" or "/"). -ENOMEM. */
must_check int show_read(const char *root, bool is_crash, struct arena *a, struct show_image *ret,
			 struct diag *diag);

#endif
