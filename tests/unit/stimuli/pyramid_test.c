/* Sum and transpose agree for odd sizes; noise of one size at all levels is pink. */
#include "stimuli/pyramid.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/unit/stimuli/vectors.h"

static const uint32_t sizes[][2] = {{112, 112}, {1, 1}, {7, 7}, {8, 9}, {37, 61}, {15, 200}, {64, 16}};

static void transpose_is_the_transpose(void **state)
{
	(void)state;
	for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
		struct pyramid p;

		pyramid_init(sizes[k][0], sizes[k][1], &p);
		size_t n = (size_t)3 * sizes[k][0] * sizes[k][1];
		float *params = vector_random(p.n_params, 1), *gradient = vector_random(n, 2);
		float *planes = vector_random(n, 3), *back = vector_random(p.n_params, 4);
		float *scratch = vector_random(p.n_scratch, 5);

		pyramid_sum(&p, params, scratch, planes);
		pyramid_sum_adjoint(&p, gradient, scratch, back);
		double forward = vector_dot(planes, gradient, n), backward = vector_dot(params, back, p.n_params);
		assert_true(fabs(forward - backward) < 1e-5 * (fabs(forward) + sqrt((double)n)));
		free(params);
		free(gradient);
		free(planes);
		free(back);
		free(scratch);
	}
}

static void a_constant_coarsest_level_gives_a_constant_image(void **state)
{
	struct pyramid p;
	(void)state;

	pyramid_init(112, 90, &p);
	size_t n = (size_t)3 * 112 * 90;
	float *params = calloc(p.n_params, sizeof *params), *planes = vector_random(n, 1);
	float *scratch = vector_random(p.n_scratch, 2);
	assert_non_null(params);
	for (size_t i = p.first[p.n_levels - 1]; i < p.n_params; i++)
		params[i] = 2;
	pyramid_sum(&p, params, scratch, planes);
	for (size_t i = 0; i < n; i++)
		assert_true(fabsf(planes[i] - 2) < 1e-5f);
	free(params);
	free(planes);
	free(scratch);
}

/* Mean square difference at a distance along rows of the first plane. */
static double structure(const float *plane, uint32_t side_px, uint32_t distance_px)
{
	double sum = 0;

	for (uint32_t y = 0; y < side_px; y++)
		for (uint32_t x = 0; x + distance_px < side_px; x++) {
			double d = plane[y * side_px + x + distance_px] - plane[y * side_px + x];
			sum += d * d;
		}
	return sum / ((double)side_px * (side_px - distance_px));
}

static void equal_noise_at_all_levels_has_a_1_over_f_spectrum(void **state)
{
	struct pyramid p;
	(void)state;

	pyramid_init(112, 112, &p);
	size_t n = (size_t)3 * 112 * 112;
	float *params = vector_random(p.n_params, 1), *planes = vector_random(n, 2);
	float *scratch = vector_random(p.n_scratch, 3);
	pyramid_sum(&p, params, scratch, planes);
	/* With amplitudes as 1/f the structure grows by about the same amount with each doubling of the distance. */
	double at2 = structure(planes, 112, 2), at8 = structure(planes, 112, 8), at32 = structure(planes, 112, 32);
	assert_true(at8 > 1.3 * at2 && at32 > 1.1 * at8);
	assert_true(at32 < 4 * at2);
	free(params);
	free(planes);
	free(scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transpose_is_the_transpose),
		cmocka_unit_test(a_constant_coarsest_level_gives_a_constant_image),
		cmocka_unit_test(equal_noise_at_all_levels_has_a_1_over_f_spectrum),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
