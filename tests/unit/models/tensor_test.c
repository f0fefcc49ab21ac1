/* Buffers and the loops over them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/tensor.h"

static void buffers_are_aligned_and_zero(void **state)
{
	struct error err = {0};
	float *values;

	(void)state;
	for (size_t n = 0; n < 40; n += 13) {
		assert_int_equal(tensor_alloc(n, "x", &err, &values), 0);
		assert_int_equal((uintptr_t)values % TENSOR_ALIGN, 0);
		for (size_t i = 0; i < n; i++)
			assert_true(values[i] == 0.0f);
		free(values);
	}
	assert_int_equal(tensor_alloc(SIZE_MAX / 2, "a huge map", &err, &values), -ENOMEM);
	assert_non_null(strstr(err.text, "a huge map"));
	assert_int_equal(tensor_aligned(17), 32);
}

static void bias_and_relu(void **state)
{
	static const float bias[3] = {1, -2, 0}, sums_expected[6] = {-2, -1, 2, 1, 3, -1};
	static const float relu_expected[6] = {0, 0, 2, 1, 3, 0};
	float values[6] = {-3, 1, 2, 0, 5, -1}, relu[6];

	(void)state;
	memcpy(relu, values, sizeof relu);
	tensor_add_bias(values, 2, 3, bias, false);
	for (int i = 0; i < 6; i++)
		assert_true(values[i] == sums_expected[i]);
	tensor_add_bias(relu, 2, 3, bias, true);
	for (int i = 0; i < 6; i++)
		assert_true(relu[i] == relu_expected[i]);
	tensor_add_bias(values, 2, 3, NULL, true);
	for (int i = 0; i < 6; i++)
		assert_true(values[i] == relu[i]);
}

/* A network that diverged must not look like one that is silent. */
static void nan_stays_nan(void **state)
{
	static const float bias[1] = {0};
	float value = NAN, to;

	(void)state;
	tensor_relu(&value, 1, &to);
	assert_true(isnan(to));
	tensor_add_bias(&value, 1, 1, bias, true);
	assert_true(isnan(value));
}

static void sums(void **state)
{
	enum { ROWS = 150, CHANNELS = 67 };
	static float values[ROWS * CHANNELS], columns[CHANNELS];

	(void)state;
	for (size_t i = 0; i < ROWS * CHANNELS; i++)
		values[i] = (float)(i % CHANNELS);
	columns[3] = 1;
	tensor_add_column_sums(values, ROWS, CHANNELS, columns);
	for (size_t c = 0; c < CHANNELS; c++)
		assert_true(columns[c] == (float)(ROWS * c + (c == 3)));
	float a[3] = {1, -5, 2}, b[3] = {1, 1, 1}, sum[3];
	tensor_sum(a, b, 3, true, sum);
	assert_true(sum[0] == 2 && sum[1] == 0 && sum[2] == 3);
	tensor_relu_gradient(sum, 3, b);
	assert_true(b[0] == 1 && b[1] == 0 && b[2] == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffers_are_aligned_and_zero),
		cmocka_unit_test(bias_and_relu),
		cmocka_unit_test(nan_stays_nan),
		cmocka_unit_test(sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
