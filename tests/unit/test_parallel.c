// SPDX-License-Identifier: GPL-2.0-or-later
/* Every job runs once, whatever the number of threads, and also when the system refuses threads. */
#include "parallel.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "unit.h"

#define N_JOBS	1000

static int threads_allowed;

/* In front of the real one: what the loader calls is this. */
int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attr,
		   void *(*start)(void *), void *restrict arg)
{
	int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

	if (threads_allowed == 0)
		return EAGAIN;
	threads_allowed--;
	*(void **)&next = dlsym(RTLD_NEXT, "pthread_create");
	return next(thread, attr, start, arg);
}

static atomic_int n_calls[N_JOBS];

static void count(void *ctx, size_t i)
{
	assert_ptr_equal(ctx, n_calls);
	atomic_fetch_add(&n_calls[i], 1);
}

static void check(size_t n_jobs, unsigned int n_threads, int allowed, int expected)
{
	int n;

	memset(n_calls, 0, sizeof(n_calls));
	threads_allowed = allowed;
	n = parallel_run(n_jobs, n_threads, count, n_calls);
	if (expected > 0)
		assert_int_equal(n, expected);
	assert_in_range(n, 1, PARALLEL_THREADS_MAX);
	for (size_t i = 0; i < N_JOBS; i++)
		assert_int_equal(n_calls[i], i < n_jobs ? 1 : 0);
}

static void test_every_job_once(void **state)
{
	(void)state;
	check(N_JOBS, 1, 99, 1);
	check(N_JOBS, 2, 99, 2);
	check(N_JOBS, 7, 99, 7);
	check(N_JOBS, 0, 99, 0);
	check(N_JOBS, 5000, 5000, PARALLEL_THREADS_MAX);
}

static void test_few_jobs(void **state)
{
	(void)state;
	check(0, 8, 99, 1);
	check(1, 8, 99, 1);
	check(3, 8, 99, 3);
}

static void test_threads_refused(void **state)
{
	(void)state;
	check(N_JOBS, 8, 0, 1);
	check(N_JOBS, 8, 2, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_job_once),
		cmocka_unit_test(test_few_jobs),
		cmocka_unit_test(test_threads_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
