/* Quantiles against exact ones of the same numbers, and the ends of the range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "daemon/histogram.h"
#include "support/rng.h"

enum { N = 5000 };

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static void test_quantiles(void **state)
{
	static struct histogram histogram;
	static int64_t values[N];
	struct rng rng = rng_make(7, 0, RNG_TEST, 0);

	(void)state;
	histogram_reset(&histogram);
	for (size_t i = 0; i < N; i++) {
		values[i] = (int64_t)1 << rng_below(&rng, 2 * i, 32);
		values[i] += rng_below(&rng, 2 * i + 1, (uint32_t)values[i]);
		histogram_add(&histogram, values[i]);
	}
	qsort(values, N, sizeof *values, compare);
	const double quantiles[] = {0.01, 0.5, 0.9, 0.99, 0.999, 1};
	for (size_t q = 0; q < sizeof quantiles / sizeof *quantiles; q++) {
		double exact = (double)values[(size_t)(quantiles[q] * N) - 1];
		double found = (double)histogram_quantile_ns(&histogram, quantiles[q]);
		assert_true(found >= exact);
		assert_true(found <= exact * 1.033 + 1);
	}
	assert_int_equal(histogram.max_ns, values[N - 1]);
	assert_int_equal(histogram_quantile_ns(&histogram, 1), values[N - 1]);
}

static void test_small_values_are_exact(void **state)
{
	static struct histogram histogram;

	(void)state;
	histogram_reset(&histogram);
	for (int64_t v = 1; v <= 31; v++)
		histogram_add(&histogram, v);
	assert_int_equal(histogram_quantile_ns(&histogram, 0.5), 16);
	assert_int_equal(histogram_quantile_ns(&histogram, 1), 31);
}

static void test_ends(void **state)
{
	static struct histogram histogram;

	(void)state;
	histogram_reset(&histogram);
	assert_int_equal(histogram_quantile_ns(&histogram, 0.99), 0);
	histogram_add(&histogram, -5);
	assert_int_equal(histogram_quantile_ns(&histogram, 0.5), 0);
	histogram_add(&histogram, INT64_MAX);
	assert_int_equal(histogram_quantile_ns(&histogram, 1), INT64_MAX);
	assert_int_equal(histogram.n, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quantiles),
		cmocka_unit_test(test_small_values_are_exact),
		cmocka_unit_test(test_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
