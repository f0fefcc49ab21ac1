/* Bucket b < 32 holds the duration b ns; above, each doubling is cut into 32 equal steps. */
#include "daemon/histogram.h"

#include <math.h>
#include <string.h>

enum { STEP_BITS = 5 };
_Static_assert(HISTOGRAM_STEPS == 1 << STEP_BITS, "steps and their bits");

static unsigned bucket_of(uint64_t value)
{
	if (value < HISTOGRAM_STEPS)
		return (unsigned)value;
	unsigned doubling = 63 - (unsigned)__builtin_clzll(value) - STEP_BITS;
	unsigned bucket = HISTOGRAM_STEPS * (doubling + 1) + (unsigned)((value >> doubling) - HISTOGRAM_STEPS);
	return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The largest value that falls into the bucket. */
static int64_t bucket_end(unsigned bucket)
{
	if (bucket < HISTOGRAM_STEPS)
		return bucket;
	unsigned doubling = bucket / HISTOGRAM_STEPS - 1;
	uint64_t step = bucket % HISTOGRAM_STEPS + HISTOGRAM_STEPS;
	return (int64_t)(((step + 1) << doubling) - 1);
}

void histogram_reset(struct histogram *histogram)
{
	memset(histogram, 0, sizeof *histogram);
}

void histogram_add(struct histogram *histogram, int64_t duration_ns)
{
	if (duration_ns < 0)
		duration_ns = 0;
	histogram->n++;
	if (duration_ns > histogram->max_ns)
		histogram->max_ns = duration_ns;
	histogram->buckets[bucket_of((uint64_t)duration_ns)]++;
}

int64_t histogram_quantile_ns(const struct histogram *histogram, double quantile)
{
	uint64_t rank = (uint64_t)ceil(quantile * (double)histogram->n);
	uint64_t seen = 0;

	if (histogram->n == 0)
		return 0;
	if (rank == 0)
		rank = 1;
	for (unsigned b = 0; b < HISTOGRAM_BUCKETS; b++) {
		seen += histogram->buckets[b];
		if (seen >= rank) {
			int64_t end = b == HISTOGRAM_BUCKETS - 1 ? histogram->max_ns : bucket_end(b);
			return end < histogram->max_ns ? end : histogram->max_ns;
		}
	}
	return histogram->max_ns;
}
