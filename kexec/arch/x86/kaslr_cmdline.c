// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The words of the command line that the stub's KASLR respects: arch/x86/boot/compressed/kaslr.c,
 * handle_mem_options(). Unlike the kernel proper the stub knows no quotes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/relocate.h"
#include "checked.h"

#define AVOID_MAX	4	/* memmap= areas that the stub can keep off */

/* A number with K, M, G, T behind it, as memparse(); *end behind what was read. */
static uint64_t parse_size(const char *text, const char **end)
{
	static const char units[] = "KMGT";
	uint64_t value;
	const char *unit;
	char *after;

	errno = 0;
	value = strtoull(text, &after, 0);
	if (errno != 0)
		value = UINT64_MAX;
	unit = *after ? strchr(units, *after >= 'a' ? *after - 'a' + 'A' : *after) : NULL;
	if (unit) {
		if (!checked_mul(value, UINT64_C(1) << (10 * (unit - units + 1)), &value))
			value = UINT64_MAX;
		after++;
	}
	*end = after;
	return value;
}

static int take_memmap(const char *value, struct kaslr_limits *limits)
{
	while (*value) {
		const char *after;
		uint64_t len = parse_size(value, &after), start = 0, end;
		char kind = *after;

		if (kind == '@' || kind == '#' || kind == '$' || kind == '!')
			start = parse_size(after + 1, &after);
		else if (len != 0 && after != value)
			limits->end = min_u64(limits->end, len);
		if ((kind == '#' || kind == '$' || kind == '!') && checked_add(start, len, &end)) {
			if (limits->avoid.n == AVOID_MAX)
				limits->is_physical_off = true;
			else if (range_list_add(&limits->avoid, (struct range){ start, end }) < 0)
				return -ENOMEM;
		}
		after = strchr(after, ',');
		if (!after)
			return 0;
		value = after + 1;
	}
	return 0;
}

static bool take_key(const char *word, const char *key, const char **ret_value)
{
	size_t len = strlen(key);

	if (strncmp(word, key, len) != 0)
		return false;
	*ret_value = word + len;
	return true;
}

static int take_word(const char *word, bool *in_gib_pages, struct kaslr_limits *limits)
{
	const char *value, *after;

	if (strcmp(word, "nokaslr") == 0)
		limits->is_off = true;
	else if (take_key(word, "memmap=", &value))
		return take_memmap(value, limits);
	else if (take_key(word, "mem=", &value) && parse_size(value, &after) != 0)
		limits->end = min_u64(limits->end, parse_size(value, &after));
	else if (take_key(word, "hugepagesz=", &value))
		*in_gib_pages = parse_size(value, &after) == GIB;
	else if (take_key(word, "hugepages=", &value) && *in_gib_pages)
		limits->n_gib_pages = strtoull(value, NULL, 0);
	return 0;
}

int kaslr_read_cmdline(const char *cmdline, struct arena *a, struct kaslr_limits *ret)
{
	struct kaslr_limits limits = { .end = UINT64_MAX };
	char *copy = arena_strndup(a, cmdline, strlen(cmdline)), *rest = NULL;
	bool in_gib_pages = false;

	range_list_init(&limits.avoid, a);
	if (!copy)
		return -ENOMEM;
	for (char *word = strtok_r(copy, " \t\n", &rest); word;
	     word = strtok_r(NULL, " \t\n", &rest)) {
		if (strcmp(word, "--") == 0)
			break;
		if (take_word(word, &in_gib_pages, &limits) < 0)
			return -ENOMEM;
	}
	*ret = limits;
	return 0;
}
