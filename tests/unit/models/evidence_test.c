/* The evidence finds the λ that a fine search finds, recovers known variances, and keeps its limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "models/evidence.h"
#include "support/rng.h"

enum { N = 500 };

struct problem {
	double values[N], targets[N];
};

/* Eigenvalues that fall over four decades; targets of noise variance `noise` and prior variance `prior`. */
static void make_problem(struct problem *p, uint32_t sub, double noise, double prior)
{
	struct rng rng = rng_make(21, sub, RNG_TEST, 0);

	for (size_t k = 0; k < N; k++) {
		p->values[k] = 100.0 * exp(-(double)k / 50.0);
		p->targets[k] = sqrt(noise + prior * p->values[k]) * rng_normal(&rng, k);
	}
}

/* -2 log density of targets ~ N(0, noise + prior · values) and of the repeats' deviations, with σ² left free. */
static double plain_surprise(const struct evidence_data *data, double lambda)
{
	double sum = data->deviations, log_determinant = 0.0;

	for (size_t k = 0; k < data->n; k++) {
		sum += data->targets[k] * data->targets[k] / (1.0 + data->values[k] / lambda);
		log_determinant += log(1.0 + data->values[k] / lambda);
	}
	return (data->n_targets + data->freedom) * log(sum / (data->n_targets + data->freedom)) + log_determinant;
}

static void test_the_maximum_is_that_of_a_fine_search(void **state)
{
	static struct problem p;
	(void)state;

	for (uint32_t i = 0; i < 5; i++) {
		make_problem(&p, i, 1.0, 0.3 * i);
		struct evidence_data data = {N, p.values, p.targets, N, 20.0, 25.0};
		struct evidence_result result;
		double best = INFINITY;
		evidence_maximize(&data, &result);
		for (double lambda = EVIDENCE_LAMBDA_MIN; lambda <= EVIDENCE_LAMBDA_MAX; lambda *= 1.05)
			best = fmin(best, plain_surprise(&data, lambda));
		assert_true(plain_surprise(&data, result.lambda) < best + 1e-3);
		assert_true(fabs(result.prior * result.lambda - result.noise) < 1e-9);
	}
}

static void test_known_variances_are_recovered(void **state)
{
	static struct problem p;
	double noise = 0.0, log_prior = 0.0;
	(void)state;

	for (uint32_t i = 0; i < 20; i++) {
		make_problem(&p, 100 + i, 2.0, 0.5);
		struct evidence_data data = {N, p.values, p.targets, N, 0.0, 0.0};
		struct evidence_result result;
		evidence_maximize(&data, &result);
		noise += result.noise / 20;
		log_prior += log(result.prior) / 20;
	}
	assert_true(fabs(noise - 2.0) < 0.1);
	assert_true(fabs(log_prior - log(0.5)) < 0.15);
}

static void test_repeats_tell_the_noise(void **state)
{
	static struct problem p;
	struct evidence_result result;
	(void)state;

	/* Few targets, but many repeats with variance 3. */
	make_problem(&p, 200, 3.0, 0.5);
	struct evidence_data data = {10, p.values, p.targets, 10, 3.0 * 5000, 5000};
	evidence_maximize(&data, &result);
	assert_true(fabs(result.noise - 3.0) < 0.1);
}

static void test_without_information_the_mean_is_predicted(void **state)
{
	static struct problem p;
	struct evidence_result result;
	(void)state;

	for (size_t k = 0; k < N; k++)
		p.values[k] = 1.0;
	evidence_maximize(&(struct evidence_data){N, p.values, p.targets, N, 0.0, 0.0}, &result);
	assert_true(result.noise == 0.0 && result.prior == 0.0);
	assert_true(fabs(result.lambda / EVIDENCE_LAMBDA_MAX - 1.0) < 1e-9);
	evidence_maximize(&(struct evidence_data){0, p.values, p.targets, 0, 0.0, 0.0}, &result);
	assert_true(result.noise == 0.0 && result.prior == 0.0);

	/* Pure noise: shrunk to almost nothing. */
	make_problem(&p, 300, 1.0, 0.0);
	evidence_maximize(&(struct evidence_data){N, p.values, p.targets, N, 0.0, 0.0}, &result);
	assert_true(result.prior < 0.05);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_maximum_is_that_of_a_fine_search),
		cmocka_unit_test(test_known_variances_are_recovered),
		cmocka_unit_test(test_repeats_tell_the_noise),
		cmocka_unit_test(test_without_information_the_mean_is_predicted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
