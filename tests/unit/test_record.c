// SPDX-License-Identifier: GPL-2.0-or-later
/* Records of loads, as ours and as anybody may have written them; what --show makes of them and of what
 * the kernel says, in a made-up tree. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "show.h"
#include "unit.h"

#ifdef HAVE_JSON_C

#define HEAD "{\"format\":1,\"is_crash\":false,\"loader\":\"kexec-ng 9\",\"call\":\"kexec_load\"," \
	     "\"time\":5,\"uid\":0,\"pid\":7,\"boot_id\":\"b1\"," \
	     "\"release\":\"6.1\",\"type\":\"bzImage\",\"cmdline\":\"a b\","
#define FILES "\"files\":[{\"role\":\"kernel\",\"path\":\"/k\",\"len\":1,\"mtime_ns\":2,\"inode\":3}],"
#define SEGMENTS "\"segments\":[{\"name\":\"kernel\",\"addr\":18446744073709551615,\"len\":1," \
		 "\"mem_len\":4096}]}"
#define GOOD HEAD FILES SEGMENTS

static struct arena arena;
static struct diag diag;
static struct record record;
static char root[64];

static int fresh(void **state)
{
	(void)state;
	memset(&arena, 0, sizeof(arena));
	diag_init(&diag, &arena);
	snprintf(root, sizeof(root), "/tmp/test_record.XXXXXX");
	assert_non_null(mkdtemp(root));
	return 0;
}

static int done(void **state)
{
	char command[100];

	(void)state;
	arena_free(&arena);
	snprintf(command, sizeof(command), "rm -r %s", root);
	return system(command);
}

static void parses(const char *text)
{
	assert_int_equal(record_parse(span_of(text, strlen(text)), &arena, &record, &diag), 0);
}

static void is_damaged(const char *text)
{
	struct diag why;

	diag_init(&why, NULL);
	assert_int_equal(record_parse(span_of(text, strlen(text)), &arena, &record, &why), -EINVAL);
	assert_string_equal(why.id, "record/damaged");
}

static void test_parse(void **state)
{
	(void)state;
	parses(GOOD);
	assert_string_equal(record.cmdline, "a b");
	assert_int_equal(record.n_files, 1);
	assert_string_equal(record.files[0].path, "/k");
	assert_int_equal(record.n_segments, 1);
	assert_int_equal(record.segments[0].addr, UINT64_MAX);
	assert_null(record.parent);
	assert_false(record.has_login || record.has_limit);
	parses(HEAD "\"limit\":3,\"login_uid\":0,\"parent\":\"sh\"," FILES SEGMENTS);
	assert_true(record.has_limit && record.has_login);
	assert_int_equal(record.limit, 3);
}

static void test_foreign(void **state)
{
	char *many = malloc(64 * KIB);
	size_t len;

	(void)state;
	is_damaged("");
	is_damaged("{");
	is_damaged("{}");
	is_damaged("[]");
	is_damaged("7");
	is_damaged(GOOD "x");
	is_damaged("{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":1}}}}}");
	is_damaged(HEAD SEGMENTS);			/* no files */
	is_damaged(HEAD "\"files\":{}," SEGMENTS);	/* of another type */
	is_damaged(HEAD "\"files\":[1]," SEGMENTS);
	is_damaged(HEAD "\"files\":[null]," SEGMENTS);
	is_damaged(HEAD "\"files\":[{}]," SEGMENTS);
	is_damaged(HEAD "\"parent\":1," FILES SEGMENTS);
	is_damaged(HEAD "\"parent\":\"a\\u0000b\"," FILES SEGMENTS);
	/* More than there can be. */
	len = (size_t)sprintf(many, HEAD "\"files\":[");
	for (int i = 0; i < RECORD_FILES_MAX + 1; i++)
		len += (size_t)sprintf(many + len, "%s{\"role\":\"\",\"path\":\"\",\"len\":1,"
				       "\"mtime_ns\":2,\"inode\":3}", i ? "," : "");
	sprintf(many + len, "]," SEGMENTS);
	is_damaged(many);
	free(many);
}

static void put(const char *path, const char *text)
{
	char command[400], full[200];
	FILE *file;

	snprintf(command, sizeof(command), "mkdir -p $(dirname %s/%s)", root, path);
	assert_int_equal(system(command), 0);
	snprintf(full, sizeof(full), "%s/%s", root, path);
	file = fopen(full, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void shows(enum show_state state, bool is_stale)
{
	struct show_image s;

	assert_int_equal(show_read(root, false, &arena, &s, &diag), 0);
	assert_int_equal(s.state, state);
	assert_int_equal(s.is_stale, is_stale);
}

/* The kernel has the last word. */
static void test_show(void **state)
{
	(void)state;
	shows(SHOW_UNKNOWN, false);
	put("sys/kernel/kexec_loaded", "0\n");
	shows(SHOW_NOTHING, false);
	put("run/kexec-ng/load.json", GOOD);
	shows(SHOW_NOTHING, true);
	put("sys/kernel/kexec_loaded", "1\n");
	shows(SHOW_RECORDED, false);
	put("proc/sys/kernel/random/boot_id", "b1\n");
	shows(SHOW_RECORDED, false);
	put("proc/sys/kernel/random/boot_id", "b2\n");	/* of the kernel before this one */
	shows(SHOW_FOREIGN, true);
	put("proc/sys/kernel/random/boot_id", "b1\n");
	put("run/kexec-ng/load.json", HEAD "\"limit\":3," FILES SEGMENTS);
	put("proc/sys/kernel/kexec_load_limit_reboot", "3\n");
	shows(SHOW_RECORDED, false);
	put("proc/sys/kernel/kexec_load_limit_reboot", "1\n");	/* somebody called since */
	shows(SHOW_MAYBE, false);
	put("proc/sys/kernel/kexec_load_limit_reboot", "3\n");
	put("run/kexec-ng/panic.begun", "");
	shows(SHOW_RECORDED, false);
	put("run/kexec-ng/load.begun", "");	/* and nobody lived to end it */
	shows(SHOW_MAYBE, false);
	put("run/kexec-ng/load.json", "{");
	shows(SHOW_UNREADABLE, false);
	put("run/kexec-ng/load.json", "");
	shows(SHOW_UNREADABLE, false);
}

static void test_nobody_recorded(void **state)
{
	(void)state;
	put("sys/kernel/kexec_loaded", "1\n");
	shows(SHOW_FOREIGN, false);
}

static void test_files(void **state)
{
	struct record_file f = { .role = "kernel" };
	char path[200];
	struct stat st;

	(void)state;
	put("kernel", "abc");
	snprintf(path, sizeof(path), "%s/kernel", root);
	assert_int_equal(stat(path, &st), 0);
	f.path = path;
	f.len = (uint64_t)st.st_size;
	f.inode = st.st_ino;
	f.mtime_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec;
	assert_int_equal(record_compare(&f), RECORD_FILE_SAME);
	f.len++;
	assert_int_equal(record_compare(&f), RECORD_FILE_CHANGED);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(record_compare(&f), RECORD_FILE_GONE);
	f.path = "kernel";	/* relative to nobody knows what */
	assert_int_equal(record_compare(&f), RECORD_FILE_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_parse, fresh, done),
		cmocka_unit_test_setup_teardown(test_foreign, fresh, done),
		cmocka_unit_test_setup_teardown(test_show, fresh, done),
		cmocka_unit_test_setup_teardown(test_nobody_recorded, fresh, done),
		cmocka_unit_test_setup_teardown(test_files, fresh, done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
	return 0;
}

#endif
