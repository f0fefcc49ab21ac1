/* Images given by a few numbers: gratings, bars, curves, dots. For the kind `parametric`, for tuning curves of models
 * and for tests that need an image with a known property. */
#ifndef EVOKED_STIMULI_PARAMETRIC_H
#define EVOKED_STIMULI_PARAMETRIC_H

#include <stddef.h>
#include <stdint.h>

#include "stimuli/image.h"
#include "support/error.h"

enum { PARAMETRIC_DOTS_MAX = 1000, PARAMETRIC_TEXT_SIZE = 256 };

enum parametric_shape {
	PARAMETRIC_GRATING = 0, /* sinusoid between the two colours, in a round window with a soft edge */
	PARAMETRIC_BAR = 1,
	PARAMETRIC_CURVE = 2, /* an arc of a circle */
	PARAMETRIC_DOTS = 3,  /* n_dots equal discs, anywhere */
};
enum { PARAMETRIC_SHAPE_COUNT = PARAMETRIC_DOTS + 1 };

struct parametric {
	enum parametric_shape shape;
	double x_px, y_px;	/* centre of the grating, bar or curve, from the upper left corner */
	double orientation_deg; /* of stripes, bar, or the tangent at the curve's middle; 0 horizontal,
				   counter-clockwise */
	double length_px; /* bar: length; curve: along the arc; grating: diameter of the window, 0 for the whole image
			   */
	double width_px;  /* bar and curve: width; dots: diameter; grating: wavelength */
	double phase_deg; /* grating */
	double curvature_per_px; /* curve: 1 / radius, 0 for straight; its sign says to which side it bends */
	uint32_t n_dots;
	uint64_t seed; /* of the dots' places (RNG_PARAMETRIC) */
	uint8_t foreground[3], background[3];
};

/* Draws with antialiased edges. -EINVAL names a number that is not finite or out of range; -ENOMEM. The caller owns
 * *ret_image. Thread: any. */
int parametric_draw(const struct parametric *parametric, uint32_t width_px, uint32_t height_px, struct error *err,
		    struct image *ret_image);

/* Number `index` of a set of random parameters for images of this size (RNG_PARAMETRIC): shapes equally often,
 * orientation and phase uniform, sizes and curvature log-uniform, black or white on gray, a quarter in colour. */
void parametric_random(uint64_t seed, uint32_t index, uint32_t width_px, uint32_t height_px,
		       struct parametric *ret_parametric);

/* Where the image came from, for the log: {"shape":"bar","x_px":56,...} with only the numbers that its shape uses. */
void parametric_describe(const struct parametric *parametric, char ret_text[PARAMETRIC_TEXT_SIZE]);

#endif
