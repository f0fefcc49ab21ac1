/* Dead leaves: opaque shapes of power-law sizes that hide one another, the simplest images with the edges, occlusions
 * and 1/f spectrum of natural ones (Lee, Mumford & Huang 2001). The pool of a demo that downloads nothing. */
#ifndef EVOKED_STIMULI_DEAD_LEAVES_H
#define EVOKED_STIMULI_DEAD_LEAVES_H

#include <stdint.h>

#include "stimuli/image.h"
#include "support/error.h"

/* Makes image number `index` of the set `seed` (RNG_DEAD_LEAVES): a pure function of both and the size, so an image
 * of a set is made again when it is wanted. Size limits as image_init. The caller owns *ret_image. Thread: any. */
int dead_leaves_make(uint32_t width_px, uint32_t height_px, uint64_t seed, uint32_t index, struct error *err,
		     struct image *ret_image);

#endif
