/* The weights inside a Keras 3 archive: datasets /layers/<class>[_n]/vars/<i> of an HDF5 file in memory (HDF5's one
 * owner). */
#ifndef EVOKED_MODELS_CONVERTER_KERAS_WEIGHTS_H
#define EVOKED_MODELS_CONVERTER_KERAS_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

#include "support/error.h"

struct keras_weights;

/* Copies the bytes of model.weights.h5. -EINVAL: not HDF5. */
int keras_weights_open(const void *data, size_t size, struct error *err, struct keras_weights **ret_weights);
void keras_weights_close(struct keras_weights *weights);

/* Reads variable `index` of a layer's group as float32; it must have exactly n_values values in all, whatever its
 * dimensions (they agree with the layer's when the number does). -ENOENT, -EINVAL name the dataset. */
int keras_weights_read(struct keras_weights *weights, const char *group, uint32_t index, size_t n_values,
		       struct error *err, float *ret_values);

#endif
