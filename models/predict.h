/* What models answer to a long list of images, in bounded memory: a batch of images at a time through all models. */
#ifndef EVOKED_MODELS_PREDICT_H
#define EVOKED_MODELS_PREDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "models/response_model.h"
#include "support/error.h"
#include "support/thread_pool.h"

enum { PREDICT_BATCH = 64 };

struct predict_source {
	size_t n_images;
	/* Writes image i, float32 [height_px, width_px, 3], 0..255. Called on the caller's thread, i rising from 0. A
	 * positive return leaves the image out: its column becomes NaN. Negative: the end, with that error. */
	int (*load)(void *ctx, size_t i, struct error *err, float *ret_pixels);
	/* After each batch, with the images done; true stops with -EINTR. May be NULL. */
	bool (*progress)(void *ctx, size_t n_done);
	void *ctx;
};

/* Units of all models together, one model after another. */
size_t predict_n_units(struct response_model *const *models, size_t n_models);

/* ret_responses [predict_n_units(), n_images]; a model of several members answers with their mean. All models must take
 * images of one size. -EINVAL, -ENOMEM, -EINTR, and what models and source return. */
int predict_images(struct response_model *const *models, size_t n_models, const struct predict_source *source,
		   struct thread_pool *pool, struct error *err, float *ret_responses);

#endif
