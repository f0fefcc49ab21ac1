/* Trials follow from seed and number; what fails, fails as the odds say; the pace adds up to the rate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/cli/rig_trial.h"

enum { SEED = 11, TRIALS = 4000 };

static void same_seed_same_trials(void **state)
{
	const struct rig_trial_odds odds = {.p_break = 0.3, .p_drop = 0.1};
	struct rig_trial a, b;
	int n_different = 0;

	(void)state;
	for (uint64_t t = 0; t < 200; t++) {
		rig_trial_draw(SEED, t, &odds, RIG_TRIAL_MAX, &a);
		rig_trial_draw(SEED, t, &odds, RIG_TRIAL_MAX, &b);
		assert_int_equal(a.n_images, b.n_images);
		assert_memory_equal(a.outcomes, b.outcomes, a.n_images * sizeof(a.outcomes[0]));
		rig_trial_draw(SEED + 1, t, &odds, RIG_TRIAL_MAX, &b);
		n_different += a.n_images != b.n_images;
	}
	assert_true(n_different > 50);
}

static void lengths_are_six_to_eight_or_what_is_left(void **state)
{
	const struct rig_trial_odds odds = {0};
	size_t n_of[RIG_TRIAL_MAX + 1] = {0};
	struct rig_trial trial;

	(void)state;
	for (uint64_t t = 0; t < TRIALS; t++) {
		rig_trial_draw(SEED, t, &odds, 100, &trial);
		assert_in_range(trial.n_images, RIG_TRIAL_MIN, RIG_TRIAL_MAX);
		n_of[trial.n_images]++;
		for (size_t i = 0; i < trial.n_images; i++)
			assert_int_equal(trial.outcomes[i], OUTCOME_COMPLETE);
		rig_trial_draw(SEED, t, &odds, 3, &trial);
		assert_int_equal(trial.n_images, 3);
	}
	for (size_t n = RIG_TRIAL_MIN; n <= RIG_TRIAL_MAX; n++)
		assert_in_range(n_of[n], TRIALS / 3 - 150, TRIALS / 3 + 150);
}

static void after_a_break_nothing_is_shown(void **state)
{
	const struct rig_trial_odds odds = {.p_break = 0.25, .p_drop = 0.1};
	int n_broken = 0, n_dropped = 0, n_shown = 0;
	struct rig_trial trial;

	(void)state;
	for (uint64_t t = 0; t < TRIALS; t++) {
		int broken = 0;

		rig_trial_draw(SEED, t, &odds, RIG_TRIAL_MAX, &trial);
		for (size_t i = 0; i < trial.n_images; i++) {
			assert_int_equal(trial.outcomes[i] == OUTCOME_NOT_SHOWN, broken);
			broken |= trial.outcomes[i] == OUTCOME_BROKEN_FIXATION;
			n_dropped += trial.outcomes[i] == OUTCOME_DROPPED_FRAME;
			n_shown += trial.outcomes[i] != OUTCOME_NOT_SHOWN;
		}
		n_broken += broken;
	}
	assert_in_range(n_broken, TRIALS / 4 - 120, TRIALS / 4 + 120);
	assert_in_range(n_dropped, n_shown / 12, n_shown / 9);
}

static void pace_adds_up(void **state)
{
	struct rig_pace pace = rig_pace_at(4, 7);

	(void)state;
	assert_int_equal(pace.onset_ns, 200000000);
	assert_int_equal(pace.trial_ns, 1750000000);
	pace = rig_pace_at(10, 6);
	assert_int_equal(pace.onset_ns, 100000000);
	assert_int_equal(pace.trial_ns, 600000000);
	pace = rig_pace_at(0, 8);
	assert_int_equal(pace.onset_ns, 0);
	assert_int_equal(pace.trial_ns, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_seed_same_trials),
		cmocka_unit_test(lengths_are_six_to_eight_or_what_is_left),
		cmocka_unit_test(after_a_break_nothing_is_shown),
		cmocka_unit_test(pace_adds_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
