// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "cmdline.h"

static struct arena arena;
static struct diag diag;

static int fresh(void **state)
{
	(void)state;
	memset(&arena, 0, sizeof(arena));
	diag_init(&diag, &arena);
	return 0;
}

static int done(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static int compose(bool reuse, const char *running, const char *append, const char **ret)
{
	const struct options o = { .reuse_cmdline = reuse, .append = append };

	return cmdline_compose(&o, running, NULL, &arena, ret, &diag);
}

static void gives(const char *running, const char *append, const char *expected)
{
	const char *got = NULL;

	assert_int_equal(compose(true, running, append, &got), 0);
	assert_string_equal(got, expected);
}

static void test_without_reuse(void **state)
{
	const char *got = NULL;

	(void)state;
	assert_int_equal(compose(false, "root=x", NULL, &got), 0);
	assert_string_equal(got, "");
	assert_int_equal(compose(false, NULL, "a  \"b c\" BOOT_IMAGE=x", &got), 0);
	assert_string_equal(got, "a  \"b c\" BOOT_IMAGE=x");
	assert_int_equal(compose(false, "root=x", "quiet\n\r\n", &got), 0);
	assert_string_equal(got, "quiet");
}

static const char *compose_with(const struct bundle *bundle, struct options o)
{
	const char *got = NULL;

	assert_int_equal(cmdline_compose(&o, "running initrd=x crashkernel=1G", bundle, &arena, &got,
					 &diag), 0);
	return got;
}

#define GIVES(expected, ...) \
	assert_string_equal(compose_with(&bundle, (struct options){ __VA_ARGS__ }), expected)

/* The image's own line, the words of addons that were asked for, --append. */
static void test_image(void **state)
{
	struct bundle bundle = { .cmdline = "image crashkernel=1G\n" };
	const char *got;

	(void)state;
	GIVES("image crashkernel=1G", .append = NULL);
	GIVES("image crashkernel=1G x", .append = "x", .image_cmdline = true);
	assert_null(diag_find_note(&diag, "cmdline/image-replaced"));
	GIVES("x", .append = "x");
	GIVES("", .append = "");
	assert_non_null(diag_find_note(&diag, "cmdline/image-replaced"));
	GIVES("running crashkernel=1G x", .append = "x", .reuse_cmdline = true);
	/* What would take memory from the crash kernel's own successor. */
	GIVES("image", .load_crash = true);
	bundle.asked_cmdline = "addon";
	GIVES("image crashkernel=1G addon", .append = NULL);
	GIVES("addon x", .append = "x");
	GIVES("running crashkernel=1G addon x", .append = "x", .reuse_cmdline = true);
	bundle.cmdline = NULL;
	GIVES("addon x", .append = "x", .image_cmdline = true);
	bundle.asked_cmdline = "a\x01";
	assert_int_equal(cmdline_compose(&(struct options){ 0 }, NULL, &bundle, &arena, &got, &diag),
			 -EINVAL);
	assert_string_equal(diag.id, "cmdline/control-character");
	assert_non_null(strstr(diag.text, "addons"));
}

static void test_no_image(void **state)
{
	const struct options o = { .image_cmdline = true };
	const char *got;

	(void)state;
	assert_int_equal(cmdline_compose(&o, "", NULL, &arena, &got, &diag), -EINVAL);
	assert_string_equal(diag.id, "cmdline/no-image");
}

static void test_joined(void **state)
{
	(void)state;
	gives("root=x ro\n", NULL, "root=x ro");
	gives("root=x ro\n", "", "root=x ro");
	gives("root=x ro\n", "quiet", "root=x ro quiet");
	gives("", "quiet", "quiet");
	gives("", NULL, "");
	gives("root=x crashkernel=256M", "a", "root=x crashkernel=256M a");
}

static void test_loader_words_go(void **state)
{
	(void)state;
	gives("BOOT_IMAGE=/vmlinuz root=x", NULL, "root=x");
	gives("root=x BOOT_IMAGE=/vmlinuz", NULL, "root=x");
	gives("root=x initrd=\\initrd.img ro", "q", "root=x ro q");
	gives("BOOT_IMAGE=a BOOT_IMAGE=b initrd=c initrd=d", "q", "q");
	gives("BOOT_IMAGE= x", NULL, "x");
	assert_non_null(diag_find_note(&diag, "cmdline/dropped"));
}

/* kexec-tools cuts at the first place where the name is found, whole word or not. */
static void test_only_whole_keys(void **state)
{
	static const char *const kept[] = {
		"noinitrd=x",	    "initrd",
		"initrdmem=1,2",    "initrd.x=1",
		"foo.BOOT_IMAGE=x", "BOOT_IMAGES=x",
		"x=initrd=y",	    "BOOT_IMAGE",
		"Initrd=x",	    "rd.break=\"a initrd=b\"",
	};

	(void)state;
	for (size_t i = 0; i < array_len(kept); i++)
		gives(kept[i], NULL, kept[i]);
	assert_null(diag_find_note(&diag, "cmdline/dropped"));
}

static void test_quotes(void **state)
{
	(void)state;
	gives("BOOT_IMAGE=\"/a b c\" root=x", NULL, "root=x");
	gives("\"BOOT_IMAGE=/a b c\" root=x", NULL, "root=x");
	gives("\"initrd=a b\"", "q", "q");
	gives("x=\"a  b\" initrd=c y", NULL, "x=\"a  b\" y");
	gives("x=\"a \"b\" c\" initrd=d", NULL, "x=\"a \"b\" c\"");
	gives("dyndbg=\"file a.c +p\" initrd=c", "dyndbg=\"file b.c +p\"",
	      "dyndbg=\"file a.c +p\" dyndbg=\"file b.c +p\"");
	assert_null(diag_find_note(&diag, "cmdline/open-quote"));
	gives("x=\"a initrd=b", "q", "x=\"a initrd=b q");
	assert_true(diag_find_note(&diag, "cmdline/open-quote")->is_warning);
}

static void test_words_of_init(void **state)
{
	(void)state;
	gives("initrd=a -- initrd=b BOOT_IMAGE=c", NULL, "-- initrd=b BOOT_IMAGE=c");
	assert_null(diag_find_note(&diag, "cmdline/append-after-dashes"));
	gives("--x initrd=a", NULL, "--x");
	gives("root=x -- single", "q", "root=x -- single q");
	assert_non_null(diag_find_note(&diag, "cmdline/append-after-dashes"));
}

static void test_blanks(void **state)
{
	(void)state;
	gives("a\tb\nc", "d\te", "a b c d e");
	gives("  a  b  ", "c", "  a  b c");
	gives("   ", "c", "c");
	gives("initrd=x   ", NULL, "");
	gives("a \xc3\xa0 b", "\xff", "a \xc3\xa0 b \xff");
}

static void test_control_characters(void **state)
{
	static const char *const bad[] = { "a\x01", "\x1b[31m", "a\x7f", "a\bb", "\x0e" };
	const char *got = NULL;

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		diag_init(&diag, &arena);
		assert_int_equal(compose(false, NULL, bad[i], &got), -EINVAL);
		assert_string_equal(diag.id, "cmdline/control-character");
		diag_init(&diag, &arena);
		assert_int_equal(compose(true, bad[i], NULL, &got), -EINVAL);
		assert_string_equal(diag.id, "cmdline/control-character");
	}
	assert_null(got);
}

static void test_unreadable(void **state)
{
	const char *got = NULL;

	(void)state;
	assert_int_equal(compose(true, NULL, "a", &got), -ENOENT);
	assert_string_equal(diag.id, "cmdline/unreadable");
	assert_null(got);
}

static void test_no_memory(void **state)
{
	(void)state;
	for (size_t i = 1; i <= 3; i++) {
		const char *got = NULL;

		arena_free(&arena);
		arena = (struct arena){ .fail_at = i };
		diag_init(&diag, &arena);
		assert_int_equal(compose(true, "root=x", "quiet", &got), -ENOMEM);
		assert_null(got);
	}
}

static void number_is(const char *cmdline, bool is_there, uint64_t expected)
{
	uint64_t found = 77;

	assert_int_equal(cmdline_find_number(cmdline, "key", &found), is_there);
	assert_int_equal(found, is_there ? expected : 77);
}

static void test_number(void **state)
{
	(void)state;
	number_is("key=0x1000", true, 0x1000);
	number_is("a key=12 b", true, 12);
	number_is("key=1 key=2 key=x", true, 2);
	number_is("key=0xffffffffffffffff", true, UINT64_MAX);
	number_is("", false, 0);
	number_is("key", false, 0);
	number_is("key=", false, 0);
	number_is("key=1x", false, 0);
	number_is("key=-1", false, 0);
	number_is("key=0x10000000000000000", false, 0);
	number_is("key=\"1\"", false, 0);
	number_is("\"key=1\"", false, 0);
	number_is("nokey=1 keys=2", false, 0);
	number_is("-- key=1", false, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_without_reuse, fresh, done),
		cmocka_unit_test_setup_teardown(test_image, fresh, done),
		cmocka_unit_test_setup_teardown(test_no_image, fresh, done),
		cmocka_unit_test_setup_teardown(test_joined, fresh, done),
		cmocka_unit_test_setup_teardown(test_loader_words_go, fresh, done),
		cmocka_unit_test_setup_teardown(test_only_whole_keys, fresh, done),
		cmocka_unit_test_setup_teardown(test_quotes, fresh, done),
		cmocka_unit_test_setup_teardown(test_words_of_init, fresh, done),
		cmocka_unit_test_setup_teardown(test_blanks, fresh, done),
		cmocka_unit_test_setup_teardown(test_control_characters, fresh, done),
		cmocka_unit_test_setup_teardown(test_unreadable, fresh, done),
		cmocka_unit_test_setup_teardown(test_no_memory, fresh, done),
		cmocka_unit_test(test_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
