// SPDX-License-Identifier: GPL-2.0-or-later
#include "parcel.h"

#include <string.h>

#define NO_TEXT		UINT64_MAX

bool parcel_is_done(const struct parcel *p)
{
	return !p->wrong && (p->is_packing || p->off == p->in.len);
}

void parcel_fail(struct parcel *p, const char *wrong)
{
	if (!p->wrong)
		p->wrong = wrong;
}

void parcel_bytes(struct parcel *p, void *bytes, size_t len)
{
	if (p->is_packing) {
		if (p->out && len > 0)
			memcpy(p->out + p->off, bytes, len);
		p->off += len;
		return;
	}
	if (!p->wrong && !span_copy(p->in, p->off, bytes, len))
		parcel_fail(p, "it ends too early");
	if (p->wrong)
		memset(bytes, 0, len);
	else
		p->off += len;
}

void parcel_u64(struct parcel *p, uint64_t *v)
{
	parcel_bytes(p, v, sizeof(*v));
}

void parcel_u32(struct parcel *p, uint32_t *v)
{
	parcel_bytes(p, v, sizeof(*v));
}

size_t parcel_count(struct parcel *p, size_t v, size_t max)
{
	uint64_t n = v;

	parcel_u64(p, &n);
	if (n > max) {
		parcel_fail(p, "a number is too large");
		n = 0;
	}
	return p->wrong ? 0 : (size_t)n;
}

unsigned int parcel_choice(struct parcel *p, unsigned int v, unsigned int n)
{
	return (unsigned int)parcel_count(p, v, n - 1);
}

void parcel_bool(struct parcel *p, bool *v)
{
	*v = parcel_choice(p, *v, 2) != 0;
}

static bool is_id(const char *text)
{
	const char *slash = strchr(text, '/');

	return slash && slash != text && slash[1] != '\0' && !strchr(slash + 1, '/') &&
	       text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-/")] == '\0';
}

static bool is_printable(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

/* text: what was unpacked, len bytes and a NUL. */
static void check_text(struct parcel *p, const char *text, size_t len, enum parcel_text kind)
{
	if (p->wrong)
		return;
	if (strlen(text) != len)
		parcel_fail(p, "a text has a NUL in it");
	else if (kind == TEXT_ID && !is_id(text))
		parcel_fail(p, "an id is none");
	else if (kind == TEXT_PRINTABLE && !is_printable(text))
		parcel_fail(p, "a text has control characters in it");
}

void parcel_text(struct parcel *p, const char **text, enum parcel_text kind)
{
	uint64_t len = p->is_packing && *text ? strlen(*text) : NO_TEXT;
	char *copy = NULL;

	parcel_u64(p, &len);
	if (p->is_packing) {
		if (*text)
			parcel_bytes(p, (void *)(uintptr_t)*text, (size_t)len);
		return;
	}
	*text = NULL;
	if (p->wrong || len == NO_TEXT)
		return;
	if (len > p->in.len - p->off)
		parcel_fail(p, "a text is too long");
	else
		copy = arena_alloc(p->arena, (size_t)len + 1);
	if (!copy) {
		parcel_fail(p, "there is no memory for it");
		return;
	}
	parcel_bytes(p, copy, (size_t)len);
	check_text(p, copy, (size_t)len, kind);
	if (!p->wrong)
		*text = copy;
}

void parcel_array(struct parcel *p, char *text, size_t len, enum parcel_text kind)
{
	size_t used = parcel_count(p, p->is_packing ? strnlen(text, len - 1) : 0, len - 1);

	parcel_bytes(p, text, used);
	if (p->is_packing)
		return;
	text[used] = '\0';
	check_text(p, text, used, kind);
	if (p->wrong)
		text[0] = '\0';
}

/* By numbers: pointers of another object must not be compared. */
static bool is_within(struct span outer, uint64_t start, uint64_t len)
{
	const uint64_t base = (uintptr_t)outer.data;

	return start >= base && start - base <= outer.len && len <= outer.len - (start - base);
}

static bool is_named(const struct parcel *p, uint64_t start, uint64_t len)
{
	for (size_t i = 0; i < p->n_memory; i++)
		if (p->memory[i].len > 0 && is_within(p->memory[i], start, len))
			return true;
	return false;
}

void parcel_span(struct parcel *p, struct span *s)
{
	uint64_t start = (uintptr_t)s->data, len = s->len;

	if (p->is_packing && p->out && len > 0 && !is_named(p, start, len)) {
		void *copy = arena_alloc(p->arena, s->len);

		if (copy)
			memcpy(copy, s->data, s->len);
		else
			parcel_fail(p, "there is no memory for it");
		start = (uintptr_t)copy;
	}
	parcel_u64(p, &start);
	parcel_u64(p, &len);
	if (p->is_packing)
		return;
	if (!p->wrong && len > 0 && !is_named(p, start, len))
		parcel_fail(p, "bytes are where none were given");
	*s = p->wrong || len == 0 ? (struct span){ 0 } :
				    span_of((const void *)(uintptr_t)start, (size_t)len);
}
