/* Loads PREDICT_BATCH images, asks each model, writes the answers into their columns, goes on. */
#include "models/predict.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/tensor.h"

size_t predict_n_units(struct response_model *const *models, size_t n_models)
{
	size_t n = 0;

	for (size_t k = 0; k < n_models; k++)
		n += models[k]->n_units;
	return n;
}

struct batch {
	float *pixels;	  /* [PREDICT_BATCH, height, width, 3] */
	float *responses; /* [PREDICT_BATCH, members, units], of the model that has most */
	size_t n_pixels;  /* of one image */
	size_t first, n;
	bool is_left_out[PREDICT_BATCH];
};

static int load(struct batch *batch, const struct predict_source *source, struct error *err)
{
	for (size_t i = 0; i < batch->n; i++) {
		float *pixels = batch->pixels + i * batch->n_pixels;
		int r = source->load(source->ctx, batch->first + i, err, pixels);

		if (r < 0)
			return r;
		batch->is_left_out[i] = r > 0;
		if (r > 0)
			memset(pixels, 0, batch->n_pixels * sizeof *pixels);
	}
	return 0;
}

/* The mean over members of unit `unit` for image i of the batch. */
static float mean_response(const struct batch *batch, const struct response_model *model, size_t i, size_t unit)
{
	const float *responses = batch->responses + i * model->n_members * model->n_units;
	double sum = 0.0;

	for (size_t m = 0; m < model->n_members; m++)
		sum += (double)responses[m * model->n_units + unit];
	return (float)(sum / model->n_members);
}

static int answer(struct batch *batch, struct response_model *const *models, size_t n_models, size_t n_images,
		  struct thread_pool *pool, struct error *err, float *ret_responses)
{
	float *row = ret_responses;

	for (size_t k = 0; k < n_models; k++) {
		struct response_model *model = models[k];
		int r = model->ops->predict(model, pool, batch->pixels, batch->n, err, batch->responses);

		if (r)
			return r;
		for (size_t unit = 0; unit < model->n_units; unit++, row += n_images) {
			for (size_t i = 0; i < batch->n; i++)
				row[batch->first + i] =
					batch->is_left_out[i] ? NAN : mean_response(batch, model, i, unit);
		}
	}
	return 0;
}

static int check_sizes(struct response_model *const *models, size_t n_models, struct error *err, size_t *ret_n_answers)
{
	size_t n_answers = 0;

	if (!n_models)
		return error_set(err, -EINVAL, "no models to predict with");
	for (size_t k = 0; k < n_models; k++) {
		size_t n = (size_t)models[k]->n_members * models[k]->n_units;

		if (models[k]->height_px != models[0]->height_px || models[k]->width_px != models[0]->width_px)
			return error_set(err, -EINVAL, "model %zu takes images of %u x %u pixels, the first of %u x %u",
					 k, models[k]->width_px, models[k]->height_px, models[0]->width_px,
					 models[0]->height_px);
		n_answers = n > n_answers ? n : n_answers;
	}
	*ret_n_answers = n_answers;
	return 0;
}

int predict_images(struct response_model *const *models, size_t n_models, const struct predict_source *source,
		   struct thread_pool *pool, struct error *err, float *ret_responses)
{
	struct batch batch = {0};
	size_t n_answers = 0;

	int r = check_sizes(models, n_models, err, &n_answers);
	if (r)
		return r;
	batch.n_pixels = (size_t)models[0]->height_px * models[0]->width_px * 3;
	r = tensor_alloc(PREDICT_BATCH * batch.n_pixels, "images", err, &batch.pixels);
	if (!r)
		r = tensor_alloc(PREDICT_BATCH * n_answers, "responses", err, &batch.responses);
	for (batch.first = 0; !r && batch.first < source->n_images; batch.first += batch.n) {
		batch.n =
			source->n_images - batch.first < PREDICT_BATCH ? source->n_images - batch.first : PREDICT_BATCH;
		r = load(&batch, source, err);
		if (!r)
			r = answer(&batch, models, n_models, source->n_images, pool, err, ret_responses);
		if (!r && source->progress && source->progress(source->ctx, batch.first + batch.n))
			r = error_set(err, -EINTR, "stopped after %zu of %zu images", batch.first + batch.n,
				      source->n_images);
	}
	free(batch.responses);
	free(batch.pixels);
	return r;
}
