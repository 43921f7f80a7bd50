// SPDX-License-Identifier: GPL-2.0-or-later
/* Statement by statement. What the commands do is in grub_commands.c. */
#include "grub_cfg.h"

#include <stdio.h>
#include <string.h>

#include "grub_eval.h"

#define STEPS_MAX  100000
#define TOKENS_MAX 200000
#define DEPTH_MAX  32 /* of blocks within blocks */
#define BYTES_MAX  (8 * 1024 * 1024)
#define SAID_MAX   200 /* bytes of one explanation, reckoned */

/* ---- what is said ---- */

const char *grub_say(struct grub *g, size_t at, const char *fmt, ...)
{
	const struct entry_file *file =
		at < g->n_cfg || !g->in->custom ? g->in->cfg : g->in->custom;
	const char *text, *said = NULL;
	va_list args;

	if (g->scope.bytes_left >= SAID_MAX) {
		g->scope.bytes_left -= SAID_MAX;
		va_start(args, fmt);
		text = arena_vprintf(g->l->arena, fmt, args);
		va_end(args);
		if (text)
			said = arena_printf(g->l->arena, "%s line %zu: %.400s", file->name,
					    at < g->n ? g->t[at].line : 0, text);
		g->l->is_short |= !said;
	}
	return said ? said : "there is more in it than this reader takes";
}

/* A statement, as it stands there. */
static const char *quote(const struct grub *g, size_t from, size_t to, char ret[static 64])
{
	size_t n = 0;

	for (size_t i = from; i < to && g->t[i].kind != GRUB_SEPARATOR; i++) {
		const struct span s = g->t[i].text;

		if (n > 0 && n < 60)
			ret[n++] = ' ';
		for (size_t j = 0; j < s.len && n < 60; j++)
			ret[n++] = s.data[j] < ' ' ? ' ' : (char)s.data[j];
	}
	ret[n] = '\0';
	return ret;
}

void grub_assign(struct grub *g, const char *name, const char *value, const char *unknown)
{
	grub_set(g->vars, name, value, g->maybe ? g->maybe : unknown);
}

void grub_forget_at(struct grub *g, size_t at, const char *command)
{
	grub_forget(g->vars,
		    grub_say(g, at, "'%.60s' is not known here, and may have changed anything",
			     command));
	g->has_lost_index = true;
	g->status = GRUB_UNKNOWN;
}

/* The rest of the range is not read. */
static size_t give_up(struct grub *g, size_t at, size_t to, const char *what)
{
	const char *why = grub_say(g, at, "%s: what follows is not read", what);

	grub_forget(g->vars, why);
	g->has_lost_index = true;
	g->status = GRUB_UNKNOWN;
	if (g->e)
		fail_entry(g->l, g->e, "entries/grub-syntax", "%s", why);
	return to;
}

/* ---- finding one's way in the tokens ---- */

/* The '}' of the '{' before at; to: there is none. */
static size_t find_close(const struct grub *g, size_t at, size_t to)
{
	size_t depth = 1;

	for (; at < to; at++) {
		depth += g->t[at].kind == GRUB_OPEN;
		depth -= g->t[at].kind == GRUB_CLOSE;
		if (depth == 0)
			return at;
	}
	return to;
}

/* The first token from at on that is no word. */
static size_t find_end(const struct grub *g, size_t at, size_t to)
{
	while (at < to && g->t[at].kind == GRUB_WORD)
		at++;
	return at;
}

static bool is_one_of(const struct grub_token *t, const char *const *words)
{
	for (; *words; words++)
		if (grub_token_is(t, *words))
			return true;
	return false;
}

/* The next of these keywords that belongs to the same if, where a command may begin; to: none. */
static size_t find_keyword(const struct grub *g, size_t at, size_t to, const char *const *words)
{
	static const char *const before[] = { "if", "then", "elif", "else", NULL };
	bool may_begin = true;
	size_t depth = 0;

	for (; at < to; at++) {
		const struct grub_token *t = &g->t[at];

		if (may_begin && depth == 0 && is_one_of(t, words))
			return at;
		if (may_begin && grub_token_is(t, "if"))
			depth++;
		if (may_begin && grub_token_is(t, "fi")) {
			if (depth == 0)
				return to;
			depth--;
		}
		may_begin = t->kind != GRUB_WORD || (may_begin && is_one_of(t, before));
	}
	return to;
}

/* ---- statements ---- */

static void expand(struct grub *g, size_t from, size_t to, struct grub_words *ret)
{
	*ret = (struct grub_words){ 0 };
	g->scope.vars = g->vars;
	g->scope.status = g->status == GRUB_YES ? "0" : g->status == GRUB_NO ? "1" : NULL;
	for (size_t i = from; i < to; i++)
		grub_expand(&g->scope, g->t[i].text, false, ret);
}

/* From "if" or "elif": the condition and its branch. *ret_end: the keyword that ends it; to:
 * broken. */
static enum grub_truth run_branch(struct grub *g, size_t at, size_t to, bool is_to_run,
				  size_t *ret_end)
{
	static const char *const then[] = { "then", NULL };
	static const char *const ends[] = { "elif", "else", "fi", NULL };
	const size_t body = find_keyword(g, at + 1, to, then);
	enum grub_truth truth = GRUB_NO;
	char text[64];

	*ret_end = body == to ? to : find_keyword(g, body + 1, to, ends);
	if (*ret_end == to || !is_to_run)
		return GRUB_NO;
	grub_run(g, at + 1, body);
	truth = g->status;
	if (truth == GRUB_UNKNOWN && !g->maybe)
		g->maybe = grub_say(g, at, "whether '%s' holds is not known%s%s",
				    quote(g, at + 1, body, text), g->words_unknown ? ": " : "",
				    g->words_unknown ? g->words_unknown : "");
	if (truth != GRUB_NO)
		grub_run(g, body + 1, *ret_end);
	return truth;
}

static size_t run_if(struct grub *g, size_t at, size_t to)
{
	static const char *const fi[] = { "fi", NULL };
	const char *const maybe = g->maybe;
	bool is_decided = false;
	size_t end;

	do {
		is_decided |= run_branch(g, at, to, !is_decided, &end) == GRUB_YES;
		at = end;
	} while (at < to && grub_token_is(&g->t[at], "elif"));
	if (at < to && grub_token_is(&g->t[at], "else")) {
		end = find_keyword(g, at + 1, to, fi);
		if (end < to && !is_decided)
			grub_run(g, at + 1, end);
		at = end;
	}
	if (g->maybe != maybe)
		g->status = GRUB_UNKNOWN;
	g->maybe = maybe;
	return at < to ? at + 1 : give_up(g, to - 1, to, "an if without its end");
}

static struct grub_item *add_item(struct grub *g)
{
	const size_t more = g->items_room ? 2 * g->items_room : 32;

	if (g->n_items == 2 * ENTRIES_MAX) {
		g->l->is_full = true;
		return NULL;
	}
	if (g->n_items == g->items_room) {
		struct grub_item *bigger = arena_alloc_array(g->l->arena, more, sizeof(*bigger));

		if (!bigger) {
			g->l->is_short = true;
			return NULL;
		}
		if (g->n_items > 0)
			memcpy(bigger, g->items, g->n_items * sizeof(*bigger));
		g->items = bigger;
		g->items_room = more;
	}
	return &g->items[g->n_items++];
}

/* menuentry TITLE [--class C] [--users U] [--hotkey K] [--source S] [--id ID] [--unrestricted] ...
 */
static void take_names(const struct grub_words *w, struct grub_item *item)
{
	static const char *const valued[] = { "--class", "--users", "--hotkey", "--source",
					      "--id" };

	for (size_t i = 0; i < w->n; i++) {
		const char *value = NULL;
		bool is_option = strncmp(w->v[i], "--", 2) == 0, is_id = false;

		for (size_t j = 0; j < array_len(valued) && !value; j++) {
			const size_t len = strlen(valued[j]);

			if (strncmp(w->v[i], valued[j], len) != 0)
				continue;
			is_id = strcmp(valued[j], "--id") == 0;
			if (w->v[i][len] == '=')
				value = w->v[i] + len + 1;
			else if (w->v[i][len] == '\0' && i + 1 < w->n)
				value = w->v[++i];
		}
		if (is_id && value)
			item->id = value;
		if (!is_option && !item->title)
			item->title = w->v[i];
	}
}

static size_t run_menu_item(struct grub *g, size_t at, size_t to)
{
	const size_t open = find_end(g, at, to);
	const size_t close = open < to ? find_close(g, open + 1, to) : to;
	struct grub_item *item;
	struct grub_words w;

	if (close == to || g->t[open].kind != GRUB_OPEN)
		return give_up(g, at, to, "a menu entry without its braces");
	if (g->e) {
		fail_entry(g->l, g->e, "entries/grub-command", "%s",
			   grub_say(g, at, "a menu within an entry"));
		return close + 1;
	}
	expand(g, at + 1, open, &w);
	item = add_item(g);
	if (!item)
		return close + 1;
	*item = (struct grub_item){ .is_submenu = grub_token_is(&g->t[at], "submenu"),
				    .from = open + 1,
				    .to = close,
				    .at = at,
				    .why = g->maybe };
	take_names(&w, item);
	if (!item->why && w.unknown)
		item->why = grub_say(g, at, "its name: %s", w.unknown);
	/* Whether it is there decides the numbers of those behind it. */
	g->has_lost_index |= g->maybe != NULL;
	item->has_index = !g->has_lost_index;
	item->index = g->next_index++;
	return close + 1;
}

static const struct grub_function *find_function(const struct grub *g, const char *name)
{
	for (size_t i = g->n_functions; i-- > 0;)
		if (strcmp(g->functions[i].name, name) == 0)
			return &g->functions[i];
	return NULL;
}

static size_t define_function(struct grub *g, size_t at, size_t to)
{
	const size_t open = find_end(g, at, to);
	const size_t close = open < to ? find_close(g, open + 1, to) : to;
	struct grub_words w;

	if (close == to || open != at + 2 || g->t[open].kind != GRUB_OPEN)
		return give_up(g, at, to, "a function without a name or braces");
	if (g->n_functions == GRUB_FUNCTIONS_MAX)
		return give_up(g, at, to, "more functions than this reader keeps");
	expand(g, at + 1, open, &w);
	if (w.unknown || w.n != 1)
		return give_up(g, at, to, "a function without a plain name");
	g->functions[g->n_functions] =
		(struct grub_function){ .name = w.v[0],
					.from = open + 1,
					.to = close,
					.is_sure = !g->maybe && !find_function(g, w.v[0]) };
	g->n_functions++;
	return close + 1;
}

static void call(struct grub *g, size_t at, const struct grub_words *w)
{
	const struct grub_function *f = find_function(g, w->v[0]);
	const struct grub_scope outer = g->scope;
	const bool was_in_function = g->is_in_function;

	if (!f || !f->is_sure) {
		grub_forget_at(g, at, w->v[0]);
		if (g->e)
			fail_entry(g->l, g->e, "entries/grub-command", "%s",
				   grub_say(g, at, "'%.60s' is not known here", w->v[0]));
		return;
	}
	g->scope.arguments = w->v + 1;
	g->scope.n_arguments = w->n - 1;
	g->scope.unknown_arguments = w->unknown;
	g->is_in_function = true;
	g->status = GRUB_YES;
	grub_run(g, f->from, f->to);
	g->is_returning = false;
	g->is_in_function = was_in_function;
	g->scope.arguments = outer.arguments;
	g->scope.n_arguments = outer.n_arguments;
	g->scope.unknown_arguments = outer.unknown_arguments;
}

/* NAME=VALUE as a command of its own. */
static bool run_assignment(struct grub *g, size_t at)
{
	const struct span s = g->t[at].text;
	struct grub_words w = { 0 };
	size_t len = 0;
	const char *name;

	while (len < s.len && s.data[len] != '=')
		len++;
	if (len == s.len || !grub_is_name((const char *)s.data, len))
		return false;
	name = arena_strndup(g->l->arena, (const char *)s.data, len);
	g->scope.vars = g->vars;
	grub_expand(&g->scope, span_of(s.data + len + 1, s.len - len - 1), true, &w);
	if (!name)
		g->l->is_short = true;
	else
		grub_assign(g, name, w.n > 0 ? w.v[0] : "", w.unknown);
	g->status = GRUB_YES;
	return true;
}

static size_t run_command(struct grub *g, size_t at, size_t to)
{
	const size_t end = find_end(g, at, to);
	bool is_inverted = false;
	struct grub_words w;

	if (end < to && g->t[end].kind != GRUB_SEPARATOR)
		return give_up(g, end, to, "something that this reader does not know");
	if (end == at + 1 && run_assignment(g, at))
		return end;
	for (; at + 1 < end && grub_token_is(&g->t[at], "!"); at++)
		is_inverted = !is_inverted;
	expand(g, at, end, &w);
	g->words_unknown = w.unknown;
	if (w.n == 0 && !w.unknown)
		return end;
	/* When the first word is one with a variable that is not known, so is the command. */
	if (w.n == 0 || (w.unknown && memchr(g->t[at].text.data, '$', g->t[at].text.len)))
		return give_up(g, at, to, "a command whose name is not known");
	if (!grub_command(g, at, &w))
		call(g, at, &w);
	if (is_inverted && g->status != GRUB_UNKNOWN)
		g->status = g->status == GRUB_YES ? GRUB_NO : GRUB_YES;
	return end;
}

static size_t run_statement(struct grub *g, size_t at, size_t to)
{
	static const char *const loops[] = { "while", "until", "for",  "select", "case",
					     "then",  "elif",  "else", "fi",	 "do",
					     "done",  "time",  NULL };
	const struct grub_token *t = &g->t[at];

	if (t->kind != GRUB_WORD)
		return give_up(g, at, to, "something that this reader does not know");
	if (grub_token_is(t, "if"))
		return run_if(g, at, to);
	if (grub_token_is(t, "menuentry") || grub_token_is(t, "submenu"))
		return run_menu_item(g, at, to);
	if (grub_token_is(t, "function"))
		return define_function(g, at, to);
	if (is_one_of(t, loops))
		return give_up(g, at, to, "a loop, or a keyword out of place");
	return run_command(g, at, to);
}

void grub_run(struct grub *g, size_t from, size_t to)
{
	size_t at = from;

	if (from >= to)
		return;
	if (g->depth == DEPTH_MAX) {
		give_up(g, from, to, "blocks within blocks, too many of them");
		return;
	}
	g->depth++;
	while (at < to && !g->is_returning) {
		if (g->t[at].kind == GRUB_SEPARATOR)
			at++;
		else if (g->steps++ >= STEPS_MAX || g->l->is_short)
			at = give_up(g, at, to, "more commands than this reader runs");
		else
			at = run_statement(g, at, to);
	}
	g->depth--;
}

/* ---- menus ---- */

struct menu {
	const struct entry_level *levels; /* that lead to it */
	size_t n_levels;
	const char *why; /* not NULL: what is in it cannot be used */
};

static struct grub_variables *copy_variables(struct grub *g, bool only_exported)
{
	struct grub_variables *copy;

	if (g->scope.bytes_left < sizeof(*copy))
		return NULL;
	copy = arena_alloc(g->l->arena, sizeof(*copy));
	if (!copy) {
		g->l->is_short = true;
		return NULL;
	}
	if (only_exported)
		g->scope.bytes_left -= sizeof(*copy);
	*copy = *g->vars;
	copy->n = 0;
	for (size_t i = 0; i < g->vars->n; i++)
		if (!only_exported || g->vars->v[i].is_exported)
			copy->v[copy->n++] = g->vars->v[i];
	return copy;
}

static const struct entry_level *make_levels(struct grub *g, const struct menu *m,
					     const struct grub_item *item)
{
	struct entry_level *levels =
		arena_alloc_array(g->l->arena, m->n_levels + 1, sizeof(*levels));

	if (!levels) {
		g->l->is_short = true;
		return NULL;
	}
	if (m->n_levels > 0)
		memcpy(levels, m->levels, m->n_levels * sizeof(*levels));
	levels[m->n_levels] =
		(struct entry_level){ item->has_index, item->index, item->title, item->id };
	return levels;
}

static void add_entry(struct grub *g, const struct menu *m, const struct grub_item *item,
		      struct grub_variables *scratch)
{
	struct grub_variables *vars = g->vars;
	struct boot_entry *e = entry_add(g->l);
	const char *title = item->title ? item->title : "";

	if (!e)
		return;
	e->kind = ENTRY_GRUB;
	e->place = e->source = g->in->place;
	e->file = item->at < g->n_cfg || !g->in->custom ? g->in->cfg->name : g->in->custom->name;
	e->line = g->t[item->at].line;
	e->title = entry_string(g->l, e, title);
	e->id = item->id ? entry_string(g->l, e, item->id) : e->title;
	if (item->why || m->why)
		fail_entry(g->l, e, "entries/grub-condition", "%s", item->why ? item->why : m->why);
	e->levels = make_levels(g, m, item);
	e->n_levels = e->levels ? m->n_levels + 1 : 0;
	*scratch = *vars;
	g->vars = scratch;
	g->e = e;
	g->status = GRUB_YES;
	g->is_returning = false;
	grub_run(g, item->from, item->to);
	g->e = NULL;
	g->vars = vars;
	if (strstr(e->options ? e->options : "", GRUB_DEVICE))
		fail_entry(g->l, e, "entries/grub-unknown",
			   "its command line has GRUB's name of a disk");
	entry_finish(g->l, e);
}

/* The items from first on are this menu's; those of submenus come behind them. */
static void add_items(struct grub *g, const struct menu *m, size_t first)
{
	const size_t end = g->n_items;
	struct grub_variables *scratch = copy_variables(g, false), *vars = g->vars;

	for (size_t i = first; i < end && scratch; i++) {
		const struct grub_item item = g->items[i];
		struct menu inner = { .n_levels = m->n_levels + 1,
				      .why = item.why ? item.why : m->why };
		const size_t inner_first = g->n_items;

		if (!item.is_submenu) {
			add_entry(g, m, &item, scratch);
			continue;
		}
		if (inner.n_levels == ENTRY_LEVELS_MAX)
			continue;
		inner.levels = make_levels(g, m, &item);
		g->vars = copy_variables(g, true);
		if (g->vars && inner.levels) {
			g->next_index = 0;
			g->has_lost_index = g->is_returning = false;
			grub_run(g, item.from, item.to);
			add_items(g, &inner, inner_first);
		}
		g->vars = vars;
	}
}

/* ---- all of it ---- */

/* What GRUB of any version since 2.02 sets itself; and what it sets, and nobody here can know. */
static void set_own(struct grub *g)
{
	static const char *const features[] = {
		"feature_chainloader_bpb",	"feature_ntldr",
		"feature_platform_search_hint", "feature_default_font_path",
		"feature_all_video_module",	"feature_menuentry_id",
		"feature_menuentry_options",	"feature_200_final",
		"feature_nativedisk_cmd",	"feature_timeout_style",
	};
	static const char *const others[] = {
		"cmdpath",   "grub_cpu",	   "chosen", "check_signatures", "lockdown",
		"shim_lock", "net_default_server", "lang"
	};
	const char *device = entry_printf(g->l, GRUB_DEVICE "%zu", g->in->place);
	const char *prefix = entry_printf(g->l, "(%s)" GRUB_FOLDER, device ? device : "");

	for (size_t i = 0; i < array_len(features); i++) {
		grub_set(g->vars, features[i], "y", NULL);
		grub_export(g->vars, features[i]);
	}
	for (size_t i = 0; i < array_len(others); i++)
		grub_set(g->vars, others[i], NULL, "only GRUB itself knows this variable");
	grub_set(g->vars, "grub_platform", g->in->platform,
		 g->in->platform ? NULL : "the platform is not known");
	grub_set(g->vars, "root", device, NULL);
	grub_set(g->vars, "prefix", prefix, NULL);
	grub_set(g->vars, "config_directory", prefix, NULL);
	grub_export(g->vars, "grub_platform");
	grub_export(g->vars, "root");
	grub_export(g->vars, "prefix");
	grub_export(g->vars, "config_directory");
}

static bool make_tokens(struct grub *g)
{
	const struct span cfg = g->in->cfg->bytes;
	const struct span custom = g->in->custom ? g->in->custom->bytes : span_of(NULL, 0);
	struct grub_token *list;

	g->n_cfg = grub_tokens(cfg, NULL, 0);
	g->n = g->n_cfg + grub_tokens(custom, NULL, 0);
	if (g->n > TOKENS_MAX)
		return false;
	list = arena_alloc_array(g->l->arena, g->n, sizeof(*list));
	if (!list) {
		g->l->is_short = true;
		return false;
	}
	grub_tokens(cfg, list, g->n_cfg);
	grub_tokens(custom, list + g->n_cfg, g->n - g->n_cfg);
	g->t = list;
	return true;
}

void grub_cfg_read(const struct grub_input *in, struct entry_list *l, struct grub_result *ret)
{
	struct grub *g = arena_alloc(l->arena, sizeof(*g));
	struct menu top = { 0 };

	*ret = (struct grub_result){ .default_why = "grub.cfg is longer than this reader takes" };
	if (!g) {
		l->is_short = true;
		return;
	}
	*g = (struct grub){ .in = in,
			    .l = l,
			    .status = GRUB_YES,
			    .scope = { .arena = l->arena, .bytes_left = BYTES_MAX } };
	g->vars = arena_alloc(l->arena, sizeof(*g->vars));
	if (!g->vars)
		l->is_short = true;
	if (!g->vars ||
	    in->cfg->bytes.len + (in->custom ? in->custom->bytes.len : 0) > GRUB_CFG_MAX ||
	    !make_tokens(g))
		return;
	set_own(g);
	grub_run(g, 0, g->n_cfg);
	ret->default_path = grub_get(g->vars, "default", &ret->default_why);
	if (ret->default_path && *ret->default_path == '\0')
		ret->default_path = "0";
	add_items(g, &top, 0);
	ret->vars = g->vars;
	ret->has_blscfg = g->has_blscfg;
	ret->bytes_left = g->scope.bytes_left;
	l->is_short |= g->scope.is_short;
}

/* ---- lines of type 1 entries ---- */

void grub_expand_line(const char *line, struct grub_result *grub, struct entry_list *l,
		      struct boot_entry *e, struct grub_words *ret)
{
	static const struct grub_variables unknown = { .unknown = "there is no grub.cfg" };
	struct grub_scope s = { .arena = l->arena,
				.vars = grub->vars ? grub->vars : &unknown,
				.bytes_left = grub->bytes_left };
	const struct span text = span_of(line, strlen(line));
	const size_t n = grub_tokens(text, NULL, 0);
	struct grub_token *list = arena_alloc_array(l->arena, n, sizeof(*list));

	*ret = (struct grub_words){ 0 };
	if (!list) {
		l->is_short = true;
		return;
	}
	grub_tokens(text, list, n);
	for (size_t i = 0; i < n; i++) {
		if (list[i].kind == GRUB_WORD)
			grub_expand(&s, list[i].text, false, ret);
		else
			fail_entry(l, e, "entries/grub-syntax",
				   "GRUB would not take this line as words: %.200s", line);
	}
	grub->bytes_left = s.bytes_left;
	l->is_short |= s.is_short;
	if (ret->unknown)
		fail_entry(l, e, "entries/grub-unknown", "'%.100s' depends on a variable: %s", line,
			   ret->unknown);
}

/* As GRUB does it: quotes around what has blanks, backslashes before quotes and backslashes. */
const char *grub_join(const struct grub_words *words, size_t first, struct entry_list *l)
{
	size_t room = 1, n = 0;
	char *text;

	for (size_t i = first; i < words->n; i++)
		room += 2 * strlen(words->v[i]) + 3;
	text = arena_alloc(l->arena, room);
	if (!text) {
		l->is_short = true;
		return NULL;
	}
	for (size_t i = first; i < words->n; i++) {
		const bool has_blank = strpbrk(words->v[i], " ") != NULL;

		if (i > first)
			text[n++] = ' ';
		if (has_blank)
			text[n++] = '"';
		for (const char *c = words->v[i]; *c != '\0'; c++) {
			if (strchr("\\'\"", *c))
				text[n++] = '\\';
			text[n++] = *c;
		}
		if (has_blank)
			text[n++] = '"';
	}
	text[n] = '\0';
	return text;
}
