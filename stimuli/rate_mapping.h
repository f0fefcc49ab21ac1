/* From a model's answers in arbitrary units to firing rates: a line, clipped below and above.
 *
 * Published compact models have arbitrary mean and scale; as a subject's neuron each gets a mean count and a ratio of
 * signal to noise like those of recorded neurons. Thread: any. */
#ifndef EVOKED_STIMULI_RATE_MAPPING_H
#define EVOKED_STIMULI_RATE_MAPPING_H

#include <stddef.h>
#include <stdint.h>

#define RATE_MAPPING_MIN 0.02 /* spikes a window: a silent neuron still fires now and then */
#define RATE_MAPPING_MAX 60.0 /* spikes a window of 100 ms: no neuron fires faster */

struct rate_mapping {
	float gain, offset;
};

/* The line whose clipped rates over `answers` [n] have this mean and SD (as nearly as a clipped line can). Answers that
 * are all alike: the mean, and no signal. */
struct rate_mapping rate_mapping_fit(const float *answers, size_t n, double mean, double sd);

static inline float rate_mapping_rate(const struct rate_mapping *mapping, float answer)
{
	float rate = mapping->offset + mapping->gain * answer;

	return rate < (float)RATE_MAPPING_MIN	? (float)RATE_MAPPING_MIN
	       : rate > (float)RATE_MAPPING_MAX ? (float)RATE_MAPPING_MAX
						: rate;
}

/* Mean count and signal-to-noise ratio of unit `unit`, log-normal within what was recorded (method.md §1): mean 0.55 to
 * 6.6, median 2.2; SNR 0.2 to 1.1, median 0.45. */
void rate_mapping_draw(uint64_t seed, uint32_t unit, double *ret_mean, double *ret_snr);

#endif
