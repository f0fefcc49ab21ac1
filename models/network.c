/* The list of layers grows by network_add(); each layer's tensors get their places in the weights at once, the array
 * itself comes with network_complete(). Failures: a layer that does not fit, limits, memory; the network is then
 * unchanged. */
#include "models/network.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "models/tensor.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "weights are hashed as they lie in memory");

int network_create(struct shape input, struct error *err, struct network **ret_network)
{
	struct layer layer = {.kind = LAYER_INPUT, .name = "input"};

	int r = layer_complete(&layer, &input, 1, err);
	if (r)
		return r;
	struct network *network = calloc(1, sizeof *network);
	struct layer *layers = calloc(1, sizeof *layers);
	if (!network || !layers) {
		free(layers);
		free(network);
		return error_set(err, -ENOMEM, "network: out of memory");
	}
	layers[0] = layer;
	network->layers = layers;
	network->n_layers = 1;
	*ret_network = network;
	return 0;
}

void network_destroy(struct network *network)
{
	if (!network)
		return;
	free(network->weights);
	free(network->layers);
	free(network);
}

int network_find(const struct network *network, const char *name)
{
	for (uint32_t i = 0; i < network->n_layers; i++) {
		if (!strcmp(network->layers[i].name, name))
			return (int)i;
	}
	return -ENOENT;
}

/* Completes a copy of the layer against the network as it is. */
static int complete_in(const struct network *network, struct layer *layer, struct error *err)
{
	struct shape in[LAYER_INPUTS_MAX];
	uint32_t n = layer->n_inputs ? layer->n_inputs : 1;

	if (n > LAYER_INPUTS_MAX)
		return error_set(err, -EINVAL, "layer %.*s: %u inputs, at most %d", LAYER_NAME_MAX, layer->name, n,
				 LAYER_INPUTS_MAX);
	for (uint32_t i = 0; i < n; i++) {
		if (layer->inputs[i] >= network->n_layers)
			return error_set(err, -EINVAL, "layer %.*s: its input %u is layer %u, only %u are before it",
					 LAYER_NAME_MAX, layer->name, i, layer->inputs[i], network->n_layers);
		in[i] = network->layers[layer->inputs[i]].out;
	}
	int r = layer_complete(layer, in, n, err);
	if (r)
		return r;
	if (layer->kind == LAYER_INPUT)
		return error_set(err, -EINVAL, "layer %s: a network has one input", layer->name);
	if (network_find(network, layer->name) >= 0)
		return error_set(err, -EINVAL, "layer %s: another layer has this name", layer->name);
	return 0;
}

int network_add(struct network *network, const struct layer *layer, struct error *err)
{
	struct layer added = *layer;
	size_t n_weights = network->n_weights;

	if (network->weights)
		return error_set(err, -EINVAL, "layer %.*s: the network is complete", LAYER_NAME_MAX, layer->name);
	if (network->n_layers == NETWORK_LAYERS_MAX)
		return error_set(err, -EINVAL, "network: more than %d layers", NETWORK_LAYERS_MAX);
	int r = complete_in(network, &added, err);
	if (r)
		return r;
	for (uint32_t i = 0; i < added.n_tensors; i++) {
		added.tensors[i].offset = n_weights;
		n_weights += tensor_aligned(added.tensors[i].n_values);
	}
	if (n_weights > NETWORK_WEIGHTS_MAX)
		return error_set(err, -EINVAL, "layer %s: more than %zu weights in all", added.name,
				 NETWORK_WEIGHTS_MAX);
	struct layer *layers = reallocarray(network->layers, network->n_layers + 1, sizeof *layers);
	if (!layers)
		return error_set(err, -ENOMEM, "network: out of memory");
	network->layers = layers;
	layers[network->n_layers] = added;
	network->n_weights = n_weights;
	return (int)network->n_layers++;
}

static void fill(float *values, size_t n, float value)
{
	for (size_t i = 0; i < n; i++)
		values[i] = value;
}

static void reset_batch_norm(struct network *network, uint32_t layer)
{
	size_t n = network->layers[layer].out.channels;

	fill(network_tensor(network, layer, "gamma"), n, 1.0f);
	fill(network_tensor(network, layer, "beta"), n, 0.0f);
	fill(network_tensor(network, layer, "mean"), n, 0.0f);
	fill(network_tensor(network, layer, "variance"), n, 1.0f);
}

int network_complete(struct network *network, struct error *err)
{
	int r = tensor_alloc(network->n_weights, "weights", err, &network->weights);

	if (r)
		return r;
	for (uint32_t i = 0; i < network->n_layers; i++) {
		if (network->layers[i].kind == LAYER_BATCH_NORM)
			reset_batch_norm(network, i);
	}
	return 0;
}

float *network_tensor(struct network *network, uint32_t layer, const char *role)
{
	const struct layer_tensor *tensor = layer_tensor(&network->layers[layer], role);

	return tensor ? network->weights + tensor->offset : NULL;
}

void network_randomize(struct network *network, const struct rng *rng)
{
	for (uint32_t i = 0; i < network->n_layers; i++) {
		const struct layer *layer = &network->layers[i];
		const struct layer_tensor *kernel = layer_tensor(layer, "kernel"), *bias = layer_tensor(layer, "bias");

		if (layer->kind == LAYER_BATCH_NORM)
			reset_batch_norm(network, i);
		if (bias)
			fill(network->weights + bias->offset, bias->n_values, 0.0f);
		if (!kernel)
			continue;
		float *values = network->weights + kernel->offset;
		float sd = (float)sqrt(2.0 * layer->out.channels / (double)kernel->n_values);

		rng_fill_normal(rng, kernel->offset, kernel->n_values, values);
		for (size_t k = 0; k < kernel->n_values; k++)
			values[k] *= sd;
	}
}

int network_cut(const struct network *network, uint32_t last, struct error *err, struct network **ret_network)
{
	uint32_t *number = calloc(network->n_layers, sizeof *number); /* in the new network; 0: not needed */
	bool *is_needed = calloc(network->n_layers, sizeof *is_needed);
	struct network *cut = NULL;
	int r;

	if (!number || !is_needed) {
		r = error_set(err, -ENOMEM, "network: out of memory");
		goto out_free;
	}
	is_needed[last] = true;
	for (uint32_t i = last; i > 0; i--) {
		for (uint32_t k = 0; is_needed[i] && k < network->layers[i].n_inputs; k++)
			is_needed[network->layers[i].inputs[k]] = true;
	}
	r = network_create(network_input(network), err, &cut);
	for (uint32_t i = 1; !r && i <= last; i++) {
		struct layer layer = network->layers[i];

		if (!is_needed[i])
			continue;
		for (uint32_t k = 0; k < layer.n_inputs; k++)
			layer.inputs[k] = number[layer.inputs[k]];
		int added = network_add(cut, &layer, err);
		if (added < 0)
			r = added;
		else
			number[i] = (uint32_t)added;
	}
	if (!r)
		r = network_complete(cut, err);
	if (r) {
		network_destroy(cut);
		goto out_free;
	}
	for (uint32_t i = 1; i <= last; i++) {
		for (uint32_t t = 0; is_needed[i] && t < network->layers[i].n_tensors; t++) {
			const struct layer_tensor *from = &network->layers[i].tensors[t];

			memcpy(cut->weights + cut->layers[number[i]].tensors[t].offset, network->weights + from->offset,
			       from->n_values * sizeof(float));
		}
	}
	*ret_network = cut;
out_free:
	free(is_needed);
	free(number);
	return r;
}

static void hash_u32(struct hash_state *state, uint32_t value)
{
	uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16), (uint8_t)(value >> 24)};

	hash_update(state, bytes, sizeof bytes);
}

void network_hash(const struct network *network, struct hash *ret_hash)
{
	struct hash_state state;

	hash_begin(&state);
	hash_u32(&state, network->n_layers);
	for (uint32_t i = 0; i < network->n_layers; i++) {
		const struct layer *l = &network->layers[i];
		const char *kind = layer_kind_name(l->kind);
		const uint32_t numbers[] = {
			l->n_inputs,	 l->inputs[0],	   l->inputs[1],    l->out.height,    l->out.width,
			l->out.channels, l->kernel_height, l->kernel_width, l->stride_height, l->stride_width,
			l->padding,	 l->groups,	   l->has_bias,	    l->relu,
		};

		hash_update(&state, kind, strlen(kind) + 1);
		for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
			hash_u32(&state, numbers[k]);
		hash_update(&state, &l->epsilon, sizeof l->epsilon);
		for (uint32_t t = 0; t < l->n_tensors; t++)
			hash_update(&state, network->weights + l->tensors[t].offset,
				    l->tensors[t].n_values * sizeof(float));
	}
	hash_end(&state, ret_hash);
}
