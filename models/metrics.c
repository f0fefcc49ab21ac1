/* Scores from per-image sums: each image is reduced once to (n, mean, squared deviations); the score and each bootstrap
 * replicate are sums of those over images, in image order, in double.
 *
 * Failure modes: none are errors. What the data cannot tell (no repeats, no signal, one image, a prediction that is
 * not finite) is NaN, and so is everything but the sizes when memory runs out. */
#include "models/metrics.h"

#include <math.h>
#include <stdlib.h>

/* One image with responses. Prediction and mean are relative to those of the first such image, so that the one-pass
 * sums lose no digits and a constant has a variance of exactly zero. */
struct image_summary {
	double x;	   /* prediction */
	double y;	   /* mean response */
	double n;	   /* repeats */
	double deviations; /* sum over repeats of (response - mean)² */
};

struct sums {
	double m, x, y, xx, yy, xy;	  /* each image once */
	double x_n, xx_n, one_n;	  /* weighted by 1 / n_j */
	double nn, nx, ny, nxx, nyy, nxy; /* each presentation once */
	double deviations, freedom;
};

static void sums_add(struct sums *s, const struct image_summary *image)
{
	double x = image->x, y = image->y, n = image->n;

	s->m += 1.0;
	s->x += x;
	s->y += y;
	s->xx += x * x;
	s->yy += y * y;
	s->xy += x * y;
	s->x_n += x / n;
	s->xx_n += x * x / n;
	s->one_n += 1.0 / n;
	s->nn += n;
	s->nx += n * x;
	s->ny += n * y;
	s->nxx += n * x * x;
	s->nyy += n * y * y + image->deviations;
	s->nxy += n * x * y;
	s->deviations += image->deviations;
	s->freedom += n - 1.0;
}

/* Pooled σ²; NaN without repeats. */
static double sums_noise(const struct sums *s)
{
	return s->freedom > 0.0 ? s->deviations / s->freedom : NAN;
}

/* The part of Σ (ȳ_j - mean ȳ)² that is not expected from noise. */
static double sums_signal(const struct sums *s)
{
	return s->yy - s->y * s->y / s->m - sums_noise(s) * (s->m - 1.0) / s->m * s->one_n;
}

/* Noise-corrected R² (method.md §4); NaN where there is no signal to explain or the prediction is constant. */
static double sums_r2(const struct sums *s)
{
	double mean_x = s->x / s->m;
	double xx = s->xx - s->x * mean_x;
	double xy = s->xy - s->y * mean_x;
	double xx_n = s->xx_n - 2.0 * mean_x * s->x_n + mean_x * mean_x * s->one_n;
	double signal = sums_signal(s);

	if (!(xx > 0.0) || !(signal > 0.0))
		return NAN;
	return (xy * xy - sums_noise(s) * xx_n) / (xx * signal);
}

static double pearson(double n, double x, double y, double xx, double yy, double xy)
{
	double var_x = xx - x * x / n, var_y = yy - y * y / n;

	return var_x > 0.0 && var_y > 0.0 ? (xy - x * y / n) / sqrt(var_x * var_y) : NAN;
}

static void summarise(const float *counts, size_t n, struct image_summary *ret_image)
{
	double sum = 0.0, deviations = 0.0;

	for (size_t r = 0; r < n; r++)
		sum += counts[r];
	double mean = sum / (double)n;
	for (size_t r = 0; r < n; r++)
		deviations += (counts[r] - mean) * (counts[r] - mean);
	*ret_image = (struct image_summary){.y = mean, .n = (double)n, .deviations = deviations};
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* 95 % percentile interval of R² over resampled images. A replicate in which no signal is left could be anything: it
 * counts as unbounded on both sides, so that a unit without signal gets no interval rather than a narrow one. */
static void bootstrap(const struct image_summary *images, size_t m, const struct rng *rng, uint32_t n_bootstrap,
		      struct metrics_score *score)
{
	double *r2 = malloc(n_bootstrap * sizeof *r2);
	size_t n_defined = 0;

	if (!r2)
		return;
	for (uint32_t b = 0; b < n_bootstrap; b++) {
		struct sums sums = {0};
		uint64_t first_block = (uint64_t)b * ((m + 3) / 4);
		for (size_t j = 0; j < m; j += 4) {
			uint32_t words[4];
			rng_block(rng, first_block + j / 4, words);
			for (size_t k = 0; k < 4 && j + k < m; k++)
				sums_add(&sums, &images[((uint64_t)words[k] * m) >> 32]);
		}
		double value = sums_r2(&sums);
		if (isfinite(value))
			r2[n_defined++] = value;
	}
	qsort(r2, n_defined, sizeof *r2, compare_doubles);
	size_t n_undefined = n_bootstrap - n_defined;
	size_t tail = (size_t)(0.025 * n_bootstrap);
	if (n_undefined <= tail && n_defined > 0) {
		score->r2_low = r2[tail - n_undefined];
		score->r2_high = r2[n_defined - 1 - (tail - n_undefined)];
	}
	free(r2);
}

/* Summaries of the images that have responses, relative to the first of them. Returns how many. */
static size_t summarise_all(const struct metrics_responses *responses, const float *prediction,
			    struct image_summary *images)
{
	size_t m = 0;

	for (size_t j = 0; j < responses->m; j++) {
		size_t n = responses->first[j + 1] - responses->first[j];
		if (n == 0)
			continue;
		summarise(responses->counts + responses->first[j], n, &images[m]);
		images[m++].x = prediction[j];
	}
	for (size_t j = m; j-- > 0;) {
		images[j].x -= images[0].x;
		images[j].y -= images[0].y;
	}
	return m;
}

void metrics_score(const struct metrics_responses *responses, const float *prediction, const struct rng *rng,
		   uint32_t n_bootstrap, struct metrics_score *ret_score)
{
	struct metrics_score score = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, 0, 0, 0};
	struct image_summary *images = NULL;
	struct sums s = {0};

	for (size_t j = 0; j < responses->m; j++) {
		size_t n = responses->first[j + 1] - responses->first[j];
		score.n_images += n > 0;
		score.n_repeated += n > 1;
		score.n_presentations += n;
	}
	if (score.n_images > 0)
		images = malloc(score.n_images * sizeof *images);
	if (!images)
		goto out;
	size_t m = summarise_all(responses, prediction, images);
	for (size_t j = 0; j < m; j++)
		sums_add(&s, &images[j]);

	score.noise_variance = sums_noise(&s);
	score.r_mean = pearson(s.m, s.x, s.y, s.xx, s.yy, s.xy);
	score.r_single = pearson(s.nn, s.nx, s.ny, s.nxx, s.nyy, s.nxy);
	score.r2 = sums_r2(&s);
	double total = s.yy - s.y * s.y / s.m, signal = sums_signal(&s);
	if (score.noise_variance > 0.0)
		score.snr = signal / s.m / score.noise_variance;
	if (total > 0.0 && !isnan(signal))
		score.ceiling = sqrt(fmax(signal, 0.0) / total);
	if (n_bootstrap > 0 && isfinite(score.r2))
		bootstrap(images, m, rng, n_bootstrap, &score);
	free(images);
out:
	*ret_score = score;
}

double metrics_r2_plain(const float *x, const float *y, size_t n)
{
	struct sums s = {0};

	for (size_t j = 0; j < n; j++)
		sums_add(&s, &(struct image_summary){(double)x[j] - x[0], (double)y[j] - y[0], 1.0, 0.0});
	double r = pearson(s.m, s.x, s.y, s.xx, s.yy, s.xy);
	return r * r;
}

/* The value with exactly `rank` finite values before it, counting equal ones in their order; NaN if there is none. */
static double ranked(const double *values, size_t n, size_t rank)
{
	for (size_t i = 0; i < n; i++) {
		size_t before = 0;
		if (!isfinite(values[i]))
			continue;
		for (size_t j = 0; j < n; j++)
			before += isfinite(values[j]) && (values[j] < values[i] || (values[j] == values[i] && j < i));
		if (before == rank)
			return values[i];
	}
	return NAN;
}

double metrics_median(const double *values, size_t n)
{
	size_t n_finite = 0;

	for (size_t i = 0; i < n; i++)
		n_finite += isfinite(values[i]) != 0;
	if (n_finite == 0)
		return NAN;
	return 0.5 * (ranked(values, n, (n_finite - 1) / 2) + ranked(values, n, n_finite / 2));
}
