/* Anything that turns images into predicted responses: a published network, a fitted ridge, an ensemble.
 *
 * Synthesis, selection, `evoke predict` and the simulated rig see models only through this table. A model has
 * n_members answers for each of n_units units (a single network has one member). Images are float32
 * [n, height, width, 3], RGB, 0..255, as shown: a model subtracts means and resizes by itself.
 *
 * The same images give the same bits, whatever n, their place in the batch and the number of threads.
 * Thread: one caller at a time; the work inside is spread over the pool. */
#ifndef EVOKED_MODELS_RESPONSE_MODEL_H
#define EVOKED_MODELS_RESPONSE_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "support/error.h"
#include "support/thread_pool.h"

struct response_model;

/* Given the answers of one image, responses [n_members, n_units], writes the objective's value and its derivative
 * ret_cotangent [n_members, n_units]. Called once per image i, from any thread of the pool, any order. */
typedef void response_model_objective(void *ctx, size_t i, const float *responses, double *ret_value,
				      float *ret_cotangent);

struct response_model_ops {
	/* ret_responses [n, n_members, n_units] */
	int (*predict)(struct response_model *model, struct thread_pool *pool, const float *images, size_t n,
		       struct error *err, float *ret_responses);
	/* Value of the objective for each image, ret_values [n], and its gradient with respect to the image,
	 * ret_gradients [n, height, width, 3]. ret_responses [n, n_members, n_units] may be NULL. */
	int (*gradient)(struct response_model *model, struct thread_pool *pool, const float *images, size_t n,
			response_model_objective *objective, void *ctx, struct error *err, double *ret_values,
			float *ret_gradients, float *ret_responses);
	void (*destroy)(struct response_model *model);
};

/* Embedded as the first member of each implementation. */
struct response_model {
	const struct response_model_ops *ops;
	uint32_t height_px;
	uint32_t width_px;
	uint32_t n_members;
	uint32_t n_units;
};

static inline void response_model_destroy(struct response_model *model)
{
	if (model)
		model->ops->destroy(model);
}

/* Opens a model file: safetensors written by this project, or (through the converter child, with its limits of memory
 * and time) a Keras 3 archive. `path` decides by content, not by name. On a converter's death the error names the
 * file and the signal or limit. */
int response_model_open(const char *path, struct error *err, struct response_model **ret_model);

/* The same for the model file of a session that was not fitted on the built-in front end: `backbone` and `cut_layer` as
 * in the session's configuration (NULL: the front end). Files of networks do not need them. */
int response_model_open_on(const char *path, const char *backbone, const char *cut_layer, struct error *err,
			   struct response_model **ret_model);

/* Several single-member models side by side as one with all their units, in the order given; takes ownership of the
 * models on success. All must have one image size. */
int response_model_join(struct response_model **models, size_t n_models, struct error *err,
			struct response_model **ret_model);

#endif
