/* A network through its file and back; and graphs that are wrong, naming layer and field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/graph.h"
#include "network_check.h"

/* One layer of every kind. */
static struct network *every_kind(void)
{
	struct network *network;
	struct rng rng = rng_make(1, 0, RNG_TEST, 0);

	assert_int_equal(network_create((struct shape){9, 11, 3}, NULL, &network), 0);
	network_check_add(network, &(struct layer){.kind = LAYER_CENTER, .name = "center"});
	network_check_add(network, &(struct layer){.kind = LAYER_CONVOLUTION,
						   .name = "conv",
						   .inputs = {1},
						   .kernel_height = 3,
						   .kernel_width = 5,
						   .stride_height = 1,
						   .stride_width = 2,
						   .padding = WINDOW_SAME,
						   .groups = 3,
						   .n_channels = 6,
						   .has_bias = true});
	network_check_add(network, &(struct layer){.kind = LAYER_BATCH_NORM,
						   .name = "norm",
						   .inputs = {2},
						   .relu = true,
						   .epsilon = 0.01f,
						   .momentum = 0.9f});
	network_check_add(network, &(struct layer){.kind = LAYER_DEPTHWISE,
						   .name = "depth",
						   .inputs = {3},
						   .kernel_height = 3,
						   .kernel_width = 3,
						   .padding = WINDOW_SAME});
	network_check_add(network, &(struct layer){.kind = LAYER_ADD, .name = "add", .n_inputs = 2, .inputs = {3, 4}});
	network_check_add(network, &(struct layer){.kind = LAYER_MAX_POOL,
						   .name = "max",
						   .inputs = {5},
						   .kernel_height = 2,
						   .kernel_width = 2,
						   .stride_height = 2});
	network_check_add(network, &(struct layer){.kind = LAYER_AVERAGE_POOL,
						   .name = "average",
						   .inputs = {6},
						   .kernel_height = 2,
						   .kernel_width = 2});
	network_check_add(network, &(struct layer){.kind = LAYER_RELU, .name = "relu", .inputs = {7}});
	network_check_add(network, &(struct layer){.kind = LAYER_FLATTEN, .name = "flat", .inputs = {8}});
	network_check_add(network, &(struct layer){.kind = LAYER_DENSE,
						   .name = "dense",
						   .inputs = {9},
						   .n_channels = 2,
						   .has_bias = true,
						   .relu = true});
	assert_int_equal(network_complete(network, NULL), 0);
	network_randomize(network, &rng);
	return network;
}

static void there_and_back(void **state)
{
	struct network *network = every_kind(), *back;
	struct safetensors *file;
	struct error err = {0};
	struct hash before, after;
	void *data;
	size_t size;

	(void)state;
	assert_int_equal(graph_encode(network, &err, &data, &size), 0);
	assert_int_equal(safetensors_decode(data, size, &err, &file), 0);
	if (graph_decode(file, &err, &back))
		fail_msg("%s", err.text);
	network_hash(network, &before);
	network_hash(back, &after);
	assert_true(hash_equal(&before, &after));
	for (uint32_t i = 0; i < network->n_layers; i++) {
		assert_string_equal(back->layers[i].name, network->layers[i].name);
		assert_true(back->layers[i].momentum == network->layers[i].momentum);
	}
	network_destroy(back);
	safetensors_destroy(file);
	free(data);
	network_destroy(network);
}

/* A file of one dense layer on 1 x 1 x 2, with the given text as its graph. */
static struct safetensors *file_with(const char *graph)
{
	static const float kernel[2] = {1, 2};
	const struct safetensors_tensor tensor = {
		.name = "d/kernel", .type = SAFETENSORS_F32, .n_dims = 2, .dims = {2, 1}, .data = kernel};
	const struct safetensors_metadata metadata = {GRAPH_METADATA_KEY, graph};
	static void *data; /* lives until the next call: the file borrows it */
	struct safetensors *file;
	size_t size;

	free(data);
	data = NULL;
	if (!graph)
		return NULL;
	assert_int_equal(safetensors_encode(&tensor, 1, &metadata, 1, NULL, &data, &size), 0);
	assert_int_equal(safetensors_decode(data, size, NULL, &file), 0);
	return file;
}

static void refuse(const char *graph, int code, const char *part)
{
	struct safetensors *file = file_with(graph);
	struct network *network = NULL;
	struct error err = {0};

	assert_int_equal(graph_decode(file, &err, &network), code);
	if (!strstr(err.text, part))
		fail_msg("'%s' is not named in: %s", part, err.text);
	assert_null(network);
	safetensors_destroy(file);
	file_with(NULL);
}

#define HEAD "{\"version\":1,\"input\":[1,1,2],\"layers\":["
#define D    "{\"name\":\"d\",\"kind\":\"dense\",\"inputs\":[\"input\"],\"channels\":1}"

static void good_by_hand(void **state)
{
	struct safetensors *file = file_with(HEAD D "]}");
	struct network *network;

	(void)state;
	assert_int_equal(graph_decode(file, NULL, &network), 0);
	assert_true(network_tensor(network, 1, "kernel")[1] == 2.0f);
	assert_false(network->layers[1].has_bias);
	network_destroy(network);
	safetensors_destroy(file);
	file_with(NULL);
}

static void wrong_graphs(void **state)
{
	(void)state;
	refuse("{", -EINVAL, "column");
	refuse("{\"version\":2}", -EINVAL, "version is 2");
	refuse("{\"version\":\"1\"}", -EINVAL, "version");
	refuse("{\"version\":1,\"input\":[1,2],\"layers\":[]}", -EINVAL, "input");
	refuse("{\"version\":1,\"input\":[1,1,0],\"layers\":[]}", -EINVAL, "input[2]");
	refuse("{\"version\":1,\"input\":[1,1,2],\"layers\":{}}", -EINVAL, "layers");
	refuse(HEAD "7]}", -EINVAL, "layers[0].name");
	refuse(HEAD "{\"name\":\"d\",\"kind\":\"magic\",\"inputs\":[\"input\"]}]}", -EINVAL, "layer d: kind is magic");
	refuse(HEAD "{\"name\":\"d\",\"kind\":\"dense\",\"inputs\":[\"d\"],\"channels\":1}]}", -EINVAL,
	       "layer d: inputs[0] (d)");
	refuse(HEAD "{\"name\":\"d\",\"kind\":\"dense\",\"inputs\":[],\"channels\":1}]}", -EINVAL, "layer d: inputs");
	refuse(HEAD "{\"name\":\"d\",\"kind\":\"dense\",\"inputs\":[\"input\"],\"channels\":-1}]}", -EINVAL,
	       "layer d: channels");
	refuse(HEAD "{\"name\":\"d\",\"kind\":\"dense\",\"inputs\":[\"input\"],\"channels\":1,\"bias\":1}]}", -EINVAL,
	       "layer d: bias");
	refuse(HEAD
	       "{\"name\":\"d\",\"kind\":\"convolution\",\"inputs\":[\"input\"],\"channels\":1,\"kernel\":[0,1]}]}",
	       -EINVAL, "layer d: kernel[0]");
	refuse(HEAD "{\"name\":\"d\",\"kind\":\"convolution\",\"inputs\":[\"input\"],\"channels\":1,\"kernel\":[1,1],"
		    "\"padding\":\"odd\"}]}",
	       -EINVAL, "layer d: padding");
	refuse(HEAD "{\"name\":\"d\",\"kind\":\"batch_norm\",\"inputs\":[\"input\"],\"epsilon\":\"x\"}]}", -EINVAL,
	       "layer d: epsilon");
	refuse(HEAD D "," D "]}", -EINVAL, "another layer");
}

static void tensors_that_do_not_fit(void **state)
{
	(void)state;
	refuse(HEAD "{\"name\":\"e\",\"kind\":\"dense\",\"inputs\":[\"input\"],\"channels\":1}]}", -ENOENT, "e/kernel");
	refuse(HEAD "{\"name\":\"d\",\"kind\":\"dense\",\"inputs\":[\"input\"],\"channels\":2}]}", -EINVAL, "d/kernel");
	/* Two gigabytes of weights that the file has not: refused before memory is asked for. */
	refuse(HEAD "{\"name\":\"d\",\"kind\":\"dense\",\"inputs\":[\"input\"],\"channels\":1048576}]}", -EINVAL,
	       "d/kernel");
	refuse(HEAD "{\"name\":\"r\",\"kind\":\"relu\",\"inputs\":[\"input\"]}]}", -EINVAL,
	       "1 tensors, the graph has 0");
}

static void no_graph_at_all(void **state)
{
	struct safetensors *file;
	struct network *network = NULL;
	struct error err = {0};
	void *data;
	size_t size;

	(void)state;
	assert_int_equal(safetensors_encode(NULL, 0, NULL, 0, NULL, &data, &size), 0);
	assert_int_equal(safetensors_decode(data, size, NULL, &file), 0);
	assert_int_equal(graph_decode(file, &err, &network), -ENOENT);
	assert_non_null(strstr(err.text, GRAPH_METADATA_KEY));
	safetensors_destroy(file);
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),  cmocka_unit_test(good_by_hand),
		cmocka_unit_test(wrong_graphs),	   cmocka_unit_test(tensors_that_do_not_fit),
		cmocka_unit_test(no_graph_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
