/* One switch for each direction hands the layer to its kernel. Nothing fails: shapes were checked when the layer was
 * added. */
#include "models/layer_pass.h"

#include <string.h>

#include "models/batch_norm.h"
#include "models/convolution.h"
#include "models/depthwise.h"
#include "models/gemm.h"
#include "models/pooling.h"
#include "models/tensor.h"

static const float *tensor_of(const struct layer *layer, const float *weights, uint32_t i)
{
	return i < layer->n_tensors ? weights + layer->tensors[i].offset : NULL;
}

size_t layer_pass_scratch(const struct layer *layer)
{
	if (layer->kind == LAYER_CONVOLUTION)
		return convolution_scratch(&layer->window);
	if (layer->kind == LAYER_DEPTHWISE)
		return depthwise_scratch(&layer->window);
	if (layer->kind == LAYER_BATCH_NORM)
		return 2 * tensor_aligned(layer->out.channels);
	return 0;
}

static void center(const float *in, size_t n_rows, size_t c, const float *mean, float *ret_out)
{
	for (size_t row = 0; row < n_rows; row++) {
		for (size_t i = 0; i < c; i++)
			ret_out[row * c + i] = in[row * c + i] - mean[i];
	}
}

/* Scale and shift of a batch norm with its moving statistics, into scratch. */
static void moving_coefficients(const struct layer *layer, const float *weights, float *scratch,
				const float **ret_scale, const float **ret_shift)
{
	float *shift = scratch + tensor_aligned(layer->out.channels);

	batch_norm_coefficients(layer->out.channels, tensor_of(layer, weights, 0), tensor_of(layer, weights, 1),
				tensor_of(layer, weights, 2), tensor_of(layer, weights, 3), layer->epsilon, scratch,
				shift);
	*ret_scale = scratch;
	*ret_shift = shift;
}

void layer_pass_forward(const struct layer *layer, const float *weights, const float *const in[], float *scratch,
			float *ret_out)
{
	const float *kernel = tensor_of(layer, weights, 0), *bias = tensor_of(layer, weights, 1);
	const size_t n_in = shape_n_values(layer->in), n_out = shape_n_values(layer->out), c = layer->out.channels;
	const float *scale, *shift;

	switch (layer->kind) {
	case LAYER_INPUT:
		return;
	case LAYER_CENTER:
		center(in[0], n_in / c, c, kernel, ret_out);
		return;
	case LAYER_CONVOLUTION:
		convolution_forward(&layer->window, kernel, bias, layer->relu, in[0], scratch, ret_out);
		return;
	case LAYER_DEPTHWISE:
		depthwise_forward(&layer->window, kernel, bias, layer->relu, in[0], scratch, ret_out);
		return;
	case LAYER_BATCH_NORM:
		moving_coefficients(layer, weights, scratch, &scale, &shift);
		batch_norm_apply(in[0], n_in / c, c, scale, shift, layer->relu, ret_out);
		return;
	case LAYER_RELU:
		tensor_relu(in[0], n_in, ret_out);
		return;
	case LAYER_ADD:
		tensor_sum(in[0], in[1], n_in, layer->relu, ret_out);
		return;
	case LAYER_MAX_POOL:
		pooling_max_forward(&layer->window, in[0], ret_out);
		return;
	case LAYER_AVERAGE_POOL:
		pooling_average_forward(&layer->window, in[0], ret_out);
		return;
	case LAYER_FLATTEN:
		memcpy(ret_out, in[0], n_in * sizeof *ret_out);
		return;
	case LAYER_DENSE:
		gemm_gemv_f32(GEMM_TRANSPOSED, n_in, n_out, 1.0f, kernel, n_out, in[0], 0.0f, ret_out);
		tensor_add_bias(ret_out, 1, n_out, bias, layer->relu);
		return;
	}
}

static void scale_gradient(const float *out_gradient, size_t n_rows, size_t c, const float *scale, float *in_gradient)
{
	for (size_t row = 0; row < n_rows; row++) {
		for (size_t i = 0; i < c; i++)
			in_gradient[row * c + i] += out_gradient[row * c + i] * scale[i];
	}
}

void layer_pass_input_gradient(const struct layer *layer, const float *weights, const float *const in[],
			       const float *out_gradient, float *scratch, float *const in_gradients[])
{
	const float *kernel = tensor_of(layer, weights, 0);
	const size_t n_in = shape_n_values(layer->in), n_out = shape_n_values(layer->out), c = layer->out.channels;
	const float *scale, *shift;

	if (layer->kind == LAYER_ADD && in_gradients[1])
		tensor_add(in_gradients[1], out_gradient, n_in);
	if (layer->kind == LAYER_INPUT || !in_gradients[0])
		return;
	switch (layer->kind) {
	case LAYER_INPUT:
		return;
	case LAYER_CENTER:
	case LAYER_ADD:
	case LAYER_FLATTEN:
		tensor_add(in_gradients[0], out_gradient, n_in);
		return;
	case LAYER_CONVOLUTION:
		convolution_input_gradient(&layer->window, kernel, out_gradient, scratch, in_gradients[0]);
		return;
	case LAYER_DEPTHWISE:
		depthwise_input_gradient(&layer->window, kernel, out_gradient, in_gradients[0]);
		return;
	case LAYER_BATCH_NORM:
		moving_coefficients(layer, weights, scratch, &scale, &shift);
		scale_gradient(out_gradient, n_in / c, c, scale, in_gradients[0]);
		return;
	case LAYER_RELU:
		/* The input's sign is the output's: no need for the output. */
		for (size_t i = 0; i < n_in; i++)
			in_gradients[0][i] += in[0][i] > 0.0f ? out_gradient[i] : 0.0f;
		return;
	case LAYER_MAX_POOL:
		pooling_max_gradient(&layer->window, in[0], out_gradient, in_gradients[0]);
		return;
	case LAYER_AVERAGE_POOL:
		pooling_average_gradient(&layer->window, out_gradient, in_gradients[0]);
		return;
	case LAYER_DENSE:
		gemm_gemv_f32(GEMM_PLAIN, n_in, n_out, 1.0f, kernel, n_out, out_gradient, 1.0f, in_gradients[0]);
		return;
	}
}

void layer_pass_weight_gradient(const struct layer *layer, const float *const in[], const float *out_gradient,
				float *scratch, float *gradients)
{
	const size_t n_in = shape_n_values(layer->in), n_out = shape_n_values(layer->out);

	if (!layer->n_tensors)
		return;
	float *kernel = gradients;
	float *bias = layer->has_bias ? gradients + layer->tensors[1].offset - layer->tensors[0].offset : NULL;

	switch (layer->kind) {
	case LAYER_CONVOLUTION:
		convolution_weight_gradient(&layer->window, in[0], out_gradient, scratch, kernel, bias);
		return;
	case LAYER_DEPTHWISE:
		depthwise_weight_gradient(&layer->window, in[0], out_gradient, kernel, bias);
		return;
	case LAYER_DENSE:
		gemm_f32(GEMM_PLAIN, GEMM_PLAIN, n_in, n_out, 1, 1.0f, in[0], 1, out_gradient, n_out, 1.0f, kernel,
			 n_out);
		if (bias)
			tensor_add(bias, out_gradient, n_out);
		return;
	case LAYER_INPUT:
	case LAYER_CENTER:
	case LAYER_BATCH_NORM:
	case LAYER_RELU:
	case LAYER_ADD:
	case LAYER_MAX_POOL:
	case LAYER_AVERAGE_POOL:
	case LAYER_FLATTEN:
		return;
	}
}

void layer_pass_undo_relu(const struct layer *layer, const float *out, float *out_gradient)
{
	if (layer->relu)
		tensor_relu_gradient(out, shape_n_values(layer->out), out_gradient);
}
