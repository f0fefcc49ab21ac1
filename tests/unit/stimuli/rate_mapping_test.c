/* Mapped rates have the wanted mean and SD, within limits; drawn units look like recorded ones. */
#include "stimuli/rate_mapping.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/rng.h"

enum { N = 300 };

static void check_fit(double mean, double sd, double tolerance)
{
	struct rng rng = rng_make(1, 0, RNG_TEST, 0);
	double sum = 0, sum_sq = 0;
	float answers[N];

	/* As published models answer: negative mean, arbitrary scale. */
	for (int i = 0; i < N; i++)
		answers[i] = (float)(-0.3 + 0.6 * rng_normal(&rng, (uint64_t)i));
	struct rate_mapping mapping = rate_mapping_fit(answers, N, mean, sd);
	for (int i = 0; i < N; i++) {
		double rate = rate_mapping_rate(&mapping, answers[i]);
		assert_true(rate >= (float)RATE_MAPPING_MIN && rate <= (float)RATE_MAPPING_MAX);
		sum += rate;
		sum_sq += rate * rate;
	}
	assert_true(fabs(sum / N - mean) < tolerance);
	assert_true(fabs(sqrt(sum_sq / N - sum * sum / N / N) - sd) < tolerance);
}

static void rates_have_the_wanted_mean_and_sd(void **state)
{
	(void)state;
	check_fit(5.0, 1.0, 1e-3);
	check_fit(2.2, 0.95, 1e-2);
	/* A third of the answers end at the floor. */
	check_fit(0.55, 0.6, 2e-2);
}

static void constant_answers_give_the_mean(void **state)
{
	const float answers[] = {3, 3, 3};
	(void)state;

	struct rate_mapping mapping = rate_mapping_fit(answers, 3, 2.0, 1.0);
	assert_true(fabsf(rate_mapping_rate(&mapping, 3) - 2.0f) < 1e-6f);
	assert_true(fabsf(rate_mapping_rate(&mapping, 50) - 2.0f) < 1e-6f);
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void drawn_units_are_like_recorded_ones(void **state)
{
	double means[1001], snrs[1001];
	(void)state;

	for (uint32_t u = 0; u < 1001; u++) {
		rate_mapping_draw(3, u, &means[u], &snrs[u]);
		assert_true(means[u] >= 0.55 && means[u] <= 6.6);
		assert_true(snrs[u] >= 0.2 && snrs[u] <= 1.1);
	}
	qsort(means, 1001, sizeof *means, by_value);
	qsort(snrs, 1001, sizeof *snrs, by_value);
	assert_true(fabs(means[500] - 2.2) < 0.2);
	assert_true(fabs(snrs[500] - 0.45) < 0.05);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates_have_the_wanted_mean_and_sd),
		cmocka_unit_test(constant_answers_give_the_mean),
		cmocka_unit_test(drawn_units_are_like_recorded_ones),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
