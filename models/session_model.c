/* Aggregates the responses once, fits the ridge, then the ensemble from its parent or aimed by the ridge; predicts;
 * scores both tiers on marked images, with the same resampled images for both. Failure modes: memory, settings out of
 * range, data that name what is not there. */
#include "models/session_model.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/session_model_private.h"

static int check_settings(const struct session_model_settings *settings, struct error *err)
{
	if (settings->n_members > SESSION_MODEL_MEMBERS_MAX)
		return error_set(err, -EINVAL, "n_members: %u, the limit is %d", settings->n_members,
				 SESSION_MODEL_MEMBERS_MAX);
	if (settings->n_members == 0)
		return 0;
	if (settings->batch_size < 1 || settings->batch_size > SESSION_MODEL_BATCH_MAX)
		return error_set(err, -EINVAL, "batch_size: %u, must be 1 to %d", settings->batch_size,
				 SESSION_MODEL_BATCH_MAX);
	if (settings->mixing_channels < 1 || settings->mixing_channels > SESSION_MODEL_MIXING_MAX)
		return error_set(err, -EINVAL, "mixing_channels: %u, must be 1 to %d", settings->mixing_channels,
				 SESSION_MODEL_MIXING_MAX);
	if (!(settings->learning_rate > 0.0) || !(settings->weight_decay >= 0.0))
		return error_set(err, -EINVAL,
				 "learning_rate: %g and weight_decay: %g; must be above 0 and not below 0",
				 settings->learning_rate, settings->weight_decay);
	return 0;
}

int session_model_fit(const struct backbone *backbone, const struct session_data *data,
		      const struct session_model *parent, const struct session_model_settings *settings,
		      struct thread_pool *pool, bool (*stop)(void *ctx, uint32_t done, uint32_t planned), void *ctx,
		      struct error *err, struct session_model **ret_model, uint32_t *ret_units)
{
	const struct shape map = backbone_shape(backbone);
	struct session_model *model = NULL;
	struct response_table table = {0};
	uint32_t n_done = 0;
	int r = check_settings(settings, err);

	if (r < 0)
		return r;
	model = calloc(1, sizeof *model);
	if (!model)
		return error_set(err, -ENOMEM, "fit: no memory");
	model->backbone = backbone->hash;
	model->height_px = backbone->height_px;
	model->width_px = backbone->width_px;
	model->seed = settings->seed;
	model->decision = settings->decision;
	r = response_table_init(data, err, &table);
	if (r == 0)
		r = ridge_fit(map, data->features, &table, pool, err, &model->ridge);
	if (r == 0 && settings->n_members > 0)
		r = ensemble_fit(map, data->features, &table, &model->ridge, parent ? &parent->ensemble : NULL,
				 settings, pool, stop, ctx, err, &model->ensemble, &n_done);
	response_table_done(&table);
	if (r < 0) {
		session_model_destroy(model);
		return r;
	}
	*ret_model = model;
	*ret_units = n_done;
	return 0;
}

void session_model_destroy(struct session_model *model)
{
	if (!model)
		return;
	ridge_done(&model->ridge);
	ensemble_done(&model->ensemble);
	free(model);
}

uint32_t session_model_n_members(const struct session_model *model)
{
	return model->ensemble.n_members;
}

uint32_t session_model_n_units(const struct session_model *model)
{
	return model->ridge.n_units;
}

enum session_model_tier session_model_best(const struct session_model *model)
{
	return model->best;
}

/* Mean and sample variance over members of each of n values; members' answers [n, n_members, n_units]. */
static void average_members(const float *answers, size_t n, uint32_t n_members, uint32_t n_units, float *ret_mean,
			    float *ret_variance)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t u = 0; u < n_units; u++) {
			const float *answer = answers + i * n_members * n_units + u;
			double mean = 0.0, square = 0.0;
			for (uint32_t k = 0; k < n_members; k++)
				mean += answer[k * (size_t)n_units] / (double)n_members;
			for (uint32_t k = 0; k < n_members; k++) {
				double d = answer[k * (size_t)n_units] - mean;
				square += d * d;
			}
			ret_mean[i * n_units + u] = (float)mean;
			if (ret_variance)
				ret_variance[i * n_units + u] =
					n_members > 1 ? (float)(square / (n_members - 1)) : 0.0f;
		}
	}
}

int session_model_predict(const struct session_model *model, enum session_model_tier tier, struct thread_pool *pool,
			  const float *features, size_t n, struct error *err, float *ret_mean, float *ret_variance)
{
	const uint32_t n_members = model->ensemble.n_members, n_units = model->ridge.n_units;

	if (tier == SESSION_MODEL_RIDGE)
		return ridge_predict(&model->ridge, features, n, pool, err, ret_mean, ret_variance);
	if (n_members == 0)
		return error_set(err, -EINVAL, "predict: this model has no ensemble");
	float *answers = malloc((n * n_members * n_units + 1) * sizeof *answers);
	if (!answers)
		return error_set(err, -ENOMEM, "predict: no memory for %zu images", n);
	int r = ensemble_predict(&model->ensemble, features, n, pool, err, answers);
	if (r == 0)
		average_members(answers, n, n_members, n_units, ret_mean, ret_variance);
	free(answers);
	return r;
}

/* --- scores ------------------------------------------------------------------------------------------------------ */

/* The presentations of the marked images, sorted by image. */
struct marked_set {
	size_t n;	      /* marked images */
	uint32_t *image;      /* [n] */
	size_t *start;	      /* [n + 1]: of each image in `presentation` */
	size_t *presentation; /* [start[n]] */
	float *features;      /* [n, n_features] */
};

static void marked_set_done(struct marked_set *set)
{
	free(set->image);
	free(set->start);
	free(set->presentation);
	free(set->features);
}

static int marked_set_init(const struct session_data *data, const uint8_t *marked, size_t n_features, struct error *err,
			   struct marked_set *set)
{
	size_t *place = calloc(data->n_images + 1, sizeof *place); /* of an image among the marked */

	for (size_t i = 0; i < data->n_images; i++)
		set->n += marked[i] != 0;
	set->image = malloc((set->n + 1) * sizeof *set->image);
	set->start = calloc(set->n + 2, sizeof *set->start);
	set->presentation = malloc((data->n_presentations + 1) * sizeof *set->presentation);
	set->features = malloc((set->n * n_features + 1) * sizeof *set->features);
	if (!place || !set->image || !set->start || !set->presentation || !set->features) {
		free(place);
		return error_set(err, -ENOMEM, "score: no memory for %zu images", set->n);
	}
	for (size_t i = 0, at = 0; i < data->n_images; i++) {
		if (!marked[i])
			continue;
		set->image[at] = (uint32_t)i;
		memcpy(set->features + at * n_features, data->features + i * n_features, n_features * sizeof(float));
		place[i] = at++;
	}
	/* A counting sort: start[i + 2] counts, then start[i + 1] moves from image i's first place to its end. */
	for (size_t p = 0; p < data->n_presentations; p++)
		if (marked[data->image[p]])
			set->start[place[data->image[p]] + 2]++;
	for (size_t i = 2; i < set->n + 2; i++)
		set->start[i] += set->start[i - 1];
	for (size_t p = 0; p < data->n_presentations; p++)
		if (marked[data->image[p]])
			set->presentation[set->start[place[data->image[p]] + 1]++] = p;
	free(place);
	return 0;
}

struct score_job {
	const struct session_model *model;
	const struct session_data *data;
	const struct marked_set *set;
	const float *means[2]; /* [n, n_units], or NULL */
	uint32_t n_bootstrap;
	size_t *first;	/* [threads, n + 1] */
	float *counts;	/* [threads, presentations] */
	float *answers; /* [threads, n] */
	struct metrics_score *scores;
};

static void score_task(void *ctx, size_t unit, unsigned thread)
{
	const struct score_job *job = ctx;
	const struct marked_set *set = job->set;
	const size_t n_units = job->data->n_units;
	size_t *first = job->first + thread * (set->n + 1);
	float *counts = job->counts + thread * (set->start[set->n] + 1),
	      *answers = job->answers + thread * (set->n + 1);
	const struct metrics_responses responses = {set->n, first, counts};
	const struct rng rng = rng_make(job->model->seed, job->model->decision, RNG_METRIC_BOOTSTRAP, (uint32_t)unit);

	first[0] = 0;
	for (size_t i = 0; i < set->n; i++) {
		first[i + 1] = first[i];
		for (size_t j = set->start[i]; j < set->start[i + 1]; j++) {
			size_t at = set->presentation[j] * n_units + unit;
			if (job->data->valid[at])
				counts[first[i + 1]++] = job->data->counts[at];
		}
	}
	for (int tier = 0; tier < 2; tier++) {
		for (size_t i = 0; i < set->n; i++)
			answers[i] = job->means[tier] ? job->means[tier][i * n_units + unit] : NAN;
		metrics_score(&responses, answers, &rng, job->n_bootstrap, &job->scores[tier * n_units + unit]);
	}
}

static int score_marked(const struct session_model *model, const struct session_data *data,
			const struct marked_set *set, struct thread_pool *pool, uint32_t n_bootstrap, struct error *err,
			struct metrics_score *ret_scores)
{
	const size_t n_units = data->n_units, n_threads = thread_pool_size(pool);
	const bool has_ensemble = model->ensemble.n_members > 0;
	float *means = malloc((2 * set->n * n_units + 1) * sizeof *means);
	struct score_job job = {
		.model = model,
		.data = data,
		.set = set,
		.n_bootstrap = n_bootstrap,
		.first = malloc(n_threads * (set->n + 1) * sizeof *job.first),
		.counts = malloc(n_threads * (set->start[set->n] + 1) * sizeof *job.counts),
		.answers = malloc(n_threads * (set->n + 1) * sizeof *job.answers),
		.scores = ret_scores,
	};
	int r = 0;

	if (!means || !job.first || !job.counts || !job.answers) {
		r = error_set(err, -ENOMEM, "score: no memory for %zu images of %zu units", set->n, n_units);
		goto out;
	}
	job.means[SESSION_MODEL_RIDGE] = means;
	r = session_model_predict(model, SESSION_MODEL_RIDGE, pool, set->features, set->n, err, means, NULL);
	if (r == 0 && has_ensemble) {
		float *of_ensemble = means + set->n * n_units;
		job.means[SESSION_MODEL_ENSEMBLE] = of_ensemble;
		r = session_model_predict(model, SESSION_MODEL_ENSEMBLE, pool, set->features, set->n, err, of_ensemble,
					  NULL);
	}
	if (r == 0)
		thread_pool_run(pool, n_units, score_task, &job);
out:
	free(means);
	free(job.first);
	free(job.counts);
	free(job.answers);
	return r;
}

int session_model_score_on(const struct session_model *model, const struct session_data *data, const uint8_t *marked,
			   struct thread_pool *pool, uint32_t n_bootstrap, struct error *err,
			   struct metrics_score *ret_scores)
{
	struct marked_set set = {0};
	int r;

	if (data->n_units != model->ridge.n_units)
		return error_set(err, -EINVAL, "score: data of %u units, the model has %u", data->n_units,
				 model->ridge.n_units);
	r = marked_set_init(data, marked, model->ridge.n_features, err, &set);
	if (r == 0)
		r = score_marked(model, data, &set, pool, n_bootstrap, err, ret_scores);
	marked_set_done(&set);
	return r;
}

/* How well the median unit is predicted: noise-corrected R² where the data define it (0 for a prediction that explains
 * nothing), plain r elsewhere. */
static double median_quality(const struct metrics_score *scores, uint32_t n_units, double *scratch)
{
	for (uint32_t u = 0; u < n_units; u++) {
		const bool defined = scores[u].snr > 0.0;
		const double value = defined ? scores[u].r2 : scores[u].r_mean;
		scratch[u] = isfinite(value) ? value : 0.0;
	}
	return metrics_median(scratch, n_units);
}

int session_model_score(struct session_model *model, const struct session_data *data, struct thread_pool *pool,
			uint32_t n_bootstrap, struct error *err, struct metrics_score *ret_scores)
{
	const uint32_t n_units = model->ridge.n_units;
	double *scratch = malloc((n_units + 1) * sizeof *scratch);

	if (!scratch)
		return error_set(err, -ENOMEM, "score: no memory for %u units", n_units);
	int r = session_model_score_on(model, data, data->monitor, pool, n_bootstrap, err, ret_scores);
	if (r == 0) {
		double ridge = median_quality(ret_scores, n_units, scratch);
		double ensemble = median_quality(ret_scores + n_units, n_units, scratch);
		model->best = model->ensemble.n_members > 0 && ensemble > ridge ? SESSION_MODEL_ENSEMBLE
										: SESSION_MODEL_RIDGE;
	}
	free(scratch);
	return r;
}
