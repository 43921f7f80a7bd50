// SPDX-License-Identifier: GPL-2.0-or-later
#include "bls.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "host_text.h"
#include "uki.h"

/* ---- names of files ---- */

static const char *last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* "LEFT" or "LEFT-DONE" is all of s. */
static bool parse_counter(const char *s, size_t len, struct boot_entry *e)
{
	uint32_t values[2] = { 0 };
	size_t n = 0, n_digits = 0;

	for (size_t i = 0; i < len; i++) {
		if (s[i] == '-' && n == 0 && n_digits > 0) {
			n = 1;
			n_digits = 0;
		} else if (s[i] >= '0' && s[i] <= '9' && n_digits < 9) {
			values[n] = 10 * values[n] + (uint32_t)(s[i] - '0');
			n_digits++;
		} else {
			return false;
		}
	}
	if (n_digits == 0)
		return false;
	e->has_counter = true;
	e->tries_left = values[0];
	e->tries_done = values[1];
	return true;
}

/* NAME+LEFT-DONE.conf has the id NAME.conf. */
static void take_name(const struct entry_file *file, const char *suffix, struct entry_list *l,
		      struct boot_entry *e)
{
	const char *name = last_component(file->name);
	const size_t len = strlen(name), suffix_len = strlen(suffix);
	size_t stem_len = len > suffix_len ? len - suffix_len : len, plus = stem_len;

	e->file = file->name;
	if (len > ENTRY_NAME_MAX)
		fail_entry(l, e, "entries/name", "its file's name is too long");
	while (plus > 0 && name[plus - 1] != '+')
		plus--;
	if (plus > 1 && parse_counter(name + plus, stem_len - plus, e))
		stem_len = plus - 1;
	e->id = entry_text(l, e, span_of(name, stem_len));
	if (e->id)
		e->id = entry_printf(l, "%s%s", e->id,
				     name + (len > suffix_len ? len - suffix_len : len));
}

/* ---- type 1 ---- */

/* "KEY VALUE": the value without blanks around it. False: an empty line or a comment. */
static bool split_line(struct span line, struct span *ret_key, struct span *ret_value)
{
	struct span rest = text_trim(line);

	if (rest.len == 0 || rest.data[0] == '#' || !text_next_word(&rest, ret_key))
		return false;
	*ret_value = text_trim(rest);
	return true;
}

static void add_options(struct entry_list *l, struct boot_entry *e, const char *more)
{
	if (!more)
		return;
	e->options = !e->options ? more : entry_printf(l, "%s %s", e->options, more);
}

static void check_architecture(struct entry_list *l, struct boot_entry *e)
{
	static const char *const ours[] = { "x64", "x86-64", "x86_64", "ia32", "x86", "i386" };

	for (size_t i = 0; e->architecture && i < array_len(ours); i++)
		if (strcasecmp(e->architecture, ours[i]) == 0)
			return;
	if (e->architecture)
		fail_entry(l, e, "entries/other-architecture",
			   "it is for another architecture: %.40s", e->architecture);
}

static void take_line(struct entry_list *l, struct boot_entry *e, struct span key,
		      const char *value)
{
	static const struct {
		const char *key;
		size_t off;
	} keys[] = {
		{ "title", offsetof(struct boot_entry, title) },
		{ "version", offsetof(struct boot_entry, version) },
		{ "machine-id", offsetof(struct boot_entry, machine_id) },
		{ "sort-key", offsetof(struct boot_entry, sort_key) },
		{ "architecture", offsetof(struct boot_entry, architecture) },
		{ "devicetree", offsetof(struct boot_entry, devicetree) },
		{ "profile", offsetof(struct boot_entry, profile) },
		{ "linux", offsetof(struct boot_entry, kernel) },
		{ "efi", offsetof(struct boot_entry, kernel) },
		{ "uki", offsetof(struct boot_entry, kernel) },
	};

	if (text_is(key, "options"))
		add_options(l, e, value);
	else if (text_is(key, "initrd"))
		entry_add_initrd(l, e, value);
	else if (text_is(key, "uki-url"))
		fail_entry(l, e, "entries/url",
			   "its kernel is to be fetched from a network: %.200s",
			   value ? value : "");
	for (size_t i = 0; i < array_len(keys); i++)
		if (text_is(key, keys[i].key))
			*(const char **)((char *)e + keys[i].off) = value;
}

static bool is_known_key(struct span key)
{
	static const char *const known[] = {
		"title", "version", "machine-id", "sort-key", "architecture", "devicetree", "linux",
		"efi",	 "uki",	    "uki-url",	  "profile",  "options",      "initrd",
	};

	for (size_t i = 0; i < array_len(known); i++)
		if (text_is(key, known[i]))
			return true;
	return false;
}

void bls_read(const struct entry_file *file, size_t place, struct entry_list *l)
{
	struct boot_entry *e = entry_add(l);
	struct span rest = file->bytes, line, key, value;

	if (!e)
		return;
	e->kind = ENTRY_BLS;
	e->place = e->source = place;
	take_name(file, ".conf", l, e);
	if (rest.len > BLS_TEXT_MAX) {
		fail_entry(l, e, "entries/too-long", "its file has more than %d KiB",
			   BLS_TEXT_MAX / 1024);
		rest.len = 0;
	}
	while (text_next_line(&rest, &line)) {
		if (!split_line(line, &key, &value) || !is_known_key(key))
			continue;
		take_line(l, e, key, entry_text(l, e, value));
	}
	check_architecture(l, e);
	entry_finish(l, e);
}

/* ---- type 2 ---- */

static const char *first_of(const char *a, const char *b)
{
	return a && *a != '\0' ? a : b && *b != '\0' ? b : NULL;
}

/* Fields of a section are foreign bytes as well. */
static const char *field(struct entry_list *l, struct boot_entry *e, struct span section,
			 const char *key)
{
	const char *found = uki_field(section, key, l->arena);

	return entry_string(l, e, found);
}

static void take_release(struct entry_list *l, struct boot_entry *e, const struct uki_sections *s)
{
	const struct span osrel = s->part[UKI_OSREL];
	const char *image_version = field(l, e, osrel, "IMAGE_VERSION");
	const char *image_id = field(l, e, osrel, "IMAGE_ID");
	const char *uname = entry_string(l, e, uki_text(s->part[UKI_UNAME], l->arena));

	e->title = first_of(field(l, e, osrel, "PRETTY_NAME"),
			    first_of(image_id, field(l, e, osrel, "ID")));
	e->sort_key = first_of(image_id, field(l, e, osrel, "ID"));
	e->version = first_of(
		uname, first_of(image_version, first_of(field(l, e, osrel, "VERSION"),
							first_of(field(l, e, osrel, "VERSION_ID"),
								 field(l, e, osrel, "BUILD_ID")))));
}

/* The first profile is the image itself. Others have "@ID" or "@NUMBER" behind the image's id. */
static void take_profile(struct entry_list *l, struct boot_entry *e, const struct uki *uki,
			 size_t i)
{
	const struct uki_profile *p = i < uki->n_profiles ? &uki->profiles[i] : NULL;
	const char *title = p ? p->title : NULL, *id = p ? p->id : NULL;

	title = entry_string(l, e, title);
	id = entry_string(l, e, id);
	if (title && e->title)
		e->title = entry_printf(l, "%s (%s)", e->title, title);
	else if (title)
		e->title = title;
	if (i == 0)
		return;
	e->profile = entry_printf(l, "@%zu", i);
	if (e->profile)
		e->id = entry_printf(l, "%s@%s", e->id ? e->id : "",
				     id && *id != '\0' ? id : e->profile + 1);
}

static struct boot_entry *add_uki(const struct entry_file *file, size_t place, struct entry_list *l)
{
	struct boot_entry *e = entry_add(l);
	const char *path;

	if (!e)
		return NULL;
	e->kind = ENTRY_UKI;
	e->place = e->source = place;
	take_name(file, ".efi", l, e);
	path = entry_string(l, e, file->name);
	e->kernel = path ? entry_printf(l, "/%s", path) : NULL;
	return e;
}

void bls_read_uki(const struct entry_file *file, size_t place, struct entry_list *l)
{
	struct boot_entry *e;
	struct diag why;
	struct uki uki;
	int r;

	diag_init(&why, NULL);
	r = uki_parse(file->bytes, l->arena, &uki, &why);
	if (r < 0) {
		e = add_uki(file, place, l);
		if (e)
			fail_entry(l, e, why.id, "%s", why.text);
		return;
	}
	for (size_t i = 0; i == 0 || i < uki.n_profiles; i++) {
		struct uki_sections s = uki_select(&uki, i);

		e = add_uki(file, place, l);
		if (!e)
			return;
		take_release(l, e, &s);
		take_profile(l, e, &uki, i);
		if (s.part[UKI_LINUX].len == 0)
			fail_entry(l, e, "entries/no-kernel", "it has no section .linux");
		e->architecture = pe_machine_name(uki.machine, l->arena);
		if (uki.machine != PE_MACHINE_X86_64 && uki.machine != PE_MACHINE_I386)
			fail_entry(l, e, "entries/other-architecture",
				   "it is for another architecture: %s",
				   e->architecture ? e->architecture : "?");
	}
}

/* ---- loader.conf ---- */

const char *bls_default(struct span loader_conf, struct entry_list *l)
{
	struct span rest = loader_conf, line, key, value;
	struct boot_entry scratch = { 0 };
	const char *found = NULL;

	if (rest.len > BLS_TEXT_MAX)
		return NULL;
	while (text_next_line(&rest, &line))
		if (split_line(line, &key, &value) && text_is(key, "default") && value.len > 0 &&
		    value.len <= ENTRY_NAME_MAX)
			found = entry_text(l, &scratch, value);
	return found;
}
