/* Repeatable by seed and index; contrast, colour and spectrum like those of natural images. */
#include "stimuli/dead_leaves.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { SIDE_PX = 112, N_IMAGES = 40 };

static struct image make(uint64_t seed, uint32_t index)
{
	struct image image;

	assert_int_equal(dead_leaves_make(SIDE_PX, SIDE_PX, seed, index, NULL, &image), 0);
	return image;
}

static void same_number_same_image(void **state)
{
	struct image a = make(4, 9), b = make(4, 9), c = make(4, 10), d = make(5, 9);
	(void)state;

	assert_memory_equal(a.rgb, b.rgb, SIDE_PX * SIDE_PX * 3);
	assert_memory_not_equal(a.rgb, c.rgb, SIDE_PX * SIDE_PX * 3);
	assert_memory_not_equal(a.rgb, d.rgb, SIDE_PX * SIDE_PX * 3);
	image_done(&a);
	image_done(&b);
	image_done(&c);
	image_done(&d);
}

static double luminance(const struct image *image, int x, int y)
{
	const uint8_t *rgb = image->rgb + 3 * (y * SIDE_PX + x);

	return (rgb[0] + rgb[1] + rgb[2]) / 3.0;
}

/* Root mean square difference of luminance at a distance. */
static double structure(const struct image *image, int distance_px)
{
	double sum = 0;
	int n = 0;

	for (int y = 0; y < SIDE_PX; y++)
		for (int x = 0; x + distance_px < SIDE_PX; x++, n++) {
			double d = luminance(image, x + distance_px, y) - luminance(image, x, y);
			sum += d * d;
		}
	return sqrt(sum / n);
}

static void statistics_are_natural(void **state)
{
	double mean[3] = {0}, near = 0, far = 0;
	(void)state;

	for (uint32_t i = 0; i < N_IMAGES; i++) {
		struct image image = make(1, i);
		for (size_t p = 0; p < SIDE_PX * SIDE_PX; p++)
			for (size_t c = 0; c < 3; c++)
				mean[c] += image.rgb[3 * p + c] / (double)(SIDE_PX * SIDE_PX * N_IMAGES);
		near += structure(&image, 1) / N_IMAGES;
		far += structure(&image, 32) / N_IMAGES;
		image_done(&image);
	}
	/* The recorded natural images have means 113, 108, 100 and a contrast of about 53. */
	assert_true(mean[0] > 95 && mean[0] < 140);
	assert_true(mean[2] > 80 && mean[2] < mean[0]);
	assert_true(far > 40 && far < 110);
	assert_true(near < 0.6 * far);
}

static void other_sizes_and_limits(void **state)
{
	struct error err = {0};
	struct image image;
	(void)state;

	assert_int_equal(dead_leaves_make(17, 5, 1, 0, &err, &image), 0);
	image_done(&image);
	assert_int_equal(dead_leaves_make(1, 1, 1, 0, &err, &image), 0);
	image_done(&image);
	assert_int_equal(dead_leaves_make(IMAGE_SIDE_MAX_PX + 1, 5, 1, 0, &err, &image), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_number_same_image),
		cmocka_unit_test(statistics_are_natural),
		cmocka_unit_test(other_sizes_and_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
