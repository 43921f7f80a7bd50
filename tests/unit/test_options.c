// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "options.h"

#define WORDS_MAX	24

struct run {
	struct arena arena;
	struct diag diag;
	struct options o;
	int result;
};

static void run_argv(struct run *t, int argc, char *const argv[])
{
	memset(t, 0, sizeof(*t));
	diag_init(&t->diag, &t->arena);
	t->result = options_parse(argc, argv, &t->arena, &t->o, &t->diag);
}

/* The words after "kexec", separated by blanks; a word that is just ~ stands for an empty one. */
static void run(struct run *t, const char *line)
{
	static char copy[1024];
	char *argv[WORDS_MAX + 1] = { "kexec" };
	int argc = 1;

	assert_true(strlen(line) < sizeof(copy));
	strcpy(copy, line);
	for (char *w = strtok(copy, " "); w && argc < WORDS_MAX; w = strtok(NULL, " "))
		argv[argc++] = strcmp(w, "~") == 0 ? "" : w;
	run_argv(t, argc, argv);
}

static void done(struct run *t)
{
	arena_free(&t->arena);
}

static void parses(struct run *t, const char *line)
{
	run(t, line);
	if (t->result < 0)
		print_error("%s: %s [%s]\n", line, t->diag.text, t->diag.id);
	assert_int_equal(t->result, 0);
}

static void fails(const char *line, const char *id)
{
	struct run t;

	run(&t, line);
	if (t.result == 0 || strcmp(t.diag.id, id) != 0)
		print_error("%s: expected %s, got %s\n", line, id,
			    t.result ? t.diag.id : "success");
	assert_true(t.result < 0);
	assert_string_equal(t.diag.id, id);
	assert_true(t.diag.text[0] != '\0' && t.diag.advice[0] != '\0');
	done(&t);
}

/* "l" load, "p" load_crash, "e" exec, "b" bare_reboot, "u", "U", "s", "S", "h", "v", "k", in this
 * order. */
static void mode_is(const char *line, const char *expected)
{
	struct run t;
	char mode[16] = "";

	parses(&t, line);
	snprintf(mode, sizeof(mode), "%s%s%s%s%s%s%s%s%s%s%s", t.o.load ? "l" : "",
		 t.o.load_crash ? "p" : "",
		 t.o.exec ? "e" : "", t.o.bare_reboot ? "b" : "", t.o.unload ? "u" : "",
		 t.o.unload_crash ? "U" : "", t.o.status ? "s" : "", t.o.status_crash ? "S" : "",
		 t.o.help ? "h" : "", t.o.version ? "v" : "", t.o.print_ckr_size ? "k" : "");
	if (strcmp(mode, expected) != 0)
		print_error("%s: expected mode '%s', got '%s'\n", line, expected, mode);
	assert_string_equal(mode, expected);
	done(&t);
}

/* Does it have a note with this id? */
static void notes(const char *line, const char *id, bool expected)
{
	struct run t;

	parses(&t, line);
	if ((diag_find_note(&t.diag, id) != NULL) != expected)
		print_error("%s: note %s\n", line, id);
	assert_true((diag_find_note(&t.diag, id) != NULL) == expected);
	done(&t);
}

static void test_questions(void **state)
{
	struct run t;

	(void)state;
	mode_is("--check", "");
	mode_is("--show", "");
	mode_is("--last", "");
	mode_is("--list", "");
	parses(&t, "--check --host-root=/x --json");
	assert_true(t.o.check && t.o.check_load && t.o.check_crash && t.o.check_file && t.o.json);
	done(&t);
	parses(&t, "-l --check -s");
	assert_true(t.o.check_load && !t.o.check_crash && t.o.check_file && !t.o.load);
	done(&t);
	parses(&t, "--show");
	assert_true(t.o.show_load && t.o.show_crash);
	done(&t);
	parses(&t, "--show -p");
	assert_true(!t.o.show_load && t.o.show_crash && !t.o.load_crash);
	done(&t);
	fails("--check --show", "options/question");
	fails("--last -l", "options/question");
	fails("--check -e", "options/question");
	fails("--show -u", "options/question");
	fails("--check K", "options/question");
	fails("--check --dry-run", "options/question");
	fails("--last --initrd=x", "options/question");
	fails("--list -p", "options/question");
	fails("--list --last", "options/question");
	fails("--list @a", "options/question");
	fails("--boot-root= @a", "options/bad-value");
	parses(&t, "--list --boot-root=/b --host-root=/x --json");
	assert_true(t.o.list && t.o.json && strcmp(t.o.boot_root, "/b") == 0);
	done(&t);
}

static void test_modes(void **state)
{
	(void)state;
	mode_is("K", "lb");
	mode_is("-c K", "lb");
	mode_is("-l K", "l");
	mode_is("--load K", "l");
	mode_is("-e", "e");
	mode_is("-f K", "le");
	mode_is("-l -f K", "le");
	mode_is("-f -l K", "le");
	mode_is("-e -f K", "le");
	mode_is("-f -e K", "le");
	mode_is("-e -l K", "le");
	mode_is("-l -e K", "le");
	mode_is("-e -f", "e");
	mode_is("-p K", "lp");
	mode_is("-l -p K", "lp");
	mode_is("K -p", "lp");
	mode_is("-u", "u");
	mode_is("-p -u", "U");
	mode_is("-u -p", "U");
	mode_is("-l -u", "u");
	mode_is("-u K", "u");
	mode_is("-S", "S");
	mode_is("-S -l", "s");
	mode_is("-l -S", "s");
	mode_is("-S -p", "S");
	mode_is("-p -l -S", "S");
	mode_is("-d -S", "S");
	mode_is("-S -e -f -u", "S");
	mode_is("-h", "h");
	mode_is("--help", "h");
	mode_is("-v", "v");
	mode_is("-p -v", "v");
	mode_is("-h --nonsense", "h");
	mode_is("--print-ckr-size", "k");
	mode_is("--print-ckr-size -p", "k");
}

static void test_modes_that_cannot_be(void **state)
{
	fails("-p -e K", "options/conflict");
	fails("-p -f K", "options/conflict");
	fails("-p", "options/no-kernel");
	fails("-e --hotplug", "options/no-load");
	(void)state;
	fails("", "options/no-kernel");
	fails("-l", "options/no-kernel");
	fails("-f", "options/no-kernel");
	fails("-l -e", "options/no-kernel");
	fails("-l -e -f", "options/no-kernel");
	fails("--append=x", "options/no-kernel");
	fails("-e K", "options/conflict");
	fails("-u -e", "options/conflict");
	fails("-e -u", "options/conflict");
	fails("-u -f K", "options/conflict");
	fails("-u -l K", "options/conflict");
	fails("-l -u K", "options/conflict");
	fails("-e --append=x", "options/no-load");
	fails("-u --initrd=x", "options/no-load");
	fails("-e --reuse-cmdline", "options/no-load");
	fails("-e --noefi", "options/no-load");
	fails("-e --dry-run", "options/no-load");
	fails("-u --dry-run", "options/no-load");
	fails("--nonsense -h", "options/unknown");
}

static void test_exit_status(void **state)
{
	struct run t;

	(void)state;
	run(&t, "-l");
	assert_int_equal(options_exit_status(&t.diag), 255);
	run(&t, "--nonsense");
	assert_int_equal(options_exit_status(&t.diag), 1);
	done(&t);
	/* Nobody's command line is wrong because there is no memory to read it into. */
	diag_init(&t.diag, NULL);
	fail_nomem(&t.diag);
	assert_int_equal(options_exit_status(&t.diag), 255);
	parses(&t, "-h");
	assert_int_equal(t.o.help_status, 0);
	parses(&t, "-?");
	assert_int_equal(t.o.help_status, 1);
	assert_true(t.o.help);
	done(&t);
}

static void test_dry_run(void **state)
{
	struct run t;

	(void)state;
	mode_is("--dry-run K", "l");
	mode_is("--dry-run -f K", "l");
	mode_is("--dry-run -l -e K", "l");
	mode_is("--map K", "l");
	mode_is("--json K", "l");
	mode_is("--json -l K", "l");
	mode_is("--json -f K", "le");
	mode_is("--json -e", "e");
	parses(&t, "--map K");
	assert_true(t.o.dry_run && t.o.map);
	parses(&t, "-l --map K");
	assert_false(t.o.dry_run);
	fails("-l --host-root=/x K", "options/host-root");
	fails("-e --host-root=/x", "options/host-root");
	parses(&t, "--dry-run --host-root=/x K");
	assert_string_equal(t.o.host_root, "/x");
}

static void test_defaults(void **state)
{
	struct run t;

	(void)state;
	parses(&t, "-l K");
	assert_string_equal(t.o.kernel, "K");
	assert_int_equal(t.o.call, CALL_AUTO);
	assert_null(t.o.needs_kexec_load);
	assert_null(t.o.append);
	assert_null(t.o.type);
	assert_null(t.o.host_root);
	assert_int_equal(t.o.n_initrds, 0);
	assert_true(t.o.mem_min == 0 && t.o.mem_end == UINT64_MAX);
	assert_int_equal(t.o.console_serial, -1);
	assert_int_equal(t.o.console_vga, -1);
	assert_int_equal(t.o.serial_port, 0);
	assert_int_equal(t.o.serial_baud, 0);
	assert_int_equal(t.o.enter, ENTER_AUTO);
	assert_int_equal(t.o.on_failure, ON_FAILURE_RESET);
	assert_false(t.o.has_seed || t.o.quiet || t.o.debug || t.o.json || t.o.map || t.o.digest);
	assert_null(t.diag.notes);
	done(&t);
}

static void test_spellings(void **state)
{
	static const char *const lines[] = {
		"-l K --append=A --initrd=I -d -i -x -y -s -t T",
		"--load --append A --initrd I --debug --no-checks -x -y --kexec-file-syscall "
		"--type=T K",
		"--command-line=A --ramdisk=I -dixysltT K",
		"-ldixyst T --command-line A --ramdisk I -- K",
		"-l K --app=A --in=I --de --no-ch --no-i --no-s --kexec-f --ty T",
	};
	struct run t;

	(void)state;
	for (size_t i = 0; i < array_len(lines); i++) {
		parses(&t, lines[i]);
		assert_true(t.o.load && !t.o.bare_reboot);
		assert_string_equal(t.o.kernel, "K");
		assert_string_equal(t.o.append, "A");
		assert_int_equal(t.o.n_initrds, 1);
		assert_string_equal(t.o.initrds[0], "I");
		assert_string_equal(t.o.type, "T");
		assert_true(t.o.debug && t.o.digest == DIGEST_NONE && t.o.no_ifdown && t.o.no_sync);
		assert_int_equal(t.o.call, CALL_FILE);
		done(&t);
	}
}

/* Every row in each of its spellings, with and without the value it wants. */
static void test_every_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_option_table; i++) {
		const struct option_row *row = &option_table[i];
		char line[128];

		snprintf(line, sizeof(line), "-l K --%s", row->name);
		if (row->value)
			fails(line, "options/missing-value");
		else if (row->group == GROUP_NOT_YET)
			fails(line, "options/not-yet");
		snprintf(line, sizeof(line), "-l K --%s=1", row->name);
		if (!row->value)
			fails(line, row->takes_word ? "options/bad-value" :
						      "options/needless-value");
		else if (row->group == GROUP_NOT_YET)
			fails(line, "options/not-yet");
	}
}

/* The x86 option set of kexec-tools 2.0.32, in its own order. */
static void test_all_of_kexec_tools_is_known(void **state)
{
	static const char *const names[] = {
		"help",
		"version",
		"force",
		"no-checks",
		"no-ifdown",
		"no-sync",
		"load",
		"unload",
		"exec",
		"exec-live-update",
		"load-preserve-context",
		"load-jump-back-helper",
		"load-live-update",
		"entry",
		"type",
		"load-panic",
		"mem-min",
		"mem-max",
		"reuseinitrd",
		"kexec-file-syscall",
		"kexec-syscall",
		"kexec-syscall-auto",
		"debug",
		"status",
		"print-ckr-size",
		"hotplug",
		"no-cma",
		"force-dtb",
		"reset-vga",
		"serial",
		"serial-baud",
		"console-vga",
		"console-serial",
		"elf32-core-headers",
		"elf64-core-headers",
		"pass-memmap-cmdline",
		"noefi",
		"reuse-video-type",
		"command-line",
		"append",
		"reuse-cmdline",
		"initrd",
		"ramdisk",
		"args-elf",
		"args-linux",
		"args-none",
		"module",
		"real-mode",
		"entry-32bit",
		"dtb",
	};
	static const char letters[] = "hvdfixyluetpscaS";
	size_t n_theirs = 0;

	(void)state;
	for (size_t i = 0; i < array_len(names); i++) {
		size_t n = 0;

		for (size_t k = 0; k < n_option_table; k++)
			n += strcmp(option_table[k].name, names[i]) == 0 &&
			     !option_table[k].is_ours;
		assert_int_equal(n, 1);
	}
	for (size_t i = 0; i < n_option_table; i++) {
		n_theirs += !option_table[i].is_ours;
		/* A letter of ours is none of theirs. */
		assert_true(!option_table[i].letter ||
			    !strchr(letters, option_table[i].letter) == option_table[i].is_ours);
	}
	assert_int_equal(n_theirs, array_len(names));
}

/* An option of ours must not be what somebody writes for one of theirs. */
static void test_ours_abbreviates_none_of_theirs(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_option_table; i++)
		for (size_t k = 0; k < n_option_table; k++)
			assert_false(option_table[i].is_ours && !option_table[k].is_ours &&
				     strncmp(option_table[k].name, option_table[i].name,
					     strlen(option_table[i].name)) == 0);
}

static void test_abbreviations_of_kexec_tools(void **state)
{
	struct run t;

	(void)state;
	parses(&t, "-l K --in=I");
	assert_string_equal(t.o.initrds[0], "I");
	done(&t);
	parses(&t, "--st -l");
	assert_true(t.o.status);
	parses(&t, "-l K --de --ap=x --com=y");
	assert_true(t.o.debug);
	assert_string_equal(t.o.append, "y");
	done(&t);
	mode_is("--unl", "u");
}

static void test_ambiguous(void **state)
{
	struct run t;

	(void)state;
	fails("-l K --a=x", "options/ambiguous");
	fails("--lo K", "options/ambiguous");
	fails("--e", "options/ambiguous");
	fails("-l K --c=x", "options/ambiguous");	/* command-line, console-* */
	fails("-l K --ent=1", "options/ambiguous");	/* and not our --enter */
	fails("-l K --se=1", "options/ambiguous"); /* serial, serial-baud; and not our --seed */
	fails("-l K --d", "options/ambiguous");		/* debug, dtb; and not our --dry-run */
	run(&t, "-l K --se=1");
	assert_non_null(strstr(t.diag.text, "--serial, --serial-baud"));
	assert_null(strstr(t.diag.text, "--seed"));
	done(&t);
	fails("-l K --=x", "options/unknown");
	fails("-l K ---", "options/unknown");
	fails("-l K --loads", "options/unknown");
}

static void test_our_abbreviations(void **state)
{
	struct run t;

	(void)state;
	parses(&t, "--dr K --see=1 --q --on=halt --ma --js --hos=/r --ente=32");
	assert_true(t.o.dry_run && t.o.has_seed && t.o.quiet && t.o.map && t.o.json);
	assert_int_equal(t.o.on_failure, ON_FAILURE_HALT);
	assert_int_equal(t.o.enter, ENTER_32);
	assert_string_equal(t.o.host_root, "/r");
	done(&t);
	fails("-l K --on-failure=no", "options/bad-value");
	fails("-l K --enter=8", "options/bad-value");
	fails("-l K --enter=64 --entry-32bit", "options/conflict");
	fails("-l K --entry-32bit --enter=64", "options/conflict");
	parses(&t, "-l K --entry-32bit --enter=auto");
	assert_int_equal(t.o.enter, ENTER_32);
	done(&t);
	fails("-l K --enter=64 --real-mode", "options/conflict");
	fails("-l K --real-mode --enter=32", "options/conflict");
	fails("-l K --real-mode --entry-32bit", "options/conflict");
	fails("-l K --enter=16 --entry-32bit", "options/conflict");
	parses(&t, "-l K --real-mode --enter=auto");
	assert_int_equal(t.o.enter, ENTER_16);
	done(&t);
	parses(&t, "-l K --enter=pvh --subarch=intel-mid --subarch-data=0x123456789");
	assert_int_equal(t.o.enter, ENTER_PVH);
	assert_true(t.o.has_subarch && t.o.subarch == 3);
	assert_true(t.o.has_subarch_data && t.o.subarch_data == 0x123456789);
	assert_string_equal(t.o.needs_kexec_load, "enter");
	done(&t);
	parses(&t, "-l K --subarch=0xffffffff");
	assert_true(t.o.subarch == UINT32_MAX && !t.o.has_subarch_data);
	done(&t);
	fails("-l K --subarch=0x100000000", "options/bad-value");
	fails("-l K --subarch=PC", "options/bad-value");
	fails("-l K --subarch-data=-1", "options/bad-value");
	fails("-u --subarch=pc", "options/no-load");
	fails("-l K --enter=pvh --real-mode", "options/conflict");
	parses(&t, "-l K --enter=16 --real-mode");
	assert_int_equal(t.o.enter, ENTER_16);
	assert_non_null(t.o.needs_kexec_load);
}

static void test_letters(void **state)
{
	struct run t;

	(void)state;
	fails("-lz K", "options/unknown");
	fails("-t", "options/missing-value");
	fails("-lt", "options/missing-value");
	parses(&t, "-l -t--append K");
	assert_string_equal(t.o.type, "--append");
	parses(&t, "-l -");
	assert_string_equal(t.o.kernel, "-");
	parses(&t, "-l -- -e");
	assert_string_equal(t.o.kernel, "-e");
	assert_false(t.o.exec);
}

static void test_append(void **state)
{
	struct run t;

	(void)state;
	parses(&t, "-l K --append=one --command-line=two");
	assert_string_equal(t.o.append, "two");
	assert_non_null(diag_find_note(&t.diag, "options/append-replaced"));
	done(&t);
	/* The bug there: --noefi after --append emptied it. */
	parses(&t, "-l K --append=one --noefi");
	assert_string_equal(t.o.append, "one");
	assert_true(t.o.no_efi);
	parses(&t, "-l K --append=");
	assert_string_equal(t.o.append, "");
	parses(&t, "-l K --append --initrd=x");
	assert_string_equal(t.o.append, "--initrd=x");
	assert_int_equal(t.o.n_initrds, 0);
	parses(&t, "-l K --append=a=b=c");
	assert_string_equal(t.o.append, "a=b=c");
	notes("-l K --append=x --append=x", "options/append-replaced", false);
}

static void test_initrds(void **state)
{
	struct run t;

	(void)state;
	parses(&t, "--initrd=a -l K --ramdisk b --initrd=c");
	assert_int_equal(t.o.n_initrds, 3);
	assert_string_equal(t.o.initrds[0], "a");
	assert_string_equal(t.o.initrds[1], "b");
	assert_string_equal(t.o.initrds[2], "c");
	done(&t);
	fails("-l K --initrd=", "options/bad-value");
	fails("-l K --initrd ~", "options/bad-value");
	fails("-l K --type=", "options/bad-value");
	fails("--dry-run K --host-root=", "options/bad-value");
}

static void test_unified_kernel_images(void **state)
{
	struct run t;

	(void)state;
	parses(&t, "-l K --profile=rescue --addon=a --addon b --image-cmdline --no-addons --append=x");
	assert_string_equal(t.o.profile, "rescue");
	assert_int_equal(t.o.n_addons, 2);
	assert_string_equal(t.o.addons[0], "a");
	assert_string_equal(t.o.addons[1], "b");
	assert_true(t.o.image_cmdline && t.o.no_addons);
	done(&t);
	fails("-l K --addon=", "options/bad-value");
	fails("-l K --profile=", "options/bad-value");
	fails("-l K --image-cmdline --reuse-cmdline", "options/conflict");
	fails("-u --profile=1", "options/no-load");
}

static void test_memory(void **state)
{
	static const struct {
		const char *text;
		uint64_t value;
	} good[] = {
		{ "0", 0 },	   { "4096", 4096 },	{ "0x1000", 0x1000 },
		{ "010", 8 },	   { "16M", 16 * MIB }, { "16m", 16 * MIB },
		{ "1k", KIB },	   { "3G", 3 * GIB },	{ "0x10K", 16 * KIB },
		{ "2T", 2 * TIB },
	};
	static const char *const bad[] = {
		"~", "x", "0x", "-1", "+1", "1MB", "1.5G", "09", "0xg", "18446744073709551616",
		"16777216T", "0x10000000000000000", "M", "1 ",
	};
	struct run t;
	char line[80];

	(void)state;
	for (size_t i = 0; i < array_len(good); i++) {
		snprintf(line, sizeof(line), "-l K --mem-min=%s", good[i].text);
		parses(&t, line);
		assert_true(t.o.mem_min == good[i].value);
		assert_string_equal(t.o.needs_kexec_load, "mem-min");
	}
	for (size_t i = 0; i < array_len(bad); i++) {
		char *argv[] = { "kexec", "-l", "K", "--mem-max", NULL, NULL };

		argv[4] = strcmp(bad[i], "~") == 0 ? "" : (char *)(uintptr_t)bad[i];
		run_argv(&t, 5, argv);
		if (t.result == 0)
			print_error("'%s' is no number\n", bad[i]);
		assert_int_equal(t.result, -EINVAL);
		assert_string_equal(t.diag.id, "options/bad-value");
	}
}

static void test_memory_range(void **state)
{
	struct run t;

	(void)state;
	parses(&t, "-l K --mem-max=0x3fffffff");
	assert_true(t.o.mem_end == 0x40000000);
	parses(&t, "-l K --mem-max=0xffffffffffffffff");
	assert_true(t.o.mem_end == UINT64_MAX);
	parses(&t, "-l K --mem-min=16M --mem-max=16M");
	fails("-l K --mem-min=17M --mem-max=16M", "options/mem-range");
	fails("-l K --mem-max=16M --mem-min=17M", "options/mem-range");
}

static void test_serial(void **state)
{
	struct run t;

	(void)state;
	parses(&t, "-l K --serial=ttyS0 --serial-baud=9600 --console-serial");
	assert_int_equal(t.o.serial_port, 0x3f8);
	assert_int_equal(t.o.serial_baud, 9600);
	assert_int_equal(t.o.console_serial, 1);
	assert_int_equal(t.o.console_vga, -1);
	parses(&t, "-l K --serial=ttyS1 --serial-baud 115200 --console-vga");
	assert_int_equal(t.o.serial_port, 0x2f8);
	assert_int_equal(t.o.console_vga, 1);
	parses(&t, "-l K --serial=0x3E8 --serial-baud=0x9600");	/* 38400 */
	assert_int_equal(t.o.serial_port, 0x3e8);
	assert_int_equal(t.o.serial_baud, 38400);
	fails("-l K --serial=ttyS2", "options/bad-value");
	fails("-l K --serial=0x10000", "options/bad-value");
	fails("-l K --serial=0xfffc", "options/bad-value");
	fails("-l K --serial=0x0", "options/bad-value");
	fails("-l K --serial=0x", "options/bad-value");
	fails("-l K --serial=", "options/bad-value");
	fails("-l K --serial=1016", "options/bad-value");
	fails("-l K --serial-baud=0", "options/bad-value");
	fails("-l K --serial-baud=4800", "options/bad-value");
	fails("-l K --serial-baud=9601", "options/bad-value");
	fails("-l K --serial-baud=230400", "options/bad-value");
	fails("-l K --serial-baud=fast", "options/bad-value");
}

static void test_seed(void **state)
{
	static const uint8_t one[SEED_LEN] = { [SEED_LEN - 1] = 1 };
	static const uint8_t low[SEED_LEN] = { [SEED_LEN - 2] = 0xab, [SEED_LEN - 1] = 0xcd };
	struct run t;
	char line[128];

	(void)state;
	parses(&t, "-l K --seed=1");
	assert_memory_equal(t.o.seed, one, SEED_LEN);
	parses(&t, "-l K --seed=0x1");
	assert_memory_equal(t.o.seed, one, SEED_LEN);
	parses(&t, "-l K --seed=43981");
	assert_memory_equal(t.o.seed, low, SEED_LEN);
	parses(&t, "-l K --seed=abcd");
	assert_memory_equal(t.o.seed, low, SEED_LEN);
	parses(&t, "-l K --seed=0xABCD");
	assert_memory_equal(t.o.seed, low, SEED_LEN);
	snprintf(line, sizeof(line), "-l K --seed=%064d", 1);
	parses(&t, line);
	assert_memory_equal(t.o.seed, one, SEED_LEN);
	snprintf(line, sizeof(line), "-l K --seed=a%064d", 1);
	fails(line, "options/bad-value");
	fails("-l K --seed=", "options/bad-value");
	fails("-l K --seed=0x", "options/bad-value");
	fails("-l K --seed=xyz", "options/bad-value");
	fails("-l K --seed=18446744073709551616", "options/bad-value");
	fails("-l K --seed=-1", "options/bad-value");
}

static void test_calls(void **state)
{
	struct run t;

	(void)state;
	parses(&t, "-l K -s -c");
	assert_int_equal(t.o.call, CALL_LOAD);
	parses(&t, "-l K -c -s -a");
	assert_int_equal(t.o.call, CALL_AUTO);
	notes("-l K -s --mem-min=1M", "options/no-effect", true);
	notes("-l K -s -i", "options/no-effect", true);
	notes("-l K -i", "options/no-effect", false);
	notes("-l K -c --no-cma", "options/no-effect", true);
	notes("-l K --no-cma --mem-max=1G", "options/no-effect", true);
	notes("-l K --no-cma --force-dtb", "options/no-effect", false);
	notes("-l K -x", "options/no-effect", true);
	notes("-l K -y", "options/no-effect", true);
	notes("-f K -x -y", "options/no-effect", false);
	notes("-l K --args-linux", "options/no-effect", false);	/* the image decides */
	notes("-l K another", "options/extra-word", true);
	notes("-l K", "options/extra-word", false);
	parses(&t, "-l K --no-cma --force-dtb");
	assert_true(t.o.no_cma && t.o.force_dtb);
}

static void test_callers_that_load(void **state)
{
	char *systemd[] = { "/sbin/kexec",	    "--load",	"/boot/vmlinuz",   "--append",
			    "root=/dev/sda1 quiet", "--initrd", "/boot/initrd.img" };
	char *debian[] = { "/sbin/kexec", "-l", "/boot/vmlinuz", "--initrd=/boot/initrd.img",
			   "--append=root=/dev/sda1 quiet" };
	char *petitboot[] = { "kexec", "-l", "--debug", "--initrd=/boot/initrd.img",
			      "--append=root=/dev/sda1 quiet", "/boot/vmlinuz" };
	const struct {
		int argc;
		char **argv;
	} calls[] = {
		{ (int)array_len(systemd), systemd },
		{ (int)array_len(debian), debian },
		{ (int)array_len(petitboot), petitboot },
	};
	struct run t;

	(void)state;
	for (size_t i = 0; i < array_len(calls); i++) {
		run_argv(&t, calls[i].argc, calls[i].argv);
		assert_int_equal(t.result, 0);
		assert_true(t.o.load && !t.o.exec && !t.o.bare_reboot);
		assert_string_equal(t.o.kernel, "/boot/vmlinuz");
		assert_string_equal(t.o.append, "root=/dev/sda1 quiet");
		assert_int_equal(t.o.n_initrds, 1);
		assert_string_equal(t.o.initrds[0], "/boot/initrd.img");
		assert_null(t.diag.notes);
		done(&t);
	}
	mode_is("-s --initrd=I --append=A K", "lb");	/* petitboot's other form has -s alone */
	mode_is("-e -f", "e");
	mode_is("-d -l K --command-line C --initrd=I --append=A", "l");		/* Heads */
}

/* All that -s makes ineffective are named, each once. */
static void test_no_effect_names_all(void **state)
{
	struct run t;

	(void)state;
	parses(&t, "-l K --mem-max=1G --noefi -s -i --mem-max=2G --serial=ttyS1 --entry=1M");
	assert_non_null(strstr(diag_find_note(&t.diag, "options/no-effect")->text,
			       ": --noefi, --mem-max, --entry, --serial, --no-checks"));
	done(&t);
}

static void test_what_the_next_kernel_gets(void **state)
{
	struct run t;

	(void)state;
	parses(&t, "-l --dtb=D K");			/* petitboot */
	assert_string_equal(t.o.dtb, "D");
	assert_false(t.o.has_entry || t.o.reuse_video_type || t.o.reuse_initrd);
	done(&t);
	parses(&t, "-l K --entry=16M --reuse-video-type --reuseinitrd --initrd=I --reuseinitrd");
	assert_true(t.o.has_entry && t.o.entry == 16 * MIB);
	assert_true(t.o.reuse_video_type && t.o.reuse_initrd);
	assert_int_equal(t.o.n_initrds, 2);
	assert_string_equal(t.o.initrds[0], "/sys/firmware/initrd");
	assert_string_equal(t.o.initrds[1], "I");
	done(&t);
	fails("-l K --dtb=", "options/bad-value");
	fails("-l K --entry=here", "options/bad-value");
	fails("-u --dtb=D", "options/no-load");
	fails("--load-live-update K", "options/not-yet");
	fails("--exec-live-update", "options/not-yet");
}

static void test_coming_back(void **state)
{
	struct run t;

	(void)state;
	parses(&t, "K --load-preserve-context --mem-max=0x7ffffff");
	assert_true(t.o.preserves_context && t.o.load && !t.o.bare_reboot && !t.o.exec);
	assert_string_equal(t.o.needs_kexec_load, "load-preserve-context");
	done(&t);
	mode_is("--load-preserve-context -l -c --mem-max=128M K", "l");
	mode_is("-f --load-preserve-context --mem-max=128M K", "le");
	fails("--load-preserve-context K", "options/no-window");
	fails("--load-preserve-context --mem-max=128M", "options/no-kernel");
	fails("--load-preserve-context --mem-max=128M -s K", "options/coming-back");
	fails("--load-preserve-context --mem-max=128M -p K", "options/coming-back");
	fails("--load-preserve-context --mem-max=128M -u", "options/conflict");
	fails("--load-preserve-context --mem-max=128M --rehearse K", "options/coming-back");

	parses(&t, "-c --load-jump-back-helper --entry=0x1000000");
	assert_true(t.o.jump_back_helper && t.o.has_entry && t.o.entry == 0x1000000);
	assert_false(t.o.load || t.o.exec || t.o.bare_reboot);
	done(&t);
	mode_is("--load-jump-back-helper", "");
	mode_is("--load-jump-back-helper -e", "e");
	fails("--load-jump-back-helper -l K", "options/coming-back");
	fails("--load-jump-back-helper -s", "options/coming-back");
	fails("--load-jump-back-helper -u", "options/conflict");
	fails("--load-jump-back-helper --load-preserve-context --mem-max=1G K", "options/coming-back");
	fails("--load-jump-back-helper --append=x", "options/no-load");
}

static void test_images_that_are_no_linux(void **state)
{
	struct run t;

	(void)state;
	parses(&t, "-l K --module=/m --args-elf");
	assert_int_equal(t.o.n_modules, 1);
	assert_string_equal(t.o.module_paths[0], "/m");
	assert_int_equal(t.o.args, ARGS_ELF);
	done(&t);
	parses(&t, "-l K --args-elf --args-none --args-linux");
	assert_int_equal(t.o.args, ARGS_LINUX);
	done(&t);
	parses(&t, "-l K --args-none");
	assert_int_equal(t.o.args, ARGS_NONE);
	assert_string_equal(t.o.needs_kexec_load, "args-none");
	done(&t);
	fails("-l K --module=", "options/bad-value");
	fails("-e --module=M", "options/no-load");
	fails("-e --args-elf", "options/no-load");
}

static void test_callers_of_kdump(void **state)
{
	(void)state;
	mode_is("-p --command-line=C --initrd=I K", "lp");
	mode_is("-p -s --args-linux --command-line=C --initrd=I K", "lp");
	mode_is("-p --elf64-core-headers --command-line=C K", "lp");
	mode_is("-s -p --command-line=C --initrd=I K", "lp");	/* Fedora */
	mode_is("-p K --append=C --initrd=I -a", "lp");		/* openSUSE */
	mode_is("-d -l K --module=M --module=N", "l");		/* Heads, Xen */
	mode_is("-s -p -u", "U");
	mode_is("-a -p -u", "U");
	mode_is("-pu", "U");
}

static void test_argv_that_is_none(void **state)
{
	char *none[] = { NULL };
	struct run t;

	(void)state;
	run_argv(&t, 0, none);
	assert_string_equal(t.diag.id, "options/no-kernel");
}

/* The result stays as it was when an allocation fails, whichever. */
static void test_no_memory(void **state)
{
	char *argv[] = { "kexec", "-l", "K", "--initrd=a", "--append=x", "--append=y", "more" };

	(void)state;
	for (size_t i = 1; i < 10; i++) {
		struct arena arena = { .fail_at = i };
		struct options o = { .help_status = 77 };
		struct diag diag;

		diag_init(&diag, &arena);
		if (options_parse((int)array_len(argv), argv, &arena, &o, &diag) < 0) {
			assert_int_equal(diag.error, ENOMEM);
			assert_int_equal(o.help_status, 77);
		}
		arena_free(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_questions),
		cmocka_unit_test(test_modes_that_cannot_be),
		cmocka_unit_test(test_exit_status),
		cmocka_unit_test(test_dry_run),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_spellings),
		cmocka_unit_test(test_every_row),
		cmocka_unit_test(test_all_of_kexec_tools_is_known),
		cmocka_unit_test(test_ours_abbreviates_none_of_theirs),
		cmocka_unit_test(test_abbreviations_of_kexec_tools),
		cmocka_unit_test(test_ambiguous),
		cmocka_unit_test(test_our_abbreviations),
		cmocka_unit_test(test_letters),
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_initrds),
		cmocka_unit_test(test_unified_kernel_images),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_memory_range),
		cmocka_unit_test(test_serial),
		cmocka_unit_test(test_seed),
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_callers_that_load),
		cmocka_unit_test(test_no_effect_names_all),
		cmocka_unit_test(test_what_the_next_kernel_gets),
		cmocka_unit_test(test_callers_of_kdump),
		cmocka_unit_test(test_coming_back),
		cmocka_unit_test(test_images_that_are_no_linux),
		cmocka_unit_test(test_argv_that_is_none),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
