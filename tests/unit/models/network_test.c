/* Building, filling, cutting and hashing networks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "models/inference.h"
#include "network_check.h"

/* input -> a (1x1 conv) -> side (relu, read by nobody); a -> norm -> dense */
static struct network *sample(uint64_t seed)
{
	struct network *network;
	struct rng rng = rng_make(seed, 0, RNG_TEST, 0);

	assert_int_equal(network_create((struct shape){3, 4, 2}, NULL, &network), 0);
	network_check_add(network, &(struct layer){.kind = LAYER_CONVOLUTION,
						   .name = "a",
						   .kernel_height = 1,
						   .kernel_width = 1,
						   .n_channels = 500,
						   .has_bias = true});
	network_check_add(network, &(struct layer){.kind = LAYER_RELU, .name = "side", .inputs = {1}});
	network_check_add(network, &(struct layer){.kind = LAYER_BATCH_NORM, .name = "norm", .inputs = {1}});
	network_check_add(network,
			  &(struct layer){.kind = LAYER_DENSE, .name = "dense", .inputs = {3}, .n_channels = 3});
	assert_int_equal(network_complete(network, NULL), 0);
	network_randomize(network, &rng);
	return network;
}

static void weights_have_their_places(void **state)
{
	struct network *network = sample(1);

	(void)state;
	for (uint32_t i = 0; i < network->n_layers; i++) {
		for (uint32_t t = 0; t < network->layers[i].n_tensors; t++) {
			const struct layer_tensor *tensor = &network->layers[i].tensors[t];

			assert_int_equal((uintptr_t)(network->weights + tensor->offset) % 64, 0);
			assert_true(tensor->offset + tensor->n_values <= network->n_weights);
		}
	}
	assert_null(network_tensor(network, 2, "kernel"));
	assert_int_equal(network_find(network, "norm"), 3);
	assert_int_equal(network_find(network, "nothing"), -ENOENT);
	network_destroy(network);
	network_destroy(NULL);
}

static void random_weights_have_he_variance(void **state)
{
	struct network *network = sample(2);
	const float *kernel = network_tensor(network, 1, "kernel");
	double square = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		square += (double)kernel[i] * (double)kernel[i] / 1000;
	assert_true(fabs(square - 1.0) < 0.25); /* 2 / fan-in of 2 */
	assert_true(network_tensor(network, 3, "gamma")[7] == 1.0f);
	assert_true(network_tensor(network, 3, "variance")[7] == 1.0f);
	assert_true(network_tensor(network, 1, "bias")[7] == 0.0f);
	network_destroy(network);
}

static void what_cannot_be_added(void **state)
{
	struct network *network;
	struct error err = {0};
	struct layer layer = {.kind = LAYER_RELU, .name = "r"};

	(void)state;
	assert_int_equal(network_create((struct shape){0, 1, 1}, &err, &network), -EINVAL);
	assert_int_equal(network_create((struct shape){1, 1, 1}, &err, &network), 0);
	layer.inputs[0] = 1;
	assert_int_equal(network_add(network, &layer, &err), -EINVAL);
	assert_non_null(strstr(err.text, "layer r: its input 0 is layer 1"));
	layer.inputs[0] = 0;
	strcpy(layer.name, "input");
	assert_int_equal(network_add(network, &layer, &err), -EINVAL);
	assert_non_null(strstr(err.text, "another layer"));
	strcpy(layer.name, "r");
	layer.n_inputs = 3;
	assert_int_equal(network_add(network, &layer, &err), -EINVAL);
	layer.n_inputs = 0;
	layer.kind = LAYER_INPUT;
	assert_int_equal(network_add(network, &layer, &err), -EINVAL);
	assert_int_equal(network->n_layers, 1);
	layer.kind = LAYER_RELU;
	assert_int_equal(network_add(network, &layer, &err), 1);
	assert_int_equal(network_complete(network, &err), 0);
	strcpy(layer.name, "late");
	assert_int_equal(network_add(network, &layer, &err), -EINVAL);
	assert_non_null(strstr(err.text, "complete"));
	network_destroy(network);
}

static void a_cut_keeps_what_is_needed(void **state)
{
	struct network *network = sample(3), *cut;

	(void)state;
	assert_int_equal(network_cut(network, 4, NULL, &cut), 0);
	assert_int_equal(cut->n_layers, 4); /* without "side" */
	assert_string_equal(cut->layers[3].name, "dense");
	assert_int_equal(cut->layers[3].inputs[0], 2);
	assert_memory_equal(network_tensor(cut, 3, "kernel"), network_tensor(network, 4, "kernel"),
			    network->layers[4].tensors[0].n_values * sizeof(float));
	network_destroy(cut);
	assert_int_equal(network_cut(network, 1, NULL, &cut), 0);
	assert_int_equal(network_output(cut).channels, 500);
	network_destroy(cut);
	network_destroy(network);
}

static void hash_sees_graph_and_weights_not_names(void **state)
{
	struct network *a = sample(4), *b = sample(4);
	struct hash first, second;

	(void)state;
	network_hash(a, &first);
	strcpy(b->layers[4].name, "another");
	network_hash(b, &second);
	assert_true(hash_equal(&first, &second));
	network_tensor(b, 4, "kernel")[17] += 1e-6f;
	network_hash(b, &second);
	assert_false(hash_equal(&first, &second));
	network_tensor(b, 4, "kernel")[17] = network_tensor(a, 4, "kernel")[17];
	b->layers[3].epsilon *= 2;
	network_hash(b, &second);
	assert_false(hash_equal(&first, &second));
	network_destroy(b);
	network_destroy(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(weights_have_their_places),
		cmocka_unit_test(random_weights_have_he_variance),
		cmocka_unit_test(what_cannot_be_added),
		cmocka_unit_test(a_cut_keeps_what_is_needed),
		cmocka_unit_test(hash_sees_graph_and_weights_not_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
