// SPDX-License-Identifier: GPL-2.0-or-later
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host_text.h"
#include "host_tree.h"
#include "json_out.h"

#define FOLDER		"/run/kexec-ng"
#define NO_LOGIN	UINT32_MAX	/* in /proc/self/loginuid */
#define TURN_TRIES	50
#define TURN_WAIT_US	100000	/* five seconds: one system call, and a file */
#define NS_PER_S	UINT64_C(1000000000)

static const char *name_of(bool is_crash)
{
	return is_crash ? "panic.json" : "load.json";
}

/* ---- who, when ------------------------------------------------------------------------------- */

static const char *read_name(const struct host_tree *t, struct arena *a, const char *path)
{
	struct host_attr attr;

	if (host_attr_read(t, &attr, "%s", path) < 0 || attr.text.len == 0)
		return NULL;
	return arena_strndup(a, (const char *)attr.text.data, attr.text.len);
}

const char *record_boot_id(const char *root, struct arena *a)
{
	struct host_tree t;
	const char *id;

	if (host_tree_open(root, &t) < 0)
		return NULL;
	id = read_name(&t, a, "proc/sys/kernel/random/boot_id");
	host_tree_close(&t);
	return id;
}

bool record_limit(const char *root, bool is_crash, int64_t *ret)
{
	struct host_tree t;
	uint64_t v;
	int r;

	if (host_tree_open(root, &t) < 0)
		return false;
	r = host_number_read(&t, &v, "proc/sys/kernel/kexec_load_limit_%s",
			     is_crash ? "panic" : "reboot");	/* -1, no limit, is no number */
	host_tree_close(&t);
	if (r < 0 || v > INT32_MAX)
		return false;
	*ret = (int64_t)v;
	return true;
}

void record_sign(struct record *r, struct arena *a)
{
	const char *sudo_user = getenv("SUDO_USER");
	const char *path = arena_printf(a, "proc/%d/comm", (int)getppid());
	struct host_tree t;
	uint64_t login;

	r->time = (uint64_t)time(NULL);
	r->uid = getuid();
	r->pid = (uint64_t)getpid();
	r->sudo_user = sudo_user && *sudo_user ? sudo_user : NULL;
	r->boot_id = record_boot_id("", a);
	r->has_limit = record_limit("", r->is_crash, &r->limit);
	if (host_tree_open("", &t) < 0)
		return;
	r->has_login = host_number_read(&t, &login, "proc/self/loginuid") == 0 &&
		       login != NO_LOGIN;
	r->login_uid = r->has_login ? login : 0;
	r->parent = path ? read_name(&t, a, path) : NULL;
	host_tree_close(&t);
}

enum record_file_state record_compare(const struct record_file *f)
{
	struct stat st;

	if (f->path[0] != '/')
		return RECORD_FILE_UNKNOWN;
	if (stat(f->path, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR ? RECORD_FILE_GONE : RECORD_FILE_UNKNOWN;
	if (!S_ISREG(st.st_mode))
		return RECORD_FILE_UNKNOWN;
	return (uint64_t)st.st_size == f->len && (uint64_t)st.st_ino == f->inode &&
			       (uint64_t)st.st_mtim.tv_sec * NS_PER_S +
					       (uint64_t)st.st_mtim.tv_nsec == f->mtime_ns ?
		       RECORD_FILE_SAME : RECORD_FILE_CHANGED;
}

bool record_remove(bool is_crash)
{
	int folder = open(FOLDER, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	bool is_gone;

	if (folder < 0)
		return false;
	is_gone = unlinkat(folder, name_of(is_crash), 0) == 0 || errno == ENOENT;
	close(folder);
	return is_gone;
}

/* Ours alone: what somebody else made there is not used. */
static int open_folder(void)
{
	struct stat st;
	int fd;

	if (mkdir(FOLDER, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & 022) == 0)
		return fd;
	close(fd);
	return -EPERM;
}

/* ---- turns ----------------------------------------------------------------------------------- */

static const char *mark_of(bool is_crash)
{
	return is_crash ? "panic.begun" : "load.begun";
}

void record_turn_begin(struct record_turn *t, bool is_crash)
{
	int fd;

	if (t->is_begun)
		return;
	*t = (struct record_turn){ .is_begun = true, .is_crash = is_crash, .folder = open_folder() };
	if (t->folder < 0)
		return;
	for (int i = 0; i < TURN_TRIES && flock(t->folder, LOCK_EX | LOCK_NB) < 0 &&
			(errno == EWOULDBLOCK || errno == EINTR); i++)
		usleep(TURN_WAIT_US);
	fd = openat(t->folder, mark_of(is_crash),
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	t->is_mark_mine = fd >= 0;
	if (fd >= 0)
		close(fd);
}

void record_turn_end(struct record_turn *t, bool is_settled)
{
	if (t->is_begun && t->folder >= 0) {
		if (is_settled || t->is_mark_mine)
			unlinkat(t->folder, mark_of(t->is_crash), 0);
		close(t->folder);
	}
	*t = (struct record_turn){ 0 };
}

void record_turn_leave(struct record_turn *t)
{
	if (t->is_begun && t->folder >= 0)
		close(t->folder);
	*t = (struct record_turn){ 0 };
}

bool record_is_unsettled(const char *root, bool is_crash)
{
	struct host_attr attr;
	struct host_tree t;
	int r;

	if (host_tree_open(root, &t) < 0)
		return true;
	r = host_attr_read(&t, &attr, "run/kexec-ng/%s", mark_of(is_crash));
	host_tree_close(&t);
	return r != -ENOENT && r != -ENOTDIR;
}

#ifdef HAVE_JSON_C

/* ---- writing --------------------------------------------------------------------------------- */

static void put_files(struct json_out *j, const struct record *r)
{
	struct json_object *list = json_out_new(j, j->top, "files", json_object_new_array());

	for (size_t i = 0; i < r->n_files; i++) {
		struct json_object *o = json_out_element(j, list);

		json_out_text(j, o, "role", r->files[i].role);
		json_out_text(j, o, "path", r->files[i].path);
		json_out_number(j, o, "len", r->files[i].len);
		json_out_number(j, o, "mtime_ns", r->files[i].mtime_ns);
		json_out_number(j, o, "inode", r->files[i].inode);
	}
}

static void put_segments(struct json_out *j, const struct record *r)
{
	struct json_object *list = json_out_new(j, j->top, "segments", json_object_new_array());

	for (size_t i = 0; i < r->n_segments; i++) {
		struct json_object *o = json_out_element(j, list);

		json_out_text(j, o, "name", r->segments[i].name);
		json_out_number(j, o, "addr", r->segments[i].addr);
		json_out_number(j, o, "len", r->segments[i].len);
		json_out_number(j, o, "mem_len", r->segments[i].mem_len);
	}
}

static void put_record(struct json_out *j, const struct record *r)
{
	json_out_bool(j, j->top, "is_crash", r->is_crash);
	json_out_text(j, j->top, "loader", r->loader);
	json_out_text(j, j->top, "call", r->call);
	json_out_number(j, j->top, "time", r->time);
	json_out_number(j, j->top, "uid", r->uid);
	if (r->has_login)
		json_out_number(j, j->top, "login_uid", r->login_uid);
	json_out_text(j, j->top, "sudo_user", r->sudo_user);
	json_out_number(j, j->top, "pid", r->pid);
	json_out_text(j, j->top, "parent", r->parent);
	json_out_text(j, j->top, "boot_id", r->boot_id);
	json_out_text(j, j->top, "release", r->release);
	json_out_text(j, j->top, "type", r->type);
	json_out_text(j, j->top, "kernel_version", r->kernel_version);
	json_out_text(j, j->top, "cmdline", r->cmdline);
	if (r->has_limit)
		json_out_number(j, j->top, "limit", (uint64_t)r->limit);
	put_files(j, r);
	put_segments(j, r);
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

static int replace(int folder, const char *name, const char *text)
{
	char temporary[64];
	int fd, r;

	snprintf(temporary, sizeof(temporary), ".%s.%d", name, (int)getpid());
	unlinkat(folder, temporary, 0);
	fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, text, strlen(text));
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r == 0 && renameat(folder, temporary, folder, name) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(folder, temporary, 0);
	return r;
}

int record_write(const struct record *record, struct diag *diag)
{
	const char *text = NULL;
	struct json_out j;
	int r = -ENOMEM, folder;

	if (json_out_start(&j))
		put_record(&j, record);
	text = json_out_finish(&j);
	folder = text ? open_folder() : -ENOMEM;
	if (folder >= 0) {
		r = replace(folder, name_of(record->is_crash), text);
		close(folder);
	} else {
		r = folder;
	}
	json_out_free(&j);
	if (r == 0)
		return 0;
	record_remove(record->is_crash);
	return fail(diag, -r, "record/not-written",
		    "no record of the load could be written below " FOLDER " (%s): --show will not "
		    "know it", strerror(-r));
}

/* ---- reading --------------------------------------------------------------------------------- */

struct reader {
	struct arena *arena;
	bool is_damaged;
	bool is_short;		/* of memory */
};

static struct json_object *member(struct reader *r, struct json_object *o, const char *key,
				  enum json_type type)
{
	struct json_object *v = NULL;

	if (!json_object_object_get_ex(o, key, &v) || !v)
		return NULL;
	if (json_object_get_type(v) == type)
		return v;
	r->is_damaged = true;
	return NULL;
}

static uint64_t read_number(struct reader *r, struct json_object *o, const char *key, bool *ret_has)
{
	struct json_object *v = member(r, o, key, json_type_int);

	if (ret_has)
		*ret_has = v != NULL;
	else if (!v)
		r->is_damaged = true;
	return v ? json_object_get_uint64(v) : 0;
}

/* NULL if it is not there. */
static const char *read_text(struct reader *r, struct json_object *o, const char *key)
{
	struct json_object *v = member(r, o, key, json_type_string);
	const char *copy;
	size_t len;

	if (!v)
		return NULL;
	len = (size_t)json_object_get_string_len(v);
	if (len > RECORD_TEXT_MAX || memchr(json_object_get_string(v), '\0', len)) {
		r->is_damaged = true;
		return NULL;
	}
	copy = arena_strndup(r->arena, json_object_get_string(v), len);
	r->is_short |= !copy;
	return copy;
}

static const char *need_text(struct reader *r, struct json_object *o, const char *key)
{
	const char *text = read_text(r, o, key);

	r->is_damaged |= !text;
	return text ? text : "";
}

/* The list's length, which is 0 when it has too many or is none. */
static size_t read_list(struct reader *r, struct json_object *o, const char *key, size_t n_max,
			struct json_object **ret)
{
	size_t n;

	*ret = member(r, o, key, json_type_array);
	n = *ret ? json_object_array_length(*ret) : 0;
	r->is_damaged |= !*ret || n > n_max;
	return n > n_max ? 0 : n;
}

/* An element that is no object has none of the members. */
static struct json_object *element(struct reader *r, struct json_object *list, size_t i)
{
	struct json_object *o = json_object_array_get_idx(list, i);

	if (o && json_object_get_type(o) == json_type_object)
		return o;
	r->is_damaged = true;
	return NULL;
}

static void read_files(struct reader *r, struct json_object *top, struct record *ret)
{
	struct json_object *list;
	size_t n = read_list(r, top, "files", RECORD_FILES_MAX, &list);
	struct record_file *files = arena_alloc_array(r->arena, n, sizeof(*files));

	r->is_short |= !files;
	for (size_t i = 0; i < n && files; i++) {
		struct json_object *o = element(r, list, i);

		if (!o)
			return;
		files[i].role = need_text(r, o, "role");
		files[i].path = need_text(r, o, "path");
		files[i].len = read_number(r, o, "len", NULL);
		files[i].mtime_ns = read_number(r, o, "mtime_ns", NULL);
		files[i].inode = read_number(r, o, "inode", NULL);
		ret->n_files = i + 1;
	}
	ret->files = files;
}

static void read_segments(struct reader *r, struct json_object *top, struct record *ret)
{
	struct json_object *list;
	size_t n = read_list(r, top, "segments", RECORD_SEGMENTS_MAX, &list);
	struct record_segment *segments = arena_alloc_array(r->arena, n, sizeof(*segments));

	r->is_short |= !segments;
	for (size_t i = 0; i < n && segments; i++) {
		struct json_object *o = element(r, list, i);

		if (!o)
			return;
		segments[i].name = need_text(r, o, "name");
		segments[i].addr = read_number(r, o, "addr", NULL);
		segments[i].len = read_number(r, o, "len", NULL);
		segments[i].mem_len = read_number(r, o, "mem_len", NULL);
		ret->n_segments = i + 1;
	}
	ret->segments = segments;
}

static void read_top(struct reader *r, struct json_object *top, struct record *ret)
{
	struct json_object *is_crash = member(r, top, "is_crash", json_type_boolean);

	r->is_damaged |= !is_crash;
	ret->is_crash = is_crash && json_object_get_boolean(is_crash);
	ret->loader = need_text(r, top, "loader");
	ret->call = need_text(r, top, "call");
	ret->time = read_number(r, top, "time", NULL);
	ret->uid = read_number(r, top, "uid", NULL);
	ret->login_uid = read_number(r, top, "login_uid", &ret->has_login);
	ret->sudo_user = read_text(r, top, "sudo_user");
	ret->pid = read_number(r, top, "pid", NULL);
	ret->parent = read_text(r, top, "parent");
	ret->boot_id = read_text(r, top, "boot_id");
	ret->release = need_text(r, top, "release");
	ret->type = need_text(r, top, "type");
	ret->kernel_version = read_text(r, top, "kernel_version");
	ret->cmdline = need_text(r, top, "cmdline");
	ret->limit = (int64_t)min_u64(read_number(r, top, "limit", &ret->has_limit), INT32_MAX);
	read_files(r, top, ret);
	read_segments(r, top, ret);
}

static struct json_object *parse_text(struct span text)
{
	struct json_tokener *tokener = json_tokener_new_ex(4);
	struct json_object *top = NULL;

	if (!tokener)
		return NULL;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	top = json_tokener_parse_ex(tokener, (const char *)text.data, (int)text.len);
	if (json_tokener_get_error(tokener) != json_tokener_success) {
		json_object_put(top);
		top = NULL;
	}
	json_tokener_free(tokener);
	return top;
}

int record_parse(struct span text, struct arena *a, struct record *ret, struct diag *diag)
{
	struct reader r = { .arena = a };
	struct record record = { 0 };
	struct json_object *top;

	if (text.len == 0 || text.len > RECORD_LEN_MAX)
		return fail(diag, EINVAL, "record/damaged", "the record is none: %zu bytes", text.len);
	top = parse_text(text);
	if (!top || json_object_get_type(top) != json_type_object)
		r.is_damaged = true;
	else
		read_top(&r, top, &record);
	json_object_put(top);
	if (r.is_short)
		return fail_nomem(diag);
	if (r.is_damaged)
		return fail(diag, EINVAL, "record/damaged",
			    "the record is damaged, or not one of this program");
	*ret = record;
	return 0;
}

#else

int record_write(const struct record *r, struct diag *diag)
{
	record_remove(r->is_crash);
	return fail(diag, EOPNOTSUPP, "record/not-built",
		    "this kexec was built without json-c: it leaves no record for --show");
}

int record_parse(struct span text, struct arena *a, struct record *ret, struct diag *diag)
{
	(void)text, (void)a, (void)ret;
	return fail(diag, EOPNOTSUPP, "record/not-built",
		    "this kexec was built without json-c: it cannot read the record of the load");
}

#endif

int record_read(const char *root, bool is_crash, struct arena *a, struct record *ret,
		struct diag *diag)
{
	struct host_tree t;
	struct span text;
	int r = host_tree_open(root, &t);

	if (r < 0)
		return fail(diag, -r, "record/unreadable", "cannot open %s: %s", root, strerror(-r));
	r = host_file_read(&t, a, RECORD_LEN_MAX, &text, "run/kexec-ng/%s", name_of(is_crash));
	host_tree_close(&t);
	if (r < 0)
		return fail(diag, -r, "record/unreadable", "the record of the load: %s",
			    strerror(-r));
	return record_parse(text, a, ret, diag);
}
