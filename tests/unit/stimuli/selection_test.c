/* Disagreement against numbers by hand, and top-k against a full sort. */
#include "stimuli/selection.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "support/rng.h"

static void disagreement_is_the_mean_variance_over_members(void **state)
{
	/* [2 images, 2 members, 3 units] */
	const float responses[] = {1, 5, 0, 3, 5, 10, 2, 2, 2, 2, 2, 2};
	const float weight[] = {1, 1, 0};
	double scores[2];
	(void)state;

	selection_disagreement(responses, 2, 2, 3, NULL, scores);
	assert_true(fabs(scores[0] - (1.0 + 0.0 + 25.0) / 3) < 1e-12);
	assert_true(scores[1] == 0);
	selection_disagreement(responses, 2, 2, 3, weight, scores);
	assert_true(fabs(scores[0] - 0.5) < 1e-12);
}

static void one_member_never_disagrees(void **state)
{
	const float responses[] = {1, 5, 9, 2};
	double scores[2];
	(void)state;

	selection_disagreement(responses, 2, 1, 2, NULL, scores);
	assert_true(scores[0] == 0 && scores[1] == 0);
}

static void top_equals_a_full_sort(void **state)
{
	struct rng rng = rng_make(3, 0, RNG_TEST, 0);
	double scores[200];
	uint32_t chosen[200];
	(void)state;

	for (size_t n = 0; n <= 200; n += 40)
		for (size_t k = 0; k <= 210; k += 35) {
			uint8_t taken[200] = {0};
			for (size_t i = 0; i < n; i++)
				scores[i] = rng_below(&rng, n * 1000 + i, 30); /* many ties */
			size_t n_chosen = selection_top(scores, n, k < 200 ? k : 200, chosen);
			assert_int_equal(n_chosen, k < n ? k : n);
			for (size_t c = 0; c < n_chosen; c++) {
				size_t best = SIZE_MAX;
				for (size_t i = 0; i < n; i++)
					if (!taken[i] && (best == SIZE_MAX || scores[i] > scores[best]))
						best = i;
				assert_int_equal(chosen[c], best);
				taken[best] = 1;
			}
		}
}

static void nan_comes_last(void **state)
{
	const double scores[] = {NAN, -1, NAN, -INFINITY};
	const uint32_t expected[] = {1, 3, 0};
	uint32_t chosen[3];
	(void)state;

	assert_int_equal(selection_top(scores, 4, 3, chosen), 3);
	assert_memory_equal(chosen, expected, sizeof expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(disagreement_is_the_mean_variance_over_members),
		cmocka_unit_test(one_member_never_disagrees),
		cmocka_unit_test(top_equals_a_full_sort),
		cmocka_unit_test(nan_comes_last),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
