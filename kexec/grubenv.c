// SPDX-License-Identifier: GPL-2.0-or-later
#include "grubenv.h"

#include <errno.h>
#include <string.h>

static const char signature[] = "# GRUB Environment Block\n";

static bool is_name_byte(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || c == '.';
}

/* A backslash makes the next byte a plain one; a newline that is none ends the value. The bytes
 * used, 0: it does not end, or has a byte that is no text. */
static size_t read_value(struct span s, char *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] == '\n') {
			ret[n] = '\0';
			return i + 1;
		}
		if (s.data[i] == '\\' && i + 1 < s.len)
			i++;
		if (s.data[i] < ' ' && s.data[i] != '\t' && s.data[i] != '\n')
			return 0;
		ret[n++] = (char)s.data[i];
	}
	return 0;
}

static int fail_at(struct diag *diag, size_t off, const char *what)
{
	return fail(diag, EINVAL, "entries/grubenv", "GRUB's environment block: at byte %zu %s",
		    off, what);
}

int grubenv_read(struct span file, struct arena *a, struct grubenv *ret, struct diag *diag)
{
	size_t at = sizeof(signature) - 1;
	char value[GRUBENV_LEN];

	*ret = (struct grubenv){ 0 };
	if (file.len != GRUBENV_LEN || !span_starts_with(file, signature, at))
		return fail(diag, EINVAL, "entries/grubenv",
			    "GRUB's environment block: it has %zu bytes, or does not begin as one "
			    "of "
			    "%d does",
			    file.len, GRUBENV_LEN);
	while (at < file.len) {
		size_t name_len = 0, used;

		if (file.data[at] == '#') { /* a comment, or the rest of the block */
			while (at < file.len && file.data[at] != '\n')
				at++;
			at += at < file.len;
			continue;
		}
		while (at + name_len < file.len && is_name_byte(file.data[at + name_len]))
			name_len++;
		if (name_len == 0 || at + name_len == file.len || file.data[at + name_len] != '=')
			return fail_at(diag, at, "there is no NAME=VALUE");
		used = read_value(
			span_of(file.data + at + name_len + 1, file.len - at - name_len - 1),
			value);
		if (used == 0)
			return fail_at(diag, at,
				       "there is a value without an end, or with bytes that "
				       "are no text");
		if (ret->n == GRUBENV_VARIABLES_MAX)
			return fail_at(diag, at, "there is one variable too many");
		ret->names[ret->n] = arena_strndup(a, (const char *)file.data + at, name_len);
		ret->values[ret->n] = arena_strndup(a, value, strlen(value));
		if (!ret->names[ret->n] || !ret->values[ret->n])
			return fail_nomem(diag);
		ret->n++;
		at += name_len + 1 + used;
	}
	return 0;
}

const char *grubenv_find(const struct grubenv *env, const char *name)
{
	for (size_t i = env->n; i-- > 0;)
		if (strcmp(env->names[i], name) == 0)
			return env->values[i];
	return NULL;
}
