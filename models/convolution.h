/* Convolution of one image: any kernel, stride, groups; forward, gradient of the input, gradient of the weights.
 *
 * kernel [kh, kw, c_in / groups, c_out]; in [h, w, c_in]; out [h', w', c_out]; shapes and padding from the window.
 * `scratch` has convolution_scratch() floats. Gradients are added to what is there. Thread: any. */
#ifndef EVOKED_MODELS_CONVOLUTION_H
#define EVOKED_MODELS_CONVOLUTION_H

#include <stdbool.h>
#include <stddef.h>

#include "models/window.h"

size_t convolution_scratch(const struct window *w);

/* bias [c_out] or NULL; relu: max(0, ·) over the output. */
void convolution_forward(const struct window *w, const float *kernel, const float *bias, bool relu, const float *in,
			 float *scratch, float *ret_out);

/* in_gradient += derivative, for out_gradient as convolution_forward() shapes it (after its relu was undone). */
void convolution_input_gradient(const struct window *w, const float *kernel, const float *out_gradient, float *scratch,
				float *in_gradient);

/* bias_gradient may be NULL. */
void convolution_weight_gradient(const struct window *w, const float *in, const float *out_gradient, float *scratch,
				 float *kernel_gradient, float *bias_gradient);

#endif
