/* A network as a model file: the graph as JSON in the metadata of a safetensors file, the weights as its tensors.
 *
 * Metadata key GRAPH_METADATA_KEY: {"version": 1, "input": [h, w, c], "layers": [{"name", "kind", "inputs": [names],
 * and what the kind has: "kernel": [h, w], "strides": [h, w], "padding": "same"|"valid", "groups", "channels", "bias",
 * "relu", "epsilon"}, ...]}. The output is the last layer; the input is called "input". Tensors are float32, named
 * "<layer>/<role>", shaped as layer.h says. */
#ifndef EVOKED_MODELS_GRAPH_H
#define EVOKED_MODELS_GRAPH_H

#include <stddef.h>

#include "models/network.h"
#include "models/safetensors.h"
#include "support/error.h"

enum { GRAPH_VERSION = 1 };

/* JSON keys, named once. */
#define GRAPH_METADATA_KEY "evoked.graph"
#define GRAPH_VERSION_KEY  "version"
#define GRAPH_INPUT	   "input"
#define GRAPH_LAYERS	   "layers"
#define GRAPH_NAME	   "name"
#define GRAPH_KIND	   "kind"
#define GRAPH_INPUTS	   "inputs"
#define GRAPH_KERNEL	   "kernel"
#define GRAPH_STRIDES	   "strides"
#define GRAPH_PADDING	   "padding"
#define GRAPH_SAME	   "same"
#define GRAPH_VALID	   "valid"
#define GRAPH_GROUPS	   "groups"
#define GRAPH_CHANNELS	   "channels"
#define GRAPH_BIAS	   "bias"
#define GRAPH_RELU	   "relu"
#define GRAPH_EPSILON	   "epsilon"
#define GRAPH_MOMENTUM	   "momentum"

/* The bytes of a model file, malloc'ed. */
int graph_encode(const struct network *network, struct error *err, void **ret_data, size_t *ret_size);

/* A complete network from a decoded file. -EINVAL names the layer and the field; -ENOENT: a tensor is missing, or there
 * is no graph. The tensors' data are copied. */
int graph_decode(const struct safetensors *file, struct error *err, struct network **ret_network);

#endif
