/* Metadata first (is it one, and for which image size), then the backbone, then the whole model; of its tiers only the
 * one that is used is kept. What is asked goes to session_model_as_response_model(). Failure: the parts' own. */
#include "models/session_predictor.h"

#include <errno.h>
#include <stdlib.h>

#include "models/backbone.h"
#include "models/front_end.h"
#include "models/safetensors.h"
#include "models/session_model_private.h"
#include "support/atomic_file.h"

struct session_predictor {
	struct response_model base; /* first: the two are cast into each other */
	struct backbone *backbone;
	struct session_model *model;
	struct response_model *inner;
};

static int session_predictor_predict(struct response_model *base, struct thread_pool *pool, const float *images,
				     size_t n, struct error *err, float *ret_responses)
{
	struct response_model *inner = ((struct session_predictor *)base)->inner;

	return inner->ops->predict(inner, pool, images, n, err, ret_responses);
}

static int session_predictor_gradient(struct response_model *base, struct thread_pool *pool, const float *images,
				      size_t n, response_model_objective *objective, void *ctx, struct error *err,
				      double *ret_values, float *ret_gradients, float *ret_responses)
{
	struct response_model *inner = ((struct session_predictor *)base)->inner;

	return inner->ops->gradient(inner, pool, images, n, objective, ctx, err, ret_values, ret_gradients,
				    ret_responses);
}

static void session_predictor_destroy(struct response_model *base)
{
	struct session_predictor *p = (struct session_predictor *)base;

	response_model_destroy(p->inner);
	session_model_destroy(p->model);
	backbone_destroy(p->backbone);
	free(p);
}

static const struct response_model_ops session_predictor_ops = {session_predictor_predict, session_predictor_gradient,
								session_predictor_destroy};

static int read_image_size(const void *data, size_t size, struct error *err, uint32_t *ret_height_px,
			   uint32_t *ret_width_px)
{
	struct safetensors *file;

	/* What is not safetensors at all is none of ours either: its own reader has the sentence. */
	if (safetensors_decode(data, size, NULL, &file) < 0)
		return 1;
	int r = session_model_image_size(file, err, ret_height_px, ret_width_px);
	safetensors_destroy(file);
	return r;
}

static int load(struct session_predictor *p, const char *path, const char *backbone, const char *cut_layer,
		struct error *err)
{
	uint32_t height_px, width_px;
	size_t size;
	void *data;

	int r = atomic_file_read(path, SAFETENSORS_BYTES_MAX, err, &data, &size);
	if (r < 0)
		return r == -ENOENT || r == -EISDIR ? 1 : r;
	r = read_image_size(data, size, err, &height_px, &width_px);
	r = r ? r
	      : backbone_open(backbone ? backbone : FRONT_END_NAME, cut_layer, height_px, width_px, err, &p->backbone);
	r = r ? r : session_model_decode(data, size, p->backbone, err, &p->model);
	free(data);
	if (r)
		return r;
	if (p->model->best == SESSION_MODEL_RIDGE) {
		ensemble_done(&p->model->ensemble);
		p->model->ensemble = (struct ensemble){0};
	}
	return session_model_as_response_model(p->model, p->backbone, err, &p->inner);
}

int session_predictor_open(const char *path, const char *backbone, const char *cut_layer, struct error *err,
			   struct response_model **ret_model)
{
	struct session_predictor *p = calloc(1, sizeof *p);

	if (!p)
		return error_set(err, -ENOMEM, "%s: no memory", path);
	int r = load(p, path, backbone, cut_layer, err);
	if (r) {
		session_predictor_destroy(&p->base);
		return r > 0 ? r : error_prefix(err, r, "%s", path);
	}
	p->base = *p->inner;
	p->base.ops = &session_predictor_ops;
	*ret_model = &p->base;
	return 0;
}
