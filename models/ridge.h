/* The fast tier: Bayesian ridge from backbone features to counts, in closed form, with its posterior (models/README.md,
 * "Ridge").
 *
 * Each unit has its own noise and prior variance, by evidence over the eigenvalues of one Gram matrix, which units
 * with the same pattern of valid responses share. Repeats enter as means with weights n_j. The mean prediction is
 * exact; the posterior variance is exact inside the RIDGE_RANK_MAX strongest directions of the training images and that
 * of the prior outside, so never too small. */
#ifndef EVOKED_MODELS_RIDGE_H
#define EVOKED_MODELS_RIDGE_H

#include <stddef.h>
#include <stdint.h>

#include "models/feature_scaling.h"
#include "models/map_smoothing.h"
#include "models/response_table.h"
#include "support/error.h"
#include "support/thread_pool.h"

enum {
	RIDGE_RANK_MAX = 128,	  /* 6.7 MB a model at 13,132 features */
	RIDGE_IMAGES_MAX = 16384, /* the Gram matrix and its eigenvectors then take 4 GiB */
};

/* Standard deviation of the prior's smoothness over the map, as a part of its side (models/README.md, "Ridge"). */
#define RIDGE_SMOOTHNESS 0.085

struct ridge {
	size_t n_features;
	uint32_t n_units, rank, n_groups;
	struct feature_scaling scaling;
	struct map_smoothing smoothing;
	float *weights;	       /* [n_units, n_features]: of features minus scaling.mean */
	float *intercept;      /* [n_units] */
	double *noise;	       /* [n_units]: variance of a single presentation */
	double *prior;	       /* [n_units]: prior variance of the response to an input of length 1 */
	float *basis;	       /* [rank, n_features]: orthonormal directions of the inputs */
	uint32_t *group;       /* [n_units]: units with one pattern of responses */
	float *centre;	       /* [n_groups, rank]: mean presentation in the basis */
	float *rotation;       /* [n_groups, rank, rank]: rows are the axes of the group's posterior */
	double *values;	       /* [n_groups, rank]: what was seen along each */
	double *presentations; /* [n_groups] */
};

/* features [*, map] of all images of the session; table says which are used. A unit without a response predicts
 * 0 with variance 0. -E2BIG above RIDGE_IMAGES_MAX images; -ENOMEM. The caller frees with ridge_done. */
int ridge_fit(struct shape map, const float *features, const struct response_table *table, struct thread_pool *pool,
	      struct error *err, struct ridge *ret_ridge);

/* All arrays allocated and zero, for a model that is read from a file. */
int ridge_init(struct shape map, uint32_t n_units, uint32_t rank, uint32_t n_groups, struct error *err,
	       struct ridge *ret_ridge);
void ridge_done(struct ridge *ridge);

/* What the ridge sees of one image: its features [n_features], scaled and smoothed. scratch [n_features]. */
void ridge_input(const struct ridge *ridge, const float *features, float *scratch, float *ret_input);

/* features [n, n_features] -> ret_mean [n, n_units] and, if not NULL, ret_variance [n, n_units] of the mean response.
 * The same features give the same bits, whatever n and the number of threads. */
int ridge_predict(const struct ridge *ridge, const float *features, size_t n, struct thread_pool *pool,
		  struct error *err, float *ret_mean, float *ret_variance);

#endif
