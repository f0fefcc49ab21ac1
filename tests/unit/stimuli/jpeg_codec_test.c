/* JPEG pixels as Pillow reads them; damage at every byte. */
#include "stimuli/jpeg_codec.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/hash.h"
#include "support/rng.h"
#include "tests/unit/stimuli/image_samples.h"

static void check_digest(const uint8_t *data, size_t size, const char *expected)
{
	struct error err = {0};
	char hex[HASH_HEX_SIZE];
	struct image image;
	struct hash hash;

	assert_true(jpeg_codec_is(data, size));
	assert_int_equal(jpeg_codec_decode(data, size, &err, &image), 0);
	image_hash(&image, &hash);
	hash_to_hex(&hash, hex);
	assert_string_equal(hex, expected);
	image_done(&image);
}

static void pixels_equal_pillow(void **state)
{
	(void)state;
	check_digest(jpeg_420, sizeof jpeg_420, jpeg_420_sha256);
	check_digest(jpeg_progressive, sizeof jpeg_progressive, jpeg_progressive_sha256);
	check_digest(jpeg_gray, sizeof jpeg_gray, jpeg_gray_sha256);
}

static void truncation_anywhere_is_an_error(void **state)
{
	struct error err = {0};
	struct image image = {.width_px = 7};
	(void)state;

	for (size_t n = 3; n < sizeof jpeg_420; n++) {
		void *cut = malloc(n);
		assert_non_null(cut);
		memcpy(cut, jpeg_420, n);
		assert_int_equal(jpeg_codec_decode(cut, n, &err, &image), -EINVAL);
		free(cut);
	}
	assert_non_null(strstr(err.text, "truncated"));
	assert_non_null(strstr(err.text, "of 20"));
	for (size_t n = 3; n < sizeof jpeg_progressive; n++)
		assert_int_equal(jpeg_codec_decode(jpeg_progressive, n, &err, &image), -EINVAL);
	assert_int_equal(image.width_px, 7);
}

static void damaged_bytes_never_crash(void **state)
{
	struct rng rng = rng_make(7, 0, RNG_TEST, 0);
	uint8_t data[sizeof jpeg_progressive];
	struct image image;
	(void)state;

	for (uint32_t k = 0; k < 1000; k++) {
		memcpy(data, jpeg_progressive, sizeof data);
		data[3 + rng_below(&rng, 2 * k, sizeof data - 3)] = (uint8_t)rng_below(&rng, 2 * k + 1, 256);
		if (jpeg_codec_decode(data, sizeof data, NULL, &image) == 0)
			image_done(&image);
	}
}

static void cmyk_and_huge_are_refused(void **state)
{
	uint8_t data[sizeof jpeg_420];
	struct error err = {0};
	struct image image;
	(void)state;

	assert_int_equal(jpeg_codec_decode(jpeg_cmyk, sizeof jpeg_cmyk, &err, &image), -EINVAL);
	assert_non_null(strstr(err.text, "CMYK"));
	memcpy(data, jpeg_420, sizeof data);
	for (size_t i = 0; i + 9 < sizeof data; i++)
		if (data[i] == 0xff && data[i + 1] == 0xc0) { /* start of frame: height and width follow */
			memset(data + i + 5, 0xff, 4);
			break;
		}
	assert_int_equal(jpeg_codec_decode(data, sizeof data, &err, &image), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pixels_equal_pillow),
		cmocka_unit_test(truncation_anywhere_is_an_error),
		cmocka_unit_test(damaged_bytes_never_crash),
		cmocka_unit_test(cmyk_and_huge_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
