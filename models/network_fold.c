/* Looks ahead from each layer: a batch norm that alone reads it, then a ReLU that alone reads that, go into it. Works
 * on a copy without layers that the output does not need, so that the output stays the last layer. Fails on memory
 * only. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "models/batch_norm.h"
#include "models/network.h"
#include "models/tensor.h"

struct fold {
	const struct network *from;
	struct network *to;
	struct fold_layer {
		uint32_t n_readers, reader; /* how many layers read it; the last of them */
		uint32_t number;	    /* in the folded network */
		uint32_t batch_norm;	    /* that went into it, or 0 */
		bool is_absorbed;
	} layers[NETWORK_LAYERS_MAX];
};

/* The layer of that kind that alone reads layer i, or 0. */
static uint32_t only_reader(const struct fold *fold, uint32_t i, enum layer_kind kind)
{
	const struct fold_layer *l = &fold->layers[i];

	return l->n_readers == 1 && fold->from->layers[l->reader].kind == kind ? l->reader : 0;
}

static bool takes_batch_norm(const struct layer *layer)
{
	return !layer->relu &&
	       (layer->kind == LAYER_CONVOLUTION || layer->kind == LAYER_DEPTHWISE || layer->kind == LAYER_DENSE);
}

static int fold_layer(struct fold *fold, uint32_t i, struct error *err)
{
	struct layer layer = fold->from->layers[i];
	uint32_t end = i, batch_norm = takes_batch_norm(&layer) ? only_reader(fold, i, LAYER_BATCH_NORM) : 0;

	if (batch_norm) {
		layer.has_bias = true;
		layer.relu = fold->from->layers[batch_norm].relu;
		end = batch_norm;
		fold->layers[end].is_absorbed = true;
	}
	uint32_t relu = layer_takes_relu(layer.kind) ? only_reader(fold, end, LAYER_RELU) : 0;
	if (relu) {
		layer.relu = true;
		end = relu;
		fold->layers[end].is_absorbed = true;
	}
	for (uint32_t k = 0; k < layer.n_inputs; k++)
		layer.inputs[k] = fold->layers[layer.inputs[k]].number;
	memcpy(layer.name, fold->from->layers[end].name, sizeof layer.name);
	int number = network_add(fold->to, &layer, err);
	if (number < 0)
		return number;
	fold->layers[i].batch_norm = batch_norm;
	fold->layers[i].number = (uint32_t)number;
	fold->layers[batch_norm ? batch_norm : i].number = (uint32_t)number;
	fold->layers[end].number = (uint32_t)number;
	return 0;
}

static const float *values_of(const struct network *network, uint32_t layer, const char *role)
{
	return network->weights + layer_tensor(&network->layers[layer], role)->offset;
}

static int scale_weights(const struct fold *fold, uint32_t i, struct error *err)
{
	const struct layer *layer = &fold->to->layers[fold->layers[i].number];
	const uint32_t bn = fold->layers[i].batch_norm;
	const size_t c = layer->out.channels;
	float *kernel = network_tensor(fold->to, fold->layers[i].number, "kernel");
	float *bias = network_tensor(fold->to, fold->layers[i].number, "bias"), *scale;

	int r = tensor_alloc(2 * c, "batch norm", err, &scale);
	if (r)
		return r;
	float *shift = scale + c;
	batch_norm_coefficients(c, values_of(fold->from, bn, "gamma"), values_of(fold->from, bn, "beta"),
				values_of(fold->from, bn, "mean"), values_of(fold->from, bn, "variance"),
				fold->from->layers[bn].epsilon, scale, shift);
	/* The output channel is the last dimension of every kernel. */
	for (size_t k = 0; k < layer->tensors[0].n_values; k++)
		kernel[k] *= scale[k % c];
	for (size_t k = 0; k < c; k++)
		bias[k] = bias[k] * scale[k] + shift[k];
	free(scale);
	return 0;
}

static int copy_weights(const struct fold *fold, uint32_t i, struct error *err)
{
	const struct layer *from = &fold->from->layers[i];

	for (uint32_t t = 0; t < from->n_tensors; t++)
		memcpy(network_tensor(fold->to, fold->layers[i].number, from->tensors[t].role),
		       fold->from->weights + from->tensors[t].offset, from->tensors[t].n_values * sizeof(float));
	return fold->layers[i].batch_norm ? scale_weights(fold, i, err) : 0;
}

static int fold_all(struct fold *fold, struct error *err)
{
	const uint32_t n = fold->from->n_layers;
	int r = 0;

	for (uint32_t i = 1; i < n; i++) {
		for (uint32_t k = 0; k < fold->from->layers[i].n_inputs; k++) {
			fold->layers[fold->from->layers[i].inputs[k]].n_readers++;
			fold->layers[fold->from->layers[i].inputs[k]].reader = i;
		}
	}
	for (uint32_t i = 1; i < n && !r; i++) {
		if (!fold->layers[i].is_absorbed)
			r = fold_layer(fold, i, err);
	}
	if (!r)
		r = network_complete(fold->to, err);
	for (uint32_t i = 1; i < n && !r; i++) {
		if (!fold->layers[i].is_absorbed)
			r = copy_weights(fold, i, err);
	}
	return r;
}

int network_fold(const struct network *network, struct error *err, struct network **ret_network)
{
	struct network *needed = NULL;
	struct fold *fold = calloc(1, sizeof *fold);

	if (!fold)
		return error_set(err, -ENOMEM, "network: out of memory");
	int r = network_cut(network, network->n_layers - 1, err, &needed);
	if (r)
		goto out_free;
	fold->from = needed;
	r = network_create(network_input(network), err, &fold->to);
	if (!r)
		r = fold_all(fold, err);
	if (r)
		network_destroy(fold->to);
	else
		*ret_network = fold->to;
	network_destroy(needed);
out_free:
	free(fold);
	return r;
}
