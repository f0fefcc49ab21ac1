/* Every task once, thread numbers in range, many short runs after each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "support/thread_pool.h"

enum { N_TASKS = 1000 };

struct record {
	unsigned n_threads;
	atomic_int n_bad_threads;
	int n_runs[N_TASKS]; /* each written by its own task only */
};

static void count_task(void *ctx, size_t i, unsigned thread)
{
	struct record *record = ctx;

	record->n_runs[i]++;
	if (thread >= record->n_threads)
		atomic_fetch_add(&record->n_bad_threads, 1);
}

static void each_task_once(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 5; n++) {
		struct thread_pool *pool;
		struct record record = {.n_threads = n};

		assert_int_equal(thread_pool_create(n, NULL, &pool), 0);
		assert_int_equal(thread_pool_size(pool), n);
		thread_pool_run(pool, N_TASKS, count_task, &record);
		for (int i = 0; i < N_TASKS; i++)
			assert_int_equal(record.n_runs[i], 1);
		assert_int_equal(record.n_bad_threads, 0);
		thread_pool_destroy(pool);
	}
}

static void many_short_runs(void **state)
{
	struct thread_pool *pool;
	struct record record = {.n_threads = 3};

	(void)state;
	assert_int_equal(thread_pool_create(3, NULL, &pool), 0);
	for (int run = 0; run < 2000; run++)
		thread_pool_run(pool, (size_t)run % 4, count_task, &record);
	assert_int_equal(record.n_runs[0], 1500);
	assert_int_equal(record.n_runs[1], 1000);
	assert_int_equal(record.n_runs[2], 500);
	assert_int_equal(record.n_runs[3], 0);
	thread_pool_destroy(pool);
}

static void limits(void **state)
{
	struct thread_pool *pool = NULL;
	struct error err = {0};

	(void)state;
	assert_int_equal(thread_pool_create(THREAD_POOL_THREADS_MAX + 1, &err, &pool), -EINVAL);
	assert_non_null(strstr(err.text, "65"));
	assert_null(pool);
	assert_int_equal(thread_pool_create(0, &err, &pool), 0);
	assert_true(thread_pool_size(pool) >= 1);
	thread_pool_destroy(pool);
	thread_pool_destroy(NULL);

	struct record record = {.n_threads = 1};
	assert_int_equal(thread_pool_size(NULL), 1);
	thread_pool_run(NULL, N_TASKS, count_task, &record);
	assert_int_equal(record.n_runs[N_TASKS - 1], 1);
	assert_int_equal(record.n_bad_threads, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_task_once),
		cmocka_unit_test(many_short_runs),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
