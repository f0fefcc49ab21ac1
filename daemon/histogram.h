/* Durations in buckets of rising width (32 a doubling, so within 3.2 %): quantiles in fixed memory. Thread: one. */
#ifndef EVOKED_DAEMON_HISTOGRAM_H
#define EVOKED_DAEMON_HISTOGRAM_H

#include <stdint.h>

enum {
	HISTOGRAM_STEPS = 32,	  /* buckets a doubling */
	HISTOGRAM_DOUBLINGS = 36, /* durations of 2^41 ns (37 minutes) and more fall into the last bucket */
	HISTOGRAM_BUCKETS = HISTOGRAM_STEPS * (HISTOGRAM_DOUBLINGS + 1),
};

struct histogram {
	uint64_t n;
	int64_t max_ns;
	uint32_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_reset(struct histogram *histogram);
/* A negative duration counts as 0. */
void histogram_add(struct histogram *histogram, int64_t duration_ns);
/* The upper end of the bucket in which the quantile (0 to 1) lies, at most the maximum; 0 when nothing was added. */
int64_t histogram_quantile_ns(const struct histogram *histogram, double quantile);

#endif
