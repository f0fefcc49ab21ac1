/* Smooths each channel of a feature map by a Gaussian over positions; zero outside the map.
 *
 * A ridge on smoothed features is a ridge whose prior says that weights of neighbouring positions are alike, as those
 * of a receptive field are (models/README.md, "Ridge"). The filter is symmetric, so it is its own adjoint: weights of
 * smoothed features, smoothed, are weights of the features themselves. */
#ifndef EVOKED_MODELS_MAP_SMOOTHING_H
#define EVOKED_MODELS_MAP_SMOOTHING_H

#include <stddef.h>

#include "models/window.h"

enum { MAP_SMOOTHING_RADIUS_MAX = 64 };

struct map_smoothing {
	struct shape map;
	uint32_t radius[2]; /* of rows, of columns: in positions */
	float taps[2][2 * MAP_SMOOTHING_RADIUS_MAX + 1];
};

/* width: standard deviation as a part of the map's height and width. */
void map_smoothing_init(struct shape map, double width, struct map_smoothing *ret_smoothing);

/* values [height, width, channels] in place; scratch of the same size. Thread: any. */
void map_smoothing_apply(const struct map_smoothing *smoothing, float *scratch, float *values);

#endif
