/* Owns pixels; leaves file formats to the codecs, told apart by their first bytes.
 *
 * Fails only on size limits, memory and what the codecs refuse; a failed call leaves its output untouched. */
#include "stimuli/image.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "stimuli/jpeg_codec.h"
#include "stimuli/png_codec.h"

static size_t image_n_values(const struct image *image)
{
	return (size_t)image->width_px * image->height_px * 3;
}

int image_init(uint32_t width_px, uint32_t height_px, struct error *err, struct image *ret_image)
{
	if (width_px < 1 || height_px < 1 || width_px > IMAGE_SIDE_MAX_PX || height_px > IMAGE_SIDE_MAX_PX)
		return error_set(err, -EINVAL, "image of %u×%u px: each side must be 1 to %d px", width_px, height_px,
				 IMAGE_SIDE_MAX_PX);
	uint8_t *rgb = calloc((size_t)width_px * height_px, 3);
	if (!rgb)
		return error_set(err, -ENOMEM, "no memory for an image of %u×%u px", width_px, height_px);
	*ret_image = (struct image){.width_px = width_px, .height_px = height_px, .rgb = rgb};
	return 0;
}

void image_done(struct image *image)
{
	if (!image)
		return;
	free(image->rgb);
	*image = (struct image){0};
}

int image_decode(const void *data, size_t size, struct error *err, struct image *ret_image)
{
	if (size == 0)
		return error_set(err, -EINVAL, "empty file");
	if (size > IMAGE_FILE_MAX)
		return error_set(err, -EINVAL, "%zu bytes: an image file may have at most %d", size, IMAGE_FILE_MAX);
	if (png_codec_is(data, size))
		return png_codec_decode(data, size, err, ret_image);
	if (jpeg_codec_is(data, size))
		return jpeg_codec_decode(data, size, err, ret_image);
	return error_set(err, -EINVAL, "neither PNG nor JPEG");
}

int image_encode_png(const struct image *image, struct error *err, void **ret_data, size_t *ret_size)
{
	return png_codec_encode(image, err, ret_data, ret_size);
}

void image_hash(const struct image *image, struct hash *ret_hash)
{
	hash_image(image->width_px, image->height_px, image->rgb, ret_hash);
}

void image_to_float(const struct image *image, float *ret_pixels)
{
	size_t n = image_n_values(image);

	for (size_t i = 0; i < n; i++)
		ret_pixels[i] = image->rgb[i];
}

void image_from_float(const float *pixels, struct image *image)
{
	size_t n = image_n_values(image);

	for (size_t i = 0; i < n; i++) {
		float v = pixels[i];
		/* Written so that NaN becomes 0. */
		image->rgb[i] = v > 0 ? (uint8_t)lrintf(fminf(v, 255.0f)) : 0;
	}
}
