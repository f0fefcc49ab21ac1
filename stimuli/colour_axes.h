/* The principal axes of the colours of natural images: luminance, yellow-blue, green-magenta, each of length 1.
 *
 * Measured on the 800 natural images of a published V4 session (stimuli/README.md, "Colours"): along these axes the SDs
 * over pixels and images are 98, 25 and 11 of 255. */
#ifndef EVOKED_STIMULI_COLOUR_AXES_H
#define EVOKED_STIMULI_COLOUR_AXES_H

enum { COLOUR_AXES = 3 };

/* [axis][R, G, B] */
static const float colour_axes[COLOUR_AXES][3] = {
	{0.57735f, 0.57735f, 0.57735f},
	{0.70711f, 0.0f, -0.70711f},
	{-0.40825f, 0.81650f, -0.40825f},
};

#endif
