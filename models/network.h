/* A network: layers in order, each from earlier ones, and all their weights in one array.
 *
 * Built with network_add() in order, then network_complete(). What runs it: inference.h (images on their own, weights
 * fixed, batch norm by its moving statistics) and training.h (minibatches, batch norm by theirs, gradients of the
 * weights). Input and output are maps [height, width, channels]; the output is the last layer's. Thread: one writer. */
#ifndef EVOKED_MODELS_NETWORK_H
#define EVOKED_MODELS_NETWORK_H

#include <stddef.h>
#include <stdint.h>

#include "models/layer.h"
#include "support/error.h"
#include "support/hash.h"
#include "support/rng.h"

enum { NETWORK_LAYERS_MAX = 1024 };
#define NETWORK_WEIGHTS_MAX ((size_t)1 << 29)

struct network {
	uint32_t n_layers;
	struct layer *layers;
	size_t n_weights; /* floats, with the gaps that align each tensor to 64 bytes (gaps stay 0) */
	float *weights;	  /* [n_weights]; NULL before network_complete() */
};

/* Layer 0, named "input". -EINVAL, -ENOMEM. */
int network_create(struct shape input, struct error *err, struct network **ret_network);
void network_destroy(struct network *network);

/* Adds a copy of `layer`; returns its number (> 0), or -EINVAL (the layer, the field, the limit), -ENOMEM. */
int network_add(struct network *network, const struct layer *layer, struct error *err);

/* Allocates the weights: 0, but gamma and variance 1. */
int network_complete(struct network *network, struct error *err);

/* Kernels from a normal law with variance 2 / fan-in (He), biases 0, batch norms gamma 1, beta 0, mean 0, variance 1.
 * Weight i takes element i of the stream. LAYER_CENTER keeps its mean. */
void network_randomize(struct network *network, const struct rng *rng);

static inline struct shape network_input(const struct network *network)
{
	return network->layers[0].out;
}

static inline struct shape network_output(const struct network *network)
{
	return network->layers[network->n_layers - 1].out;
}

/* The layer's number, or -ENOENT. */
int network_find(const struct network *network, const char *name);

/* Weights of a tensor of a layer; NULL when the layer has none of that role. */
float *network_tensor(struct network *network, uint32_t layer, const char *role);

/* The part that layer `last` needs, as a network of its own with `last` as its output. */
int network_cut(const struct network *network, uint32_t last, struct error *err, struct network **ret_network);

/* The same function with fewer layers: each batch norm (by its moving statistics) goes into the convolution, depthwise
 * or dense layer before it, each ReLU into the layer before it, where nobody else reads that layer. For inference only.
 */
int network_fold(const struct network *network, struct error *err, struct network **ret_network);

/* Over the graph and the weights. */
void network_hash(const struct network *network, struct hash *ret_hash);

#endif
