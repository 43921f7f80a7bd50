// SPDX-License-Identifier: GPL-2.0-or-later
#include "host_mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "host_text.h"

#define TEXT_MAX  (1024 * 1024)
#define UUIDS_MAX 4096

/* Blanks and backslashes in it are "\040" and the like. */
static const char *unescape(struct span word, struct arena *a)
{
	char *text = arena_strndup(a, (const char *)word.data, word.len);
	size_t n = 0;

	for (size_t i = 0; text && i < word.len; i++) {
		const char *c = text + i;

		if (c[0] == '\\' && c[1] >= '0' && c[1] <= '3' && c[2] >= '0' && c[2] <= '7' &&
		    c[3] >= '0' && c[3] <= '7') {
			text[n++] = (char)((c[1] - '0') * 64 + (c[2] - '0') * 8 + (c[3] - '0'));
			i += 3;
		} else {
			text[n++] = *c;
		}
	}
	if (text)
		text[n] = '\0';
	return text;
}

/* ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [FIELD...] - TYPE SOURCE OPTIONS
 * What memory was short for is NULL. */
static bool parse_line(struct span line, struct arena *a, struct host_mount *ret)
{
	struct span word;

	for (int i = 0; i < 4; i++)
		if (!text_next_word(&line, &word))
			return false;
	ret->root = unescape(word, a);
	if (!text_next_word(&line, &word))
		return false;
	ret->point = unescape(word, a);
	do {
		if (!text_next_word(&line, &word))
			return false;
	} while (!text_is(word, "-"));
	if (!text_next_word(&line, &word))
		return false;
	ret->type = unescape(word, a);
	if (!text_next_word(&line, &word))
		return false;
	ret->source = unescape(word, a);
	return true;
}

static bool probe_confinement(const struct host_tree *t)
{
	const struct host_tree captured = { .fd = t->fd };
	int fd = host_open(&captured, ".", O_PATH, 0);

	if (fd >= 0)
		close(fd);
	/* Old container run times refuse it with EPERM. Any other failure is none of the call's
	 * own. */
	return fd != -ENOSYS && fd != -EPERM;
}

static size_t count_lines(struct span text)
{
	struct span line;
	size_t n = 0;

	while (text_next_line(&text, &line))
		n++;
	return n;
}

bool host_mounts_read(const struct host_tree *t, struct arena *a, struct host_mounts *ret)
{
	struct span text = { 0 }, line;
	int r = host_file_read(t, a, TEXT_MAX, &text, "proc/self/mountinfo");
	size_t n_max;

	*ret = (struct host_mounts){ .can_confine = probe_confinement(t) };
	if (r < 0)
		return r != -ENOMEM;
	n_max = min_size(count_lines(text), HOST_MOUNTS_MAX);
	ret->v = arena_alloc_array(a, n_max, sizeof(*ret->v));
	while (ret->v && ret->n < n_max && text_next_line(&text, &line)) {
		struct host_mount *m = &ret->v[ret->n];

		if (!parse_line(line, a, m))
			continue;
		if (!m->root || !m->point || !m->type || !m->source)
			return false;
		ret->n += m->point[0] == '/';
	}
	return ret->v || n_max == 0;
}

static bool is_within(const char *path, const char *point)
{
	const size_t len = strlen(point);

	return strcmp(point, "/") == 0 ||
	       (strncmp(path, point, len) == 0 && (path[len] == '\0' || path[len] == '/'));
}

const struct host_mount *host_mounts_find(const struct host_mounts *m, const char *path)
{
	const struct host_mount *found = NULL;

	/* Of two at one point the later one hides the other. An automount is none yet. */
	for (size_t i = 0; i < m->n; i++)
		if (is_within(path, m->v[i].point) && strcmp(m->v[i].type, "autofs") != 0 &&
		    (!found || strlen(m->v[i].point) >= strlen(found->point)))
			found = &m->v[i];
	return found;
}

static const char *device_name(const struct host_tree *t, const char *source, struct arena *a)
{
	const char *name;

	/* /dev/mapper/NAME is a link to /dev/dm-N. */
	if (host_link_name(t, a, &name, "%s", source + 1) == 0)
		return name;
	return strrchr(source, '/') + 1;
}

const char *host_mount_uuid(const struct host_tree *t, const struct host_mount *mount,
			    struct arena *a)
{
	struct host_names names = { 0 };
	const char *device, *target;

	if (strncmp(mount->source, "/dev/", 5) != 0 ||
	    host_list_names(t, a, "dev/disk/by-uuid", "", UUIDS_MAX, &names) < 0)
		return NULL;
	device = device_name(t, mount->source, a);
	for (size_t i = 0; i < names.n; i++)
		if (host_link_name(t, a, &target, "dev/disk/by-uuid/%s", names.v[i]) == 0 &&
		    strcmp(target, device) == 0)
			return names.v[i];
	return NULL;
}
