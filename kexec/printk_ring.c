// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The lockless ring of Linux 5.10 on: a ring of descriptors, one of their printk_infos beside it,
 * and one of text. A descriptor's state says whether its record was written to the end; logical
 * positions count on for ever and are taken modulo the ring.
 */
#include "printk_form.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define COUNT_BITS_MAX	31	/* log_buf_len= is at most 2 GiB, a descriptor is for 32 bytes */
#define SIZE_BITS_MAX	31

/* The two highest bits of a state variable. */
enum { STATE_RESERVED, STATE_COMMITTED, STATE_FINALIZED, STATE_REUSABLE };

#define LPOS_DATALESS	1	/* blocks are aligned: this bit says that there is none */

struct layout {
	uint64_t desc_len, info_len;
	uint64_t desc_ring, text_ring;			/* in struct printk_ringbuffer */
	uint64_t count_bits, descs, infos, head, tail;	/* in struct prb_desc_ring */
	uint64_t size_bits, data;			/* in struct prb_data_ring */
	uint64_t state, lpos;				/* in struct prb_desc */
	uint64_t begin, next;				/* in struct prb_data_blk_lpos */
	uint64_t ts_nsec, text_len;			/* in struct printk_info */
	uint64_t counter;				/* in atomic_long_t */
};

struct ring {
	const struct vmcore *core;
	struct layout layout;
	uint64_t descs, infos, data;	/* virtual addresses */
	uint64_t n_descs;
	uint64_t data_len;
	uint64_t head, tail;		/* ids: the newest and the oldest record */
	uint64_t id_mask;
	size_t long_len;
	uint64_t n_text;		/* bytes printed so far */
	uint8_t text[UINT16_MAX];
};

static int read_layout(struct ring *ring, struct diag *diag)
{
#define AT(field) offsetof(struct layout, field)
	static const struct printk_key keys[] = {
		{ "SIZE(prb_desc)", AT(desc_len) },
		{ "SIZE(printk_info)", AT(info_len) },
		{ "OFFSET(printk_ringbuffer.desc_ring)", AT(desc_ring) },
		{ "OFFSET(printk_ringbuffer.text_data_ring)", AT(text_ring) },
		{ "OFFSET(prb_desc_ring.count_bits)", AT(count_bits) },
		{ "OFFSET(prb_desc_ring.descs)", AT(descs) },
		{ "OFFSET(prb_desc_ring.infos)", AT(infos) },
		{ "OFFSET(prb_desc_ring.head_id)", AT(head) },
		{ "OFFSET(prb_desc_ring.tail_id)", AT(tail) },
		{ "OFFSET(prb_data_ring.size_bits)", AT(size_bits) },
		{ "OFFSET(prb_data_ring.data)", AT(data) },
		{ "OFFSET(prb_desc.state_var)", AT(state) },
		{ "OFFSET(prb_desc.text_blk_lpos)", AT(lpos) },
		{ "OFFSET(prb_data_blk_lpos.begin)", AT(begin) },
		{ "OFFSET(prb_data_blk_lpos.next)", AT(next) },
		{ "OFFSET(printk_info.ts_nsec)", AT(ts_nsec) },
		{ "OFFSET(printk_info.text_len)", AT(text_len) },
		{ "OFFSET(atomic_long_t.counter)", AT(counter) },
	};
#undef AT

	return printk_need(ring->core, keys, array_len(keys), &ring->layout, diag);
}

/* What struct printk_ringbuffer at prb says. */
static int read_ring(struct ring *ring, uint64_t prb, struct diag *diag)
{
	const struct vmcore *core = ring->core;
	const struct layout *l = &ring->layout;
	const uint64_t desc_ring = prb + l->desc_ring, text_ring = prb + l->text_ring;
	uint32_t count_bits, size_bits;
	int r = vmcore_read_u32(core, desc_ring + l->count_bits, &count_bits);

	if (r == 0)
		r = vmcore_read_long(core, desc_ring + l->descs, &ring->descs);
	if (r == 0)
		r = vmcore_read_long(core, desc_ring + l->infos, &ring->infos);
	if (r == 0)
		r = vmcore_read_long(core, desc_ring + l->head + l->counter, &ring->head);
	if (r == 0)
		r = vmcore_read_long(core, desc_ring + l->tail + l->counter, &ring->tail);
	if (r == 0)
		r = vmcore_read_u32(core, text_ring + l->size_bits, &size_bits);
	if (r == 0)
		r = vmcore_read_long(core, text_ring + l->data, &ring->data);
	if (r < 0)
		return printk_fail_read(core, r, "the log's descriptor", prb, diag);
	if (count_bits > COUNT_BITS_MAX || size_bits > SIZE_BITS_MAX)
		return fail(diag, EINVAL, "printk/ring-size",
			    "the log claims 2^%" PRIu32 " records in 2^%" PRIu32
			    " bytes, expected at most 2^%d in 2^%d",
			    count_bits, size_bits, COUNT_BITS_MAX, SIZE_BITS_MAX);
	ring->n_descs = UINT64_C(1) << count_bits;
	ring->data_len = UINT64_C(1) << size_bits;
	return 0;
}

/* Memory may have been overwritten: what cannot be is not followed. */
static int check_ring(const struct ring *ring, struct diag *diag)
{
	const struct layout *l = &ring->layout;

	if (l->state + l->counter + ring->long_len > l->desc_len ||
	    l->lpos + l->begin + ring->long_len > l->desc_len ||
	    l->lpos + l->next + ring->long_len > l->desc_len ||
	    l->ts_nsec + sizeof(uint64_t) > l->info_len ||
	    l->text_len + sizeof(uint16_t) > l->info_len)
		return fail(diag, EINVAL, "printk/layout",
			    "VMCOREINFO contradicts itself: members lie outside of prb_desc (%" PRIu64
			    " bytes) or printk_info (%" PRIu64 ")",
			    l->desc_len, l->info_len);
	if (ring->n_descs * l->desc_len > ring->core->source.len)
		return fail(diag, EINVAL, "printk/ring-size",
			    "the log claims %" PRIu64 " records, more than a file of %" PRIu64
			    " bytes can hold",
			    ring->n_descs, ring->core->source.len);
	if (((ring->head - ring->tail) & ring->id_mask) >= ring->n_descs)
		return fail(diag, EINVAL, "printk/ring-ids",
			    "the log is damaged: its records are numbered %#" PRIx64 " to %#" PRIx64
			    ", and there is room for %" PRIu64,
			    ring->tail, ring->head, ring->n_descs);
	return 0;
}

static uint64_t long_at(const struct ring *ring, const uint8_t *bytes, uint64_t off)
{
	uint64_t value = 0;

	memcpy(&value, bytes + off, ring->long_len);
	return value;
}

/*
 * Where in the text ring a block's text is, and how much at most; false if it has none or
 * contradicts itself. A block begins with its id, and one that does not fit before the end of the
 * ring is at its beginning. One that would end exactly there is so too before 6.18, and is not since;
 * so the position one past a block is 0 modulo the ring only if the block ends with it.
 */
static bool find_text(const struct ring *ring, uint64_t begin, uint64_t next, uint64_t *ret_at,
		      uint64_t *ret_len)
{
	uint64_t at = begin & (ring->data_len - 1), end = next & (ring->data_len - 1);

	if ((begin & LPOS_DATALESS) || (next & LPOS_DATALESS) || at == end)
		return false;
	if (end == 0)
		end = ring->data_len;
	else if (at > end)
		at = 0;
	if (end - at < ring->long_len)
		return false;
	*ret_at = at + ring->long_len;
	*ret_len = end - *ret_at;
	return true;
}

static int print_record(struct ring *ring, uint64_t id, const struct printk_sink *sink,
			struct printk_count *count)
{
	const struct layout *l = &ring->layout;
	const uint64_t i = id & (ring->n_descs - 1);
	uint8_t desc[PRINTK_LAYOUT_MAX], info[PRINTK_LAYOUT_MAX];
	uint64_t state, ts_nsec, at, block_len;
	uint16_t text_len = 0;
	int r;

	if (vmcore_read(ring->core, ring->descs + i * l->desc_len, desc, (size_t)l->desc_len) < 0 ||
	    vmcore_read(ring->core, ring->infos + i * l->info_len, info, (size_t)l->info_len) < 0) {
		count->n_missing++;
		return 0;
	}
	/* Reserved: somebody was writing it, or it went away. */
	state = long_at(ring, desc, l->state + l->counter);
	if ((state & ring->id_mask) != id)
		return 0;
	state = state >> (8 * ring->long_len - 2);
	if (state != STATE_COMMITTED && state != STATE_FINALIZED)
		return 0;

	memcpy(&ts_nsec, info + l->ts_nsec, sizeof(ts_nsec));
	if (find_text(ring, long_at(ring, desc, l->lpos + l->begin),
		      long_at(ring, desc, l->lpos + l->next), &at, &block_len)) {
		memcpy(&text_len, info + l->text_len, sizeof(text_len));
		text_len = (uint16_t)min_u64(text_len, block_len);
		if (vmcore_read(ring->core, ring->data + at, ring->text, text_len) < 0) {
			count->n_missing++;
			return 0;
		}
	}
	r = printk_put_record(sink, ts_nsec, span_of(ring->text, text_len));
	if (r == 0)
		count->n_printed++;
	ring->n_text += text_len;
	return r;
}

static int print_all(struct ring *ring, const struct printk_sink *sink, struct printk_count *count,
		     struct diag *diag)
{
	uint64_t n = ((ring->head - ring->tail) & ring->id_mask) + 1;

	for (uint64_t i = 0; i < n; i++) {
		int r = print_record(ring, (ring->tail + i) & ring->id_mask, sink, count);

		if (r < 0)
			return fail(diag, -r, "printk/output", "cannot write the log: %s",
				    strerror(-r));
		/* Texts do not overlap; an enemy's may, and a few bytes be printed for ever. */
		if (ring->n_text > ring->core->source.len)
			return fail(diag, EINVAL, "printk/ring-text",
				    "the log is damaged: its records have more text than the file has "
				    "bytes");
	}
	return printk_fail_missing(ring->core, count, diag);
}

int printk_print_ring(const struct vmcore *core, const struct printk_sink *sink,
		      struct printk_count *count, struct diag *diag)
{
	struct ring ring = {
		.core = core,
		.long_len = core->is_64 ? sizeof(uint64_t) : sizeof(uint32_t),
		.id_mask = core->is_64 ? UINT64_MAX >> 2 : UINT32_MAX >> 2,
	};
	uint64_t symbol, prb;
	int r = read_layout(&ring, diag);

	if (r < 0)
		return r;
	if (!vmcore_info_hex(core, "SYMBOL(prb)", &symbol))
		return fail(diag, EINVAL, "printk/layout", "VMCOREINFO has no SYMBOL(prb)");
	r = vmcore_read_long(core, symbol, &prb);
	if (r < 0)
		return printk_fail_read(core, r, "prb, the log's pointer,", symbol, diag);
	r = read_ring(&ring, prb, diag);
	if (r == 0)
		r = check_ring(&ring, diag);
	return r < 0 ? r : print_all(&ring, sink, count, diag);
}
