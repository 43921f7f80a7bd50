// SPDX-License-Identifier: GPL-2.0-or-later
#include "printk_form.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NSEC_PER_SEC	UINT64_C(1000000000)
#define NSEC_PER_USEC	UINT64_C(1000)
#define LINE_LEN	4096	/* what goes to the sink at once */
#define ESCAPE_LEN	4	/* \xNN */

/* isprint() and isspace() of the C locale, whatever locale this runs in. */
static bool is_shown(uint8_t c)
{
	return (c >= ' ' && c <= '~') || (c >= '\t' && c <= '\r');
}

int printk_put_record(const struct printk_sink *sink, uint64_t ts_nsec, struct span text)
{
	static const char digits[] = "0123456789abcdef";
	char line[LINE_LEN];
	int r, prefix_len;
	size_t len;

	prefix_len = snprintf(line, sizeof(line), "[%5" PRIu64 ".%06" PRIu64 "] ",
			      ts_nsec / NSEC_PER_SEC, ts_nsec % NSEC_PER_SEC / NSEC_PER_USEC);
	if (prefix_len < 0)
		return -EIO;
	len = (size_t)prefix_len;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];

		if (is_shown(c)) {
			line[len++] = (char)c;
		} else {
			line[len++] = '\\';
			line[len++] = 'x';
			line[len++] = digits[c >> 4];
			line[len++] = digits[c & 15];
		}
		if (len + ESCAPE_LEN + 1 <= sizeof(line))
			continue;
		r = sink->put(sink->context, line, len);
		if (r < 0)
			return r;
		len = 0;
	}
	line[len++] = '\n';
	return sink->put(sink->context, line, len);
}

int printk_need(const struct vmcore *core, const struct printk_key *keys, size_t n_keys,
		void *layout, struct diag *diag)
{
	for (size_t i = 0; i < n_keys; i++) {
		uint64_t value;

		if (!vmcore_info_number(core, keys[i].key, &value))
			return fail(diag, EINVAL, "printk/layout",
				    "VMCOREINFO has no number '%s', so the log cannot be read",
				    keys[i].key);
		if (value > PRINTK_LAYOUT_MAX)
			return fail(diag, EINVAL, "printk/layout",
				    "VMCOREINFO says %s=%" PRIu64 ", expected at most %d",
				    keys[i].key, value, PRINTK_LAYOUT_MAX);
		memcpy((char *)layout + keys[i].at, &value, sizeof(value));
	}
	return 0;
}

static void advise_if_cut(const struct vmcore *core, struct diag *diag)
{
	if (core->full_len > core->source.len)
		fail_advise(diag,
			    "the file is cut short: it has %" PRIu64 " bytes of %" PRIu64
			    "; if there is a complete one, use that",
			    core->source.len, core->full_len);
}

static const char *reason_of(int error)
{
	switch (error) {
	case ENXIO:
		return "no PT_LOAD has that address";
	case ENODATA:
		return "that is not in the file";
	default:
		return strerror(error);
	}
}

int printk_fail_read(const struct vmcore *core, int error, const char *what, uint64_t vaddr,
		     struct diag *diag)
{
	int r = fail(diag, -error, "printk/unreadable", "cannot read %s at %#" PRIx64 ": %s", what,
		     vaddr, reason_of(-error));

	advise_if_cut(core, diag);
	return r;
}

int printk_fail_missing(const struct vmcore *core, const struct printk_count *count,
			struct diag *diag)
{
	int r;

	if (count->n_missing == 0)
		return 0;
	r = fail(diag, ENODATA, "printk/incomplete",
		 "%" PRIu64 " records of the log are not in the core; %" PRIu64 " are printed",
		 count->n_missing, count->n_printed);
	advise_if_cut(core, diag);
	return r;
}
