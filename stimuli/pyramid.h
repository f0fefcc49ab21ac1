/* Images as sums over scales: the parameters that synthesis moves.
 *
 * Level 0 has the image's size, each next half of it (rounded up), down to PYRAMID_COARSEST_PX; a level is doubled with
 * the weights (1, 3, 3, 1) / 4 and added to the next finer one. Independent numbers of one size at all levels make
 * noise with the 1/f amplitudes of natural images, and an optimizer that moves all alike makes images with them (the
 * role of the Fourier parameters of method.md §6, at a cost linear in the pixels). Planes: [channel][height][width].
 * Thread: any. */
#ifndef EVOKED_STIMULI_PYRAMID_H
#define EVOKED_STIMULI_PYRAMID_H

#include <stddef.h>
#include <stdint.h>

enum { PYRAMID_LEVELS_MAX = 10, PYRAMID_CHANNELS = 3, PYRAMID_COARSEST_PX = 7 };

struct pyramid {
	uint32_t n_levels;
	uint32_t width_px[PYRAMID_LEVELS_MAX], height_px[PYRAMID_LEVELS_MAX];
	float weight[PYRAMID_LEVELS_MAX]; /* of a level's parameters */
	size_t first[PYRAMID_LEVELS_MAX]; /* where a level's planes begin among the parameters */
	size_t n_params;
	size_t n_scratch; /* floats that the functions below need */
};

/* Sides 1 to IMAGE_SIDE_MAX_PX (image.h). */
void pyramid_init(uint32_t width_px, uint32_t height_px, struct pyramid *ret_pyramid);

/* params [n_params] -> ret_planes [3, height, width]. scratch [n_scratch]. */
void pyramid_sum(const struct pyramid *pyramid, const float *params, float *scratch, float *ret_planes);

/* The transpose: gradient by the planes [3, height, width] -> by the parameters, ret_gradient [n_params]. */
void pyramid_sum_adjoint(const struct pyramid *pyramid, const float *gradient, float *scratch, float *ret_gradient);

#endif
