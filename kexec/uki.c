// SPDX-License-Identifier: GPL-2.0-or-later
#include "uki.h"

#include <errno.h>
#include <string.h>

static const char profile_name[] = ".profile";

static const char *const part_names[N_UKI_PARTS] = {
	[UKI_LINUX] = ".linux",
	[UKI_INITRD] = ".initrd",
	[UKI_UCODE] = ".ucode",
	[UKI_CMDLINE] = ".cmdline",
	[UKI_UNAME] = ".uname",
	[UKI_OSREL] = ".osrel",
	[UKI_DTB] = ".dtb",
	[UKI_DTBAUTO] = ".dtbauto",
};

/* ---- text in sections ---- */

static bool is_blank(uint8_t c)
{
	return c <= ' ';
}

static struct span trim(struct span s)
{
	while (s.len > 0 && is_blank(s.data[0]))
		s = span_of(s.data + 1, s.len - 1);
	while (s.len > 0 && is_blank(s.data[s.len - 1]))
		s.len--;
	return s;
}

static struct span up_to(struct span s, uint8_t c)
{
	const uint8_t *at = s.len > 0 ? memchr(s.data, c, s.len) : NULL;

	return at ? span_of(s.data, (size_t)(at - s.data)) : s;
}

static char *copy_text(struct span s, struct arena *a)
{
	return arena_strndup(a, s.len > 0 ? (const char *)s.data : "", s.len);
}

const char *uki_text(struct span section, struct arena *a)
{
	return copy_text(trim(up_to(section, '\0')), a);
}

/* Takes one pair of quotes off, and the backslashes inside double ones. */
static const char *unquote(struct span value, struct arena *a)
{
	uint8_t quote = value.len >= 2 ? value.data[0] : 0;
	char *copy;
	size_t n = 0;

	if ((quote != '"' && quote != '\'') || value.data[value.len - 1] != quote)
		return copy_text(value, a);
	copy = copy_text(span_of(value.data + 1, value.len - 2), a);
	for (size_t i = 0; copy && i < value.len - 2; i++) {
		if (quote == '"' && copy[i] == '\\' && i + 1 < value.len - 2)
			i++;
		copy[n++] = copy[i];
	}
	if (copy)
		copy[n] = '\0';
	return copy;
}

const char *uki_field(struct span section, const char *key, struct arena *a)
{
	struct span rest = up_to(section, '\0');
	const size_t key_len = strlen(key);
	const char *found = NULL;

	while (rest.len > 0) {
		struct span line = up_to(rest, '\n');
		size_t used = line.len < rest.len ? line.len + 1 : line.len;

		rest = span_of(rest.data + used, rest.len - used);
		line = trim(line);
		if (span_starts_with(line, key, key_len) && line.len > key_len &&
		    line.data[key_len] == '=')
			found = unquote(span_of(line.data + key_len + 1, line.len - key_len - 1), a);
	}
	return found;
}

/* ---- sections and profiles ---- */

static void take_part(struct uki_sections *to, const struct pe_section *s, struct diag *diag)
{
	for (size_t i = 0; i < N_UKI_PARTS; i++) {
		if (strcmp(s->name, part_names[i]) != 0 || s->bytes.len == 0)
			continue;
		if (to->part[i].len == 0)
			to->part[i] = s->bytes;
		else if (i != UKI_DTBAUTO)	/* of which there may be several */
			note(diag, "uki/duplicate-section",
			     "there is more than one %s: the first one counts", s->name);
	}
}

static size_t count_profiles(const struct pe *pe)
{
	size_t n = 0;

	for (size_t i = 0; i < pe->n_sections; i++)
		n += strcmp(pe->sections[i].name, profile_name) == 0;
	return n;
}

int uki_parse(struct span file, struct arena *a, struct uki *ret, struct diag *diag)
{
	struct uki uki = { 0 };
	struct uki_sections *current = &uki.base;
	struct pe pe;
	int r = pe_parse(file, a, &pe, diag);

	if (r < 0)
		return r;
	uki.machine = pe.machine;
	uki.has_certificates = pe.has_certificates;
	uki.profiles = arena_alloc_array(a, count_profiles(&pe), sizeof(*uki.profiles));
	if (!uki.profiles)
		return fail_nomem(diag);
	for (size_t i = 0; i < pe.n_sections; i++) {
		const struct pe_section *s = &pe.sections[i];

		if (strcmp(s->name, profile_name) == 0) {
			struct uki_profile *p = &uki.profiles[uki.n_profiles++];

			p->id = uki_field(s->bytes, "ID", a);
			p->title = uki_field(s->bytes, "TITLE", a);
			current = &p->own;
		} else {
			take_part(current, s, diag);
		}
	}
	*ret = uki;
	return 0;
}

/* "2" and "@2"; false for everything else. */
static bool parse_number(const char *name, size_t *ret)
{
	const char *digits = name + (name[0] == '@');
	size_t n = strspn(digits, "0123456789"), number = 0;

	if (n == 0 || n > 9 || digits[n] != '\0')
		return false;
	for (size_t i = 0; i < n; i++)
		number = 10 * number + (size_t)(digits[i] - '0');
	*ret = number;
	return true;
}

static const char *known_profiles(const struct uki *uki, struct arena *a)
{
	const char *list = NULL;

	for (size_t i = 0; i < uki->n_profiles; i++) {
		const char *id = uki->profiles[i].id;

		list = arena_printf(a, "%s%s@%zu%s%.40s%s", list ? list : "", list ? ", " : "", i,
				    id ? " (" : "", id ? id : "", id ? ")" : "");
		if (!list)
			return "several";
	}
	return list ? list : "just the implied @0";
}

int uki_find_profile(const struct uki *uki, const char *name, struct arena *a, size_t *ret,
		     struct diag *diag)
{
	size_t n;

	if (parse_number(name, &n) && (n < uki->n_profiles || n == 0)) {
		*ret = n;
		return 0;
	}
	for (size_t i = 0; i < uki->n_profiles; i++) {
		if (uki->profiles[i].id && strcmp(uki->profiles[i].id, name) == 0) {
			*ret = i;
			return 0;
		}
	}
	return fail(diag, EINVAL, "uki/no-such-profile",
		    "--profile=%.80s: the profiles of this image are %s", name,
		    known_profiles(uki, a));
}

struct uki_sections uki_select(const struct uki *uki, size_t profile)
{
	struct uki_sections chosen = uki->base;

	if (profile >= uki->n_profiles)
		return chosen;
	for (size_t i = 0; i < N_UKI_PARTS; i++)
		if (uki->profiles[profile].own.part[i].len > 0)
			chosen.part[i] = uki->profiles[profile].own.part[i];
	return chosen;
}
