/* Coefficients against the definition, and sums that keep their precision far from zero. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "models/batch_norm.h"

static void coefficients(void **state)
{
	static const float gamma[2] = {2, -1}, beta[2] = {0.5f, 3}, mean[2] = {10, -4}, variance[2] = {3.75f, 0};
	static const float x[4] = {12, -4, 8, -4};
	float scale[2], shift[2], y[4];

	(void)state;
	batch_norm_coefficients(2, gamma, beta, mean, variance, 0.25f, scale, shift);
	batch_norm_apply(x, 2, 2, scale, shift, false, y);
	assert_true(fabsf(y[0] - 2.5f) < 1e-6f);
	assert_true(fabsf(y[1] - 3.0f) < 1e-6f);
	assert_true(fabsf(y[2] + 1.5f) < 1e-6f);
	batch_norm_apply(x, 2, 2, scale, shift, true, y);
	assert_true(y[2] == 0.0f);
}

/* Mean 10000, variance 1: squares in one pass would lose it in float32. */
static void variance_far_from_zero(void **state)
{
	enum { ROWS = 10000 };
	float *x = calloc(ROWS, sizeof *x), mean = 10000;
	double sum = 0, squares = 0;

	(void)state;
	assert_non_null(x);
	for (int i = 0; i < ROWS; i++)
		x[i] = i % 2 ? 10001 : 9999;
	batch_norm_add_sums(x, ROWS, 1, &sum);
	batch_norm_add_squares(x, ROWS, 1, &mean, &squares);
	assert_true(fabs(sum / ROWS - 10000) < 1e-9);
	assert_true(fabs(squares / ROWS - 1) < 1e-9);
	free(x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(coefficients),
		cmocka_unit_test(variance_far_from_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
