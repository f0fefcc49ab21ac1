/* Philox4x32-10: key = session seed; counter = element (56 bits) and block (8), decision, purpose. Nothing fails. */
#include "support/rng.h"

#include <math.h>
#include <Random123/philox.h>

struct rng rng_make(uint64_t seed, uint32_t decision, enum rng_purpose purpose, uint32_t sub)
{
	return (struct rng){.seed = seed, .decision = decision, .purpose = (uint32_t)purpose | sub << 16};
}

void rng_block(const struct rng *rng, uint64_t counter, uint32_t ret_words[4])
{
	philox4x32_key_t key = {{(uint32_t)rng->seed, (uint32_t)(rng->seed >> 32)}};
	philox4x32_ctr_t ctr = {{(uint32_t)counter, (uint32_t)(counter >> 32), rng->decision, rng->purpose}};

	ctr = philox4x32_R(10, ctr, key);
	for (int i = 0; i < 4; i++)
		ret_words[i] = ctr.v[i];
}

static double uniform_from(uint32_t low, uint32_t high)
{
	return (double)(((uint64_t)high << 32 | low) >> 11) * 0x1p-53;
}

uint32_t rng_u32(const struct rng *rng, uint64_t element)
{
	uint32_t w[4];

	rng_block(rng, element, w);
	return w[0];
}

double rng_uniform(const struct rng *rng, uint64_t element)
{
	uint32_t w[4];

	rng_block(rng, element, w);
	return uniform_from(w[0], w[1]);
}

double rng_normal(const struct rng *rng, uint64_t element)
{
	uint32_t w[4];

	rng_block(rng, element, w);
	/* 1 - u lies in (0, 1]: the logarithm is finite. */
	double radius = sqrt(-2.0 * log(1.0 - uniform_from(w[0], w[1])));
	return radius * cos(2.0 * M_PI * uniform_from(w[2], w[3]));
}

uint32_t rng_below(const struct rng *rng, uint64_t element, uint32_t n)
{
	uint32_t w[4];

	rng_block(rng, element, w);
	/* High word of the 96-bit product (w[1]:w[0]) * n. */
	uint64_t carry = ((uint64_t)w[0] * n) >> 32;
	return (uint32_t)(((uint64_t)w[1] * n + carry) >> 32);
}

void rng_fill_normal(const struct rng *rng, uint64_t first, size_t n, float *ret_values)
{
	for (size_t i = 0; i < n; i++)
		ret_values[i] = (float)rng_normal(rng, first + i);
}

void rng_shuffle(const struct rng *rng, uint32_t *values, size_t n)
{
	for (size_t i = n; i > 1; i--) {
		size_t j = rng_below(rng, n - i, (uint32_t)i);
		uint32_t kept = values[i - 1];

		values[i - 1] = values[j];
		values[j] = kept;
	}
}

/* Inversion for the laws whose probabilities obey P(k) = P(k - 1) (a + b / k): Poisson, binomial, gamma-Poisson. `last`
 * ends the walk where rounding has left the sum of probabilities below u. */
static uint32_t count_by_inversion(double u, double p0, double a, double b, uint32_t last)
{
	double p = p0;
	uint32_t k = 0;

	while (u >= p && k < last) {
		u -= p;
		k++;
		p *= a + b / k;
	}
	return k;
}

static uint32_t draw_binomial(double u, uint32_t n, double p)
{
	/* The rarer of the two outcomes is counted: its P(0) does not underflow. */
	if (p > 0.5)
		return n - draw_binomial(u, n, 1.0 - p);
	double odds = p / (1.0 - p);
	return count_by_inversion(u, pow(1.0 - p, n), -odds, (n + 1.0) * odds, n);
}

/* Binomial(N, p) with N drawn from {k, k + 1}, EN = nu, p = mean / nu. Its Fano factor is 1 - mean g(nu) with
 * g(nu) = (k + (nu - k)^2) / nu^2, which falls from 1/k to 1/(k + 1): solve g(nu) = (1 - fano) / mean = 1 / nu0. */
static uint32_t draw_under_poisson(const uint32_t w[4], double mean, double fano)
{
	double nu0 = mean / (1.0 - fano);
	double nu = 1.0;

	if (nu0 > 1.0) {
		double k = floor(nu0);
		double root = (k * k + k) / nu0 - k;

		nu = (k * k + k) / (k + sqrt(root > 0.0 ? root : 0.0));
	}
	/* Less than the least variance that whole numbers of this mean can have was asked for: p = 1. */
	nu = fmax(nu, mean);
	double k = floor(nu);
	uint32_t n = (uint32_t)k + (uniform_from(w[2], w[3]) < nu - k);
	return draw_binomial(uniform_from(w[0], w[1]), n, mean / nu);
}

uint32_t rng_count(const struct rng *rng, uint64_t element, double mean, double fano)
{
	uint32_t w[4];

	if (!(mean > 0.0))
		return 0;
	if (mean > RNG_COUNT_EXACT_MAX) {
		double count = round(mean + sqrt(mean * fano) * rng_normal(rng, element));

		return count <= 0.0 ? 0 : count >= UINT32_MAX ? UINT32_MAX : (uint32_t)count;
	}
	rng_block(rng, element, w);
	if (fano < 1.0)
		return draw_under_poisson(w, mean, fmax(fano, 0.0));

	double u = uniform_from(w[0], w[1]);
	uint32_t last = (uint32_t)(mean + 50.0 * sqrt(mean * fano) + 50.0 * fano);
	if (fano > 1.0) {
		double shape = mean / (fano - 1.0), p = (fano - 1.0) / fano;

		return count_by_inversion(u, exp(-shape * log(fano)), p, (shape - 1.0) * p, last);
	}
	return count_by_inversion(u, exp(-mean), 0.0, mean, last);
}
