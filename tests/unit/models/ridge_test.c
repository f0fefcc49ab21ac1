/* The ridge against the normal equations in double, its evidence on simulated data, masks, limits and bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/ridge.h"
#include "support/rng.h"

enum { F_MAX = 60, IMAGES_MAX = 400, UNITS_MAX = 4, PRESENTATIONS_MAX = 1000 };

/* A small session with everything in static arrays. */
struct session {
	struct session_data data;
	float features[IMAGES_MAX * F_MAX];
	uint32_t image[PRESENTATIONS_MAX];
	float counts[PRESENTATIONS_MAX * UNITS_MAX];
	uint8_t valid[PRESENTATIONS_MAX * UNITS_MAX];
	uint8_t monitor[IMAGES_MAX], held_out[IMAGES_MAX];
};

static double normal(uint32_t stream, uint64_t element)
{
	struct rng rng = rng_make(11, stream, RNG_TEST, 0);

	return rng_normal(&rng, element);
}

/* Random features of unlike size; response = 3 + direction · standardized features · √signal + noise of variance
 * `noise`. */
static void make_session(struct session *s, size_t n_features, size_t n_images, size_t n_presentations,
			 uint32_t n_units, double signal, double noise)
{
	memset(s, 0, sizeof *s);
	for (size_t i = 0; i < n_images * n_features; i++)
		s->features[i] = (float)(5.0 + (1.0 + (double)(i % n_features)) * normal(1, i));
	for (size_t p = 0; p < n_presentations; p++) {
		s->image[p] = (uint32_t)(p < n_images ? p : p * p % n_images);
		for (uint32_t u = 0; u < n_units; u++) {
			double response = 3.0;
			for (size_t j = 0; j < n_features; j++) {
				float x = s->features[s->image[p] * n_features + j];
				response += sqrt(signal / (double)n_features) * normal(2 + u, j) * (x - 5.0) /
					    (1.0 + (double)j);
			}
			s->counts[p * n_units + u] = (float)(response + sqrt(noise) * normal(10 + u, p));
			s->valid[p * n_units + u] = 1;
		}
	}
	s->data = (struct session_data){
		.n_units = n_units,
		.n_images = n_images,
		.features = s->features,
		.n_presentations = n_presentations,
		.image = s->image,
		.counts = s->counts,
		.valid = s->valid,
		.monitor = s->monitor,
		.held_out = s->held_out,
	};
}

static int fit(const struct session *s, size_t n_features, unsigned n_threads, struct ridge *ret_ridge)
{
	struct response_table table;
	struct thread_pool *pool;

	assert_int_equal(thread_pool_create(n_threads, NULL, &pool), 0);
	assert_int_equal(response_table_init(&s->data, NULL, &table), 0);
	int r = ridge_fit((struct shape){1, 1, (uint32_t)n_features}, s->features, &table, pool, NULL, ret_ridge);
	response_table_done(&table);
	thread_pool_destroy(pool);
	return r;
}

static void predict(const struct ridge *ridge, const float *features, size_t n, unsigned n_threads, float *mean,
		    float *variance)
{
	struct thread_pool *pool;

	assert_int_equal(thread_pool_create(n_threads, NULL, &pool), 0);
	assert_int_equal(ridge_predict(ridge, features, n, pool, NULL, mean, variance), 0);
	thread_pool_destroy(pool);
}

/* a [n, n + 1]: Gauss-Jordan with pivoting; the solution replaces the last column. */
static void solve(double *a, size_t n)
{
	for (size_t c = 0; c < n; c++) {
		size_t pivot = c;
		for (size_t i = c; i < n; i++)
			if (fabs(a[i * (n + 1) + c]) > fabs(a[pivot * (n + 1) + c]))
				pivot = i;
		for (size_t j = 0; j <= n; j++) {
			double t = a[c * (n + 1) + j];
			a[c * (n + 1) + j] = a[pivot * (n + 1) + j];
			a[pivot * (n + 1) + j] = t;
		}
		for (size_t i = 0; i < n; i++) {
			double factor = a[i * (n + 1) + c] / a[c * (n + 1) + c];
			for (size_t j = c; i != c && j <= n; j++)
				a[i * (n + 1) + j] -= factor * a[c * (n + 1) + j];
		}
	}
	for (size_t i = 0; i < n; i++)
		a[i * (n + 1) + n] /= a[i * (n + 1) + i];
}

/* x^T A^-1 x or x^T A^-1 b with A = Σ over presentations of x x^T + λ I (not on the last, the intercept's 1). */
static double plain_answer(const struct session *s, size_t n_features, const struct ridge *ridge, uint32_t unit,
			   const float *features, int variance)
{
	const size_t n = n_features + 1;
	static double a[(F_MAX + 1) * (F_MAX + 2)];
	double x[F_MAX + 1], at[F_MAX + 1], answer = 0.0;

	memset(a, 0, sizeof a);
	for (size_t j = 0; j < n; j++)
		at[j] = j < n_features ? (features[j] - ridge->scaling.mean[j]) * (double)ridge->scaling.scale[j] : 1.0;
	for (size_t p = 0; p < s->data.n_presentations; p++) {
		if (!s->valid[p * s->data.n_units + unit] || s->monitor[s->image[p]] || s->held_out[s->image[p]])
			continue;
		for (size_t j = 0; j < n; j++)
			x[j] = j < n_features ? (s->features[s->image[p] * n_features + j] - ridge->scaling.mean[j]) *
							(double)ridge->scaling.scale[j]
					      : 1.0;
		for (size_t i = 0; i < n; i++) {
			for (size_t j = 0; j < n; j++)
				a[i * (n + 1) + j] += x[i] * x[j];
			a[i * (n + 1) + n] += variance ? 0.0 : x[i] * s->counts[p * s->data.n_units + unit];
		}
	}
	for (size_t i = 0; i < n_features; i++)
		a[i * (n + 1) + i] += ridge->noise[unit] / ridge->prior[unit];
	for (size_t i = 0; variance && i < n; i++)
		a[i * (n + 1) + n] = at[i];
	solve(a, n);
	for (size_t i = 0; i < n; i++)
		answer += at[i] * a[i * (n + 1) + n];
	return variance ? ridge->noise[unit] * answer : answer;
}

static void test_mean_and_variance_are_those_of_the_normal_equations(void **state)
{
	enum { F = 30, N = 25, NEW = 40 };
	static struct session s;
	static float mean[NEW * 2], variance[NEW * 2];
	struct ridge ridge;
	(void)state;

	make_session(&s, F, NEW, 60, 2, 4.0, 1.0);
	for (size_t i = N; i < NEW; i++)
		s.monitor[i] = 1;
	for (size_t p = 0; p < 60; p += 3)
		s.valid[p * 2 + 1] = 0;
	assert_int_equal(fit(&s, F, 2, &ridge), 0);
	assert_int_equal(ridge.n_groups, 2);
	predict(&ridge, s.features, NEW, 2, mean, variance);
	for (size_t i = 0; i < NEW; i++) {
		for (uint32_t u = 0; u < 2; u++) {
			const float *features = s.features + i * F;
			double expected_mean = plain_answer(&s, F, &ridge, u, features, 0);
			double expected_variance = plain_answer(&s, F, &ridge, u, features, 1);
			assert_true(fabs(mean[i * 2 + u] - expected_mean) < 1e-4);
			assert_true(fabs(variance[i * 2 + u] - expected_variance) < 1e-3 * expected_variance);
		}
	}
	ridge_done(&ridge);
}

static void test_evidence_finds_noise_and_signal(void **state)
{
	enum { F = 60 };
	static struct session s;
	struct ridge ridge;
	(void)state;

	make_session(&s, F, 400, 800, UNITS_MAX, 2.0, 1.5);
	assert_int_equal(fit(&s, F, 1, &ridge), 0);
	for (uint32_t u = 0; u < UNITS_MAX; u++) {
		assert_true(fabs(ridge.noise[u] - 1.5) < 0.25);
		assert_true(fabs(log(ridge.prior[u] / 2.0)) < 0.7);
	}
	ridge_done(&ridge);
}

static void test_unseen_images_are_predicted_and_the_variance_is_honest(void **state)
{
	enum { F = 60, TRAIN = 300, ALL = 400 };
	static struct session s;
	static float mean[ALL], variance[ALL];
	double z2 = 0.0;
	struct ridge ridge;
	(void)state;

	make_session(&s, F, ALL, ALL, 1, 2.0, 1.0);
	for (size_t i = TRAIN; i < ALL; i++)
		s.held_out[i] = 1;
	assert_int_equal(fit(&s, F, 1, &ridge), 0);
	predict(&ridge, s.features, ALL, 1, mean, variance);
	for (size_t i = TRAIN; i < ALL; i++) {
		double difference = s.counts[i] - mean[i];
		z2 += difference * difference / (variance[i] + ridge.noise[0]) / (ALL - TRAIN);
	}
	assert_true(z2 > 0.65 && z2 < 1.4); /* ±2.5 standard errors of the mean of 100 χ² */
	ridge_done(&ridge);
}

static void test_held_out_responses_do_not_matter(void **state)
{
	enum { F = 20, N = 50 };
	static struct session s;
	static float before[N], after[N];
	struct ridge ridge;
	(void)state;

	make_session(&s, F, N, 100, 1, 2.0, 1.0);
	s.monitor[7] = s.held_out[8] = 1;
	assert_int_equal(fit(&s, F, 1, &ridge), 0);
	predict(&ridge, s.features, N, 1, before, NULL);
	ridge_done(&ridge);
	for (size_t p = 0; p < 100; p++)
		if (s.image[p] == 7 || s.image[p] == 8)
			s.counts[p] += 1000.0f;
	assert_int_equal(fit(&s, F, 1, &ridge), 0);
	predict(&ridge, s.features, N, 1, after, NULL);
	ridge_done(&ridge);
	assert_memory_equal(before, after, sizeof before);
}

static void test_bits_depend_on_neither_threads_nor_batch(void **state)
{
	enum { F = 50, N = 300 };
	static struct session s;
	static float mean[4][N * 2], variance[4][N * 2], mean_one[2], variance_one[2];
	const unsigned threads[4] = {1, 2, 3, 8};
	struct ridge ridge;
	(void)state;

	make_session(&s, F, N, 500, 2, 2.0, 1.0);
	for (int t = 0; t < 4; t++) {
		assert_int_equal(fit(&s, F, threads[t], &ridge), 0);
		predict(&ridge, s.features, N, threads[t], mean[t], variance[t]);
		assert_memory_equal(mean[t], mean[0], sizeof mean[0]);
		assert_memory_equal(variance[t], variance[0], sizeof variance[0]);
		if (t < 3)
			ridge_done(&ridge);
	}
	predict(&ridge, s.features + 77 * F, 1, 1, mean_one, variance_one);
	assert_memory_equal(mean_one, mean[0] + 77 * 2, sizeof mean_one);
	assert_memory_equal(variance_one, variance[0] + 77 * 2, sizeof variance_one);
	ridge_done(&ridge);
}

static void test_little_data_predict_the_mean(void **state)
{
	enum { F = 20, N = 10 };
	static struct session s;
	static float mean[N * 2], variance[N * 2];
	struct ridge ridge;
	(void)state;

	/* Nothing at all. */
	make_session(&s, F, N, 0, 2, 1.0, 1.0);
	assert_int_equal(fit(&s, F, 1, &ridge), 0);
	predict(&ridge, s.features, N, 1, mean, variance);
	for (size_t i = 0; i < N * 2; i++)
		assert_true(mean[i] == 0.0f && variance[i] == 0.0f);
	ridge_done(&ridge);

	/* One image; the second unit without a response. */
	make_session(&s, F, N, 1, 2, 1.0, 1.0);
	s.valid[1] = 0;
	assert_int_equal(fit(&s, F, 1, &ridge), 0);
	predict(&ridge, s.features, N, 1, mean, variance);
	for (size_t i = 0; i < N; i++)
		assert_true(mean[i * 2] == s.counts[0] && mean[i * 2 + 1] == 0.0f);
	ridge_done(&ridge);

	/* A silent unit. */
	make_session(&s, F, N, 20, 1, 1.0, 1.0);
	memset(s.counts, 0, sizeof s.counts);
	assert_int_equal(fit(&s, F, 1, &ridge), 0);
	predict(&ridge, s.features, N, 1, mean, variance);
	for (size_t i = 0; i < N; i++)
		assert_true(mean[i] == 0.0f && variance[i] == 0.0f);
	ridge_done(&ridge);
}

static void test_features_that_do_not_vary_are_dropped(void **state)
{
	enum { F = 20, N = 40 };
	static struct session s;
	static float mean[N];
	struct ridge ridge;
	(void)state;

	make_session(&s, F, N, N, 1, 1.0, 1.0);
	for (size_t i = 0; i < N; i++)
		s.features[i * F + 3] = 0.1f;
	assert_int_equal(fit(&s, F, 1, &ridge), 0);
	assert_true(ridge.scaling.scale[3] == 0.0f && ridge.weights[3] == 0.0f);
	predict(&ridge, s.features, N, 1, mean, NULL);
	for (size_t i = 0; i < N; i++)
		assert_true(isfinite(mean[i]));
	ridge_done(&ridge);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mean_and_variance_are_those_of_the_normal_equations),
		cmocka_unit_test(test_evidence_finds_noise_and_signal),
		cmocka_unit_test(test_unseen_images_are_predicted_and_the_variance_is_honest),
		cmocka_unit_test(test_held_out_responses_do_not_matter),
		cmocka_unit_test(test_bits_depend_on_neither_threads_nor_batch),
		cmocka_unit_test(test_little_data_predict_the_mean),
		cmocka_unit_test(test_features_that_do_not_vary_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
