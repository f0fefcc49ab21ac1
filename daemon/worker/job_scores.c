/* One row of columns a unit, behind a row of medians. A NaN is written as one fixed pattern, so that the bytes may be
 * hashed. Failure mode: no memory. */
#include "daemon/worker/job_scores.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "daemon/worker/pipe_fields.h"

static const char *const tier_names[] = {
	[SESSION_MODEL_RIDGE] = TIER_RIDGE,
	[SESSION_MODEL_ENSEMBLE] = TIER_ENSEMBLE,
};

const char *job_tier_name(enum session_model_tier tier)
{
	return tier_names[tier];
}

uint32_t job_scores_n_tiers(const struct session_model *model)
{
	return session_model_n_members(model) ? 2 : 1;
}

static double canonical(double value)
{
	return isnan(value) ? (double)NAN : value;
}

static void fill_row(const struct metrics_score *score, double *row)
{
	row[SCORE_R2] = canonical(score->r2);
	row[SCORE_R2_LOW] = canonical(score->r2_low);
	row[SCORE_R2_HIGH] = canonical(score->r2_high);
	row[SCORE_R_MEAN] = canonical(score->r_mean);
	row[SCORE_R_SINGLE] = canonical(score->r_single);
	row[SCORE_CEILING] = canonical(score->ceiling);
	row[SCORE_SNR] = canonical(score->snr);
	row[SCORE_N_IMAGES] = (double)score->n_images;
	row[SCORE_N_PRESENTATIONS] = (double)score->n_presentations;
}

/* The medians over the units' rows. */
static int fill_median(double *tier, uint32_t n_units)
{
	double *column = malloc((n_units + 1) * sizeof *column);

	if (!column)
		return -ENOMEM;
	for (int c = 0; c < SCORE_COLUMNS; c++) {
		for (uint32_t u = 0; u < n_units; u++)
			column[u] = tier[(1 + u) * SCORE_COLUMNS + c];
		tier[c] = canonical(metrics_median(column, n_units));
	}
	free(column);
	return 0;
}

static json_t *unit_ids_json(const struct workbench *bench, uint32_t n_units)
{
	json_t *ids = json_array();

	for (uint32_t u = 0; u < n_units; u++)
		json_array_append_new(ids, json_integer(bench->spec.units[u].id));
	return ids;
}

static int describe(const struct workbench *bench, const struct session_model *model, const struct session_data *data,
		    struct job_result *result)
{
	json_t *tiers = json_array(), *r2 = json_object(), *outcome = result->outcome;
	size_t tier_size = (size_t)result->n_score_rows * SCORE_COLUMNS;
	int r = 0;

	for (uint32_t t = 0; t < result->n_tiers; t++) {
		double median = result->scores[t * tier_size + SCORE_R2];

		r |= json_array_append_new(tiers, json_string(tier_names[t]));
		r |= json_object_set_new(r2, tier_names[t], isfinite(median) ? json_real(median) : json_null());
	}
	r |= json_object_set_new(outcome, OUTCOME_BEST, json_string(tier_names[session_model_best(model)]));
	r |= json_object_set_new(outcome, OUTCOME_TIERS, tiers);
	r |= json_object_set_new(outcome, OUTCOME_R2, r2);
	r |= json_object_set_new(outcome, OUTCOME_UNIT_IDS, unit_ids_json(bench, data->n_units));
	r |= json_object_set_new(outcome, OUTCOME_N_IMAGES, json_integer((json_int_t)data->n_images));
	r |= json_object_set_new(outcome, OUTCOME_N_PRESENTATIONS, json_integer((json_int_t)data->n_presentations));
	return r ? -ENOMEM : 0;
}

int job_scores_report(const struct workbench *bench, const struct session_model *model, const struct session_data *data,
		      const struct metrics_score *scores, struct error *err, struct job_result *result)
{
	uint32_t n_units = data->n_units;
	int r = 0;

	if (!result->outcome)
		result->outcome = json_object();
	result->n_tiers = job_scores_n_tiers(model);
	result->n_score_rows = 1 + n_units;
	result->scores = calloc((size_t)result->n_tiers * result->n_score_rows, SCORE_COLUMNS * sizeof(double));
	if (!result->scores)
		return error_set(err, -ENOMEM, "scores: out of memory");
	for (uint32_t t = 0; t < result->n_tiers && !r; t++) {
		double *tier = result->scores + (size_t)t * result->n_score_rows * SCORE_COLUMNS;

		for (uint32_t u = 0; u < n_units; u++)
			fill_row(&scores[t * n_units + u], tier + (1 + u) * SCORE_COLUMNS);
		r = fill_median(tier, n_units);
	}
	if (!r)
		r = describe(bench, model, data, result);
	return r ? error_set(err, r, "scores: out of memory") : 0;
}

void job_scores_hash(const struct job_result *result, struct hash *ret_hash)
{
	hash_bytes(result->scores, (size_t)result->n_tiers * result->n_score_rows * SCORE_COLUMNS * sizeof(double),
		   ret_hash);
}
