// SPDX-License-Identifier: GPL-2.0-or-later
/* What `test` and `[` say, as far as it can be known: of strings and numbers, not of files. */
#include "grub_test.h"

#include <stdlib.h>
#include <string.h>

struct expression {
	const char *const *v;
	size_t n, at;
	grub_file_t is_file;
	const void *files;
};

static enum grub_truth truth(bool is_true)
{
	return is_true ? GRUB_YES : GRUB_NO;
}

static enum grub_truth inverse(enum grub_truth t)
{
	return t == GRUB_UNKNOWN ? t : truth(t == GRUB_NO);
}

static bool parse_number(const char *s, long *ret)
{
	char *end;
	const size_t n = strspn(s, "-0123456789");

	if (n == 0 || n > 9 || s[n] != '\0')
		return false;
	*ret = strtol(s, &end, 10);
	return *end == '\0';
}

static enum grub_truth compare(const char *a, const char *op, const char *b)
{
	long x, y;

	if (strcmp(op, "=") == 0 || strcmp(op, "==") == 0)
		return truth(strcmp(a, b) == 0);
	if (strcmp(op, "!=") == 0)
		return truth(strcmp(a, b) != 0);
	if (!parse_number(a, &x) || !parse_number(b, &y))
		return GRUB_UNKNOWN;
	if (strcmp(op, "-eq") == 0)
		return truth(x == y);
	if (strcmp(op, "-ne") == 0)
		return truth(x != y);
	if (strcmp(op, "-lt") == 0)
		return truth(x < y);
	if (strcmp(op, "-le") == 0)
		return truth(x <= y);
	if (strcmp(op, "-gt") == 0)
		return truth(x > y);
	if (strcmp(op, "-ge") == 0)
		return truth(x >= y);
	return GRUB_UNKNOWN;
}

static bool is_operator(const char *s)
{
	static const char *const known[] = { "=",   "==",  "!=",  "-eq",  "-ne", "-lt",
					     "-le", "-gt", "-ge", "<",	  "<=",	 ">",
					     ">=",  "-nt", "-ot", "-pgt", "-plt" };

	for (size_t i = 0; i < array_len(known); i++)
		if (strcmp(s, known[i]) == 0)
			return true;
	return false;
}

static enum grub_truth primary(struct expression *e)
{
	const char *const *v = e->v + e->at;
	const size_t left = e->n - e->at;

	if (left >= 3 && is_operator(v[1])) {
		e->at += 3;
		return compare(v[0], v[1], v[2]);
	}
	if (left >= 2 && (strcmp(v[0], "-z") == 0 || strcmp(v[0], "-n") == 0)) {
		e->at += 2;
		return truth((v[1][0] == '\0') == (v[0][1] == 'z'));
	}
	if (left >= 2 &&
	    (strcmp(v[0], "-e") == 0 || strcmp(v[0], "-f") == 0 || strcmp(v[0], "-s") == 0)) {
		e->at += 2;
		return e->is_file(e->files, v[1]);
	}
	if (left == 0 || strcmp(v[0], "(") == 0 || strcmp(v[0], ")") == 0 ||
	    (left >= 2 && strcmp(v[0], "-d") == 0)) {
		e->at = e->n;
		return GRUB_UNKNOWN;
	}
	e->at++;
	return truth(v[0][0] != '\0');
}

static bool take(struct expression *e, const char *word)
{
	if (e->at == e->n || strcmp(e->v[e->at], word) != 0)
		return false;
	e->at++;
	return true;
}

static enum grub_truth negated(struct expression *e)
{
	bool is_inverted = false;
	enum grub_truth t;

	while (e->n - e->at > 1 && take(e, "!"))
		is_inverted = !is_inverted;
	t = primary(e);
	return is_inverted ? inverse(t) : t;
}

static enum grub_truth all_of(struct expression *e)
{
	enum grub_truth t = negated(e);

	while (take(e, "-a")) {
		enum grub_truth more = negated(e);

		t = t == GRUB_NO || more == GRUB_NO   ? GRUB_NO :
		    t == GRUB_YES && more == GRUB_YES ? GRUB_YES :
							GRUB_UNKNOWN;
	}
	return t;
}

enum grub_truth grub_test(const char *const *v, size_t n, grub_file_t is_file, const void *files)
{
	struct expression e = { .v = v, .n = n, .is_file = is_file, .files = files };
	enum grub_truth t;

	if (n == 0)
		return GRUB_NO;
	t = all_of(&e);
	while (take(&e, "-o")) {
		enum grub_truth more = all_of(&e);

		t = t == GRUB_YES || more == GRUB_YES ? GRUB_YES :
		    t == GRUB_NO && more == GRUB_NO   ? GRUB_NO :
							GRUB_UNKNOWN;
	}
	return e.at == n ? t : GRUB_UNKNOWN;
}
