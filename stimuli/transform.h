/* Images from images: gaudy (method.md §5), another size, blank. */
#ifndef EVOKED_STIMULI_TRANSFORM_H
#define EVOKED_STIMULI_TRANSFORM_H

#include "stimuli/image.h"

/* Gaudy: per colour channel, a pixel under the image's channel mean becomes 0, else 255 (Cowley & Pillow 2020). */
int transform_gaudy(const struct image *image, struct error *err, struct image *ret_image);

/* Another size: the largest centred part of the new aspect, then the average over each new pixel's area. */
int transform_resize(const struct image *image, uint32_t width_px, uint32_t height_px, struct error *err,
		     struct image *ret_image);

/* A uniform image of the given level: the `blank` kind. */
int transform_blank(uint32_t width_px, uint32_t height_px, const uint8_t level[3], struct error *err,
		    struct image *ret_image);

#endif
