/* Small shifts, turns and scalings of an image, so that synthesis does not lean on single pixels (method.md §6). */
#ifndef EVOKED_STIMULI_WARP_H
#define EVOKED_STIMULI_WARP_H

#include <stdint.h>

#include "support/rng.h"

#define WARP_SHIFT_MAX_PX 4.0
#define WARP_TURN_MAX_DEG 5.0
#define WARP_SCALE_MAX	  0.05

/* Pixel (x, y) of the warped image is taken from (xx x + xy y + x0, yx x + yy y + y0) of the image; px. */
struct warp {
	float xx, xy, x0, yx, yy, y0;
};

/* Draw number `k` of the stream: shift, turn and scale uniform within the limits, about the image's centre. */
struct warp warp_draw(const struct rng *rng, uint64_t k, uint32_t width_px, uint32_t height_px);

/* Bilinear; beyond the edge the edge goes on. pixels, ret_pixels [height, width, 3]. */
void warp_apply(const struct warp *warp, uint32_t width_px, uint32_t height_px, const float *pixels, float *ret_pixels);

/* The transpose: gradient by the warped pixels -> by the image's. */
void warp_adjoint(const struct warp *warp, uint32_t width_px, uint32_t height_px, const float *gradient,
		  float *ret_gradient);

#endif
