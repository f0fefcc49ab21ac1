/* Three passes: config.json builds the network layer by layer and notes which variable fills which tensor; then the
 * weights file fills them; then the network is cut at the model's output. Errors begin with the archive's name and the
 * layer's. */
#include "models/converter/keras.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/converter/keras_layer.h"
#include "models/converter/keras_weights.h"
#include "support/archive.h"

enum {
	CONFIG_BYTES_MAX = 16 << 20,
	WEIGHTS_BYTES_MAX = 1 << 30,
	GROUP_MAX = 96,
};

/* The input's mean that the published compact models take off (method.md §2), and the input that tells them. */
static const float published_mean[3] = {116.222f, 109.270f, 100.381f};
static const struct shape published_input = {112, 112, 3};

/* Where one variable of the weights file goes. */
struct variable {
	char group[GROUP_MAX];
	uint32_t index, layer;
	const char *role;
};

/* A Keras layer that was read: its name and the layer of ours that gives its output. */
struct output {
	char name[LAYER_NAME_MAX];
	uint32_t layer;
};

struct reader {
	struct network *network;
	struct output outputs[NETWORK_LAYERS_MAX];
	size_t n_outputs;
	struct variable variables[NETWORK_LAYERS_MAX * LAYER_TENSORS_MAX];
	size_t n_variables;
	struct {
		const char *group;
		uint32_t n;
	} counts[16]; /* layers of each class so far, which number the groups */
	const json_t *layers;
	bool is_sequential;
};

static int find_output(const struct reader *reader, const char *name, struct error *err, uint32_t *ret_layer)
{
	for (size_t i = 0; i < reader->n_outputs; i++) {
		if (!strcmp(reader->outputs[i].name, name)) {
			*ret_layer = reader->outputs[i].layer;
			return 0;
		}
	}
	return error_set(err, -EINVAL, "its input %.64s is no earlier layer", name);
}

static int note_output(struct reader *reader, const char *name, uint32_t layer, struct error *err)
{
	struct output *output = &reader->outputs[reader->n_outputs];

	if (reader->n_outputs == NETWORK_LAYERS_MAX)
		return error_set(err, -EINVAL, "more than %d layers", NETWORK_LAYERS_MAX);
	if (strlen(name) >= LAYER_NAME_MAX)
		return error_set(err, -EINVAL, "its name has more than %d bytes", LAYER_NAME_MAX - 1);
	strcpy(output->name, name);
	output->layer = layer;
	reader->n_outputs++;
	return 0;
}

/* Collects the layers whose tensors appear in the arguments of a call: lists in lists, objects with "keras_history". */
static int collect_inputs(const struct reader *reader, const json_t *argument, struct error *err, struct layer *layer)
{
	const json_t *history = json_object_get(json_object_get(argument, "config"), "keras_history");
	const char *name = json_string_value(json_array_get(history, 0));

	for (size_t i = 0; i < json_array_size(argument); i++) {
		int r = collect_inputs(reader, json_array_get(argument, i), err, layer);

		if (r)
			return r;
	}
	if (!name)
		return 0;
	if (layer->n_inputs == LAYER_INPUTS_MAX)
		return error_set(err, -ENOTSUP, "more than %d inputs are not supported", LAYER_INPUTS_MAX);
	return find_output(reader, name, err, &layer->inputs[layer->n_inputs++]);
}

/* Fills n_inputs and inputs. */
static int read_inputs(const struct reader *reader, const json_t *json, struct error *err, struct layer *layer)
{
	const json_t *nodes = json_object_get(json, "inbound_nodes");

	layer->n_inputs = 0;
	if (reader->is_sequential) {
		layer->n_inputs = 1;
		layer->inputs[0] = reader->outputs[reader->n_outputs - 1].layer;
		return 0;
	}
	if (json_array_size(nodes) != 1)
		return error_set(err, -ENOTSUP, "it is called %zu times; once is supported", json_array_size(nodes));
	int r = collect_inputs(reader, json_object_get(json_array_get(nodes, 0), "args"), err, layer);
	if (!r && !layer->n_inputs)
		r = error_set(err, -EINVAL, "inbound_nodes name no input");
	return r;
}

static int add_center(struct reader *reader, const struct keras_mean *mean, struct error *err)
{
	struct layer center = {.kind = LAYER_CENTER, .name = "center"};
	struct shape in = network_input(reader->network);
	bool is_published = !memcmp(&in, &published_input, sizeof in);

	if (mean->kind == KERAS_MEAN_NONE || (mean->kind == KERAS_MEAN_PUBLISHED && !is_published))
		return 0;
	if (in.channels != 3)
		return error_set(err, -EINVAL, "a mean was given, the input has %u channels", in.channels);
	int number = network_add(reader->network, &center, err);
	return number < 0 ? number : 0;
}

static int read_input_layer(struct reader *reader, const json_t *json, const struct keras_mean *mean, struct error *err)
{
	const json_t *config = json_object_get(json, "config");
	const json_t *sizes = json_object_get(config, "batch_shape");
	const char *name = json_string_value(json_object_get(config, "name"));
	uint32_t size[3];

	if (reader->network)
		return error_set(err, -ENOTSUP, "a second input is not supported");
	if (!name || json_array_size(sizes) != 4)
		return error_set(err, -EINVAL, "batch_shape is not [null, height, width, channels]");
	for (size_t i = 0; i < 3; i++) {
		json_int_t value = json_integer_value(json_array_get(sizes, i + 1));

		if (value < 1 || value > LAYER_CHANNELS_MAX)
			return error_set(err, -EINVAL, "batch_shape[%zu] is not a size from 1 to %d", i + 1,
					 LAYER_CHANNELS_MAX);
		size[i] = (uint32_t)value;
	}
	int r = network_create((struct shape){size[0], size[1], size[2]}, err, &reader->network);
	if (!r)
		r = add_center(reader, mean, err);
	return r ? r : note_output(reader, name, reader->network->n_layers - 1, err);
}

/* "conv2d" for the first of its class, "conv2d_1" for the second. */
static void name_group(struct reader *reader, const char *group, char ret_name[GROUP_MAX])
{
	size_t i = 0;

	while (reader->counts[i].group && strcmp(reader->counts[i].group, group))
		i++;
	reader->counts[i].group = group;
	uint32_t n = reader->counts[i].n++;
	if (n)
		snprintf(ret_name, GROUP_MAX, "%s_%u", group, n);
	else
		snprintf(ret_name, GROUP_MAX, "%s", group);
}

static int add_parts(struct reader *reader, struct keras_layer *layer, const struct layer *inputs, struct error *err,
		     uint32_t *ret_last)
{
	uint32_t last = inputs->inputs[0], numbers[KERAS_LAYER_PARTS_MAX];
	char group[GROUP_MAX];

	for (uint32_t part = 0; part < layer->n_parts; part++) {
		layer->parts[part].n_inputs = part ? 1 : inputs->n_inputs;
		layer->parts[part].inputs[0] = last;
		layer->parts[part].inputs[1] = part ? 0 : inputs->inputs[1];
		int number = network_add(reader->network, &layer->parts[part], err);
		if (number < 0)
			return number;
		last = numbers[part] = (uint32_t)number;
	}
	if (layer->group)
		name_group(reader, layer->group, group);
	for (uint32_t i = 0; i < layer->n_variables; i++) {
		struct variable *variable = &reader->variables[reader->n_variables++];

		snprintf(variable->group, sizeof variable->group, "%s", group);
		variable->index = i;
		variable->layer = numbers[layer->variables[i].part];
		variable->role = layer->variables[i].role;
	}
	*ret_last = last;
	return 0;
}

static int read_layer(struct reader *reader, const json_t *json, const struct keras_mean *mean, struct error *err)
{
	const char *class_name = json_string_value(json_object_get(json, "class_name"));
	struct layer inputs = {0};
	struct keras_layer layer;
	uint32_t last;

	if (class_name && !strcmp(class_name, "InputLayer"))
		return read_input_layer(reader, json, mean, err);
	if (!reader->network)
		return error_set(err, -ENOTSUP, "a model whose first layer is not an InputLayer is not supported");
	int r = read_inputs(reader, json, err, &inputs);
	if (!r)
		r = keras_layer_parse(json, reader->network->layers[inputs.inputs[0]].out, err, &layer);
	if (!r)
		r = add_parts(reader, &layer, &inputs, err, &last);
	if (!r)
		r = note_output(reader, json_string_value(json_object_get(json_object_get(json, "config"), "name")),
				last, err);
	return r;
}

static int read_layers(struct reader *reader, const json_t *config, const struct keras_mean *mean, struct error *err)
{
	const char *class_name = json_string_value(json_object_get(config, "class_name"));
	const json_t *layers = json_object_get(json_object_get(config, "config"), "layers");
	size_t i;
	json_t *json;

	if (!class_name || (strcmp(class_name, "Functional") && strcmp(class_name, "Sequential")))
		return error_set(err, -ENOTSUP,
				 "config.json: a model of class %.64s is not supported (Functional and Sequential are)",
				 class_name ? class_name : "(missing)");
	if (!json_array_size(layers))
		return error_set(err, -EINVAL, "config.json: config.layers is not a list of layers");
	reader->is_sequential = !strcmp(class_name, "Sequential");
	json_array_foreach(layers, i, json)
	{
		const char *name = json_string_value(json_object_get(json_object_get(json, "config"), "name"));
		int r = read_layer(reader, json, mean, err);

		if (r)
			return error_prefix(err, r, "config.json: layer %zu (%.64s)", i,
					    name ? name : "without a name");
	}
	return 0;
}

/* The model's one output: the last layer of a sequential model. */
static int find_model_output(const struct reader *reader, const json_t *config, struct error *err, uint32_t *ret_layer)
{
	const json_t *outputs = json_object_get(json_object_get(config, "config"), "output_layers");
	const json_t *first = json_array_get(outputs, 0);

	if (reader->is_sequential) {
		*ret_layer = reader->outputs[reader->n_outputs - 1].layer;
		return 0;
	}
	/* [["name", 0, 0]], or ["name", 0, 0] when there is one. */
	if (json_is_array(first) && json_array_size(outputs) > 1)
		return error_set(err, -ENOTSUP, "config.json: %zu outputs, one is supported", json_array_size(outputs));
	const char *name = json_string_value(json_is_array(first) ? json_array_get(first, 0) : first);
	if (!name)
		return error_set(err, -EINVAL, "config.json: output_layers names no layer");
	int r = find_output(reader, name, err, ret_layer);
	return r ? error_prefix(err, r, "config.json: output_layers") : 0;
}

static int read_entry(struct archive *archive, const char *name, size_t max, struct error *err, void **ret_data,
		      size_t *ret_size)
{
	size_t i;

	if (archive_find(archive, name, &i))
		return error_set(err, -EINVAL, "not a Keras 3 archive: it has no %s", name);
	return archive_read(archive, i, max, err, ret_data, ret_size);
}

static int read_weights(struct reader *reader, struct archive *archive, struct error *err)
{
	struct keras_weights *weights;
	void *data;
	size_t size;

	int r = read_entry(archive, "model.weights.h5", WEIGHTS_BYTES_MAX, err, &data, &size);
	if (r)
		return r;
	r = keras_weights_open(data, size, err, &weights);
	free(data);
	if (r)
		return error_prefix(err, r, "model.weights.h5");
	for (size_t i = 0; i < reader->n_variables && !r; i++) {
		const struct variable *v = &reader->variables[i];
		const struct layer_tensor *tensor = layer_tensor(&reader->network->layers[v->layer], v->role);

		r = keras_weights_read(weights, v->group, v->index, tensor->n_values, err,
				       reader->network->weights + tensor->offset);
		if (r)
			error_prefix(err, r, "layer %s", reader->network->layers[v->layer].name);
	}
	keras_weights_close(weights);
	return r;
}

static void fill_center(struct network *network, const struct keras_mean *mean)
{
	const float *from = mean->kind == KERAS_MEAN_GIVEN ? mean->rgb : published_mean;

	for (uint32_t i = 0; i < network->n_layers; i++) {
		if (network->layers[i].kind == LAYER_CENTER)
			memcpy(network_tensor(network, i, "mean"), from, sizeof published_mean);
	}
}

static int read_archive(struct reader *reader, struct archive *archive, const struct keras_mean *mean,
			struct error *err, struct network **ret_network)
{
	json_error_t json_error;
	void *text;
	size_t size;
	uint32_t last = 0;

	int r = read_entry(archive, "config.json", CONFIG_BYTES_MAX, err, &text, &size);
	if (r)
		return r;
	json_t *config = json_loadb(text, size, 0, &json_error);
	free(text);
	if (!config)
		return error_set(err, -EINVAL, "config.json: %s (line %d, column %d)", json_error.text, json_error.line,
				 json_error.column);
	r = read_layers(reader, config, mean, err);
	if (!r)
		r = find_model_output(reader, config, err, &last);
	if (!r)
		r = network_complete(reader->network, err);
	if (!r)
		r = read_weights(reader, archive, err);
	if (!r) {
		fill_center(reader->network, mean);
		r = network_cut(reader->network, last, err, ret_network);
	}
	json_decref(config);
	return r;
}

int keras_read(const char *path, const struct keras_mean *mean, struct error *err, struct network **ret_network)
{
	struct reader *reader = calloc(1, sizeof *reader);
	struct archive *archive = NULL;

	if (!reader)
		return error_set(err, -ENOMEM, "%s: out of memory", path);
	int r = archive_open(path, err, &archive);
	if (!r) {
		r = read_archive(reader, archive, mean, err, ret_network);
		if (r)
			error_prefix(err, r, "%s", path);
	}
	archive_close(archive);
	network_destroy(reader->network);
	free(reader);
	return r;
}
