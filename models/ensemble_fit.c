/* Start (parent's weights, or random ones aimed by the ridge) -> n_steps times: each member draws a minibatch from its
 * bag of images and takes one Adam step on the mean squared error of z-scored responses. Members are what is spread
 * over the pool: a step then needs one meeting of the threads instead of one a layer, which counts when the cores are
 * shared.
 *
 * Every draw is a function of (seed, decision, member, element); an image's number in a member's bag depends on the
 * image alone, so that a member keeps its own view of the session from fit to fit. Sums run in the fixed order that
 * training.h promises. Failure modes: memory. */
#include "models/ensemble.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/adam.h"
#include "models/member.h"
#include "models/training.h"

/* Noise variance of a presentation over the variance of the signal, near the median of the field (SNR 0.45). The mean
 * of n repeats then counts n / (n + 2): more than one presentation, but never so much that a few much repeated images
 * rule the fit. */
#define NOISE_TO_SIGNAL 2.0f

/* A member in training, with all that its thread needs. */
struct trainee {
	const struct ensemble_fit *fit;
	struct network *network; /* borrowed */
	struct training *training;
	struct adam adam;
	uint32_t *bag; /* rows of the table, each as often as the bootstrap drew it */
	uint32_t n_bag;
	struct rng minibatch;
	uint32_t *rows;	   /* [batch_size]: the minibatch */
	float *inputs;	   /* [batch_size, map] */
	float *answers;	   /* [batch_size, n_units] */
	float *cotangents; /* [batch_size, n_units] */
	float *gradients;  /* [n_weights] */
};

struct ensemble_fit {
	struct ensemble *ensemble;
	const float *features;
	const struct response_table *table;
	const struct session_model_settings *settings;
	uint32_t step;
	struct trainee trainees[SESSION_MODEL_MEMBERS_MAX];
};

/* --- scales ------------------------------------------------------------------------------------------------------ */

/* Mean and 1 / sd of each channel over positions and training images. */
static void scale_channels(struct ensemble_fit *fit)
{
	struct ensemble *ensemble = fit->ensemble;
	const size_t n_channels = ensemble->map.channels, n_features = shape_n_values(ensemble->map);
	const double n = (double)(n_features / n_channels) * (double)fit->table->n_images;

	for (size_t c = 0; c < n_channels; c++) {
		double sum = 0.0, square = 0.0;
		for (size_t i = 0; i < fit->table->n_images; i++)
			for (size_t j = c; j < n_features; j += n_channels)
				sum += fit->features[fit->table->image[i] * n_features + j];
		for (size_t i = 0; i < fit->table->n_images; i++) {
			for (size_t j = c; j < n_features; j += n_channels) {
				double d = fit->features[fit->table->image[i] * n_features + j] - sum / n;
				square += d * d;
			}
		}
		ensemble->channel_mean[c] = (float)(sum / n);
		ensemble->channel_scale[c] = square > 0.0 ? (float)(1.0 / sqrt(square / n)) : 0.0f;
	}
}

/* Mean and sd of each unit's image means; a unit that never varies gets scale 0 and is not trained. */
static void scale_units(struct ensemble_fit *fit)
{
	const struct response_table *table = fit->table;

	for (size_t u = 0; u < table->n_units; u++) {
		double n = 0.0, sum = 0.0, square = 0.0;
		for (size_t i = 0; i < table->n_images; i++) {
			n += table->n[i * table->n_units + u] > 0.0f;
			sum += table->mean[i * table->n_units + u];
		}
		for (size_t i = 0; i < table->n_images; i++) {
			double d = table->mean[i * table->n_units + u] - sum / n;
			square += table->n[i * table->n_units + u] > 0.0f ? d * d : 0.0;
		}
		fit->ensemble->unit_mean[u] = n > 0.0 ? (float)(sum / n) : 0.0f;
		fit->ensemble->unit_scale[u] = square > 0.0 ? (float)sqrt(square / n) : 0.0f;
	}
}

/* --- start ------------------------------------------------------------------------------------------------------- */

static bool fits(const struct ensemble *parent, const struct ensemble *ensemble)
{
	return parent->n_members == ensemble->n_members && parent->n_units == ensemble->n_units &&
	       parent->mixing_channels == ensemble->mixing_channels && parent->map.height == ensemble->map.height &&
	       parent->map.width == ensemble->map.width && parent->map.channels == ensemble->map.channels;
}

/* The parent's members answer in its own z-scores: its readouts are rescaled to the new ones, so that the predicted
 * counts stay what they were. */
static int start_from_parent(struct ensemble *ensemble, const struct ensemble *parent, struct error *err)
{
	const size_t n_units = ensemble->n_units;
	float *factor = malloc(2 * (n_units + 1) * sizeof *factor);
	if (!factor)
		return error_set(err, -ENOMEM, "ensemble: no memory for a warm start");
	float *offset = factor + n_units;

	memcpy(ensemble->channel_mean, parent->channel_mean, ensemble->map.channels * sizeof(float));
	memcpy(ensemble->channel_scale, parent->channel_scale, ensemble->map.channels * sizeof(float));
	for (size_t u = 0; u < n_units; u++) {
		const float scale = ensemble->unit_scale[u], before = parent->unit_scale[u];
		factor[u] = scale > 0.0f && before > 0.0f ? before / scale : 1.0f;
		offset[u] =
			scale > 0.0f && before > 0.0f ? (parent->unit_mean[u] - ensemble->unit_mean[u]) / scale : 0.0f;
	}
	for (uint32_t k = 0; k < ensemble->n_members; k++) {
		memcpy(ensemble->members[k]->weights, parent->members[k]->weights,
		       ensemble->members[k]->n_weights * sizeof(float));
		member_rescale(ensemble->members[k], ensemble->n_units, factor, offset);
	}
	free(factor);
	return 0;
}

/* The ridge's weights per channel of unit sd, which is what the members see. */
static int start_from_ridge(struct ensemble_fit *fit, const struct ridge *ridge, struct error *err)
{
	const struct ensemble *ensemble = fit->ensemble;
	const size_t n_values = ridge->n_features * ridge->n_units;
	float *weights = malloc((n_values + 1) * sizeof *weights);
	int r = 0;

	if (!weights)
		return error_set(err, -ENOMEM, "ensemble: no memory for the start of the readouts");
	for (size_t i = 0; i < n_values; i++) {
		float scale = ensemble->channel_scale[i % ensemble->map.channels];
		weights[i] = scale > 0.0f ? ridge->weights[i] / scale : 0.0f;
	}
	for (uint32_t k = 0; r == 0 && k < ensemble->n_members; k++)
		r = member_aim(ensemble->members[k], weights, ensemble->n_units, err);
	free(weights);
	return r;
}

/* --- training ---------------------------------------------------------------------------------------------------- */

static int fill_bag(struct trainee *trainee, const struct response_table *table, const struct rng *rng,
		    struct error *err)
{
	size_t n = 0;

	for (size_t i = 0; i < table->n_images; i++)
		n += rng_count(rng, table->image[i], 1.0, 1.0);
	const bool all = n == 0;
	trainee->bag = malloc((all ? table->n_images : n) * sizeof *trainee->bag);
	if (!trainee->bag)
		return error_set(err, -ENOMEM, "ensemble: no memory for a bootstrap of %zu images", table->n_images);
	for (uint32_t i = 0; i < table->n_images; i++) {
		uint32_t times = all ? 1 : rng_count(rng, table->image[i], 1.0, 1.0);
		for (uint32_t j = 0; j < times; j++)
			trainee->bag[trainee->n_bag++] = i;
	}
	return 0;
}

static float *allocate(size_t n)
{
	return aligned_alloc(64, (n * sizeof(float) + 63) / 64 * 64);
}

static int trainee_init(const struct ensemble_fit *fit, uint32_t k, struct trainee *trainee, struct error *err)
{
	const struct session_model_settings *settings = fit->settings;
	const size_t batch_size = settings->batch_size, n_units = fit->ensemble->n_units;
	const struct rng bootstrap = rng_make(settings->seed, 0, RNG_BOOTSTRAP, k);
	int r;

	trainee->fit = fit;
	trainee->network = fit->ensemble->members[k];
	trainee->minibatch = rng_make(settings->seed, settings->decision, RNG_MINIBATCH, k);
	trainee->rows = malloc(batch_size * sizeof *trainee->rows);
	trainee->inputs = allocate(batch_size * shape_n_values(fit->ensemble->map));
	trainee->answers = allocate(batch_size * n_units);
	trainee->cotangents = allocate(batch_size * n_units);
	trainee->gradients = allocate(trainee->network->n_weights);
	if (!trainee->rows || !trainee->inputs || !trainee->answers || !trainee->cotangents || !trainee->gradients)
		return error_set(err, -ENOMEM, "ensemble: no memory for minibatches of %zu", batch_size);
	r = fill_bag(trainee, fit->table, &bootstrap, err);
	if (r == 0)
		r = adam_init(trainee->network->n_weights, err, &trainee->adam);
	if (r == 0)
		r = training_create(trainee->network, batch_size, err, &trainee->training);
	return r;
}

static void trainee_done(struct trainee *trainee)
{
	training_destroy(trainee->training);
	adam_done(&trainee->adam);
	free(trainee->bag);
	free(trainee->rows);
	free(trainee->inputs);
	free(trainee->answers);
	free(trainee->cotangents);
	free(trainee->gradients);
}

/* d/d answers of the mean over the minibatch of Σ_u weight (answer - z-scored response)² / 2. */
static void loss_gradient(const struct trainee *trainee)
{
	const struct ensemble *ensemble = trainee->fit->ensemble;
	const struct response_table *table = trainee->fit->table;
	const size_t n_units = ensemble->n_units, batch_size = trainee->fit->settings->batch_size;

	for (size_t i = 0; i < batch_size; i++) {
		for (size_t u = 0; u < n_units; u++) {
			const size_t at = trainee->rows[i] * n_units + u;
			const float n = table->n[at], scale = ensemble->unit_scale[u];
			float error = 0.0f;
			if (n > 0.0f && scale > 0.0f)
				error = trainee->answers[i * n_units + u] -
					(table->mean[at] - ensemble->unit_mean[u]) / scale;
			trainee->cotangents[i * n_units + u] = n / (n + NOISE_TO_SIGNAL) * error / (float)batch_size;
		}
	}
}

/* Full rate for the first half, then straight down to zero. */
static double rate_at(const struct session_model_settings *settings, uint32_t step)
{
	double left = 2.0 * (double)(settings->n_steps - step) / settings->n_steps;

	return settings->learning_rate * (left < 1.0 ? left : 1.0);
}

/* One step of one member, a task: members share nothing that is written. */
static void step_task(void *ctx, size_t k, unsigned thread)
{
	struct ensemble_fit *fit = ctx;
	struct trainee *trainee = &fit->trainees[k];
	const struct session_model_settings *settings = fit->settings;
	const size_t n_features = shape_n_values(fit->ensemble->map);
	(void)thread;

	for (uint32_t i = 0; i < settings->batch_size; i++) {
		const uint64_t element = (uint64_t)fit->step * settings->batch_size + i;
		trainee->rows[i] = trainee->bag[rng_below(&trainee->minibatch, element, trainee->n_bag)];
		ensemble_scale_input(fit->ensemble, fit->features + fit->table->image[trainee->rows[i]] * n_features,
				     trainee->inputs + i * n_features);
	}
	training_forward(trainee->training, NULL, trainee->inputs, settings->batch_size, trainee->answers);
	loss_gradient(trainee);
	training_backward(trainee->training, NULL, trainee->cotangents, trainee->gradients, NULL);
	adam_step(&trainee->adam, trainee->gradients, rate_at(settings, fit->step), settings->weight_decay,
		  trainee->network->weights);
}

int ensemble_fit(struct shape map, const float *features, const struct response_table *table, const struct ridge *ridge,
		 const struct ensemble *parent, const struct session_model_settings *settings, struct thread_pool *pool,
		 bool (*stop)(void *ctx, uint32_t done, uint32_t planned), void *ctx, struct error *err,
		 struct ensemble *ret_ensemble, uint32_t *ret_units)
{
	struct ensemble ensemble;
	struct ensemble_fit fit = {.ensemble = &ensemble, .features = features, .table = table, .settings = settings};
	int r = ensemble_init(map, table->n_units, settings, err, &ensemble);

	if (r < 0)
		return r;
	if (table->n_images > 0) {
		scale_units(&fit);
		if (parent && fits(parent, &ensemble)) {
			r = start_from_parent(&ensemble, parent, err);
		} else {
			scale_channels(&fit);
			r = start_from_ridge(&fit, ridge, err);
		}
		for (uint32_t k = 0; r == 0 && k < ensemble.n_members; k++)
			r = trainee_init(&fit, k, &fit.trainees[k], err);
		for (; r == 0 && fit.step < settings->n_steps; fit.step++) {
			if (stop && stop(ctx, fit.step, settings->n_steps))
				break;
			thread_pool_run(pool, ensemble.n_members, step_task, &fit);
		}
	}
	for (uint32_t k = 0; k < SESSION_MODEL_MEMBERS_MAX; k++)
		trainee_done(&fit.trainees[k]);
	if (r < 0) {
		ensemble_done(&ensemble);
		return r;
	}
	*ret_ensemble = ensemble;
	*ret_units = fit.step;
	return 0;
}
