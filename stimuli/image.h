/* An 8-bit RGB image in memory; PNG and JPEG in, PNG out (png.h and jpeglib.h have their one owner behind this). */
#ifndef EVOKED_STIMULI_IMAGE_H
#define EVOKED_STIMULI_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "support/error.h"
#include "support/hash.h"

enum { IMAGE_SIDE_MAX_PX = 1024, IMAGE_FILE_MAX = 4 << 20 };

struct image {
	uint32_t width_px, height_px;
	uint8_t *rgb; /* [height, width, 3], owned */
};

int image_init(uint32_t width_px, uint32_t height_px, struct error *err, struct image *ret_image); /* zeroed */
void image_done(struct image *image);

/* Decodes PNG or JPEG, told apart by content; gray, palette, alpha (over mid-gray) and 16-bit become 8-bit RGB.
 * -EINVAL names what is broken or over its limit; a truncated file is an error, never half an image. */
int image_decode(const void *data, size_t size, struct error *err, struct image *ret_image);

/* PNG bytes, malloc'ed; the same pixels give the same bytes. */
int image_encode_png(const struct image *image, struct error *err, void **ret_data, size_t *ret_size);

void image_hash(const struct image *image, struct hash *ret_hash);

/* float32 [height, width, 3], 0..255; and back, rounded to nearest and clipped. */
void image_to_float(const struct image *image, float *ret_pixels);
void image_from_float(const float *pixels, struct image *image);

#endif
