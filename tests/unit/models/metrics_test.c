/* Scores on simulated neurons whose true R² is known, and what is left undefined. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "models/metrics.h"

enum { N_IMAGES = 200, N_REPEATS_MAX = 24 };

/* A neuron of signal variance 1 and noise variance `noise`, and a prediction with true R² `r2`. Most images have
 * one or two repeats, some 24, as adaptive sessions have. */
struct simulation {
	size_t first[N_IMAGES + 1];
	float counts[N_IMAGES * N_REPEATS_MAX];
	float prediction[N_IMAGES];
};

static void simulate(struct simulation *s, uint32_t sub, double r2, double noise)
{
	struct rng rng = rng_make(7, sub, RNG_TEST, 0);
	size_t n = 0;

	for (size_t j = 0; j < N_IMAGES; j++) {
		double signal = rng_normal(&rng, 2 * j), other = rng_normal(&rng, 2 * j + 1);
		s->prediction[j] = (float)(3.0 + 0.5 * (sqrt(r2) * signal + sqrt(1.0 - r2) * other));
		s->first[j] = n;
		size_t repeats = j % 10 == 0 ? N_REPEATS_MAX : 1 + j % 2;
		for (size_t r = 0; r < repeats; r++, n++)
			s->counts[n] = (float)(5.0 + signal + sqrt(noise) * rng_normal(&rng, 1000 + n));
	}
	s->first[N_IMAGES] = n;
}

static struct metrics_score score_of(const struct simulation *s, uint32_t n_bootstrap)
{
	struct metrics_responses responses = {N_IMAGES, s->first, s->counts};
	struct rng rng = rng_make(8, 0, RNG_METRIC_BOOTSTRAP, 0);
	struct metrics_score score;

	metrics_score(&responses, s->prediction, &rng, n_bootstrap, &score);
	return score;
}

static void test_unequal_repeats_are_recovered_without_bias(void **state)
{
	enum { N = 300 };
	static struct simulation s;
	double r2 = 0.0, snr = 0.0, noise = 0.0;
	(void)state;

	for (uint32_t i = 0; i < N; i++) {
		simulate(&s, i, 0.6, 2.0);
		struct metrics_score score = score_of(&s, 0);
		r2 += score.r2 / N;
		snr += score.snr / N;
		noise += score.noise_variance / N;
	}
	/* Standard errors over the simulations are about 0.008, 0.006 and 0.008. */
	assert_true(fabs(r2 - 0.6) < 0.03);
	assert_true(fabs(snr - 0.5) < 0.025);
	assert_true(fabs(noise - 2.0) < 0.03);
}

static void test_the_interval_covers_the_truth(void **state)
{
	enum { N = 120 };
	static struct simulation s;
	int covered = 0;
	(void)state;

	for (uint32_t i = 0; i < N; i++) {
		simulate(&s, 1000 + i, 0.6, 1.0);
		struct metrics_score score = score_of(&s, 200);
		assert_true(score.r2_low < score.r2 && score.r2 < score.r2_high);
		covered += score.r2_low <= 0.6 && 0.6 <= score.r2_high;
	}
	assert_in_range(covered, N * 88 / 100, N);
}

static void test_a_perfect_prediction_reaches_the_ceiling(void **state)
{
	static struct simulation s;
	double difference = 0.0, r_single = 0.0;
	(void)state;

	for (uint32_t i = 0; i < 50; i++) {
		simulate(&s, 2000 + i, 1.0, 1.0);
		struct metrics_score score = score_of(&s, 0);
		difference += (score.r_mean - score.ceiling) / 50;
		r_single += score.r_single / 50;
	}
	assert_true(fabs(difference) < 0.02);
	assert_true(fabs(r_single - sqrt(0.5)) < 0.02);
}

static void test_scale_and_offset_of_a_prediction_do_not_matter(void **state)
{
	static struct simulation s;
	(void)state;

	simulate(&s, 3000, 0.6, 1.0);
	struct metrics_score before = score_of(&s, 0);
	for (size_t j = 0; j < N_IMAGES; j++)
		s.prediction[j] = 1000.0f - 16.0f * s.prediction[j];
	struct metrics_score after = score_of(&s, 0);
	assert_true(fabs(before.r2 - after.r2) < 1e-4);
	assert_true(fabs(before.r_mean + after.r_mean) < 1e-4);
}

static void test_without_repeats_only_plain_scores_are_defined(void **state)
{
	const size_t first[] = {0, 1, 2, 2, 3};
	const float counts[] = {1, 2, 4}, prediction[] = {1, 2, 100, 3};
	struct metrics_responses responses = {4, first, counts};
	struct rng rng = rng_make(1, 0, RNG_METRIC_BOOTSTRAP, 0);
	struct metrics_score score;
	(void)state;

	metrics_score(&responses, prediction, &rng, 100, &score);
	assert_true(isnan(score.r2) && isnan(score.r2_low) && isnan(score.snr) && isnan(score.ceiling));
	/* x = -1 0 1, y = -4/3 -1/3 5/3: r = 3 / sqrt(2 · 14/3) */
	assert_true(fabs(score.r_mean - 3.0 / sqrt(28.0 / 3.0)) < 1e-12);
	assert_true(fabs(score.r_single - score.r_mean) < 1e-12);
	assert_int_equal(score.n_images, 3);
	assert_int_equal(score.n_presentations, 3);
	assert_int_equal(score.n_repeated, 0);
}

static void test_a_worked_example(void **state)
{
	/* Images (1 3) (2) (6 6 9): means 2, 2, 7; σ² = (2 + 0 + 6) / 3. */
	const size_t first[] = {0, 2, 3, 6};
	const float counts[] = {1, 3, 2, 6, 6, 9}, prediction[] = {0, 1, 5};
	struct metrics_responses responses = {3, first, counts};
	struct rng rng = rng_make(1, 0, RNG_METRIC_BOOTSTRAP, 0);
	struct metrics_score score;
	(void)state;

	metrics_score(&responses, prediction, &rng, 0, &score);
	double noise = 8.0 / 3.0, one_n = 0.5 + 1.0 + 1.0 / 3.0, yy = 50.0 / 3.0, xx = 14.0, xy = 15.0;
	double xx_n = 4.0 / 2.0 + 1.0 + 9.0 / 3.0;
	double signal = yy - noise * 2.0 / 3.0 * one_n;
	assert_true(fabs(score.noise_variance - noise) < 1e-12);
	assert_true(fabs(score.r2 - (xy * xy - noise * xx_n) / (xx * signal)) < 1e-12);
	assert_true(fabs(score.snr - signal / 3.0 / noise) < 1e-12);
	assert_true(fabs(score.ceiling - sqrt(signal / yy)) < 1e-12);
	assert_int_equal(score.n_repeated, 2);
}

static void test_what_cannot_be_scored_is_nan(void **state)
{
	const size_t first[] = {0, 2, 4, 6};
	const float counts[] = {1, 2, 3, 3, 5, 4}, flat[] = {2, 2, 2, 2, 2, 2};
	const float prediction[] = {1, 2, 3}, constant[] = {0.1f, 0.1f, 0.1f}, broken[] = {1, NAN, 3};
	struct rng rng = rng_make(1, 0, RNG_METRIC_BOOTSTRAP, 0);
	struct metrics_score score;
	(void)state;

	metrics_score(&(struct metrics_responses){3, first, counts}, constant, &rng, 100, &score);
	assert_true(isnan(score.r2) && isnan(score.r_mean) && isnan(score.r2_low) && !isnan(score.snr));
	metrics_score(&(struct metrics_responses){3, first, counts}, broken, &rng, 100, &score);
	assert_true(isnan(score.r2) && isnan(score.r_mean) && isnan(score.r2_low) && !isnan(score.snr));
	metrics_score(&(struct metrics_responses){3, first, flat}, prediction, &rng, 100, &score);
	assert_true(isnan(score.r2) && isnan(score.r_mean) && isnan(score.snr));
	metrics_score(&(struct metrics_responses){1, first, counts}, prediction, &rng, 100, &score);
	assert_true(isnan(score.r2) && isnan(score.r_mean) && score.n_images == 1);
	metrics_score(&(struct metrics_responses){0, first, counts}, prediction, &rng, 100, &score);
	assert_true(isnan(score.r2) && score.n_images == 0 && score.n_presentations == 0);
}

static void test_a_unit_without_signal_gets_no_interval(void **state)
{
	static struct simulation s;
	struct rng rng = rng_make(9, 0, RNG_TEST, 0);
	int n_with_interval = 0;
	(void)state;

	for (uint32_t i = 0; i < 20; i++) {
		simulate(&s, 4000 + i, 0.6, 1.0);
		for (size_t n = 0; n < s.first[N_IMAGES]; n++)
			s.counts[n] = (float)rng_normal(&rng, i * 10000 + n);
		struct metrics_score score = score_of(&s, 200);
		n_with_interval += !isnan(score.r2_low);
	}
	assert_in_range(n_with_interval, 0, 2);
}

static void test_plain_r2_and_median(void **state)
{
	const float x[] = {1, 2, 3}, y[] = {2, 4, 9}, constant[] = {0.1f, 0.1f, 0.1f};
	const double values[] = {NAN, 3, 1, 2, INFINITY, 2}, nothing[] = {NAN};
	(void)state;

	assert_true(fabs(metrics_r2_plain(x, y, 3) - 49.0 / 52.0) < 1e-12);
	assert_true(isnan(metrics_r2_plain(x, constant, 3)));
	assert_true(isnan(metrics_r2_plain(x, y, 1)));
	assert_true(metrics_median(values, 6) == 2.0);
	assert_true(metrics_median(values, 3) == 2.0);
	assert_true(isnan(metrics_median(nothing, 1)));
	assert_true(isnan(metrics_median(nothing, 0)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unequal_repeats_are_recovered_without_bias),
		cmocka_unit_test(test_the_interval_covers_the_truth),
		cmocka_unit_test(test_a_perfect_prediction_reaches_the_ceiling),
		cmocka_unit_test(test_scale_and_offset_of_a_prediction_do_not_matter),
		cmocka_unit_test(test_without_repeats_only_plain_scores_are_defined),
		cmocka_unit_test(test_a_worked_example),
		cmocka_unit_test(test_what_cannot_be_scored_is_nan),
		cmocka_unit_test(test_a_unit_without_signal_gets_no_interval),
		cmocka_unit_test(test_plain_r2_and_median),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
