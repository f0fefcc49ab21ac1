/* Gaudy against its definition, channel by channel; blanks. */
#include "stimuli/transform.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void gaudy_thresholds_each_channel_at_its_mean(void **state)
{
	/* Means: 25, 100 (one value only), 127.5. */
	const uint8_t rgb[] = {10, 100, 127, 20, 100, 128, 30, 100, 0, 40, 100, 255};
	const uint8_t expected[] = {0, 255, 0, 0, 255, 255, 255, 255, 0, 255, 255, 255};
	struct image image, gaudy;
	(void)state;

	assert_int_equal(image_init(2, 2, NULL, &image), 0);
	for (int i = 0; i < 12; i++)
		image.rgb[i] = rgb[i];
	assert_int_equal(transform_gaudy(&image, NULL, &gaudy), 0);
	assert_memory_equal(gaudy.rgb, expected, sizeof expected);
	assert_memory_equal(image.rgb, rgb, sizeof rgb);
	image_done(&image);
	image_done(&gaudy);
}

static struct image ramp(uint32_t width_px, uint32_t height_px)
{
	struct image image;

	assert_int_equal(image_init(width_px, height_px, NULL, &image), 0);
	for (uint32_t p = 0; p < width_px * height_px; p++) {
		image.rgb[3 * p] = (uint8_t)(10 * (p % width_px));
		image.rgb[3 * p + 1] = (uint8_t)(10 * (p / width_px));
		image.rgb[3 * p + 2] = 77;
	}
	return image;
}

static void resize_averages_areas_of_the_centre(void **state)
{
	struct image image = ramp(8, 4), half, same, larger;
	(void)state;

	/* The centre 4×4 holds columns 2..5 and rows 0..3; 2×2 px each. */
	const uint8_t expected[] = {25, 5, 77, 45, 5, 77, 25, 25, 77, 45, 25, 77};
	assert_int_equal(transform_resize(&image, 2, 2, NULL, &half), 0);
	assert_memory_equal(half.rgb, expected, sizeof expected);
	assert_int_equal(transform_resize(&image, 8, 4, NULL, &same), 0);
	assert_memory_equal(same.rgb, image.rgb, 8 * 4 * 3);
	assert_int_equal(transform_resize(&image, 31, 17, NULL, &larger), 0);
	for (size_t p = 0; p < 31 * 17; p++)
		assert_int_equal(larger.rgb[3 * p + 2], 77);
	image_done(&image);
	image_done(&half);
	image_done(&same);
	image_done(&larger);
}

static void blank_is_uniform(void **state)
{
	const uint8_t level[3] = {128, 1, 255};
	struct error err = {0};
	struct image image;
	(void)state;

	assert_int_equal(transform_blank(5, 3, level, &err, &image), 0);
	for (int p = 0; p < 15; p++)
		assert_memory_equal(image.rgb + 3 * p, level, 3);
	image_done(&image);
	assert_int_equal(transform_blank(0, 3, level, &err, &image), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gaudy_thresholds_each_channel_at_its_mean),
		cmocka_unit_test(resize_averages_areas_of_the_centre),
		cmocka_unit_test(blank_is_uniform),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
