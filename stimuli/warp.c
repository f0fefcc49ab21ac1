/* Both directions walk the warped pixels in order with the same four places and weights: one gathers, one scatters. */
#include "stimuli/warp.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

enum { DRAWS = 4 };

/* Four pixels (offsets of their first value) and their weights. */
struct taps {
	size_t at[4];
	float weight[4];
};

struct warp warp_draw(const struct rng *rng, uint64_t k, uint32_t width_px, uint32_t height_px)
{
	double u[DRAWS];

	for (uint64_t d = 0; d < DRAWS; d++)
		u[d] = 2 * rng_uniform(rng, k * DRAWS + d) - 1;
	double angle = u[0] * WARP_TURN_MAX_DEG * (M_PI / 180), scale = 1 + u[1] * WARP_SCALE_MAX;
	double c = scale * cos(angle), s = scale * sin(angle);
	double x_middle = (width_px - 1) / 2.0, y_middle = (height_px - 1) / 2.0;
	return (struct warp){
		.xx = (float)c,
		.xy = (float)-s,
		.x0 = (float)(x_middle - c * x_middle + s * y_middle + u[2] * WARP_SHIFT_MAX_PX),
		.yx = (float)s,
		.yy = (float)c,
		.y0 = (float)(y_middle - s * x_middle - c * y_middle + u[3] * WARP_SHIFT_MAX_PX),
	};
}

static inline float clamped(float value, uint32_t n)
{
	return fminf(fmaxf(value, 0.0f), (float)(n - 1));
}

static inline struct taps taps_at(const struct warp *warp, uint32_t width_px, uint32_t height_px, uint32_t x,
				  uint32_t y)
{
	float from_x = clamped(warp->xx * (float)x + warp->xy * (float)y + warp->x0, width_px);
	float from_y = clamped(warp->yx * (float)x + warp->yy * (float)y + warp->y0, height_px);
	uint32_t left = (uint32_t)from_x, top = (uint32_t)from_y;
	uint32_t right = left + 1 < width_px ? left + 1 : left, bottom = top + 1 < height_px ? top + 1 : top;
	float fx = from_x - (float)left, fy = from_y - (float)top;

	return (struct taps){
		.at = {((size_t)top * width_px + left) * 3, ((size_t)top * width_px + right) * 3,
		       ((size_t)bottom * width_px + left) * 3, ((size_t)bottom * width_px + right) * 3},
		.weight = {(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy},
	};
}

void warp_apply(const struct warp *warp, uint32_t width_px, uint32_t height_px, const float *pixels, float *ret_pixels)
{
	for (uint32_t y = 0; y < height_px; y++)
		for (uint32_t x = 0; x < width_px; x++) {
			struct taps taps = taps_at(warp, width_px, height_px, x, y);
			float *to = ret_pixels + 3 * ((size_t)y * width_px + x);
			for (size_t c = 0; c < 3; c++)
				to[c] = taps.weight[0] * pixels[taps.at[0] + c] +
					taps.weight[1] * pixels[taps.at[1] + c] +
					taps.weight[2] * pixels[taps.at[2] + c] +
					taps.weight[3] * pixels[taps.at[3] + c];
		}
}

void warp_adjoint(const struct warp *warp, uint32_t width_px, uint32_t height_px, const float *gradient,
		  float *ret_gradient)
{
	memset(ret_gradient, 0, (size_t)width_px * height_px * 3 * sizeof *ret_gradient);
	for (uint32_t y = 0; y < height_px; y++)
		for (uint32_t x = 0; x < width_px; x++) {
			struct taps taps = taps_at(warp, width_px, height_px, x, y);
			const float *from = gradient + 3 * ((size_t)y * width_px + x);
			for (size_t t = 0; t < 4; t++)
				for (size_t c = 0; c < 3; c++)
					ret_gradient[taps.at[t] + c] += taps.weight[t] * from[c];
		}
}
