/* PNG round trip, colour types, damage at every byte. */
#include "stimuli/png_codec.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/rng.h"
#include "tests/unit/stimuli/image_samples.h"

static struct image noise(uint32_t width_px, uint32_t height_px)
{
	struct rng rng = rng_make(5, 0, RNG_TEST, 0);
	struct image image;

	assert_int_equal(image_init(width_px, height_px, NULL, &image), 0);
	for (uint32_t i = 0; i < width_px * height_px * 3; i++)
		image.rgb[i] = (uint8_t)rng_below(&rng, i, 256);
	return image;
}

static void round_trip_keeps_pixels(void **state)
{
	const uint32_t sides[][2] = {{1, 1}, {112, 112}, {3, 77}, {IMAGE_SIDE_MAX_PX, 2}};
	(void)state;

	for (size_t k = 0; k < sizeof sides / sizeof *sides; k++) {
		struct image image = noise(sides[k][0], sides[k][1]), back;
		void *data, *again;
		size_t size, size_again;

		assert_int_equal(png_codec_encode(&image, NULL, &data, &size), 0);
		assert_true(png_codec_is(data, size));
		assert_int_equal(png_codec_decode(data, size, NULL, &back), 0);
		assert_int_equal(back.width_px, image.width_px);
		assert_int_equal(back.height_px, image.height_px);
		assert_memory_equal(back.rgb, image.rgb, (size_t)image.width_px * image.height_px * 3);
		assert_int_equal(png_codec_encode(&back, NULL, &again, &size_again), 0);
		assert_int_equal(size, size_again);
		assert_memory_equal(data, again, size);
		free(data);
		free(again);
		image_done(&image);
		image_done(&back);
	}
}

static void check_pixels(const uint8_t *data, size_t size, const uint8_t *expected, size_t n)
{
	struct error err = {0};
	struct image image;

	assert_int_equal(png_codec_decode(data, size, &err, &image), 0);
	assert_int_equal(n, (size_t)image.width_px * image.height_px * 3);
	assert_memory_equal(image.rgb, expected, n);
	image_done(&image);
}

static void colour_types_become_rgb(void **state)
{
	const uint8_t palette[] = {255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255};
	const uint8_t gray16[] = {128, 128, 128, 255, 255, 255};
	const uint8_t alpha[] = {255, 0, 0, 128, 128, 128, 192, 192, 192};
	(void)state;

	check_pixels(png_palette, sizeof png_palette, palette, sizeof palette);
	check_pixels(png_gray16, sizeof png_gray16, gray16, sizeof gray16);
	check_pixels(png_rgba, sizeof png_rgba, alpha, sizeof alpha);
}

static void truncation_anywhere_is_an_error(void **state)
{
	struct image image = noise(24, 20), back;
	struct error err = {0};
	void *data;
	size_t size;
	(void)state;

	assert_int_equal(png_codec_encode(&image, NULL, &data, &size), 0);
	for (size_t n = 8; n < size; n++) {
		/* An exact copy, so that a sanitizer sees any read past the end. */
		void *cut = malloc(n);
		assert_non_null(cut);
		memcpy(cut, data, n);
		assert_int_equal(png_codec_decode(cut, n, &err, &back), -EINVAL);
		free(cut);
	}
	assert_non_null(strstr(err.text, "truncated"));
	free(data);
	image_done(&image);
}

static void damaged_bytes_never_crash(void **state)
{
	struct rng rng = rng_make(6, 0, RNG_TEST, 0);
	struct image image = noise(24, 20), back;
	void *data;
	size_t size;
	(void)state;

	assert_int_equal(png_codec_encode(&image, NULL, &data, &size), 0);
	for (uint32_t k = 0; k < 500; k++) {
		uint8_t *at = (uint8_t *)data + 8 + rng_below(&rng, 2 * k, (uint32_t)size - 8);
		uint8_t kept = *at;

		*at = (uint8_t)(kept ^ (1 + rng_below(&rng, 2 * k + 1, 255)));
		if (png_codec_decode(data, size, NULL, &back) == 0)
			image_done(&back);
		*at = kept;
	}
	free(data);
	image_done(&image);
}

static void oversized_header_is_refused(void **state)
{
	/* IHDR that claims 65,536 × 1 px, with its true CRC. */
	const uint8_t huge[] = {0x89, 'P', 'N', 'G', 13, 10, 26, 10, 0, 0, 0, 13, 'I',	'H',  'D',  'R', 0,
				1,    0,   0,	0,   0,	 0,  1,	 8,  2, 0, 0, 0,  0xe4, 0x10, 0x74, 0x8f};
	struct error err = {0};
	struct image image;
	(void)state;

	assert_int_equal(png_codec_decode(huge, sizeof huge, &err, &image), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip_keeps_pixels),	   cmocka_unit_test(colour_types_become_rgb),
		cmocka_unit_test(truncation_anywhere_is_an_error), cmocka_unit_test(damaged_bytes_never_crash),
		cmocka_unit_test(oversized_header_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
