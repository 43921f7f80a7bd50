// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmdline.h"

#include <errno.h>
#include <string.h>

/* A word as next_arg() of the kernel's lib/cmdline.c ends it, in s[start, end). */
struct word {
	size_t start;
	size_t end;
	bool is_open;	/* a double quote was not closed: the word swallowed all the rest */
};

static bool next_word(const char *s, size_t from, struct word *ret)
{
	struct word w = { .start = from };

	while (s[w.start] == ' ')
		w.start++;
	for (w.end = w.start; s[w.end] != '\0' && (s[w.end] != ' ' || w.is_open); w.end++)
		if (s[w.end] == '"')
			w.is_open = !w.is_open;
	*ret = w;
	return w.end > w.start;
}

/* Is this word KEY=..., also when all of it is quoted: "KEY=a b" in quotes? */
static bool has_key(const char *s, struct word w, const char *key)
{
	size_t start = s[w.start] == '"' ? w.start + 1 : w.start;
	size_t len = strlen(key);

	return w.end - start > len && memcmp(s + start, key, len) == 0 && s[start + len] == '=';
}

static bool ends_kernel_words(const char *s, struct word w)
{
	return w.end - w.start == 2 && memcmp(s + w.start, "--", 2) == 0;
}

static bool has_word_with(const char *s, const char *key)
{
	struct word w;

	for (size_t from = 0; next_word(s, from, &w) && !ends_kernel_words(s, w); from = w.end)
		if (has_key(s, w, key))
			return true;
	return false;
}

/* A copy without trailing newlines, every other blank a plain one. NULL: diag says why. */
static char *clean(const char *text, const char *origin, struct arena *a, struct diag *diag)
{
	size_t len = strlen(text);
	char *copy;

	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		len--;
	copy = arena_strndup(a, text, len);
	if (!copy) {
		fail_nomem(diag);
		return NULL;
	}
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)copy[i];

		if (c >= '\t' && c <= '\r') {
			copy[i] = ' ';
		} else if (c < ' ' || c == 0x7f) {
			fail(diag, EINVAL, "cmdline/control-character",
			     "byte %zu of %s is the control character 0x%02x", i, origin, c);
			return NULL;
		}
	}
	return copy;
}

/* Takes the boot loader's words out, in place. */
static void drop_loader_words(char *s, bool is_crash, struct diag *diag)
{
	/* The last two would take memory away again, or name headers of another dump. */
	static const char *const keys[] = { "BOOT_IMAGE", "initrd", "crashkernel", "elfcorehdr" };
	const size_t n_keys = is_crash ? array_len(keys) : 2;
	struct word w;
	size_t from = 0;

	while (next_word(s, from, &w) && !ends_kernel_words(s, w)) {
		const char *dropped = NULL;

		for (size_t i = 0; i < n_keys && !dropped; i++)
			if (has_key(s, w, keys[i]))
				dropped = keys[i];
		from = w.end;
		if (!dropped)
			continue;
		while (s[w.end] == ' ')
			w.end++;
		memmove(s + w.start, s + w.end, strlen(s + w.end) + 1);
		from = w.start;
		note(diag, "cmdline/dropped", "the running kernel's %s= is not handed on", dropped);
	}
	for (size_t len = strlen(s); len > 0 && s[len - 1] == ' '; len--)
		s[len - 1] = '\0';
}

/* What a person may not expect of the place where --append ends up. */
static void note_joint(const char *base, const char *append, struct diag *diag)
{
	struct word w;

	if (*append == '\0')
		return;
	for (size_t from = 0; next_word(base, from, &w); from = w.end) {
		if (ends_kernel_words(base, w))
			note(diag, "cmdline/append-after-dashes",
			     "the running kernel's command line has a \"--\": what --append adds "
			     "goes to init");
		else if (w.is_open)
			warn(diag, "cmdline/open-quote",
			     "the running kernel's command line has a quote that never ends: it "
			     "swallows what --append adds");
	}
}

int cmdline_compose(const struct options *options, const char *running, struct arena *a,
		    const char **ret, struct diag *diag)
{
	char *base = NULL, *append;
	const char *joined;

	append = clean(options->append ? options->append : "", "--append", a, diag);
	if (!append)
		return -diag->error;
	if (options->load_crash && has_word_with(append, "elfcorehdr")) {
		fail(diag, EINVAL, "cmdline/elfcorehdr",
		     "--append has an elfcorehdr= of its own, which would hide this load's");
		return fail_advise(diag, "leave it out: -p adds the right one");
	}
	if (!options->reuse_cmdline) {
		*ret = append;
		return 0;
	}
	if (!running)
		return fail(diag, ENOENT, "cmdline/unreadable",
			    "--reuse-cmdline: the running kernel's command line could not be read");
	base = clean(running, "the running kernel's command line", a, diag);
	if (!base)
		return -diag->error;
	drop_loader_words(base, options->load_crash, diag);
	note_joint(base, append, diag);
	joined = arena_printf(a, "%s%s%s", base, *base && *append ? " " : "", append);
	if (!joined)
		return fail_nomem(diag);
	*ret = joined;
	return 0;
}
