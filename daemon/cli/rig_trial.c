/* Each draw has a stream of its own and the trial's number as element, so that one does not depend on another. */
#include "daemon/cli/rig_trial.h"

#include "support/rng.h"

enum stream { STREAM_LENGTH, STREAM_BREAK, STREAM_BREAK_POSITION, STREAM_DROP };

static struct rng stream_of(uint64_t seed, enum stream stream)
{
	return rng_make(seed, 0, RNG_RIG_FAULTS, (uint32_t)stream);
}

void rig_trial_draw(uint64_t seed, uint64_t trial, const struct rig_trial_odds *odds, size_t n_max,
		    struct rig_trial *ret_trial)
{
	struct rng length = stream_of(seed, STREAM_LENGTH), breaks = stream_of(seed, STREAM_BREAK),
		   position = stream_of(seed, STREAM_BREAK_POSITION), drop = stream_of(seed, STREAM_DROP);
	size_t n = RIG_TRIAL_MIN + rng_below(&length, trial, RIG_TRIAL_MAX - RIG_TRIAL_MIN + 1);
	size_t broken = RIG_TRIAL_MAX;

	if (n > n_max)
		n = n_max;
	if (rng_uniform(&breaks, trial) < odds->p_break)
		broken = rng_below(&position, trial, (uint32_t)n);
	ret_trial->n_images = n;
	for (size_t i = 0; i < n; i++) {
		if (i > broken)
			ret_trial->outcomes[i] = OUTCOME_NOT_SHOWN;
		else if (i == broken)
			ret_trial->outcomes[i] = OUTCOME_BROKEN_FIXATION;
		else if (rng_uniform(&drop, trial * RIG_TRIAL_MAX + i) < odds->p_drop)
			ret_trial->outcomes[i] = OUTCOME_DROPPED_FRAME;
		else
			ret_trial->outcomes[i] = OUTCOME_COMPLETE;
	}
}

struct rig_pace rig_pace_at(double rate_hz, size_t n_images)
{
	static const int64_t image_ns = (int64_t)(RIG_ON_MS + RIG_OFF_MS) * 1000000;
	struct rig_pace pace = {0};
	int64_t share_ns;

	if (rate_hz <= 0)
		return pace;
	share_ns = (int64_t)(1e9 / rate_hz);
	pace.onset_ns = share_ns < image_ns ? share_ns : image_ns;
	pace.trial_ns = share_ns * (int64_t)n_images;
	return pace;
}
