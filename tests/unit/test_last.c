// SPDX-License-Identifier: GPL-2.0-or-later
/* The note as a next kernel shows it, and what follows from it and from that kernel's clock. */
#include <linux/perf_event.h>
#include <string.h>

#include "handoff.h"
#include "kmsg.h"
#include "last.h"
#include "tsc.h"
#include "unit.h"

#define KHZ	2000000	/* 2 ticks a nanosecond */
#define LOADER_OFF	0x210

static struct boot_note mark;
static struct facts facts;
static struct tsc_clock clock_now;
static struct setup_node nodes[3];
static struct last last;

static int fresh(void **state)
{
	(void)state;
	mark = (struct boot_note){
		.magic = BOOT_NOTE_MAGIC,
		.len = sizeof(mark),
		.loaded = 1000 * 2000,
		.loader = "kexec-ng 9",
		.release = "6.1.0",
		.entered = 3000 * 2000,
		.verified = 3500 * 2000,
		.left = 3600 * 2000,
		.verdict = VERDICT_MATCH,
	};
	clock_now = (struct tsc_clock){
		.khz = KHZ,
		.khz_source = "test",
		.has_start = true,
		.start = 5000 * 2000,
		.has_init = true,
		.init_us = 777,
	};
	memset(&facts, 0, sizeof(facts));
	facts.has_boot_params = true;
	facts.boot_params[LOADER_OFF] = 0xd1;
	nodes[0] = (struct setup_node){ .type = 9, .data = span_of(&mark, sizeof(mark)) };
	nodes[1] = (struct setup_node){ .type = 0, .data = span_of("abc", 3) };
	nodes[2] = (struct setup_node){ .type = 0, .data = span_of(&mark, sizeof(mark)) };
	facts.setup = nodes;
	facts.n_setup = 3;
	return 0;
}

static void compute(enum last_kind kind)
{
	last_compute(&facts, &clock_now, &last);
	assert_int_equal(last.kind, kind);
}

static void is_known(enum last_step step, uint64_t us)
{
	assert_int_equal(last.steps[step].state, LAST_STEP_KNOWN);
	assert_int_equal(last.steps[step].us, us);
}

static void is_unknown(enum last_step step)
{
	assert_int_equal(last.steps[step].state, LAST_STEP_UNKNOWN);
	assert_non_null(last.steps[step].why);
}

static void test_figures(void **state)
{
	(void)state;
	compute(LAST_NOTED);
	assert_int_equal(last.steps[LAST_BEFORE].state, LAST_STEP_AT_MOST);
	assert_int_equal(last.steps[LAST_BEFORE].us, 2000);
	is_known(LAST_VERIFY, 500);
	is_known(LAST_LEAVE, 100);
	is_known(LAST_EARLY, 1400);
	is_known(LAST_KERNEL, 777);
}

/* What is not known is not made up. */
static void test_unknown(void **state)
{
	(void)state;
	mark.loaded = 0;
	clock_now.has_start = false;
	clock_now.start_source = "no clock";
	clock_now.has_init = false;
	clock_now.init_source = "no log";
	compute(LAST_NOTED);
	is_unknown(LAST_BEFORE);
	is_known(LAST_VERIFY, 500);
	is_unknown(LAST_EARLY);
	assert_string_equal(last.steps[LAST_EARLY].why, "no clock");
	is_unknown(LAST_KERNEL);
	clock_now.khz = 0;
	compute(LAST_NOTED);
	is_unknown(LAST_VERIFY);
	mark.entered = mark.verified = mark.left = 0;
	clock_now.khz = KHZ;
	compute(LAST_NOTED);
	is_unknown(LAST_VERIFY);
	is_unknown(LAST_LEAVE);
}

static void test_marks_that_do_not_follow(void **state)
{
	(void)state;
	mark.entered = 4000 * 2000;	/* after verified */
	mark.loaded = 4001 * 2000;
	compute(LAST_NOTED);
	is_unknown(LAST_BEFORE);
	is_unknown(LAST_VERIFY);
	is_known(LAST_LEAVE, 100);
	mark.left = UINT64_MAX;
	compute(LAST_NOTED);
	is_unknown(LAST_LEAVE);
	is_unknown(LAST_EARLY);
}

/* A clock that is known to some ms only may seem to start before the mark. */
static void test_start_before_the_mark(void **state)
{
	(void)state;
	clock_now.start = mark.left - 5000 * 2000 / 5;	/* a ms before */
	compute(LAST_NOTED);
	is_unknown(LAST_EARLY);
	clock_now.start_error_us = 2000;
	compute(LAST_NOTED);
	is_known(LAST_EARLY, 0);
	assert_int_equal(last.steps[LAST_EARLY].error_us, 2000);
}

static void test_other_origins(void **state)
{
	(void)state;
	facts.n_setup = 2;
	compute(LAST_OTHER);
	assert_int_equal(last.loader_type, 0xd1);
	facts.boot_params[LOADER_OFF] = 0x72;
	compute(LAST_FIRMWARE);
	facts.has_boot_params = false;
	compute(LAST_UNKNOWN);
}

static void test_foreign_notes(void **state)
{
	static uint8_t longer[sizeof(mark) + 64];
	struct boot_note read;

	(void)state;
	assert_false(last_read_note(span_of(&mark, sizeof(mark) - 1), &read));
	mark.magic++;
	assert_false(last_read_note(span_of(&mark, sizeof(mark)), &read));
	mark.magic--;
	mark.len = sizeof(mark) + 1;	/* more than there is */
	assert_false(last_read_note(span_of(&mark, sizeof(mark)), &read));
	mark.len = 16;
	assert_false(last_read_note(span_of(&mark, sizeof(mark)), &read));
	/* A later version's, and texts without an end that a terminal would obey. */
	mark.len = sizeof(longer);
	memset(mark.loader, '\x1b', sizeof(mark.loader));
	memcpy(longer, &mark, sizeof(mark));
	assert_true(last_read_note(span_of(longer, sizeof(longer)), &read));
	assert_int_equal(strlen(read.loader), sizeof(read.loader) - 1);
	assert_int_equal(strspn(read.loader, "?"), sizeof(read.loader) - 1);
}

static bool parse(const char *record, struct kmsg_record *ret)
{
	return kmsg_parse(span_of(record, strlen(record)), ret);
}

static void test_log_records(void **state)
{
	struct kmsg_record r;

	(void)state;
	assert_true(parse("6,339,5140900,-;NET: Registered\n", &r));
	assert_true(r.is_kernel);
	assert_int_equal(r.level, 6);
	assert_int_equal(r.us, 5140900);
	assert_memory_equal(r.text.data, "NET: Registered", r.text.len);
	assert_true(parse("12,1,2,-,caller=T1;said; so\n SUBSYSTEM=acpi\n", &r));
	assert_false(r.is_kernel);
	assert_int_equal(r.text.len, strlen("said; so"));
	assert_true(parse("6,1,2,-;", &r));
	assert_int_equal(r.text.len, 0);
	assert_false(parse("", &r));
	assert_false(parse("6,1,2,-", &r));
	assert_false(parse("6,1,x,-;text\n", &r));
	assert_false(parse("99999999999,1,2,-;text\n", &r));
}

static void scan(struct tsc_log *log, const char *text, uint64_t us)
{
	tsc_scan_log(span_of(text, strlen(text)), us, log);
}

static void test_log_of_the_clock(void **state)
{
	struct tsc_log log = { 0 };

	(void)state;
	scan(&log, "tsc: Fast TSC calibration using PIT", 0);
	scan(&log, "tsc: Detected 2808.000 MHz processor", 1);
	assert_int_equal(log.khz, 2808000);
	scan(&log, "tsc: Refined TSC clocksource calibration: 2807.987 MHz", 2);
	assert_int_equal(log.khz, 2807987);
	scan(&log, "tsc: Detected many MHz processor", 3);
	scan(&log, "tsc: Detected 1.5 MHz processor", 3);
	scan(&log, "tsc: Detected 99999999999.000 MHz processor", 3);
	assert_int_equal(log.khz, 2807987);
	scan(&log, "Run for your lives as init process", 4);
	assert_false(log.has_init);
	scan(&log, "Run /init as init process", 5);
	scan(&log, "Run /sbin/init as init process", 6);
	assert_true(log.has_init);
	assert_int_equal(log.init_us, 5);
	assert_false(log.is_unstable);
	scan(&log, "tsc: Marking TSC unstable due to clocksource watchdog", 7);
	assert_true(log.is_unstable);
}

/* 2 GHz: a tick is half a nanosecond. */
static void test_page_of_perf(void **state)
{
	struct perf_event_mmap_page page = { .time_mult = 1U << 30, .time_shift = 31 };
	struct tsc_clock clock = { .khz = 0 };

	(void)state;
	page.time_zero = UINT64_C(0) - 500;
	tsc_use_page(&page, &clock);
	assert_int_equal(clock.khz, 0);		/* it does not say that these count */
	page.cap_user_time_zero = 1;
	tsc_use_page(&page, &clock);
	assert_int_equal(clock.khz, 2000000);
	assert_true(clock.has_start);
	assert_int_equal(clock.start, 1000);
	clock = (struct tsc_clock){ .khz = 0 };
	page.time_zero = UINT64_C(1) << 63;	/* has no counterpart above zero */
	tsc_use_page(&page, &clock);
	assert_int_equal(clock.khz, 2000000);
	assert_false(clock.has_start);
	page.lock = 1;				/* for ever being written */
	clock = (struct tsc_clock){ .khz = 0 };
	tsc_use_page(&page, &clock);
	assert_int_equal(clock.khz, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_figures, fresh),
		cmocka_unit_test_setup(test_unknown, fresh),
		cmocka_unit_test_setup(test_marks_that_do_not_follow, fresh),
		cmocka_unit_test_setup(test_start_before_the_mark, fresh),
		cmocka_unit_test_setup(test_other_origins, fresh),
		cmocka_unit_test_setup(test_foreign_notes, fresh),
		cmocka_unit_test(test_log_records),
		cmocka_unit_test(test_log_of_the_clock),
		cmocka_unit_test(test_page_of_perf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
