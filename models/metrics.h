/* How well a prediction explains recorded responses: noise-corrected R² for unequal repeats, SNR, plain r (method.md
 * §4). */
#ifndef EVOKED_MODELS_METRICS_H
#define EVOKED_MODELS_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "support/rng.h"

/* One neuron's responses to m images with unequal repeats: single counts of image j are
 * counts[first[j]] .. counts[first[j + 1] - 1]; first has m + 1 entries. Missing ones are not in the list. */
struct metrics_responses {
	size_t m;
	const size_t *first;
	const float *counts;
};

struct metrics_score {
	double r2;		/* noise-corrected R² (method.md §4); NaN when it is not defined */
	double r2_low, r2_high; /* 95 % bootstrap interval over images; NaN without one */
	double r_mean;		/* Pearson r of the prediction to the repeat means */
	double r_single;	/* Pearson r of the prediction to single presentations */
	double ceiling; /* r to the repeat means that a perfect prediction would have: sqrt(signal / total variance) */
	double snr;	/* method.md §4 */
	double noise_variance;			      /* pooled σ² */
	size_t n_images, n_presentations, n_repeated; /* images with a response; all responses; images with n_j >= 2 */
};

/* prediction [m]; images without a response are left out. n_bootstrap 0: no interval. Never fails: what is not
 * defined is NaN (no repeats: r2 and snr NaN, the rest still given; out of memory: all but the sizes). A replicate of
 * the bootstrap without signal counts as unbounded on both sides. */
void metrics_score(const struct metrics_responses *responses, const float *prediction, const struct rng *rng,
		   uint32_t n_bootstrap, struct metrics_score *ret_score);

/* Plain squared Pearson correlation of two arrays; NaN if either is constant. */
double metrics_r2_plain(const float *x, const float *y, size_t n);

/* Median of the finite values; NaN if there is none. */
double metrics_median(const double *values, size_t n);

#endif
