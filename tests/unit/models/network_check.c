/* Differences are central, of the double-precision reference, along single weights and inputs (all of a small tensor, a
 * seeded sample of a large one): far more exact than the float32 gradients that they check. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/inference.h"
#include "models/reference.h"
#include "models/training.h"
#include "network_check.h"

enum { SAMPLES = 12 };
#define STEP	  1e-5
#define TOLERANCE 2e-4

struct check {
	struct network *network;
	const char *name;
	size_t n, n_in, n_out;
	struct rng rng;
	float *inputs, *cotangents; /* [n, n_in], [n, n_out]: the objective is their product with the outputs */
	double *weights64, *inputs64, *outputs64;
};

struct network *network_check_one_layer(struct shape input, const struct layer *layer)
{
	struct network *network;

	assert_int_equal(network_create(input, NULL, &network), 0);
	network_check_add(network, layer);
	assert_int_equal(network_complete(network, NULL), 0);
	return network;
}

uint32_t network_check_add(struct network *network, const struct layer *layer)
{
	struct error err = {0};
	int number = network_add(network, layer, &err);

	if (number < 0)
		fail_msg("%s", err.text);
	return (uint32_t)number;
}

static void *allocate(size_t n, size_t size)
{
	void *values = calloc(n + 1, size);

	assert_non_null(values);
	return values;
}

static void fill_weights(struct network *network, const struct rng *rng)
{
	for (uint32_t i = 0; i < network->n_layers; i++) {
		for (uint32_t t = 0; t < network->layers[i].n_tensors; t++) {
			const struct layer_tensor *tensor = &network->layers[i].tensors[t];
			float *values = network->weights + tensor->offset;

			rng_fill_normal(rng, tensor->offset, tensor->n_values, values);
			for (size_t k = 0; k < tensor->n_values && !strcmp(tensor->role, "variance"); k++)
				values[k] = 0.5f + fabsf(values[k]);
		}
	}
}

static void to_double(const float *from, size_t n, double *to)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (double)from[i];
}

static double objective(struct check *check, bool training)
{
	double sum = 0;

	assert_int_equal(reference_forward(check->network, check->weights64, check->inputs64, check->n, training,
					   check->outputs64),
			 0);
	for (size_t i = 0; i < check->n * check->n_out; i++)
		sum += check->outputs64[i] * (double)check->cotangents[i];
	return sum;
}

static void compare_outputs(struct check *check, const float *outputs, const char *what)
{
	double scale = 1;

	for (size_t i = 0; i < check->n * check->n_out; i++)
		scale = fmax(scale, fabs(check->outputs64[i]));
	for (size_t i = 0; i < check->n * check->n_out; i++) {
		if (!(fabs((double)outputs[i] - check->outputs64[i]) < 1e-5 * scale))
			fail_msg("%s: %s %zu is %g, the reference %g", check->name, what, i, (double)outputs[i],
				 check->outputs64[i]);
	}
}

/* Checks SAMPLES of n derivatives with respect to `values`, spread by the seed. */
static void compare_gradient(struct check *check, bool training, double *values, const float *gradient, size_t n,
			     const char *what)
{
	double scale = 1;

	for (size_t i = 0; i < n; i++)
		scale = fmax(scale, fabs((double)gradient[i]));
	for (size_t s = 0; s < n && s < SAMPLES; s++) {
		size_t i = n <= SAMPLES ? s : rng_below(&check->rng, 1000 + s, (uint32_t)n);
		double value = values[i];

		values[i] = value + STEP;
		double above = objective(check, training);
		values[i] = value - STEP;
		double below = objective(check, training);
		values[i] = value;
		double expected = (above - below) / (2 * STEP);
		if (!(fabs((double)gradient[i] - expected) < TOLERANCE * scale))
			fail_msg("%s: derivative with respect to %s %zu is %g, finite differences give %g", check->name,
				 what, i, (double)gradient[i], expected);
	}
}

static void give_cotangent(void *ctx, size_t i, unsigned thread, const float *outputs, float *ret_cotangent)
{
	const struct check *check = ctx;

	(void)thread;
	(void)outputs;
	memcpy(ret_cotangent, check->cotangents + i * check->n_out, check->n_out * sizeof *ret_cotangent);
}

static void check_inference(struct check *check)
{
	float *outputs = allocate(check->n * check->n_out, sizeof *outputs);
	float *gradients = allocate(check->n * check->n_in, sizeof *gradients);
	struct inference *inference;

	assert_int_equal(inference_create(check->network, NULL, &inference), 0);
	assert_int_equal(inference_forward(inference, NULL, check->inputs, check->n, NULL, outputs), 0);
	objective(check, false);
	compare_outputs(check, outputs, "inference output");
	assert_int_equal(
		inference_gradient(inference, NULL, check->inputs, check->n, give_cotangent, check, NULL, gradients),
		0);
	compare_gradient(check, false, check->inputs64, gradients, check->n * check->n_in, "inference input");
	inference_destroy(inference);
	free(gradients);
	free(outputs);
}

static void check_training(struct check *check)
{
	struct network *network = check->network;
	float *outputs = allocate(check->n * check->n_out, sizeof *outputs);
	float *input_gradients = allocate(check->n * check->n_in, sizeof *input_gradients);
	float *gradients = allocate(network->n_weights, sizeof *gradients);
	float *again = allocate(network->n_weights, sizeof *again);
	struct training *training;

	assert_int_equal(training_create(network, check->n, NULL, &training), 0);
	training_forward(training, NULL, check->inputs, check->n, outputs);
	objective(check, true);
	compare_outputs(check, outputs, "training output");
	training_backward(training, NULL, check->cotangents, gradients, input_gradients);
	compare_gradient(check, true, check->inputs64, input_gradients, check->n * check->n_in, "input");
	for (uint32_t i = 0; i < network->n_layers; i++) {
		for (uint32_t t = 0; t < network->layers[i].n_tensors; t++) {
			const struct layer_tensor *tensor = &network->layers[i].tensors[t];

			if (tensor->trainable)
				compare_gradient(check, true, check->weights64 + tensor->offset,
						 gradients + tensor->offset, tensor->n_values, tensor->role);
		}
	}
	training_backward(training, NULL, check->cotangents, again, NULL);
	assert_memory_equal(gradients, again, network->n_weights * sizeof *gradients);
	training_destroy(training);
	free(again);
	free(gradients);
	free(input_gradients);
	free(outputs);
}

void network_check(struct network *network, size_t n, uint64_t seed, const char *name)
{
	struct check check = {
		.network = network,
		.name = name,
		.n = n,
		.n_in = shape_n_values(network_input(network)),
		.n_out = shape_n_values(network_output(network)),
		.rng = rng_make(seed, 0, RNG_TEST, 1),
	};
	struct rng weights = rng_make(seed, 0, RNG_TEST, 2);

	fill_weights(network, &weights);
	check.inputs = allocate(n * check.n_in, sizeof *check.inputs);
	check.cotangents = allocate(n * check.n_out, sizeof *check.cotangents);
	check.weights64 = allocate(network->n_weights, sizeof *check.weights64);
	check.inputs64 = allocate(n * check.n_in, sizeof *check.inputs64);
	check.outputs64 = allocate(n * check.n_out, sizeof *check.outputs64);
	rng_fill_normal(&check.rng, 1 << 20, n * check.n_in, check.inputs);
	rng_fill_normal(&check.rng, 1 << 30, n * check.n_out, check.cotangents);
	to_double(check.inputs, n * check.n_in, check.inputs64);
	to_double(network->weights, network->n_weights, check.weights64);
	check_inference(&check);
	check_training(&check);
	free(check.outputs64);
	free(check.inputs64);
	free(check.weights64);
	free(check.cotangents);
	free(check.inputs);
}
