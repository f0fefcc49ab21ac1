/* Contrast and mean are met within the range; gradients against finite differences; inversion. */
#include "stimuli/render.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/stimuli/vectors.h"

enum { N_PX = 12 * 11 + 3, N = 3 * N_PX };

static void moments(const float *pixels, double *ret_mean, double *ret_rms)
{
	double sum = 0, sum_sq = 0;

	for (size_t i = 0; i < N; i++) {
		sum += pixels[i];
		sum_sq += pixels[i] * pixels[i];
	}
	*ret_mean = sum / N;
	*ret_rms = sqrt(sum_sq / N - *ret_mean * *ret_mean);
}

static void targets_are_met_within_the_range(void **state)
{
	const struct render_target targets[] = {{50, 110}, {10, 60}, {100, 127}, {5, 240}, {30, 0}, {0, 90}};
	float *planes = vector_random(N, 1), pixels[N];
	(void)state;

	for (size_t k = 0; k < sizeof targets / sizeof *targets; k++) {
		struct render_curve curve = RENDER_CURVE_START;
		double mean, rms;

		render_pixels(planes, N_PX, &targets[k], &curve, pixels);
		moments(pixels, &mean, &rms);
		if (targets[k].rms_contrast > 0)
			assert_true(fabs(rms - targets[k].rms_contrast) < 0.01);
		if (targets[k].mean_luminance > 0)
			assert_true(fabs(mean - targets[k].mean_luminance) < 0.01);
		for (int i = 0; i < N; i++)
			assert_true(pixels[i] >= 0 && pixels[i] <= 255);
	}
	free(planes);
}

static void flat_planes_end_without_contrast(void **state)
{
	const struct render_target target = {50, 110};
	struct render_curve curve = RENDER_CURVE_START;
	float planes[N] = {0}, pixels[N];
	(void)state;

	render_pixels(planes, N_PX, &target, &curve, pixels);
	for (int i = 0; i < N; i++)
		assert_true(isfinite(pixels[i]));
}

/* weights · pixels, as a function of the planes. */
static double objective(const float *planes, const struct render_target *target, const float *weights)
{
	struct render_curve curve = RENDER_CURVE_START;
	float pixels[N];

	render_pixels(planes, N_PX, target, &curve, pixels);
	return vector_dot(pixels, weights, N);
}

static void gradient_equals_finite_differences(void **state)
{
	const struct render_target targets[] = {{0, 0}, {50, 110}, {80, 0}, {0, 90}};
	const float h = 2e-2f;
	(void)state;

	for (size_t k = 0; k < sizeof targets / sizeof *targets; k++) {
		float *planes = vector_random(N, 1), *weights = vector_random(N, 2), pixels[N], gradient[N];
		struct render_curve curve = RENDER_CURVE_START;

		render_pixels(planes, N_PX, &targets[k], &curve, pixels);
		render_adjoint(planes, N_PX, &targets[k], &curve, weights, gradient);
		double norm = sqrt(vector_dot(gradient, gradient, N) / N);
		for (size_t i = 0; i < N; i += 7) {
			float kept = planes[i];
			planes[i] = kept + h;
			double up = objective(planes, &targets[k], weights);
			planes[i] = kept - h;
			double down = objective(planes, &targets[k], weights);
			planes[i] = kept;
			assert_true(fabs((up - down) / (2 * h) - gradient[i]) <
				    0.01 * norm + 0.01 * fabsf(gradient[i]));
		}
		/* In place gives the same. */
		render_adjoint(planes, N_PX, &targets[k], &curve, weights, planes);
		assert_memory_equal(planes, gradient, sizeof gradient);
		free(planes);
		free(weights);
	}
}

static void inversion_comes_back(void **state)
{
	const struct render_target free_target = {0, 0};
	struct render_curve curve = RENDER_CURVE_START;
	float pixels[N], planes[N], back[N];
	(void)state;

	for (int i = 0; i < N; i++)
		pixels[i] = (float)((i * 37) % 256);
	render_invert(pixels, N_PX, planes);
	render_pixels(planes, N_PX, &free_target, &curve, back);
	for (int i = 0; i < N; i++) {
		float expected = fminf(fmaxf(pixels[i], 127.5f * 0.02f), 255 - 127.5f * 0.02f);
		assert_true(fabsf(back[i] - expected) < 0.05f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(targets_are_met_within_the_range),
		cmocka_unit_test(flat_planes_end_without_contrast),
		cmocka_unit_test(gradient_equals_finite_differences),
		cmocka_unit_test(inversion_comes_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
