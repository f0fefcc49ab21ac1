/* Max and average pooling of one image, with the gradient of the input.
 *
 * in [h, w, c]; out [h', w', c]; shapes and padding from the window. The average counts what lies inside the map, as
 * TensorFlow's does. The gradient of a maximum goes to its first place in row order. Gradients are added to what is
 * there. Thread: any. */
#ifndef EVOKED_MODELS_POOLING_H
#define EVOKED_MODELS_POOLING_H

#include "models/window.h"

void pooling_max_forward(const struct window *w, const float *in, float *ret_out);
void pooling_max_gradient(const struct window *w, const float *in, const float *out_gradient, float *in_gradient);

void pooling_average_forward(const struct window *w, const float *in, float *ret_out);
void pooling_average_gradient(const struct window *w, const float *out_gradient, float *in_gradient);

#endif
