/* A layer on one image: forward, and the gradients of its input and its weights.
 *
 * `weights` is the whole network's array. Batch norm here uses its moving statistics; training.c has its own for
 * minibatches. `scratch` has layer_pass_scratch() floats. Thread: any. */
#ifndef EVOKED_MODELS_LAYER_PASS_H
#define EVOKED_MODELS_LAYER_PASS_H

#include "models/layer.h"

size_t layer_pass_scratch(const struct layer *layer);

/* in[k]: the map of input k. */
void layer_pass_forward(const struct layer *layer, const float *weights, const float *const in[], float *scratch,
			float *ret_out);

/* Adds to in_gradients[k] (those not NULL). out_gradient is after layer_pass_undo_relu(). */
void layer_pass_input_gradient(const struct layer *layer, const float *weights, const float *const in[],
			       const float *out_gradient, float *scratch, float *const in_gradients[]);

/* Adds to gradients, laid out as the layer's own part of the weights: its first tensor is at 0. Kinds without trainable
 * tensors add nothing; batch norm is not for this function. */
void layer_pass_weight_gradient(const struct layer *layer, const float *const in[], const float *out_gradient,
				float *scratch, float *gradients);

/* Takes the gradient back through the layer's own relu, in place. */
void layer_pass_undo_relu(const struct layer *layer, const float *out, float *out_gradient);

#endif
