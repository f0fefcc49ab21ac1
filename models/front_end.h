/* The built-in V1-like front end: Gabor energy in luminance and opponent colours, pooled, divisively normalized. A
 * backbone that needs no download (design: "Models"; formulas in models/README.md, "Front end").
 *
 * 67 channels on a map of one position every 8 px: 64 energies and the local means of luminance, red-green and
 * blue-yellow; for a 112×112 image 14×14×67 = 13,132 features. */
#ifndef EVOKED_MODELS_FRONT_END_H
#define EVOKED_MODELS_FRONT_END_H

#include <stdint.h>

#include "models/backbone.h"

enum {
	FRONT_END_SIDE_MIN_PX = 32,
	FRONT_END_SIDE_MAX_PX = 512,
	FRONT_END_POOL_PX = 8, /* sides must be multiples of it */
	FRONT_END_CHANNELS = 67,
};
#define FRONT_END_NAME "front_end"

/* For images of the given size; -EINVAL when a side is out of range or no multiple of FRONT_END_POOL_PX. The caller
 * owns the backbone. */
int front_end_create(uint32_t height_px, uint32_t width_px, struct error *err, struct backbone **ret_backbone);

#endif
