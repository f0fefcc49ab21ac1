/* Builds the network of a member and sets its readouts. Failure modes: those of network_add(): sizes, memory. */
#include "models/member.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { POWER_ITERATIONS = 30 };

/* Part of the He start that the units' channel weights keep: answers begin near zero, as the published readouts do. */
#define MAPS_START 0.1f

/* The batch norm's statistics settle within tens of steps: a refit has a few hundred. */
#define BATCH_NORM_MOMENTUM 0.9f

/* Positions along one side of the map that become one of at most MEMBER_SIDE. */
static uint32_t coarse_step(uint32_t side)
{
	return (side + MEMBER_SIDE - 1) / MEMBER_SIDE;
}

/* Positions along one side of the readout. */
static uint32_t coarse_side(uint32_t side)
{
	return (side + coarse_step(side) - 1) / coarse_step(side);
}

static int add_layers(struct network *network, struct shape map, uint32_t mixing_channels, uint32_t n_units,
		      struct error *err)
{
	const struct layer layers[] = {
		{.kind = LAYER_AVERAGE_POOL,
		 .name = MEMBER_COARSE,
		 .kernel_height = coarse_step(map.height),
		 .kernel_width = coarse_step(map.width),
		 .stride_height = coarse_step(map.height),
		 .stride_width = coarse_step(map.width),
		 .padding = WINDOW_SAME},
		{.kind = LAYER_CONVOLUTION,
		 .name = MEMBER_MIX,
		 .kernel_height = 1,
		 .kernel_width = 1,
		 .n_channels = mixing_channels},
		{.kind = LAYER_BATCH_NORM, .name = "norm", .relu = true, .momentum = BATCH_NORM_MOMENTUM},
		{.kind = LAYER_CONVOLUTION,
		 .name = MEMBER_MAPS,
		 .kernel_height = 1,
		 .kernel_width = 1,
		 .n_channels = n_units},
		{.kind = LAYER_DEPTHWISE,
		 .name = MEMBER_POOL,
		 .kernel_height = coarse_side(map.height),
		 .kernel_width = coarse_side(map.width),
		 .padding = WINDOW_VALID,
		 .has_bias = true},
	};
	int last = 0;

	for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
		struct layer layer = layers[i];
		layer.n_inputs = 1;
		layer.inputs[0] = (uint32_t)last;
		last = network_add(network, &layer, err);
		if (last < 0)
			return last;
	}
	return network_complete(network, err);
}

static float *tensor(struct network *network, const char *layer, const char *role)
{
	return network_tensor(network, (uint32_t)network_find(network, layer), role);
}

int member_create(struct shape map, uint32_t mixing_channels, uint32_t n_units, const struct rng *rng,
		  struct error *err, struct network **ret_network)
{
	const size_t n_positions = (size_t)coarse_side(map.height) * coarse_side(map.width);
	struct network *network = NULL;
	int r = network_create(map, err, &network);

	if (r == 0)
		r = add_layers(network, map, mixing_channels, n_units, err);
	if (r < 0) {
		network_destroy(network);
		return r;
	}
	network_randomize(network, rng);
	float *maps = tensor(network, MEMBER_MAPS, MEMBER_KERNEL), *pool = tensor(network, MEMBER_POOL, MEMBER_KERNEL);
	for (size_t i = 0; i < (size_t)mixing_channels * n_units; i++)
		maps[i] *= MAPS_START;
	for (size_t i = 0; i < n_positions * n_units; i++)
		pool[i] = (float)(1.0 / sqrt((double)n_positions));
	*ret_network = network;
	return 0;
}

/* First left singular vector of a [n, k] by power iteration, its largest part positive; zeros for a matrix of zeros.
 * channel: scratch [k]. */
static void first_singular_vector(const float *a, size_t n, size_t k, double *channel, double *ret_vector)
{
	for (size_t c = 0; c < k; c++)
		channel[c] = 1.0;
	for (int i = 0; i < POWER_ITERATIONS; i++) {
		double square = 0.0, largest = 0.0;
		for (size_t p = 0; p < n; p++) {
			ret_vector[p] = 0.0;
			for (size_t c = 0; c < k; c++)
				ret_vector[p] += a[p * k + c] * channel[c];
			square += ret_vector[p] * ret_vector[p];
		}
		for (size_t p = 0; p < n; p++) {
			ret_vector[p] = square > 0.0 ? ret_vector[p] / sqrt(square) : 0.0;
			largest = fabs(ret_vector[p]) > fabs(largest) ? ret_vector[p] : largest;
		}
		for (size_t p = 0; largest < 0.0 && p < n; p++)
			ret_vector[p] = -ret_vector[p];
		for (size_t c = 0; c < k; c++)
			channel[c] = 0.0;
		for (size_t p = 0; p < n; p++)
			for (size_t c = 0; c < k; c++)
				channel[c] += a[p * k + c] * ret_vector[p];
	}
}

/* Sums weights [height, width, channels] over the positions that the coarse layer averages: [side, side, channels]. */
static void coarsen(const struct window *window, const float *weights, float *ret_coarse)
{
	const struct shape in = window->in, out = window->out;

	memset(ret_coarse, 0, shape_n_values(out) * sizeof *ret_coarse);
	for (uint32_t y = 0; y < in.height; y++) {
		for (uint32_t x = 0; x < in.width; x++) {
			const size_t to_y = (y + window->pad_top) / window->stride_height;
			const size_t to_x = (x + window->pad_left) / window->stride_width;
			const float *from = weights + ((size_t)y * in.width + x) * in.channels;
			float *to = ret_coarse + (to_y * out.width + to_x) * out.channels;
			for (uint32_t c = 0; c < in.channels; c++)
				to[c] += from[c];
		}
	}
}

int member_aim(struct network *network, const float *weights, uint32_t n_units, struct error *err)
{
	const struct window *window = &network->layers[network_find(network, MEMBER_COARSE)].window;
	const size_t n_channels = window->out.channels, n_positions = shape_n_values(window->out) / n_channels;
	double *vector = malloc((n_positions + n_channels) * sizeof *vector);
	float *coarse = malloc(n_positions * n_channels * sizeof *coarse);
	float *pool = tensor(network, MEMBER_POOL, MEMBER_KERNEL);
	int r = 0;

	if (!vector || !coarse) {
		r = error_set(err, -ENOMEM, "member: no memory to aim its readouts");
		goto out;
	}
	for (size_t u = 0; u < n_units; u++) {
		coarsen(window, weights + u * shape_n_values(window->in), coarse);
		first_singular_vector(coarse, n_positions, n_channels, vector + n_positions, vector);
		for (size_t p = 0; p < n_positions; p++)
			if (vector[p] != 0.0)
				pool[p * n_units + u] = (float)vector[p];
	}
out:
	free(vector);
	free(coarse);
	return r;
}

void member_rescale(struct network *network, uint32_t n_units, const float *factor, const float *offset)
{
	const struct layer *layer = &network->layers[network_find(network, MEMBER_POOL)];
	float *pool = tensor(network, MEMBER_POOL, MEMBER_KERNEL), *bias = tensor(network, MEMBER_POOL, MEMBER_BIAS);
	const size_t n_positions = (size_t)layer->kernel_height * layer->kernel_width;

	for (size_t u = 0; u < n_units; u++) {
		for (size_t p = 0; p < n_positions; p++)
			pool[p * n_units + u] *= factor[u];
		bias[u] = bias[u] * factor[u] + offset[u];
	}
}
