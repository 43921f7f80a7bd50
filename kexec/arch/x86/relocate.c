// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch/x86/relocate.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "checked.h"
#include "sha256.h"

/* ---- the table ---- */

static uint32_t word_at(struct span words, size_t i)
{
	uint32_t v = 0;

	return span_le32(words, i * 4, &v) ? v : 0;
}

static int check_ascending(const struct reloc_list *list, struct diag *diag)
{
	for (size_t i = 1; i < list->n; i++)
		if (word_at(list->words, i) <= word_at(list->words, i - 1))
			return fail(diag, EINVAL, "reloc/not-sorted",
				    "relocation %zu of a list of %zu is not above the one before "
				    "it",
				    i, list->n);
	return 0;
}

/* Cuts the table at its zero words; false if there are more than three lists. */
static bool cut(struct span table, struct reloc_list lists[3], size_t *ret_n)
{
	size_t n_words = table.len / 4, n_lists = 0, start = 0;

	for (size_t i = 0; i < n_words; i++) {
		if (word_at(table, i) != 0)
			continue;
		if (n_lists == 3)
			return false;
		if (n_lists > 0)
			lists[n_lists - 1].n = i - start;
		start = i + 1;
		lists[n_lists].words = span_of(table.data + start * 4, table.len - start * 4);
		n_lists++;
	}
	if (n_lists > 0)
		lists[n_lists - 1].n = n_words - start;
	*ret_n = n_lists;
	return true;
}

static bool has_load_at_zero(const struct elf *elf)
{
	for (size_t i = 0; i < elf->n_loads; i++)
		if (elf->loads[i].vaddr == 0)
			return true;
	return false;
}

int reloc_parse(struct span table, const struct elf *elf, struct reloc_table *ret,
		struct diag *diag)
{
	struct reloc_list lists[3] = { 0 };
	struct reloc_table t = { 0 };
	size_t n_lists = 0;
	int r;

	if (table.len == 0) {
		*ret = (struct reloc_table){ .is_empty = true };
		return 0;
	}
	if (table.len % 4 != 0 || word_at(table, 0) != 0)
		return fail(diag, EINVAL, "reloc/no-table",
			    "what follows the kernel's ELF file (%zu bytes, first word %#x) is no "
			    "relocation table",
			    table.len, word_at(table, 0));
	if (!cut(table, lists, &n_lists) || (elf->is_64 ? n_lists < 2 : n_lists != 1))
		return fail(diag, EINVAL, "reloc/layout",
			    "the relocation table has %zu lists; a %s kernel has %s", n_lists,
			    elf->is_64 ? "64-bit" : "32-bit", elf->is_64 ? "two or three" : "one");
	/* Kernels that link per-CPU data at zero have references to it that move the other way. */
	if (has_load_at_zero(elf) && n_lists != 3)
		return fail(diag, EINVAL, "reloc/no-inverse-list",
			    "the kernel links per-CPU data at 0 and has no list of inverse "
			    "relocations");
	if (n_lists == 1) {
		t.r32 = lists[0];
	} else {
		t.r64 = lists[0];
		t.inv32 = n_lists == 3 ? lists[1] : (struct reloc_list){ 0 };
		t.r32 = lists[n_lists - 1];
	}
	for (size_t i = 0; i < n_lists; i++) {
		r = check_ascending(&lists[i], diag);
		if (r < 0)
			return r;
	}
	*ret = t;
	return 0;
}

/* The offset in the image of a word of the table; false if width bytes there are not inside. */
static bool place_of(uint32_t word, uint64_t vaddr, size_t image_len, size_t width, size_t *ret)
{
	/* On x86-64 the word is the low half of a kernel address, whose high half is all ones. */
	uint64_t high = vaddr > UINT32_MAX ? UINT64_C(0xffffffff00000000) : 0;
	uint64_t off = (high | word) - vaddr;

	if (off >= image_len || image_len - off < width)
		return false;
	*ret = (size_t)off;
	return true;
}

static int fail_outside(uint32_t word, struct diag *diag)
{
	return fail(diag, EINVAL, "reloc/outside",
		    "the relocation for %#x lies outside the kernel's code and data", word);
}

static int apply_32(const struct reloc_list *list, uint8_t *image, size_t image_len, uint64_t vaddr,
		    uint32_t delta, struct diag *diag)
{
	for (size_t i = 0; i < list->n; i++) {
		uint32_t word = word_at(list->words, i), v;
		size_t off;

		if (!place_of(word, vaddr, image_len, sizeof(v), &off))
			return fail_outside(word, diag);
		memcpy(&v, image + off, sizeof(v));
		v += delta;
		memcpy(image + off, &v, sizeof(v));
	}
	return 0;
}

static int apply_64(const struct reloc_list *list, uint8_t *image, size_t image_len, uint64_t vaddr,
		    uint64_t delta, struct diag *diag)
{
	for (size_t i = 0; i < list->n; i++) {
		uint32_t word = word_at(list->words, i);
		uint64_t v;
		size_t off;

		if (!place_of(word, vaddr, image_len, sizeof(v), &off))
			return fail_outside(word, diag);
		memcpy(&v, image + off, sizeof(v));
		v += delta;
		memcpy(image + off, &v, sizeof(v));
	}
	return 0;
}

int reloc_apply(const struct reloc_table *t, uint8_t *image, size_t image_len, uint64_t vaddr,
		uint64_t delta, struct diag *diag)
{
	int r;

	if (delta == 0)
		return 0;
	r = apply_32(&t->r32, image, image_len, vaddr, (uint32_t)delta, diag);
	if (r == 0)
		r = apply_32(&t->inv32, image, image_len, vaddr, (uint32_t)-delta, diag);
	if (r == 0)
		r = apply_64(&t->r64, image, image_len, vaddr, delta, diag);
	return r;
}

bool reloc_infer(const struct reloc_table *t, const uint8_t *image, const uint8_t *found,
		 size_t image_len, uint64_t vaddr, uint64_t *ret_delta)
{
	uint32_t before, after;
	size_t off;

	if (t->r32.n == 0 ||
	    !place_of(word_at(t->r32.words, 0), vaddr, image_len, sizeof(before), &off))
		return false;
	memcpy(&before, image + off, sizeof(before));
	memcpy(&after, found + off, sizeof(after));
	*ret_delta = after - before;
	return true;
}

/* ---- where ---- */

uint64_t kaslr_draw(const uint8_t seed[SEED_LEN], const char *label, uint32_t round)
{
	uint8_t digest[SHA256_LEN];
	struct sha256 h;
	uint64_t draw;

	sha256_start(&h);
	sha256_add(&h, seed, SEED_LEN);
	sha256_add(&h, label, strlen(label));
	sha256_add(&h, &round, sizeof(round));
	sha256_finish(&h, digest);
	memcpy(&draw, digest, sizeof(draw));
	return draw;
}

/* A number below n, each as likely but for one part in 2^64/n. */
static uint64_t scale(uint64_t draw, uint64_t n)
{
	/* The upper half of their product; 32-bit compilers have no type for the whole. */
	const uint64_t low = UINT32_MAX, high_low = (draw >> 32) * (n & low);
	const uint64_t low_high = (draw & low) * (n >> 32);
	const uint64_t carry = ((draw & low) * (n & low) >> 32) + (high_low & low) +
			       (low_high & low);

	return (draw >> 32) * (n >> 32) + (high_low >> 32) + (low_high >> 32) + (carry >> 32);
}

/* The first slot in a range, and how many there are. */
static uint64_t slots_in(struct range r, uint64_t len, uint64_t align, phys_t *ret_first)
{
	phys_t first;

	if (!checked_align_up(r.start, align, &first) || first >= r.end || r.end - first < len)
		return 0;
	*ret_first = first;
	return (r.end - first - len) / align + 1;
}

static struct range clip(struct range r, phys_t min, phys_t end)
{
	return (struct range){ max_u64(r.start, min), min_u64(r.end, end) };
}

uint64_t kaslr_count_physical(const struct range_list *ram, phys_t min, phys_t end, uint64_t len,
			      uint64_t align)
{
	uint64_t n = 0;
	phys_t first;

	for (size_t i = 0; i < ram->n; i++)
		n += slots_in(clip(ram->r[i], min, end), len, align, &first);
	return n;
}

bool kaslr_pick_physical(const struct range_list *ram, phys_t min, phys_t end, uint64_t len,
			 uint64_t align, uint64_t draw, phys_t *ret)
{
	uint64_t n = kaslr_count_physical(ram, min, end, len, align);
	uint64_t pick = n ? scale(draw, n) : 0;

	for (size_t i = 0; n && i < ram->n; i++) {
		phys_t first = 0;
		uint64_t here = slots_in(clip(ram->r[i], min, end), len, align, &first);

		if (pick < here) {
			*ret = first + pick * align;
			return true;
		}
		pick -= here;
	}
	return false;
}

uint64_t kaslr_pick_virtual(uint64_t min, uint64_t end, uint64_t len, uint64_t align, uint64_t draw)
{
	if (end < min || end - min < len)
		return min;
	return min + scale(draw, (end - min - len) / align + 1) * align;
}
