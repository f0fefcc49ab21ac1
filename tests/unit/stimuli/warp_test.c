/* The identity changes nothing, shifts shift, the transpose is the transpose, draws stay within limits. */
#include "stimuli/warp.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/stimuli/vectors.h"

enum { WIDTH_PX = 23, HEIGHT_PX = 17, N = WIDTH_PX * HEIGHT_PX * 3 };

static void identity_and_shift(void **state)
{
	struct warp warp = {.xx = 1, .yy = 1};
	float *pixels = vector_random(N, 1), moved[N];
	(void)state;

	warp_apply(&warp, WIDTH_PX, HEIGHT_PX, pixels, moved);
	assert_memory_equal(moved, pixels, sizeof moved);
	warp.x0 = 2;
	warp_apply(&warp, WIDTH_PX, HEIGHT_PX, pixels, moved);
	for (int y = 0; y < HEIGHT_PX; y++)
		for (int x = 0; x < WIDTH_PX; x++) {
			int from = x + 2 < WIDTH_PX ? x + 2 : WIDTH_PX - 1;
			assert_true(moved[3 * (y * WIDTH_PX + x)] == pixels[3 * (y * WIDTH_PX + from)]);
		}
	free(pixels);
}

static void transpose_is_the_transpose(void **state)
{
	struct rng rng = rng_make(1, 2, RNG_TEST, 3);
	float *pixels = vector_random(N, 1), *gradient = vector_random(N, 2), moved[N], back[N];
	(void)state;

	for (uint64_t k = 0; k < 20; k++) {
		struct warp warp = warp_draw(&rng, k, WIDTH_PX, HEIGHT_PX);
		warp_apply(&warp, WIDTH_PX, HEIGHT_PX, pixels, moved);
		warp_adjoint(&warp, WIDTH_PX, HEIGHT_PX, gradient, back);
		assert_true(fabs(vector_dot(moved, gradient, N) - vector_dot(pixels, back, N)) < 1e-3);
	}
	free(pixels);
	free(gradient);
}

static void draws_stay_within_limits(void **state)
{
	struct rng rng = rng_make(1, 2, RNG_TEST, 3);
	double largest = 0;
	(void)state;

	for (uint64_t k = 0; k < 500; k++) {
		struct warp warp = warp_draw(&rng, k, WIDTH_PX, HEIGHT_PX);
		double x = (WIDTH_PX - 1) / 2.0, y = (HEIGHT_PX - 1) / 2.0;
		double dx = warp.xx * x + warp.xy * y + warp.x0 - x, dy = warp.yx * x + warp.yy * y + warp.y0 - y;
		double scale = hypot(warp.xx, warp.yx), turn = atan2(warp.yx, warp.xx) * 180 / M_PI;
		assert_true(fabs(dx) <= WARP_SHIFT_MAX_PX + 1e-4 && fabs(dy) <= WARP_SHIFT_MAX_PX + 1e-4);
		assert_true(fabs(scale - 1) <= WARP_SCALE_MAX + 1e-5 && fabs(turn) <= WARP_TURN_MAX_DEG + 1e-3);
		largest = fmax(largest, fabs(dx));
	}
	assert_true(largest > 0.9 * WARP_SHIFT_MAX_PX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identity_and_shift),
		cmocka_unit_test(transpose_is_the_transpose),
		cmocka_unit_test(draws_stay_within_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
