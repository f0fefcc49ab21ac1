/* Entries of a configuration: what each class becomes, and what is refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "models/converter/keras_layer.h"

static const struct shape in = {8, 8, 4};

static int parse(const char *class_name, const char *config, struct error *err, struct keras_layer *ret_layer)
{
	json_t *json = json_object();
	json_t *fields = json_loads(config, 0, NULL);

	assert_non_null(fields);
	json_object_set_new(fields, "name", json_string("x"));
	json_object_set_new(json, "class_name", json_string(class_name));
	json_object_set_new(json, "config", fields);
	int r = keras_layer_parse(json, in, err, ret_layer);
	json_decref(json);
	return r;
}

static void refuse(const char *class_name, const char *config, int code, const char *part)
{
	struct keras_layer layer;
	struct error err = {0};

	assert_int_equal(parse(class_name, config, &err, &layer), code);
	if (!strstr(err.text, part))
		fail_msg("'%s' is not named in: %s", part, err.text);
}

#define WINDOW                                                                                                         \
	"\"kernel_size\": [3, 5], \"strides\": [2, 1], \"padding\": \"same\", \"activation\": \"relu\", "              \
	"\"use_bias\": true"

static void windows(void **state)
{
	struct keras_layer layer;

	(void)state;
	assert_int_equal(parse("Conv2D", "{" WINDOW ", \"filters\": 6, \"groups\": 2}", NULL, &layer), 0);
	assert_int_equal(layer.n_parts, 1);
	assert_int_equal(layer.parts[0].kind, LAYER_CONVOLUTION);
	assert_int_equal(layer.parts[0].kernel_height, 3);
	assert_int_equal(layer.parts[0].kernel_width, 5);
	assert_int_equal(layer.parts[0].stride_height, 2);
	assert_int_equal(layer.parts[0].padding, WINDOW_SAME);
	assert_int_equal(layer.parts[0].groups, 2);
	assert_true(layer.parts[0].relu && layer.parts[0].has_bias);
	assert_string_equal(layer.group, "conv2d");
	assert_int_equal(layer.n_variables, 2);

	assert_int_equal(parse("DepthwiseConv2D", "{" WINDOW ", \"depth_multiplier\": 1}", NULL, &layer), 0);
	assert_int_equal(layer.parts[0].kind, LAYER_DEPTHWISE);
	assert_int_equal(parse("DepthwiseConv2D", "{" WINDOW ", \"depth_multiplier\": 3}", NULL, &layer), 0);
	assert_int_equal(layer.parts[0].kind, LAYER_CONVOLUTION);
	assert_int_equal(layer.parts[0].groups, 4);
	assert_int_equal(layer.parts[0].n_channels, 12);

	assert_int_equal(
		parse("MaxPooling2D", "{\"pool_size\": 2, \"strides\": [2, 2], \"padding\": \"valid\"}", NULL, &layer),
		0);
	assert_int_equal(layer.parts[0].kind, LAYER_MAX_POOL);
	assert_int_equal(layer.parts[0].kernel_width, 2);
	assert_null(layer.group);
}

static void separable_is_two(void **state)
{
	struct keras_layer layer;

	(void)state;
	assert_int_equal(
		parse("SeparableConv2D", "{" WINDOW ", \"depth_multiplier\": 1, \"filters\": 7}", NULL, &layer), 0);
	assert_int_equal(layer.n_parts, 2);
	assert_string_equal(layer.parts[0].name, "x.depthwise");
	assert_string_equal(layer.parts[1].name, "x");
	assert_false(layer.parts[0].relu || layer.parts[0].has_bias);
	assert_true(layer.parts[1].relu && layer.parts[1].has_bias);
	assert_int_equal(layer.parts[1].n_channels, 7);
	assert_int_equal(layer.n_variables, 3);
	assert_int_equal(layer.variables[1].part, 1);
	assert_string_equal(layer.variables[2].role, "bias");
}

static void batch_norm_variables_follow_its_options(void **state)
{
	struct keras_layer layer;

	(void)state;
	assert_int_equal(
		parse("BatchNormalization",
		      "{\"axis\": [3], \"epsilon\": 0.01, \"momentum\": 0.9, \"scale\": false, \"center\": true}", NULL,
		      &layer),
		0);
	assert_int_equal(layer.n_variables, 3);
	assert_string_equal(layer.variables[0].role, "beta");
	assert_string_equal(layer.variables[2].role, "variance");
	assert_true(layer.parts[0].epsilon == 0.01f);
}

static void activations(void **state)
{
	struct keras_layer layer;

	(void)state;
	assert_int_equal(parse("Activation", "{\"activation\": \"linear\"}", NULL, &layer), 0);
	assert_int_equal(layer.n_parts, 0);
	assert_int_equal(parse("Activation", "{\"activation\": \"relu\"}", NULL, &layer), 0);
	assert_int_equal(layer.n_parts, 1);
	assert_int_equal(
		parse("ReLU", "{\"max_value\": null, \"negative_slope\": 0.0, \"threshold\": 0.0}", NULL, &layer), 0);
	assert_int_equal(layer.parts[0].kind, LAYER_RELU);
}

static void what_is_not_supported_is_named(void **state)
{
	(void)state;
	refuse("LSTM", "{}", -ENOTSUP, "LSTM");
	refuse("Activation", "{\"activation\": \"swish\"}", -ENOTSUP, "swish");
	refuse("ReLU", "{\"max_value\": 6.0}", -ENOTSUP, "max_value");
	refuse("Conv2D", "{" WINDOW ", \"filters\": 6, \"groups\": 1, \"dilation_rate\": [2, 2]}", -ENOTSUP,
	       "dilation_rate");
	refuse("Conv2D", "{" WINDOW ", \"filters\": 6, \"groups\": 1, \"data_format\": \"channels_first\"}", -ENOTSUP,
	       "channels_first");
	refuse("BatchNormalization", "{\"axis\": 1, \"epsilon\": 0.01}", -ENOTSUP, "axis 1");
	refuse("Dense", "{\"units\": 3, \"activation\": \"linear\"}", -ENOTSUP, "8 x 8");
}

static void wrong_fields_are_named(void **state)
{
	(void)state;
	refuse("Conv2D", "{" WINDOW ", \"groups\": 1}", -EINVAL, "filters");
	refuse("Conv2D", "{\"kernel_size\": [0, 5], \"filters\": 6}", -EINVAL, "kernel_size");
	refuse("Conv2D", "{\"kernel_size\": \"big\", \"filters\": 6}", -EINVAL, "kernel_size");
	refuse("Conv2D", "{\"kernel_size\": [3, 99999999999], \"filters\": 6}", -EINVAL, "kernel_size");
	refuse("BatchNormalization", "{}", -EINVAL, "epsilon");
	refuse("Activation", "{}", -EINVAL, "activation");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows),
		cmocka_unit_test(separable_is_two),
		cmocka_unit_test(batch_norm_variables_follow_its_options),
		cmocka_unit_test(activations),
		cmocka_unit_test(what_is_not_supported_is_named),
		cmocka_unit_test(wrong_fields_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
