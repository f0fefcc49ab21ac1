/* Opening a file, and models side by side. A joined model answers with its parts one after another; for a gradient it
 * first asks all parts, then the objective once an image, then sums the parts' gradients in their order. Failure: what
 * the parts report, and memory. */
#include "models/response_model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "models/model_file.h"
#include "models/network_model.h"
#include "models/session_predictor.h"
#include "models/tensor.h"

int response_model_open_on(const char *path, const char *backbone, const char *cut_layer, struct error *err,
			   struct response_model **ret_model)
{
	struct network *network;

	int r = session_predictor_open(path, backbone, cut_layer, err, ret_model);
	if (r <= 0)
		return r;
	r = model_file_open(path, err, &network);
	if (r)
		return r;
	r = network_model_create(network, err, ret_model);
	if (r)
		error_prefix(err, r, "%s", path);
	network_destroy(network);
	return r;
}

int response_model_open(const char *path, struct error *err, struct response_model **ret_model)
{
	return response_model_open_on(path, NULL, NULL, err, ret_model);
}

struct joined {
	struct response_model model; /* first: the two are cast into each other */
	size_t n_parts;
	struct response_model **parts;
};

static struct joined *of(struct response_model *model)
{
	return (struct joined *)model;
}

static int joined_predict(struct response_model *model, struct thread_pool *pool, const float *images, size_t n,
			  struct error *err, float *ret_responses)
{
	struct joined *joined = of(model);
	uint32_t first = 0;
	float *part_responses; /* [n, the part's units] */

	int r = tensor_alloc(n * model->n_units, "responses of joined models", err, &part_responses);
	for (size_t k = 0; k < joined->n_parts && !r; k++) {
		struct response_model *part = joined->parts[k];

		r = part->ops->predict(part, pool, images, n, err, part_responses);
		for (size_t i = 0; i < n && !r; i++)
			memcpy(ret_responses + i * model->n_units + first, part_responses + i * part->n_units,
			       part->n_units * sizeof *ret_responses);
		first += part->n_units;
	}
	free(part_responses);
	return r;
}

struct asking {
	response_model_objective *objective;
	void *ctx;
	const float *responses; /* [n, n_units] */
	float *cotangents;	/* [n, n_units] */
	double *values;		/* [n] */
	size_t n_units, first;	/* units in all; first unit of the present part */
	size_t n_part_units;
};

static void ask_task(void *ctx, size_t i, unsigned thread)
{
	struct asking *asking = ctx;

	(void)thread;
	asking->objective(asking->ctx, i, asking->responses + i * asking->n_units, &asking->values[i],
			  asking->cotangents + i * asking->n_units);
}

/* A part's objective: the derivative is known already. */
static void give_cotangent(void *ctx, size_t i, const float *responses, double *ret_value, float *ret_cotangent)
{
	const struct asking *asking = ctx;

	(void)responses;
	*ret_value = 0.0;
	memcpy(ret_cotangent, asking->cotangents + i * asking->n_units + asking->first,
	       asking->n_part_units * sizeof *ret_cotangent);
}

static int sum_gradients(struct joined *joined, struct thread_pool *pool, const float *images, size_t n,
			 struct asking *asking, struct error *err, float *ret_gradients)
{
	const size_t n_values = n * joined->model.height_px * joined->model.width_px * 3;
	float *part_gradients;
	double *unused = calloc(n + 1, sizeof *unused);

	if (!unused)
		return error_set(err, -ENOMEM, "gradients of joined models: out of memory");
	int r = tensor_alloc(n_values, "gradients of joined models", err, &part_gradients);
	if (r)
		goto out_free;
	memset(ret_gradients, 0, n_values * sizeof *ret_gradients);
	asking->first = 0;
	for (size_t k = 0; k < joined->n_parts && !r; k++) {
		struct response_model *part = joined->parts[k];

		asking->n_part_units = part->n_units;
		r = part->ops->gradient(part, pool, images, n, give_cotangent, asking, err, unused, part_gradients,
					NULL);
		if (!r)
			tensor_add(ret_gradients, part_gradients, n_values);
		asking->first += part->n_units;
	}
	free(part_gradients);
out_free:
	free(unused);
	return r;
}

static int joined_gradient(struct response_model *model, struct thread_pool *pool, const float *images, size_t n,
			   response_model_objective *objective, void *ctx, struct error *err, double *ret_values,
			   float *ret_gradients, float *ret_responses)
{
	const size_t n_responses = n * model->n_units;
	float *responses; /* and cotangents, [2, n, n_units] */

	int r = tensor_alloc(2 * n_responses, "responses of joined models", err, &responses);
	if (r)
		return r;
	struct asking asking = {
		.objective = objective,
		.ctx = ctx,
		.responses = responses,
		.cotangents = responses + n_responses,
		.values = ret_values,
		.n_units = model->n_units,
	};
	r = joined_predict(model, pool, images, n, err, responses);
	if (!r) {
		thread_pool_run(pool, n, ask_task, &asking);
		r = sum_gradients(of(model), pool, images, n, &asking, err, ret_gradients);
	}
	if (!r && ret_responses)
		memcpy(ret_responses, responses, n_responses * sizeof *responses);
	free(responses);
	return r;
}

static void joined_destroy(struct response_model *model)
{
	struct joined *joined = of(model);

	for (size_t k = 0; k < joined->n_parts; k++)
		response_model_destroy(joined->parts[k]);
	free(joined->parts);
	free(joined);
}

static const struct response_model_ops joined_ops = {joined_predict, joined_gradient, joined_destroy};

int response_model_join(struct response_model **models, size_t n_models, struct error *err,
			struct response_model **ret_model)
{
	uint64_t n_units = 0;

	if (!n_models)
		return error_set(err, -EINVAL, "no models to join");
	for (size_t k = 0; k < n_models; k++) {
		if (models[k]->height_px != models[0]->height_px || models[k]->width_px != models[0]->width_px)
			return error_set(err, -EINVAL, "model %zu takes images of %u x %u pixels, the first of %u x %u",
					 k, models[k]->width_px, models[k]->height_px, models[0]->width_px,
					 models[0]->height_px);
		if (models[k]->n_members != 1)
			return error_set(err, -EINVAL, "model %zu has %u members; single ones can be joined", k,
					 models[k]->n_members);
		n_units += models[k]->n_units;
	}
	if (n_units > UINT32_MAX)
		return error_set(err, -EINVAL, "%zu models have too many units in all", n_models);
	struct joined *joined = calloc(1, sizeof *joined);
	struct response_model **parts = calloc(n_models, sizeof *parts);
	if (!joined || !parts) {
		free(parts);
		free(joined);
		return error_set(err, -ENOMEM, "no memory to join %zu models", n_models);
	}
	memcpy(parts, models, n_models * sizeof *parts);
	*joined = (struct joined){
		.model = {&joined_ops, models[0]->height_px, models[0]->width_px, 1, (uint32_t)n_units},
		.n_parts = n_models,
		.parts = parts,
	};
	*ret_model = &joined->model;
	return 0;
}
