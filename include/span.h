/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes that somebody else owns: a mapped file, a /sys attribute, a part of either. The only way
 * to foreign bytes: every access below checks its bounds and returns false, with *ret untouched,
 * when the span is too short. Numbers are little endian and need no alignment.
 */
#ifndef KEXEC_NG_SPAN_H
#define KEXEC_NG_SPAN_H

#include "base.h"

struct span {
	const uint8_t *data;
	size_t len;
};

static inline struct span span_of(const void *data, size_t len)
{
	return (struct span){ .data = (const uint8_t *)data, .len = len };
}

static inline must_check bool span_sub(struct span s, uint64_t off, uint64_t len, struct span *ret)
{
	if (off > s.len || len > s.len - off)
		return false;
	*ret = span_of(s.data ? s.data + off : NULL, (size_t)len);
	return true;
}

static inline must_check bool span_copy(struct span s, uint64_t off, void *dst, size_t len)
{
	struct span part;

	if (!span_sub(s, off, len, &part))
		return false;
	if (len > 0)
		__builtin_memcpy(dst, part.data, len);
	return true;
}

static inline must_check bool span_u8(struct span s, uint64_t off, uint8_t *ret)
{
	return span_copy(s, off, ret, sizeof(*ret));
}

static inline must_check bool span_le16(struct span s, uint64_t off, uint16_t *ret)
{
	return span_copy(s, off, ret, sizeof(*ret));
}

static inline must_check bool span_le32(struct span s, uint64_t off, uint32_t *ret)
{
	return span_copy(s, off, ret, sizeof(*ret));
}

static inline must_check bool span_le64(struct span s, uint64_t off, uint64_t *ret)
{
	return span_copy(s, off, ret, sizeof(*ret));
}

/* Does the span begin with these bytes? */
static inline bool span_starts_with(struct span s, const void *magic, size_t len)
{
	return s.len >= len && __builtin_memcmp(s.data, magic, len) == 0;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "x86 on both sides");

#endif
