/* The plain version of every layer: double precision, one loop for each index, nothing clever. Tests measure the fast
 * kernels against it, and take finite differences of it. Not part of the programs. */
#ifndef EVOKED_MODELS_REFERENCE_H
#define EVOKED_MODELS_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>

#include "models/network.h"

/* weights laid out as network->weights; inputs [n, input values] to ret_outputs [n, output values]. In training batch
 * norm uses the statistics of these n images. 0, or -ENOMEM. */
int reference_forward(const struct network *network, const double *weights, const double *inputs, size_t n,
		      bool training, double *ret_outputs);

#endif
