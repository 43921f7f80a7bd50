// SPDX-License-Identifier: GPL-2.0-or-later
#include "tsc.h"

#include <cpuid.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "checked.h"
#include "host_text.h"
#include "kmsg.h"

#define NS_PER_S		UINT64_C(1000000000)
#define CPUID_TSC		0x15
#define CPUID_HYPERVISOR	0x40000000
#define CPUID_HYPERVISOR_TSC	0x40000010	/* eax: kHz (VMware, KVM) */
#define MEASURE_NS		100000000
/* A clock that stood still while the machine slept is of no use to reach back by. */
#define ASLEEP_NS_MAX		5000000
/* Less than this is not worth saying, more is worth nothing. */
#define ERROR_US_MAX		200000

/* "2808.000 MHz ..." after the prefix. */
static bool mhz_after(struct span text, const char *prefix, uint64_t *ret_khz)
{
	struct span rest, mhz, whole, part;
	uint64_t khz, thousandths;

	if (!text_starts_with(text, prefix, &rest) || !text_next_word(&rest, &mhz) ||
	    !text_starts_with(text_trim(rest), "MHz", &rest))
		return false;
	whole = mhz;
	for (whole.len = 0; whole.len < mhz.len && mhz.data[whole.len] != '.'; whole.len++)
		;
	if (!span_sub(mhz, whole.len, 4, &part) || !span_sub(part, 1, 3, &part) ||
	    !text_number(whole, &khz) || !text_number(part, &thousandths) ||
	    !checked_mul(khz, 1000, &khz) || !checked_add(khz, thousandths, &khz) ||
	    khz > UINT32_MAX || khz == 0)
		return false;
	*ret_khz = khz;
	return true;
}

void tsc_scan_log(struct span text, uint64_t us, struct tsc_log *log)
{
	struct span rest;

	if (mhz_after(text, "tsc: Detected ", &log->khz) ||
	    mhz_after(text, "tsc: Refined TSC clocksource calibration: ", &log->khz))
		return;
	if (text_starts_with(text, "tsc: Marking TSC unstable", &rest)) {
		log->is_unstable = true;
	} else if (text_starts_with(text, "Run ", &rest) && !log->has_init) {
		struct span path;

		if (!text_next_word(&rest, &path) || !text_is(text_trim(rest), "as init process"))
			return;
		log->has_init = true;
		log->init_us = us;
	}
}

static int read_log(struct tsc_log *log)
{
	struct kmsg k;
	struct kmsg_record record;
	int r = kmsg_open(&k, true);

	if (r < 0)
		return r;
	while (kmsg_next(&k, &record))
		if (record.is_kernel)
			tsc_scan_log(record.text, record.us, log);
	kmsg_close(&k);
	return 0;
}

/* ---- the kernel's own conversion, as perf shows it to any process ---------------------------- */

struct conversion {
	uint32_t mult;
	uint16_t shift;
	uint64_t zero;		/* of the kernel's clock, when the TSC was 0; mod 2^64 */
};

static bool read_page(const volatile struct perf_event_mmap_page *page, struct conversion *ret)
{
	for (int tries = 0; tries < 1000; tries++) {
		const uint32_t lock = page->lock;

		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		ret->mult = page->time_mult;
		ret->shift = page->time_shift;
		ret->zero = page->time_zero;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (!(lock & 1) && page->lock == lock)
			return page->cap_user_time_zero && ret->mult != 0 && ret->shift < 64;
	}
	return false;
}

/* a * b / c without losing bits on the way; false if it does not fit. */
static bool mul_div(uint64_t a, uint64_t b, uint64_t c, uint64_t *ret)
{
	long double v = (long double)a * (long double)b / (long double)c; /* 64 bits of mantissa */

	if (v >= 0x1p63L)
		return false;
	*ret = (uint64_t)v;
	return true;
}

static void use_conversion(const struct conversion *c, struct tsc_clock *ret)
{
	uint64_t khz, start = 0;

	if (c->shift >= 44 || !mul_div(1000000, UINT64_C(1) << c->shift, c->mult, &khz) || khz == 0)
		return;
	ret->khz = khz;
	ret->khz_source = "the kernel's clock (perf)";
	/* Below zero, as a number of 64 bits: the TSC began before the clock. */
	if ((int64_t)c->zero > 0 ||
	    !mul_div(UINT64_C(0) - c->zero, UINT64_C(1) << c->shift, c->mult, &start))
		return;
	ret->has_start = true;
	ret->start = start;
	ret->start_source = "the kernel's clock (perf)";
}

void tsc_use_page(const struct perf_event_mmap_page *page, struct tsc_clock *ret)
{
	struct conversion conversion;

	if (read_page(page, &conversion))
		use_conversion(&conversion, ret);
}

static void use_perf(struct tsc_clock *ret)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
		.disabled = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0UL);
	void *page;

	if (fd < 0)
		return;
	page = mmap(NULL, PAGE_LEN, PROT_READ, MAP_SHARED, fd, 0);
	if (page != MAP_FAILED) {
		tsc_use_page(page, ret);
		munmap(page, PAGE_LEN);
	}
	close(fd);
}

/* ---- otherwise ------------------------------------------------------------------------------ */

static uint64_t cpuid_khz(void)
{
	unsigned int a = 0, b = 0, c = 0, d = 0;

	if (__get_cpuid_count(CPUID_TSC, 0, &a, &b, &c, &d) && a != 0 && b != 0 && c != 0)
		return (uint64_t)c * b / a / 1000;
	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & (1U << 31)))	/* a hypervisor */
		return 0;
	__cpuid(CPUID_HYPERVISOR, a, b, c, d);
	if (a < CPUID_HYPERVISOR_TSC)
		return 0;
	__cpuid(CPUID_HYPERVISOR_TSC, a, b, c, d);
	return a;
}

static uint64_t clock_ns(clockid_t id)
{
	struct timespec t = { 0 };

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

struct pair {
	uint64_t tsc;
	uint64_t ns;	/* of CLOCK_MONOTONIC_RAW */
	uint64_t width;	/* ticks between the two readings around it */
};

/* The closest of some. */
static struct pair read_pair(void)
{
	struct pair best = { .width = UINT64_MAX };

	for (int i = 0; i < 20; i++) {
		const uint64_t a = __builtin_ia32_rdtsc();
		const uint64_t ns = clock_ns(CLOCK_MONOTONIC_RAW);
		const uint64_t b = __builtin_ia32_rdtsc();

		if (b >= a && b - a < best.width)
			best = (struct pair){ .tsc = a + (b - a) / 2, .ns = ns, .width = b - a };
	}
	return best;
}

/* The clock that measures is the one that reaches back, so that its own rate does not matter. */
static void measure(struct tsc_clock *ret)
{
	const struct timespec nap = { .tv_nsec = MEASURE_NS };
	const struct pair a = read_pair();
	struct pair b;
	uint64_t back, khz, width;

	nanosleep(&nap, NULL);
	b = read_pair();
	if (b.tsc <= a.tsc || b.ns <= a.ns || a.width == UINT64_MAX || b.width == UINT64_MAX ||
	    !mul_div(b.tsc - a.tsc, 1000000, b.ns - a.ns, &khz) || khz == 0)
		return;
	if (ret->khz == 0) {
		ret->khz = khz;
		ret->khz_source = "measured just now";
	}
	if (!mul_div(b.tsc - a.tsc, b.ns, b.ns - a.ns, &back) || back > b.tsc)
		return;
	/* How far the start is off if each reading was off by its width. */
	width = a.width + b.width;
	if (!mul_div(width, b.ns / 1000 + 1, b.tsc - a.tsc, &ret->start_error_us))
		return;
	if (ret->start_error_us > ERROR_US_MAX) {
		ret->start_source = "the kernel has run for too long to reach back by its clock";
		return;
	}
	ret->has_start = true;
	ret->start = b.tsc - back;
	ret->start_source = "CLOCK_MONOTONIC_RAW, measured just now";
}

static bool has_slept(void)
{
	const uint64_t with = clock_ns(CLOCK_BOOTTIME), without = clock_ns(CLOCK_MONOTONIC);

	return with > without && with - without > ASLEEP_NS_MAX;
}

void tsc_read(struct tsc_clock *ret)
{
	struct tsc_clock c = { .start_source = "the kernel's clock cannot be compared with the TSC" };
	struct tsc_log log = { 0 };
	const bool has_log = read_log(&log) == 0;

	use_perf(&c);
	if (c.khz == 0 && log.khz != 0) {
		c.khz = log.khz;
		c.khz_source = "the kernel's log";
	}
	if (c.khz == 0) {
		c.khz = cpuid_khz();
		c.khz_source = c.khz ? "CPUID" : NULL;
	}
	if (!c.has_start || c.khz == 0)
		measure(&c);
	if (has_slept()) {
		c.has_start = false;
		c.start_source = "the machine has been suspended since, which stops its TSC";
	}
	c.is_unstable = log.is_unstable;
	c.has_init = log.has_init;
	c.init_us = log.init_us;
	c.init_source = log.has_init ? "the kernel's log" :
			has_log	     ? "the kernel's log does not say so any more" :
				       "the kernel's log may not be read: root may (dmesg)";
	*ret = c;
}
