/* Reads a Keras 3 archive (.keras: a zip of config.json and model.weights.h5) as a network.
 *
 * Functional and Sequential models of: InputLayer, Conv2D, SeparableConv2D, DepthwiseConv2D, BatchNormalization,
 * Activation (relu, linear), ReLU, Add, MaxPooling2D, AveragePooling2D, Flatten, Dense. What is not supported is named.
 */
#ifndef EVOKED_MODELS_CONVERTER_KERAS_H
#define EVOKED_MODELS_CONVERTER_KERAS_H

#include "models/network.h"
#include "support/error.h"

/* Subtracted from the image before the first layer. */
struct keras_mean {
	enum keras_mean_kind {
		KERAS_MEAN_PUBLISHED, /* that of the published compact models, where the input is theirs: 112 x 112 x 3
				       */
		KERAS_MEAN_NONE,
		KERAS_MEAN_GIVEN,
	} kind;
	float rgb[3]; /* KERAS_MEAN_GIVEN */
};

/* -EINVAL names file, layer and field; -ENOTSUP names what is not supported. */
int keras_read(const char *path, const struct keras_mean *mean, struct error *err, struct network **ret_network);

#endif
