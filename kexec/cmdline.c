// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmdline.h"

#include <errno.h>
#include <stdlib.h>
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

/* Takes words out, in place: those of the boot loader, and before a crash kernel what would take
 * memory away again or name headers of another dump. */
static void drop_words(char *s, const char *origin, bool is_running, bool is_crash,
		       struct diag *diag)
{
	static const char *const keys[] = { "BOOT_IMAGE", "initrd", "kexec_jump_back_entry",
					    "kexec_jump_back_gdt", "crashkernel", "elfcorehdr" };
	const size_t first = is_running ? 0 : 4, end = is_crash ? array_len(keys) : 4;
	struct word w;
	size_t from = 0;

	while (next_word(s, from, &w) && !ends_kernel_words(s, w)) {
		const char *dropped = NULL;

		for (size_t i = first; i < end && !dropped; i++)
			if (has_key(s, w, keys[i]))
				dropped = keys[i];
		from = w.end;
		if (!dropped)
			continue;
		while (s[w.end] == ' ')
			w.end++;
		memmove(s + w.start, s + w.end, strlen(s + w.end) + 1);
		from = w.start;
		note(diag, "cmdline/dropped", "%s= of %s is not handed on", dropped, origin);
	}
	for (size_t len = strlen(s); len > 0 && s[len - 1] == ' '; len--)
		s[len - 1] = '\0';
}

/* What a person may not expect of the place where the words in added end up. */
static void note_joint(const char *base, const char *origin, const char *added, struct diag *diag)
{
	struct word w;

	if (*added == '\0')
		return;
	for (size_t from = 0; next_word(base, from, &w); from = w.end) {
		if (ends_kernel_words(base, w))
			note(diag, "cmdline/append-after-dashes",
			     "%s has a \"--\": what is added goes to init", origin);
		else if (w.is_open)
			warn(diag, "cmdline/open-quote",
			     "%s has a quote that never ends: it swallows what is added", origin);
	}
}

static int join(char **line, const char *origin, const char *words, struct arena *a,
		struct diag *diag)
{
	note_joint(*line, origin, words, diag);
	*line = arena_printf(a, "%s%s%s", *line, **line && *words ? " " : "", words);
	return *line ? 0 : fail_nomem(diag);
}

static char *running_line(const struct options *o, const char *running, struct arena *a,
			  struct diag *diag)
{
	static const char origin[] = "the running kernel's command line";
	char *line;

	if (!running) {
		fail(diag, ENOENT, "cmdline/unreadable",
		     "--reuse-cmdline: the running kernel's command line could not be read");
		return NULL;
	}
	line = clean(running, origin, a, diag);
	if (line)
		drop_words(line, origin, true, o->load_crash, diag);
	return line;
}

static char *image_line(const struct options *o, const struct bundle *bundle, struct arena *a,
			struct diag *diag)
{
	static const char origin[] = "the image's command line";
	const bool is_used = o->image_cmdline || !o->append;
	char *line;

	if (!bundle && o->image_cmdline) {
		fail(diag, EINVAL, "cmdline/no-image",
		     "--image-cmdline: this kernel came without a command line, being no unified "
		     "kernel image");
		return NULL;
	}
	if (bundle && bundle->cmdline && !is_used)
		note(diag, "cmdline/image-replaced",
		     "--append takes the place of the image's own command line (--image-cmdline "
		     "adds to it): %.200s", bundle->cmdline);
	line = clean(is_used && bundle && bundle->cmdline ? bundle->cmdline : "", origin, a, diag);
	if (line)
		drop_words(line, origin, false, o->load_crash, diag);
	return line;
}

int cmdline_compose(const struct options *options, const char *running,
		    const struct bundle *bundle, struct arena *a, const char **ret,
		    struct diag *diag)
{
	const char *origin = options->reuse_cmdline ? "the running kernel's command line" :
						      "the image's command line";
	char *line, *asked, *append;
	int r;

	line = options->reuse_cmdline ? running_line(options, running, a, diag) :
					image_line(options, bundle, a, diag);
	asked = clean(bundle && bundle->asked_cmdline ? bundle->asked_cmdline : "",
		      "the addons' command line", a, diag);
	append = clean(options->append ? options->append : "", "--append", a, diag);
	if (!line || !asked || !append)
		return -diag->error;
	if (options->load_crash && has_word_with(append, "elfcorehdr")) {
		fail(diag, EINVAL, "cmdline/elfcorehdr",
		     "--append has an elfcorehdr= of its own, which would hide this load's");
		return fail_advise(diag, "leave it out: -p adds the right one");
	}
	r = join(&line, origin, asked, a, diag);
	if (r == 0)
		r = join(&line, origin, append, a, diag);
	if (r < 0)
		return r;
	*ret = line;
	return 0;
}

bool cmdline_find_number(const char *cmdline, const char *key, uint64_t *ret)
{
	bool is_found = false;
	struct word w;

	for (size_t from = 0; next_word(cmdline, from, &w) && !ends_kernel_words(cmdline, w);
	     from = w.end) {
		const char *value = cmdline + w.start + strlen(key) + 1;
		unsigned long long number;
		char *end;

		if (cmdline[w.start] == '"' || !has_key(cmdline, w, key))
			continue;
		errno = 0;
		number = strtoull(value, &end, 0);
		if (end != cmdline + w.end || *value < '0' || *value > '9' || errno != 0)
			continue;
		*ret = number;
		is_found = true;
	}
	return is_found;
}
