/* The slow tier: K members that differ in their start, their bootstrap of the images and their minibatches. Their mean
 * is the prediction, their spread the uncertainty. */
#ifndef EVOKED_MODELS_ENSEMBLE_H
#define EVOKED_MODELS_ENSEMBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/network.h"
#include "models/response_table.h"
#include "models/ridge.h"
#include "models/session_model.h"

struct ensemble {
	uint32_t n_members, n_units, mixing_channels;
	struct shape map;     /* of the backbone */
	float *channel_mean;  /* [map.channels]: inputs are (feature - mean) · scale of the channel */
	float *channel_scale; /* [map.channels] */
	float *unit_mean;     /* [n_units]: counts are mean + scale · a member's answer */
	float *unit_scale;    /* [n_units] */
	struct network *members[SESSION_MODEL_MEMBERS_MAX];
};

/* Untrained, of the given sizes; settings: n_members, mixing_channels, seed. */
int ensemble_init(struct shape map, uint32_t n_units, const struct session_model_settings *settings, struct error *err,
		  struct ensemble *ret_ensemble);
void ensemble_done(struct ensemble *ensemble);

/* Trains for settings->n_steps steps of all members, from `parent` if it fits (NULL: from a start that is aimed by the
 * ridge). `stop` as in session_model.h. */
int ensemble_fit(struct shape map, const float *features, const struct response_table *table, const struct ridge *ridge,
		 const struct ensemble *parent, const struct session_model_settings *settings, struct thread_pool *pool,
		 bool (*stop)(void *ctx, uint32_t done, uint32_t planned), void *ctx, struct error *err,
		 struct ensemble *ret_ensemble, uint32_t *ret_units);

/* One image's features to a member's input, and a member's answers [n_units] to counts. */
void ensemble_scale_input(const struct ensemble *ensemble, const float *features, float *ret_input);
void ensemble_scale_output(const struct ensemble *ensemble, const float *answers, float *ret_counts);

/* features [n, map] -> ret_responses [n, n_members, n_units] in counts. The same bits whatever n and the threads. */
int ensemble_predict(const struct ensemble *ensemble, const float *features, size_t n, struct thread_pool *pool,
		     struct error *err, float *ret_responses);

#endif
