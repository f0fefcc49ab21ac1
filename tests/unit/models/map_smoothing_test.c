/* The smoothing is a Gaussian blur over positions, keeps channels apart, and is its own adjoint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "models/map_smoothing.h"
#include "support/rng.h"

enum { H = 9, W = 14, C = 3, N = H * W * C };

static void test_a_point_becomes_a_gaussian(void **state)
{
	const struct shape map = {H, W, C};
	const double sigma_y = 0.1 * H, sigma_x = 0.1 * W;
	float values[N] = {0}, scratch[N];
	struct map_smoothing smoothing;
	(void)state;

	map_smoothing_init(map, 0.1, &smoothing);
	values[(4 * W + 6) * C + 1] = 1.0f;
	map_smoothing_apply(&smoothing, scratch, values);
	const float top = values[(4 * W + 6) * C + 1];
	for (int y = 2; y <= 6; y++) {
		for (int x = 3; x <= 9; x++) {
			double expected = exp(-0.5 * (pow((y - 4) / sigma_y, 2) + pow((x - 6) / sigma_x, 2)));
			assert_true(fabs(values[(y * W + x) * C + 1] / top - expected) < 1e-5);
			assert_true(values[(y * W + x) * C] == 0.0f && values[(y * W + x) * C + 2] == 0.0f);
		}
	}
}

static void test_it_is_its_own_adjoint(void **state)
{
	const struct shape maps[] = {{H, W, C}, {1, 1, 42}, {2, 21, 3}, {126, 1, 1}};
	struct rng rng = rng_make(91, 0, RNG_TEST, 0);
	float a[N], b[N], smooth_a[N], smooth_b[N], scratch[N];
	struct map_smoothing smoothing;
	(void)state;

	for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
		const size_t n = shape_n_values(maps[i]);
		double one = 0.0, other = 0.0;
		rng_fill_normal(&rng, 0, n, a);
		rng_fill_normal(&rng, 1000, n, b);
		memcpy(smooth_a, a, sizeof a);
		memcpy(smooth_b, b, sizeof b);
		map_smoothing_init(maps[i], 0.2, &smoothing);
		map_smoothing_apply(&smoothing, scratch, smooth_a);
		map_smoothing_apply(&smoothing, scratch, smooth_b);
		for (size_t j = 0; j < n; j++) {
			one += smooth_a[j] * (double)b[j];
			other += a[j] * (double)smooth_b[j];
		}
		assert_true(fabs(one - other) < 1e-4);
	}
}

static void test_a_single_position_is_left_alone(void **state)
{
	float values[2] = {3.0f, -1.0f}, scratch[2];
	struct map_smoothing smoothing;
	(void)state;

	map_smoothing_init((struct shape){1, 1, 2}, 0.1, &smoothing);
	map_smoothing_apply(&smoothing, scratch, values);
	assert_true(values[0] == 3.0f && values[1] == -1.0f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_point_becomes_a_gaussian),
		cmocka_unit_test(test_it_is_its_own_adjoint),
		cmocka_unit_test(test_a_single_position_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
