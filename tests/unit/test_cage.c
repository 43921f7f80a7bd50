// SPDX-License-Identifier: GPL-2.0-or-later
/* What is done in a cage comes back; work that is hostile does nothing but fail, each in its way. */
#include "cage.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/reboot.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "parallel.h"
#include "unit.h"

#define SECONDS	60
#define LEN	(3 * MIB)

struct test {
	struct cage cage;
	struct diag diag;
	struct span handed;
	long arg;
	const uint8_t *file;
};

static enum cage_result run(struct test *t, unsigned int seconds, cage_work *work)
{
	enum cage_result r = cage_open(&t->cage);

	diag_init(&t->diag, NULL);
	t->handed = (struct span){ 0 };
	if (r == CAGE_DONE)
		r = cage_run(&t->cage, seconds, work, t, &t->handed, &t->diag);
	if (r == CAGE_NONE && strstr(t->cage.why, "without libseccomp"))
		skip();
	return r;
}

static void fails(cage_work *work, long arg, unsigned int seconds, const char *id)
{
	struct test t = { .arg = arg };

	assert_int_equal(run(&t, seconds, work), CAGE_FAILED);
	assert_string_equal(t.diag.id, id);
	assert_int_not_equal(t.diag.error, 0);
	assert_int_equal(t.handed.len, 0);
	cage_close(&t.cage);
}

/* ---- work that is none of anybody's business ---- */

static struct span good(void *ctx, struct region *region)
{
	struct test *t = ctx;
	uint8_t *text = region_alloc(region, LEN);

	for (size_t i = 0; i < LEN; i++)
		text[i] = (uint8_t)(i * 7);
	atomic_store(cage_signal(&t->cage), 4711);
	return span_of(text, LEN);
}

static void add(void *ctx, size_t i)
{
	/* Each thread wants memory of its own, of the C library. */
	char *text = malloc(100000 + i);

	memset(text, (int)i, 100000);
	((uint8_t *)ctx)[i] = (uint8_t)text[99999];
	free(text);
}

static struct span threads(void *ctx, struct region *region)
{
	uint8_t *bytes = region_alloc(region, 200);

	(void)ctx;
	parallel_run(200, 20, add, bytes);
	return span_of(bytes, 200);
}

static void test_comes_back(void **state)
{
	struct test t;
	char line[256], *end;
	bool is_seen = false;
	FILE *maps;

	(void)state;
	assert_int_equal(run(&t, SECONDS, good), CAGE_DONE);
	assert_int_equal(t.handed.len, LEN);
	for (size_t i = 0; i < LEN; i++)
		if (t.handed.data[i] != (uint8_t)(i * 7))
			assert_int_equal(i, LEN);
	assert_int_equal(atomic_load(cage_signal(&t.cage)), 4711);
	/* Read only, and no longer than what was used. */
	maps = fopen("/proc/self/maps", "re");
	while (fgets(line, sizeof(line), maps)) {
		if (strtoull(line, &end, 16) != (uintptr_t)t.cage.region.base)
			continue;
		is_seen = true;
		assert_int_equal(strtoull(end + 1, &end, 16), (uintptr_t)t.cage.region.base +
							     t.cage.region.len);
		assert_memory_equal(end, " r--p", 5);
	}
	fclose(maps);
	assert_true(is_seen);
	assert_in_range(t.cage.region.len, LEN, LEN + 2 * PAGE_LEN);
	cage_close(&t.cage);
}

static void test_threads(void **state)
{
	struct test t;

	(void)state;
	assert_int_equal(run(&t, SECONDS, threads), CAGE_DONE);
	for (size_t i = 0; i < t.handed.len; i++)
		assert_int_equal(t.handed.data[i], i);
	assert_int_equal(t.handed.len, 200);
	cage_close(&t.cage);
}

/* ---- hostile work ---- */

static struct span call(void *ctx, struct region *region)
{
	static const struct { long number, a, b, c, d, e, f; } calls[] = {
		{ SYS_open, (long)"/etc/passwd", O_RDONLY, 0, 0, 0, 0 },
		{ SYS_openat, AT_FDCWD, (long)"/etc/passwd", O_RDONLY, 0, 0, 0 },
		{ SYS_reboot, LINUX_REBOOT_MAGIC1, 0, 0, 0, 0, 0 },
		{ SYS_kexec_load, 0, 0, 0, ~0L, 0, 0 },
#ifdef SYS_kexec_file_load
		{ SYS_kexec_file_load, -1, -1, 0, 0, ~0L, 0 },
#endif
		{ SYS_ptrace, 0, 0, 0, 0, 0, 0 },
		{ SYS_socket, AF_INET, SOCK_DGRAM, 0, 0, 0, 0 },
		{ SYS_execve, (long)"/bin/true", 0, 0, 0, 0, 0 },
		{ SYS_clone, SIGCHLD, 0, 0, 0, 0, 0 },
		{ SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0, 0 },
		{ SYS_kill, 1, 0, 0, 0, 0, 0 },
		{ SYS_tgkill, 1, 1, 0, 0, 0, 0 },
		{ SYS_write, 1, (long)"x", 1, 0, 0, 0 },
		{ SYS_write, 2, (long)"x", 1, 0, 0, 0 },
		{ SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 },
		{ SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE, 0, 0 },
		{ SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0, 0 },
		{ SYS_setuid, 0, 0, 0, 0, 0, 0 },
	};
	const struct test *t = ctx;
	const long i = t->arg;

	if ((size_t)i >= array_len(calls))
		return good(ctx, region);
	syscall(calls[i].number, calls[i].a, calls[i].b, calls[i].c, calls[i].d, calls[i].e,
		calls[i].f);
	return good(ctx, region);
}

static struct span protect(void *ctx, struct region *region)
{
	mprotect(region->base, PAGE_LEN, PROT_READ | PROT_EXEC);
	return good(ctx, region);
}

static void test_refused_calls(void **state)
{
	long n = 0;
	struct test t;

	(void)state;
	for (;; n++) {
		t.arg = n;
		if (run(&t, SECONDS, call) == CAGE_DONE)
			break;
		assert_string_equal(t.diag.id, "sandbox/refused-call");
		cage_close(&t.cage);
	}
	cage_close(&t.cage);
	assert_in_range(n, 17, 18);
	fails(protect, 0, SECONDS, "sandbox/refused-call");
}

/* As of a process that could not lock itself in: it must not be believed when it could. */
static struct span end(void *ctx, struct region *region)
{
	const struct test *t = ctx;

	(void)region;
	_exit((int)t->arg);
}

static struct span crash(void *ctx, struct region *region)
{
	const struct test *t = ctx;

	(void)region;
	/* Without the sanitizer's handler, which wants to talk. */
	signal((int)t->arg, SIG_DFL);
	syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), (int)t->arg);
	return (struct span){ 0 };
}

static struct span loop(void *ctx, struct region *region)
{
	(void)ctx, (void)region;
	for (volatile unsigned long i = 0; i != ULONG_MAX; i++)
		;
	return (struct span){ 0 };
}

static struct span sleep_for_ever(void *ctx, struct region *region)
{
	volatile int word = 0;

	(void)ctx, (void)region;
	while (word == 0)
		syscall(SYS_futex, &word, 0 /* FUTEX_WAIT */, 0, NULL, NULL, 0);
	return (struct span){ 0 };
}

static void test_ends(void **state)
{
	(void)state;
	for (long status = 1; status < 6; status++)
		fails(end, status, SECONDS,
		      status == 3 ? "memory/exhausted" :
		      status == 4 ? "file/truncated" : "sandbox/crashed");
	fails(crash, SIGSEGV, SECONDS, "sandbox/crashed");
	fails(crash, SIGABRT, SECONDS, "sandbox/crashed");
	fails(crash, SIGKILL, SECONDS, "sandbox/killed");
	fails(crash, SIGXCPU, SECONDS, "sandbox/timeout");
	fails(loop, 0, 1, "sandbox/timeout");
	fails(sleep_for_ever, 0, 1, "sandbox/timeout");
}

static struct span elsewhere(void *ctx, struct region *region)
{
	static const uint8_t outside[16];
	const struct test *t = ctx;

	switch (t->arg) {
	case 0:
		return span_of(outside, sizeof(outside));
	case 1:
		return span_of(region->base, region->len + 1);
	case 2:
		return span_of(region->base + 64, SIZE_MAX - 8);
	default:
		return span_of(region->base - 1, 1);
	}
}

static void test_result_elsewhere(void **state)
{
	(void)state;
	for (long i = 0; i < 4; i++)
		fails(elsewhere, i, SECONDS, "sandbox/bad-result");
}

/* ---- files ---- */

static struct span read_file(void *ctx, struct region *region)
{
	const struct test *t = ctx;
	uint8_t *copy = region_alloc(region, PAGE_LEN);

	memcpy(copy, t->file, PAGE_LEN);
	return span_of(copy, PAGE_LEN);
}

static void test_file_that_is_cut(void **state)
{
	char path[] = "/tmp/test_cage.XXXXXX";
	int fd = mkstemp(path);
	struct test t = { 0 };

	(void)state;
	unlink(path);
	assert_int_equal(ftruncate(fd, PAGE_LEN), 0);
	t.file = mmap(NULL, PAGE_LEN, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_int_equal(run(&t, SECONDS, read_file), CAGE_DONE);
	cage_close(&t.cage);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(run(&t, SECONDS, read_file), CAGE_FAILED);
	assert_string_equal(t.diag.id, "file/truncated");
	cage_close(&t.cage);
	munmap((void *)(uintptr_t)t.file, PAGE_LEN);
	close(fd);
}

/* ---- afterwards ---- */

/* Nothing of it stays open, and nobody is left. */
static void test_leaves_nothing(void **state)
{
	const int before = dup(0);
	struct test t;
	int after;

	(void)state;
	assert_int_equal(run(&t, SECONDS, good), CAGE_DONE);
	cage_close(&t.cage);
	t.arg = SIGSEGV;
	assert_int_equal(run(&t, SECONDS, crash), CAGE_FAILED);
	cage_close(&t.cage);
	after = dup(0);
	assert_int_equal(after, before + 1);
	close(after);
	close(before);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void test_region(void **state)
{
	const size_t len = 64 * PAGE_LEN;
	uint8_t *base = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct region r = { .base = base, .len = len };
	uint8_t *a, *b, *c;

	(void)state;
	a = region_alloc(&r, 1);
	b = region_alloc(&r, 0);
	assert_true(a && b && a != b && (uintptr_t)b % _Alignof(max_align_t) == 0);
	assert_null(region_alloc(&r, len));
	assert_null(region_alloc(&r, SIZE_MAX));
	/* In place while it is the last. */
	a = region_grow(&r, NULL, 0, PAGE_LEN);
	assert_true(a && (uintptr_t)a % PAGE_LEN == 0);
	memset(a, 1, PAGE_LEN);
	assert_ptr_equal(region_grow(&r, a, PAGE_LEN, 3 * PAGE_LEN), a);
	assert_int_equal(a[PAGE_LEN], 0);
	/* It moves, and what it left is zeros. */
	b = region_alloc(&r, 1);
	c = region_grow(&r, a, 3 * PAGE_LEN, 4 * PAGE_LEN);
	assert_true(c > b && c[0] == 1 && c[PAGE_LEN] == 0 && a[0] == 0);
	/* What is given back comes again, as zeros. */
	memset(c, 2, 4 * PAGE_LEN);
	region_release(&r, c, PAGE_LEN, 4 * PAGE_LEN);
	assert_ptr_equal(region_grow(&r, NULL, 0, 2 * PAGE_LEN), c + PAGE_LEN);
	assert_true(c[0] == 2 && c[PAGE_LEN] == 0);
	assert_null(region_grow(&r, c + PAGE_LEN, 2 * PAGE_LEN, len));
	assert_null(region_grow(&r, NULL, 0, len));
	munmap(base, len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_region),
		cmocka_unit_test(test_comes_back),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_refused_calls),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_result_elsewhere),
		cmocka_unit_test(test_file_that_is_cut),
		cmocka_unit_test(test_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
