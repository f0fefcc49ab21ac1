/* The measure of the other tests, itself against sums done by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "models/reference.h"
#include "network_check.h"

static void run(struct layer layer, struct shape in, const double *weights, const double *inputs, size_t n,
		bool training, double *ret_outputs)
{
	struct network *network = network_check_one_layer(in, &layer);
	double places[512] = {0};

	assert_true(network->n_weights <= 512);
	for (uint32_t t = 0; t < network->layers[1].n_tensors; t++) {
		const struct layer_tensor *tensor = &network->layers[1].tensors[t];

		memcpy(places + tensor->offset, weights, tensor->n_values * sizeof *weights);
		weights += tensor->n_values;
	}
	assert_int_equal(reference_forward(network, places, inputs, n, training, ret_outputs), 0);
	network_destroy(network);
}

/* 3 x 3 kernel of ones, "same", stride 2 on 4 x 4: windows begin at 0 (TensorFlow puts the zero after). */
static void same_padding_puts_the_odd_zero_after(void **state)
{
	const double ones[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
	const double inputs[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
	double outputs[4];

	(void)state;
	for (int depthwise = 0; depthwise < 2; depthwise++) {
		run((struct layer){.kind = depthwise ? LAYER_DEPTHWISE : LAYER_CONVOLUTION,
				   .name = "c",
				   .kernel_height = 3,
				   .kernel_width = 3,
				   .stride_height = 2,
				   .padding = WINDOW_SAME,
				   .n_channels = !depthwise},
		    (struct shape){4, 4, 1}, ones, inputs, 1, false, outputs);
		assert_true(outputs[0] == 1 + 2 + 3 + 5 + 6 + 7 + 9 + 10 + 11);
		assert_true(outputs[1] == 3 + 4 + 7 + 8 + 11 + 12);
		assert_true(outputs[3] == 11 + 12 + 15 + 16);
	}
}

static void dense_with_bias_and_relu(void **state)
{
	const double weights[6] = {1, -1, 2, -2, 10, 1}, inputs[2] = {3, 4};
	double outputs[2];

	(void)state;
	run((struct layer){.kind = LAYER_DENSE, .name = "d", .n_channels = 2, .has_bias = true, .relu = true},
	    (struct shape){1, 1, 2}, weights, inputs, 1, false, outputs);
	assert_true(outputs[0] == 3 + 8 + 10);
	assert_true(outputs[1] == 0);
}

static void batch_norm_by_either_statistics(void **state)
{
	const double weights[4] = {2, 1, 4, 8.75}, inputs[2] = {1, 5}; /* gamma, beta, mean, variance */
	double outputs[2];
	const struct layer norm = {.kind = LAYER_BATCH_NORM, .name = "n", .epsilon = 0.25f};

	(void)state;
	run(norm, (struct shape){1, 1, 1}, weights, inputs, 2, false, outputs);
	assert_true(fabs(outputs[0] - (2 * (1 - 4) / 3.0 + 1)) < 1e-12);
	run(norm, (struct shape){1, 1, 1}, weights, inputs, 2, true, outputs);
	assert_true(fabs(outputs[1] - (2 * (5 - 3) / sqrt(4.25) + 1)) < 1e-12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_padding_puts_the_odd_zero_after),
		cmocka_unit_test(dense_with_bias_and_relu),
		cmocka_unit_test(batch_norm_by_either_statistics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
