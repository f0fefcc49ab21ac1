/* The ensemble learns what a ridge cannot, its members differ, its bits do not depend on threads, and a refit goes on
 * from its parent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/ensemble.h"
#include "models/metrics.h"

enum { H = 4, W = 4, C = 6, N_FEATURES = H * W * C, IMAGES = 300, TRAIN = 240, UNITS = 2, MEMBERS = 3 };

static const struct shape map = {H, W, C};

struct session {
	struct session_data data;
	float features[IMAGES * N_FEATURES];
	uint32_t image[IMAGES];
	float counts[IMAGES * UNITS];
	uint8_t valid[IMAGES * UNITS], monitor[IMAGES], held_out[IMAGES];
};

/* Each unit looks at one place, where it answers to the modulus of a sum of channels: nothing linear. */
static void make_session(struct session *s)
{
	struct rng rng = rng_make(71, 0, RNG_TEST, 0);

	memset(s, 0, sizeof *s);
	rng_fill_normal(&rng, 0, IMAGES * N_FEATURES, s->features);
	for (size_t i = 0; i < IMAGES; i++) {
		s->image[i] = (uint32_t)i;
		s->monitor[i] = i >= TRAIN;
		for (size_t u = 0; u < UNITS; u++) {
			const float *place = s->features + i * N_FEATURES + (5 + 4 * u) * C;
			s->counts[i * UNITS + u] = 2.0f + fabsf(place[u] + place[u + 1]) + 0.5f * place[u + 2];
			s->valid[i * UNITS + u] = 1;
		}
	}
	s->data = (struct session_data){
		.n_units = UNITS,
		.n_images = IMAGES,
		.features = s->features,
		.n_presentations = IMAGES,
		.image = s->image,
		.counts = s->counts,
		.valid = s->valid,
		.monitor = s->monitor,
		.held_out = s->held_out,
	};
}

static const struct session_model_settings settings = {
	.n_members = MEMBERS,
	.mixing_channels = 16,
	.n_steps = 300,
	.batch_size = 32,
	.learning_rate = 1e-2,
	.seed = 5,
	.decision = 1,
};

static bool stop_at_three(void *ctx, uint32_t done, uint32_t planned)
{
	*(uint32_t *)ctx = planned;
	return done == 3;
}

static void fit(const struct session *s, const struct ensemble *parent, const struct session_model_settings *how,
		unsigned n_threads, bool (*stop)(void *, uint32_t, uint32_t), void *ctx, struct ensemble *ret_ensemble,
		uint32_t *ret_units)
{
	struct response_table table;
	struct thread_pool *pool;
	struct ridge ridge;

	assert_int_equal(thread_pool_create(n_threads, NULL, &pool), 0);
	assert_int_equal(response_table_init(&s->data, NULL, &table), 0);
	assert_int_equal(ridge_fit(map, s->features, &table, pool, NULL, &ridge), 0);
	assert_int_equal(ensemble_fit(map, s->features, &table, &ridge, parent, how, pool, stop, ctx, NULL,
				      ret_ensemble, ret_units),
			 0);
	ridge_done(&ridge);
	response_table_done(&table);
	thread_pool_destroy(pool);
}

static void predict(const struct ensemble *ensemble, const float *features, size_t n, unsigned n_threads,
		    float *responses)
{
	struct thread_pool *pool;

	assert_int_equal(thread_pool_create(n_threads, NULL, &pool), 0);
	assert_int_equal(ensemble_predict(ensemble, features, n, pool, NULL, responses), 0);
	thread_pool_destroy(pool);
}

/* Mean over units of plain r² on the held-out images, of one member, or of their mean (member == MEMBERS). */
static double quality(const struct session *s, const float *responses, size_t member)
{
	float x[IMAGES - TRAIN], y[IMAGES - TRAIN];
	double sum = 0.0;

	for (size_t u = 0; u < UNITS; u++) {
		for (size_t i = TRAIN; i < IMAGES; i++) {
			x[i - TRAIN] = 0.0f;
			for (size_t k = 0; k < MEMBERS; k++)
				if (member == MEMBERS || k == member)
					x[i - TRAIN] += responses[(i * MEMBERS + k) * UNITS + u];
			y[i - TRAIN] = s->counts[i * UNITS + u];
		}
		sum += metrics_r2_plain(x, y, IMAGES - TRAIN) / UNITS;
	}
	return sum;
}

static void test_it_learns_what_is_not_linear(void **state)
{
	static struct session s;
	static float responses[IMAGES * MEMBERS * UNITS];
	struct ensemble ensemble;
	uint32_t n_units;
	(void)state;

	make_session(&s);
	fit(&s, NULL, &settings, 2, NULL, NULL, &ensemble, &n_units);
	assert_int_equal(n_units, settings.n_steps);
	predict(&ensemble, s.features, IMAGES, 2, responses);
	const double of_mean = quality(&s, responses, MEMBERS);
	assert_true(of_mean > 0.6);
	double of_members = 0.0;
	for (size_t k = 0; k < MEMBERS; k++)
		of_members += quality(&s, responses, k) / MEMBERS;
	assert_true(of_mean > of_members);
	assert_true(memcmp(responses, responses + UNITS, UNITS * sizeof *responses) != 0);
	ensemble_done(&ensemble);
}

static void test_bits_depend_on_neither_threads_nor_batch(void **state)
{
	static struct session s;
	static float responses[4][IMAGES * MEMBERS * UNITS];
	const unsigned threads[4] = {1, 2, 3, 8};
	struct session_model_settings short_fit = settings;
	float one[MEMBERS * UNITS];
	struct ensemble ensemble;
	uint32_t n_units;
	(void)state;

	make_session(&s);
	short_fit.n_steps = 12;
	for (int t = 0; t < 4; t++) {
		fit(&s, NULL, &short_fit, threads[t], NULL, NULL, &ensemble, &n_units);
		predict(&ensemble, s.features, IMAGES, threads[t], responses[t]);
		assert_memory_equal(responses[t], responses[0], sizeof responses[0]);
		if (t == 3)
			predict(&ensemble, s.features + 77 * N_FEATURES, 1, 1, one);
		ensemble_done(&ensemble);
	}
	assert_memory_equal(one, responses[0] + 77 * MEMBERS * UNITS, sizeof one);
}

static void test_a_refit_goes_on_from_its_parent(void **state)
{
	static struct session s;
	static float before[IMAGES * MEMBERS * UNITS], after[IMAGES * MEMBERS * UNITS];
	struct session_model_settings how = settings;
	struct ensemble parent, child;
	uint32_t n_units;
	(void)state;

	/* The child sees a third more images and so another mean and scale of the responses, but takes no step. */
	make_session(&s);
	memset(s.monitor + 160, 1, IMAGES - 160);
	how.n_steps = 50;
	fit(&s, NULL, &how, 1, NULL, NULL, &parent, &n_units);
	memset(s.monitor + 160, 0, TRAIN - 160);
	how.n_steps = 0;
	how.decision = 2;
	fit(&s, &parent, &how, 1, NULL, NULL, &child, &n_units);
	assert_int_equal(n_units, 0);
	assert_true(child.unit_scale[0] != parent.unit_scale[0]);
	predict(&parent, s.features, IMAGES, 1, before);
	predict(&child, s.features, IMAGES, 1, after);
	for (int i = 0; i < IMAGES * MEMBERS * UNITS; i++)
		assert_true(fabsf(before[i] - after[i]) < 1e-4f);
	ensemble_done(&child);

	/* A parent of another size is no parent. */
	how.mixing_channels = 8;
	fit(&s, &parent, &how, 1, NULL, NULL, &child, &n_units);
	ensemble_done(&child);
	ensemble_done(&parent);
}

static void test_a_stopped_fit_is_usable(void **state)
{
	static struct session s;
	static float responses[IMAGES * MEMBERS * UNITS];
	struct ensemble ensemble;
	uint32_t n_units, planned = 0;
	(void)state;

	make_session(&s);
	fit(&s, NULL, &settings, 1, stop_at_three, &planned, &ensemble, &n_units);
	assert_int_equal(n_units, 3);
	assert_int_equal(planned, settings.n_steps);
	predict(&ensemble, s.features, IMAGES, 1, responses);
	for (int i = 0; i < IMAGES * MEMBERS * UNITS; i++)
		assert_true(isfinite(responses[i]));
	ensemble_done(&ensemble);
}

static void test_units_without_variance_predict_their_mean(void **state)
{
	static struct session s;
	static float responses[IMAGES * MEMBERS * UNITS];
	struct session_model_settings short_fit = settings;
	struct ensemble ensemble;
	uint32_t n_units;
	(void)state;

	make_session(&s);
	for (size_t i = 0; i < IMAGES; i++) {
		s.counts[i * UNITS] = 4.0f;
		s.valid[i * UNITS + 1] = 0;
	}
	short_fit.n_steps = 5;
	fit(&s, NULL, &short_fit, 1, NULL, NULL, &ensemble, &n_units);
	predict(&ensemble, s.features, IMAGES, 1, responses);
	for (size_t i = 0; i < IMAGES * MEMBERS; i++)
		assert_true(responses[i * UNITS] == 4.0f && responses[i * UNITS + 1] == 0.0f);
	ensemble_done(&ensemble);

	/* And with no presentation at all. */
	s.data.n_presentations = 0;
	fit(&s, NULL, &short_fit, 1, NULL, NULL, &ensemble, &n_units);
	predict(&ensemble, s.features, IMAGES, 1, responses);
	for (size_t i = 0; i < IMAGES * MEMBERS * UNITS; i++)
		assert_true(responses[i] == 0.0f);
	ensemble_done(&ensemble);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_learns_what_is_not_linear),
		cmocka_unit_test(test_bits_depend_on_neither_threads_nor_batch),
		cmocka_unit_test(test_a_refit_goes_on_from_its_parent),
		cmocka_unit_test(test_a_stopped_fit_is_usable),
		cmocka_unit_test(test_units_without_variance_predict_their_mean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
