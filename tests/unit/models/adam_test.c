/* Adam against its formulas in double, and on a bowl. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "models/adam.h"
#include "support/rng.h"

enum { N = 37, STEPS = 20 };

static void test_steps_are_those_of_the_formulas(void **state)
{
	struct rng rng = rng_make(51, 0, RNG_TEST, 0);
	const double rate = 0.01, decay = 0.3;
	double mean[N] = {0}, square[N] = {0}, expected[N];
	float weights[N], gradients[N];
	struct adam adam;
	(void)state;

	assert_int_equal(adam_init(N, NULL, &adam), 0);
	for (size_t i = 0; i < N; i++)
		expected[i] = weights[i] = (float)rng_normal(&rng, i);
	for (int t = 1; t <= STEPS; t++) {
		for (size_t i = 0; i < N; i++) {
			gradients[i] = (float)rng_normal(&rng, (uint64_t)t * 1000 + i);
			mean[i] = 0.9 * mean[i] + 0.1 * gradients[i];
			square[i] = 0.999 * square[i] + 0.001 * gradients[i] * gradients[i];
			double step = mean[i] / (1.0 - pow(0.9, t)) / (sqrt(square[i] / (1.0 - pow(0.999, t))) + 1e-8);
			expected[i] -= rate * (step + decay * expected[i]);
		}
		adam_step(&adam, gradients, rate, decay, weights);
	}
	for (size_t i = 0; i < N; i++)
		assert_true(fabs(weights[i] - expected[i]) < 1e-4);
	adam_done(&adam);
}

static void test_a_bowl_is_descended(void **state)
{
	float weights[N], gradients[N];
	struct adam adam;
	(void)state;

	assert_int_equal(adam_init(N, NULL, &adam), 0);
	for (size_t i = 0; i < N; i++)
		weights[i] = (float)i;
	for (int t = 0; t < 2000; t++) {
		for (size_t i = 0; i < N; i++)
			gradients[i] = (float)(1.0 + (double)i) * (weights[i] - 5.0f);
		adam_step(&adam, gradients, 0.05, 0.0, weights);
	}
	for (size_t i = 0; i < N; i++)
		assert_true(fabsf(weights[i] - 5.0f) < 0.05f);
	adam_done(&adam);
	adam_done(&adam);
	adam_done(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps_are_those_of_the_formulas),
		cmocka_unit_test(test_a_bowl_is_descended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
