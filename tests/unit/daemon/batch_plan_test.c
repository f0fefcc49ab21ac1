/* Counts sum to the size and stay within one of their quota; natural-only mixes; slots that are shown again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/batch_plan.h"
#include "support/rng.h"

static uint32_t sum_of(const struct batch_recipe *recipe)
{
	uint32_t sum = 0;

	for (int kind = 0; kind < KIND_COUNT; kind++)
		sum += recipe->counts[kind];
	return sum;
}

static void test_largest_remainder(void **state)
{
	/* quotas of 10: 3.33 each for three, so the first gets the one that is left */
	const struct config_mix thirds = {.natural = 1, .gaudy = 1, .monitor = 1};
	/* quotas of 7: 4.9, 1.4, 0.7: the two largest fractions get one more */
	const struct config_mix uneven = {.natural = 0.7, .informative_pool = 0.2, .blank = 0.1};
	struct batch_recipe recipe;

	(void)state;
	batch_plan_recipe(&thirds, 10, false, &recipe);
	assert_int_equal(recipe.counts[KIND_NATURAL], 4);
	assert_int_equal(recipe.counts[KIND_GAUDY], 3);
	assert_int_equal(recipe.counts[KIND_MONITOR], 3);
	batch_plan_recipe(&uneven, 7, false, &recipe);
	assert_int_equal(recipe.counts[KIND_NATURAL], 5);
	assert_int_equal(recipe.counts[KIND_INFORMATIVE_POOL], 1);
	assert_int_equal(recipe.counts[KIND_BLANK], 1);
}

static void test_any_mix_fills_the_batch(void **state)
{
	struct rng rng = rng_make(3, 0, RNG_TEST, 0);

	(void)state;
	for (uint64_t i = 0; i < 200; i++) {
		struct config_mix mix;
		double shares[sizeof mix / sizeof(double)], total = 0;
		for (size_t k = 0; k < sizeof shares / sizeof *shares; k++)
			total += shares[k] = rng_below(&rng, 100 * i + k, 3) ? rng_uniform(&rng, 100 * i + 50 + k) : 0;
		memcpy(&mix, shares, sizeof mix);
		uint32_t size = 1 + rng_below(&rng, 100 * i + 99, LIMIT_BATCH_SLOTS);
		struct batch_recipe recipe;
		batch_plan_recipe(&mix, size, false, &recipe);
		assert_int_equal(sum_of(&recipe), size);
		if (total > 0)
			assert_true(labs((long)recipe.counts[KIND_MONITOR] - (long)(mix.monitor / total * size)) <= 1);
		batch_plan_recipe(&mix, size, true, &recipe);
		assert_int_equal(sum_of(&recipe), size);
		assert_int_equal(recipe.counts[KIND_INFORMATIVE_POOL] + recipe.counts[KIND_GAUDY] +
					 recipe.counts[KIND_MAXIMIZING] + recipe.counts[KIND_PARAMETRIC],
				 0);
	}
}

static void test_natural_only_keeps_what_is_held_out(void **state)
{
	const struct config_mix mix = {.informative_pool = 0.8, .monitor = 0.1, .sealed = 0.05, .blank = 0.05};
	const struct config_mix nothing = {0};
	struct batch_recipe recipe;

	(void)state;
	batch_plan_recipe(&mix, 20, true, &recipe);
	assert_int_equal(recipe.counts[KIND_NATURAL], 16);
	assert_int_equal(recipe.counts[KIND_MONITOR], 2);
	assert_int_equal(recipe.counts[KIND_SEALED], 1);
	assert_int_equal(recipe.counts[KIND_BLANK], 1);
	batch_plan_recipe(&nothing, 20, false, &recipe);
	assert_int_equal(recipe.counts[KIND_NATURAL], 20);
}

static void test_recipe_json(void **state)
{
	const struct config_mix mix = {.natural = 0.5, .informative_pool = 0.5};
	struct batch_recipe recipe;

	(void)state;
	batch_plan_recipe(&mix, 10, false, &recipe);
	json_t *object = batch_plan_recipe_json(&recipe);
	assert_int_equal(json_object_size(object), 2);
	assert_int_equal(json_integer_value(json_object_get(object, "natural")), 5);
	assert_int_equal(json_integer_value(json_object_get(object, "informative_pool")), 5);
	json_decref(object);
}

static void test_requeue_is_bounded(void **state)
{
	static struct requeue requeue;
	struct hash image = {{7}};

	(void)state;
	requeue.n = 0;
	assert_true(requeue_add(&requeue, &image, "natural", 0, 2));
	assert_true(requeue_add(&requeue, &image, "monitor", 1, 2));
	assert_false(requeue_add(&requeue, &image, "natural", 2, 2));
	assert_int_equal(requeue.n, 2);
	json_t *list = requeue_json(&requeue, 2);
	assert_int_equal(json_array_size(list), 2);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 1), "requeued")), 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 1), "kind")), "monitor");
	json_decref(list);
	requeue_remove(&requeue, 1);
	assert_int_equal(requeue.n, 1);
	assert_string_equal(requeue.slots[0].kind, "monitor");
	while (requeue_add(&requeue, &image, "natural", 0, 1))
		;
	assert_int_equal(requeue.n, LIMIT_BATCH_SLOTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_largest_remainder),
		cmocka_unit_test(test_any_mix_fills_the_batch),
		cmocka_unit_test(test_natural_only_keeps_what_is_held_out),
		cmocka_unit_test(test_recipe_json),
		cmocka_unit_test(test_requeue_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
