/* Cuts the network and runs the part by inference.c. Failure: a network that is no backbone, memory. */
#include "models/network_backbone.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "models/inference.h"

struct network_backbone {
	struct backbone backbone; /* first: the two are cast into each other */
	struct inference *inference;
};

static struct network_backbone *of(struct backbone *backbone)
{
	return (struct network_backbone *)backbone;
}

static uint32_t skip_flatten(const struct network *network, uint32_t layer)
{
	while (network->layers[layer].kind == LAYER_FLATTEN)
		layer = network->layers[layer].inputs[0];
	return layer;
}

static bool pools_whole_map(const struct layer *layer)
{
	return layer->kind == LAYER_DEPTHWISE && layer->out.height == 1 && layer->out.width == 1;
}

static bool mixes_channels(const struct layer *layer)
{
	return layer->kind == LAYER_CONVOLUTION && layer->kernel_height == 1 && layer->kernel_width == 1 &&
	       layer->groups == 1 && !layer->relu;
}

int network_backbone_find_cut(const struct network *network, struct error *err, uint32_t *ret_layer)
{
	uint32_t i = skip_flatten(network, network->n_layers - 1);
	const struct layer *end = &network->layers[i];
	const struct layer *before = &network->layers[end->inputs[0]];

	if (end->kind == LAYER_DENSE)
		i = skip_flatten(network, end->inputs[0]);
	else if (pools_whole_map(end) && mixes_channels(before))
		i = before->inputs[0];
	else
		return error_set(
			err, -EINVAL,
			"it ends with neither a dense layer nor a 1 x 1 convolution and a spatial pool: name the "
			"layer whose map is wanted");
	*ret_layer = i;
	return 0;
}

static int features(struct backbone *backbone, struct thread_pool *pool, const float *images, size_t n,
		    struct error *err, float *ret_features)
{
	return inference_forward(of(backbone)->inference, pool, images, n, err, ret_features);
}

static int gradient(struct backbone *backbone, struct thread_pool *pool, const float *images, size_t n,
		    void (*cotangent)(void *ctx, size_t i, unsigned thread, const float *features,
				      float *ret_cotangent),
		    void *ctx, struct error *err, float *ret_gradients)
{
	return inference_gradient(of(backbone)->inference, pool, images, n, cotangent, ctx, err, ret_gradients);
}

static void destroy(struct backbone *backbone)
{
	inference_destroy(of(backbone)->inference);
	free(backbone);
}

static const struct backbone_ops ops = {features, gradient, destroy};

int network_backbone_create(const struct network *network, uint32_t last, struct error *err,
			    struct backbone **ret_backbone)
{
	const struct shape in = network_input(network);
	struct network *cut = NULL;

	if (in.channels != 3)
		return error_set(err, -EINVAL, "a backbone's images have 3 channels, this network has %u", in.channels);
	struct network_backbone *backbone = calloc(1, sizeof *backbone);
	if (!backbone)
		return error_set(err, -ENOMEM, "backbone: out of memory");
	int r = network_cut(network, last, err, &cut);
	if (!r)
		r = inference_create(cut, err, &backbone->inference);
	if (r) {
		free(backbone);
		goto out_cut;
	}
	const struct shape out = network_output(cut);
	backbone->backbone = (struct backbone){
		.ops = &ops,
		.height_px = in.height,
		.width_px = in.width,
		.map_height = out.height,
		.map_width = out.width,
		.n_channels = out.channels,
	};
	network_hash(cut, &backbone->backbone.hash);
	*ret_backbone = &backbone->backbone;
out_cut:
	network_destroy(cut);
	return r;
}
