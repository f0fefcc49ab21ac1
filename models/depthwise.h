/* Depthwise convolution of one image: each channel by its own kernel; forward and both gradients.
 *
 * kernel [kh, kw, c]; in [h, w, c]; out [h', w', c]; shapes and padding from the window. Gradients are added to what is
 * there. Thread: any. */
#ifndef EVOKED_MODELS_DEPTHWISE_H
#define EVOKED_MODELS_DEPTHWISE_H

#include <stdbool.h>
#include <stddef.h>

#include "models/window.h"

/* Floats of scratch that depthwise_forward() wants. */
size_t depthwise_scratch(const struct window *w);

/* bias [c] or NULL; relu: max(0, ·) over the output. */
void depthwise_forward(const struct window *w, const float *kernel, const float *bias, bool relu, const float *in,
		       float *scratch, float *ret_out);
void depthwise_input_gradient(const struct window *w, const float *kernel, const float *out_gradient,
			      float *in_gradient);

/* bias_gradient may be NULL. */
void depthwise_weight_gradient(const struct window *w, const float *in, const float *out_gradient,
			       float *kernel_gradient, float *bias_gradient);

#endif
