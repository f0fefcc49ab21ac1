/* Pixels, limits, telling formats apart, conversion to float and back. */
#include "stimuli/image.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/stimuli/image_samples.h"

static void init_is_black_and_limited(void **state)
{
	struct error err = {0};
	struct image image;
	(void)state;

	assert_int_equal(image_init(3, 2, &err, &image), 0);
	for (int i = 0; i < 3 * 2 * 3; i++)
		assert_int_equal(image.rgb[i], 0);
	image_done(&image);
	assert_null(image.rgb);
	image_done(NULL);
	assert_int_equal(image_init(0, 2, &err, &image), -EINVAL);
	assert_int_equal(image_init(2, IMAGE_SIDE_MAX_PX + 1, &err, &image), -EINVAL);
	assert_non_null(strstr(err.text, "1024"));
}

static void decode_tells_formats_apart(void **state)
{
	struct error err = {0};
	struct image image;
	(void)state;

	assert_int_equal(image_decode(jpeg_420, sizeof jpeg_420, &err, &image), 0);
	assert_int_equal(image.width_px, 24);
	assert_int_equal(image.height_px, 20);
	image_done(&image);
	assert_int_equal(image_decode(png_palette, sizeof png_palette, &err, &image), 0);
	assert_int_equal(image.width_px, 2);
	image_done(&image);
}

static void decode_refuses_other_bytes(void **state)
{
	struct error err = {0};
	struct image image = {.width_px = 7};
	(void)state;

	assert_int_equal(image_decode("GIF89a..", 8, &err, &image), -EINVAL);
	assert_non_null(strstr(err.text, "neither PNG nor JPEG"));
	assert_int_equal(image_decode("", 0, &err, &image), -EINVAL);
	assert_int_equal(image_decode("\x89", 1, &err, &image), -EINVAL);
	void *big = calloc(1, (size_t)IMAGE_FILE_MAX + 1);
	assert_non_null(big);
	assert_int_equal(image_decode(big, (size_t)IMAGE_FILE_MAX + 1, &err, &image), -EINVAL);
	free(big);
	assert_int_equal(image.width_px, 7);
}

static void hash_depends_on_shape(void **state)
{
	struct image wide, tall;
	struct hash a, b;
	(void)state;

	assert_int_equal(image_init(4, 2, NULL, &wide), 0);
	assert_int_equal(image_init(2, 4, NULL, &tall), 0);
	image_hash(&wide, &a);
	image_hash(&tall, &b);
	assert_false(hash_equal(&a, &b));
	image_done(&wide);
	image_done(&tall);
}

static void float_rounds_and_clips(void **state)
{
	const float pixels[] = {-3.0f, 300.0f, NAN, 1.4f, 1.6f, 254.6f, INFINITY, -INFINITY, 0.2f, 255, 0, 128};
	const uint8_t expected[] = {0, 255, 0, 1, 2, 255, 255, 0, 0, 255, 0, 128};
	struct image image;
	float back[12];
	(void)state;

	assert_int_equal(image_init(2, 2, NULL, &image), 0);
	image_from_float(pixels, &image);
	assert_memory_equal(image.rgb, expected, sizeof expected);
	image_to_float(&image, back);
	for (int i = 0; i < 12; i++)
		assert_true(back[i] == (float)expected[i]);
	image_done(&image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(init_is_black_and_limited),  cmocka_unit_test(decode_tells_formats_apart),
		cmocka_unit_test(decode_refuses_other_bytes), cmocka_unit_test(hash_depends_on_shape),
		cmocka_unit_test(float_rounds_and_clips),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
