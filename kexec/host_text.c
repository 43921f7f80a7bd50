// SPDX-License-Identifier: GPL-2.0-or-later
#include "host_text.h"

#include <string.h>

#include "checked.h"

static bool is_blank(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct span skip(struct span s, size_t len)
{
	return len == 0 ? s : span_of(s.data + len, s.len - len);
}

struct span text_trim(struct span s)
{
	while (s.len > 0 && is_blank(s.data[0]))
		s = skip(s, 1);
	while (s.len > 0 && is_blank(s.data[s.len - 1]))
		s.len--;
	return s;
}

bool text_is(struct span s, const char *known)
{
	return s.len == strlen(known) && span_starts_with(s, known, s.len);
}

bool text_starts_with(struct span s, const char *prefix, struct span *ret_rest)
{
	if (!span_starts_with(s, prefix, strlen(prefix)))
		return false;
	*ret_rest = skip(s, strlen(prefix));
	return true;
}

bool text_is_name(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] <= ' ' || s.data[i] > '~')
			return false;
	return s.len > 0;
}

bool text_next_line(struct span *rest, struct span *ret)
{
	size_t len = 0;

	if (rest->len == 0)
		return false;
	while (len < rest->len && rest->data[len] != '\n')
		len++;
	*ret = span_of(rest->data, len);
	*rest = skip(*rest, len < rest->len ? len + 1 : len);
	return true;
}

static bool next_word(struct span *rest, bool has_quotes, struct span *ret)
{
	bool is_quoted = false;
	size_t len = 0;

	while (rest->len > 0 && is_blank(rest->data[0]))
		*rest = skip(*rest, 1);
	if (rest->len == 0)
		return false;
	while (len < rest->len && (is_quoted || !is_blank(rest->data[len]))) {
		if (has_quotes && rest->data[len] == '"')
			is_quoted = !is_quoted;
		len++;
	}
	*ret = span_of(rest->data, len);
	*rest = skip(*rest, len);
	return true;
}

bool text_next_word(struct span *rest, struct span *ret)
{
	return next_word(rest, false, ret);
}

bool text_next_parameter(struct span *rest, struct span *ret)
{
	struct span word;

	if (!next_word(rest, true, &word) || text_is(word, "--"))
		return false;
	*ret = word;
	return true;
}

bool text_has_word(struct span s, const char *word)
{
	struct span found;

	while (text_next_word(&s, &found))
		if (text_is(found, word))
			return true;
	return false;
}

bool text_value_of(struct span line, const char *key, struct span *ret)
{
	struct span rest;

	if (!text_starts_with(line, key, &rest))
		return false;
	rest = text_trim(rest);
	if (!text_starts_with(rest, ":", &rest))
		return false;
	*ret = text_trim(rest);
	return true;
}

static bool digit_of(uint8_t c, unsigned int base, uint64_t *ret)
{
	uint64_t v;

	if (c >= '0' && c <= '9')
		v = (uint64_t)(c - '0');
	else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		v = (uint64_t)((c | 0x20) - 'a' + 10);
	else
		return false;
	if (v >= base)
		return false;
	*ret = v;
	return true;
}

static bool number_of(struct span s, unsigned int base, uint64_t *ret)
{
	uint64_t v = 0, digit;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!digit_of(s.data[i], base, &digit) || !checked_mul(v, base, &v) ||
		    !checked_add(v, digit, &v))
			return false;
	*ret = v;
	return true;
}

bool text_number(struct span s, uint64_t *ret)
{
	if (text_starts_with(s, "0x", &s) || text_starts_with(s, "0X", &s))
		return number_of(s, 16, ret);
	return number_of(s, 10, ret);
}

bool text_hex(struct span s, uint64_t *ret)
{
	return number_of(s, 16, ret);
}

bool text_numbered(struct span name, const char *prefix, uint32_t *ret)
{
	struct span digits;
	uint64_t v;

	/* "007" and "0x7" would be second names of 7. */
	if (!text_starts_with(name, prefix, &digits) || digits.len > 9 ||
	    (digits.len > 1 && digits.data[0] == '0') || !text_number(digits, &v))
		return false;
	*ret = (uint32_t)v;
	return true;
}
