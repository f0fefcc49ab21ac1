/* Scale and smooth -> Gram matrix -> for each group of units with one pattern of repeats: weighted, centred matrix, its
 * eigenvalues, evidence for each unit, dual coefficients -> weights and basis in feature space -> posterior in the
 * basis. In the eigenbasis each unit costs little, so one decomposition serves all units that share it.
 *
 * Failure modes: memory; more images than RIDGE_IMAGES_MAX; LAPACK that does not converge (features not finite). */
#include "models/ridge.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "models/evidence.h"
#include "models/gemm.h"
#include "models/gram.h"
#include "models/lapack.h"

enum { COLUMNS = 1024 };

/* Directions with less than this part of the largest eigenvalue are rounding noise. */
#define NEGLIGIBLE 1e-9

struct ridge_fit {
	const struct response_table *table;
	const float *features;
	struct thread_pool *pool;
	struct ridge *ridge;
	size_t m;	     /* images */
	float *rows;	     /* [gram_padded(m), n_features]: inputs */
	float *scratch;	     /* [threads, n_features] */
	double *gram;	     /* [m, m] */
	double *matrix;	     /* [m, m]: the group's weighted, centred Gram matrix, then its eigenvectors */
	double *values;	     /* [m] */
	double *root_n;	     /* [m]: √n_j of the group */
	double *gram_mean;   /* [m] */
	double *targets;     /* [n_units, m]: of the group's units, one after another */
	double *in_basis;    /* [n_units, m] */
	float *coefficients; /* [n_units + rank, m]: dual coefficients of weights, then of the basis */
	uint32_t *unit;	     /* [n_units]: the group's units */
	uint32_t n_in_group;
};

static void fit_done(struct ridge_fit *fit)
{
	free(fit->rows);
	free(fit->scratch);
	free(fit->gram);
	free(fit->matrix);
	free(fit->values);
	free(fit->root_n);
	free(fit->gram_mean);
	free(fit->targets);
	free(fit->in_basis);
	free(fit->coefficients);
	free(fit->unit);
}

static int fit_init(struct ridge_fit *fit, struct error *err)
{
	const size_t m = fit->m, n_units = fit->table->n_units, n_features = fit->ridge->n_features;

	fit->rows = aligned_alloc(64, (gram_padded(m) * n_features * sizeof *fit->rows + 63) / 64 * 64);
	fit->scratch = malloc(thread_pool_size(fit->pool) * n_features * sizeof *fit->scratch);
	fit->gram = malloc(m * m * sizeof *fit->gram);
	fit->matrix = malloc(m * m * sizeof *fit->matrix);
	fit->values = malloc(m * sizeof *fit->values);
	fit->root_n = malloc(m * sizeof *fit->root_n);
	fit->gram_mean = malloc(m * sizeof *fit->gram_mean);
	fit->targets = calloc(n_units * m, sizeof *fit->targets);
	fit->in_basis = calloc(n_units * m, sizeof *fit->in_basis);
	fit->coefficients = calloc((n_units + fit->ridge->rank) * m, sizeof *fit->coefficients);
	fit->unit = malloc(n_units * sizeof *fit->unit);
	if (!fit->rows || !fit->scratch || !fit->gram || !fit->matrix || !fit->values || !fit->root_n ||
	    !fit->gram_mean || !fit->targets || !fit->in_basis || !fit->coefficients || !fit->unit)
		return error_set(err, -ENOMEM, "fit: no memory for %zu images of %zu features", m, n_features);
	memset(fit->rows + m * n_features, 0, (gram_padded(m) - m) * n_features * sizeof *fit->rows);
	return 0;
}

static void input_task(void *ctx, size_t i, unsigned thread)
{
	const struct ridge_fit *fit = ctx;
	const size_t n_features = fit->ridge->n_features;

	ridge_input(fit->ridge, fit->features + fit->table->image[i] * n_features, fit->scratch + thread * n_features,
		    fit->rows + i * n_features);
}

/* Weights of inputs become weights of features: both steps of ridge_input() are their own adjoints. */
static void weights_task(void *ctx, size_t unit, unsigned thread)
{
	const struct ridge_fit *fit = ctx;
	const size_t n_features = fit->ridge->n_features;
	float *weights = fit->ridge->weights + unit * n_features;

	map_smoothing_apply(&fit->ridge->smoothing, fit->scratch + thread * n_features, weights);
	for (size_t j = 0; j < n_features; j++)
		weights[j] *= fit->ridge->scaling.scale[j];
}

/* --- groups ------------------------------------------------------------------------------------------------------ */

static double total_presentations(const struct response_table *table, uint32_t unit)
{
	double total = 0.0;

	for (size_t j = 0; j < table->n_images; j++)
		total += table->n[j * table->n_units + unit];
	return total;
}

static bool same_pattern(const struct response_table *table, uint32_t a, uint32_t b)
{
	for (size_t j = 0; j < table->n_images; j++)
		if (table->n[j * table->n_units + a] != table->n[j * table->n_units + b])
			return false;
	return true;
}

/* Gives each unit its group; group 0 is the one with most presentations, which makes the basis. */
static uint32_t find_groups(const struct response_table *table, uint32_t *ret_group)
{
	const uint32_t n_units = table->n_units;
	uint32_t first = 0, n_groups = 0;

	for (uint32_t u = 1; u < n_units; u++)
		if (total_presentations(table, u) > total_presentations(table, first))
			first = u;
	for (uint32_t u = 0; u < n_units; u++)
		ret_group[u] = UINT32_MAX;
	for (uint32_t i = 0; i < n_units; i++) {
		uint32_t u = (first + i) % n_units;
		if (ret_group[u] != UINT32_MAX)
			continue;
		for (uint32_t v = 0; v < n_units; v++)
			if (ret_group[v] == UINT32_MAX && same_pattern(table, u, v))
				ret_group[v] = n_groups;
		n_groups++;
	}
	return n_groups;
}

/* The group's units and repeats. Returns its presentations. */
static double gather_group(struct ridge_fit *fit, uint32_t group)
{
	const struct response_table *table = fit->table;
	double total = 0.0;

	fit->n_in_group = 0;
	for (uint32_t u = 0; u < table->n_units; u++)
		if (fit->ridge->group[u] == group)
			fit->unit[fit->n_in_group++] = u;
	for (size_t j = 0; j < fit->m; j++) {
		double n = table->n[j * table->n_units + fit->unit[0]];
		fit->root_n[j] = sqrt(n);
		total += n;
	}
	return total;
}

/* N^½ (G centred on the mean presentation) N^½: a flat prior on the intercept, integrated out. */
static void weigh_and_centre(struct ridge_fit *fit, double total)
{
	const size_t m = fit->m;
	double mean = 0.0;

	for (size_t i = 0; i < m; i++) {
		double sum = 0.0;
		for (size_t j = 0; j < m; j++)
			sum += fit->root_n[j] * fit->root_n[j] * fit->gram[i * m + j];
		fit->gram_mean[i] = sum / total;
		mean += fit->root_n[i] * fit->root_n[i] * fit->gram_mean[i] / total;
	}
	for (size_t i = 0; i < m; i++)
		for (size_t j = 0; j <= i; j++)
			fit->matrix[i * m + j] = fit->root_n[i] * fit->root_n[j] *
						 (fit->gram[i * m + j] - fit->gram_mean[i] - fit->gram_mean[j] + mean);
}

/* --- one unit ---------------------------------------------------------------------------------------------------- */

/* √n_j (mean_j - weighted mean over images), for unit i of the group; the weighted mean goes to its intercept. */
static void make_targets(struct ridge_fit *fit, uint32_t i, double total)
{
	const struct response_table *table = fit->table;
	const uint32_t unit = fit->unit[i];
	double *targets = fit->targets + i * fit->m, mean = 0.0;

	for (size_t j = 0; j < fit->m; j++)
		mean += fit->root_n[j] * fit->root_n[j] * table->mean[j * table->n_units + unit];
	mean /= total;
	for (size_t j = 0; j < fit->m; j++)
		targets[j] = fit->root_n[j] * (table->mean[j * table->n_units + unit] - mean);
	fit->ridge->intercept[unit] = (float)mean;
}

/* Evidence, then the coefficients in the eigenbasis, in place of the targets there. */
static void unit_task(void *ctx, size_t i, unsigned thread)
{
	struct ridge_fit *fit = ctx;
	const uint32_t unit = fit->unit[i];
	double *in_basis = fit->in_basis + i * fit->m;
	struct evidence_data data = {
		.n = fit->m,
		.values = fit->values,
		.targets = in_basis,
	};
	struct evidence_result with_repeats, result;
	(void)thread;

	for (size_t j = 0; j < fit->m; j++)
		data.n_targets += fit->root_n[j] > 0.0;
	data.n_targets -= 1.0;
	evidence_maximize(&data, &result);
	/* The spread of repeats tells how noisy responses are, and is all there is to hold on to in a few images. But
	 * what the features cannot express does not average out over repeats: where it shows, it is noise too. */
	data.deviations = fit->table->deviations[unit];
	data.freedom = fit->table->freedom[unit];
	evidence_maximize(&data, &with_repeats);
	if (with_repeats.lambda > result.lambda)
		result = with_repeats;
	fit->ridge->noise[unit] = result.noise;
	fit->ridge->prior[unit] = result.prior;
	for (size_t k = 0; k < fit->m; k++)
		in_basis[k] /= fit->values[k] + result.lambda;
}

/* Dual coefficients of unit i of the group. Its intercept, so far the answer to the mean presentation, becomes the
 * answer to features of the mean. */
static void take_coefficients(struct ridge_fit *fit, uint32_t i)
{
	const uint32_t unit = fit->unit[i];
	float *coefficients = fit->coefficients + unit * fit->m;
	double answer_to_mean = 0.0;

	for (size_t j = 0; j < fit->m; j++) {
		coefficients[j] = (float)(fit->root_n[j] * fit->targets[i * fit->m + j]);
		answer_to_mean += coefficients[j] * fit->gram_mean[j];
	}
	fit->ridge->intercept[unit] = (float)(fit->ridge->intercept[unit] - answer_to_mean);
}

/* --- the whole --------------------------------------------------------------------------------------------------- */

/* Dual coefficients of the strongest orthonormal directions of the group whose eigenvectors are in `matrix`. */
static void basis_coefficients(struct ridge_fit *fit)
{
	const size_t m = fit->m;

	for (uint32_t k = 0; k < fit->ridge->rank; k++) {
		const size_t from = m - 1 - k; /* eigenvalues rise */
		const double value = fit->values[from];
		if (value <= NEGLIGIBLE * fit->values[m - 1])
			break;
		for (size_t j = 0; j < m; j++)
			fit->coefficients[(fit->table->n_units + k) * m + j] =
				(float)(fit->root_n[j] * fit->matrix[from * m + j] / sqrt(value));
	}
}

static int fit_group(struct ridge_fit *fit, uint32_t group, struct error *err)
{
	const size_t m = fit->m;
	const double total = gather_group(fit, group);

	fit->ridge->presentations[group] = total;
	if (total == 0.0)
		return 0;
	weigh_and_centre(fit, total);
	int r = lapack_eigen(m, fit->matrix, err, fit->values);
	if (r < 0)
		return error_prefix(err, r, "fit of %zu images", m);
	for (size_t k = 0; k < m; k++)
		fit->values[k] = fmax(fit->values[k], 0.0);
	for (uint32_t i = 0; i < fit->n_in_group; i++)
		make_targets(fit, i, total);
	gemm_f64(GEMM_PLAIN, GEMM_TRANSPOSED, fit->n_in_group, m, m, 1.0, fit->targets, m, fit->matrix, m, 0.0,
		 fit->in_basis, m);
	thread_pool_run(fit->pool, fit->n_in_group, unit_task, fit);
	gemm_f64(GEMM_PLAIN, GEMM_PLAIN, fit->n_in_group, m, m, 1.0, fit->in_basis, m, fit->matrix, m, 0.0,
		 fit->targets, m);
	for (uint32_t i = 0; i < fit->n_in_group; i++)
		take_coefficients(fit, i);
	if (group == 0)
		basis_coefficients(fit);
	return 0;
}

/* Columns of weights and basis: coefficients [n_units + rank, m] times rows [m, n_features]. */
static void columns_task(void *ctx, size_t block, unsigned thread)
{
	struct ridge_fit *fit = ctx;
	struct ridge *ridge = fit->ridge;
	const size_t first = block * COLUMNS, n_features = ridge->n_features, m = fit->m;
	const size_t n = n_features - first < COLUMNS ? n_features - first : COLUMNS;
	(void)thread;

	gemm_f32(GEMM_PLAIN, GEMM_PLAIN, ridge->n_units, n, m, 1.0f, fit->coefficients, m, fit->rows + first,
		 n_features, 0.0f, ridge->weights + first, n_features);
	gemm_f32(GEMM_PLAIN, GEMM_PLAIN, ridge->rank, n, m, 1.0f, fit->coefficients + ridge->n_units * m, m,
		 fit->rows + first, n_features, 0.0f, ridge->basis + first, n_features);
}

/* Projections of a tile of images on the basis, projections [gram_padded(m), rank]. */
struct projection_job {
	const struct ridge_fit *fit;
	float *projections;
};

static void projection_task(void *ctx, size_t tile, unsigned thread)
{
	const struct projection_job *job = ctx;
	const struct ridge *ridge = job->fit->ridge;
	(void)thread;

	gemm_f32(GEMM_PLAIN, GEMM_TRANSPOSED, GRAM_TILE, ridge->rank, ridge->n_features, 1.0f,
		 job->fit->rows + tile * GRAM_TILE * ridge->n_features, ridge->n_features, ridge->basis,
		 ridge->n_features, 0.0f, job->projections + tile * GRAM_TILE * ridge->rank, ridge->rank);
}

/* Centre, axes and values of one group: the eigenvectors of what its presentations say about the basis. precision:
 * [rank, rank]. */
static int group_posterior(struct ridge_fit *fit, uint32_t group, const float *projections, double *precision,
			   struct error *err)
{
	struct ridge *ridge = fit->ridge;
	const size_t rank = ridge->rank;
	const double total = gather_group(fit, group);
	float *centre = ridge->centre + group * rank;
	double *values = ridge->values + group * rank;

	memset(precision, 0, rank * rank * sizeof *precision);
	for (size_t k = 0; k < rank && total > 0.0; k++) {
		double sum = 0.0;
		for (size_t j = 0; j < fit->m; j++)
			sum += fit->root_n[j] * fit->root_n[j] * projections[j * rank + k];
		centre[k] = (float)(sum / total);
	}
	for (size_t j = 0; j < fit->m; j++) {
		const float *projection = projections + j * rank;
		for (size_t k = 0; k < rank; k++) {
			double along = fit->root_n[j] * fit->root_n[j] * (projection[k] - centre[k]);
			for (size_t l = 0; l <= k; l++)
				precision[k * rank + l] += along * (projection[l] - centre[l]);
		}
	}
	int r = lapack_eigen(rank, precision, err, values);
	if (r < 0)
		return error_prefix(err, r, "posterior in %zu directions", rank);
	for (size_t k = 0; k < rank; k++)
		values[k] = fmax(values[k], 0.0);
	for (size_t k = 0; k < rank * rank; k++)
		ridge->rotation[group * rank * rank + k] = (float)precision[k];
	return 0;
}

static int fit_posterior(struct ridge_fit *fit, struct error *err)
{
	const size_t rank = fit->ridge->rank;
	float *projections = aligned_alloc(64, (gram_padded(fit->m) * rank * sizeof *projections + 63) / 64 * 64);
	double *precision = malloc(rank * rank * sizeof *precision);
	struct projection_job job = {fit, projections};
	int r = 0;

	if (!projections || !precision) {
		r = error_set(err, -ENOMEM, "fit: no memory for the posterior");
		goto out;
	}
	thread_pool_run(fit->pool, gram_padded(fit->m) / GRAM_TILE, projection_task, &job);
	for (uint32_t group = 0; r == 0 && group < fit->ridge->n_groups; group++)
		r = group_posterior(fit, group, projections, precision, err);
out:
	free(projections);
	free(precision);
	return r;
}

static int fit_all(struct ridge_fit *fit, struct error *err)
{
	struct ridge *ridge = fit->ridge;
	int r = fit_init(fit, err);

	if (r < 0)
		return r;
	thread_pool_run(fit->pool, fit->m, input_task, fit);
	r = gram_compute(fit->rows, fit->m, ridge->n_features, fit->pool, err, fit->gram);
	for (uint32_t group = 0; r == 0 && group < ridge->n_groups; group++)
		r = fit_group(fit, group, err);
	if (r < 0)
		return r;
	thread_pool_run(fit->pool, (ridge->n_features + COLUMNS - 1) / COLUMNS, columns_task, fit);
	thread_pool_run(fit->pool, ridge->n_units, weights_task, fit);
	return fit_posterior(fit, err);
}

int ridge_fit(struct shape map, const float *features, const struct response_table *table, struct thread_pool *pool,
	      struct error *err, struct ridge *ret_ridge)
{
	const size_t n_features = shape_n_values(map);
	struct ridge ridge = {0};
	struct ridge_fit fit = {
		.table = table, .features = features, .pool = pool, .ridge = &ridge, .m = table->n_images};
	size_t rank = fit.m < n_features ? fit.m : n_features;
	uint32_t *group = NULL;
	int r;

	if (fit.m > RIDGE_IMAGES_MAX)
		return error_set(err, -E2BIG, "fit: %zu training images, the ridge takes at most %d", fit.m,
				 RIDGE_IMAGES_MAX);
	rank = rank < 1 ? 1 : rank < RIDGE_RANK_MAX ? rank : RIDGE_RANK_MAX;
	group = malloc((table->n_units + 1) * sizeof *group);
	if (!group)
		return error_set(err, -ENOMEM, "fit: no memory for %u units", table->n_units);
	r = ridge_init(map, table->n_units, (uint32_t)rank, find_groups(table, group), err, &ridge);
	if (r < 0)
		goto out;
	memcpy(ridge.group, group, table->n_units * sizeof *group);
	feature_scaling_done(&ridge.scaling);
	r = feature_scaling_init(features, n_features, table->image, fit.m, pool, err, &ridge.scaling);
	if (r == 0 && fit.m > 0)
		r = fit_all(&fit, err);
	if (r == 0)
		*ret_ridge = ridge;
	else
		ridge_done(&ridge);
out:
	fit_done(&fit);
	free(group);
	return r;
}
