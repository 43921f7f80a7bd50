// SPDX-License-Identifier: GPL-2.0-or-later
#include "grub_script.h"

#include <string.h>

/* ---- tokens ---- */

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Ends a word, unless it is quoted. */
static bool is_special(uint8_t c)
{
	return is_blank(c) || c == '\n' || memchr(";{}|&<>", c, 7) != NULL;
}

/* The bytes of the word at the beginning of s; 0: a quote in it never ends. */
static size_t word_len(struct span s)
{
	size_t i = 0;

	while (i < s.len && !is_special(s.data[i])) {
		const uint8_t c = s.data[i++];

		if (c == '\\') {
			i += i < s.len;
		} else if (c == '$' && i < s.len && s.data[i] == '{') {
			while (i < s.len && s.data[i] != '}' && s.data[i] != '\n')
				i++;
			if (i == s.len || s.data[i++] != '}')
				return 0;
		} else if (c == '\'' || c == '"') {
			while (i < s.len && s.data[i] != c)
				i += c == '"' && s.data[i] == '\\' && i + 1 < s.len ? 2 : 1;
			if (i == s.len)
				return 0;
			i++;
		}
	}
	return i;
}

static size_t count_lines(struct span s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += s.data[i] == '\n';
	return n;
}

/* What separates nothing: blanks, comments, lines that go on. */
static size_t blank_len(struct span s)
{
	size_t i = 0;

	if (is_blank(s.data[0]))
		return 1;
	if (s.data[0] == '\\' && s.len > 1 && s.data[1] == '\n')
		return 2;
	if (s.data[0] != '#')
		return 0;
	while (i < s.len && s.data[i] != '\n')
		i++;
	return i;
}

static struct grub_token next_token(struct span s, size_t line)
{
	struct grub_token t = { .kind = GRUB_SEPARATOR, .text = span_of(s.data, 1), .line = line };
	size_t len;

	switch (s.data[0]) {
	case '\n':
	case ';':
		return t;
	case '{':
		t.kind = GRUB_OPEN;
		return t;
	case '}':
		t.kind = GRUB_CLOSE;
		return t;
	}
	len = word_len(s);
	t.kind = len > 0 && !memchr(s.data, '\0', len) ? GRUB_WORD : GRUB_BAD;
	/* After a quote without an end everything is something else than it looks. */
	t.text = span_of(s.data, len > 0 ? len : is_special(s.data[0]) ? 1 : s.len);
	return t;
}

size_t grub_tokens(struct span text, struct grub_token *list, size_t max)
{
	size_t n = 0, line = 1;

	while (text.len > 0) {
		size_t len = blank_len(text);

		if (len == 0) {
			struct grub_token t = next_token(text, line);

			len = t.text.len;
			if (list && n < max)
				list[n] = t;
			n++;
		}
		line += count_lines(span_of(text.data, len));
		text = span_of(text.data + len, text.len - len);
	}
	return n;
}

bool grub_token_is(const struct grub_token *t, const char *word)
{
	return t->kind == GRUB_WORD && t->text.len == strlen(word) &&
	       span_starts_with(t->text, word, t->text.len);
}

/* ---- variables ---- */

static struct grub_variable *find_variable(struct grub_variables *vars, const char *name)
{
	for (size_t i = 0; i < vars->n; i++)
		if (strcmp(vars->v[i].name, name) == 0)
			return &vars->v[i];
	return NULL;
}

void grub_set(struct grub_variables *vars, const char *name, const char *value, const char *unknown)
{
	struct grub_variable *v = find_variable(vars, name);

	if (!v && vars->n == GRUB_VARIABLES_MAX) {
		grub_forget(vars, "there are more variables than this reader keeps");
		return;
	}
	if (!v) {
		v = &vars->v[vars->n++];
		*v = (struct grub_variable){ .name = name };
	}
	v->value = unknown ? NULL : value;
	v->unknown = unknown;
}

void grub_export(struct grub_variables *vars, const char *name)
{
	struct grub_variable *v = find_variable(vars, name);

	if (!v) {
		grub_set(vars, name, NULL, vars->unknown);
		v = find_variable(vars, name);
	}
	if (v)
		v->is_exported = true;
}

const char *grub_get(const struct grub_variables *vars, const char *name, const char **ret_unknown)
{
	for (size_t i = 0; i < vars->n; i++) {
		const struct grub_variable *v = &vars->v[i];

		if (strcmp(v->name, name) != 0)
			continue;
		if (v->unknown)
			*ret_unknown = v->unknown;
		return v->unknown ? NULL : v->value ? v->value : "";
	}
	if (vars->unknown)
		*ret_unknown = vars->unknown;
	return vars->unknown ? NULL : "";
}

void grub_forget(struct grub_variables *vars, const char *why)
{
	vars->unknown = why;
	for (size_t i = 0; i < vars->n; i++) {
		vars->v[i].value = NULL;
		vars->v[i].unknown = why;
	}
}

static bool is_name_byte(char c, bool is_first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       (!is_first && c >= '0' && c <= '9');
}

bool grub_is_name(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!is_name_byte(s[i], i == 0))
			return false;
	return len > 0;
}

/* ---- words ---- */

struct builder {
	struct grub_scope *scope;
	struct grub_words *words;
	bool is_one;
	bool is_begun; /* there is a word, though it may be empty */
	char *text;
	size_t len, room;
};

static void add_byte(struct builder *b, char c)
{
	if (b->len + 1 >= b->room) {
		const size_t more = b->room ? b->room * 2 : 64;
		char *bigger;

		if (more > 2 * GRUB_VALUE_MAX || b->scope->bytes_left < more) {
			b->words->unknown = "a word in it is longer than this reader takes";
			return;
		}
		b->scope->bytes_left -= more;
		bigger = arena_alloc(b->scope->arena, more);
		if (!bigger) {
			b->scope->is_short = true;
			return;
		}
		if (b->len > 0)
			memcpy(bigger, b->text, b->len);
		b->text = bigger;
		b->room = more;
	}
	b->text[b->len++] = c;
	b->text[b->len] = '\0';
	b->is_begun = true;
}

static void end_word(struct builder *b)
{
	struct grub_words *w = b->words;

	if (!b->is_begun)
		return;
	if (w->n == w->room) {
		const size_t more = w->room ? w->room * 2 : 8;
		const char **bigger;

		if (b->scope->bytes_left < more * sizeof(*bigger)) {
			w->unknown = "it has more words than this reader takes";
			return;
		}
		b->scope->bytes_left -= more * sizeof(*bigger);
		bigger = arena_alloc_array(b->scope->arena, more, sizeof(*bigger));
		if (!bigger) {
			b->scope->is_short = true;
			return;
		}
		if (w->n > 0)
			memcpy(bigger, w->v, w->n * sizeof(*bigger));
		w->v = bigger;
		w->room = more;
	}
	w->v[w->n++] = b->text ? b->text : "";
	b->text = NULL;
	b->len = b->room = 0;
	b->is_begun = false;
}

static const char *value_of(struct builder *b, const char *name)
{
	const struct grub_scope *s = b->scope;
	const char *value, *unknown = NULL;

	if (strcmp(name, "?") == 0) {
		value = s->status;
		unknown = "whether the command before it worked is not known";
	} else if (name[0] >= '1' && name[0] <= '9' && name[1] == '\0') {
		const size_t i = (size_t)(name[0] - '1');

		value = s->unknown_arguments ? NULL : i < s->n_arguments ? s->arguments[i] : "";
		unknown = s->unknown_arguments;
	} else if (grub_is_name(name, strlen(name))) {
		value = grub_get(s->vars, name, &unknown);
	} else {
		value = NULL;
		unknown = "a variable of such a name is not known here";
	}
	if (!value && !b->words->unknown)
		b->words->unknown = unknown;
	return value ? value : "";
}

static void add_value(struct builder *b, const char *name, bool is_quoted)
{
	for (const char *c = value_of(b, name); *c != '\0'; c++) {
		if (!is_quoted && !b->is_one && (*c == ' ' || *c == '\t'))
			end_word(b);
		else
			add_byte(b, *c);
	}
}

/* At a '$': the bytes that it and its name take. A '$' without one is itself. */
static size_t add_variable(struct builder *b, struct span s, bool is_quoted)
{
	char name[64] = "";
	size_t i = 1, n = 0;
	bool has_braces = i < s.len && s.data[i] == '{';

	i += has_braces;
	for (; i < s.len && n + 1 < sizeof(name); i++) {
		const char c = (char)s.data[i];

		if (has_braces ? c == '}' :
				 !is_name_byte(c, n == 0) &&
					 !(n == 0 && (c == '?' || (c >= '0' && c <= '9') ||
						      c == '@' || c == '*' || c == '#')))
			break;
		name[n++] = c;
		if (!has_braces && !grub_is_name(name, n)) {
			i++;
			break;
		}
	}
	name[n] = '\0';
	if (n == 0 && !has_braces) {
		add_byte(b, '$');
		return 1;
	}
	if (n + 1 == sizeof(name))
		name[0] = '!'; /* no name that there may be */
	add_value(b, name, is_quoted);
	while (has_braces && i < s.len && s.data[i] != '}')
		i++;
	return i + has_braces;
}

/* Behind the opening quote: up to behind the closing one. */
static size_t add_double_quoted(struct builder *b, struct span s)
{
	size_t i = 0;

	while (i < s.len && s.data[i] != '"') {
		const struct span rest = span_of(s.data + i, s.len - i);

		if (rest.data[0] == '$') {
			i += add_variable(b, rest, true);
			continue;
		}
		if (rest.data[0] == '\\' && rest.len > 1 && memchr("$\"\\\n", rest.data[1], 4)) {
			if (rest.data[1] != '\n')
				add_byte(b, (char)rest.data[1]);
			i += 2;
			continue;
		}
		add_byte(b, (char)rest.data[0]);
		i++;
	}
	return i + 1;
}

void grub_expand(struct grub_scope *s, struct span word, bool is_one, struct grub_words *ret)
{
	struct builder b = { .scope = s, .words = ret, .is_one = is_one, .is_begun = is_one };
	size_t i = 0;

	while (i < word.len) {
		const struct span rest = span_of(word.data + i, word.len - i);
		const uint8_t c = rest.data[0];

		if (c == '$') {
			i += add_variable(&b, rest, false);
		} else if (c == '"') {
			b.is_begun = true;
			i += 1 + add_double_quoted(&b, span_of(rest.data + 1, rest.len - 1));
		} else if (c == '\'') {
			b.is_begun = true;
			for (i++; i < word.len && word.data[i] != '\''; i++)
				add_byte(&b, (char)word.data[i]);
			i++;
		} else if (c == '\\' && rest.len > 1) {
			if (rest.data[1] != '\n')
				add_byte(&b, (char)rest.data[1]);
			i += 2;
		} else {
			add_byte(&b, (char)c);
			i++;
		}
	}
	end_word(&b);
}
