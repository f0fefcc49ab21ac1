/* Counter-based random numbers (Philox4x32-10, Random123): no state to save, any element on its own.
 *
 * A number is a pure function of (session seed, decision, purpose, element). Two draws that must differ use another
 * purpose or another element; nothing is ever "advanced", so threads and replay give the same numbers. */
#ifndef EVOKED_SUPPORT_RNG_H
#define EVOKED_SUPPORT_RNG_H

#include <stddef.h>
#include <stdint.h>

/* Elements are below 2^56: the high 8 bits of the counter number the further blocks that one element may need. Every
 * function takes one block or more for each element, so an element gives one independent number whichever function
 * reads it; the same element read by two functions gives two dependent ones. */
#define RNG_ELEMENTS_MAX ((uint64_t)1 << 56)

enum { RNG_SUB_MAX = 0xffff };

/* What a stream is for. Append only: the values are part of what makes a session repeatable. */
enum rng_purpose {
	RNG_WEIGHT_INIT = 1,
	RNG_BOOTSTRAP = 2,
	RNG_MINIBATCH = 3,
	RNG_HELD_OUT = 4,
	RNG_NATURAL_DRAW = 5,
	RNG_CANDIDATES = 6,
	RNG_SLOT_ORDER = 7,
	RNG_SYNTHESIS_START = 8,
	RNG_SYNTHESIS_JITTER = 9,
	RNG_METRIC_BOOTSTRAP = 10,
	RNG_DEAD_LEAVES = 11,
	RNG_PARAMETRIC = 12,
	RNG_SUBJECT = 13,
	RNG_SPIKES = 14,
	RNG_RIG_FAULTS = 15,
	RNG_WORK_ORDER = 16,
	RNG_MEMBER_CHOICE = 17,
	RNG_TEST = 1000,
};

struct rng {
	uint64_t seed;	   /* session seed */
	uint32_t decision; /* decision number, or 0 */
	uint32_t purpose;  /* enum rng_purpose; plus, in the high 16 bits, a member or image index if needed */
};

/* `sub` (a member, an image) up to RNG_SUB_MAX; more do not fit and are cut. */
struct rng rng_make(uint64_t seed, uint32_t decision, enum rng_purpose purpose, uint32_t sub);

/* Four 32-bit words of block `counter`. */
void rng_block(const struct rng *rng, uint64_t counter, uint32_t ret_words[4]);

uint32_t rng_u32(const struct rng *rng, uint64_t element);
double rng_uniform(const struct rng *rng, uint64_t element);		 /* in [0, 1), 53 bits */
double rng_normal(const struct rng *rng, uint64_t element);		 /* standard normal, Box-Muller */
uint32_t rng_below(const struct rng *rng, uint64_t element, uint32_t n); /* unbiased to 2^-32; n >= 1 */
void rng_fill_normal(const struct rng *rng, uint64_t first, size_t n, float *ret_values);
void rng_shuffle(const struct rng *rng, uint32_t *values, size_t n); /* Fisher-Yates over elements 0.. */

/* A count with the given mean and Fano factor: a mixture of two binomials below fano 1, Poisson at 1, gamma-Poisson
 * above. Both are exact where whole numbers allow it: a count of mean m has at least the variance f(1 - f), f = m -
 * floor(m), so a small mean (m < 1 - fano) is drawn from {0, 1}, with the Fano factor 1 - m. Above RNG_COUNT_EXACT_MAX
 * it is a rounded normal draw. A mean of 0, negative or NaN gives 0. Cost: about the mean, in multiplications. */
enum { RNG_COUNT_EXACT_MAX = 500 };

uint32_t rng_count(const struct rng *rng, uint64_t element, double mean, double fano);

#endif
