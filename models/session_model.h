/* The models of one session: the fast tier (Bayesian ridge on backbone features) and the slow tier (K trained
 * members), fitted to all presentations so far, scored on the monitor images, saved as one safetensors file.
 *
 * A fit is a pure function of (dataset, parent, settings): the same bits for any number of threads. Work is counted in
 * units (one optimizer step of all members) and stops only between units.
 * Thread: one caller at a time; the work inside is spread over the pool. */
#ifndef EVOKED_MODELS_SESSION_MODEL_H
#define EVOKED_MODELS_SESSION_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/backbone.h"
#include "models/metrics.h"
#include "models/response_model.h"
#include "support/error.h"
#include "support/hash.h"
#include "support/rng.h"

/* What was recorded, as the fit sees it. Images are numbered in the order in which they came into the session.
 * Only training images are in `train`; monitor presentations are used for scores, never for fitting. */
struct session_data {
	uint32_t n_units;
	size_t n_images;
	const float *features; /* [n_images, backbone_n_features], computed once an image */
	size_t n_presentations;
	const uint32_t *image;	 /* [n_presentations]: image number */
	const float *counts;	 /* [n_presentations, n_units] */
	const uint8_t *valid;	 /* [n_presentations, n_units]: 0 where the response is missing */
	const uint8_t *monitor;	 /* [n_images]: 1 for a monitor image (kept out of every fit) */
	const uint8_t *held_out; /* [n_images]: 1 for a sealed test image (kept out of fits and scores) */
};

enum session_model_tier { SESSION_MODEL_RIDGE = 0, SESSION_MODEL_ENSEMBLE = 1 };
enum {
	SESSION_MODEL_MEMBERS_MAX = 32,
	SESSION_MODEL_MIXING_MAX = 4096,
	SESSION_MODEL_BATCH_MAX = 4096,
};

struct session_model_settings {
	uint32_t n_members;	  /* K; 0: the fast tier alone */
	uint32_t mixing_channels; /* of the member's 1×1 convolution */
	uint32_t n_steps;	  /* optimizer steps of one fit, the same number whatever the data (fixed work) */
	uint32_t batch_size;
	double learning_rate; /* Adam */
	double weight_decay;
	uint64_t seed;	   /* session seed */
	uint32_t decision; /* decision number: key of every random draw of this fit */
};

struct session_model;

/* Fits both tiers. `parent` (or NULL) warm-starts the members; it is only read. `stop` (may be NULL) is asked between
 * units with the number of units done and planned; it returns true to stop there (a cancelled fit is whole and usable).
 * *ret_units: units done. */
int session_model_fit(const struct backbone *backbone, const struct session_data *data,
		      const struct session_model *parent, const struct session_model_settings *settings,
		      struct thread_pool *pool, bool (*stop)(void *ctx, uint32_t done, uint32_t planned), void *ctx,
		      struct error *err, struct session_model **ret_model, uint32_t *ret_units);
void session_model_destroy(struct session_model *model);

uint32_t session_model_n_members(const struct session_model *model);
uint32_t session_model_n_units(const struct session_model *model);

/* Which tier predicts better on the monitor images (set by session_model_score; the ridge until then). */
enum session_model_tier session_model_best(const struct session_model *model);

/* Predicted counts from features [n, n_features]: mean [n, n_units] of the given tier; and, if not NULL, the variance
 * that the models themselves claim [n, n_units] (ridge: posterior variance of the mean response; ensemble: variance
 * over members). */
int session_model_predict(const struct session_model *model, enum session_model_tier tier, struct thread_pool *pool,
			  const float *features, size_t n, struct error *err, float *ret_mean, float *ret_variance);

/* Scores of both tiers on the monitor images: ret_scores [2, n_units] (enum session_model_tier order); chooses the
 * best tier by the median noise-corrected R² over units (plain r where that is not defined). */
int session_model_score(struct session_model *model, const struct session_data *data, struct thread_pool *pool,
			uint32_t n_bootstrap, struct error *err, struct metrics_score *ret_scores);

/* The same for any marked set of images (for the sealed test at close): marked [n_images]. Chooses nothing. */
int session_model_score_on(const struct session_model *model, const struct session_data *data, const uint8_t *marked,
			   struct thread_pool *pool, uint32_t n_bootstrap, struct error *err,
			   struct metrics_score *ret_scores);

/* The model with its backbone as a response_model, for selection and synthesis: the members of the ensemble, or,
 * without one, a single member with the ridge's mean. Borrows model and backbone, which must outlive it. */
int session_model_as_response_model(struct session_model *model, struct backbone *backbone, struct error *err,
				    struct response_model **ret_response_model);

/* safetensors in memory (malloc'ed); the hash of these bytes names the model. */
int session_model_encode(const struct session_model *model, struct error *err, void **ret_data, size_t *ret_size);
int session_model_decode(const void *data, size_t size, const struct backbone *backbone, struct error *err,
			 struct session_model **ret_model);

#endif
