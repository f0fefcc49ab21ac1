/* Spans that live together do not overlap; those that do not may share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>

#include "models/memory_plan.h"
#include "support/rng.h"

static void chain_uses_two_places(void **state)
{
	struct memory_span spans[6];

	(void)state;
	for (uint32_t i = 0; i < 6; i++)
		spans[i] = (struct memory_span){.n_values = 100, .first = i, .last = i + 1};
	assert_int_equal(memory_plan(spans, 6), 2 * 112); /* rounded to 64 bytes */
}

static void random_spans_never_collide(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 200; seed++) {
		struct rng rng = rng_make(seed, 0, RNG_TEST, 0);
		struct memory_span spans[20];
		size_t total, sum = 0;

		for (uint32_t i = 0; i < 20; i++) {
			uint32_t first = rng_below(&rng, 3 * i, 15);

			spans[i] = (struct memory_span){.n_values = rng_below(&rng, 3 * i + 1, 200),
							.first = first,
							.last = first + rng_below(&rng, 3 * i + 2, 6)};
			sum += (spans[i].n_values + 15) / 16 * 16;
		}
		total = memory_plan(spans, 20);
		assert_true(total <= sum);
		for (int a = 0; a < 20; a++) {
			assert_int_equal(spans[a].offset % 16, 0);
			assert_true(!spans[a].n_values || spans[a].offset + spans[a].n_values <= total);
			for (int b = 0; b < a; b++) {
				bool together = spans[a].first <= spans[b].last && spans[b].first <= spans[a].last;
				bool apart = spans[a].offset + spans[a].n_values <= spans[b].offset ||
					     spans[b].offset + spans[b].n_values <= spans[a].offset;

				assert_true(!together || apart || !spans[a].n_values || !spans[b].n_values);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chain_uses_two_places),
		cmocka_unit_test(random_spans_never_collide),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
