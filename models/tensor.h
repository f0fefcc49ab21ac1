/* Float buffers aligned for vector units, and the sums and products over them that several layers share.
 *
 * Element by element, in order: the same bits on every CPU. Thread: any. */
#ifndef EVOKED_MODELS_TENSOR_H
#define EVOKED_MODELS_TENSOR_H

#include <stdbool.h>
#include <stddef.h>

#include "support/error.h"

enum { TENSOR_ALIGN = 64, TENSOR_ALIGN_VALUES = TENSOR_ALIGN / sizeof(float) };

/* n rounded up so that what follows is aligned. */
static inline size_t tensor_aligned(size_t n)
{
	return (n + TENSOR_ALIGN_VALUES - 1) / TENSOR_ALIGN_VALUES * TENSOR_ALIGN_VALUES;
}

/* n floats, zeroed, 64-byte aligned; free() releases them. -ENOMEM says what for. */
int tensor_alloc(size_t n, const char *what, struct error *err, float **ret_values);

/* row + bias (if not NULL), then max(0, ·) if relu, for each of n_rows rows of n_channels; in place. */
void tensor_add_bias(float *values, size_t n_rows, size_t n_channels, const float *bias, bool relu);

/* max(0, ·) from one buffer to another (which may be the same). */
void tensor_relu(const float *from, size_t n, float *ret_to);

/* Derivative through max(0, ·): where outputs are not above 0, gradients become 0. */
void tensor_relu_gradient(const float *outputs, size_t n, float *gradients);

/* sum += values */
void tensor_add(float *sum, const float *values, size_t n);

/* ret_sum = a + b, then max(0, ·) if relu. */
void tensor_sum(const float *a, const float *b, size_t n, bool relu, float *ret_sum);

/* sums [n_channels] += sum over rows; rows are first summed in blocks, so that long columns keep their precision. */
void tensor_add_column_sums(const float *values, size_t n_rows, size_t n_channels, float *sums);

#endif
