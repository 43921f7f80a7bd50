// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The log before 5.10. From 3.5 on: records one behind the other in log_buf, each a header (struct
 * printk_log, before 3.11 struct log), text and dictionary; a header of length 0 means that the
 * next record is at the beginning. Before 3.5: characters, log_end of them so far.
 */
#include "printk_form.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define LOG_LEN_MAX	(UINT64_C(2) * GIB)	/* LOG_BUF_LEN_MAX of the kernel */
#define CHUNK_LEN	4096

struct record_layout {
	uint64_t len;			/* of the header */
	uint64_t ts_nsec, record_len, text_len;
};

struct record_log {
	const struct vmcore *core;
	struct record_layout layout;
	uint64_t data;			/* virtual address */
	uint64_t data_len;
	uint32_t first, next;		/* offsets of the oldest record and behind the newest */
	uint64_t n_read;		/* bytes of records so far */
	uint8_t text[UINT16_MAX];
};

/* A variable of the kernel: of 4 bytes, or of one long. */
static int read_variable(const struct vmcore *core, const char *symbol, bool is_long, uint64_t *ret,
			 struct diag *diag)
{
	uint64_t vaddr;
	uint32_t value;
	int r;

	if (!vmcore_info_hex(core, symbol, &vaddr))
		return fail(diag, EINVAL, "printk/layout",
			    "VMCOREINFO has no %s, so the log cannot be read", symbol);
	if (is_long) {
		r = vmcore_read_long(core, vaddr, ret);
	} else {
		r = vmcore_read_u32(core, vaddr, &value);
		if (r == 0)
			*ret = value;
	}
	return r < 0 ? printk_fail_read(core, r, symbol, vaddr, diag) : 0;
}

static int read_buffer(const struct vmcore *core, uint64_t *ret, uint64_t *ret_len,
		       struct diag *diag)
{
	int r = read_variable(core, "SYMBOL(log_buf)", true, ret, diag);

	if (r == 0)
		r = read_variable(core, "SYMBOL(log_buf_len)", false, ret_len, diag);
	if (r < 0)
		return r;
	if (*ret_len == 0 || *ret_len > LOG_LEN_MAX)
		return fail(diag, EINVAL, "printk/buffer-length",
			    "the log claims %" PRIu64 " bytes, expected up to %" PRIu64, *ret_len,
			    LOG_LEN_MAX);
	return 0;
}

static int fail_output(int error, struct diag *diag)
{
	return fail(diag, -error, "printk/output", "cannot write the log: %s", strerror(-error));
}

/* ---------------------------------------------------------------------------------- 3.5 to 5.9 */

static int read_layout(struct record_log *log, struct diag *diag)
{
#define AT(field) offsetof(struct record_layout, field)
	static const struct printk_key keys[] = {
		{ "SIZE(printk_log)", AT(len) },
		{ "OFFSET(printk_log.ts_nsec)", AT(ts_nsec) },
		{ "OFFSET(printk_log.len)", AT(record_len) },
		{ "OFFSET(printk_log.text_len)", AT(text_len) },
	};
	static const struct printk_key old_keys[] = {
		{ "SIZE(log)", AT(len) },
		{ "OFFSET(log.ts_nsec)", AT(ts_nsec) },
		{ "OFFSET(log.len)", AT(record_len) },
		{ "OFFSET(log.text_len)", AT(text_len) },
	};
#undef AT
	const struct record_layout *l = &log->layout;
	uint64_t ignored;
	bool is_old = vmcore_info_number(log->core, "SIZE(log)", &ignored);
	int r = printk_need(log->core, is_old ? old_keys : keys, array_len(keys), &log->layout,
			    diag);

	if (r < 0)
		return r;
	if (l->ts_nsec + sizeof(uint64_t) > l->len || l->record_len + sizeof(uint16_t) > l->len ||
	    l->text_len + sizeof(uint16_t) > l->len)
		return fail(diag, EINVAL, "printk/layout",
			    "VMCOREINFO contradicts itself: members lie outside of a record's "
			    "header of %" PRIu64 " bytes",
			    l->len);
	return 0;
}

static int fail_record(const struct record_log *log, uint64_t at, const struct printk_count *count,
		       struct diag *diag)
{
	return fail(diag, EINVAL, "printk/record-damaged",
		    "the log is damaged at +%#" PRIx64 " of %#" PRIx64 " bytes; %" PRIu64
		    " records before that are printed",
		    at, log->data_len, count->n_printed);
}

/* Prints the record at *at, and moves *at behind it. */
static int print_record(struct record_log *log, uint64_t *at, const struct printk_sink *sink,
			struct printk_count *count, struct diag *diag)
{
	const struct record_layout *l = &log->layout;
	uint8_t header[PRINTK_LAYOUT_MAX];
	uint16_t record_len, text_len;
	uint64_t ts_nsec;
	int r;

	if (*at >= log->data_len || l->len > log->data_len - *at)
		return fail_record(log, *at, count, diag);
	r = vmcore_read(log->core, log->data + *at, header, (size_t)l->len);
	if (r < 0) {
		/* Where the next one begins is not known either. */
		count->n_missing++;
		return printk_fail_read(log->core, r, "the rest of the log", log->data + *at, diag);
	}
	memcpy(&record_len, header + l->record_len, sizeof(record_len));
	memcpy(&text_len, header + l->text_len, sizeof(text_len));
	memcpy(&ts_nsec, header + l->ts_nsec, sizeof(ts_nsec));
	if (record_len == 0 && *at > 0) {
		*at = 0;
		return 0;
	}
	if (record_len < l->len || record_len > log->data_len - *at)
		return fail_record(log, *at, count, diag);
	text_len = (uint16_t)min_u64(text_len, record_len - l->len);
	r = vmcore_read(log->core, log->data + *at + l->len, log->text, text_len);
	*at += record_len;
	log->n_read += record_len;
	if (r < 0) {
		count->n_missing++;
		return 0;
	}
	r = printk_put_record(sink, ts_nsec, span_of(log->text, text_len));
	if (r < 0)
		return fail_output(r, diag);
	count->n_printed++;
	return 0;
}

int printk_print_records(const struct vmcore *core, const struct printk_sink *sink,
			 struct printk_count *count, struct diag *diag)
{
	struct record_log log = { .core = core };
	uint64_t first, next, at, last;
	bool is_wrapped = false;
	int r = read_layout(&log, diag);

	if (r == 0)
		r = read_buffer(core, &log.data, &log.data_len, diag);
	if (r == 0)
		r = read_variable(core, "SYMBOL(log_first_idx)", false, &first, diag);
	if (r == 0)
		r = read_variable(core, "SYMBOL(log_next_idx)", false, &next, diag);
	if (r < 0)
		return r;
	for (at = first; at != next;) {
		last = at;
		r = print_record(&log, &at, sink, count, diag);
		if (r < 0)
			return r;
		/* Once around: a second time would be for ever. An enemy's segments may show the
		 * same bytes of the file at many addresses. */
		if ((is_wrapped && (at < last || at > next)) ||
		    log.n_read > core->source.len)
			return fail_record(&log, at, count, diag);
		is_wrapped = is_wrapped || at < last;
	}
	return printk_fail_missing(core, count, diag);
}

/* ----------------------------------------------------------------------------------- before 3.5 */

int printk_print_plain(const struct vmcore *core, const struct printk_sink *sink,
		       struct printk_count *count, struct diag *diag)
{
	uint64_t data, data_len, end, n;
	int r = read_buffer(core, &data, &data_len, diag);

	if (r == 0)
		r = read_variable(core, "SYMBOL(log_end)", false, &end, diag);
	if (r < 0)
		return r;
	/* All that was logged, also what somebody has cleared (dmesg -c). */
	n = min_u64(end, data_len);
	while (n > 0) {
		uint8_t chunk[CHUNK_LEN];
		uint64_t at = (end - n) % data_len;
		size_t len = (size_t)min_u64(min_u64(n, data_len - at), sizeof(chunk));

		r = vmcore_read(core, data + at, chunk, len);
		if (r < 0)
			return printk_fail_read(core, r, "the rest of the log", data + at, diag);
		r = sink->put(sink->context, chunk, len);
		if (r < 0)
			return fail_output(r, diag);
		count->n_printed += len;
		n -= len;
		if (count->n_printed > core->source.len)
			return fail(diag, EINVAL, "printk/buffer-length",
				    "the log is damaged: it has more text than the file has bytes");
	}
	return 0;
}
