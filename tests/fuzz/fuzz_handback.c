// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as what a process without rights hands back: the first byte picks raw bytes, or those of a
 * plan that is patched. Whatever comes out must be usable. */
#include <stdlib.h>
#include <string.h>

#include "handback.h"
#include "lib_check.h"

static const uint8_t memory_bytes[4096];
static const struct span memory = { memory_bytes, sizeof(memory_bytes) };

struct all {
	struct diag diag;
	struct plan plan;
	struct budget budget;
	const struct bundle *bundle;
};

static void hand(struct parcel *p, struct all *all)
{
	handback_bundle(p, &all->bundle);
	handback_plan(p, &all->plan);
	handback_budget(p, &all->budget);
	handback_diag(p, &all->diag);
}

static void check_span(struct span s)
{
	CHECK(s.len == 0 || (s.data >= memory_bytes && s.len <= sizeof(memory_bytes) &&
			     (size_t)(s.data - memory_bytes) <= sizeof(memory_bytes) - s.len));
}

static void check_all(const struct all *all)
{
	static const struct request req;
	size_t total = 0;

	for (size_t i = 0; i < all->plan.n_segments; i++) {
		check_span(all->plan.segments[i].bytes);
		total += strlen(all->plan.segments[i].name);
	}
	for (size_t i = 0; i < all->plan.n_e820; i++)
		total += (size_t)all->plan.e820[i].range.end;
	for (const struct diag_note *n = all->diag.notes; n; n = n->next)
		total += strlen(n->id) + strlen(n->text);
	if (all->bundle)
		for (size_t i = 0; i < all->bundle->n_initrds; i++)
			check_span(all->bundle->initrds[i].bytes);
	CHECK((all->diag.error != 0) == (all->diag.id != NULL));
	CHECK(all->plan.paging <= PAGING_5_LEVEL && all->plan.jump_mode <= JUMP_16);
	if (all->budget.largest)
		total += strlen(all->budget.largest->name);
	if (handback_check(&all->plan, &req))
		total++;
	__asm__ volatile("" : : "r"(total));
}

/* A plan as it is packed. */
static size_t make(uint8_t *out, struct arena *a)
{
	static const struct mem_entry e820[2];
	static struct bundle_initrd initrd = { ".initrd", NULL, { memory_bytes, 7 } };
	static const struct bundle bundle = { .cmdline = "x", .initrds = &initrd, .n_initrds = 1 };
	struct all all = { .plan = { .type = "bzImage", .n_segments = 3, .e820 = e820, .n_e820 = 2 },
			   .bundle = &bundle };
	struct parcel p = { .is_packing = true, .out = out, .arena = a, .memory = &memory,
			    .n_memory = 1 };

	diag_init(&all.diag, a);
	note(&all.diag, "a/b", "c");
	for (size_t i = 0; i < all.plan.n_segments; i++)
		all.plan.segments[i] = (struct segment){ .name = "s", .align = 1,
							 .bytes = { memory_bytes + i, 9 } };
	hand(&p, &all);
	CHECK(!p.wrong);
	return p.off;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t made[8192];
	struct arena a = { 0 };
	struct parcel p = { .arena = &a, .memory = &memory, .n_memory = 1 };
	struct all all = { 0 };
	size_t made_len;

	if (len == 0)
		return 0;
	p.in = span_of(data + 1, len - 1);
	if (data[0] & 1) {
		made_len = make(made, &a);
		for (size_t i = 1; i + 3 <= len; i += 3)
			made[(size_t)(data[i] | data[i + 1] << 8) % made_len] = data[i + 2];
		p.in = span_of(made, made_len);
	}
	diag_init(&all.diag, &a);
	hand(&p, &all);
	/* What was wrong is not used; but nothing of it may be dangerous either. */
	if (p.wrong)
		all.diag.error = all.diag.id ? 1 : 0;
	check_all(&all);
	arena_free(&a);
	return 0;
}
