/* Plain loops that the compiler turns into vector code. Only allocation fails. */
#include "models/tensor.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "models/simd.h"

enum { ROWS_PER_SUM = 64, CHANNELS_PER_SUM = 64 };

int tensor_alloc(size_t n, const char *what, struct error *err, float **ret_values)
{
	if (n > SIZE_MAX / sizeof(float) / 2)
		return error_set(err, -ENOMEM, "%s: %zu values do not fit into memory", what, n);
	size_t size = tensor_aligned(n ? n : 1) * sizeof(float);
	float *values = aligned_alloc(TENSOR_ALIGN, size);
	if (!values)
		return error_set(err, -ENOMEM, "%s: no memory for %zu bytes", what, size);
	memset(values, 0, size);
	*ret_values = values;
	return 0;
}

SIMD_CLONES
static void add_row(float *values, size_t n, const float *bias)
{
	for (size_t i = 0; i < n; i++)
		values[i] += bias[i];
}

SIMD_CLONES
static void add_row_relu(float *values, size_t n, const float *bias)
{
	for (size_t i = 0; i < n; i++) {
		float value = values[i] + bias[i];

		values[i] = value < 0.0f ? 0.0f : value;
	}
}

void tensor_add_bias(float *values, size_t n_rows, size_t n_channels, const float *bias, bool relu)
{
	if (!bias) {
		if (relu)
			tensor_relu(values, n_rows * n_channels, values);
		return;
	}
	for (size_t row = 0; row < n_rows; row++) {
		if (relu)
			add_row_relu(values + row * n_channels, n_channels, bias);
		else
			add_row(values + row * n_channels, n_channels, bias);
	}
}

SIMD_CLONES
void tensor_relu(const float *from, size_t n, float *ret_to)
{
	for (size_t i = 0; i < n; i++)
		ret_to[i] = from[i] < 0.0f ? 0.0f : from[i]; /* NaN stays NaN */
}

SIMD_CLONES
void tensor_relu_gradient(const float *outputs, size_t n, float *gradients)
{
	for (size_t i = 0; i < n; i++)
		gradients[i] = outputs[i] > 0.0f ? gradients[i] : 0.0f;
}

SIMD_CLONES
void tensor_add(float *sum, const float *values, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum[i] += values[i];
}

SIMD_CLONES
void tensor_sum(const float *a, const float *b, size_t n, bool relu, float *ret_sum)
{
	for (size_t i = 0; i < n; i++)
		ret_sum[i] = a[i] + b[i];
	if (relu)
		tensor_relu(ret_sum, n, ret_sum);
}

SIMD_CLONES
void tensor_add_column_sums(const float *values, size_t n_rows, size_t n_channels, float *sums)
{
	float block[CHANNELS_PER_SUM];

	for (size_t first = 0; first < n_channels; first += CHANNELS_PER_SUM) {
		size_t n = n_channels - first < CHANNELS_PER_SUM ? n_channels - first : CHANNELS_PER_SUM;

		for (size_t top = 0; top < n_rows; top += ROWS_PER_SUM) {
			size_t bottom = n_rows - top < ROWS_PER_SUM ? n_rows : top + ROWS_PER_SUM;

			memset(block, 0, sizeof block);
			for (size_t row = top; row < bottom; row++) {
				for (size_t c = 0; c < n; c++)
					block[c] += values[row * n_channels + first + c];
			}
			for (size_t c = 0; c < n; c++)
				sums[first + c] += block[c];
		}
	}
}
