/* A table of classes gives each its parser; the parsers read the fields of "config" that decide what the layer
 * computes, and refuse values that we would compute wrongly. */
#include "models/converter/keras_layer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

typedef int parse_function(const json_t *config, struct shape in, struct error *err, struct keras_layer *layer);

static int read_text(const json_t *config, const char *key, struct error *err, const char **ret_text)
{
	*ret_text = json_string_value(json_object_get(config, key));
	return *ret_text ? 0 : error_set(err, -EINVAL, "%s is missing or not text", key);
}

/* A number, or a list of one or two (a square is one number). */
static int read_pair(const json_t *config, const char *key, struct error *err, uint32_t *ret_height,
		     uint32_t *ret_width)
{
	const json_t *value = json_object_get(config, key);
	const json_t *first = json_is_array(value) ? json_array_get(value, 0) : value;
	const json_t *second = json_array_size(value) > 1 ? json_array_get(value, 1) : first;

	if (!json_is_integer(first) || !json_is_integer(second) || json_integer_value(first) < 1 ||
	    json_integer_value(second) < 1 || json_integer_value(first) > LAYER_SIDE_MAX ||
	    json_integer_value(second) > LAYER_SIDE_MAX)
		return error_set(err, -EINVAL, "%s is not a size from 1 to %d, or two", key, LAYER_SIDE_MAX);
	*ret_height = (uint32_t)json_integer_value(first);
	*ret_width = (uint32_t)json_integer_value(second);
	return 0;
}

static int read_count(const json_t *config, const char *key, struct error *err, uint32_t *ret_value)
{
	const json_t *value = json_object_get(config, key);

	if (!json_is_integer(value) || json_integer_value(value) < 1 || json_integer_value(value) > LAYER_CHANNELS_MAX)
		return error_set(err, -EINVAL, "%s is not a whole number from 1 to %d", key, LAYER_CHANNELS_MAX);
	*ret_value = (uint32_t)json_integer_value(value);
	return 0;
}

static int read_activation(const json_t *config, struct error *err, bool *ret_relu)
{
	const char *name;

	int r = read_text(config, "activation", err, &name);
	if (r)
		return r;
	if (strcmp(name, "linear") && strcmp(name, "relu"))
		return error_set(err, -ENOTSUP, "activation %.64s is not supported (linear and relu are)", name);
	*ret_relu = !strcmp(name, "relu");
	return 0;
}

static int require_channels_last(const json_t *config, struct error *err)
{
	const char *format = json_string_value(json_object_get(config, "data_format"));

	if (format && strcmp(format, "channels_last"))
		return error_set(err, -ENOTSUP, "data_format %.32s is not supported (channels_last is)", format);
	return 0;
}

static int read_window(const json_t *config, const char *kernel_key, struct error *err, struct layer *part)
{
	const char *padding;

	int r = require_channels_last(config, err);
	if (!r)
		r = read_pair(config, kernel_key, err, &part->kernel_height, &part->kernel_width);
	if (!r)
		r = read_pair(config, "strides", err, &part->stride_height, &part->stride_width);
	if (!r)
		r = read_text(config, "padding", err, &padding);
	if (r)
		return r;
	if (strcmp(padding, "same") && strcmp(padding, "valid"))
		return error_set(err, -ENOTSUP, "padding %.32s is not supported (same and valid are)", padding);
	part->padding = strcmp(padding, "same") ? WINDOW_VALID : WINDOW_SAME;
	return 0;
}

static int require_no_dilation(const json_t *config, struct error *err)
{
	uint32_t height = 1, width = 1;

	int r = json_object_get(config, "dilation_rate") ? read_pair(config, "dilation_rate", err, &height, &width) : 0;
	if (!r && (height != 1 || width != 1))
		r = error_set(err, -ENOTSUP, "dilation_rate %u, %u is not supported", height, width);
	return r;
}

static void add_variable(struct keras_layer *layer, uint32_t part, const char *role)
{
	layer->variables[layer->n_variables].part = part;
	layer->variables[layer->n_variables++].role = role;
}

/* Bias and activation come after the last part. */
static int read_end(const json_t *config, struct error *err, struct keras_layer *layer)
{
	struct layer *last = &layer->parts[layer->n_parts - 1];

	last->has_bias = json_is_true(json_object_get(config, "use_bias"));
	if (last->has_bias)
		add_variable(layer, layer->n_parts - 1, "bias");
	return read_activation(config, err, &last->relu);
}

static int parse_convolution(const json_t *config, struct shape in, struct error *err, struct keras_layer *layer)
{
	struct layer *part = &layer->parts[0];

	(void)in;
	part->kind = LAYER_CONVOLUTION;
	add_variable(layer, 0, "kernel");
	int r = read_window(config, "kernel_size", err, part);
	if (!r)
		r = require_no_dilation(config, err);
	if (!r)
		r = read_count(config, "filters", err, &part->n_channels);
	if (!r)
		r = read_count(config, "groups", err, &part->groups);
	return r ? r : read_end(config, err, layer);
}

/* With several outputs a channel it is a convolution in as many groups as channels; the weights lie the same. */
static int read_depthwise(const json_t *config, struct shape in, struct error *err, struct layer *part)
{
	uint32_t multiplier;

	int r = read_window(config, "kernel_size", err, part);
	if (!r)
		r = require_no_dilation(config, err);
	if (!r)
		r = read_count(config, "depth_multiplier", err, &multiplier);
	if (r)
		return r;
	part->kind = LAYER_DEPTHWISE;
	if (multiplier > 1) {
		part->kind = LAYER_CONVOLUTION;
		part->groups = in.channels;
		part->n_channels = in.channels > LAYER_CHANNELS_MAX / multiplier ? 0 : in.channels * multiplier;
	}
	return 0;
}

static int parse_depthwise(const json_t *config, struct shape in, struct error *err, struct keras_layer *layer)
{
	add_variable(layer, 0, "kernel");
	int r = read_depthwise(config, in, err, &layer->parts[0]);
	return r ? r : read_end(config, err, layer);
}

static int parse_separable(const json_t *config, struct shape in, struct error *err, struct keras_layer *layer)
{
	struct layer *mix = &layer->parts[1];

	layer->n_parts = 2;
	add_variable(layer, 0, "kernel");
	add_variable(layer, 1, "kernel");
	mix->kind = LAYER_CONVOLUTION;
	mix->kernel_height = mix->kernel_width = 1;
	int r = read_depthwise(config, in, err, &layer->parts[0]);
	if (!r)
		r = read_count(config, "filters", err, &mix->n_channels);
	return r ? r : read_end(config, err, layer);
}

static int parse_batch_norm(const json_t *config, struct shape in, struct error *err, struct keras_layer *layer)
{
	const json_t *axis = json_object_get(config, "axis"), *epsilon = json_object_get(config, "epsilon");
	const json_t *momentum = json_object_get(config, "momentum");

	(void)in;
	layer->parts[0].kind = LAYER_BATCH_NORM;
	if (json_is_array(axis) && json_array_size(axis) == 1)
		axis = json_array_get(axis, 0);
	if (axis && json_integer_value(axis) != -1 && json_integer_value(axis) != 3)
		return error_set(err, -ENOTSUP, "axis %lld is not supported (the last is)", json_integer_value(axis));
	if (!json_is_number(epsilon))
		return error_set(err, -EINVAL, "epsilon is missing or not a number");
	layer->parts[0].epsilon = (float)json_number_value(epsilon);
	layer->parts[0].momentum = json_is_number(momentum) ? (float)json_number_value(momentum) : 0.0f;
	if (json_is_true(json_object_get(config, "scale")))
		add_variable(layer, 0, "gamma");
	if (json_is_true(json_object_get(config, "center")))
		add_variable(layer, 0, "beta");
	add_variable(layer, 0, "mean");
	add_variable(layer, 0, "variance");
	return 0;
}

static int parse_activation(const json_t *config, struct shape in, struct error *err, struct keras_layer *layer)
{
	bool relu = false;

	(void)in;
	int r = read_activation(config, err, &relu);
	layer->parts[0].kind = LAYER_RELU;
	layer->n_parts = relu;
	return r;
}

static int parse_relu(const json_t *config, struct shape in, struct error *err, struct keras_layer *layer)
{
	static const char *const options[] = {"max_value", "negative_slope", "threshold"};

	(void)in;
	layer->parts[0].kind = LAYER_RELU;
	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		const json_t *value = json_object_get(config, options[i]);

		if (value && !json_is_null(value) && json_number_value(value) != 0.0)
			return error_set(err, -ENOTSUP, "%s is not supported", options[i]);
	}
	return 0;
}

static int parse_add(const json_t *config, struct shape in, struct error *err, struct keras_layer *layer)
{
	(void)config;
	(void)in;
	(void)err;
	layer->parts[0].kind = LAYER_ADD;
	layer->parts[0].n_inputs = 2;
	return 0;
}

static int parse_max_pool(const json_t *config, struct shape in, struct error *err, struct keras_layer *layer)
{
	(void)in;
	layer->parts[0].kind = LAYER_MAX_POOL;
	return read_window(config, "pool_size", err, &layer->parts[0]);
}

static int parse_average_pool(const json_t *config, struct shape in, struct error *err, struct keras_layer *layer)
{
	(void)in;
	layer->parts[0].kind = LAYER_AVERAGE_POOL;
	return read_window(config, "pool_size", err, &layer->parts[0]);
}

static int parse_flatten(const json_t *config, struct shape in, struct error *err, struct keras_layer *layer)
{
	(void)in;
	layer->parts[0].kind = LAYER_FLATTEN;
	return require_channels_last(config, err);
}

static int parse_dense(const json_t *config, struct shape in, struct error *err, struct keras_layer *layer)
{
	if (in.height != 1 || in.width != 1)
		return error_set(err, -ENOTSUP, "a Dense layer on a %u x %u map is not supported: flatten it first",
				 in.height, in.width);
	layer->parts[0].kind = LAYER_DENSE;
	add_variable(layer, 0, "kernel");
	int r = read_count(config, "units", err, &layer->parts[0].n_channels);
	return r ? r : read_end(config, err, layer);
}

static const struct {
	const char *name, *group;
	parse_function *parse;
} classes[] = {
	{"Conv2D", "conv2d", parse_convolution},
	{"DepthwiseConv2D", "depthwise_conv2d", parse_depthwise},
	{"SeparableConv2D", "separable_conv2d", parse_separable},
	{"BatchNormalization", "batch_normalization", parse_batch_norm},
	{"Activation", NULL, parse_activation},
	{"ReLU", NULL, parse_relu},
	{"Add", NULL, parse_add},
	{"MaxPooling2D", NULL, parse_max_pool},
	{"AveragePooling2D", NULL, parse_average_pool},
	{"Flatten", NULL, parse_flatten},
	{"Dense", "dense", parse_dense},
};

int keras_layer_parse(const json_t *json, struct shape in, struct error *err, struct keras_layer *ret_layer)
{
	const json_t *config = json_object_get(json, "config");
	const char *class_name, *name;

	int r = read_text(json, "class_name", err, &class_name);
	if (!r)
		r = read_text(config, "name", err, &name);
	if (r)
		return r;
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
		struct keras_layer layer = {.n_parts = 1, .group = classes[i].group};

		if (strcmp(classes[i].name, class_name))
			continue;
		r = classes[i].parse(config, in, err, &layer);
		if (r)
			return r;
		for (uint32_t part = 0; part < layer.n_parts; part++) {
			/* The last part has the layer's own name: its output is the layer's. */
			bool is_last = part + 1 == layer.n_parts;
			int length = snprintf(layer.parts[part].name, LAYER_NAME_MAX, "%s%s", name,
					      is_last ? "" : ".depthwise");

			if (length >= LAYER_NAME_MAX)
				return error_set(err, -EINVAL, "its name has more than %d bytes", LAYER_NAME_MAX - 1);
		}
		*ret_layer = layer;
		return 0;
	}
	return error_set(err, -ENOTSUP, "layers of class %.64s are not supported", class_name);
}
