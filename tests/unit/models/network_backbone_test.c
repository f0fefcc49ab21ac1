/* Cuts before a readout, features and their gradients, and the hash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "models/inference.h"
#include "models/network_backbone.h"
#include "network_check.h"

static const struct layer conv = {.kind = LAYER_CONVOLUTION,
				  .name = "core",
				  .kernel_height = 3,
				  .kernel_width = 3,
				  .n_channels = 5,
				  .relu = true};

static struct network *begin(void)
{
	struct network *network;

	assert_int_equal(network_create((struct shape){7, 6, 3}, NULL, &network), 0);
	network_check_add(network, &conv);
	return network;
}

/* As the published cores end: a 1x1 convolution to a map a unit, a pool over the whole map, flatten. */
static struct network *core(uint64_t seed)
{
	struct network *network = begin();
	struct rng rng = rng_make(seed, 0, RNG_TEST, 0);
	const struct layer mix = {.kind = LAYER_CONVOLUTION,
				  .name = "mix",
				  .inputs = {1},
				  .kernel_height = 1,
				  .kernel_width = 1,
				  .n_channels = 9};
	const struct layer pool = {
		.kind = LAYER_DEPTHWISE, .name = "pool", .inputs = {2}, .kernel_height = 5, .kernel_width = 4};

	network_check_add(network, &mix);
	network_check_add(network, &pool);
	network_check_add(network, &(struct layer){.kind = LAYER_FLATTEN, .name = "flat", .inputs = {3}});
	assert_int_equal(network_complete(network, NULL), 0);
	network_randomize(network, &rng);
	return network;
}

static void cut_before_a_factorized_readout(void **state)
{
	struct network *network = core(1);
	uint32_t cut;

	(void)state;
	assert_int_equal(network_backbone_find_cut(network, NULL, &cut), 0);
	assert_string_equal(network->layers[cut].name, "core");
	network_destroy(network);
}

static void cut_before_a_dense_readout(void **state)
{
	struct network *network = begin();
	uint32_t cut;

	(void)state;
	network_check_add(network, &(struct layer){.kind = LAYER_FLATTEN, .name = "flat", .inputs = {1}});
	network_check_add(network,
			  &(struct layer){.kind = LAYER_DENSE, .name = "dense", .inputs = {2}, .n_channels = 1});
	assert_int_equal(network_complete(network, NULL), 0);
	assert_int_equal(network_backbone_find_cut(network, NULL, &cut), 0);
	assert_string_equal(network->layers[cut].name, "core");
	network_destroy(network);
}

static void no_readout_to_cut(void **state)
{
	struct network *network = begin();
	struct error err = {0};
	uint32_t cut = 77;

	(void)state;
	assert_int_equal(network_complete(network, NULL), 0);
	assert_int_equal(network_backbone_find_cut(network, &err, &cut), -EINVAL);
	assert_int_equal(cut, 77);
	network_destroy(network);
}

static void ones(void *ctx, size_t i, unsigned thread, const float *features, float *ret_cotangent)
{
	(void)ctx;
	(void)i;
	(void)thread;
	for (int k = 0; k < 5 * 4 * 5; k++)
		ret_cotangent[k] = features[k] > 0 ? 1 : 0;
}

static void features_and_gradient(void **state)
{
	enum { N = 3, N_IN = 7 * 6 * 3, N_FEATURES = 5 * 4 * 5 };
	struct network *network = core(2), *cut;
	struct backbone *backbone;
	struct inference *inference;
	struct rng rng = rng_make(3, 0, RNG_TEST, 0);
	float images[N * N_IN], features[N * N_FEATURES], expected[N * N_FEATURES];
	float gradients[N * N_IN], expected_gradients[N * N_IN];

	(void)state;
	rng_fill_normal(&rng, 0, N * N_IN, images);
	assert_int_equal(network_backbone_create(network, 1, NULL, &backbone), 0);
	assert_int_equal(backbone->map_height, 5);
	assert_int_equal(backbone->map_width, 4);
	assert_int_equal(backbone->n_channels, 5);
	assert_int_equal(backbone_n_features(backbone), N_FEATURES);
	assert_int_equal(network_cut(network, 1, NULL, &cut), 0);
	assert_int_equal(inference_create(cut, NULL, &inference), 0);
	assert_int_equal(backbone->ops->features(backbone, NULL, images, N, NULL, features), 0);
	assert_int_equal(inference_forward(inference, NULL, images, N, NULL, expected), 0);
	assert_memory_equal(features, expected, sizeof features);
	assert_int_equal(backbone->ops->gradient(backbone, NULL, images, N, ones, NULL, NULL, gradients), 0);
	assert_int_equal(inference_gradient(inference, NULL, images, N, ones, NULL, NULL, expected_gradients), 0);
	assert_memory_equal(gradients, expected_gradients, sizeof gradients);
	inference_destroy(inference);
	network_destroy(cut);
	backbone_destroy(backbone);
	network_destroy(network);
}

/* The readout does not belong to the backbone; the core's weights do. */
static void hash_is_of_the_part_that_is_used(void **state)
{
	struct network *a = core(4), *b = core(4);
	struct backbone *first, *second;

	(void)state;
	network_tensor(b, 2, "kernel")[0] += 1;
	assert_int_equal(network_backbone_create(a, 1, NULL, &first), 0);
	assert_int_equal(network_backbone_create(b, 1, NULL, &second), 0);
	assert_true(hash_equal(&first->hash, &second->hash));
	backbone_destroy(second);
	network_tensor(b, 1, "kernel")[0] += 1;
	assert_int_equal(network_backbone_create(b, 1, NULL, &second), 0);
	assert_false(hash_equal(&first->hash, &second->hash));
	backbone_destroy(second);
	backbone_destroy(first);
	network_destroy(b);
	network_destroy(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_before_a_factorized_readout),
		cmocka_unit_test(cut_before_a_dense_readout),
		cmocka_unit_test(no_readout_to_cut),
		cmocka_unit_test(features_and_gradient),
		cmocka_unit_test(hash_is_of_the_part_that_is_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
