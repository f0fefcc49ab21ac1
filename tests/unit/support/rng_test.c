/* Philox against Random123's known answers; moments of the draws by seeded simulation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdbool.h>

#include "support/rng.h"

enum { N_DRAWS = 40000 };

/* Random123's kat_vectors, "philox4x32 10": counter words, key words, answer. */
static void known_answers(void **state)
{
	static const struct {
		uint32_t counter[4], key[2], answer[4];
	} vectors[] = {
		{{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
		 {0xa4093822, 0x299f31d0},
		 {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		const uint32_t *c = vectors[i].counter, *k = vectors[i].key;
		struct rng rng = {.seed = (uint64_t)k[1] << 32 | k[0], .decision = c[2], .purpose = c[3]};
		uint32_t words[4];

		rng_block(&rng, (uint64_t)c[1] << 32 | c[0], words);
		assert_memory_equal(words, vectors[i].answer, sizeof words);
	}
}

static void streams_differ(void **state)
{
	struct rng a = rng_make(7, 3, RNG_TEST, 0);
	struct rng others[] = {rng_make(8, 3, RNG_TEST, 0), rng_make(7, 4, RNG_TEST, 0), rng_make(7, 3, RNG_TEST, 1),
			       rng_make(7, 3, RNG_SPIKES, 0)};

	(void)state;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		int n_same = 0;

		for (uint64_t e = 0; e < 100; e++)
			n_same += rng_u32(&a, e) == rng_u32(&others[i], e);
		assert_int_equal(n_same, 0);
	}
}

static void uniform_and_normal_moments(void **state)
{
	struct rng rng = rng_make(1, 0, RNG_TEST, 0);
	double sum = 0, square = 0, normal = 0, normal_square = 0, fourth = 0;

	(void)state;
	for (uint64_t e = 0; e < N_DRAWS; e++) {
		double u = rng_uniform(&rng, e), z = rng_normal(&rng, e + N_DRAWS);

		assert_true(u >= 0 && u < 1);
		sum += u;
		square += u * u;
		normal += z;
		normal_square += z * z;
		fourth += z * z * z * z;
	}
	assert_true(fabs(sum / N_DRAWS - 0.5) < 5 * sqrt(1.0 / 12 / N_DRAWS));
	assert_true(fabs(square / N_DRAWS - 1.0 / 3) < 5 * sqrt(4.0 / 45 / N_DRAWS));
	assert_true(fabs(normal / N_DRAWS) < 5 / sqrt(N_DRAWS));
	assert_true(fabs(normal_square / N_DRAWS - 1) < 5 * sqrt(2.0 / N_DRAWS));
	assert_true(fabs(fourth / N_DRAWS - 3) < 5 * sqrt(96.0 / N_DRAWS));
}

static void fill_is_the_single_draws(void **state)
{
	struct rng rng = rng_make(1, 2, RNG_TEST, 3);
	float values[17];

	(void)state;
	rng_fill_normal(&rng, 5, 17, values);
	for (uint64_t i = 0; i < 17; i++)
		assert_true(values[i] == (float)rng_normal(&rng, 5 + i));
}

static void below_is_even(void **state)
{
	struct rng rng = rng_make(2, 0, RNG_TEST, 0);
	int n_of[7] = {0};

	(void)state;
	for (uint64_t e = 0; e < 7000; e++)
		n_of[rng_below(&rng, e, 7)]++;
	for (int i = 0; i < 7; i++)
		assert_in_range(n_of[i], 1000 - 150, 1000 + 150);
	assert_int_equal(rng_below(&rng, 0, 1), 0);
	for (uint64_t e = 0; e < 100; e++)
		assert_true(rng_below(&rng, e, UINT32_MAX) < UINT32_MAX);
}

static void shuffle_is_an_even_permutation_law(void **state)
{
	int n_first[5] = {0};

	(void)state;
	for (uint64_t seed = 0; seed < 5000; seed++) {
		struct rng rng = rng_make(seed, 0, RNG_TEST, 0);
		uint32_t v[5] = {0, 1, 2, 3, 4};
		unsigned seen = 0;

		rng_shuffle(&rng, v, 5);
		for (int i = 0; i < 5; i++)
			seen |= 1u << v[i];
		assert_int_equal(seen, 31);
		n_first[v[0]]++;
	}
	for (int i = 0; i < 5; i++)
		assert_in_range(n_first[i], 1000 - 150, 1000 + 150);
}

/* Mean and Fano factor of N_DRAWS counts against what was asked for, within five standard errors. */
static void check_count(double mean, double fano, double expected_fano)
{
	struct rng rng = rng_make(99, 0, RNG_SPIKES, 0);
	double sum = 0, square = 0, fourth = 0;

	for (uint64_t e = 0; e < N_DRAWS; e++) {
		double d = rng_count(&rng, e, mean, fano) - mean;

		sum += d;
		square += d * d;
		fourth += d * d * d * d;
	}
	double variance = square / N_DRAWS;
	double found = variance / mean;
	double error = sqrt((fourth / N_DRAWS - variance * variance) / N_DRAWS) / mean;

	if (fabs(sum / N_DRAWS) > 5 * sqrt(variance / N_DRAWS) + 1e-9)
		fail_msg("mean %g, fano %g: the mean is off by %g", mean, fano, sum / N_DRAWS);
	if (fabs(found - expected_fano) > 5 * error + 1e-9)
		fail_msg("mean %g, fano %g: found a Fano factor of %g", mean, fano, found);
}

static void counts_have_mean_and_fano(void **state)
{
	static const double means[] = {0.15, 0.5, 0.95, 1.0, 1.7, 2.05, 3.4, 10.3, 47, 100};

	(void)state;
	for (size_t i = 0; i < sizeof means / sizeof *means; i++) {
		check_count(means[i], 0.9, 0.9);
		check_count(means[i], 1.0, 1.0);
		check_count(means[i], 1.5, 1.5);
	}
	check_count(3.4, 0.67, 0.67);
	check_count(10.5, 0.1, 0.1);
	check_count(2, 4, 4);
	check_count(400, 0.9, 0.9);
	check_count(5000, 0.9, 0.9);
}

static void counts_where_whole_numbers_bound_the_variance(void **state)
{
	(void)state;
	check_count(0.01, 0.9, 0.99);
	check_count(0.05, 0.9, 0.95);
	check_count(0.01, 1.0, 1.0);
	/* The least variance of mean 2.5 is 1/4. */
	check_count(2.5, 0.0, 0.1);
	check_count(3.0, 0.0, 0.0);
}

static void counts_of_nothing(void **state)
{
	struct rng rng = rng_make(1, 0, RNG_SPIKES, 0);

	(void)state;
	assert_int_equal(rng_count(&rng, 0, 0, 0.9), 0);
	assert_int_equal(rng_count(&rng, 0, -1, 0.9), 0);
	assert_int_equal(rng_count(&rng, 0, NAN, 0.9), 0);
	assert_int_equal(rng_count(&rng, 0, 1e12, 0.9), UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers),
		cmocka_unit_test(streams_differ),
		cmocka_unit_test(uniform_and_normal_moments),
		cmocka_unit_test(fill_is_the_single_draws),
		cmocka_unit_test(below_is_even),
		cmocka_unit_test(shuffle_is_an_even_permutation_law),
		cmocka_unit_test(counts_have_mean_and_fano),
		cmocka_unit_test(counts_where_whole_numbers_bound_the_variance),
		cmocka_unit_test(counts_of_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
