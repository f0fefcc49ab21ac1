/* Images -> backbone -> members (or the ridge) -> counts, and back. The backbone owns the loop over images: for each it
 * calls back, on one of the pool's threads, with the features; there the members of that thread run alone, the caller's
 * objective is asked, and the derivative goes back through them. Failure modes: memory. */
#include "models/session_model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "models/inference.h"
#include "models/session_model_private.h"

enum { CHUNK = 128 };

/* What one thread needs for one image. */
struct lane {
	struct inference *inferences[SESSION_MODEL_MEMBERS_MAX];
	float *input, *gradient;      /* [n_features] */
	float *responses, *cotangent; /* [n_members, n_units] */
	int result;
	struct error err;
};

struct session_response {
	struct response_model base;
	const struct session_model *model;
	struct backbone *backbone;
	unsigned n_lanes;
	struct lane *lanes;
};

static void lane_done(struct lane *lane)
{
	for (uint32_t k = 0; k < SESSION_MODEL_MEMBERS_MAX; k++)
		inference_destroy(lane->inferences[k]);
	free(lane->input);
	free(lane->gradient);
	free(lane->responses);
	free(lane->cotangent);
}

static int lane_init(const struct session_response *r, struct lane *lane, struct error *err)
{
	const struct ensemble *ensemble = &r->model->ensemble;
	const size_t n_features = r->model->ridge.n_features, n_answers = (size_t)r->base.n_members * r->base.n_units;
	int result = 0;

	lane->input = aligned_alloc(64, (n_features * sizeof(float) + 63) / 64 * 64);
	lane->gradient = aligned_alloc(64, (n_features * sizeof(float) + 63) / 64 * 64);
	lane->responses = malloc(n_answers * sizeof(float));
	lane->cotangent = malloc(n_answers * sizeof(float));
	if (!lane->input || !lane->gradient || !lane->responses || !lane->cotangent)
		return error_set(err, -ENOMEM, "model: no memory for its gradient");
	for (uint32_t k = 0; result == 0 && k < ensemble->n_members; k++)
		result = inference_create(ensemble->members[k], err, &lane->inferences[k]);
	return result;
}

/* At least one lane for each thread. */
static int make_lanes(struct session_response *r, unsigned n_threads, struct error *err)
{
	if (n_threads <= r->n_lanes)
		return 0;
	struct lane *lanes = realloc(r->lanes, n_threads * sizeof *lanes);
	if (!lanes)
		return error_set(err, -ENOMEM, "model: no memory for %u threads", n_threads);
	r->lanes = lanes;
	while (r->n_lanes < n_threads) {
		struct lane *lane = &lanes[r->n_lanes];
		*lane = (struct lane){0};
		int result = lane_init(r, lane, err);
		if (result < 0) {
			lane_done(lane);
			return result;
		}
		r->n_lanes++;
	}
	return 0;
}

static int predict_chunk(const struct session_response *r, struct thread_pool *pool, const float *features, size_t n,
			 struct error *err, float *ret_responses)
{
	if (r->model->ensemble.n_members == 0)
		return ridge_predict(&r->model->ridge, features, n, pool, err, ret_responses, NULL);
	return ensemble_predict(&r->model->ensemble, features, n, pool, err, ret_responses);
}

static int session_response_predict(struct response_model *base, struct thread_pool *pool, const float *images,
				    size_t n, struct error *err, float *ret_responses)
{
	const struct session_response *r = (const struct session_response *)base;
	const size_t n_pixels = (size_t)base->height_px * base->width_px * 3;
	const size_t n_features = backbone_n_features(r->backbone);
	const size_t n_answers = (size_t)base->n_members * base->n_units;
	float *features = malloc((n < CHUNK ? n : CHUNK) * n_features * sizeof *features + 1);
	int result = 0;

	if (!features)
		return error_set(err, -ENOMEM, "model: no memory for the features of %d images", CHUNK);
	for (size_t first = 0; result == 0 && first < n; first += CHUNK) {
		size_t n_chunk = n - first < CHUNK ? n - first : CHUNK;
		result = r->backbone->ops->features(r->backbone, pool, images + first * n_pixels, n_chunk, err,
						    features);
		if (result == 0)
			result = predict_chunk(r, pool, features, n_chunk, err, ret_responses + first * n_answers);
	}
	free(features);
	return result;
}

/* --- gradient ---------------------------------------------------------------------------------------------------- */

struct gradient_job {
	const struct session_response *r;
	response_model_objective *objective;
	void *ctx;
	double *values;
	float *responses; /* [n, n_members, n_units], or NULL */
};

/* The same dot products as ridge_predict() up to rounding: one image needs no matrix. */
static void ridge_responses(const struct ridge *ridge, const float *features, float *ret_responses)
{
	for (size_t u = 0; u < ridge->n_units; u++) {
		const float *weights = ridge->weights + u * ridge->n_features;
		double sum = ridge->intercept[u];
		for (size_t j = 0; j < ridge->n_features; j++)
			sum += (double)weights[j] * (features[j] - ridge->scaling.mean[j]);
		ret_responses[u] = (float)sum;
	}
}

static void ridge_cotangent(const struct ridge *ridge, const float *cotangent, float *ret_cotangent)
{
	memset(ret_cotangent, 0, ridge->n_features * sizeof *ret_cotangent);
	for (size_t u = 0; u < ridge->n_units; u++)
		for (size_t j = 0; cotangent[u] != 0.0f && j < ridge->n_features; j++)
			ret_cotangent[j] += cotangent[u] * ridge->weights[u * ridge->n_features + j];
}

/* Of one member's answers (z-scores), from that of its counts. */
struct member_cotangent {
	const struct ensemble *ensemble;
	const float *of_counts;
};

static void give_member_cotangent(void *ctx, size_t i, unsigned thread, const float *outputs, float *ret_cotangent)
{
	const struct member_cotangent *c = ctx;
	(void)i, (void)thread, (void)outputs;

	for (size_t u = 0; u < c->ensemble->n_units; u++)
		ret_cotangent[u] = c->of_counts[u] * c->ensemble->unit_scale[u];
}

static int ensemble_responses(const struct ensemble *ensemble, struct lane *lane, const float *features)
{
	int result = 0;

	ensemble_scale_input(ensemble, features, lane->input);
	for (uint32_t k = 0; result == 0 && k < ensemble->n_members; k++) {
		float *counts = lane->responses + (size_t)k * ensemble->n_units;
		result = inference_forward(lane->inferences[k], NULL, lane->input, 1, &lane->err, counts);
		if (result == 0)
			ensemble_scale_output(ensemble, counts, counts);
	}
	return result;
}

static int ensemble_cotangent(const struct ensemble *ensemble, struct lane *lane, float *ret_cotangent)
{
	const size_t n_features = shape_n_values(ensemble->map), n_channels = ensemble->map.channels;
	int result = 0;

	memset(ret_cotangent, 0, n_features * sizeof *ret_cotangent);
	for (uint32_t k = 0; result == 0 && k < ensemble->n_members; k++) {
		struct member_cotangent c = {ensemble, lane->cotangent + (size_t)k * ensemble->n_units};
		result = inference_gradient(lane->inferences[k], NULL, lane->input, 1, give_member_cotangent, &c,
					    &lane->err, lane->gradient);
		for (size_t p = 0; result == 0 && p < n_features; p += n_channels)
			for (size_t j = 0; j < n_channels; j++)
				ret_cotangent[p + j] += lane->gradient[p + j] * ensemble->channel_scale[j];
	}
	return result;
}

static void features_cotangent(void *ctx, size_t i, unsigned thread, const float *features, float *ret_cotangent)
{
	const struct gradient_job *job = ctx;
	const struct session_model *model = job->r->model;
	const size_t n_answers = (size_t)job->r->base.n_members * job->r->base.n_units;
	struct lane *lane = &job->r->lanes[thread];
	const bool has_ensemble = model->ensemble.n_members > 0;

	if (lane->result == 0 && has_ensemble)
		lane->result = ensemble_responses(&model->ensemble, lane, features);
	else if (!has_ensemble)
		ridge_responses(&model->ridge, features, lane->responses);
	if (lane->result == 0) {
		job->objective(job->ctx, i, lane->responses, &job->values[i], lane->cotangent);
		if (job->responses)
			memcpy(job->responses + i * n_answers, lane->responses, n_answers * sizeof(float));
		if (has_ensemble)
			lane->result = ensemble_cotangent(&model->ensemble, lane, ret_cotangent);
		else
			ridge_cotangent(&model->ridge, lane->cotangent, ret_cotangent);
	}
	if (lane->result < 0)
		memset(ret_cotangent, 0, model->ridge.n_features * sizeof *ret_cotangent);
}

static int session_response_gradient(struct response_model *base, struct thread_pool *pool, const float *images,
				     size_t n, response_model_objective *objective, void *ctx, struct error *err,
				     double *ret_values, float *ret_gradients, float *ret_responses)
{
	struct session_response *r = (struct session_response *)base;
	struct gradient_job job = {r, objective, ctx, ret_values, ret_responses};
	int result = make_lanes(r, thread_pool_size(pool), err);

	if (result < 0)
		return result;
	for (unsigned t = 0; t < r->n_lanes; t++)
		r->lanes[t].result = 0;
	result = r->backbone->ops->gradient(r->backbone, pool, images, n, features_cotangent, &job, err, ret_gradients);
	for (unsigned t = 0; result == 0 && t < r->n_lanes; t++)
		if (r->lanes[t].result < 0)
			result = error_set(err, r->lanes[t].result, "%s", r->lanes[t].err.text);
	return result;
}

static void session_response_destroy(struct response_model *base)
{
	struct session_response *r = (struct session_response *)base;

	for (unsigned t = 0; t < r->n_lanes; t++)
		lane_done(&r->lanes[t]);
	free(r->lanes);
	free(r);
}

static const struct response_model_ops session_response_ops = {session_response_predict, session_response_gradient,
							       session_response_destroy};

int session_model_as_response_model(struct session_model *model, struct backbone *backbone, struct error *err,
				    struct response_model **ret_response_model)
{
	if (!hash_equal(&model->backbone, &backbone->hash))
		return error_set(err, -EINVAL, "model: fitted on another backbone than the one given");
	struct session_response *r = calloc(1, sizeof *r);
	if (!r)
		return error_set(err, -ENOMEM, "model: no memory");
	r->base = (struct response_model){
		.ops = &session_response_ops,
		.height_px = backbone->height_px,
		.width_px = backbone->width_px,
		.n_members = model->ensemble.n_members > 0 ? model->ensemble.n_members : 1,
		.n_units = model->ridge.n_units,
	};
	r->model = model;
	r->backbone = backbone;
	*ret_response_model = &r->base;
	return 0;
}
