/* Batch normalization: y = gamma (x - mean) / sqrt(variance + epsilon) + beta, a channel at a time.
 *
 * In training mean and variance are the minibatch's over images and places; the caller sums pieces of the minibatch in
 * a fixed order. x [n_rows, c]: n_rows = images times places. Thread: any. */
#ifndef EVOKED_MODELS_BATCH_NORM_H
#define EVOKED_MODELS_BATCH_NORM_H

#include <stdbool.h>
#include <stddef.h>

/* ret_scale = gamma / sqrt(variance + epsilon), ret_shift = beta - mean scale, [c] each. */
void batch_norm_coefficients(size_t c, const float *gamma, const float *beta, const float *mean, const float *variance,
			     float epsilon, float *ret_scale, float *ret_shift);

/* ret_y = x scale + shift, then max(0, ·) if relu. */
void batch_norm_apply(const float *x, size_t n_rows, size_t c, const float *scale, const float *shift, bool relu,
		      float *ret_y);

/* Add to sums over rows, [c] each: of x; of (x - mean)^2; of dy and of dy (x - mean). */
void batch_norm_add_sums(const float *x, size_t n_rows, size_t c, double *sums);
void batch_norm_add_squares(const float *x, size_t n_rows, size_t c, const float *mean, double *sums);
void batch_norm_add_gradient_sums(const float *x, const float *dy, size_t n_rows, size_t c, const float *mean,
				  double *sums_dy, double *sums_dy_x);

/* dx += dy a + (x - mean) b + k, [c] each: what the gradient of a normalized channel comes to once its sums are known.
 */
void batch_norm_input_gradient(const float *x, const float *dy, size_t n_rows, size_t c, const float *mean,
			       const float *a, const float *b, const float *k, float *dx);

#endif
