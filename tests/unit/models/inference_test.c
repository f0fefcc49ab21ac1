/* The same image gives the same bits: any batch, any place in it, any number of threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "models/inference.h"
#include "network_check.h"

enum { N = 13 };

/* Odd sizes, a branch, several blocks in the first convolution, a dense end. */
static struct network *sample(void)
{
	struct network *network;
	struct rng rng = rng_make(5, 0, RNG_TEST, 0);
	struct layer conv = {
		.kind = LAYER_CONVOLUTION, .name = "c", .kernel_height = 5, .kernel_width = 5, .n_channels = 7};
	struct layer depth = {
		.kind = LAYER_DEPTHWISE, .name = "d", .kernel_height = 3, .kernel_width = 3, .inputs = {1}};

	conv.padding = depth.padding = WINDOW_SAME;
	assert_int_equal(network_create((struct shape){33, 31, 3}, NULL, &network), 0);
	network_check_add(network, &conv);
	network_check_add(network, &depth);
	network_check_add(network, &(struct layer){.kind = LAYER_ADD, .name = "a", .n_inputs = 2, .inputs = {1, 2}});
	network_check_add(network, &(struct layer){.kind = LAYER_BATCH_NORM, .name = "n", .inputs = {3}, .relu = true});
	network_check_add(network, &(struct layer){.kind = LAYER_DENSE, .name = "o", .inputs = {4}, .n_channels = 5});
	assert_int_equal(network_complete(network, NULL), 0);
	network_randomize(network, &rng);
	return network;
}

static void square(void *ctx, size_t i, unsigned thread, const float *outputs, float *ret_cotangent)
{
	(void)ctx;
	(void)i;
	(void)thread;
	for (int k = 0; k < 5; k++)
		ret_cotangent[k] = 2 * outputs[k];
}

static void same_bits(void **state)
{
	struct network *network = sample();
	const size_t n_in = shape_n_values(network_input(network));
	struct rng rng = rng_make(6, 0, RNG_TEST, 0);
	float *inputs = calloc(N * n_in, sizeof *inputs), outputs[N * 5], other[N * 5];
	float *gradients = calloc(N * n_in, sizeof *gradients), *others = calloc(N * n_in, sizeof *others);
	struct inference *inference;

	(void)state;
	assert_true(inputs && gradients && others);
	rng_fill_normal(&rng, 0, N * n_in, inputs);
	assert_int_equal(inference_create(network, NULL, &inference), 0);
	network_destroy(network); /* a copy was taken */
	assert_int_equal(inference_forward(inference, NULL, inputs, N, NULL, outputs), 0);
	assert_int_equal(inference_gradient(inference, NULL, inputs, N, square, NULL, NULL, gradients), 0);
	for (unsigned n_threads = 1; n_threads <= 4; n_threads++) {
		struct thread_pool *pool;

		assert_int_equal(thread_pool_create(n_threads, NULL, &pool), 0);
		assert_int_equal(inference_forward(inference, pool, inputs, N, NULL, other), 0);
		assert_memory_equal(other, outputs, sizeof outputs);
		assert_int_equal(inference_gradient(inference, pool, inputs, N, square, NULL, NULL, others), 0);
		assert_memory_equal(others, gradients, N * n_in * sizeof *others);
		thread_pool_destroy(pool);
	}
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(inference_forward(inference, NULL, inputs + i * n_in, 1, NULL, other), 0);
		assert_memory_equal(other, outputs + i * 5, 5 * sizeof *other);
		assert_int_equal(inference_gradient(inference, NULL, inputs + i * n_in, 1, square, NULL, NULL, others),
				 0);
		assert_memory_equal(others, gradients + i * n_in, n_in * sizeof *others);
	}
	inference_destroy(inference);
	inference_destroy(NULL);
	free(others);
	free(gradients);
	free(inputs);
}

static void no_images_is_no_work(void **state)
{
	struct network *network = sample();
	struct inference *inference;

	(void)state;
	assert_int_equal(inference_create(network, NULL, &inference), 0);
	assert_int_equal(inference_forward(inference, NULL, NULL, 0, NULL, NULL), 0);
	inference_destroy(inference);
	network_destroy(network);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_bits),
		cmocka_unit_test(no_images_is_no_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
