/* Prediction in chunks of one shape (the last one padded), a task each: the product of a chunk with the weights, and
 * for the variance its coordinates in each group's posterior. Failure modes: memory for the threads' chunks. */
#include "models/ridge.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/gemm.h"

enum { CHUNK = 32 };

int ridge_init(struct shape map, uint32_t n_units, uint32_t rank, uint32_t n_groups, struct error *err,
	       struct ridge *ret_ridge)
{
	const size_t n_features = shape_n_values(map);
	/* One more of each, so that no size is zero. */
	const size_t units = n_units + 1, groups = n_groups + 1, directions = rank + 1;
	struct ridge ridge = {
		.n_features = n_features,
		.n_units = n_units,
		.rank = rank,
		.n_groups = n_groups,
		.scaling = {.n_features = n_features,
			    .mean = calloc(n_features, sizeof(float)),
			    .scale = calloc(n_features, sizeof(float))},
		.weights = calloc(units * n_features, sizeof(float)),
		.intercept = calloc(units, sizeof(float)),
		.noise = calloc(units, sizeof(double)),
		.prior = calloc(units, sizeof(double)),
		.basis = calloc(directions * n_features, sizeof(float)),
		.group = calloc(units, sizeof(uint32_t)),
		.centre = calloc(groups * directions, sizeof(float)),
		.rotation = calloc(groups * directions * directions, sizeof(float)),
		.values = calloc(groups * directions, sizeof(double)),
		.presentations = calloc(groups, sizeof(double)),
	};

	if (!ridge.scaling.mean || !ridge.scaling.scale || !ridge.weights || !ridge.intercept || !ridge.noise ||
	    !ridge.prior || !ridge.basis || !ridge.group || !ridge.centre || !ridge.rotation || !ridge.values ||
	    !ridge.presentations) {
		ridge_done(&ridge);
		return error_set(err, -ENOMEM, "ridge: no memory for %u units and %zu features", n_units, n_features);
	}
	map_smoothing_init(map, RIDGE_SMOOTHNESS, &ridge.smoothing);
	*ret_ridge = ridge;
	return 0;
}

void ridge_done(struct ridge *ridge)
{
	if (!ridge)
		return;
	feature_scaling_done(&ridge->scaling);
	free(ridge->weights);
	free(ridge->intercept);
	free(ridge->noise);
	free(ridge->prior);
	free(ridge->basis);
	free(ridge->group);
	free(ridge->centre);
	free(ridge->rotation);
	free(ridge->values);
	free(ridge->presentations);
	*ridge = (struct ridge){0};
}

void ridge_input(const struct ridge *ridge, const float *features, float *scratch, float *ret_input)
{
	feature_scaling_apply(&ridge->scaling, features, ret_input);
	map_smoothing_apply(&ridge->smoothing, scratch, ret_input);
}

struct predict_job {
	const struct ridge *ridge;
	const float *features;
	size_t n;
	float *mean, *variance;
	float *buffers; /* [threads, buffer_floats()] */
};

/* One thread's share of job.buffers. */
struct buffers {
	float *rows;	 /* [CHUNK, n_features] */
	float *answers;	 /* [CHUNK, n_units] */
	float *in_basis; /* [CHUNK, rank] */
	float *in_group; /* [CHUNK, rank] */
	float *scratch;	 /* [n_features] */
};

/* Their sum, rounded to whole cache lines. */
static size_t buffer_floats(const struct ridge *ridge)
{
	return (CHUNK * (ridge->n_features + ridge->n_units + 2 * (size_t)ridge->rank) + ridge->n_features + 15) / 16 *
	       16;
}

static void predict_means(const struct ridge *ridge, const float *features, size_t n, const struct buffers *b,
			  float *ret_mean)
{
	const size_t n_features = ridge->n_features, n_units = ridge->n_units;

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n_features; j++)
			b->rows[i * n_features + j] = features[i * n_features + j] - ridge->scaling.mean[j];
	gemm_f32(GEMM_PLAIN, GEMM_TRANSPOSED, CHUNK, n_units, n_features, 1.0f, b->rows, n_features, ridge->weights,
		 n_features, 0.0f, b->answers, n_units);
	for (size_t i = 0; i < n; i++)
		for (size_t u = 0; u < n_units; u++)
			ret_mean[i * n_units + u] = b->answers[i * n_units + u] + ridge->intercept[u];
}

/* Variance of the mean response of one unit: intercept, inside the basis, outside it. along [rank]: coordinates on the
 * axes of the unit's group. */
static double posterior_variance(const struct ridge *ridge, uint32_t unit, const float *along, double outside)
{
	const uint32_t group = ridge->group[unit], rank = ridge->rank;
	const double *values = ridge->values + (size_t)group * rank;
	const double noise = ridge->noise[unit], prior = ridge->prior[unit];
	double inside = 0.0;

	if (ridge->presentations[group] == 0.0 || prior == 0.0)
		return 0.0;
	for (uint32_t k = 0; k < rank; k++)
		inside += along[k] * along[k] / (values[k] / noise + 1.0 / prior);
	return noise / ridge->presentations[group] + inside + prior * outside;
}

static void predict_variances(const struct ridge *ridge, const float *features, size_t n, const struct buffers *b,
			      float *ret_variance)
{
	const size_t n_features = ridge->n_features, n_units = ridge->n_units, rank = ridge->rank;
	double outside[CHUNK] = {0};

	for (size_t i = 0; i < n; i++)
		ridge_input(ridge, features + i * n_features, b->scratch, b->rows + i * n_features);
	gemm_f32(GEMM_PLAIN, GEMM_TRANSPOSED, CHUNK, rank, n_features, 1.0f, b->rows, n_features, ridge->basis,
		 n_features, 0.0f, b->in_basis, rank);
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < n_features; j++)
			outside[i] += (double)b->rows[i * n_features + j] * b->rows[i * n_features + j];
		for (size_t k = 0; k < rank; k++)
			outside[i] -= (double)b->in_basis[i * rank + k] * b->in_basis[i * rank + k];
		outside[i] = fmax(outside[i], 0.0);
	}
	/* `rows` has done its work and takes the centred coordinates. */
	for (uint32_t group = 0; group < ridge->n_groups; group++) {
		for (size_t i = 0; i < CHUNK; i++)
			for (size_t k = 0; k < rank; k++)
				b->rows[i * rank + k] = b->in_basis[i * rank + k] - ridge->centre[group * rank + k];
		gemm_f32(GEMM_PLAIN, GEMM_TRANSPOSED, CHUNK, rank, rank, 1.0f, b->rows, rank,
			 ridge->rotation + group * rank * rank, rank, 0.0f, b->in_group, rank);
		for (size_t i = 0; i < n; i++)
			for (uint32_t u = 0; u < n_units; u++)
				if (ridge->group[u] == group)
					ret_variance[i * n_units + u] =
						(float)posterior_variance(ridge, u, b->in_group + i * rank, outside[i]);
	}
}

static void predict_task(void *ctx, size_t chunk, unsigned thread)
{
	const struct predict_job *job = ctx;
	const struct ridge *ridge = job->ridge;
	const size_t first = chunk * CHUNK, n = job->n - first < CHUNK ? job->n - first : CHUNK;
	const float *features = job->features + first * ridge->n_features;
	struct buffers b;

	b.rows = job->buffers + thread * buffer_floats(ridge);
	b.answers = b.rows + CHUNK * ridge->n_features;
	b.in_basis = b.answers + CHUNK * (size_t)ridge->n_units;
	b.in_group = b.in_basis + CHUNK * (size_t)ridge->rank;
	b.scratch = b.in_group + CHUNK * (size_t)ridge->rank;
	predict_means(ridge, features, n, &b, job->mean + first * ridge->n_units);
	if (job->variance)
		predict_variances(ridge, features, n, &b, job->variance + first * ridge->n_units);
}

int ridge_predict(const struct ridge *ridge, const float *features, size_t n, struct thread_pool *pool,
		  struct error *err, float *ret_mean, float *ret_variance)
{
	struct predict_job job = {
		.ridge = ridge, .features = features, .n = n, .mean = ret_mean, .variance = ret_variance};
	const size_t size = thread_pool_size(pool) * buffer_floats(ridge) * sizeof *job.buffers;

	job.buffers = aligned_alloc(64, size);
	if (!job.buffers)
		return error_set(err, -ENOMEM, "ridge: no memory to predict %zu images", n);
	memset(job.buffers, 0, size); /* the rows that pad the last chunk */
	thread_pool_run(pool, (n + CHUNK - 1) / CHUNK, predict_task, &job);
	free(job.buffers);
	return 0;
}
