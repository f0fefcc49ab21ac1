/* Encoding walks the layers once for the JSON and once for the tensors. Decoding builds the network layer by layer
 * through network_add(), which checks shapes and limits, then copies the weights, and refuses weights that no layer
 * has. */
#include "models/graph.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool has_window(const struct layer *layer)
{
	return layer->window.kernel_height > 0;
}

static json_t *layer_to_json(const struct network *network, const struct layer *layer)
{
	json_t *inputs = json_array();
	const bool has_weights =
		layer->kind == LAYER_CONVOLUTION || layer->kind == LAYER_DEPTHWISE || layer->kind == LAYER_DENSE;

	for (uint32_t k = 0; k < layer->n_inputs; k++)
		json_array_append_new(inputs, json_string(network->layers[layer->inputs[k]].name));
	json_t *json = json_pack("{s:s, s:s, s:o}", GRAPH_NAME, layer->name, GRAPH_KIND, layer_kind_name(layer->kind),
				 GRAPH_INPUTS, inputs);
	if (has_window(layer)) {
		json_object_set_new(json, GRAPH_KERNEL, json_pack("[i, i]", layer->kernel_height, layer->kernel_width));
		json_object_set_new(json, GRAPH_STRIDES,
				    json_pack("[i, i]", layer->stride_height, layer->stride_width));
		json_object_set_new(json, GRAPH_PADDING,
				    json_string(layer->padding == WINDOW_SAME ? GRAPH_SAME : GRAPH_VALID));
	}
	if (layer->kind == LAYER_CONVOLUTION)
		json_object_set_new(json, GRAPH_GROUPS, json_integer(layer->groups));
	if (layer->n_channels)
		json_object_set_new(json, GRAPH_CHANNELS, json_integer(layer->n_channels));
	if (has_weights)
		json_object_set_new(json, GRAPH_BIAS, json_boolean(layer->has_bias));
	if (layer_takes_relu(layer->kind))
		json_object_set_new(json, GRAPH_RELU, json_boolean(layer->relu));
	if (layer->kind == LAYER_BATCH_NORM) {
		json_object_set_new(json, GRAPH_EPSILON, json_real((double)layer->epsilon));
		json_object_set_new(json, GRAPH_MOMENTUM, json_real((double)layer->momentum));
	}
	return json;
}

static char *graph_to_text(const struct network *network)
{
	const struct shape in = network_input(network);
	json_t *layers = json_array();

	for (uint32_t i = 1; i < network->n_layers; i++)
		json_array_append_new(layers, layer_to_json(network, &network->layers[i]));
	json_t *graph = json_pack("{s:i, s:[i, i, i], s:o}", GRAPH_VERSION_KEY, GRAPH_VERSION, GRAPH_INPUT, in.height,
				  in.width, in.channels, GRAPH_LAYERS, layers);
	char *text = json_dumps(graph, JSON_COMPACT);
	json_decref(graph);
	return text;
}

static void name_tensor(const struct layer *layer, const struct layer_tensor *tensor,
			char ret_name[SAFETENSORS_NAME_MAX])
{
	snprintf(ret_name, SAFETENSORS_NAME_MAX, "%s/%s", layer->name, tensor->role);
}

int graph_encode(const struct network *network, struct error *err, void **ret_data, size_t *ret_size)
{
	const size_t n_max = (size_t)network->n_layers * LAYER_TENSORS_MAX;
	struct safetensors_tensor *tensors = calloc(n_max, sizeof *tensors);
	char(*names)[SAFETENSORS_NAME_MAX] = calloc(n_max, sizeof *names);
	char *text = graph_to_text(network);
	struct safetensors_metadata metadata = {GRAPH_METADATA_KEY, text};
	size_t n = 0;
	int r;

	if (!tensors || !names || !text) {
		r = error_set(err, -ENOMEM, "network: no memory to encode it");
		goto out_free;
	}
	for (uint32_t i = 0; i < network->n_layers; i++) {
		for (uint32_t t = 0; t < network->layers[i].n_tensors; t++, n++) {
			const struct layer_tensor *tensor = &network->layers[i].tensors[t];

			name_tensor(&network->layers[i], tensor, names[n]);
			tensors[n].name = names[n];
			tensors[n].type = SAFETENSORS_F32;
			tensors[n].n_dims = tensor->n_dims;
			for (uint32_t d = 0; d < tensor->n_dims; d++)
				tensors[n].dims[d] = tensor->dims[d];
			tensors[n].data = network->weights + tensor->offset;
		}
	}
	r = safetensors_encode(tensors, n, &metadata, 1, err, ret_data, ret_size);
out_free:
	free(text);
	free(names);
	free(tensors);
	return r;
}

/* A whole number from 0 to UINT32_MAX under `key`; `otherwise` when the key is absent. */
static int read_number(const json_t *object, const char *key, uint32_t otherwise, struct error *err,
		       uint32_t *ret_value)
{
	const json_t *value = json_object_get(object, key);

	if (!value) {
		*ret_value = otherwise;
		return 0;
	}
	if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > UINT32_MAX)
		return error_set(err, -EINVAL, "%s is not a whole number from 0 to %" PRIu32, key, UINT32_MAX);
	*ret_value = (uint32_t)json_integer_value(value);
	return 0;
}

/* A list of n such numbers, above 0; untouched when the key is absent. */
static int read_sizes(const json_t *object, const char *key, size_t n, struct error *err, uint32_t *ret_sizes)
{
	const json_t *list = json_object_get(object, key);

	if (!list)
		return 0;
	if (json_array_size(list) != n)
		return error_set(err, -EINVAL, "%s is not a list of %zu sizes", key, n);
	for (size_t i = 0; i < n; i++) {
		const json_t *value = json_array_get(list, i);

		if (!json_is_integer(value) || json_integer_value(value) < 1 ||
		    json_integer_value(value) > LAYER_CHANNELS_MAX)
			return error_set(err, -EINVAL, "%s[%zu] is not a whole number from 1 to %d", key, i,
					 LAYER_CHANNELS_MAX);
		ret_sizes[i] = (uint32_t)json_integer_value(value);
	}
	return 0;
}

static int read_flag(const json_t *object, const char *key, struct error *err, bool *ret_flag)
{
	const json_t *value = json_object_get(object, key);

	if (value && !json_is_boolean(value))
		return error_set(err, -EINVAL, "%s is neither true nor false", key);
	*ret_flag = json_is_true(value);
	return 0;
}

static int read_real(const json_t *object, const char *key, struct error *err, float *ret_value)
{
	const json_t *value = json_object_get(object, key);

	if (!value)
		return 0;
	if (!json_is_number(value) || !isfinite((float)json_number_value(value)))
		return error_set(err, -EINVAL, "%s is not a number", key);
	*ret_value = (float)json_number_value(value);
	return 0;
}

static int read_inputs(const struct network *network, const json_t *json, struct error *err, struct layer *layer)
{
	const json_t *inputs = json_object_get(json, GRAPH_INPUTS);

	if (!json_array_size(inputs) || json_array_size(inputs) > LAYER_INPUTS_MAX)
		return error_set(err, -EINVAL, GRAPH_INPUTS " is not a list of 1 to %d names", LAYER_INPUTS_MAX);
	layer->n_inputs = (uint32_t)json_array_size(inputs);
	for (uint32_t k = 0; k < layer->n_inputs; k++) {
		const char *name = json_string_value(json_array_get(inputs, k));
		int number = name ? network_find(network, name) : -ENOENT;

		if (number < 0)
			return error_set(err, -EINVAL, GRAPH_INPUTS "[%u] (%.64s) is no earlier layer", k,
					 name ? name : "");
		layer->inputs[k] = (uint32_t)number;
	}
	return 0;
}

static int read_padding(const json_t *json, struct error *err, struct layer *layer)
{
	const json_t *value = json_object_get(json, GRAPH_PADDING);
	const char *padding = json_string_value(value);

	if (!value)
		return 0;
	if (!padding || (strcmp(padding, GRAPH_SAME) && strcmp(padding, GRAPH_VALID)))
		return error_set(err, -EINVAL, GRAPH_PADDING " is neither " GRAPH_SAME " nor " GRAPH_VALID);
	layer->padding = strcmp(padding, GRAPH_SAME) ? WINDOW_VALID : WINDOW_SAME;
	return 0;
}

static int read_layer(const struct network *network, const json_t *json, struct error *err, struct layer *layer)
{
	const char *kind = json_string_value(json_object_get(json, GRAPH_KIND));
	uint32_t kernel[2] = {0}, strides[2] = {0};

	if (!kind || layer_kind_from_name(kind, &layer->kind))
		return error_set(err, -EINVAL, GRAPH_KIND " is %.32s, which is unknown", kind ? kind : "missing");
	int r = read_inputs(network, json, err, layer);
	if (!r)
		r = read_sizes(json, GRAPH_KERNEL, 2, err, kernel);
	if (!r)
		r = read_sizes(json, GRAPH_STRIDES, 2, err, strides);
	if (!r)
		r = read_padding(json, err, layer);
	if (!r)
		r = read_number(json, GRAPH_GROUPS, 1, err, &layer->groups);
	if (!r)
		r = read_number(json, GRAPH_CHANNELS, 0, err, &layer->n_channels);
	if (!r)
		r = read_flag(json, GRAPH_BIAS, err, &layer->has_bias);
	if (!r)
		r = read_flag(json, GRAPH_RELU, err, &layer->relu);
	if (!r)
		r = read_real(json, GRAPH_EPSILON, err, &layer->epsilon);
	if (!r)
		r = read_real(json, GRAPH_MOMENTUM, err, &layer->momentum);
	layer->kernel_height = kernel[0];
	layer->kernel_width = kernel[1];
	layer->stride_height = strides[0];
	layer->stride_width = strides[1];
	return r;
}

static int add_layers(struct network *network, const json_t *layers, struct error *err)
{
	size_t i;
	json_t *json;

	if (!json_array_size(layers))
		return error_set(err, -EINVAL, GRAPH_LAYERS " is not a list of layers");
	json_array_foreach(layers, i, json)
	{
		const char *name = json_string_value(json_object_get(json, GRAPH_NAME));
		struct layer layer = {0};

		if (!name || strlen(name) >= sizeof layer.name)
			return error_set(err, -EINVAL,
					 GRAPH_LAYERS "[%zu]." GRAPH_NAME " is not text of at most %d bytes", i,
					 LAYER_NAME_MAX - 1);
		strcpy(layer.name, name);
		int r = read_layer(network, json, err, &layer);
		if (r)
			return error_prefix(err, r, "layer %s", name);
		r = network_add(network, &layer, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Before memory is taken for the weights: the file has a tensor of the right size for each, and no other. */
static int match_tensors(const struct network *network, const struct safetensors *file, struct error *err)
{
	size_t n = 0;

	for (uint32_t i = 0; i < network->n_layers; i++) {
		for (uint32_t t = 0; t < network->layers[i].n_tensors; t++, n++) {
			const struct layer_tensor *tensor = &network->layers[i].tensors[t];
			char name[SAFETENSORS_NAME_MAX];

			name_tensor(&network->layers[i], tensor, name);
			const struct safetensors_tensor *found = safetensors_find(file, name);
			if (!found)
				return error_set(err, -ENOENT, "tensor %s is missing", name);
			if (found->n_values != tensor->n_values)
				return error_set(err, -EINVAL, "tensor %s: %" PRIu64 " values, the layer has %zu", name,
						 found->n_values, tensor->n_values);
		}
	}
	if (n != safetensors_n_tensors(file))
		return error_set(err, -EINVAL, "%zu tensors, the graph has %zu", safetensors_n_tensors(file), n);
	return 0;
}

static int copy_weights(struct network *network, const struct safetensors *file, struct error *err)
{
	for (uint32_t i = 0; i < network->n_layers; i++) {
		for (uint32_t t = 0; t < network->layers[i].n_tensors; t++) {
			const struct layer_tensor *tensor = &network->layers[i].tensors[t];
			char name[SAFETENSORS_NAME_MAX];
			uint64_t dims[4];

			name_tensor(&network->layers[i], tensor, name);
			for (uint32_t d = 0; d < tensor->n_dims; d++)
				dims[d] = tensor->dims[d];
			int r = safetensors_copy_f32(file, name, tensor->n_dims, dims, err,
						     network->weights + tensor->offset);
			if (r)
				return r;
		}
	}
	return 0;
}

static int build(const json_t *graph, const struct safetensors *file, struct error *err, struct network **ret_network)
{
	uint32_t version = 0, sizes[3] = {0};
	struct network *network = NULL;

	int r = read_number(graph, GRAPH_VERSION_KEY, 0, err, &version);
	if (r)
		return r;
	if (version != GRAPH_VERSION)
		return error_set(err, -EINVAL, GRAPH_VERSION_KEY " is %u, %d is known", version, GRAPH_VERSION);
	r = read_sizes(graph, GRAPH_INPUT, 3, err, sizes);
	if (!r)
		r = network_create((struct shape){sizes[0], sizes[1], sizes[2]}, err, &network);
	if (!r)
		r = add_layers(network, json_object_get(graph, GRAPH_LAYERS), err);
	if (!r)
		r = match_tensors(network, file, err);
	if (!r)
		r = network_complete(network, err);
	if (!r)
		r = copy_weights(network, file, err);
	if (r) {
		network_destroy(network);
		return r;
	}
	*ret_network = network;
	return 0;
}

int graph_decode(const struct safetensors *file, struct error *err, struct network **ret_network)
{
	const char *text = safetensors_metadata(file, GRAPH_METADATA_KEY);
	json_error_t json_error;

	if (!text)
		return error_set(err, -ENOENT, "the file holds no network: its metadata have no " GRAPH_METADATA_KEY);
	json_t *graph = json_loads(text, JSON_REJECT_DUPLICATES, &json_error);
	if (!graph)
		return error_set(err, -EINVAL, GRAPH_METADATA_KEY ": %s (column %d)", json_error.text,
				 json_error.column);
	int r = build(graph, file, err, ret_network);
	if (r)
		error_prefix(err, r, GRAPH_METADATA_KEY);
	json_decref(graph);
	return r;
}
