/* Clipping moves mean and SD, so the line is corrected a fixed number of times. Nothing fails. */
#include "stimuli/rate_mapping.h"

#include <math.h>

#include "stimuli/subject.h"
#include "support/rng.h"

enum { ITERATIONS = 60 };
#define SD_TINY 1e-6

static const struct {
	double median, log_sd, low, high;
} law_of_mean = {2.2, 0.55, 0.55, 6.6}, law_of_snr = {0.45, 0.45, 0.2, 1.1};

struct moments {
	double mean, sd;
};

static struct moments moments_of(const struct rate_mapping *mapping, const float *answers, size_t n)
{
	double sum = 0, sum_sq = 0;

	for (size_t i = 0; i < n; i++)
		sum += mapping ? rate_mapping_rate(mapping, answers[i]) : answers[i];
	double mean = sum / (double)n;
	for (size_t i = 0; i < n; i++) {
		double d = (mapping ? rate_mapping_rate(mapping, answers[i]) : answers[i]) - mean;
		sum_sq += d * d;
	}
	return (struct moments){.mean = mean, .sd = sqrt(sum_sq / (double)n)};
}

struct rate_mapping rate_mapping_fit(const float *answers, size_t n, double mean, double sd)
{
	struct moments of_answers = moments_of(NULL, answers, n);

	if (!(of_answers.sd > 0))
		return (struct rate_mapping){.gain = 0, .offset = (float)mean};
	double gain = sd / of_answers.sd, level = mean; /* level: the rate at the mean answer, before clipping */
	struct rate_mapping mapping = {.gain = (float)gain, .offset = (float)(level - gain * of_answers.mean)};
	for (int k = 0; k < ITERATIONS; k++) {
		struct moments got = moments_of(&mapping, answers, n);
		level += mean - got.mean;
		gain *= fmin(fmax(sd / fmax(got.sd, SD_TINY), 0.5), 2.0);
		mapping = (struct rate_mapping){.gain = (float)gain, .offset = (float)(level - gain * of_answers.mean)};
	}
	return mapping;
}

void rate_mapping_draw(uint64_t seed, uint32_t unit, double *ret_mean, double *ret_snr)
{
	struct rng rng = rng_make(seed, 0, RNG_SUBJECT, RNG_SUBJECT_MAPPING);

	double mean = law_of_mean.median * exp(law_of_mean.log_sd * rng_normal(&rng, 2 * (uint64_t)unit));
	double snr = law_of_snr.median * exp(law_of_snr.log_sd * rng_normal(&rng, 2 * (uint64_t)unit + 1));
	*ret_mean = fmin(fmax(mean, law_of_mean.low), law_of_mean.high);
	*ret_snr = fmin(fmax(snr, law_of_snr.low), law_of_snr.high);
}
