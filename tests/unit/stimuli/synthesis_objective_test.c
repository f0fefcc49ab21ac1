/* Values by hand, halves disjoint, derivatives against finite differences, settings refused. */
#include "stimuli/synthesis_objective.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/stimuli/vectors.h"

enum { N_MEMBERS = 7, N_UNITS = 5, N = N_MEMBERS * N_UNITS };

static void init(const struct synthesis_settings *settings, uint32_t n_members, struct synthesis_objective *objective)
{
	struct error err = {0};

	assert_int_equal(synthesis_objective_init(settings, n_members, N_UNITS, &err, objective), 0);
}

static void halves_are_disjoint_and_cover_all(void **state)
{
	struct synthesis_settings settings = {.goal = SYNTHESIS_INFORMATIVE, .seed = 3};
	struct synthesis_objective o;
	unsigned seen = 0;
	(void)state;

	init(&settings, N_MEMBERS, &o);
	assert_int_equal(o.halves[0].n + o.halves[1].n, N_MEMBERS);
	assert_true(o.halves[0].n >= 2 && o.halves[1].n >= 2);
	for (int half = 0; half < 2; half++)
		for (uint32_t k = 0; k < o.halves[half].n; k++)
			seen |= 1u << o.halves[half].members[k];
	assert_int_equal(seen, (1u << N_MEMBERS) - 1);
	/* Too few to split: all serve both. */
	init(&settings, 3, &o);
	assert_int_equal(o.halves[0].n, 3);
	assert_int_equal(o.halves[1].n, 3);
	settings.goal = SYNTHESIS_MAXIMIZE;
	init(&settings, 1, &o);
	assert_int_equal(o.halves[1].n, 1);
}

static void values_by_hand(void **state)
{
	struct synthesis_settings settings = {.goal = SYNTHESIS_MAXIMIZE, .unit = 1};
	/* Two members, five units. */
	const float responses[] = {1, 4, 0, 2, 3, 5, 8, 0, 2, 1};
	const float weight[] = {1, 0, 0, 0, 3};
	float cotangent[10];
	struct synthesis_objective o;
	(void)state;

	init(&settings, 2, &o);
	/* One member each: the optimised and the held-out one. */
	double a = synthesis_objective_value(&o, SYNTHESIS_OPTIMISED, responses, cotangent);
	double b = synthesis_objective_value(&o, SYNTHESIS_HELD_OUT, responses, NULL);
	assert_true(a + b == 12);
	settings.response_cap = 5;
	init(&settings, 2, &o);
	a = synthesis_objective_value(&o, SYNTHESIS_OPTIMISED, responses, NULL);
	b = synthesis_objective_value(&o, SYNTHESIS_HELD_OUT, responses, NULL);
	assert_true(a + b == 9);
	settings = (struct synthesis_settings){.goal = SYNTHESIS_INFORMATIVE};
	init(&settings, 2, &o);
	a = synthesis_objective_value(&o, SYNTHESIS_OPTIMISED, responses, NULL);
	assert_true(fabs(a - (4 + 4 + 0 + 0 + 1) / 5.0) < 1e-12);
	settings.weight = weight;
	init(&settings, 2, &o);
	a = synthesis_objective_value(&o, SYNTHESIS_OPTIMISED, responses, NULL);
	assert_true(fabs(a - (4 + 3 * 1) / 4.0) < 1e-12);
	assert_true(synthesis_objective_is_better(&o, 2, 1));
	settings = (struct synthesis_settings){.goal = SYNTHESIS_MINIMIZE};
	init(&settings, 2, &o);
	assert_true(synthesis_objective_is_better(&o, 1, 2));
}

static void derivative_equals_finite_differences(void **state)
{
	const struct synthesis_settings all[] = {
		{.goal = SYNTHESIS_MAXIMIZE, .unit = 2},
		{.goal = SYNTHESIS_MAXIMIZE, .unit = SYNTHESIS_POPULATION, .response_cap = 0.3},
		{.goal = SYNTHESIS_MINIMIZE, .unit = SYNTHESIS_POPULATION},
		{.goal = SYNTHESIS_INFORMATIVE},
		{.goal = SYNTHESIS_INFORMATIVE, .response_cap = 0.3},
	};
	const float h = 1e-3f;
	(void)state;

	for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
		double sign = all[k].goal == SYNTHESIS_MINIMIZE ? -1 : 1;
		float *responses = vector_random(N, 1), cotangent[N];
		struct synthesis_objective o;

		init(&all[k], N_MEMBERS, &o);
		synthesis_objective_value(&o, SYNTHESIS_OPTIMISED, responses, cotangent);
		for (size_t i = 0; i < N; i++) {
			float kept = responses[i];
			responses[i] = kept + h;
			double up = synthesis_objective_value(&o, SYNTHESIS_OPTIMISED, responses, NULL);
			responses[i] = kept - h;
			double down = synthesis_objective_value(&o, SYNTHESIS_OPTIMISED, responses, NULL);
			responses[i] = kept;
			assert_true(fabs(sign * (up - down) / (2 * h) - cotangent[i]) < 1e-3);
		}
		free(responses);
	}
}

static void bad_settings_are_named(void **state)
{
	const float negative[N_UNITS] = {1, -1}, zero[N_UNITS] = {0};
	struct synthesis_settings settings = {.goal = SYNTHESIS_MAXIMIZE, .unit = N_UNITS};
	struct synthesis_objective o;
	struct error err = {0};
	(void)state;

	assert_int_equal(synthesis_objective_init(&settings, 2, N_UNITS, &err, &o), -EINVAL);
	assert_non_null(strstr(err.text, "unit 5"));
	settings = (struct synthesis_settings){.goal = SYNTHESIS_INFORMATIVE};
	assert_int_equal(synthesis_objective_init(&settings, 1, N_UNITS, &err, &o), -EINVAL);
	assert_int_equal(synthesis_objective_init(&settings, SYNTHESIS_MEMBERS_MAX + 1, N_UNITS, &err, &o), -EINVAL);
	settings.weight = negative;
	assert_int_equal(synthesis_objective_init(&settings, 2, N_UNITS, &err, &o), -EINVAL);
	settings.weight = zero;
	assert_int_equal(synthesis_objective_init(&settings, 2, N_UNITS, &err, &o), -EINVAL);
	settings = (struct synthesis_settings){.response_cap = NAN};
	assert_int_equal(synthesis_objective_init(&settings, 2, N_UNITS, &err, &o), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(halves_are_disjoint_and_cover_all),
		cmocka_unit_test(values_by_hand),
		cmocka_unit_test(derivative_equals_finite_differences),
		cmocka_unit_test(bad_settings_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
