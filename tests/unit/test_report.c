// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib_image.h"
#include "report.h"

#ifdef HAVE_JSON_C
#include <json-c/json.h>
#endif

static struct arena arena;
static struct diag diag;
static struct plan plan;
static struct facts facts;
static struct request request;
static struct options options;
static struct report report;
static char *text;	/* what was printed last */
static size_t text_len;

static void add(const char *name, phys_t addr, uint64_t mem_len, uint64_t reserve_len)
{
	const struct segment_wish wish = { .name = name, .bytes = span_of(name, strlen(name)) };
	struct segment *s = NULL;

	assert_int_equal(plan_add(&plan, &wish, &s, &diag), 0);
	s->addr = addr;
	s->mem_len = mem_len;
	s->reserve_len = reserve_len;
	s->is_placed = true;
}

static void make_machine(uint64_t ram_len)
{
	make_facts(&facts, &arena, ram_len);
	plan_init(&plan, &arena);
	plan.type = "bzImage";
	plan.entry_name = "64";
	plan.kernel_version = "6.1.0 (someone@somewhere) #1";
	plan.jump_mode = JUMP_64;
	plan.e820 = facts.map;
	plan.n_e820 = facts.n_map;
	plan.rsdp = facts.rsdp;
	plan.console = "ttyS 0x3f8";
}

/* Top-down, as placed. */
static void make_four_segments(uint64_t ram_len)
{
	phys_t top;

	make_machine(ram_len);
	top = align_down(facts.ram.r[facts.ram.n - 1].end, 2 * MIB);
	add("kernel", top - 64 * MIB, 0xb1b000, 0x37dc000);
	add("initrd", top - 130 * MIB, 60 * MIB, 60 * MIB);
	add("params", top - 0x9000, 0x6000, 0x6000);
	add("purgatory", MIB, 0x3000, 0x9000);
	plan.segments[0].is_digested = true;
	plan.entry = MIB + 0x10;
	plan.jump_entry = top - 64 * MIB + 0x200;
	plan.jump_arg = top - 0x9000;
}

static int fresh(void **state)
{
	(void)state;
	memset(&arena, 0, sizeof(arena));
	diag_init(&diag, &arena);
	request = (struct request){ .cmdline = "root=/dev/vda1", .mem_end = UINT64_MAX };
	report = (struct report){
		.options = &options,
		.request = &request,
		.facts = &facts,
		.plan = &plan,
		.diag = &diag,
	};
	make_four_segments(5 * GIB);
	return 0;
}

static int done(void **state)
{
	(void)state;
	free(text);
	text = NULL;
	arena_free(&arena);
	return 0;
}

static FILE *open_text(void)
{
	FILE *out;

	free(text);
	text = NULL;
	out = open_memstream(&text, &text_len);
	assert_non_null(out);
	return out;
}

static void print_text(void)
{
	FILE *out = open_text();

	report_text(out, &report);
	fclose(out);
}

static void print_map(unsigned int columns)
{
	FILE *out = open_text();

	assert_int_equal(report_map(out, &report, columns, &diag), 0);
	fclose(out);
}

static void print_failure(const struct diag *failure, const char *what)
{
	FILE *out = open_text();

	report_failure(out, failure, what);
	fclose(out);
}

static void assert_contains(const char *part)
{
	if (!strstr(text, part))
		print_error("no '%s' in:\n%s", part, text);
	assert_non_null(strstr(text, part));
}

static void test_sizes(void **state)
{
	static const struct {
		uint64_t len;
		const char *text;
	} cases[] = {
		{ 0, "0 B" }, { 1023, "1023 B" }, { 1024, "1 KiB" }, { 1536, "1.5 KiB" },
		{ MIB - 1, "1023.9 KiB" }, { 512 * MIB, "512 MiB" }, { 5 * GIB, "5 GiB" },
		{ TIB, "1 TiB" }, { UINT64_MAX, "16777215.9 TiB" },
	};
	char size[SIZE_TEXT_LEN];

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++)
		assert_string_equal(report_size(cases[i].len, size), cases[i].text);
}

static void test_text(void **state)
{
	(void)state;
	note(&diag, "test/note", "something to know");
	print_text();
	assert_contains("bzImage, 6.1.0");
	assert_contains("64-bit, 0x17c000200, argument 0x17fff7000");
	assert_contains("root=/dev/vda1");
	assert_contains("half of 4.9 GiB");
	assert_contains("5 entries, from /sys/firmware/memmap");
	assert_contains("0xf5a40, from boot_params");
	assert_contains("kernel     0x17c000000 - 0x17cb1afff   11.1 MiB   0xb1b000   55.8 MiB  "
			"crc32c\n");
	assert_contains("     36 KiB  itself\n");
	assert_contains("note: something to know [test/note]");
	for (size_t i = 0; i < plan.n_segments; i++)
		assert_contains(plan.segments[i].name);
}

static void test_text_with_digests(void **state)
{
	(void)state;
	options.debug = true;
	print_text();
	options.debug = false;
	assert_contains("crc32c, sha256 6923dd1b\n");
}

static void test_text_of_little(void **state)
{
	(void)state;
	memset(&facts, 0, sizeof(facts));
	memset(&request, 0, sizeof(request));
	plan_init(&plan, &arena);
	report.diag = NULL;
	print_text();
	assert_contains("(empty)");
	assert_contains("talks on: nothing");
}

static void test_text_of_real_mode(void **state)
{
	(void)state;
	plan.entry_name = "16";
	plan.jump_mode = JUMP_16;
	plan.jump_entry = 0x10200;
	plan.jump_arg = 0x10000;
	plan.n_e820 = 0;
	plan.rsdp = 0;
	add("setup", 0x10000, 0x11000, 0x11000);
	print_text();
	assert_contains("real mode, 0x10200, segments 0x10000");
	assert_contains("the setup code asks the BIOS");
	assert_contains("10000 - 0x");
	print_map(80);
	assert_contains("setup");
}

/* A terminal gets none of what a file or a user says to it. */
static void test_no_control_characters(void **state)
{
	struct diag failure;

	(void)state;
	request.cmdline = "a\x1b[2Jb";
	plan.kernel_version = "\x1b]0;x\x07";
	note(&diag, "test/note", "\x1b[1m");
	print_text();
	assert_null(strchr(text, '\x1b'));
	assert_null(strchr(text, '\x07'));
	diag_init(&failure, &arena);
	fail(&failure, EINVAL, "test/failure", "bad\x1b");
	fail_advise(&failure, "good\n");
	print_failure(&failure, "cannot load x\x1b");
	assert_string_equal(text, "kexec: cannot load x?: bad? [test/failure]\nkexec: try: "
				  "good?\n");
}

static void test_failure(void **state)
{
	struct diag failure;

	(void)state;
	diag_init(&failure, &arena);
	fail(&failure, EINVAL, "test/failure", "it broke");
	print_failure(&failure, NULL);
	assert_string_equal(text, "kexec: it broke [test/failure]\n"
				  "kexec: try: kexec -d shows what it was doing\n");
}

static void test_notes(void **state)
{
	FILE *out = open_text();

	(void)state;
	note(&diag, "a/b", "one");
	warn(&diag, "c/d", "two");
	report_notes(out, &diag);
	fclose(out);
	assert_string_equal(text, "kexec: note: one [a/b]\nkexec: warning: two [c/d]\n");
}

/* Fits a terminal, knows every option, needs no blank at a line's end. */
static void test_help(void **state)
{
	FILE *out = open_text();
	size_t column = 0;

	(void)state;
	report_help(out);
	fclose(out);
	for (const char *c = text; *c != '\0'; c++) {
		if (*c == '\n')
			assert_true(c == text || c[-1] != ' ');
		column = *c == '\n' ? 0 : column + 1;
		assert_true(column <= 80);
		assert_true(*c == '\n' || (*c >= ' ' && *c <= '~'));
	}
	for (size_t i = 0; i < n_option_table; i++) {
		char name[64];

		snprintf(name, sizeof(name), "--%s", option_table[i].name);
		assert_contains(name);
		if (!option_table[i].letter)
			continue;
		snprintf(name, sizeof(name), "-%c, --%s", option_table[i].letter,
			 option_table[i].name);
		assert_contains(name);
	}
}

/* The lines of the picture, "0123 |....|", and what is in them. */
struct picture {
	size_t n_lines;
	size_t width;
	size_t n_marks[256];	/* each character between the bars */
};

static struct picture look(void)
{
	struct picture p = { 0 };
	char *copy = strdup(text), *save = NULL;

	assert_non_null(copy);
	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *bar = strstr(line, " |");

		/* Lines of the picture begin with an address or blanks, segments with a letter. */
		if (!bar || !strchr("0123456789abcdef ", line[0]))
			continue;
		if (p.n_lines++ == 0)
			p.width = strlen(line);
		assert_int_equal(strlen(line), p.width);
		assert_int_equal(line[p.width - 1], '|');
		for (char *c = bar + 2; c[1] != '\0'; c++)
			p.n_marks[(unsigned char)*c]++;
	}
	free(copy);
	return p;
}

static void test_map_sizes(void **state)
{
	static const uint64_t ram[] = { 256 * MIB, 512 * MIB, 3 * GIB, 5 * GIB,
					64 * GIB,  TIB,	      32 * TIB };
	static const unsigned int columns[] = { 0, 40, 79, 80, 81, 120, 200, 1000 };

	(void)state;
	for (size_t i = 0; i < array_len(ram); i++) {
		for (size_t k = 0; k < array_len(columns); k++) {
			struct picture p;

			make_four_segments(ram[i]);
			print_map(columns[k]);
			p = look();
			assert_true(p.n_lines > 1 && p.n_lines <= 40);
			assert_true(p.width <= (columns[k] < 40 ? 40 : columns[k]));
			assert_true(p.n_marks['.'] > 0);
			/* Kernel, initrd, params, purgatory: each is in the picture or shares a
			 * cell. */
			for (const char *c = "KIPU"; *c != '\0'; c++)
				assert_true(p.n_marks[(unsigned char)*c] > 0 || p.n_marks['+'] > 0);
			assert_contains("K kernel");
			assert_contains("I initrd");
			assert_contains("P params");
			assert_contains("U purgatory");
		}
	}
}

/* 60 of 512 MiB, a 55.8 MiB window with 11.1 MiB in it: cells are 512 KiB. */
static void test_map_is_to_scale(void **state)
{
	struct picture p;

	(void)state;
	make_four_segments(512 * MIB);
	print_map(80);
	p = look();
	assert_contains("one character is 512 KiB, one line 32 MiB\n");
	assert_int_equal(p.n_marks['I'], 120);
	assert_int_equal(p.n_marks['K'], 23);
	assert_int_equal(p.n_marks['k'], 112 - 23);
	assert_int_equal(p.n_marks['P'], 1);
	assert_int_equal(p.n_marks['U'], 1);
	assert_int_equal(p.n_marks['+'], 0);
	assert_int_equal(p.n_lines, 16);
}

static void test_map_with_holes(void **state)
{
	(void)state;
	print_map(80);
	assert_contains(" 1 GiB without RAM ");
	assert_int_equal(look().width, 9 + 2 + 64 + 1);
}

/* All of the plan in one cell of the picture: that cell is shown enlarged. */
static void test_map_enlarges(void **state)
{
	struct picture p;

	(void)state;
	make_four_segments(TIB);
	print_map(80);
	p = look();
	assert_contains("each + of the above, one character is 32 MiB\n");
	assert_true(p.n_marks['+'] == 1 && p.n_marks['I'] > 0 && p.n_marks['K'] > 0 &&
		    p.n_marks['P'] > 0);
}

static void test_map_of_odd_plans(void **state)
{
	static const struct mem_entry all = { { 0, UINT64_MAX }, MEM_RAM };

	(void)state;
	/* As many segments as can be, of one name. */
	make_machine(5 * GIB);
	for (size_t i = 0; i < PLAN_SEGMENTS_MAX; i++)
		add("aaaaaaaaaaa", 16 * MIB + i * MIB, 4096, 4096);
	print_map(80);
	assert_contains("A aaaaaaaaaaa");
	/* No segment, no RAM. */
	make_machine(5 * GIB);
	print_map(80);
	memset(&facts, 0, sizeof(facts));
	print_map(80);
	/* All of the address space. */
	facts.map = &all;
	facts.n_map = 1;
	add("kernel", UINT64_MAX - 0x1fff, 0x1000, 0x1000);
	print_map(80);
	assert_true(look().n_lines > 0);
	assert_contains("K kernel");
}

static void test_columns(void **state)
{
	static const struct {
		const char *text;
		unsigned int columns;
	} cases[] = {
		{ "120", 120 }, { "", 80 }, { "0", 80 }, { "-5", 80 }, { "x", 80 }, { "39", 80 },
		{ "99999999999999999999", 80 },
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		assert_int_equal(setenv("COLUMNS", cases[i].text, 1), 0);
		assert_int_equal(report_columns(), cases[i].columns);
	}
	assert_int_equal(unsetenv("COLUMNS"), 0);
	assert_int_equal(report_columns(), 80);
}

#ifdef HAVE_JSON_C

static struct json_object *parse_printed(void)
{
	struct json_object *o;

	assert_true(text_len > 0 && text[text_len - 1] == '\n');
	o = json_tokener_parse(text);
	assert_non_null(o);
	return o;
}

static struct json_object *print_json(void)
{
	FILE *out = open_text();

	assert_int_equal(report_json(out, &report, &diag), 0);
	fclose(out);
	return parse_printed();
}

static struct json_object *at(struct json_object *o, const char *key)
{
	struct json_object *value = NULL;

	if (!json_object_object_get_ex(o, key, &value))
		print_error("no key '%s'\n", key);
	assert_true(json_object_object_get_ex(o, key, &value));
	return value;
}

static const char *string_at(struct json_object *o, const char *key)
{
	return json_object_get_string(at(o, key));
}

static void test_json(void **state)
{
	struct json_object *o, *segment;

	(void)state;
	note(&diag, "test/note", "something to know");
	request.n_initrds = 2;
	request.initrd.len = 12345;
	o = print_json();
	assert_int_equal(json_object_get_int(at(o, "format")), 1);
	assert_string_equal(string_at(o, "type"), "bzImage");
	assert_string_equal(string_at(o, "kernel_version"), "6.1.0 (someone@somewhere) #1");
	assert_string_equal(string_at(o, "entry_name"), "64");
	assert_string_equal(string_at(o, "entry"), "0x100010");
	assert_string_equal(string_at(at(o, "jump"), "mode"), "64");
	assert_string_equal(string_at(at(o, "jump"), "entry"), "0x17c000200");
	assert_string_equal(string_at(at(o, "jump"), "arg"), "0x17fff7000");
	assert_string_equal(string_at(o, "rsdp"), "0xf5a40");
	assert_string_equal(string_at(o, "cmdline"), "root=/dev/vda1");
	assert_string_equal(string_at(o, "console"), "ttyS 0x3f8");
	assert_int_equal(json_object_get_int(at(at(o, "initrd"), "files")), 2);
	assert_int_equal(json_object_get_int(at(at(o, "initrd"), "len")), 12345);
	assert_int_equal(json_object_array_length(at(at(o, "e820"), "entries")), 5);
	assert_string_equal(string_at(at(o, "e820"), "source"), "firmware");
	assert_int_equal(json_object_array_length(at(o, "segments")), 4);
	segment = json_object_array_get_idx(at(o, "segments"), 0);
	assert_string_equal(string_at(segment, "name"), "kernel");
	assert_string_equal(string_at(segment, "addr"), "0x17c000000");
	assert_int_equal(json_object_get_int64(at(segment, "len")), 6);
	assert_int_equal(json_object_get_int64(at(segment, "mem_len")), 0xb1b000);
	assert_int_equal(json_object_get_int64(at(segment, "reserve_len")), 0x37dc000);
	assert_int_equal(json_object_get_int64(at(segment, "align")), 4096);
	assert_true(json_object_get_boolean(at(segment, "verified")));
	assert_string_equal(string_at(json_object_array_get_idx(at(o, "notes"), 0), "id"), "test/"
											   "note");
	json_object_put(o);
	plan.jump_mode = JUMP_16;
	plan.n_e820 = 0;
	o = print_json();
	assert_string_equal(string_at(at(o, "jump"), "mode"), "16");
	assert_string_equal(string_at(at(o, "e820"), "source"), "bios");
	assert_int_equal(json_object_array_length(at(at(o, "e820"), "entries")), 0);
	json_object_put(o);
}

/* A segment that purgatory does not verify has the digest of its bytes all the same. */
static void test_json_digest(void **state)
{
	struct json_object *o, *segment;

	(void)state;
	plan.segments[3].bytes = span_of("abc", 3);
	o = print_json();
	segment = json_object_array_get_idx(at(o, "segments"), 3);
	assert_string_equal(string_at(segment, "sha256"),
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_false(json_object_get_boolean(at(segment, "verified")));
	json_object_put(o);
}

static void test_json_is_repeatable(void **state)
{
	char *first;

	(void)state;
	json_object_put(print_json());
	first = strdup(text);
	assert_non_null(first);
	json_object_put(print_json());
	assert_string_equal(text, first);
	free(first);
}

/* Bytes that are no UTF-8 are replaced, what is UTF-8 stays. */
static void test_json_is_utf8(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "a\xff", "a\xef\xbf\xbd" },
		{ "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" },
		{ "\xc3", "\xef\xbf\xbd" },
		{ "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\"\\/\x1b", "\"\\/\x1b" },
	};

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++) {
		struct json_object *o;

		request.cmdline = cases[i].in;
		o = print_json();
		assert_string_equal(string_at(o, "cmdline"), cases[i].out);
		json_object_put(o);
	}
}

static void test_json_of_little(void **state)
{
	struct json_object *o;

	(void)state;
	memset(&facts, 0, sizeof(facts));
	memset(&request, 0, sizeof(request));
	plan_init(&plan, &arena);
	report.diag = NULL;
	o = print_json();
	assert_null(at(o, "kernel_version"));
	assert_null(at(o, "rsdp"));
	assert_string_equal(string_at(o, "cmdline"), "");
	assert_int_equal(json_object_array_length(at(o, "notes")), 0);
	json_object_put(o);
}

static void test_json_failure(void **state)
{
	struct json_object *o, *error;
	struct diag failure;
	FILE *out = open_text();

	(void)state;
	diag_init(&failure, &arena);
	warn(&failure, "test/warning", "look out");
	fail(&failure, EINVAL, "test/failure", "it broke");
	assert_int_equal(report_json_failure(out, &failure, &diag), 0);
	fclose(out);
	o = parse_printed();
	error = at(o, "error");
	assert_string_equal(string_at(error, "id"), "test/failure");
	assert_int_equal(json_object_get_int(at(error, "errno")), EINVAL);
	assert_string_equal(string_at(error, "text"), "it broke");
	assert_string_equal(string_at(error, "advice"), "kexec -d shows what it was doing");
	assert_true(json_object_get_boolean(
		at(json_object_array_get_idx(at(o, "notes"), 0), "warning")));
	json_object_put(o);
}

#else

static void test_json_not_built(void **state)
{
	FILE *out = open_text();

	(void)state;
	assert_int_equal(report_json(out, &report, &diag), -EOPNOTSUPP);
	assert_string_equal(diag.id, "json/not-built");
	fclose(out);
}

#endif

#define UNIT(test)	cmocka_unit_test_setup_teardown(test, fresh, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT(test_sizes),
		UNIT(test_text),
		UNIT(test_text_with_digests),
		UNIT(test_text_of_little),
		UNIT(test_text_of_real_mode),
		UNIT(test_no_control_characters),
		UNIT(test_failure),
		UNIT(test_notes),
		UNIT(test_help),
		UNIT(test_map_sizes),
		UNIT(test_map_is_to_scale),
		UNIT(test_map_with_holes),
		UNIT(test_map_enlarges),
		UNIT(test_map_of_odd_plans),
		UNIT(test_columns),
#ifdef HAVE_JSON_C
		UNIT(test_json),
		UNIT(test_json_digest),
		UNIT(test_json_is_repeatable),
		UNIT(test_json_is_utf8),
		UNIT(test_json_of_little),
		UNIT(test_json_failure),
#else
		UNIT(test_json_not_built),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
