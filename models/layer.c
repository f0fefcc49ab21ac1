/* One table says what each kind is called and which fields it has; completing a layer checks the fields against their
 * limits, places its window and lists its weights. Failure: -EINVAL with the layer's name, the field and what was
 * found. */
#include "models/layer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	uint32_t n_inputs;
	bool has_window, has_channels, takes_relu;
} kinds[LAYER_N_KINDS] = {
	[LAYER_INPUT] = {"input", 0, false, false, false},
	[LAYER_CENTER] = {"center", 1, false, false, false},
	[LAYER_CONVOLUTION] = {"convolution", 1, true, true, true},
	[LAYER_DEPTHWISE] = {"depthwise", 1, true, false, true},
	[LAYER_BATCH_NORM] = {"batch_norm", 1, false, false, true},
	[LAYER_RELU] = {"relu", 1, false, false, false},
	[LAYER_ADD] = {"add", 2, false, false, true},
	[LAYER_MAX_POOL] = {"max_pool", 1, true, false, false},
	[LAYER_AVERAGE_POOL] = {"average_pool", 1, true, false, false},
	[LAYER_FLATTEN] = {"flatten", 1, false, false, false},
	[LAYER_DENSE] = {"dense", 1, false, true, true},
};

const char *layer_kind_name(enum layer_kind kind)
{
	return (unsigned)kind < LAYER_N_KINDS ? kinds[kind].name : NULL;
}

int layer_kind_from_name(const char *name, enum layer_kind *ret_kind)
{
	for (unsigned i = 0; i < LAYER_N_KINDS; i++) {
		if (!strcmp(name, kinds[i].name)) {
			*ret_kind = (enum layer_kind)i;
			return 0;
		}
	}
	return -ENOENT;
}

bool layer_takes_relu(enum layer_kind kind)
{
	return kinds[kind].takes_relu;
}

const struct layer_tensor *layer_tensor(const struct layer *layer, const char *role)
{
	for (uint32_t i = 0; i < layer->n_tensors; i++) {
		if (!strcmp(layer->tensors[i].role, role))
			return &layer->tensors[i];
	}
	return NULL;
}

static int check_range(const struct layer *layer, const char *field, uint64_t value, uint64_t low, uint64_t high,
		       struct error *err)
{
	if (value >= low && value <= high)
		return 0;
	return error_set(err, -EINVAL, "layer %s: %s is %" PRIu64 ", %" PRIu64 " to %" PRIu64 " are possible",
			 layer->name, field, value, low, high);
}

static int check_shape(const struct layer *layer, struct shape shape, struct error *err)
{
	int r = check_range(layer, "height", shape.height, 1, LAYER_SIDE_MAX, err);

	if (!r)
		r = check_range(layer, "width", shape.width, 1, LAYER_SIDE_MAX, err);
	if (!r)
		r = check_range(layer, "channels", shape.channels, 1, LAYER_CHANNELS_MAX, err);
	if (!r)
		r = check_range(layer, "values of the map", shape_n_values(shape), 1, LAYER_VALUES_MAX, err);
	return r;
}

static int check_name(const struct layer *layer, struct error *err)
{
	size_t length = strnlen(layer->name, sizeof layer->name);

	if (!length || length == sizeof layer->name)
		return error_set(err, -EINVAL, "layer: its name must have 1 to %d bytes", LAYER_NAME_MAX - 1);
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)layer->name[i];

		if (c < 0x20 || c == 0x7f)
			return error_set(err, -EINVAL, "layer: byte %zu of its name is a control character", i);
	}
	return 0;
}

/* Outputs along one side, and the padding before; TensorFlow's rules. */
static uint32_t place_window(uint32_t in, uint32_t kernel, uint32_t stride, enum window_padding padding,
			     uint32_t *ret_pad)
{
	*ret_pad = 0;
	if (padding == WINDOW_VALID)
		return in < kernel ? 0 : (in - kernel) / stride + 1;
	uint32_t out = (in + stride - 1) / stride;
	uint32_t covered = (out - 1) * stride + kernel;

	if (covered > in)
		*ret_pad = (covered - in) / 2;
	return out;
}

static int complete_window(struct layer *layer, struct error *err)
{
	struct window *w = &layer->window;
	const struct {
		const char *field;
		uint32_t value;
	} sides[] = {
		{"kernel height", layer->kernel_height},
		{"kernel width", layer->kernel_width},
		{"stride height", layer->stride_height},
		{"stride width", layer->stride_width},
	};

	for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
		int r = check_range(layer, sides[i].field, sides[i].value, 1, LAYER_SIDE_MAX, err);

		if (r)
			return r;
	}
	w->in = layer->in;
	w->kernel_height = layer->kernel_height;
	w->kernel_width = layer->kernel_width;
	w->stride_height = layer->stride_height;
	w->stride_width = layer->stride_width;
	w->groups = layer->groups;
	w->out.height = place_window(w->in.height, w->kernel_height, w->stride_height, layer->padding, &w->pad_top);
	w->out.width = place_window(w->in.width, w->kernel_width, w->stride_width, layer->padding, &w->pad_left);
	w->out.channels = layer->kind == LAYER_CONVOLUTION ? layer->n_channels : layer->in.channels;
	if (!w->out.height || !w->out.width)
		return error_set(err, -EINVAL, "layer %s: its %u x %u window does not fit into %u x %u", layer->name,
				 w->kernel_height, w->kernel_width, w->in.height, w->in.width);
	layer->out = w->out;
	return 0;
}

static int check_groups(const struct layer *layer, struct error *err)
{
	if (layer->groups > 1 && layer->kind != LAYER_CONVOLUTION)
		return error_set(err, -EINVAL, "layer %s: groups are for convolutions", layer->name);
	if (!layer->groups || layer->in.channels % layer->groups ||
	    (layer->kind == LAYER_CONVOLUTION && layer->n_channels % layer->groups))
		return error_set(err, -EINVAL, "layer %s: %u groups do not divide %u channels in and %u out",
				 layer->name, layer->groups, layer->in.channels, layer->n_channels);
	return 0;
}

static void add_tensor(struct layer *layer, const char *role, bool trainable, uint32_t n_dims, const uint32_t *dims)
{
	struct layer_tensor *t = &layer->tensors[layer->n_tensors++];

	*t = (struct layer_tensor){.role = role, .n_dims = n_dims, .n_values = 1, .trainable = trainable};
	for (uint32_t i = 0; i < n_dims; i++) {
		t->dims[i] = dims[i];
		t->n_values *= dims[i];
	}
}

static void list_tensors(struct layer *layer)
{
	const uint32_t in = layer->in.channels, out = layer->out.channels;
	const uint32_t kh = layer->kernel_height, kw = layer->kernel_width;

	layer->n_tensors = 0;
	switch (layer->kind) {
	case LAYER_CENTER:
		add_tensor(layer, "mean", false, 1, &in);
		return;
	case LAYER_CONVOLUTION:
		add_tensor(layer, "kernel", true, 4, (const uint32_t[]){kh, kw, in / layer->groups, out});
		break;
	case LAYER_DEPTHWISE:
		add_tensor(layer, "kernel", true, 3, (const uint32_t[]){kh, kw, in});
		break;
	case LAYER_DENSE:
		add_tensor(layer, "kernel", true, 2, (const uint32_t[]){(uint32_t)shape_n_values(layer->in), out});
		break;
	case LAYER_BATCH_NORM:
		add_tensor(layer, "gamma", true, 1, &out);
		add_tensor(layer, "beta", true, 1, &out);
		add_tensor(layer, "mean", false, 1, &out);
		add_tensor(layer, "variance", false, 1, &out);
		return;
	case LAYER_INPUT:
	case LAYER_RELU:
	case LAYER_ADD:
	case LAYER_MAX_POOL:
	case LAYER_AVERAGE_POOL:
	case LAYER_FLATTEN:
		return;
	}
	if (layer->has_bias)
		add_tensor(layer, "bias", true, 1, &out);
}

static void fill_defaults(struct layer *layer)
{
	if (!layer->n_inputs)
		layer->n_inputs = kinds[layer->kind].n_inputs;
	if (!layer->stride_height)
		layer->stride_height = 1;
	if (!layer->stride_width)
		layer->stride_width = layer->stride_height;
	if (!layer->groups)
		layer->groups = 1;
	if (layer->epsilon == 0.0f)
		layer->epsilon = 1e-3f;
	if (layer->momentum == 0.0f)
		layer->momentum = 0.99f;
}

static int check_fields(const struct layer *layer, struct error *err)
{
	int r = 0;

	if (layer->relu && !kinds[layer->kind].takes_relu)
		return error_set(err, -EINVAL, "layer %s: a %s has no relu of its own", layer->name,
				 kinds[layer->kind].name);
	if (!(layer->epsilon > 0.0f && layer->epsilon < 1e3f))
		return error_set(err, -EINVAL, "layer %s: epsilon is %g, above 0 and below 1000 is possible",
				 layer->name, (double)layer->epsilon);
	if (!(layer->momentum > 0.0f && layer->momentum <= 1.0f))
		return error_set(err, -EINVAL, "layer %s: momentum is %g, above 0 and up to 1 is possible", layer->name,
				 (double)layer->momentum);
	if (kinds[layer->kind].has_channels)
		r = check_range(layer, "channels", layer->n_channels, 1, LAYER_CHANNELS_MAX, err);
	return r ? r : check_groups(layer, err);
}

static int complete_shapes(struct layer *layer, const struct shape *in, struct error *err)
{
	layer->in = in[0];
	layer->out = in[0];
	switch (layer->kind) {
	case LAYER_CONVOLUTION:
	case LAYER_DEPTHWISE:
	case LAYER_MAX_POOL:
	case LAYER_AVERAGE_POOL:
		return complete_window(layer, err);
	case LAYER_FLATTEN:
		layer->out = (struct shape){1, 1, (uint32_t)shape_n_values(layer->in)};
		return 0;
	case LAYER_DENSE:
		layer->out = (struct shape){1, 1, layer->n_channels};
		return 0;
	case LAYER_ADD:
		if (memcmp(&in[0], &in[1], sizeof in[0]))
			return error_set(err, -EINVAL, "layer %s: adds %u x %u x %u to %u x %u x %u", layer->name,
					 in[0].height, in[0].width, in[0].channels, in[1].height, in[1].width,
					 in[1].channels);
		return 0;
	case LAYER_INPUT:
	case LAYER_CENTER:
	case LAYER_BATCH_NORM:
	case LAYER_RELU:
		return 0;
	}
	return -EINVAL;
}

int layer_complete(struct layer *layer, const struct shape *in, size_t n_in, struct error *err)
{
	struct layer done = *layer;

	int r = check_name(&done, err);
	if (r)
		return r;
	if ((unsigned)done.kind >= LAYER_N_KINDS)
		return error_set(err, -EINVAL, "layer %s: kind %d is unknown", done.name, (int)done.kind);
	fill_defaults(&done);
	/* The input layer's one "input" is the shape itself. */
	size_t n_expected = done.kind == LAYER_INPUT ? 1 : kinds[done.kind].n_inputs;
	if (n_in != n_expected || done.n_inputs != kinds[done.kind].n_inputs)
		return error_set(err, -EINVAL, "layer %s: %zu inputs, a %s has %zu", done.name, n_in,
				 kinds[done.kind].name, n_expected);
	r = check_shape(&done, in[0], err);
	if (!r)
		r = complete_shapes(&done, in, err);
	if (!r)
		r = check_shape(&done, done.out, err);
	if (!r)
		r = check_fields(&done, err);
	if (r)
		return r;
	list_tensors(&done);
	for (uint32_t i = 0; i < done.n_tensors; i++) {
		r = check_range(&done, done.tensors[i].role, done.tensors[i].n_values, 1, LAYER_VALUES_MAX, err);
		if (r)
			return r;
	}
	*layer = done;
	return 0;
}
