/* Features are spread over the pool in blocks; each sums its rows in order, in double: means first, then squares about
 * them. Failure modes: memory. */
#include "models/feature_scaling.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "models/simd.h"

enum { BLOCK = 256 };

/* A feature whose spread is below this part of its size is rounding noise. */
#define CONSTANT_BELOW 1e-5

struct moments_job {
	const float *features;
	size_t n_features;
	const uint32_t *rows;
	size_t n_rows;
	struct feature_scaling *scaling;
};

static void moments_task(void *ctx, size_t block, unsigned thread)
{
	const struct moments_job *job = ctx;
	const size_t first = block * BLOCK;
	const size_t n = job->n_features - first < BLOCK ? job->n_features - first : BLOCK;
	double mean[BLOCK] = {0}, squares[BLOCK] = {0};
	(void)thread;

	for (size_t i = 0; i < job->n_rows; i++) {
		const float *row = job->features + job->rows[i] * job->n_features + first;
		for (size_t j = 0; j < n; j++)
			mean[j] += row[j];
	}
	for (size_t j = 0; j < n; j++)
		mean[j] /= (double)job->n_rows;
	for (size_t i = 0; i < job->n_rows; i++) {
		const float *row = job->features + job->rows[i] * job->n_features + first;
		for (size_t j = 0; j < n; j++)
			squares[j] += (row[j] - mean[j]) * (row[j] - mean[j]);
	}
	for (size_t j = 0; j < n; j++) {
		double sd = sqrt(squares[j] / (double)job->n_rows);
		job->scaling->mean[first + j] = (float)mean[j];
		job->scaling->scale[first + j] = sd > CONSTANT_BELOW * fabs(mean[j]) ? (float)(1.0 / sd) : 0.0f;
	}
}

int feature_scaling_init(const float *features, size_t n_features, const uint32_t *rows, size_t n_rows,
			 struct thread_pool *pool, struct error *err, struct feature_scaling *ret_scaling)
{
	struct feature_scaling scaling = {
		.n_features = n_features,
		.mean = calloc(n_features, sizeof *scaling.mean),
		.scale = calloc(n_features, sizeof *scaling.scale),
	};
	struct moments_job job = {features, n_features, rows, n_rows, &scaling};
	size_t n_varying = 0;

	if (!scaling.mean || !scaling.scale) {
		feature_scaling_done(&scaling);
		return error_set(err, -ENOMEM, "fit: no memory for the scale of %zu features", n_features);
	}
	if (n_rows > 0)
		thread_pool_run(pool, (n_features + BLOCK - 1) / BLOCK, moments_task, &job);
	for (size_t j = 0; j < n_features; j++)
		n_varying += scaling.scale[j] > 0.0f;
	for (size_t j = 0; j < n_features; j++)
		scaling.scale[j] = (float)(scaling.scale[j] / sqrt((double)(n_varying > 0 ? n_varying : 1)));
	*ret_scaling = scaling;
	return 0;
}

void feature_scaling_done(struct feature_scaling *scaling)
{
	if (!scaling)
		return;
	free(scaling->mean);
	free(scaling->scale);
	*scaling = (struct feature_scaling){0};
}

SIMD_CLONES void feature_scaling_apply(const struct feature_scaling *scaling, const float *features, float *ret_scaled)
{
	for (size_t j = 0; j < scaling->n_features; j++)
		ret_scaled[j] = (features[j] - scaling->mean[j]) * scaling->scale[j];
}
