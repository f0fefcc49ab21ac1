/* Shapes, paddings and limits of single layers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "models/layer.h"

static void refuse(struct layer layer, struct shape in, const char *part)
{
	const struct shape ins[2] = {in, in};
	struct layer before = layer;
	struct error err = {0};

	assert_int_equal(layer_complete(&layer, ins, layer.n_inputs ? layer.n_inputs : 1, &err), -EINVAL);
	if (!strstr(err.text, part))
		fail_msg("'%s' is not named in: %s", part, err.text);
	assert_memory_equal(&layer, &before, sizeof layer);
}

/* TensorFlow's "same": ceil(in / stride) outputs, the odd zero after. */
static void same_padding_as_tensorflow(void **state)
{
	static const struct {
		uint32_t in, kernel, stride, out, before;
	} cases[] = {
		{112, 5, 2, 56, 1}, {56, 5, 2, 28, 1}, {112, 5, 1, 112, 2}, {7, 3, 2, 4, 1},
		{8, 3, 2, 4, 0},    {5, 2, 1, 5, 0},   {6, 1, 3, 2, 0},	    {4, 7, 4, 1, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct shape in = {cases[i].in, 9, 2};
		struct layer layer = {.kind = LAYER_DEPTHWISE,
				      .name = "d",
				      .kernel_height = cases[i].kernel,
				      .kernel_width = 1,
				      .stride_height = cases[i].stride,
				      .stride_width = 1,
				      .padding = WINDOW_SAME};

		assert_int_equal(layer_complete(&layer, &in, 1, NULL), 0);
		assert_int_equal(layer.out.height, cases[i].out);
		assert_int_equal(layer.window.pad_top, cases[i].before);
		assert_int_equal(layer.out.width, 9);
	}
}

static void valid_padding(void **state)
{
	const struct shape in = {28, 28, 5};
	struct layer layer = {.kind = LAYER_DEPTHWISE, .name = "pool", .kernel_height = 28, .kernel_width = 28};

	(void)state;
	assert_int_equal(layer_complete(&layer, &in, 1, NULL), 0);
	assert_int_equal(layer.out.height, 1);
	assert_int_equal(layer.out.channels, 5);
	refuse((struct layer){.kind = LAYER_MAX_POOL, .name = "p", .kernel_height = 29, .kernel_width = 1}, in,
	       "29 x 1 window does not fit into 28 x 28");
}

static void tensors_of_a_layer(void **state)
{
	const struct shape in = {4, 4, 6};
	struct layer layer = {.kind = LAYER_CONVOLUTION,
			      .name = "c",
			      .kernel_height = 3,
			      .kernel_width = 2,
			      .groups = 2,
			      .n_channels = 8,
			      .has_bias = true};

	(void)state;
	assert_int_equal(layer_complete(&layer, &in, 1, NULL), 0);
	assert_int_equal(layer.n_tensors, 2);
	assert_int_equal(layer_tensor(&layer, "kernel")->n_values, 3 * 2 * 3 * 8);
	assert_int_equal(layer_tensor(&layer, "bias")->n_values, 8);
	assert_null(layer_tensor(&layer, "gamma"));
}

static void limits_are_named(void **state)
{
	const struct shape in = {8, 8, 4};
	struct layer long_name = {.kind = LAYER_RELU};

	(void)state;
	refuse((struct layer){.kind = LAYER_RELU}, in, "name");
	memset(long_name.name, 'x', sizeof long_name.name);
	refuse(long_name, in, "name");
	refuse((struct layer){.kind = LAYER_RELU, .name = "a\nb"}, in, "control character");
	refuse((struct layer){.kind = (enum layer_kind)99, .name = "x"}, in, "kind 99");
	refuse((struct layer){.kind = LAYER_ADD, .name = "x"}, in, "inputs");
	refuse((struct layer){.kind = LAYER_RELU, .name = "x", .n_inputs = 2}, in, "inputs");
	refuse((struct layer){.kind = LAYER_DENSE, .name = "x"}, in, "channels is 0");
	refuse((struct layer){.kind = LAYER_DENSE, .name = "x", .n_channels = 1 << 20}, in, "kernel");
	refuse((struct layer){.kind = LAYER_CONVOLUTION, .name = "x", .kernel_height = 3, .n_channels = 1}, in,
	       "kernel width is 0");
	refuse((struct layer){.kind = LAYER_CONVOLUTION,
			      .name = "x",
			      .kernel_height = 5000,
			      .kernel_width = 1,
			      .n_channels = 1},
	       in, "kernel height is 5000");
	refuse((struct layer){.kind = LAYER_CONVOLUTION,
			      .name = "x",
			      .kernel_height = 1,
			      .kernel_width = 1,
			      .groups = 3,
			      .n_channels = 6},
	       in, "3 groups");
	refuse((struct layer){.kind = LAYER_DEPTHWISE, .name = "x", .kernel_height = 1, .kernel_width = 1, .groups = 2},
	       in, "groups");
	refuse((struct layer){.kind = LAYER_FLATTEN, .name = "x", .relu = true}, in, "relu");
	refuse((struct layer){.kind = LAYER_BATCH_NORM, .name = "x", .epsilon = -1.0f}, in, "epsilon");
	refuse((struct layer){.kind = LAYER_BATCH_NORM, .name = "x", .epsilon = NAN}, in, "epsilon");
	refuse((struct layer){.kind = LAYER_BATCH_NORM, .name = "x", .momentum = 2.0f}, in, "momentum");
	refuse((struct layer){.kind = LAYER_RELU, .name = "x"}, (struct shape){0, 1, 1}, "height is 0");
	refuse((struct layer){.kind = LAYER_RELU, .name = "x"}, (struct shape){4096, 4096, 4096}, "values of the map");
	refuse((struct layer){.kind = LAYER_FLATTEN, .name = "x"}, (struct shape){2048, 2048, 1}, "channels");
}

static void shapes_that_do_not_add(void **state)
{
	const struct shape ins[2] = {{4, 4, 2}, {4, 4, 3}};
	struct layer layer = {.kind = LAYER_ADD, .name = "sum", .n_inputs = 2};
	struct error err = {0};

	(void)state;
	assert_int_equal(layer_complete(&layer, ins, 2, &err), -EINVAL);
	assert_non_null(strstr(err.text, "layer sum"));
}

static void kinds_by_name(void **state)
{
	(void)state;
	for (int i = 0; i < LAYER_N_KINDS; i++) {
		enum layer_kind kind;

		assert_int_equal(layer_kind_from_name(layer_kind_name((enum layer_kind)i), &kind), 0);
		assert_int_equal(kind, i);
	}
	enum layer_kind kind = LAYER_ADD;
	assert_int_equal(layer_kind_from_name("nothing", &kind), -ENOENT);
	assert_int_equal(kind, LAYER_ADD);
	assert_null(layer_kind_name((enum layer_kind)LAYER_N_KINDS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_padding_as_tensorflow), cmocka_unit_test(valid_padding),
		cmocka_unit_test(tensors_of_a_layer),	      cmocka_unit_test(limits_are_named),
		cmocka_unit_test(shapes_that_do_not_add),     cmocka_unit_test(kinds_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
