// SPDX-License-Identifier: GPL-2.0-or-later
#include "printk_log.h"

#include <errno.h>

#include "printk_form.h"

int printk_log_print(const struct vmcore *core, const struct printk_sink *sink,
		     struct printk_count *count, struct diag *diag)
{
	uint64_t vaddr;

	*count = (struct printk_count){ 0 };
	if (vmcore_info_hex(core, "SYMBOL(prb)", &vaddr))
		return printk_print_ring(core, sink, count, diag);
	if (vmcore_info_hex(core, "SYMBOL(log_first_idx)", &vaddr))
		return printk_print_records(core, sink, count, diag);
	if (vmcore_info_hex(core, "SYMBOL(log_buf)", &vaddr))
		return printk_print_plain(core, sink, count, diag);
	fail(diag, EINVAL, "printk/no-log",
	     "VMCOREINFO names no log: neither SYMBOL(prb) nor log_first_idx nor log_buf");
	return fail_advise(diag, "the dead kernel was built without CONFIG_PRINTK, or its log is of "
				 "a form that this version does not know");
}
