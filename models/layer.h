/* One layer of a network: what it does, its shapes and its weights' places.
 *
 * Maps are float32 [height, width, channels] per image (NHWC). A layer names its inputs by the numbers of earlier
 * layers; layer 0 is the input. Windows slide as in TensorFlow: `same` padding gives ceil(in / stride) outputs and puts
 * the odd row or column after ("stride 2 on even sizes: one before, two after" for 5×5); average pooling counts only
 * what lies inside. A separable convolution is a depthwise layer and a 1×1 convolution; the factorized readout is a 1×1
 * convolution to one map a unit and a depthwise layer whose window is the whole map. */
#ifndef EVOKED_MODELS_LAYER_H
#define EVOKED_MODELS_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/window.h"
#include "support/error.h"

enum layer_kind {
	LAYER_INPUT,
	LAYER_CENTER,	   /* input minus a mean for each channel (weights: mean [c]) */
	LAYER_CONVOLUTION, /* kernel [kh, kw, c_in / groups, c_out], bias [c_out] */
	LAYER_DEPTHWISE,   /* kernel [kh, kw, c], bias [c] */
	LAYER_BATCH_NORM,  /* gamma, beta, mean, variance [c] each; the last two are moving statistics */
	LAYER_RELU,
	LAYER_ADD, /* two inputs of one shape */
	LAYER_MAX_POOL,
	LAYER_AVERAGE_POOL,
	LAYER_FLATTEN, /* to [1, 1, h w c] */
	LAYER_DENSE,   /* kernel [h w c, c_out], bias [c_out]; any input shape is taken flat */
};
enum { LAYER_N_KINDS = LAYER_DENSE + 1 };

enum {
	LAYER_NAME_MAX = 64, /* with its NUL */
	LAYER_INPUTS_MAX = 2,
	LAYER_TENSORS_MAX = 4,
	LAYER_SIDE_MAX = 4096,	      /* height, width, kernel side, stride */
	LAYER_CHANNELS_MAX = 1 << 20, /* of a map; of a flattened map too */
	LAYER_VALUES_MAX = 1 << 27,   /* of one map; of one weight tensor */
};

struct layer_tensor {
	const char *role; /* "kernel", "bias", "gamma", ...; static */
	uint32_t n_dims;
	uint32_t dims[4];
	size_t n_values;
	size_t offset; /* into network.weights; a multiple of 16 floats */
	bool trainable;
};

struct layer {
	/* Said by whoever adds the layer; zeros mean the ordinary: one input, stride 1, one group. */
	enum layer_kind kind;
	char name[LAYER_NAME_MAX]; /* unique in its network, not empty */
	uint32_t n_inputs, inputs[LAYER_INPUTS_MAX];
	uint32_t kernel_height, kernel_width, stride_height, stride_width;
	enum window_padding padding;
	uint32_t groups;
	uint32_t n_channels; /* of the output of a convolution or dense layer */
	bool has_bias;	     /* convolution, depthwise, dense */
	bool relu;	     /* max(0, ·) over the output: convolution, depthwise, dense, batch norm, add */
	float epsilon;	     /* batch norm: added to the variance; 0 means 1e-3 */
	float momentum;	     /* batch norm: of the moving statistics in training; 0 means 0.99 */

	/* Set by network_add(). */
	struct shape in, out;
	struct window window; /* of kinds that have one; a dense layer's is unused */
	uint32_t n_tensors;
	struct layer_tensor tensors[LAYER_TENSORS_MAX];
};

/* Fills in what network_add() sets, from the inputs' shapes. -EINVAL names the layer, the field and its limit. */
int layer_complete(struct layer *layer, const struct shape *in, size_t n_in, struct error *err);

/* "convolution"; NULL for a number that is no kind. And back, or -ENOENT. */
const char *layer_kind_name(enum layer_kind kind);
int layer_kind_from_name(const char *name, enum layer_kind *ret_kind);

/* Whether layers of this kind have a relu of their own. */
bool layer_takes_relu(enum layer_kind kind);

/* The tensor of that role, or NULL. */
const struct layer_tensor *layer_tensor(const struct layer *layer, const char *role);

#endif
