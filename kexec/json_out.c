// SPDX-License-Identifier: GPL-2.0-or-later
#include "json_out.h"

#ifdef HAVE_JSON_C

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advice.h"

bool json_out_start(struct json_out *j)
{
	j->top = json_object_new_object();
	j->is_short = !j->top;
	json_out_number(j, j->top, "format", JSON_FORMAT);
	return !j->is_short;
}

const char *json_out_finish(struct json_out *j)
{
	const int flags = JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
			  JSON_C_TO_STRING_NOSLASHESCAPE;

	return j->is_short ? NULL : json_object_to_json_string_ext(j->top, flags);
}

void json_out_free(struct json_out *j)
{
	json_object_put(j->top);
	j->top = NULL;
}

void json_out_value(struct json_out *j, struct json_object *to, const char *key,
		    struct json_object *value)
{
	if (!j->is_short && value && json_object_object_add(to, key, value) == 0)
		return;
	j->is_short = true;
	json_object_put(value);
}

void json_out_null(struct json_out *j, struct json_object *to, const char *key)
{
	if (j->is_short || json_object_object_add(to, key, NULL) != 0)
		j->is_short = true;
}

void json_out_append(struct json_out *j, struct json_object *list, struct json_object *value)
{
	if (!j->is_short && value && json_object_array_add(list, value) == 0)
		return;
	j->is_short = true;
	json_object_put(value);
}

struct json_object *json_out_new(struct json_out *j, struct json_object *to, const char *key,
				 struct json_object *value)
{
	json_out_value(j, to, key, value);
	return j->is_short ? NULL : value;
}

void json_out_number(struct json_out *j, struct json_object *to, const char *key, uint64_t v)
{
	json_out_value(j, to, key, json_object_new_uint64(v));
}

void json_out_bool(struct json_out *j, struct json_object *to, const char *key, bool v)
{
	json_out_value(j, to, key, json_object_new_boolean(v));
}

void json_out_addr(struct json_out *j, struct json_object *to, const char *key, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, v);
	json_out_value(j, to, key, json_object_new_string(text));
}

/* Bytes of one UTF-8 character at s, 0 if what is there is none (RFC 3629). */
static size_t utf8_len(const unsigned char *s)
{
	size_t len;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

/* JSON is UTF-8 and command lines need not be: a byte that fits nowhere becomes U+FFFD. */
struct json_object *json_out_new_text(const char *text)
{
	static const char replacement[] = "\xef\xbf\xbd";
	const unsigned char *s = (const unsigned char *)text;
	struct json_object *value;
	char *clean, *end;

	clean = malloc(strlen(text) * (sizeof(replacement) - 1) + 1);
	if (!clean)
		return NULL;
	end = clean;
	while (*s != '\0') {
		size_t len = utf8_len(s);
		size_t n = len ? len : sizeof(replacement) - 1;

		memcpy(end, len ? (const char *)s : replacement, n);
		end += n;
		s += len ? len : 1;
	}
	*end = '\0';
	value = json_object_new_string(clean);
	free(clean);
	return value;
}

void json_out_text(struct json_out *j, struct json_object *to, const char *key,
		   const char *text)
{
	if (text)
		json_out_value(j, to, key, json_out_new_text(text));
	else
		json_out_null(j, to, key);
}

struct json_object *json_out_element(struct json_out *j, struct json_object *list)
{
	struct json_object *o = j->is_short ? NULL : json_object_new_object();

	json_out_append(j, list, o);
	return j->is_short ? NULL : o;
}

void json_out_error(struct json_out *j, struct json_object *to, const struct diag *failure)
{
	struct json_object *o = json_out_new(j, to, "error", json_object_new_object());

	json_out_text(j, o, "id", failure->id ? failure->id : "unknown");
	json_out_number(j, o, "errno", (uint64_t)failure->error);
	json_out_text(j, o, "text", failure->text);
	json_out_text(j, o, "advice", advice_of(failure));
}

void json_out_notes(struct json_out *j, struct json_object *to, const struct diag *diag)
{
	struct json_object *list = json_out_new(j, to, "notes", json_object_new_array());

	for (const struct diag_note *n = diag ? diag->notes : NULL; n && !j->is_short; n = n->next) {
		struct json_object *o = json_out_element(j, list);

		json_out_text(j, o, "id", n->id);
		json_out_text(j, o, "text", n->text);
		json_out_bool(j, o, "warning", n->is_warning);
	}
}

#endif
