/* Loops over rows with the channels inside; sums in double. Nothing fails. */
#include "models/batch_norm.h"

#include <math.h>

#include "models/simd.h"
#include "models/tensor.h"

void batch_norm_coefficients(size_t c, const float *gamma, const float *beta, const float *mean, const float *variance,
			     float epsilon, float *ret_scale, float *ret_shift)
{
	for (size_t i = 0; i < c; i++) {
		double scale = (double)gamma[i] / sqrt((double)variance[i] + (double)epsilon);

		ret_scale[i] = (float)scale;
		ret_shift[i] = (float)((double)beta[i] - (double)mean[i] * scale);
	}
}

SIMD_CLONES
void batch_norm_apply(const float *x, size_t n_rows, size_t c, const float *scale, const float *shift, bool relu,
		      float *ret_y)
{
	for (size_t row = 0; row < n_rows; row++) {
		for (size_t i = 0; i < c; i++) {
			float y = x[row * c + i] * scale[i] + shift[i];

			ret_y[row * c + i] = relu && y < 0.0f ? 0.0f : y;
		}
	}
}

SIMD_CLONES
void batch_norm_add_sums(const float *x, size_t n_rows, size_t c, double *sums)
{
	for (size_t row = 0; row < n_rows; row++) {
		for (size_t i = 0; i < c; i++)
			sums[i] += (double)x[row * c + i];
	}
}

SIMD_CLONES
void batch_norm_add_squares(const float *x, size_t n_rows, size_t c, const float *mean, double *sums)
{
	for (size_t row = 0; row < n_rows; row++) {
		for (size_t i = 0; i < c; i++) {
			double d = (double)(x[row * c + i] - mean[i]);

			sums[i] += d * d;
		}
	}
}

SIMD_CLONES
void batch_norm_add_gradient_sums(const float *x, const float *dy, size_t n_rows, size_t c, const float *mean,
				  double *sums_dy, double *sums_dy_x)
{
	for (size_t row = 0; row < n_rows; row++) {
		for (size_t i = 0; i < c; i++) {
			double d = (double)dy[row * c + i];

			sums_dy[i] += d;
			sums_dy_x[i] += d * (double)(x[row * c + i] - mean[i]);
		}
	}
}

SIMD_CLONES
void batch_norm_input_gradient(const float *x, const float *dy, size_t n_rows, size_t c, const float *mean,
			       const float *a, const float *b, const float *k, float *dx)
{
	for (size_t row = 0; row < n_rows; row++) {
		for (size_t i = 0; i < c; i++) {
			size_t j = row * c + i;

			dx[j] += dy[j] * a[i] + (x[j] - mean[i]) * b[i] + k[i];
		}
	}
}
