/* The bound is kept, small changes are left alone, the gradient equals finite differences. */
#include "stimuli/change_limit.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/stimuli/vectors.h"

enum { N = 60 };

static void bound_is_kept_and_small_changes_left_alone(void **state)
{
	float *base = vector_random(N, 1), *pixels = vector_random(N, 2), before[N];
	double sum = 0;
	(void)state;

	memcpy(before, pixels, sizeof before);
	assert_true(change_limit_apply(base, N, 0, pixels) == 1);
	assert_true(change_limit_apply(base, N, 5, pixels) == 1);
	assert_memory_equal(pixels, before, sizeof before);
	double share = change_limit_apply(base, N, 0.25, pixels);
	for (int k = 0; k < N; k++) {
		sum += fabsf(pixels[k] - base[k]);
		assert_true(fabs(pixels[k] - base[k] - share * (before[k] - base[k])) < 1e-5);
	}
	assert_true(fabs(sum / N - 0.25) < 1e-4);
	free(base);
	free(pixels);
}

static double objective(const float *base, const float *pixels, const float *weights)
{
	float limited[N];

	memcpy(limited, pixels, sizeof limited);
	change_limit_apply(base, N, 0.25, limited);
	return vector_dot(limited, weights, N);
}

static void gradient_equals_finite_differences(void **state)
{
	float *base = vector_random(N, 1), *pixels = vector_random(N, 2), *weights = vector_random(N, 3);
	float limited[N], gradient[N];
	const float h = 1e-2f;
	(void)state;

	memcpy(limited, pixels, sizeof limited);
	memcpy(gradient, weights, sizeof gradient);
	double share = change_limit_apply(base, N, 0.25, limited);
	change_limit_adjoint(base, limited, N, share, gradient);
	for (int k = 0; k < N; k++) {
		/* Not across the kink, where a pixel equals the base. */
		if (fabsf(pixels[k] - base[k]) < 2 * h)
			continue;
		float kept = pixels[k];
		pixels[k] = kept + h;
		double up = objective(base, pixels, weights);
		pixels[k] = kept - h;
		double down = objective(base, pixels, weights);
		pixels[k] = kept;
		assert_true(fabs((up - down) / (2 * h) - gradient[k]) < 1e-3);
	}
	free(base);
	free(pixels);
	free(weights);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bound_is_kept_and_small_changes_left_alone),
		cmocka_unit_test(gradient_equals_finite_differences),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
