/* One entry of a Keras configuration's "layers" as our layers: one, two (separable convolutions), or none (linear
 * activation). */
#ifndef EVOKED_MODELS_CONVERTER_KERAS_LAYER_H
#define EVOKED_MODELS_CONVERTER_KERAS_LAYER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "models/layer.h"
#include "support/error.h"

enum { KERAS_LAYER_PARTS_MAX = 2, KERAS_LAYER_VARIABLES_MAX = 4 };

struct keras_layer {
	uint32_t n_parts;
	struct layer parts[KERAS_LAYER_PARTS_MAX]; /* the second reads the first; inputs are the caller's to fill */
	const char *group; /* of its variables in the HDF5 file, before "_n"; NULL: it has none */
	uint32_t n_variables;
	struct {
		uint32_t part;
		const char *role; /* of the part's tensor that takes variable i of the group */
	} variables[KERAS_LAYER_VARIABLES_MAX];
};

/* `json`: {"class_name", "config": {...}}; in: shape of its (first) input, for depthwise layers. -ENOTSUP names the
 * class, the activation or the option that is not supported; -EINVAL a field that is missing or wrong. InputLayer is
 * the caller's. */
int keras_layer_parse(const json_t *json, struct shape in, struct error *err, struct keras_layer *ret_layer);

#endif
