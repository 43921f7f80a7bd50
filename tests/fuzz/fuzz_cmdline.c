// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes as argv, NUL or newline between the words, and as the running kernel's command line.
 * What comes out keeps what the headers promise.
 */
#include <stdlib.h>
#include <string.h>

#include "cmdline.h"
#include "image.h"
#include "options.h"

#define WORDS_MAX	64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool is_true)
{
	if (!is_true)
		abort();
}

static void require_sane(const struct options *o)
{
	int n_modes = o->help + o->version + o->print_ckr_size + o->status + o->status_crash +
		      o->check + o->show + o->last + o->list + o->unload + o->unload_crash +
		      (o->load || o->exec || o->bare_reboot || o->jump_back_helper);

	require(n_modes >= 1);
	require(o->help || o->version || n_modes == 1);
	require(!o->check || o->check_load || o->check_crash || o->check_file);
	require(!o->show || o->show_load || o->show_crash);
	require(!o->load || o->kernel || o->jump_back_helper);
	require(!o->inspect || (o->load && o->dry_run));
	require(!o->rehearse || (o->load && o->dry_run));
	require(!o->bare_reboot || (o->load && !o->exec));
	require(!o->load || o->mem_min < o->mem_end);
	require(!o->dry_run || !(o->exec || o->bare_reboot || o->unload || o->unload_crash));
	require(!o->host_root || !(o->exec || (o->load && !o->dry_run)));
	require(o->serial_baud == 0 || 115200 % o->serial_baud == 0);
	for (size_t i = 0; i < o->n_initrds; i++)
		require(o->initrds[i][0] != '\0');
}

static void require_failure(const struct diag *diag)
{
	require(diag->error > 0 && diag->id && diag->text[0] != '\0');
}

/* With a command line that came in the kernel's file, and one of an addon. */
static void compose_with_bundle(const struct options *o, const char *text, struct arena *a,
				struct diag *diag)
{
	const struct bundle bundle = { .cmdline = text, .asked_cmdline = "addon" };
	const char *cmdline = NULL;

	if (cmdline_compose(o, NULL, &bundle, a, &cmdline, diag) < 0)
		require_failure(diag);
	else
		require(cmdline != NULL);
	diag_clear(diag);
}

static void compose(const struct options *o, const char *running, struct arena *a,
		    struct diag *diag)
{
	const char *cmdline = NULL;
	uint64_t number = 0;

	if (cmdline_find_number(running, "running", &number))
		require(strstr(running, "running=") != NULL);
	compose_with_bundle(o, running, a, diag);
	if (cmdline_compose(o, running, NULL, a, &cmdline, diag) < 0) {
		require_failure(diag);
		return;
	}
	for (const char *c = cmdline; *c != '\0'; c++)
		require((unsigned char)*c >= ' ' && *c != 0x7f);
	require(strlen(cmdline) <= strlen(running) + 1 + (o->append ? strlen(o->append) : 0));
	/* What was dropped stays away. */
	if (o->reuse_cmdline && !o->append)
		require(strncmp(cmdline, "BOOT_IMAGE=", 11) != 0 &&
			strncmp(cmdline, "initrd=", 7) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1), *words[WORDS_MAX] = { NULL };
	struct arena arena = { 0 };
	struct options o = { 0 };
	struct diag diag;
	int n = 0;

	if (!text)
		return 0;
	if (len > 0)
		memcpy(text, data, len);
	text[len] = '\0';
	diag_init(&diag, &arena);
	o.reuse_cmdline = true;
	compose(&o, text, &arena, &diag);

	for (size_t i = 0; i < len; i++)
		if (text[i] == '\n')
			text[i] = '\0';
	words[n++] = text;
	for (size_t i = 0; i < len && n < WORDS_MAX; i++)
		if (text[i] == '\0')
			words[n++] = text + i + 1;
	diag_init(&diag, &arena);
	if (options_parse(n, words, &arena, &o, &diag) < 0) {
		require_failure(&diag);
	} else {
		require_sane(&o);
		compose(&o, words[0], &arena, &diag);
	}
	arena_free(&arena);
	free(text);
	return 0;
}
