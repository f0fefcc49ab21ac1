/* Random vectors and products, for tests of transposes and gradients. */
#ifndef EVOKED_TESTS_VECTORS_H
#define EVOKED_TESTS_VECTORS_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "support/rng.h"

static inline float *vector_random(size_t n, uint32_t stream)
{
	struct rng rng = rng_make(11, 0, RNG_TEST, stream);
	float *values = malloc(n * sizeof *values);

	assert_non_null(values);
	rng_fill_normal(&rng, 0, n, values);
	return values;
}

static inline double vector_dot(const float *a, const float *b, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (double)a[i] * b[i];
	return sum;
}

#endif
