/* Batch normalization over a minibatch, spread over a pool in fixed chunks of rows; part of training.c's work.
 *
 * Sums run within a chunk in row order, then over the chunks in order: the same bits for any number of threads. */
#ifndef EVOKED_MODELS_TRAINING_NORM_H
#define EVOKED_MODELS_TRAINING_NORM_H

#include <stddef.h>

#include "models/layer.h"
#include "support/thread_pool.h"

struct training_norm {
	const struct layer *layer;
	size_t n_images, chunk;	   /* of the minibatch; images in a chunk */
	size_t n_rows;		   /* of one image: places of the map */
	size_t x_stride, y_stride; /* floats between images in x and dx, in y and dy */
	const float *x;
	float *y;
	double *sums; /* [n_chunks, 2, c], scratch */
	float *mean,
		*inverse; /* [c] each: the minibatch's mean and 1 / sqrt(variance + epsilon), kept for the way back */
	float *coefficients; /* [3, c], scratch */
};

/* Fills y, mean and inverse; moves the layer's moving statistics in `weights`. */
void training_norm_forward(struct training_norm *norm, struct thread_pool *pool, float *weights);

/* dx += the derivative (unless dx is NULL); gamma's and beta's derivatives are written into `gradients`, laid out like
 * weights. dy is after the layer's relu was undone. */
void training_norm_backward(struct training_norm *norm, struct thread_pool *pool, const float *weights, const float *dy,
			    float *dx, float *gradients);

#endif
