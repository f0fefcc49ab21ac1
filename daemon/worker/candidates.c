/* Features of a chunk (kept ones are not computed again), then means and variances of the chunk. Stopping between
 * chunks leaves a shorter list. Failure modes: a pool image that cannot be read, no memory, and the model's own. */
#include "daemon/worker/candidates.h"

#include <errno.h>
#include <stdlib.h>

#include "stimuli/selection.h"

enum { CHUNK = FEATURE_CACHE_CHUNK_IMAGES };

/* Scratch memory of one chunk. */
struct chunk {
	float *features; /* [CHUNK, n_features] */
	float *variance; /* [CHUNK, n_units] */
};

static int score_chunk(const struct compose *compose, const struct session_model *model, const uint32_t *units,
		       uint32_t n_units, struct chunk *chunk, size_t first, size_t n, struct error *err,
		       struct candidates *c)
{
	struct workbench *bench = compose->bench;
	enum session_model_tier tier =
		session_model_n_members(model) > 1 ? SESSION_MODEL_ENSEMBLE : SESSION_MODEL_RIDGE;
	int r = feature_cache_get(bench->candidates, bench->threads, c->pool_images + first, n, err, chunk->features);

	if (!r)
		r = session_model_predict(model, tier, bench->threads, chunk->features, n, err,
					  c->mean + first * c->n_units, chunk->variance);
	if (r)
		return r;
	for (size_t i = 0; i < n; i++) {
		double sum = 0.0;

		for (uint32_t u = 0; u < n_units; u++)
			sum += (double)chunk->variance[i * c->n_units + units[u]];
		c->disagreement[first + i] = n_units ? sum / n_units : 0.0;
	}
	return 0;
}

static int score_all(const struct compose *compose, const struct session_model *model, const uint32_t *units,
		     uint32_t n_units, size_t n, struct job_work *work, struct error *err, struct candidates *c)
{
	size_t n_features = backbone_n_features(compose->bench->backbone);
	struct chunk chunk = {
		.features = aligned_alloc(64, (CHUNK * n_features * sizeof(float) + 63) / 64 * 64),
		.variance = malloc((size_t)CHUNK * c->n_units * sizeof(float)),
	};
	int r = chunk.features && chunk.variance ? 0 : error_set(err, -ENOMEM, "candidates: out of memory");

	work->what = "candidates";
	work->planned += (int64_t)((n + CHUNK - 1) / CHUNK);
	while (!r && c->n < n && !work->stopped) {
		size_t size = n - c->n < CHUNK ? n - c->n : CHUNK;

		r = score_chunk(compose, model, units, n_units, &chunk, c->n, size, err, c);
		if (!r) {
			c->n += size;
			job_work_step(work);
		}
	}
	free(chunk.features);
	free(chunk.variance);
	return r;
}

int candidates_init(const struct compose *compose, const struct session_model *model, const uint32_t *units,
		    uint32_t n_units, size_t n_wanted, size_t at_least, struct job_work *work, struct error *err,
		    struct candidates *ret_candidates)
{
	struct rng rng = rng_make(compose->job->seed, compose->job->decision, RNG_CANDIDATES, 0);
	struct candidates c = {.n_units = session_model_n_units(model)};
	size_t n_pool = pool_n_images(compose->bench->pool);
	int r;

	n_wanted = n_wanted < n_pool ? n_wanted : n_pool;
	c.pool_images = malloc((n_wanted + 1) * sizeof *c.pool_images);
	c.mean = malloc((n_wanted + 1) * c.n_units * sizeof *c.mean);
	c.disagreement = malloc((n_wanted + 1) * sizeof *c.disagreement);
	if (!c.pool_images || !c.mean || !c.disagreement) {
		r = error_set(err, -ENOMEM, "candidates: out of memory");
	} else {
		size_t n = compose_candidates(compose, &rng, n_wanted, at_least, c.pool_images);

		r = score_all(compose, model, units, n_units, n, work, err, &c);
	}
	if (r) {
		candidates_done(&c);
		return r;
	}
	*ret_candidates = c;
	return 0;
}

void candidates_done(struct candidates *c)
{
	free(c->pool_images);
	free(c->mean);
	free(c->disagreement);
	*c = (struct candidates){0};
}

void candidates_order_by_disagreement(const struct candidates *c, uint32_t *ret_order)
{
	selection_top(c->disagreement, c->n, c->n, ret_order);
}

int candidates_order_by_mean(const struct candidates *c, uint32_t unit, int sign, struct error *err,
			     uint32_t *ret_order)
{
	double *values = malloc((c->n + 1) * sizeof *values);

	if (!values)
		return error_set(err, -ENOMEM, "candidates: out of memory");
	for (size_t i = 0; i < c->n; i++)
		values[i] = sign * (double)c->mean[i * c->n_units + unit];
	selection_top(values, c->n, c->n, ret_order);
	free(values);
	return 0;
}
