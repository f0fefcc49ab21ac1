/* The members' memory and their answers. Inputs are brought to the members' scale in chunks, so that a prediction over
 * many images does not hold them all twice. Failure modes: memory, sizes that a network refuses. */
#include "models/ensemble.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "models/inference.h"
#include "models/member.h"

enum { CHUNK = 64 };

int ensemble_init(struct shape map, uint32_t n_units, const struct session_model_settings *settings, struct error *err,
		  struct ensemble *ret_ensemble)
{
	struct ensemble ensemble = {
		.n_units = n_units,
		.mixing_channels = settings->mixing_channels,
		.map = map,
		.channel_mean = calloc(map.channels, sizeof(float)),
		.channel_scale = calloc(map.channels, sizeof(float)),
		.unit_mean = calloc(n_units + 1, sizeof(float)),
		.unit_scale = calloc(n_units + 1, sizeof(float)),
	};
	int r = 0;

	if (settings->n_members > SESSION_MODEL_MEMBERS_MAX)
		r = error_set(err, -EINVAL, "n_members: %u, the limit is %d", settings->n_members,
			      SESSION_MODEL_MEMBERS_MAX);
	else if (!ensemble.channel_mean || !ensemble.channel_scale || !ensemble.unit_mean || !ensemble.unit_scale)
		r = error_set(err, -ENOMEM, "ensemble: no memory for %u channels and %u units", map.channels, n_units);
	while (r == 0 && ensemble.n_members < settings->n_members) {
		struct rng rng = rng_make(settings->seed, settings->decision, RNG_WEIGHT_INIT, ensemble.n_members);
		r = member_create(map, settings->mixing_channels, n_units, &rng, err,
				  &ensemble.members[ensemble.n_members]);
		if (r == 0)
			ensemble.n_members++;
	}
	if (r < 0)
		ensemble_done(&ensemble);
	else
		*ret_ensemble = ensemble;
	return r;
}

void ensemble_done(struct ensemble *ensemble)
{
	if (!ensemble)
		return;
	for (uint32_t k = 0; k < ensemble->n_members; k++)
		network_destroy(ensemble->members[k]);
	free(ensemble->channel_mean);
	free(ensemble->channel_scale);
	free(ensemble->unit_mean);
	free(ensemble->unit_scale);
	*ensemble = (struct ensemble){0};
}

void ensemble_scale_input(const struct ensemble *ensemble, const float *features, float *ret_input)
{
	const size_t n_channels = ensemble->map.channels,
		     n_positions = (size_t)ensemble->map.height * ensemble->map.width;

	for (size_t p = 0; p < n_positions; p++)
		for (size_t c = 0; c < n_channels; c++)
			ret_input[p * n_channels + c] =
				(features[p * n_channels + c] - ensemble->channel_mean[c]) * ensemble->channel_scale[c];
}

struct scale_job {
	const struct ensemble *ensemble;
	const float *features;
	float *inputs;
};

static void scale_task(void *ctx, size_t i, unsigned thread)
{
	const struct scale_job *job = ctx;
	const size_t n_features = shape_n_values(job->ensemble->map);
	(void)thread;

	ensemble_scale_input(job->ensemble, job->features + i * n_features, job->inputs + i * n_features);
}

int ensemble_predict(const struct ensemble *ensemble, const float *features, size_t n, struct thread_pool *pool,
		     struct error *err, float *ret_responses)
{
	const size_t n_features = shape_n_values(ensemble->map), n_units = ensemble->n_units;
	struct inference *inferences[SESSION_MODEL_MEMBERS_MAX] = {0};
	float *inputs = aligned_alloc(64, CHUNK * n_features * sizeof *inputs);
	float *answers = aligned_alloc(64, (CHUNK * n_units * sizeof *answers + 63) / 64 * 64);
	int r = 0;

	if (!inputs || !answers)
		r = error_set(err, -ENOMEM, "ensemble: no memory to predict %zu images", n);
	for (uint32_t k = 0; r == 0 && k < ensemble->n_members; k++)
		r = inference_create(ensemble->members[k], err, &inferences[k]);
	for (size_t first = 0; r == 0 && first < n; first += CHUNK) {
		const size_t n_chunk = n - first < CHUNK ? n - first : CHUNK;
		struct scale_job job = {ensemble, features + first * n_features, inputs};
		thread_pool_run(pool, n_chunk, scale_task, &job);
		for (uint32_t k = 0; r == 0 && k < ensemble->n_members; k++) {
			r = inference_forward(inferences[k], pool, inputs, n_chunk, err, answers);
			for (size_t i = 0; r == 0 && i < n_chunk; i++)
				ensemble_scale_output(ensemble, answers + i * n_units,
						      ret_responses +
							      ((first + i) * ensemble->n_members + k) * n_units);
		}
	}
	for (uint32_t k = 0; k < ensemble->n_members; k++)
		inference_destroy(inferences[k]);
	free(inputs);
	free(answers);
	return r;
}

void ensemble_scale_output(const struct ensemble *ensemble, const float *answers, float *ret_counts)
{
	for (size_t u = 0; u < ensemble->n_units; u++)
		ret_counts[u] = ensemble->unit_mean[u] + ensemble->unit_scale[u] * answers[u];
}
