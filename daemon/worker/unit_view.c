/* Answers are gathered, derivatives scattered (zero for units that are not seen). Scratch memory of the objective is
 * one piece an image, so that any thread may take any image. Failure modes: no memory, and the model's own. */
#include "daemon/worker/unit_view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct unit_view {
	struct response_model base;
	struct response_model *model;
	uint32_t *units; /* [base.n_units] */
};

/* from [n_members, all units] -> to [n_members, seen units] */
static void gather(const struct unit_view *view, const float *from, float *to)
{
	for (uint32_t k = 0; k < view->base.n_members; k++) {
		for (uint32_t u = 0; u < view->base.n_units; u++)
			to[k * view->base.n_units + u] = from[k * view->model->n_units + view->units[u]];
	}
}

static int view_predict(struct response_model *model, struct thread_pool *pool, const float *images, size_t n,
			struct error *err, float *ret_responses)
{
	const struct unit_view *view = (const struct unit_view *)model;
	size_t all = (size_t)model->n_members * view->model->n_units, seen = (size_t)model->n_members * model->n_units;
	float *responses = malloc((n * all + 1) * sizeof *responses);
	int r;

	if (!responses)
		return error_set(err, -ENOMEM, "model: out of memory");
	r = view->model->ops->predict(view->model, pool, images, n, err, responses);
	for (size_t i = 0; i < n && !r; i++)
		gather(view, responses + i * all, ret_responses + i * seen);
	free(responses);
	return r;
}

/* What stands between the model's objective and the caller's. */
struct relay {
	const struct unit_view *view;
	response_model_objective *objective;
	void *ctx;
	float *scratch;	  /* [n, 2, n_members, seen units]: responses and derivatives */
	float *responses; /* [n, n_members, seen units], or NULL */
};

static void relay_objective(void *ctx, size_t i, const float *responses, double *ret_value, float *ret_cotangent)
{
	const struct relay *relay = ctx;
	const struct unit_view *view = relay->view;
	size_t seen = (size_t)view->base.n_members * view->base.n_units;
	float *gathered = relay->scratch + i * 2 * seen, *cotangent = gathered + seen;

	gather(view, responses, gathered);
	if (relay->responses)
		memcpy(relay->responses + i * seen, gathered, seen * sizeof *gathered);
	relay->objective(relay->ctx, i, gathered, ret_value, cotangent);
	memset(ret_cotangent, 0, (size_t)view->base.n_members * view->model->n_units * sizeof *ret_cotangent);
	for (uint32_t k = 0; k < view->base.n_members; k++) {
		for (uint32_t u = 0; u < view->base.n_units; u++)
			ret_cotangent[k * view->model->n_units + view->units[u]] =
				cotangent[k * view->base.n_units + u];
	}
}

static int view_gradient(struct response_model *model, struct thread_pool *pool, const float *images, size_t n,
			 response_model_objective *objective, void *ctx, struct error *err, double *ret_values,
			 float *ret_gradients, float *ret_responses)
{
	const struct unit_view *view = (const struct unit_view *)model;
	struct relay relay = {.view = view, .objective = objective, .ctx = ctx, .responses = ret_responses};
	int r;

	relay.scratch = malloc((n * 2 * model->n_members * model->n_units + 1) * sizeof *relay.scratch);
	if (!relay.scratch)
		return error_set(err, -ENOMEM, "model: out of memory");
	r = view->model->ops->gradient(view->model, pool, images, n, relay_objective, &relay, err, ret_values,
				       ret_gradients, NULL);
	free(relay.scratch);
	return r;
}

static void view_destroy(struct response_model *model)
{
	struct unit_view *view = (struct unit_view *)model;

	free(view->units);
	free(view);
}

static const struct response_model_ops view_ops = {
	.predict = view_predict,
	.gradient = view_gradient,
	.destroy = view_destroy,
};

int unit_view_create(struct response_model *model, const uint32_t *units, uint32_t n_units, struct error *err,
		     struct response_model **ret_view)
{
	struct unit_view *view = calloc(1, sizeof *view);

	if (!view)
		return error_set(err, -ENOMEM, "model: out of memory");
	view->base = *model;
	view->base.ops = &view_ops;
	view->base.n_units = n_units;
	view->model = model;
	view->units = malloc((n_units + 1) * sizeof *view->units);
	if (!view->units) {
		free(view);
		return error_set(err, -ENOMEM, "model: out of memory");
	}
	memcpy(view->units, units, n_units * sizeof *units);
	*ret_view = &view->base;
	return 0;
}
