/* Shapes lie where their numbers say; bad numbers are named; random sets repeat. */
#include "stimuli/parametric.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { SIDE_PX = 64 };

static const struct parametric bar = {
	.shape = PARAMETRIC_BAR,
	.x_px = 32,
	.y_px = 32,
	.length_px = 40,
	.width_px = 6,
	.foreground = {255, 255, 255},
};

static struct image draw(const struct parametric *parametric)
{
	struct error err = {0};
	struct image image;

	assert_int_equal(parametric_draw(parametric, SIDE_PX, SIDE_PX, &err, &image), 0);
	return image;
}

static int red_at(const struct image *image, int x, int y)
{
	return image->rgb[3 * (y * SIDE_PX + x)];
}

/* Lit area in pixels. */
static double area(const struct image *image)
{
	double sum = 0;

	for (size_t p = 0; p < SIDE_PX * SIDE_PX; p++)
		sum += image->rgb[3 * p] / 255.0;
	return sum;
}

static void bar_turns_counter_clockwise(void **state)
{
	struct parametric turned = bar;
	(void)state;

	struct image image = draw(&bar);
	assert_int_equal(red_at(&image, 14, 32), 255);
	assert_int_equal(red_at(&image, 32, 14), 0);
	assert_true(fabs(area(&image) - 240) < 2);
	image_done(&image);
	turned.orientation_deg = 45;
	image = draw(&turned);
	assert_int_equal(red_at(&image, 42, 21), 255);
	assert_int_equal(red_at(&image, 21, 21), 0);
	assert_true(fabs(area(&image) - 240) < 8);
	image_done(&image);
}

static void curve_is_as_long_as_asked_and_bends(void **state)
{
	struct parametric curve = bar;
	(void)state;

	curve.shape = PARAMETRIC_CURVE;
	curve.curvature_per_px = 1.0 / 15;
	struct image image = draw(&curve);
	/* 40 × 6 px and two half discs at the ends. */
	assert_true(fabs(area(&image) - (240 + M_PI * 9)) < 6);
	assert_int_equal(red_at(&image, 32, 32), 255);
	assert_int_equal(red_at(&image, 14, 32), 0);
	/* Bends towards +across, which is up. */
	assert_int_equal(red_at(&image, 46, 20), 255);
	image_done(&image);
	curve.curvature_per_px = 0;
	image = draw(&curve);
	assert_true(fabs(area(&image) - 240) < 2);
	image_done(&image);
}

static void grating_has_its_wavelength(void **state)
{
	struct parametric grating = bar;
	(void)state;

	grating.shape = PARAMETRIC_GRATING;
	grating.length_px = 0;
	grating.width_px = 16;
	grating.orientation_deg = 90; /* upright stripes */
	struct image image = draw(&grating);
	for (int x = 0; x + 16 < SIDE_PX; x++) {
		assert_int_equal(red_at(&image, x, 3), red_at(&image, x, 60));
		assert_true(abs(red_at(&image, x, 3) - red_at(&image, x + 16, 3)) <= 1);
		assert_true(abs(red_at(&image, x, 3) + red_at(&image, x + 8, 3) - 255) <= 1);
	}
	image_done(&image);
	grating.length_px = 20;
	image = draw(&grating);
	assert_true(abs(red_at(&image, 2, 2) - 128) <= 1);
	image_done(&image);
}

static void dots_are_round_and_repeatable(void **state)
{
	struct parametric dots = bar;
	(void)state;

	dots.shape = PARAMETRIC_DOTS;
	dots.n_dots = 3;
	dots.width_px = 5;
	dots.seed = 2;
	struct image a = draw(&dots), b = draw(&dots);
	assert_memory_equal(a.rgb, b.rgb, SIDE_PX * SIDE_PX * 3);
	assert_true(area(&a) > 0.3 * 3 * M_PI * 6.25 && area(&a) < 1.1 * 3 * M_PI * 6.25);
	image_done(&b);
	dots.seed = 3;
	b = draw(&dots);
	assert_memory_not_equal(a.rgb, b.rgb, SIDE_PX * SIDE_PX * 3);
	image_done(&a);
	image_done(&b);
}

static void bad_numbers_are_named(void **state)
{
	struct parametric bad = bar;
	struct error err = {0};
	struct image image;
	(void)state;

	bad.x_px = NAN;
	assert_int_equal(parametric_draw(&bad, SIDE_PX, SIDE_PX, &err, &image), -EINVAL);
	assert_non_null(strstr(err.text, "x_px"));
	bad = bar;
	bad.width_px = 0;
	assert_int_equal(parametric_draw(&bad, SIDE_PX, SIDE_PX, &err, &image), -EINVAL);
	assert_non_null(strstr(err.text, "width_px"));
	bad = bar;
	bad.shape = (enum parametric_shape)9;
	assert_int_equal(parametric_draw(&bad, SIDE_PX, SIDE_PX, &err, &image), -EINVAL);
}

static void random_sets_repeat_and_describe_themselves(void **state)
{
	int n_of_shape[PARAMETRIC_SHAPE_COUNT] = {0};
	(void)state;

	for (uint32_t i = 0; i < 100; i++) {
		char text[PARAMETRIC_TEXT_SIZE], again[PARAMETRIC_TEXT_SIZE];
		struct parametric p, q;

		parametric_random(1, i, SIDE_PX, SIDE_PX, &p);
		parametric_random(1, i, SIDE_PX, SIDE_PX, &q);
		parametric_describe(&p, text);
		parametric_describe(&q, again);
		assert_string_equal(text, again);
		json_t *json = json_loads(text, 0, NULL);
		assert_non_null(json);
		assert_non_null(json_object_get(json, "shape"));
		json_decref(json);
		struct image image = draw(&p);
		image_done(&image);
		n_of_shape[p.shape]++;
	}
	for (int s = 0; s < PARAMETRIC_SHAPE_COUNT; s++)
		assert_true(n_of_shape[s] > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bar_turns_counter_clockwise),
		cmocka_unit_test(curve_is_as_long_as_asked_and_bends),
		cmocka_unit_test(grating_has_its_wavelength),
		cmocka_unit_test(dots_are_round_and_repeatable),
		cmocka_unit_test(bad_numbers_are_named),
		cmocka_unit_test(random_sets_repeat_and_describe_themselves),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
