/* Times of stimuli/, and how much of the built-in neurons a ridge on the front end learns (stimuli/README.md).
 *
 *   stimuli_bench [POOL.zip]      a pool besides the 1,200 dead leaves
 *
 * Prints a line a figure, "name value unit"; "R2" is the median over neurons of R² to their true rates. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "models/backbone.h"
#include "models/front_end.h"
#include "models/metrics.h"
#include "models/response_table.h"
#include "models/ridge.h"
#include "stimuli/pool.h"
#include "stimuli/subject.h"
#include "stimuli/synthesis.h"

enum {
	SIDE_PX = 112,
	N_VALUES = SIDE_PX * SIDE_PX * 3,
	N_NEURONS = 45,
	N_TEST = 300,
	N_SYNTHESIZED = 16,
	N_DRIVEN = 5, /* neurons */
	N_STEPS = 100,
	SEED = 3
};

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void must(int rc, const struct error *err)
{
	if (rc == 0)
		return;
	fprintf(stderr, "stimuli_bench: %s\n", err->text);
	exit(1);
}

static void *array(size_t n, size_t size)
{
	void *data = calloc(n, size);

	if (!data)
		abort();
	return data;
}

static struct pool *open_pool(const char *source, struct thread_pool *threads)
{
	struct error err = {0};
	struct pool *pool;
	double start = now_s();

	must(pool_open(source, SIDE_PX, SIDE_PX, true, SEED, threads, &err, &pool), &err);
	printf("pool_open_%zu_images %.2f s\n", pool_n_images(pool), now_s() - start);
	return pool;
}

/* One presentation of each image but the last N_TEST, which the fits do not use. */
struct recording {
	size_t n;
	float *features; /* [n, n_features] */
	float *counts;	 /* [n, N_NEURONS] */
	float *rates;	 /* [n, N_NEURONS] */
	uint32_t *image; /* [n]: 0, 1, ... */
	struct subject *subject;
	uint8_t *ones, *zeros;
};

static struct recording record(struct pool *pool, struct backbone *backbone, struct thread_pool *threads)
{
	size_t n = pool_n_images(pool), n_features = backbone_n_features(backbone);
	const struct subject_settings settings = {.seed = SEED, .width_px = SIDE_PX, .height_px = SIDE_PX};
	struct recording r = {
		.n = n,
		.features = array(n * n_features, sizeof(float)),
		.counts = array(n * N_NEURONS, sizeof(float)),
		.rates = array(n * N_NEURONS, sizeof(float)),
		.image = array(n, sizeof(uint32_t)),
		.ones = array(n * N_NEURONS, 1),
		.zeros = array(n, 1),
	};
	struct image *images = array(n, sizeof *images);
	float *pixels = array(n * N_VALUES, sizeof *pixels);
	struct error err = {0};

	for (size_t i = 0; i < n; i++) {
		must(pool_read(pool, i, &err, &images[i]), &err);
		image_to_float(&images[i], pixels + i * N_VALUES);
	}
	must(subject_create_builtin(N_NEURONS, &settings, threads, &err, &r.subject), &err);
	double start = now_s();
	for (size_t i = 0; i < n; i++) {
		uint16_t counts[N_NEURONS];
		size_t n_ahead = n - i < SUBJECT_BATCH ? n - i : SUBJECT_BATCH;
		if (i % SUBJECT_BATCH == 0)
			must(subject_prepare(r.subject, images + i, n_ahead, &err), &err);
		must(subject_respond(r.subject, &images[i], i, &err, counts), &err);
		must(subject_rates(r.subject, &images[i], &err, r.rates + i * N_NEURONS), &err);
		for (size_t u = 0; u < N_NEURONS; u++) {
			r.counts[i * N_NEURONS + u] = counts[u];
			r.ones[i * N_NEURONS + u] = 1;
		}
		r.image[i] = (uint32_t)i;
		image_done(&images[i]);
	}
	printf("builtin_neurons_%d %.2f ms/image\n", N_NEURONS, (now_s() - start) / (double)n * 1e3);
	must(backbone->ops->features(backbone, threads, pixels, n, &err, r.features), &err);
	free(images);
	free(pixels);
	return r;
}

static void free_recording(struct recording *r)
{
	subject_destroy(r->subject);
	free(r->features);
	free(r->counts);
	free(r->rates);
	free(r->image);
	free(r->ones);
	free(r->zeros);
}

/* Median over neurons of R² to the true rates of the last N_TEST images, from the first n_presentations. */
static double learn(const struct recording *r, struct shape map, size_t n_presentations, struct thread_pool *threads,
		    struct ridge *ret_ridge)
{
	const struct session_data data = {
		.n_units = N_NEURONS,
		.n_images = r->n,
		.features = r->features,
		.n_presentations = n_presentations,
		.image = r->image,
		.counts = r->counts,
		.valid = r->ones,
		.monitor = r->zeros,
		.held_out = r->zeros,
	};
	const float *test = r->features + (r->n - N_TEST) * shape_n_values(map);
	float predicted[N_TEST * N_NEURONS], of_unit[N_TEST], true_rate[N_TEST];
	double r2[N_NEURONS];
	struct response_table table;
	struct error err = {0};

	must(response_table_init(&data, &err, &table), &err);
	must(ridge_fit(map, r->features, &table, threads, &err, ret_ridge), &err);
	must(ridge_predict(ret_ridge, test, N_TEST, threads, &err, predicted, NULL), &err);
	for (size_t u = 0; u < N_NEURONS; u++) {
		for (size_t i = 0; i < N_TEST; i++) {
			of_unit[i] = predicted[i * N_NEURONS + u];
			true_rate[i] = r->rates[(r->n - N_TEST + i) * N_NEURONS + u];
		}
		r2[u] = metrics_r2_plain(of_unit, true_rate, N_TEST);
	}
	response_table_done(&table);
	return metrics_median(r2, N_NEURONS);
}

/* A ridge on the front end as a response model, with a clock on what the model itself takes. */
struct timed_model {
	struct response_model model;
	struct backbone *backbone;
	const struct ridge *ridge;
	double model_s;
	response_model_objective *objective;
	void *ctx;
	double *values;
};

static void answer(const struct timed_model *m, const float *features, float *ret_responses)
{
	size_t n = m->ridge->n_features;

	for (size_t u = 0; u < N_NEURONS; u++) {
		double sum = m->ridge->intercept[u];
		for (size_t k = 0; k < n; k++)
			sum += m->ridge->weights[u * n + k] * (features[k] - m->ridge->scaling.mean[k]);
		ret_responses[u] = (float)sum;
	}
}

static void cotangent(void *ctx, size_t i, unsigned thread, const float *features, float *ret_cotangent)
{
	struct timed_model *m = ctx;
	float responses[N_NEURONS], by_response[N_NEURONS];
	size_t n = m->ridge->n_features;
	(void)thread;

	answer(m, features, responses);
	m->objective(m->ctx, i, responses, &m->values[i], by_response);
	for (size_t k = 0; k < n; k++)
		ret_cotangent[k] = 0;
	for (size_t u = 0; u < N_NEURONS; u++)
		for (size_t k = 0; k < n && by_response[u] != 0; k++)
			ret_cotangent[k] += by_response[u] * m->ridge->weights[u * n + k];
}

static int timed_gradient(struct response_model *model, struct thread_pool *threads, const float *images, size_t n,
			  response_model_objective *objective, void *ctx, struct error *err, double *ret_values,
			  float *ret_gradients, float *ret_responses)
{
	struct timed_model *m = (struct timed_model *)model;
	double start = now_s();
	(void)ret_responses;

	m->objective = objective;
	m->ctx = ctx;
	m->values = ret_values;
	int rc = m->backbone->ops->gradient(m->backbone, threads, images, n, cotangent, m, err, ret_gradients);
	m->model_s += now_s() - start;
	return rc;
}

static int timed_predict(struct response_model *model, struct thread_pool *threads, const float *images, size_t n,
			 struct error *err, float *ret_responses)
{
	struct timed_model *m = (struct timed_model *)model;
	float *features = array(n * m->ridge->n_features, sizeof *features);
	double start = now_s();

	int rc = m->backbone->ops->features(m->backbone, threads, images, n, err, features);
	for (size_t i = 0; i < n && rc == 0; i++)
		answer(m, features + i * m->ridge->n_features, ret_responses + i * N_NEURONS);
	m->model_s += now_s() - start;
	free(features);
	return rc;
}

static const struct response_model_ops timed_ops = {.predict = timed_predict, .gradient = timed_gradient};

static double natural_maximum(const struct recording *r, uint32_t unit)
{
	double maximum = 0;

	for (size_t i = 0; i < r->n; i++)
		maximum = fmax(maximum, r->rates[i * N_NEURONS + unit]);
	return maximum;
}

/* Images that the ridge thinks drive a neuron most, shown to the true one; ret_response in natural maxima. */
static void synthesize(struct timed_model *model, const struct recording *recording, uint32_t unit,
		       struct thread_pool *threads, double *ret_response)
{
	const struct synthesis_settings settings = {.goal = SYNTHESIS_MAXIMIZE,
						    .unit = unit,
						    .n_steps = N_STEPS,
						    .rms_contrast = 50,
						    .mean_luminance = 110,
						    .seed = SEED};
	struct synthesis_result results[N_SYNTHESIZED];
	struct error err = {0};
	double sum = 0;
	uint32_t n_steps;

	must(synthesis_run(&model->model, &settings, NULL, N_SYNTHESIZED, threads, NULL, NULL, &err, results, &n_steps),
	     &err);
	for (size_t i = 0; i < N_SYNTHESIZED; i++) {
		float rates[N_NEURONS];
		must(subject_rates(recording->subject, &results[i].image, &err, rates), &err);
		sum += rates[unit];
		image_done(&results[i].image);
	}
	*ret_response = sum / N_SYNTHESIZED / natural_maximum(recording, unit);
}

static void bench_synthesis(struct backbone *backbone, const struct ridge *ridge, const struct recording *recording,
			    struct thread_pool *threads)
{
	struct timed_model model = {
		.model = {&timed_ops, SIDE_PX, SIDE_PX, 1, N_NEURONS}, .backbone = backbone, .ridge = ridge};
	double responses[N_DRIVEN], start = now_s();

	for (uint32_t k = 0; k < N_DRIVEN; k++)
		synthesize(&model, recording, k * N_NEURONS / N_DRIVEN, threads, &responses[k]);
	double seconds = now_s() - start;
	printf("synthesis_%d_images_%d_steps %.2f s\n", N_SYNTHESIZED, N_STEPS, seconds / N_DRIVEN);
	printf("synthesis_share_of_model %.0f %%\n", 100 * model.model_s / seconds);
	printf("synthesis_true_response %.2f natural_maxima\n", metrics_median(responses, N_DRIVEN));
}

static void bench(const char *source, struct thread_pool *threads)
{
	const size_t n_presentations[] = {200, 400, 600, 900};
	struct pool *pool = open_pool(source, threads);
	struct ridge ridge = {0};
	struct backbone *backbone;
	struct error err = {0};

	must(front_end_create(SIDE_PX, SIDE_PX, &err, &backbone), &err);
	struct recording recording = record(pool, backbone, threads);
	for (size_t k = 0; k < sizeof n_presentations / sizeof *n_presentations; k++) {
		if (n_presentations[k] + N_TEST > recording.n)
			break;
		ridge_done(&ridge);
		double r2 = learn(&recording, backbone_shape(backbone), n_presentations[k], threads, &ridge);
		printf("ridge_after_%zu_presentations %.2f R2\n", n_presentations[k], r2);
	}
	bench_synthesis(backbone, &ridge, &recording, threads);
	ridge_done(&ridge);
	free_recording(&recording);
	backbone_destroy(backbone);
	pool_close(pool);
}

int main(int argc, char **argv)
{
	struct thread_pool *threads;
	struct error err = {0};

	must(thread_pool_create(0, &err, &threads), &err);
	bench("dead_leaves:1200", threads);
	if (argc > 1)
		bench(argv[1], threads);
	thread_pool_destroy(threads);
	return 0;
}
