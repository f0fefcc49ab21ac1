/* Written from the definitions alone: it shares neither code nor padding arithmetic with what it checks. */
#include "models/reference.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Zeros before the map along one side: TensorFlow's "same" splits what is missing, the smaller half before. */
static long padding_before(const struct layer *layer, uint32_t in, uint32_t out, uint32_t kernel, uint32_t stride)
{
	long missing = ((long)out - 1) * stride + kernel - in;

	return layer->padding == WINDOW_SAME && missing > 0 ? missing / 2 : 0;
}

struct place {
	long y, x; /* in the input map, perhaps outside */
};

static struct place place_of(const struct layer *l, uint32_t oy, uint32_t ox, uint32_t ky, uint32_t kx)
{
	return (struct place){
		(long)oy * l->stride_height + ky -
			padding_before(l, l->in.height, l->out.height, l->kernel_height, l->stride_height),
		(long)ox * l->stride_width + kx -
			padding_before(l, l->in.width, l->out.width, l->kernel_width, l->stride_width),
	};
}

static bool is_inside(const struct layer *l, struct place p)
{
	return p.y >= 0 && p.x >= 0 && p.y < (long)l->in.height && p.x < (long)l->in.width;
}

static double at(const struct layer *l, const double *in, struct place p, uint32_t channel)
{
	return in[((size_t)p.y * l->in.width + (size_t)p.x) * l->in.channels + channel];
}

static double convolve(const struct layer *l, const double *kernel, const double *in, uint32_t oy, uint32_t ox,
		       uint32_t channel)
{
	const uint32_t group_in = l->in.channels / l->groups, group_out = l->out.channels / l->groups;
	double sum = 0.0;

	for (uint32_t ky = 0; ky < l->kernel_height; ky++) {
		for (uint32_t kx = 0; kx < l->kernel_width; kx++) {
			struct place p = place_of(l, oy, ox, ky, kx);

			for (uint32_t i = 0; is_inside(l, p) && i < group_in; i++)
				sum += at(l, in, p, channel / group_out * group_in + i) *
				       kernel[((ky * l->kernel_width + kx) * group_in + i) * l->out.channels + channel];
		}
	}
	return sum;
}

static double convolve_depthwise(const struct layer *l, const double *kernel, const double *in, uint32_t oy,
				 uint32_t ox, uint32_t channel)
{
	double sum = 0.0;

	for (uint32_t ky = 0; ky < l->kernel_height; ky++) {
		for (uint32_t kx = 0; kx < l->kernel_width; kx++) {
			struct place p = place_of(l, oy, ox, ky, kx);

			if (is_inside(l, p))
				sum += at(l, in, p, channel) *
				       kernel[(ky * l->kernel_width + kx) * l->in.channels + channel];
		}
	}
	return sum;
}

static double pool(const struct layer *l, const double *in, uint32_t oy, uint32_t ox, uint32_t channel)
{
	double sum = 0.0, largest = -INFINITY;
	int n = 0;

	for (uint32_t ky = 0; ky < l->kernel_height; ky++) {
		for (uint32_t kx = 0; kx < l->kernel_width; kx++) {
			struct place p = place_of(l, oy, ox, ky, kx);

			if (!is_inside(l, p))
				continue;
			n++;
			sum += at(l, in, p, channel);
			largest = fmax(largest, at(l, in, p, channel));
		}
	}
	return l->kind == LAYER_MAX_POOL ? largest : sum / n;
}

static void run_window(const struct layer *l, const double *kernel, const double *bias, const double *in, double *out)
{
	for (uint32_t y = 0; y < l->out.height; y++) {
		for (uint32_t x = 0; x < l->out.width; x++) {
			for (uint32_t c = 0; c < l->out.channels; c++) {
				double value = l->kind == LAYER_CONVOLUTION ? convolve(l, kernel, in, y, x, c)
					       : l->kind == LAYER_DEPTHWISE ? convolve_depthwise(l, kernel, in, y, x, c)
									    : pool(l, in, y, x, c);

				out[((size_t)y * l->out.width + x) * l->out.channels + c] =
					value + (bias ? bias[c] : 0.0);
			}
		}
	}
}

static void run_dense(const struct layer *l, const double *kernel, const double *bias, const double *in, double *out)
{
	for (size_t c = 0; c < l->out.channels; c++) {
		out[c] = bias ? bias[c] : 0.0;
		for (size_t i = 0; i < shape_n_values(l->in); i++)
			out[c] += in[i] * kernel[i * l->out.channels + c];
	}
}

/* x [n, rows, c] */
static void run_batch_norm(const struct layer *l, const double *weights, const double *x, size_t n, bool training,
			   double *y)
{
	const size_t c = l->out.channels, n_rows = n * l->out.height * l->out.width;

	for (size_t i = 0; i < c; i++) {
		double mean = weights[l->tensors[2].offset + i], variance = weights[l->tensors[3].offset + i];

		if (training) {
			mean = variance = 0.0;
			for (size_t row = 0; row < n_rows; row++)
				mean += x[row * c + i] / (double)n_rows;
			for (size_t row = 0; row < n_rows; row++)
				variance += pow(x[row * c + i] - mean, 2.0) / (double)n_rows;
		}
		for (size_t row = 0; row < n_rows; row++)
			y[row * c + i] = weights[l->tensors[0].offset + i] * (x[row * c + i] - mean) /
						 sqrt(variance + (double)l->epsilon) +
					 weights[l->tensors[1].offset + i];
	}
}

static void run_layer(const struct layer *l, const double *weights, double *const maps[], size_t image, double *out)
{
	const size_t n_in = shape_n_values(l->in), c = l->out.channels;
	const double *in = maps[l->inputs[0]] + image * n_in;
	const double *kernel = l->n_tensors ? weights + l->tensors[0].offset : NULL;
	const double *bias = l->has_bias ? weights + l->tensors[1].offset : NULL;

	switch (l->kind) {
	case LAYER_CENTER:
		for (size_t i = 0; i < n_in; i++)
			out[i] = in[i] - kernel[i % c];
		return;
	case LAYER_CONVOLUTION:
	case LAYER_DEPTHWISE:
	case LAYER_MAX_POOL:
	case LAYER_AVERAGE_POOL:
		run_window(l, kernel, bias, in, out);
		return;
	case LAYER_DENSE:
		run_dense(l, kernel, bias, in, out);
		return;
	case LAYER_RELU:
		for (size_t i = 0; i < n_in; i++)
			out[i] = fmax(in[i], 0.0);
		return;
	case LAYER_ADD:
		for (size_t i = 0; i < n_in; i++)
			out[i] = in[i] + maps[l->inputs[1]][image * n_in + i];
		return;
	case LAYER_FLATTEN:
		memcpy(out, in, n_in * sizeof *out);
		return;
	case LAYER_INPUT:
	case LAYER_BATCH_NORM:
		return;
	}
}

int reference_forward(const struct network *network, const double *weights, const double *inputs, size_t n,
		      bool training, double *ret_outputs)
{
	double **maps = calloc(network->n_layers, sizeof *maps);
	int r = maps ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < network->n_layers && !r; i++) {
		const struct layer *l = &network->layers[i];
		const size_t n_out = shape_n_values(l->out);

		maps[i] = malloc(n * n_out * sizeof **maps);
		if (!maps[i]) {
			r = -ENOMEM;
			break;
		}
		if (l->kind == LAYER_INPUT)
			memcpy(maps[i], inputs, n * n_out * sizeof **maps);
		if (l->kind == LAYER_BATCH_NORM)
			run_batch_norm(l, weights, maps[l->inputs[0]], n, training, maps[i]);
		for (size_t image = 0; image < n; image++)
			run_layer(l, weights, maps, image, maps[i] + image * n_out);
		for (size_t k = 0; l->relu && k < n * n_out; k++)
			maps[i][k] = fmax(maps[i][k], 0.0);
	}
	if (!r)
		memcpy(ret_outputs, maps[network->n_layers - 1],
		       n * shape_n_values(network_output(network)) * sizeof *ret_outputs);
	for (uint32_t i = 0; maps && i < network->n_layers; i++)
		free(maps[i]);
	free(maps);
	return r;
}
