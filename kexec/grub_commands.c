// SPDX-License-Identifier: GPL-2.0-or-later
/* What GRUB's commands do, as far as entries depend on it. */
#include <string.h>
#include <strings.h>

#include "grub_eval.h"

/* Those that change no variable. Whether they work is another question. */
static const char *const harmless[] = {
	"insmod",
	"rmmod",
	"echo",
	"terminal_input",
	"terminal_output",
	"terminal",
	"serial",
	"loadfont",
	"background_image",
	"background_color",
	"play",
	"clear",
	"save_env",
	"sleep",
	"videoinfo",
	"password",
	"password_pbkdf2",
	"cryptomount",
	"keystatus",
	"keymap",
	"sendkey",
	"badram",
	"cutmem",
	"gettext",
	"list_env",
	"lsmod",
	"usb_keyboard",
	"at_keyboard",
	"terminfo",
	"outb",
	"acpi",
	"loadbios",
	"fakebios",
	"fix_video",
	"efifwsetup",
	"rmconfig",
	"boot",
	NULL,
};

/* Those of which an entry could be one that is no Linux, or not only. */
static const char *const other_loaders[] = {
	"multiboot",
	"multiboot2",
	"module",
	"module2",
	"chainloader",
	"chain",
	"configfile",
	"legacy_configfile",
	"xen_hypervisor",
	"xen_module",
	"xnu_kernel",
	"xnu_kernel64",
	"knetbsd",
	"kopenbsd",
	"kfreebsd",
	"ntldr",
	"freedos",
	"fwsetup",
	"reboot",
	"halt",
	"exit",
	"normal",
	"normal_exit",
	"extract_entries_configfile",
	"syslinux_configfile",
	"linux_new",
	NULL,
};

static bool is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

static enum grub_truth truth(bool is_true)
{
	return is_true ? GRUB_YES : GRUB_NO;
}

static void fail_here(struct grub *g, size_t at, const char *id, const char *what, const char *why)
{
	fail_entry(g->l, g->e, id, "%s",
		   grub_say(g, at, "%s%s%s", what, why ? ": " : "", why ? why : ""));
}

/* ---- variables ---- */

/* The name of a file in GRUB's own folder; NULL: it is elsewhere. */
static const char *in_folder(const struct grub *g, const char *path)
{
	const char *ignored = NULL, *prefix = grub_get(g->vars, "prefix", &ignored);
	const size_t len = prefix ? strlen(prefix) : 0;

	if (len == 0 || strncmp(path, prefix, len) != 0 || path[len] != '/' ||
	    strncmp(prefix, "(" GRUB_DEVICE, sizeof(GRUB_DEVICE)) != 0)
		return NULL;
	return strchr(path + len + 1, '/') ? NULL : path + len + 1;
}

/* NAME=VALUE in one word. */
static void run_set(struct grub *g, size_t at, const struct grub_words *w)
{
	const char *word = w->n > 1 ? w->v[1] : "", *equals = strchr(word, '=');
	char *name;

	g->status = GRUB_YES;
	if (w->n < 2)
		return;
	if (!equals || !grub_is_name(word, (size_t)(equals - word))) {
		grub_forget_at(g, at, "set");
		return;
	}
	name = arena_strndup(g->l->arena, word, (size_t)(equals - word));
	if (!name)
		g->l->is_short = true;
	else
		grub_assign(g, name, equals + 1, w->unknown);
}

static void run_unset(struct grub *g, const struct grub_words *w, bool is_export)
{
	for (size_t i = 1; i < w->n; i++) {
		if (!grub_is_name(w->v[i], strlen(w->v[i])))
			continue;
		if (is_export)
			grub_export(g->vars, w->v[i]);
		else
			grub_assign(g, w->v[i], NULL, w->unknown);
	}
	g->status = GRUB_YES;
}

/* Behind the options of load_env: the index of the first name. 0: it reads another file than
 * grubenv. */
static size_t skip_env_options(const struct grub *g, const struct grub_words *w)
{
	size_t i = 1;

	while (i < w->n && w->v[i][0] == '-') {
		const char *path = NULL, *name;

		if (strcmp(w->v[i], "-f") == 0 || strcmp(w->v[i], "--file") == 0)
			path = i + 1 < w->n ? w->v[++i] : "";
		else if (strncmp(w->v[i], "--file=", 7) == 0)
			path = w->v[i] + 7;
		else if (strcmp(w->v[i], "-s") != 0 && strcmp(w->v[i], "--skip-sig") != 0)
			return 0;
		name = path ? in_folder(g, path) : NULL;
		if (path && (!name || strcmp(name, "grubenv") != 0))
			return 0;
		i++;
	}
	return i;
}

static void run_load_env(struct grub *g, size_t at, const struct grub_words *w)
{
	const struct grubenv *env = g->in->env;
	const size_t first = w->unknown ? 0 : skip_env_options(g, w);

	/* GRUB may read what is broken here otherwise. */
	if (g->in->is_env_broken || first == 0) {
		grub_forget_at(g, at, "load_env");
		return;
	}
	for (size_t i = 0; env && i < env->n; i++) {
		bool is_wanted = w->n == first;

		for (size_t j = first; j < w->n; j++)
			is_wanted |= strcmp(w->v[j], env->names[i]) == 0;
		if (is_wanted)
			grub_assign(g, env->names[i], env->values[i], NULL);
	}
	g->status = truth(env != NULL);
}

/* The name in --set=NAME, --set NAME or -s NAME; NULL: none. */
static const char *variable_set(const struct grub_words *w, const char *if_bare)
{
	for (size_t i = 1; i < w->n; i++) {
		if (strncmp(w->v[i], "--set=", 6) == 0)
			return w->v[i] + 6;
		if (strcmp(w->v[i], "-s") == 0 || strcmp(w->v[i], "--set") == 0)
			return if_bare ? if_bare : i + 1 < w->n ? w->v[i + 1] : NULL;
	}
	return NULL;
}

/* What looks at the machine and puts what it finds into variables. */
static bool run_probe(struct grub *g, size_t at, const struct grub_words *w)
{
	static const char *const known[] = { "probe", "smbios", "rdmsr",    "inb",
					     "inw",   "inl",	"setpci",   "getkey",
					     "date",  "cpuid",	"test_efi", NULL };
	const char *name = w->v[0], *set = variable_set(w, NULL);

	if (strcmp(name, "hwmatch") == 0)
		set = "match";
	else if (strcmp(name, "read") == 0 || strcmp(name, "increment") == 0 ||
		 strcmp(name, "decrement") == 0)
		set = w->n > 1 ? w->v[w->n - 1] : NULL;
	else if (!is_one_of(name, known))
		return false;
	if (w->unknown)
		grub_forget_at(g, at, name);
	else if (set)
		grub_assign(g, set, NULL, grub_say(g, at, "'%.40s' looks at the machine", name));
	g->status = GRUB_UNKNOWN;
	return true;
}

/* ---- search ---- */

/* The place with this file system; n_places: none of them. */
static size_t find_uuid(const struct grub *g, const char *uuid)
{
	size_t i = 0;

	while (i < g->in->n_places &&
	       (!g->in->places[i].uuid || strcasecmp(g->in->places[i].uuid, uuid) != 0))
		i++;
	return i;
}

static void found_device(struct grub *g, size_t at, const char *set, const char *uuid,
			 const char *unknown)
{
	const size_t place = uuid && !unknown ? find_uuid(g, uuid) : g->in->n_places;

	g->status = truth(true);
	if (place < g->in->n_places) {
		grub_assign(g, set, entry_printf(g->l, GRUB_DEVICE "%zu", place), NULL);
		return;
	}
	g->status = GRUB_UNKNOWN;
	if (uuid && !unknown)
		unknown = grub_say(g, at,
				   "search for the file system %.60s: none of the boot folders "
				   "here is known to be on it",
				   uuid);
	grub_assign(g, set, NULL,
		    unknown ? unknown :
			      grub_say(g, at,
				       "search by something else than --fs-uuid is not done here"));
}

static void run_search(struct grub *g, size_t at, const struct grub_words *w)
{
	const char *set = variable_set(w, "root"), *uuid = NULL, *unknown = w->unknown;
	size_t n_names = 0;
	bool is_by_uuid = false;

	for (size_t i = 1; i < w->n; i++) {
		if (strcmp(w->v[i], "--fs-uuid") == 0 || strcmp(w->v[i], "-u") == 0)
			is_by_uuid = true;
		else if (w->v[i][0] != '-' && n_names++ == 0)
			uuid = w->v[i];
	}
	if (strcmp(w->v[0], "search.fs_uuid") == 0) {
		is_by_uuid = n_names > 0;
		set = w->n > 2 ? w->v[2] : "root";
		n_names = 1;
	}
	g->status = GRUB_UNKNOWN;
	if (!set)
		return;
	if (!grub_is_name(set, strlen(set)))
		grub_forget_at(g, at, "search");
	else
		found_device(g, at, set, is_by_uuid && n_names == 1 ? uuid : NULL, unknown);
}

/* ---- files ---- */

static bool is_listed(struct span names, const char *name)
{
	const size_t len = strlen(name);

	for (size_t i = 0; i + len < names.len; i++)
		if ((i == 0 || names.data[i - 1] == '\n') && names.data[i + len] == '\n' &&
		    memcmp(names.data + i, name, len) == 0)
			return true;
	return false;
}

static enum grub_truth is_file(const void *files, const char *path)
{
	const struct grub *g = files;
	const char *name = in_folder(g, path);

	if (!name)
		return GRUB_UNKNOWN;
	if (strcmp(name, "grubenv") == 0)
		return truth(g->in->env || g->in->is_env_broken);
	if (strcmp(name, "custom.cfg") == 0)
		return truth(g->in->custom != NULL);
	return !g->in->folder ? GRUB_UNKNOWN : truth(is_listed(g->in->folder->bytes, name));
}

static void run_test(struct grub *g, const struct grub_words *w)
{
	size_t n = w->n - 1;

	g->status = GRUB_UNKNOWN;
	if (strcmp(w->v[0], "[") == 0) {
		if (strcmp(w->v[w->n - 1], "]") != 0)
			return;
		n--;
	}
	if (!w->unknown)
		g->status = grub_test(w->v + 1, n, is_file, g);
}

/* custom.cfg and no other file. */
static void run_source(struct grub *g, size_t at, const struct grub_words *w)
{
	const char *name = w->n == 2 && !w->unknown ? in_folder(g, w->v[1]) : NULL;

	if (name && strcmp(name, "custom.cfg") == 0 && g->in->custom && at < g->n_cfg)
		grub_run(g, g->n_cfg, g->n);
	else
		grub_forget_at(g, at, w->v[0]);
}

/* ---- what an entry boots ---- */

/* The path without its device, and the place that it is in. NULL: refused. */
static const char *take_path(struct grub *g, size_t at, const char *word, size_t *ret_place)
{
	const char *unknown = NULL, *device, *path = word;
	size_t place = 0, n;

	if (word[0] == '(') {
		path = strchr(word, ')');
		device =
			path ? arena_strndup(g->l->arena, word + 1, (size_t)(path - word - 1)) : "";
		path = path ? path + 1 : "";
		g->l->is_short |= !device;
	} else {
		device = grub_get(g->vars, "root", &unknown);
	}
	if (!device) {
		fail_here(g, at, "entries/grub-disk", "which disk it is on is not known", unknown);
		return NULL;
	}
	n = strlen(GRUB_DEVICE);
	if (strncmp(device, GRUB_DEVICE, n) != 0 ||
	    strspn(device + n, "0123456789") != strlen(device + n) || strlen(device + n) == 0 ||
	    strlen(device + n) > 2) {
		fail_here(g, at, "entries/grub-disk", "only GRUB knows which disk it calls so",
			  device);
		return NULL;
	}
	for (const char *c = device + n; *c != '\0'; c++)
		place = 10 * place + (size_t)(*c - '0');
	if (place >= g->in->n_places || path[0] != '/') {
		fail_here(g, at, "entries/grub-disk", "that is no path to a file", word);
		return NULL;
	}
	*ret_place = place;
	return entry_string(g->l, g->e, path);
}

/* Of a line that decides what is booted everything must be known. */
static bool is_certain(struct grub *g, size_t at, const struct grub_words *w)
{
	if (g->maybe)
		fail_entry(g->l, g->e, "entries/grub-condition", "%s", g->maybe);
	if (w->unknown)
		fail_here(g, at, "entries/grub-unknown", w->v[0], w->unknown);
	return !g->maybe && !w->unknown;
}

static void take_kernel(struct grub *g, size_t at, const struct grub_words *w)
{
	const char *options;

	if (!is_certain(g, at, w))
		return;
	if (w->n < 2) {
		fail_here(g, at, "entries/grub-syntax", "a kernel without a name", NULL);
		return;
	}
	g->e->kernel = take_path(g, at, w->v[1], &g->e->place);
	options = grub_join(w, 2, g->l);
	g->e->options = entry_string(g->l, g->e, options);
	g->e->n_initrds = 0;
}

static void take_initrds(struct grub *g, size_t at, const struct grub_words *w)
{
	if (!is_certain(g, at, w))
		return;
	g->e->n_initrds = 0;
	for (size_t i = 1; i < w->n && !g->e->why_id; i++) {
		size_t place = g->e->place;

		if (strncmp(w->v[i], "newc:", 5) == 0)
			fail_here(g, at, "entries/grub-command", "an initrd that GRUB is to make",
				  w->v[i]);
		else
			entry_add_initrd(g->l, g->e, take_path(g, at, w->v[i], &place));
		if (!g->e->why_id && place != g->e->place)
			fail_here(g, at, "entries/grub-disk",
				  "kernel and initrd are on two file systems", w->v[i]);
	}
}

static bool run_loader(struct grub *g, size_t at, const struct grub_words *w)
{
	static const char *const kernels[] = { "linux", "linux16", "linuxefi", NULL };
	static const char *const initrds[] = { "initrd", "initrd16", "initrdefi", NULL };
	const char *name = w->v[0];

	if (is_one_of(name, kernels) || is_one_of(name, initrds)) {
		/* Outside of an entry it says nothing of one. */
		if (g->e && is_one_of(name, kernels))
			take_kernel(g, at, w);
		else if (g->e)
			take_initrds(g, at, w);
		g->status = GRUB_YES;
		return true;
	}
	if (strcmp(name, "devicetree") == 0) {
		if (g->e && w->n > 1 && !w->unknown)
			g->e->devicetree = entry_string(g->l, g->e, w->v[1]);
		return true;
	}
	if (!is_one_of(name, other_loaders))
		return false;
	g->status = GRUB_UNKNOWN;
	if (g->e)
		fail_here(g, at, "entries/grub-command", "what it starts is no Linux by itself",
			  name);
	else if (strcmp(name, "fwsetup") != 0)
		grub_forget_at(g, at, name);
	return true;
}

/* ---- all of them ---- */

static bool run_flow(struct grub *g, size_t at, const struct grub_words *w)
{
	const char *name = w->v[0];

	if (strcmp(name, "true") == 0 || strcmp(name, "false") == 0 || strcmp(name, ":") == 0) {
		g->status = truth(name[0] != 'f');
	} else if (strcmp(name, "return") == 0) {
		if (g->is_in_function && !g->maybe)
			g->is_returning = true;
		else
			grub_forget_at(g, at, name);
	} else if (strcmp(name, "blscfg") == 0) {
		/* How many they are and in which order is GRUB's own. */
		g->has_blscfg = g->has_lost_index = true;
		g->status = GRUB_YES;
	} else {
		return false;
	}
	return true;
}

bool grub_command(struct grub *g, size_t at, const struct grub_words *w)
{
	const char *name = w->v[0];

	if (strcmp(name, "set") == 0)
		run_set(g, at, w);
	else if (strcmp(name, "unset") == 0 || strcmp(name, "export") == 0)
		run_unset(g, w, name[0] == 'e');
	else if (strcmp(name, "load_env") == 0)
		run_load_env(g, at, w);
	else if (strcmp(name, "search") == 0 || strcmp(name, "search.fs_uuid") == 0)
		run_search(g, at, w);
	else if (strcmp(name, "test") == 0 || strcmp(name, "[") == 0)
		run_test(g, w);
	else if (strcmp(name, "source") == 0 || strcmp(name, ".") == 0)
		run_source(g, at, w);
	else if (is_one_of(name, harmless))
		g->status = strcmp(name, "echo") == 0 || strcmp(name, "save_env") == 0 ?
				    GRUB_YES :
				    GRUB_UNKNOWN;
	else
		return run_flow(g, at, w) || run_loader(g, at, w) || run_probe(g, at, w);
	return true;
}
