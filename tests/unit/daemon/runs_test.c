/* Settled numbers against a plain table of flags, in order, out of order and at random; limits of ids and numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/runs.h"
#include "support/rng.h"

enum { N = 400 };

static struct run *new_run(struct runs *runs)
{
	const uint8_t id[RUN_SIZE] = {1, 2, 3};
	struct run *run;

	runs_init(runs);
	assert_int_equal(runs_add(runs, id, NULL, &run), 0);
	return run;
}

static void assert_like_flags(const struct run *run, const bool *settled)
{
	int64_t through = 0, highest = 0, missing[N], expected[N];
	size_t n_expected = 0;

	while (through < N && settled[through + 1])
		through++;
	assert_int_equal(run_settled_through(run), through);
	for (int64_t i = 1; i <= N; i++)
		if (settled[i])
			highest = i;
	for (int64_t i = 1; i < highest; i++)
		if (!settled[i])
			expected[n_expected++] = i;
	assert_int_equal(run_missing(run, N, missing), n_expected);
	assert_memory_equal(missing, expected, n_expected * sizeof *expected);
	for (int64_t i = 1; i <= N; i++)
		assert_int_equal(run_has(run, i), settled[i]);
	for (size_t r = 1; r < run->n_ranges; r++)
		assert_true(run->ranges[r].first > run->ranges[r - 1].last + 1);
}

static void test_in_order(void **state)
{
	struct runs runs;
	struct run *run = new_run(&runs);

	(void)state;
	for (int64_t i = 1; i <= 1000; i++)
		assert_int_equal(run_settle(run, i, i), 0);
	assert_int_equal(run_settled_through(run), 1000);
	assert_int_equal(run->n_ranges, 1);
	runs_done(&runs);
}

static void test_random_order(void **state)
{
	(void)state;
	for (uint32_t seed = 0; seed < 20; seed++) {
		struct rng rng = rng_make(seed, 0, RNG_TEST, 0);
		bool settled[N + 2] = {false};
		struct runs runs;
		struct run *run = new_run(&runs);

		for (uint64_t i = 0; i < N; i++) {
			int64_t first = 1 + rng_below(&rng, 2 * i, N), last = first + rng_below(&rng, 2 * i + 1, 4);
			if (last > N)
				last = N;
			assert_int_equal(run_settle(run, first, last), 0);
			for (int64_t k = first; k <= last; k++)
				settled[k] = true;
			if (i % 20 == 0)
				assert_like_flags(run, settled);
		}
		assert_like_flags(run, settled);
		runs_done(&runs);
	}
}

static void test_missing_is_bounded(void **state)
{
	struct runs runs;
	struct run *run = new_run(&runs);
	int64_t missing[3];

	(void)state;
	assert_int_equal(run_settle(run, 100, 100), 0);
	assert_int_equal(run_missing(run, 3, missing), 3);
	assert_int_equal(missing[2], 3);
	assert_int_equal(run_settled_through(run), 0);
	runs_done(&runs);
}

static void test_numbers_are_checked(void **state)
{
	struct runs runs;
	struct run *run = new_run(&runs);
	struct error err;

	(void)state;
	assert_true(run_check(run, 0, &err) < 0);
	assert_non_null(strstr(err.text, "number: 1 or more"));
	assert_int_equal(run_check(run, LIMIT_OUT_OF_ORDER, &err), 0);
	assert_true(run_check(run, LIMIT_OUT_OF_ORDER + 1, &err) < 0);
	assert_non_null(strstr(err.text, "found 65537"));
	assert_int_equal(run_settle(run, 1, 1), 0);
	assert_int_equal(run_check(run, LIMIT_OUT_OF_ORDER + 1, &err), 0);
	runs_done(&runs);
}

static void test_runs_are_found_and_bounded(void **state)
{
	struct runs runs;
	struct run *run, *again;
	struct error err;
	uint8_t id[RUN_SIZE] = {0};

	(void)state;
	runs_init(&runs);
	for (uint32_t i = 0; i < RUNS_MAX; i++) {
		memcpy(id, &i, sizeof i);
		assert_int_equal(runs_add(&runs, id, &err, &run), 0);
	}
	assert_int_equal(runs_add(&runs, id, &err, &again), 0);
	assert_ptr_equal(run, again);
	assert_ptr_equal(runs_find(&runs, id), run);
	id[15] = 1;
	assert_null(runs_find(&runs, id));
	assert_true(runs_add(&runs, id, &err, &again) < 0);
	assert_non_null(strstr(err.text, "4096 runs"));
	runs_done(&runs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_random_order),
		cmocka_unit_test(test_missing_is_bounded),
		cmocka_unit_test(test_numbers_are_checked),
		cmocka_unit_test(test_runs_are_found_and_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
