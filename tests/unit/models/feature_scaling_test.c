/* Scaled features have mean zero, one variance and an average squared length of one; constant ones are dropped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "models/feature_scaling.h"
#include "support/rng.h"

enum { ROWS = 50, FEATURES = 300, CONSTANT = 7 };

static float features[ROWS * FEATURES];

static void make_features(void)
{
	struct rng rng = rng_make(41, 0, RNG_TEST, 0);

	for (size_t i = 0; i < ROWS * FEATURES; i++)
		features[i] = (float)(100.0 + (1.0 + (double)(i % FEATURES)) * rng_normal(&rng, i));
	for (size_t i = 0; i < ROWS; i++)
		features[i * FEATURES + CONSTANT] = 0.1f;
}

static void test_scaled_features(void **state)
{
	uint32_t rows[ROWS - 10];
	struct feature_scaling scaling;
	struct thread_pool *pool;
	float scaled[FEATURES];
	double mean[FEATURES] = {0}, square[FEATURES] = {0}, length = 0.0;
	(void)state;

	make_features();
	for (uint32_t i = 0; i < ROWS - 10; i++)
		rows[i] = i + 10; /* the first ten take no part */
	for (size_t i = 0; i < 10 * FEATURES; i++)
		features[i] = 1e6f;
	assert_int_equal(thread_pool_create(2, NULL, &pool), 0);
	assert_int_equal(feature_scaling_init(features, FEATURES, rows, ROWS - 10, pool, NULL, &scaling), 0);
	for (size_t i = 10; i < ROWS; i++) {
		feature_scaling_apply(&scaling, features + i * FEATURES, scaled);
		for (size_t j = 0; j < FEATURES; j++) {
			mean[j] += scaled[j] / (ROWS - 10);
			square[j] += scaled[j] * scaled[j] / (ROWS - 10) * (FEATURES - 1);
			length += scaled[j] * scaled[j] / (ROWS - 10);
		}
	}
	for (size_t j = 0; j < FEATURES; j++) {
		assert_true(fabs(mean[j]) < 1e-5);
		assert_true(fabs(square[j] - (j == CONSTANT ? 0.0 : 1.0)) < 1e-4);
	}
	assert_true(fabs(length - 1.0) < 1e-4);
	feature_scaling_done(&scaling);
	thread_pool_destroy(pool);
}

static void test_no_rows_give_zeros(void **state)
{
	struct feature_scaling scaling;
	struct thread_pool *pool;
	float scaled[FEATURES];
	(void)state;

	make_features();
	assert_int_equal(thread_pool_create(1, NULL, &pool), 0);
	assert_int_equal(feature_scaling_init(features, FEATURES, NULL, 0, pool, NULL, &scaling), 0);
	feature_scaling_apply(&scaling, features, scaled);
	for (size_t j = 0; j < FEATURES; j++)
		assert_true(scaled[j] == 0.0f);
	feature_scaling_done(&scaling);
	feature_scaling_done(&scaling);
	feature_scaling_done(NULL);
	thread_pool_destroy(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scaled_features),
		cmocka_unit_test(test_no_rows_give_zeros),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
