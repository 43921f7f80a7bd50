// SPDX-License-Identifier: GPL-2.0-or-later
#include "handback.h"

#include <string.h>

#define NOTES_MAX	4096
#define E820_MAX	65536
#define INITRDS_MAX	65536
#define ADDONS_MAX	65536	/* --addon may be given often */
#define PROFILES_MAX	65536
#define ERRNO_MAX	4095

/* Of a new array of n when unpacking, of the old one else; NULL: none. */
static void *array_of(struct parcel *p, const void *packed, size_t n, size_t len)
{
	void *array;

	if (p->is_packing)
		return (void *)(uintptr_t)packed;
	if (p->wrong || n == 0)
		return NULL;
	/* Each element takes a byte at least. */
	array = n <= p->in.len - p->off ? arena_alloc_array(p->arena, n, len) : NULL;
	if (!array)
		parcel_fail(p, "there is no memory for it");
	return array;
}

/* ---- diag ---- */

static size_t count_notes(const struct diag *d)
{
	size_t n = 0;

	for (const struct diag_note *note = d->notes; note && n < NOTES_MAX; note = note->next)
		n++;
	return n;
}

static void hand_note(struct parcel *p, struct diag_note *n)
{
	parcel_text(p, &n->id, TEXT_ID);
	parcel_text(p, &n->text, TEXT_ANY);
	parcel_bool(p, &n->is_warning);
	if (!p->wrong && (!n->id || !n->text))
		parcel_fail(p, "a note says nothing");
}

void handback_diag(struct parcel *p, struct diag *d)
{
	struct diag_note *note = d->notes;
	size_t n = parcel_count(p, p->is_packing ? count_notes(d) : 0, NOTES_MAX);

	d->error = (int)parcel_choice(p, (unsigned int)d->error, ERRNO_MAX + 1);
	parcel_text(p, &d->id, TEXT_ID);
	parcel_array(p, d->text, sizeof(d->text), TEXT_ANY);
	parcel_array(p, d->advice, sizeof(d->advice), TEXT_ANY);
	if (!p->wrong && (d->error != 0) != (d->id != NULL))
		parcel_fail(p, "a failure has no name, or none has one");
	for (size_t i = 0; i < n && !p->wrong; i++) {
		if (!p->is_packing)
			note = array_of(p, NULL, 1, sizeof(*note));
		if (!note)
			return;
		hand_note(p, note);
		if (p->is_packing) {
			note = note->next;
		} else if (!p->wrong) {
			*d->notes_end = note;
			d->notes_end = &note->next;
		}
	}
}

/* ---- the plan ---- */

static void hand_segment(struct parcel *p, struct segment *s)
{
	parcel_array(p, s->name, sizeof(s->name), TEXT_PRINTABLE);
	parcel_span(p, &s->bytes);
	parcel_u64(p, &s->mem_len);
	parcel_u64(p, &s->reserve_len);
	parcel_u64(p, &s->align);
	parcel_u64(p, &s->min);
	parcel_u64(p, &s->end);
	parcel_bool(p, &s->wants_lowest);
	parcel_u64(p, &s->addr);
	parcel_bool(p, &s->is_placed);
	parcel_bool(p, &s->is_fixed);
	parcel_bool(p, &s->is_digested);
}

static void hand_e820(struct parcel *p, struct plan *plan)
{
	struct mem_entry *e;

	plan->n_e820 = parcel_count(p, plan->n_e820, E820_MAX);
	e = array_of(p, plan->e820, plan->n_e820, sizeof(*e));
	plan->e820 = e;
	for (size_t i = 0; i < plan->n_e820 && e; i++) {
		parcel_u64(p, &e[i].range.start);
		parcel_u64(p, &e[i].range.end);
		parcel_u32(p, &e[i].type);
	}
	if (!e)
		plan->n_e820 = 0;
}

static void hand_jump(struct parcel *p, struct plan *plan)
{
	parcel_u64(p, &plan->entry);
	plan->jump_mode = (enum jump_mode)parcel_choice(p, plan->jump_mode, JUMP_16 + 1);
	plan->paging = (enum paging)parcel_choice(p, plan->paging, PAGING_5_LEVEL + 1);
	parcel_u64(p, &plan->jump_entry);
	parcel_u64(p, &plan->jump_arg);
	parcel_u32(p, &plan->jump_eax);
	parcel_u32(p, &plan->jump_ebx);
	parcel_u64(p, &plan->jump_c_arg);
	plan->come_back = (enum come_back)parcel_choice(p, plan->come_back, BACK_TO_PEER + 1);
	parcel_u64(p, &plan->come_back_text);
	parcel_u64(p, &plan->peer_gdt);
}

void handback_plan(struct parcel *p, struct plan *plan)
{
	parcel_text(p, &plan->type, TEXT_PRINTABLE);
	parcel_text(p, &plan->type_text, TEXT_PRINTABLE);
	parcel_text(p, &plan->entry_name, TEXT_PRINTABLE);
	parcel_text(p, &plan->subarch, TEXT_PRINTABLE);
	plan->n_segments = parcel_count(p, plan->n_segments, PLAN_SEGMENTS_MAX);
	for (size_t i = 0; i < plan->n_segments; i++)
		hand_segment(p, &plan->segments[i]);
	hand_jump(p, plan);
	parcel_bool(p, &plan->takes_dtb);
	parcel_bool(p, &plan->takes_efi);
	parcel_bool(p, &plan->takes_display);
	parcel_text(p, &plan->kernel_version, TEXT_ANY);
	hand_e820(p, plan);
	parcel_u64(p, &plan->cmdline_addr);
	parcel_u64(p, &plan->rsdp);
	parcel_bool(p, &plan->is_randomized);
	parcel_u64(p, &plan->vaddr_delta);
	parcel_text(p, &plan->console, TEXT_PRINTABLE);
	parcel_u64(p, &plan->boot_note);
}

const char *handback_check(const struct plan *plan, const struct request *req)
{
	if ((plan->come_back != BACK_NEVER) != req->preserves_context ||
	    plan->come_back == BACK_TO_PEER)
		return "it means to come back, or not to, against what was asked";
	if (!plan->type || !plan->entry_name)
		return "it does not say what it loads, or by which entry";
	if (req->has_entry && plan->entry != req->entry)
		return "it has another entry than was asked for";
	for (size_t i = 0; i < plan->n_segments; i++) {
		const struct segment *s = &plan->segments[i];

		if (s->name[0] == '\0' || s->align == 0 || (s->align & (s->align - 1)) != 0)
			return "a segment has no name, or an alignment that is none";
	}
	return NULL;
}

/* ---- the budget ---- */

void handback_budget(struct parcel *p, struct budget *b)
{
	size_t largest = b->largest ? (size_t)(b->largest - b->items) + 1 : 0;

	b->n_items = parcel_count(p, b->n_items, BUDGET_ITEMS_MAX);
	for (size_t i = 0; i < b->n_items; i++) {
		struct budget_item *item = &b->items[i];

		parcel_text(p, &item->name, TEXT_PRINTABLE);
		parcel_u64(p, &item->len);
		parcel_bool(p, &item->is_at_boot);
		parcel_bool(p, &item->is_at_dump);
		parcel_bool(p, &item->is_estimate);
		if (!p->wrong && !item->name)
			parcel_fail(p, "an item of the budget has no name");
	}
	parcel_u64(p, &b->reserved_len);
	parcel_u64(p, &b->boot_len);
	parcel_u64(p, &b->dump_len);
	parcel_u64(p, &b->needed_len);
	parcel_u64(p, &b->recommended_len);
	largest = parcel_count(p, largest, b->n_items);
	b->largest = largest > 0 ? &b->items[largest - 1] : NULL;
	parcel_bool(p, &b->is_over);
}

/* ---- what came along with the kernel ---- */

static void hand_profiles(struct parcel *p, struct bundle *b)
{
	struct bundle_profile *list;

	b->n_profiles = parcel_count(p, b->n_profiles, PROFILES_MAX);
	b->profile = parcel_count(p, b->profile, b->n_profiles > 0 ? b->n_profiles - 1 : 0);
	list = array_of(p, b->profiles, b->n_profiles, sizeof(*list));
	b->profiles = list;
	for (size_t i = 0; i < b->n_profiles && list; i++) {
		parcel_text(p, &list[i].id, TEXT_ANY);
		parcel_text(p, &list[i].title, TEXT_ANY);
	}
}

static void hand_initrds(struct parcel *p, struct bundle *b)
{
	b->n_initrds = parcel_count(p, b->n_initrds, INITRDS_MAX);
	b->initrds = array_of(p, b->initrds, b->n_initrds, sizeof(*b->initrds));
	for (size_t i = 0; i < b->n_initrds && b->initrds; i++) {
		struct bundle_initrd *initrd = &b->initrds[i];

		parcel_text(p, &initrd->name, TEXT_PRINTABLE);
		parcel_text(p, &initrd->addon, TEXT_ANY);
		parcel_span(p, &initrd->bytes);
		if (!p->wrong && (!initrd->name || initrd->bytes.len == 0))
			parcel_fail(p, "an initrd is none");
	}
}

static void hand_addons(struct parcel *p, struct bundle *b)
{
	const char **list;

	b->n_addons = parcel_count(p, b->n_addons, ADDONS_MAX);
	list = array_of(p, b->addons, b->n_addons, sizeof(*list));
	b->addons = list;
	for (size_t i = 0; i < b->n_addons && list; i++) {
		parcel_text(p, &list[i], TEXT_ANY);
		if (!p->wrong && !list[i])
			parcel_fail(p, "an addon has no name");
	}
}

void handback_bundle(struct parcel *p, const struct bundle **bundle)
{
	bool is_there = p->is_packing && *bundle;
	struct bundle b = { 0 };
	struct bundle *copy;

	if (is_there)
		b = **bundle;
	parcel_bool(p, &is_there);
	if (!p->is_packing)
		*bundle = NULL;
	if (!is_there)
		return;
	parcel_text(p, &b.cmdline, TEXT_ANY);
	parcel_text(p, &b.asked_cmdline, TEXT_ANY);
	hand_initrds(p, &b);
	parcel_text(p, &b.os, TEXT_ANY);
	parcel_text(p, &b.uname, TEXT_ANY);
	parcel_bool(p, &b.is_signed);
	hand_profiles(p, &b);
	hand_addons(p, &b);
	if (p->is_packing || p->wrong)
		return;
	copy = arena_alloc(p->arena, sizeof(*copy));
	if (!copy) {
		parcel_fail(p, "there is no memory for it");
		return;
	}
	*copy = b;
	*bundle = copy;
}
