/* Hands images and cotangents on to inference.c. Failure: memory for the workspaces. */
#include "models/network_model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "models/inference.h"

struct network_model {
	struct response_model model; /* first: the two are cast into each other */
	struct inference *inference;
};

static struct network_model *of(struct response_model *model)
{
	return (struct network_model *)model;
}

static int predict(struct response_model *model, struct thread_pool *pool, const float *images, size_t n,
		   struct error *err, float *ret_responses)
{
	return inference_forward(of(model)->inference, pool, images, n, err, ret_responses);
}

/* One call of gradient(). */
struct question {
	response_model_objective *objective;
	void *ctx;
	size_t n_units;
	double *values;	  /* [n] */
	float *responses; /* [n, n_units], or NULL */
};

static void ask(void *ctx, size_t i, unsigned thread, const float *outputs, float *ret_cotangent)
{
	struct question *question = ctx;

	(void)thread;
	if (question->responses)
		memcpy(question->responses + i * question->n_units, outputs, question->n_units * sizeof *outputs);
	question->objective(question->ctx, i, outputs, &question->values[i], ret_cotangent);
}

static int gradient(struct response_model *model, struct thread_pool *pool, const float *images, size_t n,
		    response_model_objective *objective, void *ctx, struct error *err, double *ret_values,
		    float *ret_gradients, float *ret_responses)
{
	struct question question = {objective, ctx, model->n_units, ret_values, ret_responses};

	return inference_gradient(of(model)->inference, pool, images, n, ask, &question, err, ret_gradients);
}

static void destroy(struct response_model *model)
{
	inference_destroy(of(model)->inference);
	free(model);
}

static const struct response_model_ops ops = {predict, gradient, destroy};

int network_model_create(const struct network *network, struct error *err, struct response_model **ret_model)
{
	const struct shape in = network_input(network);

	if (in.channels != 3)
		return error_set(err, -EINVAL, "a model of images has 3 channels, this network has %u", in.channels);
	struct network_model *model = calloc(1, sizeof *model);
	if (!model)
		return error_set(err, -ENOMEM, "model: out of memory");
	model->model = (struct response_model){
		.ops = &ops,
		.height_px = in.height,
		.width_px = in.width,
		.n_members = 1,
		.n_units = (uint32_t)shape_n_values(network_output(network)),
	};
	int r = inference_create(network, err, &model->inference);
	if (r) {
		free(model);
		return r;
	}
	*ret_model = &model->model;
	return 0;
}
