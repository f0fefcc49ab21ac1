/* From free numbers to pixels that can be shown, with a wanted contrast and mean luminance, and back as gradients.
 *
 * Planes hold, at each pixel, free numbers along the colour axes (colour_axes.h), about 1 in size on natural images.
 * They are turned into R, G, B and pass a smooth curve into 0..255:
 *
 *   pixel = 127.5 (1 + t / sqrt(1 + t²)),  t = gain x + bias,  x = mix of the three planes
 *
 * Range and contrast are enforced together (method.md §6): gain and bias are those at which the image that comes out,
 * not the one before the curve, has the wanted RMS of luminance (R + G + B) / 3 about its mean, and the wanted mean.
 * The gradient accounts for both following the image (implicit function theorem). Thread: any. */
#ifndef EVOKED_STIMULI_RENDER_H
#define EVOKED_STIMULI_RENDER_H

#include <stddef.h>

struct render_target {
	double rms_contrast;   /* of 255; 0: gain stays 1 */
	double mean_luminance; /* of 255; 0: bias stays 0 */
};

/* What was found, and the place to begin the next search at. Starts as RENDER_CURVE_START. */
struct render_curve {
	double gain, bias;
	/* Mean and RMS contrast that came out, and their derivatives by gain and bias; 0 where no target asked for
	 * them. */
	double mean, rms;
	double mean_by_gain, mean_by_bias, rms_by_gain, rms_by_bias;
};
#define RENDER_CURVE_START ((struct render_curve){.gain = 1, .bias = 0})

/* Adjusts *curve to the planes [3, n_px], then writes ret_pixels [n_px, 3]. A target out of reach (no contrast in the
 * planes) is approached as far as gain and bias may go. */
void render_pixels(const float *planes, size_t n_px, const struct render_target *target, struct render_curve *curve,
		   float *ret_pixels);

/* Gradient by the pixels [n_px, 3] -> by the planes, ret_planes [3, n_px]; `curve` as render_pixels left it.
 * ret_planes may be `planes` itself. */
void render_adjoint(const float *planes, size_t n_px, const struct render_target *target,
		    const struct render_curve *curve, const float *gradient, float *ret_planes);

/* The planes that come out as these pixels [n_px, 3] at gain 1, bias 0; pixels are taken as within 1 % to 99 % of the
 * range, since the ends are at infinity. */
void render_invert(const float *pixels, size_t n_px, float *ret_planes);

#endif
