/* Brings features to zero mean and one variance over the training images, times a common factor so that an average
 * image has squared length 1. Features that do not vary are dropped (scale 0). */
#ifndef EVOKED_MODELS_FEATURE_SCALING_H
#define EVOKED_MODELS_FEATURE_SCALING_H

#include <stddef.h>
#include <stdint.h>

#include "support/error.h"
#include "support/thread_pool.h"

struct feature_scaling {
	size_t n_features;
	float *mean;  /* [n_features] */
	float *scale; /* [n_features]: 1 / (sd √(number of features that vary)), or 0 */
};

/* From rows[i], i < n_rows, of features [*, n_features]. n_rows 0: all means and scales 0. -ENOMEM. */
int feature_scaling_init(const float *features, size_t n_features, const uint32_t *rows, size_t n_rows,
			 struct thread_pool *pool, struct error *err, struct feature_scaling *ret_scaling);
void feature_scaling_done(struct feature_scaling *scaling);

/* One image. Thread: any. */
void feature_scaling_apply(const struct feature_scaling *scaling, const float *features, float *ret_scaled);

#endif
