/* Whole archives: graph and weights land where they belong; what is wrong is named with file and layer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keras_writer.h"
#include "models/converter/keras.h"
#include "support/atomic_file.h"

static char path[40];
static const struct keras_mean published = {.kind = KERAS_MEAN_PUBLISHED}, none = {.kind = KERAS_MEAN_NONE};

static int make_path(void **state)
{
	(void)state;
	snprintf(path, sizeof path, "/tmp/keras_test.XXXXXX");
	int fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state)
{
	(void)state;
	return unlink(path);
}

static void refuse(int code, const char *part)
{
	struct network *network = NULL;
	struct error err = {0};

	assert_int_equal(keras_read(path, &published, &err, &network), code);
	if (!strstr(err.text, part))
		fail_msg("'%s' is not named in: %s", part, err.text);
	assert_int_equal(strncmp(err.text, path, strlen(path)), 0);
	assert_null(network);
}

#define INPUT(side)                                                                                                    \
	"{\"class_name\": \"InputLayer\", \"config\": {\"name\": \"in\", \"batch_shape\": [null, " side ", " side      \
	", 3]}}"
#define FROM(name)                                                                                                     \
	"\"inbound_nodes\": [{\"args\": [{\"class_name\": \"__keras_tensor__\", \"config\": {\"keras_history\": "      \
	"[\"" name "\", 0, 0]}}], \"kwargs\": {}}]"
#define CONV(name, from)                                                                                               \
	"{\"class_name\": \"Conv2D\", \"config\": {\"name\": \"" name "\", \"filters\": 3, \"kernel_size\": [1, 1], "  \
	"\"strides\": [1, 1], \"padding\": \"same\", \"groups\": 1, \"use_bias\": true, \"activation\": "              \
	"\"linear\"}, " FROM(from) "}"
#define MODEL(layers, output)                                                                                          \
	"{\"class_name\": \"Functional\", \"config\": {\"layers\": [" layers "], \"output_layers\": " output "}}"

static const struct keras_writer_set conv_sets[] = {
	{.path = "/layers/conv2d/vars/0", .n_dims = 4, .dims = {1, 1, 3, 3}},
	{.path = "/layers/conv2d/vars/1", .n_dims = 1, .dims = {3}},
	{.path = "/layers/conv2d_1/vars/0",
	 .n_dims = 4,
	 .dims = {1, 1, 3, 3},
	 .values = (const float[9]){9, 8, 7, 6, 5, 4, 3, 2, 1}},
	{.path = "/layers/conv2d_1/vars/1", .n_dims = 1, .dims = {3}, .values = (const float[3]){-1, -2, -3}},
};

/* Two branches whose order of classes numbers the groups, joined by Add with a list of inputs. */
static void branches_and_groups(void **state)
{
	static const char add[] =
		"{\"class_name\": \"Add\", \"config\": {\"name\": \"sum\"}, \"inbound_nodes\": [{\"args\": [["
		"{\"class_name\": \"__keras_tensor__\", \"config\": {\"keras_history\": [\"b\", 0, 0]}},"
		"{\"class_name\": \"__keras_tensor__\", \"config\": {\"keras_history\": [\"a\", 0, 0]}}]], \"kwargs\": "
		"{}}]}";
	char config[4096];
	struct network *network;
	struct error err = {0};

	(void)state;
	snprintf(config, sizeof config,
		 MODEL(INPUT("5") "," CONV("a", "in") "," CONV("b", "a") ",%s", "[[\"sum\", 0, 0]]"), add);
	keras_writer_archive(path, config, conv_sets, 4);
	if (keras_read(path, &published, &err, &network))
		fail_msg("%s", err.text);
	assert_int_equal(network->n_layers, 4);
	assert_string_equal(network->layers[3].name, "sum");
	assert_int_equal(network->layers[3].inputs[0], 2);
	assert_int_equal(network->layers[3].inputs[1], 1);
	assert_true(network_tensor(network, 1, "kernel")[8] == 8.0f);
	assert_true(network_tensor(network, 2, "kernel")[8] == 1.0f);
	assert_true(network_tensor(network, 2, "bias")[1] == -2.0f);
	network_destroy(network);
}

static void output_may_stand_alone_and_earlier(void **state)
{
	struct network *network;

	(void)state;
	keras_writer_archive(path, MODEL(INPUT("5") "," CONV("a", "in") "," CONV("b", "a"), "[\"a\", 0, 0]"), conv_sets,
			     4);
	assert_int_equal(keras_read(path, &published, NULL, &network), 0);
	assert_int_equal(network->n_layers, 2);
	assert_string_equal(network->layers[1].name, "a");
	network_destroy(network);
}

static void mean_for_the_published_input_only(void **state)
{
	const struct keras_mean given = {.kind = KERAS_MEAN_GIVEN, .rgb = {1, 2, 3}};
	struct network *network;

	(void)state;
	keras_writer_archive(path, MODEL(INPUT("112") "," CONV("a", "in"), "[[\"a\", 0, 0]]"), conv_sets, 4);
	assert_int_equal(keras_read(path, &published, NULL, &network), 0);
	assert_int_equal(network->layers[1].kind, LAYER_CENTER);
	assert_true(network_tensor(network, 1, "mean")[0] == 116.222f);
	network_destroy(network);
	assert_int_equal(keras_read(path, &given, NULL, &network), 0);
	assert_true(network_tensor(network, 1, "mean")[2] == 3.0f);
	network_destroy(network);
	assert_int_equal(keras_read(path, &none, NULL, &network), 0);
	assert_int_equal(network->layers[1].kind, LAYER_CONVOLUTION);
	network_destroy(network);
}

static void sequential_with_separable_and_norm(void **state)
{
	static const char config[] = "{\"class_name\": \"Sequential\", \"config\": {\"layers\": [" INPUT(
		"5") ","
		     "{\"class_name\": \"SeparableConv2D\", \"config\": {\"name\": \"s\", \"filters\": 2, "
		     "\"kernel_size\": [2, 2],"
		     " \"strides\": [1, 1], \"padding\": \"valid\", \"depth_multiplier\": 1, \"use_bias\": true, "
		     "\"activation\": \"linear\"}},"
		     "{\"class_name\": \"BatchNormalization\", \"config\": {\"name\": \"n\", \"axis\": -1, "
		     "\"epsilon\": 0.001,"
		     " \"scale\": true, \"center\": true}},"
		     "{\"class_name\": \"Flatten\", \"config\": {\"name\": \"f\"}}]}}";
	const struct keras_writer_set sets[] = {
		{.path = "/layers/separable_conv2d/vars/0", .n_dims = 4, .dims = {2, 2, 3, 1}},
		{.path = "/layers/separable_conv2d/vars/1", .n_dims = 4, .dims = {1, 1, 3, 2}},
		{.path = "/layers/separable_conv2d/vars/2", .n_dims = 1, .dims = {2}},
		{.path = "/layers/batch_normalization/vars/0",
		 .n_dims = 1,
		 .dims = {2},
		 .values = (const float[2]){1, 2}},
		{.path = "/layers/batch_normalization/vars/1",
		 .n_dims = 1,
		 .dims = {2},
		 .values = (const float[2]){3, 4}},
		{.path = "/layers/batch_normalization/vars/2",
		 .n_dims = 1,
		 .dims = {2},
		 .values = (const float[2]){5, 6}},
		{.path = "/layers/batch_normalization/vars/3",
		 .n_dims = 1,
		 .dims = {2},
		 .values = (const float[2]){7, 8}},
	};
	struct network *network;
	struct error err = {0};

	(void)state;
	keras_writer_archive(path, config, sets, 7);
	if (keras_read(path, &published, &err, &network))
		fail_msg("%s", err.text);
	assert_int_equal(network->n_layers, 5);
	assert_true(network_tensor(network, 1, "kernel")[11] == 11.0f);
	assert_true(network_tensor(network, 2, "kernel")[5] == 5.0f);
	assert_true(network_tensor(network, 2, "bias")[1] == 1.0f);
	assert_true(network_tensor(network, 3, "gamma")[1] == 2.0f);
	assert_true(network_tensor(network, 3, "beta")[0] == 3.0f);
	assert_true(network_tensor(network, 3, "mean")[0] == 5.0f);
	assert_true(network_tensor(network, 3, "variance")[1] == 8.0f);
	assert_int_equal(network_output(network).channels, 4 * 4 * 2);
	network_destroy(network);
}

static void wrong_configurations(void **state)
{
	(void)state;
	keras_writer_archive(path, NULL, conv_sets, 4);
	refuse(-EINVAL, "config.json");
	keras_writer_archive(path, "{", conv_sets, 4);
	refuse(-EINVAL, "config.json: ");
	keras_writer_archive(path, "{\"class_name\": \"Model\"}", conv_sets, 4);
	refuse(-ENOTSUP, "class Model");
	keras_writer_archive(path, MODEL("", "[]"), conv_sets, 4);
	refuse(-EINVAL, "layers");
	keras_writer_archive(path, MODEL(CONV("a", "in"), "[[\"a\", 0, 0]]"), conv_sets, 4);
	refuse(-ENOTSUP, "layer 0 (a)");
	keras_writer_archive(path, MODEL(INPUT("5") "," CONV("a", "b"), "[[\"a\", 0, 0]]"), conv_sets, 4);
	refuse(-EINVAL, "layer 1 (a): its input b");
	keras_writer_archive(path, MODEL(INPUT("5") "," CONV("a", "in"), "[[\"b\", 0, 0]]"), conv_sets, 4);
	refuse(-EINVAL, "output_layers");
	keras_writer_archive(path, MODEL(INPUT("5") "," CONV("a", "in"), "[[\"a\", 0, 0], [\"a\", 0, 0]]"), conv_sets,
			     4);
	refuse(-ENOTSUP, "2 outputs");
	keras_writer_archive(path, MODEL(INPUT("0") "," CONV("a", "in"), "[[\"a\", 0, 0]]"), conv_sets, 4);
	refuse(-EINVAL, "batch_shape[1]");
	keras_writer_archive(
		path,
		MODEL(INPUT("5") ",{\"class_name\": \"GRU\", \"config\": {\"name\": \"g\"}, " FROM("in") "}",
		      "[[\"g\", 0, 0]]"),
		conv_sets, 4);
	refuse(-ENOTSUP, "layer 1 (g): layers of class GRU");
}

static void wrong_weights(void **state)
{
	static const char config[] = MODEL(INPUT("5") "," CONV("a", "in"), "[[\"a\", 0, 0]]");
	static const struct keras_writer_set small = {
		.path = "/layers/conv2d/vars/0", .n_dims = 4, .dims = {1, 1, 3, 2}};

	(void)state;
	keras_writer_archive(path, config, conv_sets, 1);
	refuse(-ENOENT, "layer a: model.weights.h5 has no dataset /layers/conv2d/vars/1");
	keras_writer_archive(path, config, &small, 1);
	refuse(-EINVAL, "layer a: /layers/conv2d/vars/0: 6 values, the layer has 9");
	assert_int_equal(atomic_file_write(path, "no archive", 10, NULL), 0);
	refuse(-EINVAL, path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(branches_and_groups),
		cmocka_unit_test(output_may_stand_alone_and_earlier),
		cmocka_unit_test(mean_for_the_published_input_only),
		cmocka_unit_test(sequential_with_separable_and_norm),
		cmocka_unit_test(wrong_configurations),
		cmocka_unit_test(wrong_weights),
	};

	return cmocka_run_group_tests(tests, make_path, remove_path);
}
