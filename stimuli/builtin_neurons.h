/* V4-like neurons that the project brings itself, as a response_model: what a demo without downloads records from.
 *
 * Not the students' architecture: products over points along a contour (a curve is seen only if most of it is there),
 * blob detectors that edges suppress, and facilitation and suppression between such units, pooled over places by a
 * power law (stimuli/README.md, "Built-in neurons"). A front end with a readout can learn them in part. */
#ifndef EVOKED_STIMULI_BUILTIN_NEURONS_H
#define EVOKED_STIMULI_BUILTIN_NEURONS_H

#include <stdint.h>

#include "models/response_model.h"
#include "support/error.h"

enum { BUILTIN_NEURONS_MAX = 1024, BUILTIN_NEURONS_SIDE_MIN_PX = 32, BUILTIN_NEURONS_SIDE_MAX_PX = 512 };

/* n neurons drawn by seed (RNG_SUBJECT), oriented, curvature-tuned and dot-tuned in turn; n_members 1. Answers are in
 * arbitrary units, at least 0. Sides must be even. There is no gradient (-ENOTSUP): nobody looks into a subject.
 * -EINVAL names the limit; -ENOMEM. The caller owns the model. */
int builtin_neurons_create(uint32_t n, uint32_t height_px, uint32_t width_px, uint64_t seed, struct error *err,
			   struct response_model **ret_model);

#endif
